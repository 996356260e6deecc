"""A forest that is scored by its splits scores like the library that grew it, whatever the groups hold."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import lightgbm
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.features import Features
from engine.forest import parse_forest
from engine.forest_masks import BLOCK, masks_of
from engine.records import Floats, Moments
from tests.engine.builders import features
from tests.engine.random_histories import random_history
from tests.engine.test_forest import KINDS, SEEDS, SPECIAL

GROUPS = ("account", "channel", "topic", "message", "treatment")
LEAVES = (2, 5, 31, 64, 65, 120, 300)


@cache
def plain() -> Features:
    return features(random_history(1), Moments.at(["a"] * 40, 1_767_225_600_000_000))


def awkward(seed: int, *, moments: int = 40) -> Features:
    """Groups of numbers, codes, gaps, zeros, infinities and rows of which nothing was seen."""
    known, draw = plain(), np.random.default_rng(seed)

    def filled(group: Floats) -> Floats:
        shape = group.shape if len(group) == 6 and group.ndim == 2 else (moments, *group.shape[1:])
        values = np.round(draw.normal(size=shape) * 4.0, int(draw.integers(0, 3)))
        values[draw.random(shape) < 0.15] = np.nan
        values[draw.random(shape) < 0.15] = 0.0
        values = np.where(draw.random(shape) < 0.1, draw.choice(SPECIAL, size=shape), values)
        if group.ndim == 3:
            seen = draw.random(shape[:2]) < 0.5
            values[~seen] = group[0, 0] if draw.random() < 0.5 else np.nan
        return np.ascontiguousarray(values)

    asked = Moments.at(["a"] * moments, 1_767_225_600_000_000)
    return replace(known, moments=asked, **{name: filled(getattr(known, name)) for name in GROUPS})


def grown(known: Features, seed: int, kind: dict[str, Any], *, rounds: int | None = None) -> lightgbm.Booster:
    draw = np.random.default_rng(seed)
    t = len(known.set.treatments)
    rows = np.concatenate([known.row_matrix(np.full(len(known.moments), k)) for k in range(t)])
    label = np.nan_to_num(rows, posinf=9.0, neginf=-9.0).clip(-9.0, 9.0) @ draw.normal(size=rows.shape[1])
    label = label + draw.normal(size=len(rows))
    if kind["objective"] == "binary":
        label = (label > np.median(label)).astype(np.float64)
    if kind["objective"] == "poisson":
        label = np.abs(label)
    names = list(known.set.names)
    coded = [name for name in names if name in known.set.levels]
    own = {"verbosity": -1, "num_threads": 1, "min_data_in_leaf": 1, "min_data_per_group": 1,
           "cat_smooth": 1.0, "max_bin": 60} | kind  # fmt: skip
    data = lightgbm.Dataset(rows, label, feature_name=names, categorical_feature=coded, params=own)
    return lightgbm.train(own, data, num_boost_round=rounds or int(draw.integers(1, 9)))


def expected(booster: lightgbm.Booster, known: Features, treatments: Any) -> Floats:
    columns = [
        booster.predict(known.row_matrix(np.full(len(known.moments), t)), raw_score=True) for t in treatments
    ]
    return np.array(columns).T


def same_bits(one: Floats, other: Floats) -> bool:
    return one.shape == other.shape and one.tobytes() == np.ascontiguousarray(other).tobytes()


@given(SEEDS, st.sampled_from(KINDS), st.sampled_from(LEAVES))
@settings(max_examples=30, deadline=None)
def test_pairs_score_to_the_bit_like_the_library(seed: int, kind: dict[str, Any], leaves: int) -> None:
    """One word and several, missing values and zeros, infinities, unseen categories, in every group."""
    learned, met = awkward(seed, moments=100), awkward(seed + 1)
    booster = grown(learned, seed, {"num_leaves": leaves} | kind)

    pairs = parse_forest(booster.model_to_string()).predict_pairs(met)

    assert same_bits(pairs, expected(booster, met, range(6)))


@given(SEEDS, st.lists(st.integers(0, 5), min_size=1, max_size=6))
@settings(max_examples=15, deadline=None)
def test_any_candidates_in_any_order_score_as_among_all(seed: int, asked: list[int]) -> None:
    """A release scores those it has learned; what is kept of the last question must not answer the next."""
    booster = grown(awkward(seed), seed, KINDS[0])
    forest, first, second = parse_forest(booster.model_to_string()), awkward(seed + 1), awkward(seed + 2)

    for met in (first, second, first):
        whole = forest.predict_pairs(met)

        assert same_bits(forest.predict_pairs(met, np.array(asked)), whole[:, asked])
        assert same_bits(whole, expected(booster, met, range(6)))


@given(SEEDS)
@settings(max_examples=10, deadline=None)
def test_moments_score_alike_alone_and_together(seed: int) -> None:
    """The night scores a bucket, a live event one account."""
    forest = parse_forest(grown(awkward(seed), seed, KINDS[0]).model_to_string())
    met = awkward(seed + 1, moments=7)
    together = forest.predict_pairs(met)

    for i in range(7):
        alone = {name: getattr(met, name)[i : i + 1] for name in GROUPS if name != "treatment"}

        assert same_bits(forest.predict_pairs(replace(met, **alone)), together[i : i + 1])


def test_a_tree_of_one_leaf_among_others_adds_its_constant() -> None:
    """Boosting ends with trees that found nothing, and begins with one where there is a mean alone."""
    known = awkward(3)
    booster = grown(known, 3, {"objective": "regression", "min_data_in_leaf": 10_000})

    pairs = parse_forest(booster.model_to_string()).predict_pairs(known)

    assert same_bits(pairs, expected(booster, known, range(6)))


def test_no_moments_and_no_candidates_have_no_scores() -> None:
    """An empty bucket is a bucket."""
    forest = parse_forest(grown(awkward(1), 1, KINDS[0]).model_to_string())

    assert forest.predict_pairs(awkward(2, moments=0)).shape == (0, 6)
    assert forest.predict_pairs(awkward(2), np.zeros(0, dtype=np.int64)).shape == (40, 0)


@pytest.mark.parametrize(("leaves", "words"), [(31, 1), (65, 2), (300, 5)])
def test_a_tree_has_as_many_words_as_its_leaves_need(leaves: int, words: int) -> None:
    """Otherwise the tests above would prove less than they say."""
    known = awkward(5, moments=400)
    forest = parse_forest(
        grown(known, 5, {"objective": "regression", "num_leaves": leaves}).model_to_string()
    )
    masks = masks_of(forest.trees, len(forest.feature_names))

    assert np.diff(masks.word).max() == words
    assert masks.word[-1] == np.diff(masks.word).sum()


@pytest.mark.parametrize("leaves", [7, 300])
def test_words_are_joined_in_blocks_that_stay_in_the_cache(leaves: int) -> None:
    """Blocks hold whole trees, all of them, in order; a larger one would leave the cache."""
    known = awkward(6, moments=400)
    booster = grown(known, 6, {"objective": "regression", "num_leaves": leaves}, rounds=150)
    forest = parse_forest(booster.model_to_string())

    masks = masks_of(forest.trees, len(forest.feature_names))
    sizes = np.diff(masks.word[masks.block])

    assert len(sizes) > 2
    assert sizes.max() <= BLOCK
    assert sizes.sum() == masks.word[-1]
    assert same_bits(forest.predict_pairs(known), expected(booster, known, range(6)))
