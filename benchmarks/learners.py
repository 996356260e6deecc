"""What each learner's release says of all pairs, against LightGBM's predict of all the same forests.

Where a learner adds a linear score to its forests, the peer works that out with NumPy: columns of the basis
once for an account, since they read it alone, and a matrix product.
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
from engine.linear import WIDEST
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
from engine.records import Floats, Ints

Boosters = dict[str, lightgbm.Booster]


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
    """A release of these forests, with a linear score over ten numbers where its learner has one."""
    treatments, names = known.set.treatments, known.set.names
    same = np.zeros(len(treatments))
    effects = read_effects(_linear(len(treatments)), names, len(treatments))
    nothing = np.zeros((1, 1))
    return ReleaseParts(
        id="bench", learner=learner, treatments=treatments, feature_names=names, levels=known.set.levels,
        evidence={}, forests={name: parse_forest(b.model_to_string()) for name, b in boosters.items()},
        value=same, uplift=same, response=same, error=same, pool=Pool((), (), nothing, nothing),
        effects=effects if LEARNERS[learner].effects else None,
    )  # fmt: skip


def _linear(treatments: int, columns: int = 10) -> dict[str, Floats]:
    ones, draw = np.ones(columns), np.random.default_rng(7)
    weights = draw.normal(size=(columns, treatments))
    basis = {
        "kind": 0 * ones, "first": np.arange(columns), "second": -ones, "low": 2.0 * ones, "high": ones,
        "low_of_second": 0 * ones, "high_of_second": 0 * ones, "knot": -ones, "mean": ones, "spread": ones,
        "constant": np.zeros(treatments), "weights": weights,
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
    """What follows from the peer's scores and the linear score of bends of the account's numbers."""
    basis, linear = effects.linear.basis, effects.linear
    values = known.account[:, basis.first]
    size = (np.sign(values) * np.log1p(np.abs(values)) - basis.low) / basis.high
    bends = np.maximum(np.clip(size, -WIDEST, WIDEST) - basis.knot, 0.0)
    scores = np.nan_to_num((bends - basis.mean) / basis.spread) @ linear.weights + linear.constant
    if EFFECT_FOREST in forests:
        scores = scores + forests[EFFECT_FOREST]
    worth = forests[WITHOUT_FOREST] + effects.offset + effects.scale * scores
    worth[:, 0] = forests[WITHOUT_FOREST][:, 0]
    return worth


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
