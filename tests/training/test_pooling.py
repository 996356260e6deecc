"""Effects of treatments are drawn towards each other by as much as they are noise."""

from __future__ import annotations

import numpy as np
import pytest

from training.learners import pooled


def test_effects_that_noise_explains_become_one() -> None:
    """0 and 2 with a variance of 4 each: Q = 0.5 is below its expectation 1, so both become the mean 1."""
    found = pooled(np.array([0.0, 2.0]), np.array([4.0, 4.0]))

    assert found == pytest.approx([1.0, 1.0])


def test_effects_keep_the_part_that_noise_does_not_explain() -> None:
    """0 and 10 with a variance of 1: Q = 50, t = (50 - 1) / 1 = 49, so each moves 1/50 of the way to 5."""
    found = pooled(np.array([0.0, 10.0]), np.array([1.0, 1.0]))

    assert found == pytest.approx([0.1, 9.9])


def test_an_uncertain_effect_is_drawn_further_than_a_certain_one() -> None:
    """Or the treatment with the fewest cases would be the best fixed action of every noisy log."""
    effect, variance = np.array([0.0, 5.0, 30.0]), np.array([1.0, 1.0, 400.0])

    found = pooled(effect, variance)

    assert found[2] < found[1]
    assert abs(found[1] - 5.0) < 1.0


def test_a_treatment_without_comparison_is_worth_what_the_others_are() -> None:
    """No estimate is not an estimate of nothing; with nothing at all to go by no effect is claimed."""
    assert pooled(np.array([4.0, 0.0]), np.array([1.0, np.inf])) == pytest.approx([4.0, 4.0])
    assert pooled(np.array([0.0]), np.array([np.inf])) == pytest.approx([0.0])
