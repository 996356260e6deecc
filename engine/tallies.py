"""The answers of the compiled loops as arrays: what `features_as_of` is put together from."""

from __future__ import annotations

from functools import cache

import numpy as np

from engine import kernels
from engine.encoded import EncodedHistory
from engine.facts import Group, definitions
from engine.kernels import Columns, Limits, Pause, Questions
from engine.playbook import Playbook, Scope, Suppression
from engine.records import DAY_MICROS, Bools, Floats, Ints, kept_with

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
    loops = [LOOPS[d.statistic] for d in defined]
    counted = [[j for j, loop in enumerate(loops) if loop in event] for event in kernels.OF_EVENT]
    return Columns(
        np.array(loops, dtype=np.int64),
        np.array([micros(d.window_days or 0) for d in defined], dtype=np.int64),
        np.array([places.get(("responses", d.window_days), -1) for d in defined], dtype=np.int64),
        np.array([places.get(("outbound", d.window_days), -1) for d in defined], dtype=np.int64),
        np.cumsum([0, *map(len, counted)], dtype=np.int64),  # counts
        np.array([j for columns in counted for j in columns], dtype=np.int64),
    )


@cache
def nothing_seen(group: Group) -> Floats:
    """What a group's columns say where nothing was seen; shape (F,)."""
    return np.array([np.nan if d.statistic in UNKNOWN_UNTIL_SEEN else 0.0 for d in definitions(group)])


def _block(group: Group, questions: Questions, members: int) -> Floats:
    empty = nothing_seen(group)
    block = np.empty((questions.at.size, members, empty.size))
    block[:] = empty
    return block


def statistics(
    questions: Questions,
    facts: EncodedHistory,
    sizes: tuple[int, int, int],
    version: Ints,
    *,
    web_allowed: Bools,
) -> tuple[Floats, Floats, Floats, Floats]:
    """The groups account (n, A), channel (n, C, F), topic (n, P, F), message (n, T, F), with attributes.

    Args:
        questions: Who and when; shape (n,).
        facts: What is known of them.
        sizes: How many channels, topics and treatments there are.
        version: Places of the attributes that are known of each; shape (n,).
        web_allowed: Whether web behaviour may be used; shape (n,).
    """
    account, channel, topic, message = (
        _block(group, questions, members) for group, members in zip(GROUPS, (1, *sizes), strict=True)
    )
    columns = [columns_of(group) for group in GROUPS]
    kernels.count_touchpoints(
        questions, facts.touchpoints, web_allowed, (account, channel, topic, message),
        (columns[0], columns[1], columns[2], columns[3]),
    )  # fmt: skip
    worth = (kernels.OUTCOMES, kernels.OUTCOME_VALUE, kernels.DAYS_SINCE_OUTCOME)
    kernels.count_occurrences(questions, facts.outcomes, account, columns[0], worth)
    nothing = kernels.NOT_COUNTED
    kernels.count_occurrences(
        questions, facts.optouts, account, columns[0], (kernels.OPTOUTS, nothing, nothing)
    )
    attributes = facts.attributes.values[version]
    return np.concatenate([account[:, 0, :], attributes], axis=1), channel, topic, message


def permissions(questions: Questions, facts: EncodedHistory, channels: int) -> tuple[Floats, Floats]:
    """Consent by channel and purpose (n, C, 2) and to the use of web behaviour (n,): 1, 0 or -1."""
    consent, web = np.zeros((questions.at.size, channels, 2)), np.zeros(questions.at.size)
    kernels.read_permissions(questions, facts.permissions, consent, web)
    return consent, web


def closed(questions: Questions, facts: EncodedHistory) -> Bools:
    """Whether the account has been deleted or merged into another; shape (n,)."""
    return facts.attributes.closed[kernels.latest_known(questions, facts.attributes.standing)]


def roles(questions: Questions, facts: EncodedHistory, count: int) -> Floats:
    """Whether somebody has each role; shape (n, R)."""
    flags = np.zeros((questions.at.size, count))
    kernels.flag_known(questions, facts.team, flags)
    return flags


