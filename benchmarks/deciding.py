"""Scoring, one decision and policies: against LightGBM on the cross product, and against DuckDB."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from typing import Any

import duckdb
import lightgbm
import numpy as np
import polars as pl

from benchmarks.harness import Comparison, compare
from benchmarks.material import AS_OF, Material, forest
from engine.decide import Decisions, decide
from engine.features import Features
from engine.forest import Forest, parse_forest
from engine.playbook import Playbook
from engine.policies import RULE_KINDS, fact_names, judging_by
from engine.programs import Truth
from engine.records import Floats, History, Moments
from engine.rules import Rule
from engine.scores import Scores, StartingScorer


def tiled(known: Features, moments: int) -> Features:
    """So many moments: the same accounts again and again."""
    rows = np.arange(moments) % len(known.moments)
    own = len(known.moments)
    groups = {
        field.name: value[rows]
        for field in fields(known)
        if isinstance(value := getattr(known, field.name), np.ndarray) and field.name != "treatment"
    }
    ids = tuple(known.moments.account_ids[row % own] for row in rows.tolist())
    return replace(known, moments=Moments.at(ids, AS_OF), **groups)


def scoring(known: Features, booster: lightgbm.Booster, said: str) -> Comparison:
    """All accounts x treatments through one forest, against LightGBM on the cross product, two threads."""
    parsed = parse_forest(booster.model_to_string())
    n, t = len(known.moments), len(known.set.treatments)

    def theirs() -> Floats:
        columns = [
            booster.predict(known.row_matrix(np.full(n, k)), raw_score=True, num_threads=2) for k in range(t)
        ]
        return np.array(columns).T

    return compare(
        f"scoring {n:,} accounts x {t} treatments, {said}", "LightGBM predict, 2 threads, every pair",
        lambda: parsed.predict_pairs(known), theirs, same=lambda a, b: bool(np.array_equal(a, b)),
    )  # fmt: skip


@dataclass(frozen=True)
class Learned(StartingScorer):
    """Starting values with the worth that a forest predicts."""

    forest: Forest

    def score(self, features: Features) -> Scores:
        return replace(super().score(features), value=self.forest.predict_pairs(features))


@dataclass(frozen=True)
class _Library(StartingScorer):
    """The same, predicted by LightGBM on the account's cross product."""

    booster: lightgbm.Booster

    def score(self, features: Features) -> Scores:
        t = len(features.set.treatments)
        rows = features.row_matrix(np.arange(t), np.zeros(t, dtype=np.int64))
        return replace(
            super().score(features), value=self.booster.predict(rows, raw_score=True, num_threads=1)[None, :]
        )


def one_account(material: Material, booster: lightgbm.Booster, *, held: bool) -> Comparison:
    """From the facts of one account to its ranked suggestions with all objections."""
    ids = material.moments.account_ids
    middle = ids[len(ids) // 2]
    own = History({t: f.filter(pl.col("account_id") == middle) for t, f in material.history.frames.items()})
    moment = Moments.at([middle], AS_OF)
    scorers = (
        Learned(material.playbook, parse_forest(booster.model_to_string())),
        _Library(material.playbook, booster),
    )

    def run(scorer: StartingScorer) -> Decisions:
        # A history made anew has not been read before.
        facts = own if held else History(own.frames)
        return decide(
            facts, moment, playbook=material.playbook, features=material.features, scorer=scorer, seed=7
        )

    def same(one: Decisions, other: Decisions) -> bool:
        return bool(
            np.array_equal(one.ranking.places, other.ranking.places)
            and np.array_equal(one.priority.priority, other.priority.priority)
        )

    facts = "facts held ready" if held else "facts just arrived"
    return compare(
        f"one account x {len(material.features.treatments)} treatments, decided, {facts}",
        "the same with LightGBM predict",
        lambda: run(scorers[0]), lambda: run(scorers[1]), same=same, times=100,
    )  # fmt: skip


def policies_of(known: Features, playbook: Playbook) -> tuple[tuple[Rule, ...], Callable[[], Truth]]:
    """The playbook's own policies alone, and what judges all pairs by them."""
    rules, program = judging_by(known.set, playbook, [RULE_KINDS["policy"]])
    return rules, lambda: known.truths(program)


def policies(material: Material, pairs: int) -> Comparison:
    """Every objection of the playbook's own policies, against DuckDB running the same texts."""
    t = len(material.features.treatments)
    known, playbook = tiled(material.known(), pairs // t), material.playbook
    places = {f"policy:{policy.id}": place for place, policy in enumerate(playbook.policies)}
    base = duckdb.connect()
    base.register("pairs", pair_facts(known, playbook).to_arrow())
    base.sql("create table facts as select * from pairs")
    conditions = ", ".join(
        f"(({applies}) is not false and ({policy.when.text}) is not true) as p{place}"
        for place, policy in enumerate(playbook.policies)
        for applies in [policy.applies.text if policy.applies else "true"]
    )
    rules, ours = policies_of(known, playbook)

    def theirs() -> dict[str, Any]:
        return base.sql(f"select {conditions} from facts").fetchnumpy()

    def same(one: Truth, other: dict[str, Any]) -> bool:
        return all(
            np.array_equal(said.ravel() > 0, other[f"p{places[own.id]}"])
            for own, said in zip(rules, one, strict=True)
        )

    return compare(
        f"{len(playbook.policies)} policies, {t * len(known.moments):,} pairs, "
        "every objection", "DuckDB, the same texts", ours, theirs, same=same,
    )  # fmt: skip


def pair_facts(known: Features, playbook: Playbook) -> pl.DataFrame:
    """The facts of every pair that policies read, under the names of the rules, a row each."""
    names = fact_names(c for policy in playbook.policies for c in (policy.when, policy.applies))
    shape, columns = (len(known.moments), len(known.set.treatments)), {}
    for name in names:
        fact = known.fact(name)
        values = np.ascontiguousarray(np.broadcast_to(fact.values, shape)).ravel()
        if fact.levels is None:
            columns[name] = pl.Series(values).fill_nan(None)
        else:
            places = np.where(values < 0, len(fact.levels), values).astype(np.int64)
            columns[name] = pl.Series((*fact.levels, None), dtype=pl.String).gather(places)
    return pl.DataFrame(columns)


def comparisons(material: Material, *, accounts: int, pairs: int) -> Iterator[Comparison]:
    """All of them, the largest first."""
    known = material.known()
    usual = forest(known, trees=300, leaves=31)
    yield scoring(tiled(known, accounts), usual, "300 trees x 31 leaves, missing values and categories")
    yield scoring(tiled(known, accounts // 4), forest(known, trees=100, leaves=255), "100 trees x 255 leaves")
    yield one_account(material, usual, held=True)
    yield one_account(material, usual, held=False)
    yield policies(material, pairs)
