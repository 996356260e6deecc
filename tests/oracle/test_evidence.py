"""Shrinkage, sensitivity, curves and few clusters against small problems tried in full and plain NumPy."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.clusters import WEBB, WildBootstrap
from engine.curves import calibration_terms, qini_terms, uplift_curve
from engine.estimation import SHRINKAGES, Logged, Terms, doubly_robust_terms, shrunk_terms
from engine.sensitivity import Contrast
from tests.oracle.test_estimators import problems


def exactly(values: np.ndarray) -> list[Fraction]:
    """The same numbers as fractions: what is reckoned with them has no error at all."""
    return [Fraction(float(value)) for value in values]


def near(exact: Fraction, scale: float) -> object:
    """Equal to 1e-12 of it, or of what was added up to it: parts that cancel leave the error of the parts."""
    return pytest.approx(float(exact), rel=1e-12, abs=max(1e-12 * scale, 1e-300))


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
    rows, n = np.arange(len(logged)), len(logged)
    lift = [Fraction(a) - Fraction(b) for a, b in zip(target.ravel(), reference.ravel(), strict=True)]
    base = sum(a * b for a, b in zip(lift, exactly(model.ravel()), strict=True)) / n
    mass = sum(max(each, Fraction(0)) for each in lift) / n
    ours = [lift[row * target.shape[1] + action] for row, action in zip(rows, logged.action, strict=True)]
    expected = exactly(model[rows, logged.action])
    error = [a - b for a, b in zip(exactly(logged.reward), expected, strict=True)]
    odds = [1 / p - 1 for p in exactly(logged.assignment)]
    found = [] if mass else [base]
    for ends in product((1 / Fraction(strength), Fraction(strength)), repeat=n):
        sides = []
        for sign in (1, -1):
            own = [i for i in rows if sign * ours[i] > 0]
            weight = {i: (1 + odds[i] * ends[i]) * ours[i] for i in own}
            sides.append(sum(weight[i] * error[i] for i in own) / sum(weight.values()) if own else None)
        if None not in sides:
            found.append(base + mass * (sides[0] - sides[1]))

    low, high = Contrast.of(logged, target, reference, model).bounds(strength)

    parts = float(sum(abs(a * Fraction(b)) for a, b in zip(lift, model.ravel(), strict=True)) / n)
    parts += float(2 * mass * max(map(abs, error)))
    if found:
        assert (low, high) == (near(min(found), parts), near(max(found), parts))
    else:
        assert np.isnan([low, high]).all()


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
    n, gains = len(gain), exactly(gain)
    evened = [_mean([g for g, e in zip(gains, expected, strict=True) if e == own]) for own in expected]
    running = [Fraction(0)]
    for place in np.argsort(-expected, kind="stable"):
        running.append(running[-1] + evened[place] / n)
    line = [running[-1] * k / n for k in range(n + 1)]
    above = [a - b for a, b in zip(running, line, strict=True)]
    area = sum((a + b) / (2 * n) for a, b in pairwise(above))
    scale = float(np.abs(gain).mean())

    curve = uplift_curve(expected, gain, points=n + 1)

    assert qini_terms(expected, gain).value == near(area, scale)
    assert list(curve.gain) == [near(each, scale) for each in running]
    assert list(curve.random) == [near(each, scale) for each in line]
    np.testing.assert_array_equal(curve.share, np.linspace(0.0, 1.0, n + 1))


def _mean(values: list[Fraction]) -> Fraction:
    return sum(values, Fraction(0)) / len(values)


@settings(max_examples=60, deadline=None)
@given(gains)
def test_the_slope_is_that_of_least_squares(pairs) -> None:
    """The normal equations of what came on what was expected, solved in fractions."""
    expected, gain = (exactly(column) for column in np.array(pairs).T)
    n, of_expected, of_gain = len(gain), sum(expected), sum(gain)
    below = n * sum(e * e for e in expected) - of_expected**2
    above = n * sum(e * g for e, g in zip(expected, gain, strict=True)) - of_expected * of_gain

    found = calibration_terms(*np.array(pairs).T).value

    if below:
        apart = sum(abs((e - of_expected / n) * g) for e, g in zip(expected, gain, strict=True))
        assert found == near(above / below, float(apart * n / below))
    else:
        assert np.isnan(found)


def test_the_wild_bootstrap_equals_a_plain_one() -> None:
    """What leaving out a cluster does, t of every draw, 95th percentile: the same in array notation.

    A ratio that moves by m takes m times its share of the denominator from each cluster's sum.
    """
    generator = np.random.default_rng(3)
    cluster = generator.integers(0, 9, 200)
    terms = Terms(generator.normal(5, 2, 200), generator.uniform(0.5, 1.5, 200))
    wild = WildBootstrap.of(cluster, seed=1)

    found = wild.interval(terms)

    value = terms.numerator.sum() / terms.denominator.sum()
    without = [cluster != g for g in range(9)]
    left = np.array([terms.numerator[rows].sum() / terms.denominator[rows].sum() for rows in without])
    sums = value - left
    share = np.bincount(cluster, terms.denominator) / terms.denominator.sum()
    drawn = WEBB[wild.drawn] * sums
    moved = drawn.sum(axis=1)
    error = np.sqrt(9 / 8 * (sums**2).sum())
    spread = np.sqrt(9 / 8 * ((drawn - moved[:, None] * share) ** 2).sum(axis=1))
    reach = np.sort(np.abs(moved) / spread)[int(0.95 * 999)] * error
    assert (found.low, found.high) == pytest.approx((value - reach, value + reach), rel=1e-12)
