"""The estimators against all outcomes of tiny problems, and against a second, independent implementation."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.estimation import (
    Logged,
    Resamples,
    direct_terms,
    doubly_robust_terms,
    effective_sample_size,
    ips_terms,
    snips_terms,
)

ASSIGNMENT = np.array([[0.5, 0.3, 0.2], [0.1, 0.6, 0.3]])
TARGET = np.array([[0.0, 1.0, 0.0], [0.2, 0.2, 0.6]])
SUCCESS = np.array([[0.1, 0.4, 0.2], [0.3, 0.0, 0.9]])
"""Two accounts, three treatments; the reward is 0 or 1 with these probabilities."""
TRUTH = float((TARGET * SUCCESS).sum() / 2)


def expectation(estimate) -> float:
    """The mean of an estimate over every possible log of the two accounts, weighted by its probability."""
    expected = 0.0
    for actions in product(range(3), repeat=2):
        for rewards in product((0.0, 1.0), repeat=2):
            chance = 1.0
            for row, (action, reward) in enumerate(zip(actions, rewards, strict=True)):
                success = SUCCESS[row, action]
                chance *= ASSIGNMENT[row, action] * (success if reward else 1.0 - success)
            logged = Logged(
                np.array(rewards), np.array(actions), ASSIGNMENT[[0, 1], list(actions)], np.arange(2)
            )
            expected += chance * estimate(logged)
    return expected


def test_inverse_propensity_is_unbiased_over_all_logs() -> None:
    """36 logs are possible; by hand the truth is (.4 + .06 + .0 + .54) / 2 = .5."""
    assert pytest.approx(0.5, abs=1e-15) == TRUTH

    assert expectation(lambda logged: ips_terms(logged, TARGET).value) == pytest.approx(TRUTH, abs=1e-12)


@pytest.mark.parametrize("model", [np.zeros((2, 3)), SUCCESS, np.array([[5.0, -1, 2], [0, 3, -7]])])
def test_doubly_robust_is_unbiased_whatever_the_model(model: np.ndarray) -> None:
    """With right probabilities even an absurd model does no harm on average."""
    value = expectation(lambda logged: doubly_robust_terms(logged, TARGET, model).value)

    assert value == pytest.approx(TRUTH, abs=1e-12)


def test_doubly_robust_is_right_with_wrong_probabilities_and_the_right_model() -> None:
    """The other half of "doubly": the expected correction of a right model is zero."""

    def estimate(logged: Logged) -> float:
        wrong = Logged(logged.reward, logged.action, np.full(2, 0.9), logged.cluster)
        return doubly_robust_terms(wrong, TARGET, SUCCESS).value

    assert expectation(estimate) == pytest.approx(TRUTH, abs=1e-12)


def test_the_direct_method_repeats_its_model() -> None:
    """It looks at no reward: right with a right model, and only then."""
    assert direct_terms(TARGET, SUCCESS).value == pytest.approx(TRUTH, abs=1e-15)


@st.composite
def problems(draw: st.DrawFn) -> tuple[Logged, np.ndarray, np.ndarray]:
    """A random log with a target policy and a model."""
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n, treatments = draw(st.integers(1, 40)), draw(st.integers(1, 5))
    assignment = generator.dirichlet(np.ones(treatments), n) * 0.9 + 0.1 / treatments
    action = generator.integers(0, treatments, n)
    logged = Logged(
        generator.normal(5.0, 10.0, n),
        action,
        assignment[np.arange(n), action],
        generator.integers(0, 8, n),
    )
    return logged, generator.dirichlet(np.ones(treatments), n), generator.normal(5.0, 3.0, (n, treatments))


@settings(max_examples=60, deadline=None)
@given(problems(), st.sampled_from([np.inf, 3.0]))
def test_every_estimator_equals_a_plain_numpy_one(problem, max_weight: float) -> None:
    """A slip in one implementation does not occur in the other."""
    logged, target, model = problem
    n = len(logged)
    chosen = target[np.arange(n), logged.action]
    weight = np.minimum(chosen / logged.assignment, max_weight)
    expected = (target * model).sum(axis=1)
    error = logged.reward - model[np.arange(n), logged.action]

    ours = (
        ips_terms(logged, target, max_weight=max_weight).value,
        snips_terms(logged, target, max_weight=max_weight).value,
        doubly_robust_terms(logged, target, model, max_weight=max_weight).value,
        direct_terms(target, model).value,
        effective_sample_size(weight),
    )

    plain = (
        np.mean(weight * logged.reward),
        np.average(logged.reward, weights=weight),
        np.mean(expected + weight * error),
        expected.mean(),
        weight.sum() ** 2 / (weight**2).sum(),
    )
    assert ours == pytest.approx(plain, rel=1e-12, abs=1e-12)


@settings(max_examples=20, deadline=None)
@given(problems(), st.integers(0, 1000))
def test_a_resample_equals_repeating_the_rows_of_the_drawn_accounts(problem, seed: int) -> None:
    """The bootstrap works on sums by account; that must be the same as building each resampled log."""
    logged, target, _ = problem
    terms = snips_terms(logged, target)
    resamples = Resamples.of(logged.cluster, seed=seed, resamples=5)

    values = resamples.values(terms)

    known = np.unique(logged.cluster)
    for value, drawn in zip(values, resamples.draws, strict=True):
        rows = np.concatenate([np.flatnonzero(logged.cluster == known[c]) for c in drawn])
        plain = math.fsum(terms.numerator[rows]) / math.fsum(terms.denominator[rows])
        parts = math.fsum(np.abs(terms.numerator[rows])) / math.fsum(terms.denominator[rows])
        assert value == pytest.approx(plain, rel=1e-12, abs=1e-12 * parts)
