"""From what is known at one moment to the suggestions for that moment.

`decide` is the only way to a suggestion: the nightly run calls it with many accounts, a live event
with one, a replay with past ones. It reads no clock, file, database or global random state: the
same arguments give the same suggestions, and n accounts together give the same as n calls.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from engine.arbitration import (
    LEFT_OUT,
    Ranking,
    left_out,
    placed_at,
    rank,
    shares,
    together,
)
from engine.contract import TIME
from engine.experiments import ARMS, PROPENSITY
from engine.features import Features, FeatureSet, features_as_of
from engine.playbook import Playbook
from engine.policies import STAGES, Objections, object_to
from engine.priority import Priority, prioritise
from engine.records import DAY_MICROS, FEW, Bools, EngineError, Floats, History, Ints, Moments, kept_with
from engine.scoring import LearnedScorer, Scorer, Scores
from engine.shadow_prices import ShadowPrices, charges, due_worth
from engine.stopping import StopWorth


@dataclass(frozen=True)
class Decisions:
    """One decision per moment, with all that is needed to explain and recompute it."""

    moments: Moments
    playbook: str
    release: str
    seed: int
    treatments: tuple[str, ...]
    features: Features
    objections: Objections
    scores: Scores
    priority: Priority
    ranking: Ranking
    scorer: Scorer

    @cached_property
    def explained(self) -> dict[tuple[int, bool], object]:
        """What explanations have worked out for all lists that a treatment stands on, kept for the next."""
        return {}

    def stop_worth(self, treatment: int) -> StopWorth | None:
        """What the worth of a stop is made of, for all moments; None = the scorer has not learned it."""
        if treatment not in self._stops:
            scorer = self.scorer
            found = None
            if isinstance(scorer, LearnedScorer):
                found = scorer.stop_worth(self.features, self.scores, treatment)
            self._stops[treatment] = found
        return self._stops[treatment]

    @cached_property
    def _stops(self) -> dict[int, StopWorth | None]:
        return {}

    def funnel(self) -> pl.DataFrame:
        """Where candidates drop: columns stage, rule, removed, remaining.

        The first row counts the candidates (all pairs, "none" included); each rule removes the pairs that
        it is the first to remove; the rows of stage "arbitration" say why what was eligible has no place.
        What remains in the last row is placed ("none" on the lists that leave the account alone).
        """
        first = self.objections.first_rule
        priority = self.priority
        left = left_out(
            priority.ranked,
            self.objections.eligible,
            self.ranking,
            priority.held,
            priority.charge,
            unproven=priority.unproven,
        )
        rules = self.objections.rules
        removed = [(rule.stage, rule.id, _count(first == i)) for i, rule in enumerate(rules)]
        removed += [("arbitration", code, _count(left == i)) for i, code in enumerate(LEFT_OUT)]
        rows = [("candidates", "", 0), *removed]
        frame = pl.DataFrame(
            rows, schema={"stage": pl.String, "rule": pl.String, "removed": pl.Int64}, orient="row"
        )
        return frame.with_columns((first.size - pl.col("removed").cum_sum()).alias("remaining"))

    def record(self) -> pl.DataFrame:
        """The full record, a row per (moment, treatment): what is stored of the night, to recompute it.

        Columns: account_id, decided_at, treatment, place (null = none), probability (of place 1), explored,
        stage (the first that removed it, null = none) and rules (all that object, separated by |), value,
        response, optout, followed, comparable, caused, cost, fatigue, weight, lever, priority, target,
        uncertainty (of caused), due and charge (what the ranking adds and takes off), room (what each limit
        of the playbook, then each limit on repeating, still allowed, separated by commas), playbook, release,
        seed, arm (of the standing test; null = outside of it). Floats are exact.
        """
        return pl.DataFrame({name: column.series() for name, column in self._record(slice(None))})

    def record_of(self, moment: int) -> dict[str, list[str | float | None]]:
        """The full record of one moment as JSON values: column -> values, times as microseconds UTC."""
        return {name: column.values() for name, column in self._record(slice(moment, moment + 1))}

    def _record(self, moments: slice) -> Iterator[tuple[str, _Column]]:
        """The columns of `record`, of some moments."""
        ranking, scores, priority = self.ranking, self.scores, self.priority
        as_of, treatments = self.moments.as_of[moments], len(self.treatments)
        place = placed_at(ranking, treatments)[moments].ravel()
        stage = self.objections.first_stage[moments].ravel()
        each, of_each = (
            np.tile(np.arange(treatments), len(as_of)),
            np.repeat(np.arange(len(as_of)), treatments),
        )
        once = np.zeros(len(each), dtype=np.int64)
        rules, rule = _rules(self.objections, moments)
        floats = {
            "value": scores.value, "response": scores.response, "optout": scores.optout,
            "followed": scores.followed, "caused": priority.caused, "cost": priority.cost,
            "fatigue": priority.fatigue, "weight": priority.weight, "lever": priority.lever,
            "priority": priority.priority, "target": ranking.target, "uncertainty": scores.uncertainty,
            "due": _or_zero(priority.due, priority.priority),
            "charge": _or_zero(priority.charge, priority.priority),
        }  # fmt: skip
        yield "account_id", _Named(self.moments.account_ids[moments], of_each)
        yield "decided_at", _Plain(as_of[of_each], TIME)
        yield "treatment", _Named(self.treatments, each)
        yield "place", _Named((None, *range(1, int(place.max(initial=0)) + 1)), place, pl.Int64())
        yield "probability", _Plain(ranking.probability[moments][of_each])
        yield "explored", _Plain(ranking.explored[moments][of_each])
        yield "stage", _Named((*STAGES, None), np.where(stage < 0, len(STAGES), stage))
        yield "rules", _Named(rules, rule)
        yield "comparable", _Plain(_comparable(scores)[moments].ravel())
        for name, values in floats.items():
            yield name, _Plain(np.ascontiguousarray(values[moments]).ravel())
        yield "room", _Named(_rooms(ranking.room[moments]), of_each)
        yield "playbook", _Named((self.playbook,), once)
        yield "release", _Named((self.release,), once)
        yield "seed", _Plain(np.full(len(each), self.seed, dtype=np.int64))
        yield "arm", _Named((*ARMS, None), self.features.arm[moments][of_each])


class _Plain(NamedTuple):
    """A column of numbers; as `dtype` in a frame, where that is given."""

    numbers: np.typing.NDArray[Any]
    dtype: pl.DataType | None = None

    def series(self) -> pl.Series:
        found = pl.Series(self.numbers)
        return found if self.dtype is None else found.cast(self.dtype)

    def values(self) -> list[Any]:
        found: list[Any] = self.numbers.tolist()
        return found


class _Named(NamedTuple):
    """A column of what is named[place] of each."""

    named: Sequence[str | int | None]
    place: np.typing.NDArray[np.integer]
    dtype: pl.DataType = pl.String()

    def series(self) -> pl.Series:
        """Of many rows without a Python object per row."""
        if len(self.place) <= FEW:
            return pl.Series(self.values(), dtype=self.dtype)
        return pl.Series(self.named, dtype=self.dtype).gather(self.place)

    def values(self) -> list[Any]:
        return [self.named[place] for place in self.place.tolist()]


_Column = _Plain | _Named


def decide(history: History, moments: Moments, *, playbook: Playbook, features: FeatureSet,
           scorer: Scorer, seed: int, prices: ShadowPrices | None = None) -> Decisions:  # fmt: skip
    """Decide for each account at its moment: judge all candidates, then place them.

    Args:
        history: Facts of at least these accounts.
        moments: One decision each.
        playbook: Rules and values.
        features: The features under that playbook for the store's attributes.
        scorer: A release or the starting values.
        seed: Of exploration; draws are derived from (seed, account, day), the day being that of the
            account's moment in UTC, so that a live decision draws what the night drew.
        prices: Of people's time and quotas, of the plan in use; None = none is short.

    Raises:
        EngineError: An account is asked for that the history does not have.
    """
    judged = judge(history, moments, playbook=playbook, features=features, scorer=scorer)
    return place(judged, history, playbook=playbook, seed=seed, prices=prices)


@dataclass(frozen=True)
class Judged:
    """All candidates of some moments with everything that can be said of them one by one."""

    moments: Moments
    features: Features
    objections: Objections
    scores: Scores
    priority: Priority
    scorer: Scorer


def judge(history: History, moments: Moments, *, playbook: Playbook, features: FeatureSet,
          scorer: Scorer, scores: Scores | None = None) -> Judged:  # fmt: skip
    """What speaks against each candidate and what it is worth; arguments and errors as of `decide`.

    `scores` = what the scorer said of these moments before, so that it need not be asked again.
    """
    _check_known(history, moments)
    known = features_as_of(history, moments, playbook=playbook, features=features)
    objections = object_to(known, playbook)
    if scores is None:
        scores = scorer.score(known)
    priority = prioritise(known, scores, playbook)
    if playbook.minimums:
        asked = (known.arm != PROPENSITY)[:, None]
        priority = replace(priority, due=due_worth(known, playbook, priority.priority) * asked)
    return Judged(moments, known, objections, scores, priority, scorer)


def place(judged: Judged, history: History, *, playbook: Playbook, seed: int,
          prices: ShadowPrices | None = None) -> Decisions:  # fmt: skip
    """Rank what was judged; arguments as of `decide`."""
    moments, known, priority = judged.moments, judged.features, judged.priority
    if prices is not None:
        charge = charges(history, moments, playbook, prices, priority.ranked)
        priority = replace(priority, charge=charge)
    ranking = rank(
        priority.ranked,
        judged.objections.eligible,
        moments.account_ids,
        moments.as_of // DAY_MICROS,
        treatments=known.set.treatments,
        share=shares(playbook, known.arm),
        places=playbook.places,
        seed=seed,
        together=together(known, playbook),
        uncertainty=priority.uncertainty if playbook.exploration == "thompson" else None,
        draws=playbook.posterior_draws,
    )
    return Decisions(
        moments, playbook.version, judged.scorer.release, seed, known.set.treatments, known,
        judged.objections, judged.scores, priority, ranking, judged.scorer,
    )  # fmt: skip


def _check_known(history: History, moments: Moments) -> None:
    missing = sorted(set(moments.account_ids) - _known_accounts(history))
    if missing:
        named = ", ".join(repr(account) for account in missing[:3])
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        raise EngineError(
            f"The history has no account {named}{more}: give it the rows of table accounts for all accounts "
            "that are to be decided."
        )


@kept_with
def _known_accounts(history: History) -> frozenset[str]:
    return frozenset(history["accounts"]["account_id"].to_list())


def _comparable(scores: Scores) -> Bools:
    """Whether each pair's value can be judged; shape (n, T)."""
    return np.ones(scores.value.shape, dtype=np.bool_) if scores.comparable is None else scores.comparable


