"""What would change it: the nearest change of a single fact after which another treatment goes first.

Nothing is guessed: each change is made to the facts (or to what the playbook or the release says), and the
account is decided again by `decide`. One place to add a kind of change: a function decorated with
`change_kind` and its sentence in `engine.sentences`.

Changes are compared by a distance in days. Time that passes counts itself; what the account or a colleague
would have to do counts what the constants below say; what is no act (another attribute, another worth) counts
`STRETCH_DAYS` for a change by its whole size.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl

from engine.contract import TIME
from engine.contributions import Contributions
from engine.decide import Decisions, decide
from engine.experiments import COPY
from engine.features import Features, FeatureSet
from engine.playbook import Playbook
from engine.records import DAY_MICROS, ContactStop, Floats, History, Ints, Moments, join
from engine.rules import Quoted
from engine.scoring import LearnedScorer, Scorer, Scores
from engine.shadow_prices import ShadowPrices

DAYS_AHEAD: tuple[int, ...] = (1, 2, 3, 5, 7, 10, 14, 21, 30, 45, 60, 90)
"""Later moments that are tried, with nothing new known."""
INTEREST_DAYS, RESPONSE_DAYS, PERMISSION_DAYS, EXECUTOR_DAYS, APPROVAL_DAYS = 5.0, 5.0, 10.0, 20.0, 30.0
STRETCH_DAYS = 30.0
STEPS: tuple[float, ...] = (0.5, 0.75, 0.9, 1.1, 1.25, 1.5, 2.0)
"""Factors by which a number of the account is changed, beside the splits of the release."""
SPLITS = 4
"""Splits of the release on each side of a number that are tried."""


@dataclass(frozen=True)
class Situation:
    """One account at one moment, with all that `decide` needs.

    Attributes:
        more: A treatment (its place) that is worth so much more than the scorer says, in currency.
        stops: What people have stopped for everybody.
        prices: Of people's time and quotas; None = none is short.
    """

    history: History
    account_id: str
    as_of: int
    playbook: Playbook
    features: FeatureSet
    scorer: Scorer
    seed: int
    more: tuple[int, float] = (0, 0.0)
    stops: tuple[ContactStop, ...] = ()
    prices: ShadowPrices | None = None

    def decided(self) -> Decisions:
        """The account decided as things stand."""
        return decide_each((self,))

    def knowing(self, table: str, **row: Any) -> Situation:
        """The same a microsecond later, with one more fact stored."""
        given = {"account_id": self.account_id, "deleted": False, "stored_at": self.as_of} | row
        before = History({table: self.history[table]})
        schema = dict(before[table].schema)
        types = {name: pl.Int64() if kind == TIME else kind for name, kind in schema.items()}
        later = pl.DataFrame({name: [given.get(name)] for name in {*schema, *given}}, schema_overrides=types)
        later = later.with_columns(pl.col(name).cast(TIME) for name, kind in schema.items() if kind == TIME)
        frames = {**self.history.frames, **before.append(History({table: later})).frames}
        return replace(self, history=History(frames), as_of=self.as_of + 1)


def decide_each(situations: Sequence[Situation]) -> Decisions:
    """Decide several situations under one playbook and the same stops together: one moment each, in order.

    Those that differ in their facts are decided as accounts of their own, which `decide` keeps apart.
    """
    copies: dict[int, str] = {}
    histories = []
    for one in situations:
        if id(one.history) not in copies:
            copies[id(one.history)] = f"{one.account_id}{COPY}{len(copies)}"
            histories.append(_of_account(one.history, one.account_id, copies[id(one.history)]))
    first = situations[0]
    more = np.array([one.more for one in situations], dtype=np.float64).reshape(-1, 2)
    return decide(
        join(histories),
        Moments(
            tuple(copies[id(one.history)] for one in situations),
            np.array([one.as_of for one in situations], dtype=np.int64),
            first.stops,
        ),
        playbook=first.playbook,
        features=first.features,
        scorer=_WorthMore(first.scorer, more[:, 0].astype(np.int64), more[:, 1])
        if more.any()
        else first.scorer,
        seed=first.seed,
        prices=first.prices,
    )


def _of_account(history: History, account_id: str, name: str) -> History:
    """The facts of one account, under another name."""
    return History({
        table: frame.filter(pl.col("account_id") == account_id).with_columns(
            pl.lit(name, pl.String).alias("account_id")
        )
        for table, frame in history.frames.items()
    })  # fmt: skip


@dataclass(frozen=True)
class Change:
    """One change that makes another treatment go first.

    Attributes:
        code: Its kind; names its sentence.
        facts: What is changed to what; JSON values only.
        distance_days: How far away it is.
        first: The treatment that goes first then.
    """

    code: str
    facts: Mapping[str, str | float | int | None]
    distance_days: float
    first: str


@dataclass(frozen=True)
class Turning:
    """What would change the first choice of one account.

    Attributes:
        first: What goes first as things stand (exploration apart).
        changes: The nearest change of each kind, nearest first; empty = nothing within reach.
        tried: How many changes were tried.
    """

    first: str
    changes: tuple[Change, ...]
    tried: int


@dataclass(frozen=True)
class Trial:
    """A change before it is known what it does."""

    facts: Quoted
    distance_days: float
    situation: Situation


Tries = Callable[[Situation, Decisions], Iterator[Trial]]
CHANGE_KINDS: dict[str, Tries] = {}


def change_kind(code: str) -> Callable[[Tries], Tries]:
    """Register a function that gives the trials of one kind of change."""

    def register(tries: Tries) -> Tries:
        CHANGE_KINDS[code] = tries
        return tries

    return register


def what_would_change(situation: Situation, *, among: frozenset[str] | None = None) -> Turning:
    """The nearest single changes after which another treatment goes first; each is verified by deciding.

    Args:
        situation: The account as things stand.
        among: Treatments that may go first then; None = any other than now.

    Raises:
        EngineError: As `decide` does.
    """
    decisions = situation.decided()
    first = decisions.treatments[int(decisions.ranking.greedy[0])]
    wanted = (frozenset(decisions.treatments) if among is None else among) - {first}
    trials = [(code, t) for code, tries in CHANGE_KINDS.items() for t in tries(situation, decisions)]
    nearest: dict[str, Change] = {}
    for (code, trial), then in zip(trials, _firsts([t.situation for _, t in trials]), strict=True):
        known = nearest.get(code)
        if then in wanted and (known is None or trial.distance_days < known.distance_days):
            nearest[code] = Change(code, trial.facts, trial.distance_days, then)
    changes = sorted(nearest.values(), key=lambda change: change.distance_days)
    return Turning(first, tuple(changes), len(trials))


def _firsts(situations: Sequence[Situation]) -> list[str]:
    """What goes first in each, decided together where they share a playbook."""
    found = [""] * len(situations)
    by_playbook: dict[int, list[int]] = {}
    for place, one in enumerate(situations):
        by_playbook.setdefault(id(one.playbook), []).append(place)
    for places in by_playbook.values():
        decisions = decide_each([situations[place] for place in places])
        for place, first in zip(places, decisions.ranking.greedy, strict=True):
            found[place] = decisions.treatments[int(first)]
    return found


# -- kinds of changes -------------------------------------------------------------------------------


@change_kind("change_days")
def days_passing(now: Situation, _: Decisions) -> Iterator[Trial]:
    """Time passes and nothing new is known."""
    for days in DAYS_AHEAD:
        yield Trial({"days": days}, float(days), replace(now, as_of=now.as_of + days * DAY_MICROS))


@change_kind("change_interest")
def interest(now: Situation, _: Decisions) -> Iterator[Trial]:
    """The account looks up a topic, or turns to us about it."""
    channels = [c.id for c in now.playbook.channels if not c.outbound][:1]
    channels += [c.id for c in now.playbook.channels if c.outbound and not c.automated][:1]
    fact = {"touchpoint_id": "what-if", "occurred_at": now.as_of, "direction": "inbound", "status": "done"}
    for topic in now.playbook.topics:
        for channel in channels:
            asked: Quoted = {"topic": topic.id, "channel": channel}
            yield Trial(asked, INTEREST_DAYS, now.knowing("touchpoints", **fact, **asked))


@change_kind("change_response")
def response(now: Situation, decisions: Decisions) -> Iterator[Trial]:
    """The last contact on a channel is answered."""
    done = now.history["touchpoints"].filter(
        (pl.col("account_id") == now.account_id)
        & (pl.col("direction") == "outbound")
        & (pl.col("status") == "done")
        & (pl.col("occurred_at") < pl.lit(now.as_of).cast(TIME))
    )
    for channel in now.playbook.channels:
        own = done.filter(pl.col("channel") == channel.id).sort("occurred_at", "touchpoint_id")
        if channel.outbound and len(own):
            last = own["touchpoint_id"][-1]
            then = now.knowing("responses", touchpoint_id=last, responded_at=now.as_of, response="replied")
            yield Trial({"channel": channel.id}, RESPONSE_DAYS, then)


def _permissions(now: Situation, decisions: Decisions, status: str, than: float) -> Iterator[Trial]:
    """A permission given or withdrawn where that is something new."""
    for place, channel in enumerate(decisions.features.set.channels):
        for column, purpose in enumerate(("marketing", "service")):
            used = any(t.channel == channel and t.purpose == purpose for t in now.playbook.treatments)
            if used and float(decisions.features.consent[0, place, column]) != than:
                then = now.knowing("preferences", channel=channel, purpose=purpose, kind="permission",
                                   status=status, since=now.as_of)  # fmt: skip
                yield Trial({"channel": channel, "purpose": purpose}, PERMISSION_DAYS, then)


@change_kind("change_permission")
def permission(now: Situation, decisions: Decisions) -> Iterator[Trial]:
    """The account permits a channel."""
    yield from _permissions(now, decisions, "opt_in", 1.0)


@change_kind("change_optout")
def optout(now: Situation, decisions: Decisions) -> Iterator[Trial]:
    """The account wants no more of a channel."""
    yield from _permissions(now, decisions, "opt_out", -1.0)


@change_kind("change_limit")
def limit(now: Situation, decisions: Decisions) -> Iterator[Trial]:
    """One contact fewer had counted against a full limit."""
    limits = now.playbook.contact_limits
    for place, one in enumerate(limits):
        if float(decisions.features.limits[0, place]) >= one.count:
            wider = tuple(replace(x, count=x.count + 1) if x.id == one.id else x for x in limits)
            facts: Quoted = {"channel": one.channel, "count": int(decisions.features.limits[0, place]),
                             "limit": one.count, "days": one.days}  # fmt: skip
            then = replace(now, playbook=replace(now.playbook, contact_limits=wider))
            yield Trial(facts, one.days / max(one.count, 1), then)


@change_kind("change_approval")
def approval(now: Situation, _: Decisions) -> Iterator[Trial]:
    """A text whose approval has run out is approved again."""
    own = now.playbook.treatments
    for treatment in own:
        if treatment.approved_until is not None and treatment.approved_until <= now.as_of:
            renewed = tuple(replace(t, approved_until=None) if t.id == treatment.id else t for t in own)
            then = replace(now, playbook=replace(now.playbook, treatments=renewed))
            yield Trial({"approval": treatment.approval, "treatment": treatment.id}, APPROVAL_DAYS, then)


@change_kind("change_executor")
def executor(now: Situation, decisions: Decisions) -> Iterator[Trial]:
    """Somebody serves the account in a role that nobody has."""
    for place, role in enumerate(now.playbook.roles):
        if not role.system and float(decisions.features.has_role[0, place]) != 1.0:
            then = now.knowing("account_team", role=role.id, user_id="somebody")
            yield Trial({"role": role.id}, EXECUTOR_DAYS, then)


@change_kind("change_attribute")
def attribute(now: Situation, decisions: Decisions) -> Iterator[Trial]:
    """Another value of a column of accounts that the playbook declares: another of its levels, or a number
    beyond a split of the release."""
    rows = now.history["accounts"].filter(
        (pl.col("account_id") == now.account_id) & pl.col("superseded_at").is_null()
    )
    known = rows.row(-1, named=True) if len(rows) else {}
    for one in now.playbook.attributes:
        value = known.get(one.name)
        values: list[tuple[str | float, float]] = [(v, STRETCH_DAYS) for v in one.levels or () if v != value]
        if isinstance(value, int | float) and not isinstance(value, bool) and one.name not in _COORDINATES:
            values = [(v, STRETCH_DAYS * _stretch(v, value)) for v in _numbers(now, one.name, value)]
        for other, distance in values if one.name in known else ():
            content = known | {one.name: other, "stored_at": now.as_of, "deleted": False}
            then = now.knowing("accounts", **{n: v for n, v in content.items() if n != "superseded_at"})
            yield Trial({"attribute": one.name, "value": other, "now": value}, distance, then)


_COORDINATES = frozenset({"latitude", "longitude"})


def _numbers(now: Situation, name: str, value: float) -> list[float]:
    """Values beyond the nearest splits of the release on each side, and stated steps; whole if it is."""
    found = {value * step for step in STEPS}
    if isinstance(now.scorer, LearnedScorer):
        splits = np.unique(now.scorer.splits(name))
        found |= {math.floor(float(split)) + 1.0 for split in splits[splits >= value][:SPLITS]}
        found |= {math.floor(float(split)) * 1.0 for split in splits[splits < value][-SPLITS:]}
    whole = float(value).is_integer()
    return sorted({float(round(v)) if whole else v for v in found} - {float(value)})


def _stretch(to: float, value: float) -> float:
    return abs(to - value) / max(abs(value), 1e-9)


@change_kind("change_value")
def value(now: Situation, decisions: Decisions) -> Iterator[Trial]:
    """A treatment is worth so much more that it goes first; the amount is what it lacks."""
    priority, first = decisions.priority, int(decisions.ranking.greedy[0])
    if now.playbook.priority == "leaders":
        return
    best = float(priority.ranked[0, first])
    size = max(abs(float(priority.caused[0, first])), 1.0)
    for place in np.flatnonzero(decisions.objections.eligible[0]):
        factor = float(priority.followed[0, place] * priority.lever[0, place] * priority.weight[0, place])
        if place in (0, first) or factor <= 0.0:
            continue
        amount = math.floor((best - float(priority.ranked[0, place])) / factor * 100.0 + 1.0) / 100.0
        facts: Quoted = {"treatment": decisions.treatments[place], "amount": amount}
        yield Trial(facts, STRETCH_DAYS * amount / size, replace(now, more=(int(place), amount)))


@dataclass(frozen=True)
class _WorthMore:
    """A scorer by which at each moment one treatment is worth an amount more; both of shape (n,)."""

    scorer: Scorer
    treatment: Ints
    amount: Floats

    @property
    def release(self) -> str:
        return self.scorer.release

    def score(self, features: Features) -> Scores:
        scores, rows = self.scorer.score(features), np.arange(len(self.treatment))
        value = scores.value.copy()
        value[rows, self.treatment] = value[rows, self.treatment] + self.amount
        return replace(scores, value=value)

    def contributions(self, features: Features, moments: Ints, treatment: int) -> Contributions:
        found = self.scorer.contributions(features, moments, treatment)
        more = np.where(self.treatment[moments] == treatment, self.amount[moments], 0.0)
        return Contributions(found.constant + more, found.features)

    def response_contributions(self, features: Features, moments: Ints, treatment: int) -> Contributions:
        return self.scorer.response_contributions(features, moments, treatment)
