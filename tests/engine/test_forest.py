"""A forest read from its text scores exactly like the library that grew it."""

from __future__ import annotations

import re
from typing import Any

import lightgbm
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.forest import ForestError, parse_forest
from engine.forest_text import CATEGORICAL, DEFAULT_LEFT, MISSING_NAN, MISSING_ZERO
from engine.records import Floats, Moments
from tests.engine.builders import features
from tests.engine.random_histories import random_history, random_moments

COLUMNS = 6
SEEDS = st.integers(0, 2**31 - 1)
SPECIAL = np.array(
    [np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-36, -1e-36, 1.0000000180025095e-35, -1.0000000180025095e-35,
     1e-34, -0.5, -1.0, -1.5, 0.99, 3.7, 31.0, 32.0, 33.0, 64.0, 1e6, 2.0**31, -(2.0**31), 2.0**40, 1e300]
)  # fmt: skip
KINDS: tuple[dict[str, Any], ...] = (
    {"objective": "regression"},
    {"objective": "regression", "zero_as_missing": True},
    {"objective": "regression", "use_missing": False},
    {"objective": "regression", "boost_from_average": False, "num_leaves": 120},
    {"objective": "regression", "max_cat_to_onehot": 64},
    {"objective": "regression", "boosting": "dart"},
    {"objective": "regression_l1"},
    {"objective": "binary"},
    {"objective": "binary", "is_unbalance": True},
    {"objective": "poisson"},
)


def awkward_rows(seed: int, count: int) -> Floats:
    """Two columns of categories, four of numbers, with gaps, zeros and a few special values."""
    draw = np.random.default_rng(seed)
    rows = draw.normal(size=(count, COLUMNS))
    rows[:, :2] = draw.integers(-2, 45, size=(count, 2))
    rows[draw.random(rows.shape) < 0.1] = np.nan
    rows[draw.random(rows.shape) < 0.1] = 0.0
    return rows


def grown(seed: int, kind: dict[str, Any], *, rounds: int = 8, count: int = 400) -> lightgbm.Booster:
    rows = awkward_rows(seed, count)
    filled = np.nan_to_num(rows)
    label = filled[:, 0] % 3 + filled[:, 2] + np.random.default_rng(seed + 1).normal(size=count)
    if kind["objective"] == "binary":
        label = (label > 1.0).astype(np.float64)
    if kind["objective"] == "poisson":
        label = np.abs(label)
    settings_ = {
        "verbosity": -1,
        "num_threads": 1,
        "min_data_in_leaf": 3,
        "min_data_per_group": 1,
        "cat_smooth": 1.0,
    } | kind
    data = lightgbm.Dataset(rows, label, categorical_feature=[0, 1], params=settings_)
    return lightgbm.train(settings_, data, num_boost_round=rounds)


@given(SEEDS, st.sampled_from(KINDS))
@settings(max_examples=40, deadline=None)
def test_scores_equal_the_librarys_to_the_bit(seed: int, kind: dict[str, Any]) -> None:
    """Missing values, zeros, infinities, unseen and negative categories."""
    booster = grown(seed, kind)
    draw = np.random.default_rng(seed + 2)
    rows = np.concatenate([awkward_rows(seed + 3, 200), draw.choice(SPECIAL, size=(300, COLUMNS))])

    scores = parse_forest(booster.model_to_string()).predict(rows)

    expected = booster.predict(rows, raw_score=True)
    assert scores.tobytes() == np.asarray(expected).tobytes()


def test_the_forests_of_these_tests_have_splits_of_every_kind() -> None:
    """Otherwise the test above would prove less: categories, and numbers whose missing values or zeros go by
    default to the left or to the right."""
    forests = [parse_forest(grown(seed, kind).model_to_string()) for seed in (1, 2) for kind in KINDS]
    met = set(np.concatenate([forest.trees.decision for forest in forests]).tolist())

    numeric = {missing | left for missing in (0, MISSING_ZERO, MISSING_NAN) for left in (0, DEFAULT_LEFT)}
    assert any(decision & CATEGORICAL for decision in met)
    assert {decision for decision in met if not decision & CATEGORICAL} >= numeric - {0}


def test_a_forest_that_found_nothing_is_a_constant() -> None:
    """Few cases or no signal: trees of one leaf."""
    booster = grown(1, {"objective": "regression", "min_data_in_leaf": 300})
    rows = awkward_rows(2, 5)

    scores = parse_forest(booster.model_to_string()).predict(rows)

    assert scores.tobytes() == booster.predict(rows, raw_score=True).tobytes()
    assert len(set(scores)) == 1


def test_no_rows_have_no_scores() -> None:
    """An empty bucket is a bucket."""
    forest = parse_forest(grown(1, KINDS[0]).model_to_string())

    assert forest.predict(np.empty((0, COLUMNS))).shape == (0,)


def test_line_ends_of_another_system_change_nothing() -> None:
    """A release that went through a Windows share is the same release."""
    text = grown(1, KINDS[0]).model_to_string()
    rows = awkward_rows(3, 50)

    there = parse_forest(text.replace("\n", "\r\n"))

    np.testing.assert_array_equal(there.predict(rows), parse_forest(text).predict(rows))


