"""What the compiled loops count by: the columns of each group of facts, and the limits of a playbook."""

from __future__ import annotations

from functools import cache

import numpy as np

from engine import kernels
from engine.encoded import EncodedHistory, tracks
from engine.facts import Group, definitions
from engine.kernels import Columns, Counting, Limits, Pauses, Questions
from engine.playbook import Playbook, Scope
from engine.records import DAY_MICROS, Bools, Floats, Ints, kept_with
from engine.rows import numbered

GROUPS: tuple[Group, ...] = ("account", "channel", "topic", "message")
LOOPS: dict[str, int] = {
    "outbound": kernels.OUTBOUND,
    "inbound": kernels.INBOUND,
    "days_since": kernels.DAYS_SINCE,
    "days_since_inbound": kernels.DAYS_SINCE_INBOUND,
    "days_until": kernels.DAYS_UNTIL,
    "responses": kernels.RESPONSES,
    "response_rate": kernels.RESPONSE_RATE,
    "outcomes": kernels.OUTCOMES,
    "outcome_value": kernels.OUTCOME_VALUE,
    "days_since_outcome": kernels.DAYS_SINCE_OUTCOME,
    "optouts": kernels.OPTOUTS,
    "planned_any": kernels.PLANNED,
    "days_since_response": kernels.DAYS_SINCE_RESPONSE,
}
"""Statistic of `engine.facts` -> what the loops call it."""
UNKNOWN_UNTIL_SEEN = frozenset(
    {
        "days_since",
        "days_since_inbound",
        "days_until",
        "response_rate",
        "days_since_outcome",
        "days_since_response",
    }
)


def micros(days: float) -> int:
    """Days as microseconds."""
    return round(days * DAY_MICROS)


@cache
def columns_of(group: Group) -> Columns:
    """What the columns of a group count, in column order."""
    defined = definitions(group)
    places = {(d.statistic, d.window_days): place for place, d in enumerate(defined)}
    return Columns(
        np.array([LOOPS[d.statistic] for d in defined], dtype=np.int64),
        np.array([micros(d.window_days or 0) for d in defined], dtype=np.int64),
        np.array([places.get(("responses", d.window_days), -1) for d in defined], dtype=np.int64),
        np.array([places.get(("outbound", d.window_days), -1) for d in defined], dtype=np.int64),
    )


@cache
def counting() -> Counting:
    """What a touchpoint of each event changes in each group."""
    changed = [_changed(columns_of(group), event) for group in GROUPS for event in kernels.OF_EVENT]
    rows = np.array([row for rows in changed for row in rows], dtype=np.int64).reshape(-1, 3)
    first = np.cumsum([0, *map(len, changed)], dtype=np.int64)  # counts
    return Counting(first, *(np.ascontiguousarray(column) for column in rows.T))


def _changed(columns: Columns, event: tuple[int, ...]) -> list[tuple[int, int, int]]:
    """Columns that count one of these statistics: place, statistic and reach, the longest reach first."""
    always = np.iinfo(np.int64).max
    rows = [
        (place, statistic, window if statistic in kernels.WITHIN_WINDOW else always)
        for place, (statistic, window) in enumerate(
            zip(columns.statistic.tolist(), columns.window.tolist(), strict=True)
        )
        if statistic in event
    ]
    return sorted(rows, key=lambda row: -row[2])


@cache
def nothing_seen(group: Group) -> Floats:
    """What a group's columns say where nothing was seen; shape (F,)."""
    return np.array([np.nan if d.statistic in UNKNOWN_UNTIL_SEEN else 0.0 for d in definitions(group)])


def closed(questions: Questions, facts: EncodedHistory) -> Bools:
    """Whether the account has been deleted or merged into another; shape (n,)."""
    return facts.attributes.closed[kernels.latest_known(questions, facts.attributes.standing)]


@kept_with
def limits_of(playbook: Playbook) -> Limits:
    """The contact limits of a playbook."""
    places = numbered([channel.id for channel in playbook.channels])
    own = playbook.contact_limits
    groups = [treatment.group for treatment in playbook.treatments]
    counts = [[not limit.group or limit.group == group for group in (*groups, None)] for limit in own]
    return Limits(
        np.array([kernels.ANY if limit.channel == "*" else places[limit.channel] for limit in own], np.int64),
        np.array([micros(limit.days) for limit in own], dtype=np.int64),
        np.array(counts, dtype=np.bool_).reshape(len(own), len(groups) + 1),
    )


@kept_with
def pauses_of(playbook: Playbook) -> Pauses:
    """The suppressions of a playbook."""
    own, places = playbook.suppressions, numbered([channel.id for channel in playbook.channels])
    by = {"channel": kernels.OF_CHANNEL, "topic": kernels.OF_TOPIC}
    scopes = np.full((len(own), len(playbook.treatments) + 1), -1, dtype=np.int64)
    paused = scopes[:, :-1].copy()
    for rule, s in enumerate(own):
        scopes[rule, :-1] = scope_codes(s.scope, playbook)
        through = [s.channel in ("*", t.channel) for t in playbook.treatments]
        paused[rule] = np.where(through, scopes[rule, :-1], -1)
    return Pauses(
        np.array([tracks(playbook).index(s.track) for s in own], dtype=np.int64),
        np.array([kernels.ANY if s.channel == "*" else places[s.channel] for s in own], dtype=np.int64),
        np.array([by.get(s.scope, kernels.OF_TREATMENT) for s in own], dtype=np.int64),
        scopes,
        paused,
        np.array([s.count for s in own], dtype=np.int64),
        np.array([micros(s.window_days) for s in own], dtype=np.int64),
        1 + max(len(playbook.channels), len(playbook.topics), len(playbook.treatments)),
    )


def scope_codes(scope: Scope, playbook: Playbook) -> Ints:
    """The code of each treatment's channel, topic, group, action or own id, -1 = it has none; shape (T,)."""
    column = "id" if scope == "treatment" else scope
    named = [str(getattr(treatment, column)) for treatment in playbook.treatments]
    members = {
        "treatment": named,
        "topic": [topic.id for topic in playbook.topics],
        "channel": [channel.id for channel in playbook.channels],
    }.get(scope, sorted({name for name in named if name}))
    places = numbered(members)
    return np.array([places.get(name, -1) for name in named], dtype=np.int64)
