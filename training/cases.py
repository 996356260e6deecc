"""The table to learn from: what was known at each occasion, what was done, and what followed.

Features come from `engine.features.features_as_of` and from nowhere else (law 2), bucket by bucket. What
followed is counted from a logged decision, or, of a landmark, from the contact and moments like it: outcomes
in [counted_from, counted_from + horizon).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
import polars as pl

from data.history import Snapshot
from data.own_decisions import OWN_POLICY
from data.progress import Progress, quiet
from data.rewards import rewards
from data.spark import Spark
from engine.conditions import near
from engine.contract import Status
from engine.features import Features, FeatureSet, features_as_of
from engine.playbook import Playbook
from engine.policies import object_to
from engine.records import DAY_MICROS, NO_CONTACT, Bools, Floats, History, Ints, Micros, Moments
from training.consequences import responses
from training.errors import RefusedColumnError, TooFewCasesError
from training.following import followed
from training.occasions import LandmarkSettings, decided, known, landmarks
from training.persons import Names, served_by
from training.room import check_room, size_of
from training.spark_cases import parts_on_spark

_COLUMNS = (
    "action", "probability", "eligible", "options", "person", "reward", "within", "arrived", "responded",
    "matured", "followed", "dismissed",
)  # fmt: skip
"""Of `Cases`: what has a row per occasion."""
OWN_ENOUGH = 500
"""Mature decisions of the engine's own with a contact, from which on they are learned from."""
OWN_WAITING = f"decided by the engine itself, of which fewer than {OWN_ENOUGH} with a contact are mature"
PARTS = 12
"""Of the longest window, where what has arrived is counted apart."""
_SHARED = frozenset({"set", "treatment", "places"})