@given(SEEDS)
@settings(max_examples=15, deadline=None)
def test_pairs_score_like_their_model_rows(seed: int) -> None:
    """Groups are read without building the cross product; what is read must be what was trained on."""
    past, asked = random_history(seed), random_moments(seed, 60)
    known = features(past, asked)
    draw = np.random.default_rng(seed)
    action = draw.integers(0, 6, size=len(asked))
    rows = known.row_matrix(action)
    label = draw.normal(size=len(asked)) + action
    coded = [name for name in known.set.names if name in known.set.levels]
    parameters = {"objective": "regression", "verbosity": -1, "num_threads": 1, "min_data_in_leaf": 2}
    data = lightgbm.Dataset(rows, label, feature_name=list(known.set.names), categorical_feature=coded)
    booster = lightgbm.train(parameters, data, num_boost_round=10)
    forest = parse_forest(booster.model_to_string())

    pairs = forest.predict_pairs(known)

    for treatment in range(6):
        expected = booster.predict(known.row_matrix(np.full(len(asked), treatment)), raw_score=True)
        assert np.ascontiguousarray(pairs[:, treatment]).tobytes() == np.asarray(expected).tobytes()
        chosen = forest.predict_pairs(known, np.array([treatment]))
        np.testing.assert_array_equal(chosen[:, 0], pairs[:, treatment])


def test_a_feature_that_is_not_known_here_is_named_with_what_is_near() -> None:
    """A release of another version of the features must not score something else."""
    known = features(random_history(1), Moments((), np.zeros(0, dtype=np.int64)))
    text = grown(1, KINDS[0]).model_to_string()
    text = text.replace("Column_0", "outbound_any_31d", 1)

    with pytest.raises(ForestError, match=r"'outbound_any_31d', .* near 'outbound_any_30d'"):
        parse_forest(text).predict_pairs(known)


def test_rows_of_another_width_are_refused() -> None:
    """Reading beyond a row would score noise."""
    with pytest.raises(ForestError, match=r"shape \(2, 3\), but the forest reads 6 columns"):
        parse_forest(grown(1, KINDS[0]).model_to_string()).predict(np.zeros((2, 3)))


def _without(line: str) -> Any:
    return lambda text: "\n".join(kept for kept in text.split("\n") if not kept.startswith(line))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda text: "", "does not begin with 'tree'"),
        (lambda text: "<html>not found</html>", "does not begin with 'tree'"),
        (lambda text: text[: len(text) // 3], "is cut off"),
        (lambda text: text.partition("\nTree=3")[0], "is cut off"),
        (_without("tree_sizes"), "has no 'tree_sizes'"),
        (lambda text: text.replace("version=v4", "version=v9"), "version 'v9', but v3 and v4"),
        (lambda text: text.replace("num_class=1", "num_class=3"), "multiclass"),
        (lambda text: text.replace("is_linear=0", "is_linear=1"), "Tree 0 is linear"),
        (lambda text: text.replace("max_feature_idx=5", "max_feature_idx=6"), "names 6 features"),
        (lambda text: text.replace("leaf_value=", "leaf_value=x "), "leaf_value is not a list of numbers"),
        (lambda text: text.replace("leaf_value=", "leaf_value=1 "), "leaf_value has"),
        (lambda text: text.replace("leaf_value=", "leaf_value=nan\nold="), "leaf_value has"),
        (_without("threshold"), "threshold has 0 values"),
        (_without("num_leaves"), "num_leaves has 0 values"),
        (lambda text: re.sub("left_child=[-0-9]+", "left_child=0", text), "do not make a tree"),
        (lambda text: re.sub("split_feature=[0-9]+", "split_feature=6", text), "do not make a tree"),
        (lambda text: text.replace("split_feature=", "split_feature=99 "), "split_feature has"),
        (lambda text: text.replace("cat_boundaries=0", "cat_boundaries=7"), "point outside"),
        (_without("cat_threshold"), "cat_threshold has 0 values"),
    ],
)
def test_a_damaged_text_is_one_line_that_says_what_was_met(damage: Any, message: str) -> None:
    """A release that was cut, edited or is none at all must not score."""
    text = grown(1, KINDS[0]).model_to_string()

    with pytest.raises(ForestError, match=message) as error:
        parse_forest(damage(text))

    assert "\n" not in str(error.value)


def test_a_random_forest_is_refused() -> None:
    """Its score is a mean, which this does not compute to the bit."""
    booster = grown(
        1, {"objective": "regression", "boosting": "rf", "bagging_fraction": 0.5, "bagging_freq": 1}
    )

    with pytest.raises(ForestError, match="rf"):
        parse_forest(booster.model_to_string())


@given(SEEDS, st.data())
@settings(max_examples=30, deadline=None)
def test_a_text_changed_anywhere_scores_or_is_refused_but_never_hangs(seed: int, data: st.DataObject) -> None:
    """Whatever a disk does to the digits: no endless path, no reading outside, no other exception."""
    text = grown(seed % 5, KINDS[0], rounds=3).model_to_string().partition("\nfeature_importances")[0]
    place = data.draw(st.integers(0, len(text) - 1))
    damaged = text[:place] + data.draw(st.sampled_from("0123456789- .\nex")) + text[place + 1 :]

    try:
        scores = parse_forest(damaged).predict(awkward_rows(1, 20)[:, :COLUMNS])
    except ForestError:
        return

    assert scores.shape == (20,)
