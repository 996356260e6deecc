"""Linear scores: columns by hand, the same bits in any batch, and damaged releases."""

from __future__ import annotations

import numpy as np
import pytest

from engine.linear import BEND, MISSING, RANGE, RANGE_OF_TWO, Basis, Linear, columns_of, read_linear
from engine.records import EngineError
from tests.engine.releases import LEARNED, arrays, known_of, scorer

NAN = float("nan")


def one_column(**changed) -> Basis:
    """A column over the first two features; mean 0 and spread 1 show it as it is."""
    column = {
        "kind": RANGE, "first": 0, "second": -1, "low": 0.0, "high": 1.0, "low_of_second": 0.0,
        "high_of_second": 1.0, "knot": 0.0, "mean": 0.0, "spread": 1.0,
    } | changed  # fmt: skip
    return Basis(*(np.array([column[name]]) for name in Basis._fields))


def seen(basis: Basis, rows: list[list[float]]) -> list[float]:
    return columns_of(basis, np.array(rows))[:, 0].tolist()


def test_a_range_holds_its_lower_end_and_not_its_upper() -> None:
    """A level of a text is the range from its code to the next: 2 must not be 3, and missing is neither."""
    level = one_column(low=2.0, high=3.0)

    assert seen(level, [[2.0, 0.0], [3.0, 0.0], [1.0, 0.0], [NAN, 0.0]]) == [1.0, 0.0, 0.0, 0.0]


def test_a_range_of_two_needs_both() -> None:
    """A pair of traits has something of its own only where both hold."""
    pair = one_column(kind=RANGE_OF_TWO, second=1, low_of_second=5.0, high_of_second=9.0)

    assert seen(pair, [[0.0, 5.0], [0.0, 9.0], [1.0, 5.0], [0.0, NAN]]) == [1.0, 0.0, 0.0, 0.0]


def test_a_bend_begins_at_its_knot_and_does_not_extrapolate() -> None:
    """log(1 + v) with mean 0 and deviation 1 and a knot at 1: e - 1 is the knot, e^2 - 1 one beyond, and
    nothing is further than 3 deviations from the mean; a missing number is as the mean."""
    bend = one_column(kind=BEND, low=0.0, high=1.0, knot=1.0)
    rows = [[0.0, 0.0], [np.e - 1, 0.0], [np.e**2 - 1, 0.0], [1e9, 0.0], [NAN, 0.0]]

    assert seen(bend, rows) == pytest.approx([0.0, 0.0, 1.0, 2.0, 0.0])


def test_missing_is_told_and_columns_are_centred_and_scaled() -> None:
    """A quarter is missing: 1 becomes 1.5, 0 becomes -0.5 with a spread of one half."""
    missing = one_column(kind=MISSING, mean=0.25, spread=0.5)

    assert seen(missing, [[NAN, 0.0], [7.0, 0.0]]) == [1.5, -0.5]


def test_a_score_is_its_constant_and_columns_times_weights() -> None:
    """Two implementations agree: the one that lays out candidates, and the plain product."""
    known = known_of()
    effects = scorer(known, "linear").parts.effects
    assert effects is not None
    places, linear = np.arange(len(LEARNED)), effects.linear

    scores = linear.predict_pairs(known, np.array([0, 1, 4]), places)

    for place, treatment in zip(places, (0, 1, 4), strict=True):
        rows = known.row_matrix(np.full(len(known.moments), treatment))
        plain = linear.constant[place] + columns_of(linear.basis, rows) @ linear.weights[:, place]
        assert scores[:, place] == pytest.approx(plain)


@pytest.mark.parametrize("seed", range(5))
def test_candidates_share_only_what_is_the_same_for_them(seed: int) -> None:
    """A column about a channel is worked out once for it; one about channel and topic is nobody else's."""
    known, draw, columns = known_of(), np.random.default_rng(seed), 200
    own, names = np.arange(len(known.set.treatments)), known.set.names
    sizes = [
        len(getattr(known.set, group)) for group in ("account", "channel", "topic", "message", "treatment")
    ]
    # Groups alike often, since most features are about accounts.
    group, begins = draw.integers(0, 5, (2, columns)), np.cumsum([0, *sizes])
    first, second = draw.integers(begins[group], begins[group + 1])
    limits = draw.choice([-np.inf, 0.0, 1.0, 3.0, 10.0, np.inf], size=(4, columns))
    basis = one_column()._replace(
        kind=draw.choice([MISSING, RANGE, RANGE_OF_TWO], columns), first=first, second=second,
        low=limits[:2].min(0), high=limits[:2].max(0), low_of_second=limits[2:].min(0),
        high_of_second=limits[2:].max(0), mean=np.zeros(columns), spread=np.ones(columns),
    )  # fmt: skip
    basis = basis._replace(second=np.where(basis.kind == RANGE_OF_TWO, second, -1))
    weights = draw.normal(size=(columns, len(own)))

    scores = Linear(names, basis, np.zeros(len(own)), weights).predict_pairs(known, own, own)

    for treatment in own:
        rows = known.row_matrix(np.full(len(known.moments), treatment))
        assert scores[:, treatment] == pytest.approx(columns_of(basis, rows) @ weights[:, treatment])


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"linear_kind": np.zeros(3, int)}, "different lengths"),
        ({"linear_constant": np.zeros(2)}, "different lengths"),
        ({"linear_first": np.array([0, 1, 2, 999])}, "does not name"),
        ({"linear_weights": np.full((4, 3), NAN)}, "does not name"),
    ],
)
def test_damaged_linear_scores_are_refused(changed: dict, message: str) -> None:
    """A wrong shape would read past an array in compiled code: it must stop before."""
    given = arrays(**changed)["values"]

    with pytest.raises(EngineError, match=message):
        read_linear(given, known_of().set.names, 3)
