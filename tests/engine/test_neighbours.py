"""The nearest accounts are the nearest, whoever asks and however many there are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.facts import Attribute
from engine.neighbours import TraitSpace, build_index, nearest, trait_space, typical_distance

TRAITS = (Attribute("employees"), Attribute("age"), Attribute("industry", ("a", "b", "c")))


def space_of(count: int, seed: int = 0) -> TraitSpace:
    draw = np.random.default_rng(seed)
    values = np.column_stack(
        [np.exp(draw.normal(size=count)), draw.integers(0, 4, count), draw.integers(0, 3, count)]
    ).astype(float)
    values[draw.random(values.shape) < 0.05] = np.nan
    return trait_space(values, TRAITS, values[:, 1])


def by_hand(space: TraitSpace, row: int, k: int) -> list[int]:
    """All distances, summed trait by trait in single precision."""
    apart = []
    for other, point in enumerate(space.points):
        total = np.float32(0.0)
        for t, coded in enumerate(space.coded):
            gap = np.float32(point[t] - space.points[row, t])
            total += space.weight[t] * np.float32(gap != 0) if coded else space.weight[t] * gap * gap
        apart.append((total, other))
    return [other for _, other in sorted(apart) if other != row][:k]


@given(st.integers(2, 60), st.integers(0, 1000), st.integers(1, 12))
@settings(deadline=None)
def test_the_search_finds_what_sorting_all_distances_finds(count: int, seed: int, k: int) -> None:
    """Many ties among them: equally near accounts come in their order."""
    space = space_of(count, seed)

    found, _ = nearest(build_index(space), np.arange(count), k)

    for row in range(count):
        expected = by_hand(space, row, k)
        assert found[row].tolist() == expected + [-1] * (k - len(expected))


def test_in_cells_nearly_all_true_neighbours_are_found() -> None:
    """What a million accounts get must be what a thousand would."""
    space = space_of(6_000)
    exact, _ = nearest(build_index(space), np.arange(0, 6_000, 60), 30)

    cells, _ = nearest(build_index(space, exact_up_to=100), np.arange(0, 6_000, 60), 30)

    shared = [len(np.intersect1d(a, b)) / 30 for a, b in zip(exact, cells, strict=True)]
    assert np.mean(shared) > 0.97


def test_together_equals_one_by_one() -> None:
    """Who else is asked for changes nothing, in cells either."""
    index = build_index(space_of(2_000), exact_up_to=100)
    rows = np.array([1_999, 3, 700, 3])

    together, apart = nearest(index, rows, 20)

    for place, row in enumerate(rows):
        alone, distance = nearest(index, np.array([row]), 20)
        np.testing.assert_array_equal(together[place], alone[0])
        np.testing.assert_array_equal(apart[place], distance[0])


def test_the_same_accounts_give_the_same_index() -> None:
    """A night that is run again finds the same twins."""
    one, two = (build_index(space_of(3_000), exact_up_to=100) for _ in range(2))

    np.testing.assert_array_equal(one.cell_of, two.cell_of)
    np.testing.assert_array_equal(one.cells.centres, two.cells.centres)


def test_nobody_is_similar_beyond_the_border() -> None:
    """Near means near, not nearest."""
    space = space_of(500)
    border = typical_distance(space, 0.05)

    found, apart = nearest(build_index(space), np.arange(500), 100, within=border)

    assert (apart[found >= 0] <= border).all()
    assert (found < 0).any()


def test_a_share_of_random_pairs_is_nearer_than_the_typical_distance() -> None:
    """The border follows the accounts there are."""
    space = space_of(400)
    everybody, apart = nearest(build_index(space), np.arange(400), 399)

    assert np.mean(apart < typical_distance(space, 0.2)) == pytest.approx(0.2, abs=0.03)
    assert (everybody >= 0).all()


def test_no_outlier_decides_who_is_alike() -> None:
    """A giant is as far from the next as ranks are, so the others keep their differences."""
    values = np.array([[1.0], [2.0], [3.0], [1e12]])

    space = trait_space(values, TRAITS[:1], np.ones(4))

    np.testing.assert_allclose(np.diff(space.points[:, 0]), np.diff(space.points[:, 0])[0], rtol=1e-6)


def test_a_trait_that_all_share_has_no_weight() -> None:
    """It cannot tell accounts apart."""
    values = np.column_stack([np.ones(5), np.arange(5.0), np.zeros(5)])

    space = trait_space(values, TRAITS, np.ones(5))

    assert space.points.shape == (5, 1)


def test_what_matters_to_purchases_weighs_as_much_as_all_traits() -> None:
    """Else thirty irrelevant columns would hide the one that matters."""
    values = np.random.default_rng(0).random((50, 3))

    space = trait_space(values, tuple(Attribute(f"t{i}") for i in range(3)), values[:, 0] ** 3)

    assert space.weight.tolist() == [1.0, 1.0, 1.0, 3.0]
