"""Shrinkage, sensitivity, curves and few clusters against small problems tried in full and plain NumPy."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.clusters import WildBootstrap
from engine.curves import calibration_terms, qini_terms, uplift_curve
from engine.estimation import SHRINKAGES, Logged, Terms, doubly_robust_terms, shrunk_terms
from engine.sensitivity import Contrast
from tests.oracle.test_estimators import problems


def plain_shrunk(logged: Logged, target: np.ndarray, model: np.ndarray) -> float:
    """The same estimator in array notation: for each half, the best shrinkage of the other half."""
    rows = np.arange(len(logged))
    w = target[rows, logged.action] / logged.assignment
    e = logged.reward - model[rows, logged.action]
    q = (target * model).sum(axis=1)
    code = np.searchsorted(np.unique(logged.cluster), logged.cluster)
    value = np.empty(len(logged))
    for parity in (0, 1):
        own, other = code % 2 == parity, code % 2 != parity
        scores = {}
        for s in SHRINKAGES:
            v = w[other] if np.isinf(s) else w[other] * s / (w[other] ** 2 + s)
            if other.any():
                bias = np.mean((v - w[other]) * e[other])
                scores[s] = bias**2 + np.var(q[other] + v * e[other]) / other.sum()
        s = min(scores, key=lambda s: (scores[s], -s)) if scores else np.inf
        value[own] = (q + (w if np.isinf(s) else w * s / (w**2 + s)) * e)[own]
    return float(value.mean())


@settings(max_examples=60, deadline=None)
@given(problems())
def test_shrinkage_equals_a_plain_numpy_one(problem) -> None:
    """Weights, choice of the other half and correction, in a second notation."""
    logged, target, model = problem

    assert shrunk_terms(logged, target, model).value == pytest.approx(
        plain_shrunk(logged, target, model), rel=1e-12, abs=1e-12
    )


@settings(max_examples=40, deadline=None)
@given(problems(), st.sampled_from([1.0, 1.3, 2.5]))
def test_the_bounds_are_those_of_all_combinations_of_least_and_largest_weights(problem, strength) -> None:
    """The extreme of a ratio of sums has every weight at one of its ends: try them all."""
    logged, target, model = problem
    few = np.arange(min(len(logged), 7))
    logged = Logged(*(getattr(logged, name)[few] for name in ("reward", "action", "assignment", "cluster")))
    target, model = target[few], model[few]
    reference = np.roll(target, 1, axis=0)
    rows = np.arange(len(logged))
    lift = (target - reference)[rows, logged.action]
    error = logged.reward - model[rows, logged.action]
    odds = 1 / logged.assignment - 1
    base = ((target - reference) * model).sum(axis=1).mean()
    mass = np.maximum(target - reference, 0).sum(axis=1).mean()
    found = []
    for ends in product((1 / strength, strength), repeat=len(logged)):
        weight = 1 + odds * np.array(ends)
        sides = []
        for sign in (1, -1):
            own = sign * lift > 0
            below = (weight * lift)[own].sum()
            sides.append((weight * lift * error)[own].sum() / below if own.any() else np.nan)
        found.append(base + mass * (sides[0] - sides[1]) if mass > 0 else base)

    low, high = Contrast.of(logged, target, reference, model).bounds(strength)

    if mass > 1e-9:
        assert (low, high) == pytest.approx((min(found), max(found)), rel=1e-9, abs=1e-9, nan_ok=True)


def test_with_nothing_unseen_the_bounds_are_one_number_near_doubly_robust() -> None:
    """At strength 1 both ends are the self-normalised doubly robust difference."""
    generator = np.random.default_rng(0)
    n = 4_000
    action = generator.integers(0, 2, n)
    logged = Logged(action * 3.0 + generator.normal(size=n), action, np.full(n, 0.5), np.arange(n))
    always, never = np.tile([0.0, 1.0], (n, 1)), np.tile([1.0, 0.0], (n, 1))
    model = np.zeros((n, 2))

    low, high = Contrast.of(logged, always, never, model).bounds(1.0)

    plain = logged.reward[action == 1].mean() - logged.reward[action == 0].mean()
    assert (low, high) == pytest.approx((plain, plain), abs=1e-12)
    robust = (
        doubly_robust_terms(logged, always, model).value - doubly_robust_terms(logged, never, model).value
    )
    assert low == pytest.approx(robust, abs=0.2)


gains = st.lists(
    st.tuples(st.sampled_from([0.0, 1.0, 2.0, 3.5]), st.floats(-50, 50)), min_size=2, max_size=30
)


@settings(max_examples=80, deadline=None)
@given(gains)
def test_the_area_is_that_between_curve_and_straight_line(pairs) -> None:
    """The rank-weighted mean and the picture must say the same, whatever the order of equals."""
    expected, gain = np.array(pairs).T
    curve = uplift_curve(expected, gain, points=len(gain) + 1)

    area = np.trapezoid(curve.gain - curve.random, curve.share)

    assert qini_terms(expected, gain).value == pytest.approx(area, rel=1e-9, abs=1e-9)
    treated_first = gain[expected == expected.max()].sum() / len(gain)
    first = np.searchsorted(curve.share, (expected == expected.max()).mean() - 1e-9)
    assert curve.gain[first] == pytest.approx(treated_first, rel=1e-9, abs=1e-9)
    assert curve.gain[-1] == pytest.approx(gain.mean(), rel=1e-9, abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(gains)
def test_the_slope_is_that_of_least_squares(pairs) -> None:
    """numpy.polyfit of what came on what was expected."""
    expected, gain = np.array(pairs).T
    if len(set(expected)) > 1:
        slope = np.polyfit(expected, gain, 1)[0]

        assert calibration_terms(expected, gain).value == pytest.approx(slope, rel=1e-8, abs=1e-8)


def test_the_wild_bootstrap_equals_a_plain_one() -> None:
    """Cluster sums, t of every draw, 95th percentile: the same in array notation."""
    generator = np.random.default_rng(3)
    cluster = generator.integers(0, 9, 200)
    terms = Terms(generator.normal(5, 2, 200), generator.uniform(0.5, 1.5, 200))
    wild = WildBootstrap.of(cluster, seed=1)

    found = wild.interval(terms)

    value = terms.numerator.sum() / terms.denominator.sum()
    influence = (terms.numerator - value * terms.denominator) / terms.denominator.sum()
    sums = np.array([influence[cluster == g].sum() for g in range(9)])
    share = np.bincount(cluster) / 200
    drawn = wild.weights * sums
    moved = drawn.sum(axis=1)
    error = np.sqrt(9 / 8 * (sums**2).sum())
    spread = np.sqrt(9 / 8 * ((drawn - moved[:, None] * share) ** 2).sum(axis=1))
    reach = np.sort(np.abs(moved) / spread)[int(0.95 * 999)] * error
    assert (found.low, found.high) == pytest.approx((value - reach, value + reach), rel=1e-12)