@dataclass(frozen=True)
class Cases:
    """Occasions with what was known, done and what followed; n rows, T treatments of the playbook.

    Attributes:
        playbook: Under which treatments are numbered.
        features: What was known at each occasion, without the parts that only policies read.
        action: Index of the treatment that followed; shape (n,).
        probability: With which it was chosen; NaN where that was not logged; shape (n,).
        eligible: What could have been chosen, as logged or else by the playbook's policies; what was chosen
            against these is not, or a policy would know from it what was chosen; shape (n, T).
        options: How many treatments the logged list of what could have been chosen names; 0 = there is no
            list; shape (n,).
        person: Who serves the account (`training.persons`), as text; shape (n,).
        reward: Worth of the outcomes within the general horizon, in currency, costs not deducted; shape (n,).
            `training.horizons.on_one_clock` puts horizons by issue in its place.
        within: Worth of the outcomes within each of `windows`; shape (n, W).
        arrived: Where immature cases are weighted, worth of the outcomes within each of `knots`; shape
            (n, K); else K = 0.
        responded: Whether the treatment had a positive response within the horizon; shape (n,).
        matured: Whether the longest window was known when the cases were made, whatever was chosen: recent
            cases of quick treatments alone would be compared with no contact of other weeks; shape (n,).
        followed: Whether what was chosen was carried out: 1, 0, or NaN where nobody said.
            For learning P(followed) (`training.advice`); shape (n,).
        dismissed: Why it was not, a reason of `DISMISS_REASONS`; "" = it was not dismissed; shape (n,).
        knots: Days at which `arrived` is counted, ascending, each of `windows` among them.
        windows: Days of the general horizon, then those of issues that have another.
        basis: Where the occasions come from.
        left_out: Why occasions are missing -> how many.
        known_from: When the first fact of the history occurred, microseconds UTC.
        known_until: Newest moment of which outcomes are known, microseconds UTC.
        memory: What learners of these cases share; not that of others made from them.
    """

    playbook: Playbook
    features: Features
    action: Ints
    probability: Floats
    eligible: Bools
    options: Ints
    person: Names
    reward: Floats
    within: Floats
    arrived: Floats
    responded: Bools
    matured: Bools
    followed: Floats
    dismissed: Names
    knots: tuple[float, ...]
    windows: tuple[float, ...]
    basis: str
    left_out: Mapping[str, int]
    known_from: int
    known_until: int
    memory: dict[str, Any] = field(default_factory=dict, init=False, compare=False, repr=False)

    def __len__(self) -> int:
        return len(self.action)

    @property
    def horizon_days(self) -> float:
        """The general horizon."""
        return self.windows[0]

    @property
    def window_days(self) -> float:
        """The longest window: when all that is counted of a case is known."""
        return max(self.windows)

    @property
    def account_ids(self) -> tuple[str, ...]:
        """Whose case each row is."""
        return self.features.moments.account_ids

    @property
    def as_of(self) -> Micros:
        """When each row's occasion was; shape (n,)."""
        return self.features.moments.as_of

    @property
    def treatments(self) -> tuple[str, ...]:
        """Ids of the playbook's treatments, in its order."""
        return tuple(treatment.id for treatment in self.playbook.treatments)

    @property
    def cost(self) -> Floats:
        """Of carrying out each treatment, in currency; shape (T,)."""
        return np.array([treatment.cost for treatment in self.playbook.treatments])

    @property
    def counts(self) -> Ints:
        """How many cases each treatment has; shape (T,)."""
        return np.bincount(self.action, minlength=len(self.treatments))

    def over(self, at: int) -> Bools:
        """Whose windows were over at a moment, microseconds UTC; shape (n,). That of a landmark begins with
        the contact, which may come at the end of its grace window."""
        grace = LandmarkSettings().grace_days if self.basis == "landmarks" else 0.0
        ended: Bools = self.as_of + int((self.window_days + grace) * DAY_MICROS) <= at
        return ended

    def take(self, rows: Bools | Ints) -> Cases:
        """Some of the rows."""
        changed = {name: getattr(self, name)[rows] for name in _COLUMNS}
        return replace(self, features=take(self.features, rows), **changed)

    def overlap(self) -> float:
        """Share of cases whose outcome window begins before that of the account's earlier case has ended."""
        frame = pl.DataFrame({"account": self.account_ids, "as_of": self.as_of}).sort("account", "as_of")
        gap = frame.select(pl.col("as_of").diff().over("account"))["as_of"]
        overlapping = (gap < int(self.window_days * DAY_MICROS)).fill_null(value=False)
        return int(overlapping.sum()) / max(len(self), 1)

    def frame(self) -> pl.DataFrame:
        """The cases as one table, for those who want a model of their own."""
        rows = self.features.row_matrix(self.action)
        known_columns = {
            "account_id": self.account_ids,
            "as_of": pl.Series(self.as_of).cast(pl.Datetime("us", "UTC")),
            "treatment": [self.treatments[index] for index in self.action],
            "probability": pl.Series(self.probability).fill_nan(None),
            "eligible": ["|".join(np.array(self.treatments)[row]) for row in self.eligible],
            "reward": self.reward,
            **{
                f"reward_{days:g}d": self.within[:, place] for place, days in enumerate(self.windows) if place
            },
            "cost": self.cost[self.action],
            "responded": self.responded,
            "matured": self.matured,
            "followed": pl.Series(self.followed).fill_nan(None).cast(pl.Boolean),
            "dismissed": self.dismissed,
        }
        return pl.DataFrame(known_columns | dict(_named_columns(self.features.set, rows)))


def _named_columns(features: FeatureSet, rows: Floats) -> list[tuple[str, pl.Series]]:
    named = []
    for column, name in enumerate(features.names):
        values = pl.Series(rows[:, column]).fill_nan(None)
        levels = features.levels.get(name)
        if levels is not None:
            codes = values.cast(pl.Int64)
            texts = pl.Series(levels, dtype=pl.String)
            values = texts.gather(codes.set(codes < 0, None)) if len(texts) else pl.Series([None] * len(rows))
        named.append((f"feature:{name}", values))
    return named


def take(features: Features, rows: Bools | Ints) -> Features:
    """Some of the rows of features."""
    ids = np.array(features.moments.account_ids, dtype=object)
    moments = Moments(tuple(ids[rows]), features.moments.as_of[rows])
    names = [column.name for column in fields(Features) if column.name not in _SHARED | {"moments"}]
    return replace(features, moments=moments, **{name: getattr(features, name)[rows] for name in names})


