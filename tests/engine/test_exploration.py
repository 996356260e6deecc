"""Thompson sampling whose probabilities are known: counts of draws, the same for one and for many."""

from __future__ import annotations

from math import erf, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.arbitration import rank
from engine.exploration import best_counts, chosen
from engine.numerics import bits, normal_one

DAY = np.array([20_000])


def counts(
    priority: list[float], uncertainty: list[float], *, draws: int = 1_000, eligible=None, seed: int = 0
):
    open_ = np.ones((1, len(priority)), dtype=bool) if eligible is None else np.array([eligible])
    return best_counts(
        np.array([priority]), np.array([uncertainty]), open_, ("a",), DAY, draws=draws, seed=seed
    )[0]


def test_the_numbers_drawn_are_standard_normal() -> None:
    """Mean, spread and the share beyond 2 of 20,000 numbers, within four standard errors."""
    numbers = np.array([normal_one(np.uint64(bits(1, "a")), np.uint64(i)) for i in range(20_000)])

    assert abs(numbers.mean()) < 4 / 20_000**0.5
    assert abs(numbers.var() - 1.0) < 4 * (2 / 20_000) ** 0.5
    assert abs((numbers > 2.0).mean() - 0.02275) < 4 * (0.02275 / 20_000) ** 0.5


def test_what_is_certain_is_always_taken() -> None:
    """Without uncertainty every draw says the same: the greedy policy."""
    assert counts([0.0, 3.0, 5.0], [0.0, 0.0, 0.0]).tolist() == [0, 0, 1_000]
    assert counts([0.0, -3.0, -5.0], [0.0, 0.0, 0.0]).tolist() == [1_000, 0, 0]


def test_a_treatment_is_taken_as_often_as_it_may_be_the_best() -> None:
    """One contact worth 1 with an error of 2 against nothing: better with probability Phi(1 / 2)."""
    found = counts([0.0, 1.0], [0.0, 2.0], draws=20_000)[1] / 20_000

    expected = (1.0 + erf(0.5 / sqrt(2.0))) / 2.0
    assert found == pytest.approx(expected, abs=4 * (expected * (1 - expected) / 20_000) ** 0.5)


def test_the_more_uncertain_of_two_weak_treatments_gets_the_chance() -> None:
    """Neither is expected to be as good as the third; only one of them still may be."""
    found = counts([0.0, 10.0, 5.0, 5.0], [0.0, 1.0, 8.0, 1.0])

    assert found[2] > 100
    assert found[3] < 10


def test_what_is_not_eligible_is_never_drawn() -> None:
    """However uncertain it is."""
    assert counts([0.0, 1.0, 1.0], [0.0, 1.0, 100.0], eligible=[True, True, False])[2] == 0


@given(st.integers(0, 2**31 - 1), st.integers(1, 40))
@settings(max_examples=30, deadline=None)
def test_many_together_are_drawn_as_one_by_one(seed: int, draws: int) -> None:
    """Law 1: the night and a live decision count the same draws and choose the same."""
    draw = np.random.default_rng(seed)
    priority, error = draw.normal(0, 5, (6, 5)), draw.uniform(0, 5, (6, 5))
    priority[:, 0] = error[:, 0] = 0.0
    eligible, day = draw.random((6, 5)) < 0.7, draw.integers(0, 3, 6)
    eligible[:, 0] = True
    names = tuple(f"a{i % 3}" for i in range(6))

    together = best_counts(priority, error, eligible, names, day, draws=draws, seed=seed)
    first = chosen(together, names, day, seed=seed)

    assert together.sum(axis=1).tolist() == [draws] * 6
    assert (together[np.arange(6), first] > 0).all()
    for i in range(6):
        one = slice(i, i + 1)
        own = best_counts(
            priority[one], error[one], eligible[one], names[one], day[one], draws=draws, seed=seed
        )
        assert own.tobytes() == together[one].tobytes()
        assert chosen(own, names[one], day[one], seed=seed)[0] == first[i]


def test_with_draws_the_probability_of_place_1_is_exact_and_keeps_the_uniform_floor() -> None:
    """share / m + (1 - share) x count / M; over 4,000 accounts the frequencies agree with the mean target."""
    n = 4_000
    names = tuple(f"a{i}" for i in range(n))
    priority, error = np.tile([0.0, 4.0, 3.0, -9.0], (n, 1)), np.tile([0.0, 1.0, 3.0, 0.0], (n, 1))
    eligible, day = np.ones((n, 4), dtype=bool), np.full(n, 20_000)

    found = rank(
        priority, eligible, names, day, treatments=("none", "a", "b", "c"), share=0.2, places=2, seed=3,
        uncertainty=error, draws=16,
    )  # fmt: skip

    rows, first = np.arange(n), found.places[:, 0]
    of_posterior = (found.target - 0.05) / 0.8 * 16
    assert np.abs(found.target.sum(axis=1) - 1.0).max() < 1e-12
    assert np.abs(of_posterior - np.round(of_posterior)).max() < 1e-9
    assert (found.probability == found.target[rows, first]).all()
    assert (found.target >= 0.05 - 1e-12).all()
    expected = found.target.mean(axis=0)
    assert np.bincount(first, minlength=4) / n == pytest.approx(expected, abs=4 * (0.25 / n) ** 0.5)
    assert (first[~found.explored] == found.greedy[~found.explored]).all()
