"""Contributions say what each feature adds to a score: all of it, and nothing else."""

from __future__ import annotations

from decimal import Decimal, localcontext
from itertools import combinations
from math import factorial

import lightgbm
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import contributions
from engine.contributions import Contributions, forest_contributions
from engine.facts import Attribute
from engine.forest import Forest, ForestError, parse_forest
from engine.records import Floats
from engine.scoring import LEARNERS, StartingScorer, learned_scorer, value_forest_of
from engine.shapley import directions, explaining
from tests.engine.builders import features, history, playbook
from tests.engine.releases import arrays, grown, known_of, manifest, scorer, texts_of
from tests.engine.test_forest import COLUMNS, KINDS, SPECIAL, awkward_rows
from tests.engine.test_forest import grown as grown_of_kind

BOTH = np.array([0, 3, 41])


@given(st.integers(0, 2**31 - 1), st.sampled_from(KINDS))
@settings(max_examples=25, deadline=None)
def test_contributions_equal_those_of_the_library(seed: int, kind: dict) -> None:
    """Missing values, categories, unseen ones, deep and constant trees."""
    booster = grown_of_kind(seed, kind)
    draw = np.random.default_rng(seed + 2)
    rows = np.concatenate([awkward_rows(seed + 3, 40), draw.choice(SPECIAL, size=(40, COLUMNS))])

    found = forest_contributions(parse_forest(booster.model_to_string()), rows)

    expected = np.asarray(booster.predict(rows, pred_contrib=True))
    scale = np.abs(expected).max()
    np.testing.assert_allclose(found.features, expected[:, :-1], rtol=1e-9, atol=1e-9 * scale)
    np.testing.assert_allclose(found.constant, expected[:, -1], rtol=1e-9, atol=1e-9 * scale)


def with_long_ways(*, leaves: int, features: int = 14) -> tuple[np.ndarray, lightgbm.Booster]:
    """Rows, and trees over them that ask many features one after the other."""
    draw = np.random.default_rng(8)
    rows = draw.normal(size=(900, features))
    label = np.prod(1.0 + 0.4 * (rows[:, :11] > 0.0), axis=1) + draw.normal(size=900)
    parameters = {"num_leaves": leaves, "verbosity": -1, "num_threads": 1, "min_data_in_leaf": 2}
    return rows, lightgbm.train(parameters, lightgbm.Dataset(rows, label), num_boost_round=4)


def one_after_the_other(features: int) -> tuple[np.ndarray, lightgbm.Booster]:
    """Rows, and one tree that asks the next feature of those that have none of the features before."""
    ways = np.eye(features + 1, features)
    rows, worth = np.repeat(ways, 8, axis=0), np.repeat(1.3 ** np.arange(features + 1), 8)
    parameters = {"num_leaves": features + 1, "verbosity": -1, "num_threads": 1, "min_data_in_leaf": 1,
                  "min_sum_hessian_in_leaf": 0.0, "max_bin": 3, "min_data_in_bin": 1}  # fmt: skip
    return rows, lightgbm.train(parameters, lightgbm.Dataset(rows, worth), num_boost_round=1)