def _or_zero(values: Floats | None, like: Floats) -> Floats:
    return np.zeros_like(like) if values is None else values


def _count(flags: Bools) -> int:
    return int(np.count_nonzero(flags))


def _rules(objections: Objections, moments: slice) -> tuple[tuple[str | None, ...], Ints]:
    """The ids of all rules that object, separated by |, None where none does; and which of these is each
    pair's.

    Pairs share few combinations of rules: each combination is named once.
    """
    objects = objections.objects[moments].reshape(-1, len(objections.rules))
    flags = np.packbits(objects, axis=1)
    words = np.zeros((len(flags), -(-flags.shape[1] // 4)), dtype=np.uint32)
    words.view(np.uint8)[:, : flags.shape[1]] = flags
    number = np.zeros(len(words), dtype=np.int64)
    for word in words.T:
        # Renumbered, so that the next 32 rules find room.
        number = (np.unique(number, return_inverse=True)[1].reshape(-1) << 32) | word
    _, first, index = np.unique(number, return_index=True, return_inverse=True)
    return tuple(_named(objects[pair], objections) for pair in first), index.reshape(-1)


def _rooms(room: Ints) -> tuple[str, ...]:
    return tuple(",".join(map(str, each)) for each in room.tolist())


def _named(objecting: Bools, objections: Objections) -> str | None:
    return "|".join(rule.id for rule, yes in zip(objections.rules, objecting, strict=True) if yes) or None
