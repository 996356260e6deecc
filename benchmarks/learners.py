"""What each learner's release says of all pairs, against LightGBM's predict of all the same forests.

Where a learner adds a linear score to its forests, the peer works that out with NumPy: columns that read the
account alone once, the others for each treatment, and a product with the weights. There are as many columns
of each kind as were learned from 20,000 cases of a simulated world.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

import lightgbm
import numpy as np

from benchmarks.harness import Comparison, compare
from benchmarks.material import Material, forest
from engine.features import Features
from engine.forest import parse_forest
from engine.linear import BEND, MISSING, RANGE, RANGE_OF_TWO, WIDEST, Basis
from engine.playbook import Playbook
from engine.pooling import Pool
from engine.readers import (
    EFFECT_FOREST,
    LEARNERS,
    VALUE_FOREST,
    WITHOUT_FOREST,
    Effects,
    ReleaseParts,
    read_effects,
    value_forest_of,
)
from engine.records import Bools, Floats, Ints

Boosters = dict[str, lightgbm.Booster]
COLUMNS = {BEND: 42, MISSING: 10, RANGE: 41, RANGE_OF_TWO: 88}
ABOUT_ACCOUNTS = 0.67
"""Share of the features that columns read which are about the account."""


def boosters_of(learner: str, known: Features, *, trees: int) -> Boosters:
    """The forests of a release of that learner."""
    if learner == "t_learner":
        return {
            value_forest_of(treatment): forest(known, trees=trees, leaves=31, seed=seed)
            for seed, treatment in enumerate(known.set.treatments)
        }
    return {
        name: forest(known, trees=trees, leaves=31, seed=seed)
        for seed, name in enumerate(LEARNERS[learner].forests)
    }


def parts_of(learner: str, boosters: Boosters, playbook: Playbook, known: Features) -> ReleaseParts:
    """A release of these forests, with a linear score where its learner has one."""
    treatments, names = known.set.treatments, known.set.names
    same = np.zeros(len(treatments))
    effects = read_effects(_linear(known), names, len(treatments))
    nothing = np.zeros((1, 1))
    return ReleaseParts(
        id="bench", learner=learner, treatments=treatments, feature_names=names, levels=known.set.levels,
        evidence={}, forests={name: parse_forest(b.model_to_string()) for name, b in boosters.items()},
        value=same, uplift=same, response=same, error=same, pool=Pool((), (), nothing, nothing),
        effects=effects if LEARNERS[learner].effects else None,
    )  # fmt: skip


def _linear(known: Features) -> dict[str, Floats]:
    """Columns about what is known, drawn at random; ranges end where features have their quarters."""
    draw, treatments = np.random.default_rng(7), len(known.set.treatments)
    rows = np.nan_to_num(known.row_matrix(draw.integers(0, treatments, len(known.moments))))
    kind = np.repeat(list(COLUMNS), list(COLUMNS.values()))
    own, width = len(known.set.account), rows.shape[1] - len(known.set.treatment)
    about = np.where(draw.random((2, len(kind))) < ABOUT_ACCOUNTS, 0, own)
    first, second = draw.integers(about, np.where(about == 0, own, width))
    second[kind != RANGE_OF_TWO] = -1
    size = np.sign(rows) * np.log1p(np.abs(rows))
    mean, deviation = size.mean(axis=0), np.maximum(size.std(axis=0), 1e-3)
    low, high = np.quantile(rows, (0.25, 0.75), axis=0)
    ones, bends = np.ones(len(kind)), kind == BEND
    basis = {
        "kind": kind, "first": first, "second": second,
        "low": np.where(bends, mean[first], low[first]),
        "high": np.where(bends, deviation[first], high[first]),
        "low_of_second": low[second], "high_of_second": high[second],
        "knot": draw.normal(size=len(kind)), "mean": 0.3 * ones, "spread": 0.5 * ones,
        "constant": np.zeros(treatments), "weights": draw.normal(size=(len(kind), treatments)),
    }  # fmt: skip
    offset, nothing = np.ones(treatments), np.zeros(treatments)
    linear = {f"linear_{name}": values for name, values in basis.items()}
    return linear | {"effect_offset": offset, "effect_scale": offset, "effect_curved": nothing}


def learner_line(learner: str, material: Material, known: Features, *, trees: int) -> Comparison:
    """All pairs by one learner."""
    own = np.arange(len(known.set.treatments))
    boosters = boosters_of(learner, material.known(), trees=trees)
    parts = parts_of(learner, boosters, material.playbook, known)
    many = f"{len(boosters)} forests" if len(boosters) > 1 else "one forest"

    def theirs() -> Peer:
        forests = {name: _predicted(name, booster, known) for name, booster in boosters.items()}
        return Peer(
            forests, None if parts.effects is None else _worth_by_numpy(parts.effects, known, forests)
        )

    return compare(
        f"{learner}: {len(known.moments):,} accounts x {len(own)} treatments, {many} of {trees} trees",
        "LightGBM predict of the same forests, 2 threads" + (", NumPy" if parts.effects is not None else ""),
        lambda: LEARNERS[learner].values(parts, known, own, own), theirs,
        same=lambda mine, found: _same(mine, _put_together(parts, known, found.forests), found.worth),
    )  # fmt: skip


class Peer(NamedTuple):
    """Raw scores of each forest, and the worth of all pairs where a linear score is part of it."""

    forests: dict[str, Floats]
    worth: Floats | None


def _same(mine: Floats, exact: Floats, by_numpy: Floats | None) -> bool:
    """To the bit with the peer's forests; NumPy adds and takes logarithms otherwise in the last bits."""
    return bool(np.array_equal(mine, exact)) and (by_numpy is None or bool(np.allclose(mine, by_numpy)))


