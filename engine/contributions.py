"""What each feature adds to a value: exact contributions of forests, and of the other parts of a learner.

Contributions of forests are those of Booster.predict(pred_contrib=True): `engine.shapley` works them out.
They add up to the score, to the last few bits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from engine import numerics
from engine.features import Features, FeatureSet
from engine.forest import Forest
from engine.records import Floats, Ints, kept_for
from engine.shapley import explain_rows, explaining

SMALLEST_MOVE = 1e-6
"""A score that moved less has the slope of the curve where it stands."""


class Contributions(NamedTuple):
    """Addends of some values, one row per value; constant[i] and all of features[i] add up to it.

    Attributes:
        constant: What does not depend on the row; shape (n,).
        features: By feature; shape (n, F), in the order of the feature set's `names` (of a forest alone: in
            that of the forest).
    """

    constant: Floats
    features: Floats


class Term(Protocol):
    """One addend of a learner's value of a treatment."""

    @property
    def forests(self) -> tuple[ForestTerm, ...]:
        """What it asks forests."""
        ...

    def contributions(self, features: Features, moments: Ints) -> Contributions:
        """Of the term at some moments (places in `features`), in currency; F = len(features.set.names)."""
        ...


@dataclass(frozen=True)
class ConstantTerm:
    """The same amount for all."""

    amount: float

    @property
    def forests(self) -> tuple[ForestTerm, ...]:
        """None."""
        return ()

    def contributions(self, features: Features, moments: Ints) -> Contributions:
        """The amount, and nothing by feature."""
        shape = (len(moments), len(features.set.names))
        return Contributions(np.full(len(moments), self.amount), np.zeros(shape))


@dataclass(frozen=True)
class ForestTerm:
    """A forest's score of the pair with a treatment (its place in the playbook)."""

    forest: Forest
    treatment: int

    @property
    def forests(self) -> tuple[ForestTerm, ...]:
        """Itself."""
        return (self,)

    def contributions(self, features: Features, moments: Ints) -> Contributions:
        """By the features that the forest reads. Raises ForestError as `Forest.predict_pairs` does."""
        pairs = [(moment, self.treatment) for moment in moments.tolist()]
        found = _explained(features, self.forest, pairs)
        if found is None:
            found = forest_contributions(self.forest, _rows_of(features, self.forest, pairs))
        by_feature = np.zeros((len(moments), len(features.set.names)))
        by_feature[:, _columns_read(self.forest, features.set)] = found.features
        return Contributions(found.constant, by_feature)


Question = tuple[Features, int, ForestTerm]
"""What a term adds to the value of its treatment at one moment (place in the features)."""
_Pair = tuple[int, int]
"""Places of a moment and a treatment."""


def explain_together(questions: Iterable[Question]) -> None:
    """Ask each forest about all of these in one call; its terms find what it said with the features.

    The rows of a list, and of an account as it is and as supposed, mostly go the same ways down a tree: what
    that adds is worked out once for all rows of a call.
    """
    asked: dict[int, tuple[Forest, dict[int, tuple[Features, dict[_Pair, None]]]]] = {}
    for features, moment, term in questions:
        of_forest = asked.setdefault(id(term.forest), (term.forest, {}))[1]
        of_forest.setdefault(id(features), (features, {}))[1][moment, term.treatment] = None
    for forest, by_features in asked.values():
        rows = [_rows_of(features, forest, list(pairs)) for features, pairs in by_features.values()]
        found, first = forest_contributions(forest, np.concatenate(rows)), 0
        for features, pairs in by_features.values():
            places = {pair: first + place for place, pair in enumerate(pairs)}
            vars(features).setdefault("explained", {})[id(forest)] = (forest, places, found)
            first += len(pairs)


def _explained(features: Features, forest: Forest, pairs: Sequence[_Pair]) -> Contributions | None:
    """What a forest said of these pairs when it was asked about many together; None = it was not."""
    of, places, found = vars(features).get("explained", {}).get(id(forest), (None, {}, None))
    if of is not forest or any(pair not in places for pair in pairs):
        return None
    rows = [places[pair] for pair in pairs]
    return Contributions(found.constant[rows], found.features[rows])


def _rows_of(features: Features, forest: Forest, pairs: Sequence[_Pair]) -> Floats:
    """What the forest reads of each pair; shape (pairs, len(forest.feature_names))."""
    moments, treatments = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    return features.row_matrix(treatments, moments)[:, _columns_read(forest, features.set)]


@kept_for
def _columns_read(forest: Forest, own: FeatureSet) -> Ints:
    """Where a forest's features stand in a model's row. Raises ForestError."""
    forest.check_known(own)
    place = {name: column for column, name in enumerate(own.names)}
    return np.array([place[name] for name in forest.feature_names], dtype=np.int64)


def whole(features: Features, amounts: Floats) -> Contributions:
    """Amounts of some moments, shape (m,), that are not told apart by feature."""
    return Contributions(amounts, np.zeros((len(amounts), len(features.set.names))))


def added(terms: tuple[Term, ...], features: Features, moments: Ints) -> Contributions:
    """The contributions of several terms, added up in their order."""
    constant, by_feature = np.zeros(len(moments)), np.zeros((len(moments), len(features.set.names)))
    for term in terms:
        more = term.contributions(features, moments)
        constant, by_feature = constant + more.constant, by_feature + more.features
    return Contributions(constant, by_feature)


def through(curve: Callable[[Floats], Floats], raw: Contributions) -> Contributions:
    """Contributions to a curve of a score: those to the score, times the mean slope of the curve between the
    score's constant and the score. They add up from the curve at the constant to the curve at the score.

    Args:
        curve: Shape (n,) to shape (n,).
        raw: Contributions to the score.
    """
    moved = np.array([numerics.total(row) for row in raw.features])
    still = np.abs(moved) < SMALLEST_MOVE
    step = np.where(still, SMALLEST_MOVE, moved)
    start = curve(raw.constant)
    return Contributions(start, raw.features * ((curve(raw.constant + step) - start) / step)[:, None])


def forest_contributions(forest: Forest, rows: Floats) -> Contributions:
    """Contributions to the raw score of model rows.

    Args:
        rows: Shape (n, len(forest.feature_names)).

    Returns:
        The constant is the mean score of the forest's training rows.

    Raises:
        ForestError: The forest's text does not count the rows that reached its nodes.
    """
    given = np.ascontiguousarray(rows, dtype=np.float64)
    ready, by_feature = explaining(forest), np.zeros(given.shape)
    explain_rows(ready, given, by_feature)
    return Contributions(np.full(len(given), ready.given.paths.constant[0]), by_feature)
