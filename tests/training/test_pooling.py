"""Effects of treatments are drawn towards those of their channel and topic by as much as they are noise."""

from __future__ import annotations

import numpy as np
import pytest

from training.pooling import Pooled, pooled


def of(effect: list[float], variance: list[float], channels: str = "", topics: str = "") -> Pooled:
    """One letter per treatment names its channel and topic; none = all alike."""
    alike = "x" * len(effect)
    return pooled(np.array(effect), np.array(variance), channels or alike, topics or alike)


def test_effects_that_noise_explains_become_one() -> None:
    """0 and 2 with a variance of 4 each: they differ by less than noise does, so both become the mean 1."""
    found = of([0.0, 2.0], [4.0, 4.0])

    assert found.effect == pytest.approx([1.0, 1.0])
    assert found.error == pytest.approx([2**0.5, 2**0.5])


def test_what_all_estimates_are_compared_with_is_not_averaged_away() -> None:
    """Ten effects beside the same accounts left alone, each sure to 1: their mean is no surer than those."""
    effect, alike = np.linspace(4.0, 6.0, 10), "x" * 10

    found = pooled(effect, np.ones(10), alike, alike, shared=np.full(10, 4.0))
    alone = pooled(effect, np.ones(10), alike, alike)

    assert found.effect == pytest.approx(alone.effect)
    assert found.error == pytest.approx(np.sqrt(alone.error**2 + 4.0))
    assert found.error.min() > 2.0
    assert found.pool.error == pytest.approx(np.sqrt(alone.pool.error**2 + 4.0))


def test_effects_keep_the_part_that_noise_does_not_explain() -> None:
    """0 and 10 with a variance of 1: 50 between estimates, 49 between effects; each moves 1/50 of the way."""
    assert of([0.0, 10.0], [1.0, 1.0]).effect == pytest.approx([0.1, 9.9], abs=0.02)


def test_an_uncertain_effect_is_drawn_further_than_a_certain_one() -> None:
    """Or the treatment with the fewest cases would be the best fixed action of every noisy log."""
    found = of([0.0, 5.0, 30.0], [1.0, 1.0, 400.0])

    assert found.effect[2] < 10.0
    assert abs(found.effect[1] - 5.0) < 1.0
    assert found.error[2] > found.error[1]


def test_a_treatment_without_comparison_is_worth_what_the_others_are() -> None:
    """No estimate is not an estimate of nothing; with nothing at all to go by no effect is claimed."""
    assert of([4.0, 0.0], [1.0, np.inf]).effect == pytest.approx([4.0, 4.0])
    nothing = of([0.0], [np.inf])
    assert nothing.effect.tolist() == [0.0]
    assert np.isinf(nothing.error).all()
    assert np.isinf(nothing.pool.error).all()


def test_a_noisy_message_inherits_from_its_channel_and_not_from_the_others() -> None:
    """Visits are worth 100, e-mails 10: a third visit with hardly any cases is a visit first of all."""
    found = of([98.0, 102.0, 9.0, 11.0, 0.0], [4.0, 4.0, 4.0, 4.0, 1e6], "vveev", "ababc")

    assert found.effect[4] == pytest.approx(100.0, abs=5.0)
    assert found.effect[2] == pytest.approx(10.0, abs=2.0)


def test_a_new_message_inherits_from_channel_and_topic_with_its_uncertainty() -> None:
    """Topic b is worth 20 more than a in two channels; so it is in the third, where it was never tried."""
    found = of([100.0, 120.0, 10.0, 30.0, 50.0], [1.0] * 5, "vveec", "ababa")

    effect, error = found.pool.of(["v", "c", "new"], ["b", "b", "b"])

    assert effect[0] == pytest.approx(120.0, abs=3.0)
    assert effect[1] == pytest.approx(70.0, abs=8.0)
    assert error[0] < error[1] < error[2]
    assert error[2] > 20.0