def lean(features: Features) -> Features:
    """Features without the parts that only policies read, which at many cases are much of the memory."""
    return replace(features, gates=np.empty((len(features.moments), 0)))


def stack(parts: Sequence[Features]) -> Features:
    """Features of different occasions, one below the other; at least one part."""
    moments = Moments(
        tuple(account for part in parts for account in part.moments.account_ids),
        np.concatenate([part.moments.as_of for part in parts]),
    )
    names = [column.name for column in fields(Features) if column.name not in _SHARED | {"moments"}]
    columns: dict[str, Any] = {
        name: np.concatenate([getattr(part, name) for part in parts]) for name in names
    }
    return replace(parts[0], moments=moments, **columns)


def build_cases(
    snapshot: Snapshot,
    playbook: Playbook,
    *,
    at: int | None = None,
    landmark: LandmarkSettings | None = None,
    spark: Spark | None = None,
    progress: Progress = quiet,
) -> Cases:
    """All cases of the history as it was known at a time.

    Logged decisions where there are any, else landmarks; the engine's own decisions once `OWN_ENOUGH` of them
    with a contact are mature, so that a history of years is not given up for the first nights. Left out and
    counted: treatments that the playbook does not have, contacts that name none, occasions before anything
    was known of anybody.

    Args:
        snapshot: The history.
        playbook: Treatments, worth of outcomes, horizon, policies.
        at: When the training takes place, microseconds UTC; None = just after the newest row stored.
        landmark: How landmarks are laid.
        spark: What works on the buckets; None = this process.
        progress: Called with (stage, done, of).

    Raises:
        TooFewCasesError: There is neither a decision nor a touchpoint to learn from.
        RefusedColumnError: The playbook refuses a column that accounts do not have.
        TooManyCasesError: There is no memory for all of them.
    """
    check_refused(playbook, [attribute.name for attribute in snapshot.attributes])
    at = known_at(snapshot, at)
    span = _span(snapshot, playbook, at)
    features = FeatureSet.of(playbook, snapshot.attributes)
    builder = _Builder(playbook, features, span, at, landmark or LandmarkSettings())
    parts, held = [], 0
    for done, part in enumerate(_parts(builder, snapshot, spark)):
        progress("cases", done, snapshot.buckets)
        if part is not None:
            parts.append(part)
            held += size_of(part.features)
            check_room(sum(map(len, parts)), held, min(1.0, (done + 1) / snapshot.buckets))
    progress("cases", snapshot.buckets, snapshot.buckets)
    if not parts:
        reasons = "; ".join(f"{count:,} {reason}" for reason, count in builder.left_out.items() if count)
        raise TooFewCasesError(
            "There is no case to learn from" + (f" (left out: {reasons})" if reasons else "") + ": load "
            "touchpoints or decisions, and outcomes, for the treatments of the playbook."
        )
    return _joined(parts, builder.left_out)


def _parts(builder: _Builder, snapshot: Snapshot, spark: Spark | None) -> Iterator[Cases | None]:
    """Bucket after bucket; what is left out is counted in the builder."""
    if spark is None:
        for bucket, history in snapshot.histories():
            yield builder.of_bucket(history, snapshot.account_ids(bucket))
        return
    for part, left_out in parts_on_spark(spark, builder, snapshot):
        builder.left_out += left_out
        yield part


def check_refused(playbook: Playbook, columns: Sequence[str]) -> None:
    """A refused name that is not there would let the column through. Raises RefusedColumnError."""
    for name in playbook.refused:
        if name not in columns:
            known = ", ".join(columns) or "none"
            raise RefusedColumnError(
                f"learning.refuse: accounts have no column {name!r}{near(name, columns) or '.'} "
                f"Known: {known}."
            )


def known_at(snapshot: Snapshot, at: int | None) -> int:
    """When the training takes place: as said, or just after the newest row was stored; microseconds UTC."""
    return max(snapshot.newest.values(), default=0) + 1 if at is None else at


@dataclass(frozen=True)
class _Span:
    """From when to when the history speaks, microseconds UTC; whether its decisions are learned from, and if
    not, how many of the engine's own wait."""

    first: int
    outcomes_until: int
    logged: bool
    waiting: int


