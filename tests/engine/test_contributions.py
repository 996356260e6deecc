"""Contributions say what each feature adds to a score: all of it, and nothing else."""

from __future__ import annotations

from itertools import combinations
from math import factorial

import lightgbm
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.contributions import forest_contributions
from engine.forest import ForestError, parse_forest
from engine.records import Floats
from engine.scoring import LEARNERS, StartingScorer, learned_scorer, value_forest_of
from engine.way_sums import directions, explaining
from engine.ways import KEPT, REMEMBERED, SHORT, WORD, ways_of
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


def with_long_ways(*, seed: int, leaves: int) -> tuple[np.ndarray, lightgbm.Booster]:
    """Rows, and trees over them that ask many features one after the other."""
    draw = np.random.default_rng(seed)
    rows = draw.normal(size=(900, 14))
    label = np.prod(1.0 + 0.4 * (rows[:, :11] > 0.0), axis=1) + draw.normal(size=900)
    parameters = {"num_leaves": leaves, "verbosity": -1, "num_threads": 1, "min_data_in_leaf": 2}
    return rows, lightgbm.train(parameters, lightgbm.Dataset(rows, label), num_boost_round=4)


def test_long_ways_are_explained_like_short_ones() -> None:
    """Short ways are looked up in a table; deep trees over many features have none."""
    rows, booster = with_long_ways(seed=8, leaves=250)
    forest = parse_forest(booster.model_to_string())

    found = forest_contributions(forest, rows[:60])

    expected = np.asarray(booster.predict(rows[:60], pred_contrib=True))
    np.testing.assert_allclose(found.features, expected[:, :-1], rtol=1e-9, atol=1e-11)
    lengths = np.diff(ways_of(forest).slots)
    assert (lengths > SHORT).any()
    assert (lengths <= SHORT).any()


@given(st.integers(0, 2**31 - 1), st.sampled_from(KINDS))
@settings(max_examples=8, deadline=None)
def test_rows_explained_before_change_nothing(seed: int, kind: dict) -> None:
    """Trees remember what they added: a row's reasons are the same bits whatever was asked before it."""
    text = grown_of_kind(seed, kind).model_to_string()
    rows, forest = awkward_rows(seed + 3, 2 * REMEMBERED), parse_forest(text)
    asked = np.random.default_rng(seed).integers(0, len(rows), 3 * REMEMBERED)

    one_by_one = [forest_contributions(forest, rows[[row]]).features[0] for row in asked]

    together = forest_contributions(parse_forest(text), rows)
    assert np.array_equal(one_by_one, together.features[asked])


def test_what_longer_ways_keep_is_never_taken_for_another_rows() -> None:
    """They keep what they added for some combinations; many more come along, and some of them again."""
    rows, booster = with_long_ways(seed=9, leaves=60)
    forest = parse_forest(booster.model_to_string())
    held = explaining(forest).given
    assert (held.ways.long >= 0).any()
    assert np.diff(held.ways.nodes).max() <= WORD
    asked = np.random.default_rng(9).integers(0, 300, 6 * KEPT)

    found = np.array([forest_contributions(forest, rows[[row]]).features[0] for row in asked])

    assert (held.ways.memory.masks >= 0).any()
    expected = np.asarray(booster.predict(rows[asked], pred_contrib=True))
    np.testing.assert_allclose(found, expected[:, :-1], rtol=1e-9, atol=1e-11)
    fresh = forest_contributions(parse_forest(booster.model_to_string()), rows[asked[:20]])
    assert np.array_equal(found[:20], fresh.features)


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
    goes = np.empty(len(forest.trees.feature), dtype=np.bool_)
    directions(forest.trees, row, 0, len(goes), goes)
    return bool(goes[place])


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
    from engine.facts import Attribute

    past = history()
    before = features(past, attributes=(Attribute("segment", ("A", "B", "C")),))
    after = features(past, attributes=(Attribute("segment", ("0", "A", "B")),))
    own = scorer(before, "s_learner")

    first, second = (own.contributions(f, np.array([0]), 4) for f in (before, after))

    np.testing.assert_array_equal(first.features, second.features)


def test_starting_values_have_no_features() -> None:
    """Before anything was learned, nothing about the account has added to its worth."""
    found = StartingScorer(playbook()).contributions(features(history()), np.array([0]), 4)

    assert found.constant.tolist() == [20.0]
    assert not found.features.any()
