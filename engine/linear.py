"""Linear scores of accounts x treatments: what each known trait adds, to all treatments or to some.

A column of the basis is a bend of a number, whether a value is missing, or whether one or two features lie in
a range (a level of a text is the range from its code to the next). Columns are added up in their order, so
the same row has the same bits in any batch.

Source:
    Hastie and Tibshirani (1986), Generalized Additive Models, for scores that are sums of functions of single
    features and of chosen pairs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from engine.contributions import Contributions
from engine.features import Features, FeatureSet
from engine.forest import ForestError, Sources, lay_out, pair_groups, sources_of
from engine.numerics import compiled, log_one
from engine.records import EngineError, Floats, Ints, kept_for

BEND, MISSING, RANGE, RANGE_OF_TWO = 0, 1, 2, 3
"""Kinds of columns."""
WIDEST = 3.0
"""A number further than so many standard deviations from its mean counts as that far: no extrapolation."""


class Basis(NamedTuple):
    """Columns of a linear score; each array has an entry per column, shape (B,).

    Attributes:
        kind: BEND, MISSING, RANGE or RANGE_OF_TWO.
        first, second: Place of the feature in the release's rows; -1 = there is no second.
        low, high: Of RANGE: the value lies in [low, high). Of BEND: mean and standard deviation of
            sign(v) log(1 + |v|).
        low_of_second, high_of_second: The range of the second feature.
        knot: Of BEND: the column is the standardised number beyond the knot, max(z - knot, 0).
        mean: Of the column among the cases; it is deducted. A missing number counts as the mean.
        spread: What the column is then divided by.
    """

    kind: Ints
    first: Ints
    second: Ints
    low: Floats
    high: Floats
    low_of_second: Floats
    high_of_second: Floats
    knot: Floats
    mean: Floats
    spread: Floats


INTEGERS = frozenset({"kind", "first", "second"})


@dataclass(frozen=True)
class Linear:
    """Scores that are sums.

    Attributes:
        feature_names: Of the rows that the basis counts by.
        basis: The columns.
        constant: Of each treatment of the release; shape (m,).
        weights: What each column adds to each treatment; shape (B, m).
    """

    feature_names: tuple[str, ...]
    basis: Basis
    constant: Floats
    weights: Floats

    def predict_pairs(self, features: Features, own: Ints, theirs: Ints) -> Floats:
        """Scores; shape (n, k). `own` are k places in the playbook, `theirs` those in the release.

        Raises ForestError when a feature is read that the set does not have.
        """
        basis, sources = _reading(self, features.set)
        groups, asked = pair_groups(features, own)
        constant = np.ascontiguousarray(self.constant[theirs])
        weights = np.ascontiguousarray(self.weights[:, theirs])
        return _score(basis, sources, groups, asked, (constant, weights))

    def contributions(self, features: Features, moments: Ints, own: int, learned: int) -> Contributions:
        """What each feature adds to the scores of one treatment; of two, half each."""
        place = _places(self, features.set)
        rows = features.row_matrix(np.full(len(moments), own, dtype=np.int64), moments)[:, place]
        parts = columns_of(self.basis, rows) * self.weights[:, learned]
        by_feature = np.zeros((len(moments), len(features.set.names)))
        _share(self.basis, place, parts, by_feature)
        return Contributions(np.full(len(moments), self.constant[learned]), by_feature)

    def borders(self, feature: str) -> Floats:
        """Where its ranges of a feature begin and end, in no order; empty for one that it does not read."""
        if feature not in self.feature_names:
            return np.zeros(0)
        place, basis = self.feature_names.index(feature), self.basis
        ranged = basis.kind >= RANGE
        first, second = ranged & (basis.first == place), ranged & (basis.second == place)
        found = np.concatenate(
            [basis.low[first], basis.high[first], basis.low_of_second[second], basis.high_of_second[second]]
        )
        finite: Floats = found[np.isfinite(found)]
        return finite

    def arrays(self) -> dict[str, Floats | Ints]:
        """For the release, by the names that `read_linear` reads."""
        own = {f"linear_{name}": values for name, values in self.basis._asdict().items()}
        return own | {"linear_constant": self.constant, "linear_weights": self.weights}

    def check_known(self, features: FeatureSet) -> None:
        """Raises ForestError when a feature is read that the set does not have."""
        for place in np.unique(np.concatenate([self.basis.first, self.basis.second])):
            if place >= 0 and self.feature_names[place] not in features.names:
                raise ForestError(
                    f"The release reads feature {self.feature_names[place]!r}, which is not known."
                )


@kept_for
def _places(linear: Linear, features: FeatureSet) -> Ints:
    """Where the features of its rows stand among those of a set."""
    linear.check_known(features)
    return np.array([features.names.index(name) for name in linear.feature_names], dtype=np.int64)


@kept_for
def _reading(linear: Linear, features: FeatureSet) -> tuple[Basis, Sources]:
    """The basis by places among the features that it reads alone, and where those stand."""
    linear.check_known(features)
    both = np.concatenate([linear.basis.first, linear.basis.second])
    read = np.unique(both[both >= 0])
    first, second = (
        np.where(places >= 0, np.searchsorted(read, places), -1)
        for places in (linear.basis.first, linear.basis.second)
    )
    names = tuple(linear.feature_names[place] for place in read)
    return linear.basis._replace(first=first, second=second), sources_of(names, features)


def read_linear(arrays: Mapping[str, Any], feature_names: tuple[str, ...], treatments: int) -> Linear:
    """From the arrays of a release. Raises EngineError when one is missing, or of another shape or range."""
    found: dict[str, Any] = {
        name: np.asarray(arrays.get(f"linear_{name}", ()), dtype=np.int64 if name in INTEGERS else np.float64)
        for name in Basis._fields
    }
    columns = len(found["kind"])
    constant, weights = (
        np.asarray(arrays.get(f"linear_{name}", ()), dtype=np.float64) for name in ("constant", "weights")
    )
    whole = all(values.shape == (columns,) for values in found.values())
    if not whole or constant.shape != (treatments,) or weights.shape != (columns, treatments):
        raise EngineError("The release's linear scores have arrays of different lengths: it is damaged.")
    read = (found["first"] >= 0) & (found["first"] < len(feature_names))
    read &= (found["second"] >= -1) & (found["second"] < len(feature_names))
    if not (read.all() and np.isfinite(weights).all() and np.isfinite(constant).all()):
        raise EngineError("The release's linear scores read features that it does not name: it is damaged.")
    return Linear(feature_names, Basis(**found), constant, weights)


def columns_of(basis: Basis, rows: Floats) -> Floats:
    """The columns of the basis for model rows, centred and scaled; shape (n, B)."""
    given = np.ascontiguousarray(rows, dtype=np.float64)
    found = np.empty((len(given), len(basis.kind)))
    _columns(basis, given, found)
    return found


@compiled
def _share(basis: Basis, place: Ints, parts: Floats, by_feature: Floats) -> None:
    """Add what each column adds to the feature that it reads, or half of it to each of two."""
    for i in range(parts.shape[0]):
        for j in range(parts.shape[1]):
            first, second = place[basis.first[j]], basis.second[j]
            if second < 0:
                by_feature[i, first] += parts[i, j]
            else:
                by_feature[i, first] += 0.5 * parts[i, j]
                by_feature[i, place[second]] += 0.5 * parts[i, j]


@compiled
def _bent(value: float, mean: float, deviation: float, knot: float) -> float:
    """What a standardised number has beyond its knot."""
    size = log_one(1.0 + abs(value))
    z = ((size if value > 0.0 else -size) - mean) / deviation
    return max(min(max(z, -WIDEST), WIDEST) - knot, 0.0)


@compiled
def _said(basis: Basis, j: int, rows: Floats, said: Floats, like: Ints) -> None:
    """Column j for each row, 0 = as the mean of the cases; what is like a row before has what that has."""
    kind, first, second = basis.kind[j], basis.first[j], max(basis.second[j], 0)
    low, high, knot = basis.low[j], basis.high[j], basis.knot[j]
    low_of_second, high_of_second = basis.low_of_second[j], basis.high_of_second[j]
    mean, spread = basis.mean[j], basis.spread[j]
    yes, no = (1.0 - mean) / spread, (0.0 - mean) / spread
    for k in range(said.size):
        value = rows[k, first]
        if like[k] != k:
            said[k] = said[like[k]]
        elif kind == BEND:
            said[k] = 0.0 if np.isnan(value) else (_bent(value, low, high, knot) - mean) / spread
        elif kind == MISSING:
            said[k] = yes if np.isnan(value) else no
        else:
            inside = low <= value < high
            if kind == RANGE_OF_TWO:
                inside = inside and low_of_second <= rows[k, second] < high_of_second
            said[k] = yes if inside else no


@compiled
def _columns(basis: Basis, rows: Floats, found: Floats) -> None:
    said, like = np.empty(rows.shape[0]), np.arange(rows.shape[0])
    for j in range(basis.kind.size):
        _said(basis, j, rows, said, like)
        found[:, j] = said


@compiled
def _alike(basis: Basis, sources: Sources, own: tuple[Ints, Ints, Ints]) -> tuple[Ints, Ints]:
    """For each column what it is the same for - the account, a channel, a topic, or nothing - and for each of
    these the first candidate that is like each candidate; shapes (B,), (4, k).
    """
    kinds, like = np.empty(basis.kind.size, dtype=np.int64), np.empty((4, own[2].size), dtype=np.int64)
    for j in range(kinds.size):
        first = min(sources.group[basis.first[j]], 3)
        second = min(sources.group[basis.second[j]], 3) if basis.second[j] >= 0 else first
        kinds[j] = max(first, second) if first == second or min(first, second) == 0 else 3
    channel_of, topic_of, asked = own
    for k in range(asked.size):
        like[0, k], like[1, k], like[2, k], like[3, k] = 0, k, k, k
        for before in range(k - 1, -1, -1):
            if channel_of[asked[before]] == channel_of[asked[k]]:
                like[1, k] = before
            if topic_of[asked[before]] == topic_of[asked[k]]:
                like[2, k] = before
    return kinds, like


@compiled
def _score(
    basis: Basis,
    sources: Sources,
    groups: tuple[Floats, Floats, Floats, Floats, Floats],
    own: tuple[Ints, Ints, Ints],
    learned: tuple[Floats, Floats],
) -> Floats:
    """An account's rows are laid out for its candidates; columns are added in their order, to all of them at
    once. A column that reads what several candidates share is worked out once for them.
    """
    constant, weights = learned
    kinds, like = _alike(basis, sources, own)
    scores, said = np.empty((groups[0].shape[0], own[2].size)), np.empty(own[2].size)
    rows = np.empty((own[2].size, sources.group.size))
    for i in range(scores.shape[0]):
        lay_out(i, sources, groups, own, rows)
        scores[i] = constant
        for j in range(basis.kind.size):
            _said(basis, j, rows, said, like[kinds[j]])
            for k in range(said.size):
                scores[i, k] += said[k] * weights[j, k]
    return scores