def snoozes(questions: Questions, facts: EncodedHistory, treatments: int) -> Floats:
    """Whether people put each treatment off and it still is; shape (n, T)."""
    flags = np.zeros((questions.at.size, treatments))
    kernels.flag_snoozed(questions, facts.feedback, facts.snoozed_until, flags)
    kernels.flag_paused(questions, facts.pauses, facts.paused_until, flags)
    return flags


def rests(questions: Questions, facts: EncodedHistory, treatments: int) -> Floats:
    """Days for which the account still rests from each treatment, 0 = it does not; shape (n, T)."""
    left = np.zeros((questions.at.size, treatments))
    kernels.days_rested(questions, facts.rests, facts.rested_until, left)
    return left


def limits(questions: Questions, facts: EncodedHistory, playbook: Playbook) -> Floats:
    """Contacts that count against each contact limit; shape (n, L)."""
    used = np.zeros((questions.at.size, len(playbook.contact_limits)))
    if playbook.contact_limits:
        kernels.count_limits(questions, facts.touchpoints, _limits(playbook), used)
    return used


@kept_with
def _limits(playbook: Playbook) -> Limits:
    places = _places([channel.id for channel in playbook.channels])
    own = playbook.contact_limits
    groups = [treatment.group for treatment in playbook.treatments]
    counts = [[not limit.group or limit.group == group for group in (*groups, None)] for limit in own]
    return Limits(
        np.array([kernels.ANY if limit.channel == "*" else places[limit.channel] for limit in own], np.int64),
        np.array([micros(limit.days) for limit in own], dtype=np.int64),
        np.array(counts, dtype=np.bool_).reshape(len(own), len(groups) + 1),
    )


def pauses(questions: Questions, facts: EncodedHistory, playbook: Playbook) -> Floats:
    """Days since the latest pause of each suppression and treatment began, else NaN; shape (n, S, T)."""
    begun = np.full((questions.at.size, len(playbook.suppressions), len(playbook.treatments)), np.nan)
    for rule, (suppression, own, paused, channel) in enumerate(_paused(playbook)):
        events = facts.tracked[suppression.track]
        if not events.time.size:
            continue
        scopes: Ints
        if suppression.scope in ("treatment", "topic", "channel"):
            scopes = getattr(events, suppression.scope)
        else:
            scopes = own[events.treatment]
        if suppression.channel != "*":
            scopes = np.where(events.channel == channel, scopes, -1)
        pause = Pause(scopes, paused, suppression.count, micros(suppression.window_days), rule)
        kernels.begin_pauses(questions, events, pause, begun)
    return begun


@kept_with
def _paused(playbook: Playbook) -> list[tuple[Suppression, Ints, Ints, int]]:
    """Each suppression, the code of its scope for every treatment (the last: of what has none), that of those
    which it pauses (-1 = it does not), and the code of its channel, -1 = all."""
    places, found = _places([c.id for c in playbook.channels]), []
    for suppression in playbook.suppressions:
        own = scope_codes(suppression.scope, playbook)
        through = [suppression.channel in ("*", t.channel) for t in playbook.treatments]
        found.append(
            (suppression, np.append(own, -1), np.where(through, own, -1), places.get(suppression.channel, -1))
        )
    return found


def scope_codes(scope: Scope, playbook: Playbook) -> Ints:
    """The code of each treatment's channel, topic, group, action or own id, -1 = it has none; shape (T,)."""
    column = "id" if scope == "treatment" else scope
    named = [str(getattr(treatment, column)) for treatment in playbook.treatments]
    members = {
        "treatment": named,
        "topic": [topic.id for topic in playbook.topics],
        "channel": [channel.id for channel in playbook.channels],
    }.get(scope, sorted({name for name in named if name}))
    places = _places(members)
    return np.array([places.get(name, -1) for name in named], dtype=np.int64)


def _places(ids: list[str]) -> dict[str, int]:
    return {name: place for place, name in enumerate(ids)}