def _span(snapshot: Snapshot, playbook: Playbook, at: int) -> _Span:
    """When the first fact occurred, until when outcomes are known, whether there are decisions to use."""
    first: list[int] = []
    last: list[int] = []
    logged, own, suggested_at = False, 0, []
    for bucket in range(snapshot.buckets):
        history = snapshot.read(bucket, ("outcomes", "touchpoints", "decisions"))
        outcomes = _times(known(history, "outcomes", at), at)
        touchpoints = known(history, "touchpoints", at).filter(pl.col("status") == Status.DONE)
        contacts = _times(touchpoints, at)
        first += [int(times.min()) for times in (outcomes, contacts) if len(times)]
        last += [int(outcomes.max())] if len(outcomes) else []
        decisions = known(history, "decisions", at)
        ours = decisions.filter(pl.col("policy") == OWN_POLICY)
        logged, own = logged or ours.height < decisions.height, own + ours.height
        suggested = ours.filter(pl.col("treatment") != NO_CONTACT)
        suggested_at.append(suggested["decided_at"].to_physical().to_numpy())
    until = max(last, default=0)
    window = int(max(windows_of(playbook)) * DAY_MICROS)
    logged = logged or int((np.concatenate(suggested_at) + window <= until).sum()) >= OWN_ENOUGH
    return _Span(min(first, default=0), until, logged, 0 if logged else own)


def _times(rows: pl.DataFrame, at: int) -> Micros:
    """When they occurred; a date that lies ahead is a slip and does not say how far the data reach."""
    times = rows["occurred_at"].to_physical().to_numpy()
    return times[times < at]