@pytest.mark.parametrize("leaves", [64, 65, 66, 250])
def test_large_trees_are_explained_like_small_ones(leaves: int) -> None:
    """Where a tree sends a row is one word of its splits; some trees have more splits than that."""
    rows, booster = with_long_ways(leaves=leaves)
    forest = parse_forest(booster.model_to_string())
    assert len(forest.trees.leaf) == 4 * leaves

    found = forest_contributions(forest, rows[:60])

    expected = np.asarray(booster.predict(rows[:60], pred_contrib=True))
    np.testing.assert_allclose(found.features, expected[:, :-1], rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize(("features", "rounds"), [(16, 1), (17, 2), (33, 3)])
def test_ways_over_many_features_take_as_many_points_as_they_need(features: int, rounds: int) -> None:
    """Eight points integrate ways of sixteen features without error, and no longer ones.

    Compared with sixty digits, since the library's own way loses half of a float's over so many features.
    """
    rows, booster = one_after_the_other(features)
    forest = parse_forest(booster.model_to_string())
    assert explaining(forest).given.paths.rounds.tolist() == [rounds]

    found = forest_contributions(forest, rows[[0, -1]])

    expected = [_by_polynomial(forest, row) for row in rows[[0, -1]]]
    np.testing.assert_allclose(found.features, expected, rtol=1e-12, atol=1e-12 * np.abs(expected).max())


def _by_polynomial(forest, row: Floats) -> list[float]:
    """Of one tree: leaf by leaf, the polynomial multiplied out and integrated in decimals."""
    goes, ways = _goes(forest, row), [(forest.trees.roots[0], {})]
    found = [Decimal(0)] * len(row)
    with localcontext() as context:
        context.prec = 60
        while ways:
            place, features = ways.pop()
            if place < 0:
                for one, (agrees, share) in features.items():
                    others = [pair for other, pair in features.items() if other != one]
                    found[one] += Decimal(forest.trees.leaf[~place]) * (agrees - share) * _integral(others)
                continue
            for side, child in ((1, forest.trees.left[place]), (0, forest.trees.right[place])):
                count = forest.cover.node[child] if child >= 0 else forest.cover.leaf[~child]
                agrees, share = features.get(forest.trees.feature[place], (1, Decimal(1)))
                share *= Decimal(count) / Decimal(forest.cover.node[place])
                own = (agrees * int(goes[place] == side), share)
                ways.append((child, features | {forest.trees.feature[place]: own}))
    return [float(each) for each in found]


def _integral(pairs: list[tuple[int, Decimal]]) -> Decimal:
    """From 0 to 1 of the product of t a + (1 - t) s over pairs (a, s)."""
    powers = [Decimal(1)]
    for agrees, share in pairs:
        longer = [Decimal(0), *(each * (agrees - share) for each in powers)]
        powers = [up + same * share for up, same in zip(longer, [*powers, Decimal(0)], strict=True)]
    return sum((each / (power + 1) for power, each in enumerate(powers)), Decimal(0))


@given(st.integers(0, 2**31 - 1), st.sampled_from(KINDS))
@settings(max_examples=8, deadline=None)
def test_rows_beside_a_row_change_nothing(seed: int, kind: dict) -> None:
    """Rows that a tree sends the same ways share what it adds: the same bits as alone."""
    forest = parse_forest(grown_of_kind(seed, kind).model_to_string())
    rows = awkward_rows(seed + 3, 40)
    asked = np.random.default_rng(seed).integers(0, len(rows), 60)

    together = forest_contributions(forest, rows[asked])

    one_by_one = [forest_contributions(forest, rows[[row]]).features[0] for row in asked]
    assert np.array_equal(one_by_one, together.features)


def test_a_small_tree_is_shared_as_the_definition_says() -> None:
    """Shapley's sum over all coalitions, written out: what the fast way must equal."""
    forest = parse_forest(grown_of_kind(5, KINDS[0] | {"num_leaves": 8}, rounds=1).model_to_string())
    (row,) = awkward_rows(6, 1)

    found = forest_contributions(forest, row[None, :])

    for feature in range(COLUMNS):
        assert found.features[0, feature] == pytest.approx(_by_definition(forest, row, feature), abs=1e-12)


def _by_definition(forest, row: Floats, feature: int) -> float:
    others, found = [f for f in range(COLUMNS) if f != feature], 0.0
    for size in range(COLUMNS):
        share = factorial(size) * factorial(COLUMNS - size - 1) / factorial(COLUMNS)
        for known in combinations(others, size):
            with_it = expected_score(forest, row, {*known, feature}, forest.trees.roots[0])
            found += share * (with_it - expected_score(forest, row, set(known), forest.trees.roots[0]))
    return found


def expected_score(forest, row: Floats, known: set[int], place: int | None = None) -> float:
    """The mean score where only some features are known; of one tree from `place` on, or of all."""
    trees, cover = forest.trees, forest.cover
    if place is None:
        return sum(expected_score(forest, row, known, root) for root in trees.roots)
    if place < 0:
        return float(trees.leaf[~place])
    left, right = int(trees.left[place]), int(trees.right[place])
    if trees.feature[place] in known:
        return expected_score(forest, row, known, left if _goes_left(forest, row, place) else right)
    counts = [cover.node[child] if child >= 0 else cover.leaf[~child] for child in (left, right)]
    shares = [count / cover.node[place] for count in counts]
    return sum(
        share * expected_score(forest, row, known, child)
        for share, child in zip(shares, (left, right), strict=True)
    )


def _goes_left(forest, row: Floats, place: int) -> bool:
    return bool(_goes(forest, row)[place])


def _goes(forest, row: Floats) -> np.ndarray:
    goes = np.empty(len(forest.trees.feature), dtype=np.int64)
    directions(forest.trees, row, 0, len(goes), goes)
    return goes


def test_a_forest_that_does_not_count_its_rows_is_not_explained() -> None:
    """A guess in place of an average would be a wrong reason."""
    text = grown_of_kind(1, KINDS[0]).model_to_string()
    bare = "\n".join(line for line in text.split("\n") if not line.startswith("internal_count"))

    with pytest.raises(ForestError, match="internal_count"):
        forest_contributions(parse_forest(bare), awkward_rows(1, 2))


@pytest.mark.parametrize("learner", sorted(LEARNERS))
def test_every_learners_contributions_add_up_to_what_a_treatment_causes(learner: str) -> None:
    """Reasons must be those of the number that was ranked; for treatments it never learned, too."""
    known = known_of()
    own = scorer(known, learner)
    value = own.score(known).value

    for treatment in range(len(playbook().treatments)):
        found = own.contributions(known, BOTH, treatment)

        together = found.constant + found.features.sum(axis=1)
        assert together == pytest.approx((value[:, treatment] - value[:, 0])[BOTH], rel=1e-9, abs=1e-9)


def test_a_treatment_with_a_forest_of_its_own_is_explained_by_both_forests() -> None:
    """What it brings and what no contact brings differ in their features."""
    known = known_of()
    texts = texts_of("t_learner", known) | {value_forest_of("visit_news"): grown(known, seed=7)}
    own = learned_scorer(manifest(known, "t_learner"), texts, arrays(), playbook())
    value = own.score(known).value

    found = own.contributions(known, BOTH, 4)

    together = found.constant + found.features.sum(axis=1)
    assert together == pytest.approx((value[:, 4] - value[:, 0])[BOTH], rel=1e-9)
    assert np.abs(found.features).sum() > 0.0


def test_codes_are_those_of_the_release_when_it_explains() -> None:
    """A new segment shifts the codes here; the reasons may not shift with them."""
    past = history()
    before = features(past, attributes=(Attribute("segment", ("A", "B", "C")),))
    after = features(past, attributes=(Attribute("segment", ("0", "A", "B")),))
    own = scorer(before, "s_learner")

    first, second = (own.contributions(f, np.array([0]), 4) for f in (before, after))

    np.testing.assert_array_equal(first.features, second.features)


def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many rows a forest is asked to explain, an entry for each time that it is asked."""
    found: list[int] = []

    def asked(forest: Forest, rows: Floats) -> Contributions:
        found.append(len(rows))
        return forest_contributions(forest, rows)

    monkeypatch.setattr(contributions, "forest_contributions", asked)
    return found


def test_no_contact_is_explained_once_for_a_list_though_codes_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    """A new segment shifts the codes of every account: its lists must not take longer for it."""
    past, asked = history(), counted(monkeypatch)
    own = scorer(features(past, attributes=(Attribute("segment", ("A", "B")),)), "s_learner")
    known = features(past, attributes=(Attribute("segment", ("0", "A", "B")),))

    for treatment in (1, 4):
        own.contributions(known, np.array([0]), treatment)

    assert asked == [1, 1, 1]


def test_starting_values_have_no_features() -> None:
    """Before anything was learned, nothing about the account has added to its worth."""
    found = StartingScorer(playbook()).contributions(features(history()), np.array([0]), 4)

    assert found.constant.tolist() == [20.0]
    assert not found.features.any()