def _worth_by_numpy(effects: Effects, known: Features, forests: dict[str, Floats]) -> Floats:
    """What follows from the peer's scores and the linear score of what is known."""
    linear, treatments = effects.linear, len(known.set.treatments)
    own = len(known.set.account)
    alone = (linear.basis.first < own) & (linear.basis.second < own)
    n = len(known.moments)
    about = [known.row_matrix(np.full(n, t)) for t in range(treatments)]
    scores = _columns_by_numpy(linear.basis, alone, about[0]) @ linear.weights[alone] + linear.constant
    for t, rows in enumerate(about):
        scores[:, t] += _columns_by_numpy(linear.basis, ~alone, rows) @ linear.weights[~alone, t]
    if EFFECT_FOREST in forests:
        scores = scores + forests[EFFECT_FOREST]
    worth = forests[WITHOUT_FOREST] + effects.offset + effects.scale * scores
    worth[:, 0] = forests[WITHOUT_FOREST][:, 0]
    return worth


def _columns_by_numpy(whole: Basis, which: Bools, rows: Floats) -> Floats:
    """Some columns of a basis for rows; shape (n, columns), in their order."""
    basis = Basis(*(values[which] for values in whole))
    value, other = rows[:, basis.first], rows[:, basis.second]
    bends, missing = basis.kind == BEND, basis.kind == MISSING
    found = ((value >= basis.low) & (value < basis.high)).astype(np.float64)
    inside = (other >= basis.low_of_second) & (other < basis.high_of_second)
    found = np.where((basis.kind != RANGE_OF_TWO) | inside, found, 0.0)
    found[:, missing] = np.isnan(value[:, missing])
    bent = value[:, bends]
    size = (np.sign(bent) * np.log1p(np.abs(bent)) - basis.low[bends]) / basis.high[bends]
    found[:, bends] = np.maximum(np.clip(size, -WIDEST, WIDEST) - basis.knot[bends], 0.0)
    return np.nan_to_num((found - basis.mean) / basis.spread)


def _predicted(name: str, booster: lightgbm.Booster, known: Features) -> Floats:
    """Raw scores of what the forest is asked about: one treatment, or every pair; shape (n, 1) or (n, T)."""
    columns = [
        booster.predict(rows, raw_score=True, num_threads=2)
        for rows in map(known.row_matrix, _asked(name, known))
    ]
    return np.array(columns).T


@cache
def _places(treatments: tuple[str, ...]) -> dict[str, int]:
    return {value_forest_of(treatment): place for place, treatment in enumerate(treatments)}


def _asked(name: str, known: Features) -> Iterator[Ints]:
    places = _places(known.set.treatments)
    if name in (VALUE_FOREST, EFFECT_FOREST):
        yield from (np.full(len(known.moments), place) for place in places.values())
    else:
        yield np.full(len(known.moments), places.get(name, 0))


def _put_together(parts: ReleaseParts, known: Features, found: dict[str, Floats]) -> Floats:
    """The worth that follows from the peer's scores."""
    if parts.effects is None:
        return np.concatenate([found[name] for name in found], axis=1)
    own = np.arange(len(known.set.treatments))
    scores = parts.effects.linear.predict_pairs(known, own, own)
    if EFFECT_FOREST in found:
        scores = scores + found[EFFECT_FOREST]
    values = found[WITHOUT_FOREST] + parts.effects.worth(scores, own)
    values[:, 0] = found[WITHOUT_FOREST][:, 0]
    return values


def comparisons(material: Material, known: Features) -> Iterator[Comparison]:
    """Every learner that has forests; the fixed one has none, and that of one forest stands above."""
    for learner, trees in (("t_learner", 60), ("doubly_robust", 150), ("linear", 150)):
        yield learner_line(learner, material, known, trees=trees)