class _Builder:
    """Makes the cases of one bucket after the other and counts what it leaves out."""

    def __init__(
        self, playbook: Playbook, features: FeatureSet, span: _Span, at: int, landmark: LandmarkSettings
    ) -> None:
        self.playbook, self.features, self.span, self.at = playbook, features, span, at
        self.landmark = landmark
        self.index = {treatment.id: place for place, treatment in enumerate(playbook.treatments)}
        self.windows = windows_of(playbook)
        self.knots = knots_of(self.windows) if playbook.immature == "weight" else ()
        self.horizon = int(self.windows[0] * DAY_MICROS)
        self.left_out: Counter[str] = Counter({OWN_WAITING: span.waiting})

    def of_bucket(self, history: History, account_ids: tuple[str, ...]) -> Cases | None:
        """The cases of a bucket's accounts; None = there are none."""
        occasions = self._usable(self._occasions(history, account_ids), account_ids)
        if occasions.is_empty():
            return None
        moments = Moments(tuple(occasions["account_id"]), occasions["as_of"].to_numpy())
        everything = features_as_of(history, moments, playbook=self.playbook, features=self.features)
        action = occasions["treatment"].replace_strict(self.index, return_dtype=pl.Int64).to_numpy()
        within, arrived = (self._worth(history, occasions, days) for days in (self.windows, self.knots))
        carried_out, dismissed = followed(history, occasions, at=self.at, horizon=self.horizon)
        return Cases(
            playbook=self.playbook,
            features=lean(everything),
            action=action,
            probability=occasions["probability"].fill_null(float("nan")).to_numpy(),
            eligible=self._eligible(occasions["eligible"], everything),
            options=_options(occasions),
            person=served_by(history, occasions, self.playbook, at=self.at),
            reward=within[:, 0],
            within=within,
            arrived=arrived,
            responded=responses(history, occasions, at=self.at, horizon=self.horizon),
            matured=moments.as_of + self._until_known <= self.span.outcomes_until,
            followed=carried_out,
            dismissed=dismissed,
            knots=self.knots,
            windows=self.windows,
            basis="decisions" if self.span.logged else "landmarks",
            left_out={},
            known_from=self.span.first,
            known_until=self.span.outcomes_until,
        )

    def _worth(self, history: History, occasions: pl.DataFrame, days: tuple[float, ...]) -> Floats:
        """Of the outcomes within each number of days; shape (n, len(days))."""
        occasions = occasions.with_columns(as_of="counted_from")
        found = np.empty((occasions.height, len(days)))
        for place, each in enumerate(days):
            horizon = int(each * DAY_MICROS)
            found[:, place] = rewards(history, occasions, self.playbook, at=self.at, horizon=horizon)
        return found

    @property
    def _until_known(self) -> int:
        """From an occasion until all that counts of it is known, whatever was done; microseconds."""
        grace = 0.0 if self.span.logged else self.landmark.grace_days
        return int((max(self.windows) + grace) * DAY_MICROS)

    def _occasions(self, history: History, account_ids: tuple[str, ...]) -> pl.DataFrame:
        if self.span.logged:
            return decided(history, self.at)
        period = int(self.landmark.period_days * DAY_MICROS)
        start, until = self.span.first + period, self.span.outcomes_until
        reports = tuple(topic.id for topic in self.playbook.topics if topic.safety)
        return landmarks(history, account_ids, start=start, until=until, at=self.at, settings=self.landmark,
                         reports=reports)  # fmt: skip

    def _usable(self, occasions: pl.DataFrame, account_ids: tuple[str, ...]) -> pl.DataFrame:
        reasons = (
            ("of an account that is gone", ~pl.col("account_id").is_in(list(account_ids))),
            ("the contact names no treatment", pl.col("treatment").is_null()),
            ("before anything was known of anybody", pl.col("as_of") <= self.span.first),
            ("after the time of training", pl.col("as_of") >= self.at),
        )
        for reason, wrong in reasons:
            self.left_out[reason] += occasions.filter(wrong).height
            occasions = occasions.filter(~wrong)
        strangers = occasions.filter(~pl.col("treatment").is_in(list(self.index)))
        for treatment, count in strangers.group_by("treatment").len().iter_rows():
            self.left_out[f"treatment {treatment!r} is not in the playbook"] += count
        return occasions.filter(pl.col("treatment").is_in(list(self.index))).sort("account_id", "as_of")

    def _eligible(self, logged: pl.Series, features: Features) -> Bools:
        lists = logged.to_list()
        allowed = object_to(features, self.playbook).eligible.copy() if None in lists else None
        masks = {text: self._mask(text) for text in set(lists) if text is not None}
        rows = [masks[text] if text is not None else allowed[i] for i, text in enumerate(lists)]  # type: ignore[index]
        eligible = np.array(rows, dtype=np.bool_).reshape(len(lists), len(self.index))
        eligible[:, 0] = True
        return eligible

    def _mask(self, text: str) -> Bools:
        named = [part.strip() for part in text.split("|")]
        mask = np.zeros(len(self.index), dtype=np.bool_)
        mask[[self.index[name] for name in named if name in self.index]] = True
        return mask


def windows_of(playbook: Playbook) -> tuple[float, ...]:
    """Days of the general horizon, then of those that contacts of other issues have, shortest first."""
    general = playbook.horizon("")
    own = {playbook.horizon(t.issue) for t in playbook.treatments if t.kind == "contact"}
    return (general, *sorted(own - {general}))


def knots_of(windows: tuple[float, ...]) -> tuple[float, ...]:
    """Days at which what has arrived is counted: twelfths of the longest window, and every window."""
    steps = np.linspace(0.0, max(windows), PARTS + 1)[1:]
    return tuple(sorted({*steps.tolist(), *windows}))


def _options(occasions: pl.DataFrame) -> Ints:
    """How many treatments each logged list names, the chosen one included; 0 = no list; shape (n,)."""
    names = pl.col("eligible").str.split("|").list.eval(pl.element().str.strip_chars())
    named = pl.concat_list(names, "treatment").list.unique().list.len()
    return occasions.select(named.fill_null(0).cast(pl.Int64))["eligible"].to_numpy()


def _joined(parts: Sequence[Cases], left_out: Counter[str]) -> Cases:
    stacked: dict[str, Any] = {
        name: np.concatenate([getattr(part, name) for part in parts]) for name in _COLUMNS
    }
    reasons = {reason: count for reason, count in sorted(left_out.items()) if count}
    return replace(parts[0], features=stack([part.features for part in parts]), left_out=reasons, **stacked)
