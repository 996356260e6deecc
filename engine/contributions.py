"""What each feature adds to a value: exact contributions of forests, and of the other parts of a learner.

Contributions are those of Booster.predict(pred_contrib=True): features that are not yet known are averaged
over the rows of the training that reached each split. They add up to the score, to the last few bits.

Source:
    Lundberg, Erion and Lee (2018), Consistent Individualized Feature Attribution for Tree Ensembles (path
    dependent); the sum over a leaf's path is written here by its polynomial in the features that agree, which
    needs no subtraction.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from engine.features import Features
from engine.forest import CATEGORICAL, Forest, ForestError, Trees, below, in_categories
from engine.numerics import compiled
from engine.records import Bools, Floats, Ints


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

    def contributions(self, features: Features, moments: Ints) -> Contributions:
        """Of the term at some moments (places in `features`), in currency; F = len(features.set.names)."""
        ...


@dataclass(frozen=True)
class ConstantTerm:
    """The same amount for all."""

    amount: float

    def contributions(self, features: Features, moments: Ints) -> Contributions:
        """The amount, and nothing by feature."""
        shape = (len(moments), len(features.set.names))
        return Contributions(np.full(len(moments), self.amount), np.zeros(shape))


@dataclass(frozen=True)
class ForestTerm:
    """`scale` times a forest's score of the pair with a treatment (its place in the playbook)."""

    forest: Forest
    treatment: int
    scale: float = 1.0

    def contributions(self, features: Features, moments: Ints) -> Contributions:
        """By the features that the forest reads. Raises ForestError as `Forest.predict_pairs` does."""
        place = {name: column for column, name in enumerate(features.set.names)}
        self.forest.check_known(features)
        columns = np.array([place[name] for name in self.forest.feature_names], dtype=np.int64)
        chosen = np.full(len(moments), self.treatment, dtype=np.int64)
        found = forest_contributions(self.forest, features.row_matrix(chosen, moments)[:, columns])
        by_feature = np.zeros((len(moments), len(place)))
        by_feature[:, columns] = found.features * self.scale
        return Contributions(found.constant * self.scale, by_feature)


def added(terms: tuple[Term, ...], features: Features, moments: Ints) -> Contributions:
    """The contributions of several terms, added up in their order."""
    constant, by_feature = np.zeros(len(moments)), np.zeros((len(moments), len(features.set.names)))
    for term in terms:
        more = term.contributions(features, moments)
        constant, by_feature = constant + more.constant, by_feature + more.features
    return Contributions(constant, by_feature)


def forest_contributions(forest: Forest, rows: Floats) -> Contributions:
    """Contributions to the raw score of model rows.

    Args:
        rows: Shape (n, len(forest.feature_names)).

    Returns:
        The constant is the mean score of the forest's training rows.

    Raises:
        ForestError: The forest's text does not count the rows that reached its nodes.
    """
    trees, cover = forest.trees, forest.cover
    if len(cover.node) and not (cover.node > 0.0).all():
        raise ForestError(
            "The forest's text does not say how many rows reached its splits (internal_count), so its score "
            "cannot be explained; train a new release."
        )
    given = np.ascontiguousarray(rows, dtype=np.float64)
    constant, by_feature = np.zeros(len(given)), np.zeros(given.shape)
    _explain_rows(trees, _paths(forest), given, constant, by_feature)
    return Contributions(constant, by_feature)


class _Paths(NamedTuple):
    """The way from each leaf up: parents (-1 = root), and the share of the parent's rows that came here."""

    node_parent: Ints
    leaf_parent: Ints
    node_share: Floats
    leaf_share: Floats


class _Way(NamedTuple):
    """The way to one leaf: the features of its splits, each once; the rest is room to work in.

    Attributes:
        feature: Its column.
        share: Of the rows of the training that pass its splits.
        agrees: Whether the row that is explained passes them.
    """

    feature: Ints
    share: Floats
    agrees: Bools
    agreeing: Floats
    sums: Floats


