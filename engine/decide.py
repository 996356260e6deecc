"""From what is known at one moment to the suggestions for that moment.

`decide` is the only way to a suggestion: the nightly run calls it with many accounts, a live event
with one, a replay with past ones. It reads no clock, file, database or global random state: the
same arguments give the same suggestions, and n accounts together give the same as n calls.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

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
from engine.conditions import FactColumn
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

    @cached_property
    def columns(self) -> dict[str, FactColumn]:
        """Facts looked up for explanations, kept: a night explains every list of its bucket."""
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
        moments, treatments = len(self.moments), len(self.treatments)
        place = placed_at(self.ranking, treatments).ravel()
        stage = self.objections.first_stage.ravel()
        floats = {
            "value": self.scores.value, "response": self.scores.response, "optout": self.scores.optout,
            "followed": self.scores.followed, "caused": self.priority.caused, "cost": self.priority.cost,
            "fatigue": self.priority.fatigue, "weight": self.priority.weight, "lever": self.priority.lever,
            "priority": self.priority.priority, "target": self.ranking.target,
            "uncertainty": self.scores.uncertainty,
            "due": _or_zero(self.priority.due, self.priority.priority),
            "charge": _or_zero(self.priority.charge, self.priority.priority),
        }  # fmt: skip
        return pl.DataFrame(
            {
                "account_id": _each(self.moments.account_ids, np.repeat(np.arange(moments), treatments)),
                "decided_at": pl.Series(np.repeat(self.moments.as_of, treatments)).cast(TIME),
                "treatment": _each(self.treatments, np.tile(np.arange(treatments), moments)),
                "place": _placed(place),
                "probability": np.repeat(self.ranking.probability, treatments),
                "explored": np.repeat(self.ranking.explored, treatments),
                "stage": _each((*STAGES, None), np.where(stage < 0, len(STAGES), stage)),
                "rules": _rules(self.objections),
                "comparable": _comparable(self.scores),
                **{name: np.ascontiguousarray(values).ravel() for name, values in floats.items()},
                "room": _each(_rooms(self.ranking), np.repeat(np.arange(moments), treatments)),
                "playbook": _each((self.playbook,), np.zeros(moments * treatments, dtype=np.int64)),
                "release": _each((self.release,), np.zeros(moments * treatments, dtype=np.int64)),
                "seed": np.full(moments * treatments, self.seed, dtype=np.int64),
                "arm": _each((*ARMS, None), np.repeat(self.features.arm, treatments)),
            }
        )


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
    """Whether each pair's value can be judged, laid flat."""
    everywhere = np.ones(scores.value.shape, dtype=np.bool_)
    flat: Bools = (everywhere if scores.comparable is None else scores.comparable).ravel()
    return flat


def _or_zero(values: Floats | None, like: Floats) -> Floats:
    return np.zeros_like(like) if values is None else values


def _count(flags: Bools) -> int:
    return int(np.count_nonzero(flags))


def _placed(place: Ints) -> pl.Series:
    """Places, null where there is none."""
    found = pl.Series(place)
    return found if place.all() else found.set(found == 0, None)


def _each(names: tuple[str | None, ...], index: np.typing.NDArray[np.integer]) -> pl.Series:
    """names[index], of many rows without a Python object per row."""
    if len(index) <= FEW:
        return pl.Series([names[place] for place in index.tolist()], dtype=pl.String)
    return pl.Series(names, dtype=pl.String).gather(index)


def _rules(objections: Objections) -> pl.Series:
    """The ids of all rules that object to each pair, separated by |; null where none does.

    Pairs share few combinations of rules: each combination is numbered and named once.
    """
    flags = objections.objects.reshape(-1, len(objections.rules))
    number = np.zeros(len(flags), dtype=np.int64)
    for start in range(0, flags.shape[1], 32):
        bits = flags[:, start : start + 32].astype(np.int64)
        for place in range(bits.shape[1]):
            number = number | (bits[:, place] << place)
        # Renumbered, so that the next 32 rules find room above.
        number = np.unique(number, return_inverse=True)[1].reshape(-1) << 32
    _, first, index = np.unique(number, return_index=True, return_inverse=True)
    return _each(tuple(_named(flags[pair], objections) for pair in first), index.reshape(-1))


def _rooms(ranking: Ranking) -> tuple[str, ...]:
    return tuple(",".join(map(str, room)) for room in ranking.room.tolist())


def _named(objecting: Bools, objections: Objections) -> str | None:
    return "|".join(rule.id for rule, yes in zip(objections.rules, objecting, strict=True) if yes) or None
