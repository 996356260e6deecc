"""Forests that are scored side by side say what each of them says alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import lightgbm
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.forest import Forest, ForestError, parse_forest
from engine.forest_joint import joint_of, score_joint
from tests.engine.test_forest import KINDS, SEEDS
from tests.engine.test_forest_masks import GROUPS, LEAVES, awkward, expected, grown, same_bits


def parsed(booster: lightgbm.Booster) -> Forest:
    return parse_forest(booster.model_to_string())


@given(SEEDS, st.lists(st.sampled_from(KINDS), min_size=1, max_size=4), st.sampled_from(LEAVES))
@settings(max_examples=15, deadline=None)
def test_each_forest_scores_its_treatment_to_the_bit_like_the_library(
    seed: int, kinds: list[dict[str, Any]], leaves: int
) -> None:
    """A value that rules out leaves of one forest may not touch those of another, of however many words."""
    learned, met = awkward(seed, moments=60), awkward(seed + 1, moments=20)
    asked = np.random.default_rng(seed).integers(0, 6, len(kinds))
    boosters = [grown(learned, seed + k, {"num_leaves": leaves} | kind) for k, kind in enumerate(kinds)]

    scores = score_joint(joint_of([parsed(b) for b in boosters], met, asked), met, len(asked))

    alone = [expected(booster, met, [t])[:, 0] for booster, t in zip(boosters, asked, strict=True)]
    assert same_bits(scores, np.array(alone).T)


def test_moments_score_alike_alone_and_together() -> None:
    """The night scores a bucket, a live event one account; nothing of one account stays for the next."""
    learned, met = awkward(1), awkward(2, moments=7)
    forests = [parsed(grown(learned, seed, KINDS[0])) for seed in range(3)]
    joint = joint_of(forests, met, np.array([0, 3, 5]))
    together = score_joint(joint, met, 3)

    for i in range(7):
        alone = {name: getattr(met, name)[i : i + 1] for name in GROUPS if name != "treatment"}

        assert same_bits(score_joint(joint, replace(met, **alone), 3), together[i : i + 1])


def test_a_forest_that_found_nothing_stands_beside_others() -> None:
    """A treatment with few cases has a constant; the trees after it are counted from the right place."""
    known = awkward(3)
    nothing = {"objective": "regression", "min_data_in_leaf": 10_000}
    boosters = [grown(known, 3, kind) for kind in (nothing, KINDS[0], nothing)]

    scores = score_joint(joint_of([parsed(b) for b in boosters], known, np.array([1, 2, 3])), known, 3)

    assert same_bits(scores[:, 0], expected(boosters[0], known, [1])[:, 0])
    assert same_bits(scores[:, 1], expected(boosters[1], known, [2])[:, 0])
    assert same_bits(scores[:, 2], expected(boosters[2], known, [3])[:, 0])


def test_a_feature_that_is_not_known_here_is_refused() -> None:
    """A release of another store must not be read by the place of its columns."""
    known = awkward(3)
    forest = parsed(grown(known, 3, KINDS[0]))
    other = replace(forest, feature_names=("unheard_of", *forest.feature_names[1:]))

    with pytest.raises(ForestError, match="unheard_of"):
        joint_of([forest, other], known, np.array([0, 1]))