def _paths(forest: Forest) -> _Paths:
    trees, cover = forest.trees, forest.cover
    nodes, leaves = np.full(len(trees.feature), -1), np.full(len(trees.leaf), -1)
    node_share, leaf_share = np.ones(len(nodes)), np.ones(len(leaves))
    for children in (trees.left, trees.right):
        inner = np.flatnonzero(children >= 0)
        last = np.flatnonzero(children < 0)
        nodes[children[inner]], leaves[~children[last]] = inner, last
        node_share[children[inner]] = cover.node[children[inner]] / cover.node[inner]
        leaf_share[~children[last]] = cover.leaf[~children[last]] / cover.node[last]
    return _Paths(nodes, leaves, node_share, leaf_share)


@compiled
def _explain_rows(trees: Trees, paths: _Paths, rows: Floats, constant: Floats, by_feature: Floats) -> None:
    """Add every leaf's contributions to those of every row."""
    size = rows.shape[1] + 1
    way = _Way(
        np.empty(size, np.int64), np.empty(size), np.empty(size, np.bool_), np.empty(size), np.empty(size)
    )
    goes_left = np.empty(trees.feature.size, np.bool_)
    for i in range(rows.shape[0]):
        _directions(trees, rows[i], goes_left)
        for leaf in range(trees.leaf.size):
            length = _find_way(trees, paths, leaf, goes_left, way)
            _explain_leaf(trees.leaf[leaf], length, way, by_feature[i])
            reached = trees.leaf[leaf]
            for k in range(length):
                reached *= way.share[k]
            constant[i] += reached


@compiled
def _directions(trees: Trees, row: Floats, goes_left: Bools) -> None:
    """Where each split sends the row."""
    for node in range(trees.feature.size):
        value, kind = row[trees.feature[node]], trees.decision[node]
        if kind & CATEGORICAL:
            goes_left[node] = in_categories(value, trees.categories[trees.first[node] : trees.last[node]])
        else:
            goes_left[node] = below(value, trees.threshold[node], kind)


@compiled
def _find_way(trees: Trees, paths: _Paths, leaf: int, goes_left: Bools, way: _Way) -> int:
    """Fill in the way to a leaf; returns how many features it has."""
    length, child, parent = 0, ~leaf, paths.leaf_parent[leaf]
    own = paths.leaf_share[leaf]
    while parent >= 0:
        passes = (trees.left[parent] == child) == goes_left[parent]
        place = 0
        while place < length and way.feature[place] != trees.feature[parent]:
            place += 1
        if place == length:
            way.feature[place], way.share[place], way.agrees[place] = trees.feature[parent], own, passes
            length += 1
        else:
            way.share[place] *= own
            way.agrees[place] = way.agrees[place] and passes
        child, own, parent = parent, paths.node_share[parent], paths.node_parent[parent]
    return length


@compiled
def _explain_leaf(value: float, length: int, way: _Way, by_feature: Floats) -> None:
    """Shapley values of one leaf: its value where all features agree, shared among those on its way.

    A coalition reaches the leaf only if all its members agree, so that the others' shares remain: those of
    features that disagree are common to all terms.
    """
    disagreeing, agreeing = 1.0, 0
    for k in range(length):
        if way.agrees[k]:
            way.agreeing[agreeing] = way.share[k]
            agreeing += 1
        else:
            disagreeing *= way.share[k]
    if disagreeing == 0.0:
        return
    against = -value * disagreeing * _coalitions(way, agreeing, -1, length)
    met = 0
    for k in range(length):
        if way.agrees[k]:
            own = _coalitions(way, agreeing, met, length)
            by_feature[way.feature[k]] += value * disagreeing * (1.0 - way.share[k]) * own
            met += 1
        else:
            by_feature[way.feature[k]] += against


@compiled
def _coalitions(way: _Way, agreeing: int, without: int, length: int) -> float:
    """Sum over the coalitions S of agreeing features, one left out, of |S|! (length - |S| - 1)! / length!
    times the shares of the agreeing features outside S."""
    count, sums = 0, way.sums
    sums[0] = 1.0
    for k in range(agreeing):
        if k == without:
            continue
        count += 1
        sums[count] = sums[count - 1]
        for size in range(count - 1, 0, -1):
            sums[size] = sums[size] * way.agreeing[k] + sums[size - 1]
        sums[0] *= way.agreeing[k]
    found, of_size = 0.0, 1.0 / max(length, 1)
    for size in range(min(count + 1, length)):
        found += sums[size] * of_size
        of_size *= (size + 1.0) / max(length - size - 1.0, 1.0)
    return found
