"""Sums in order, and an exp and log that no library's version can change."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import numerics
from engine.records import Floats

ANY_SIZE = st.integers(1, 200)


def ulps_apart(one: Floats, other: Floats) -> int:
    """The largest number of float64 between two arrays of the same signs."""
    return int(np.abs(one.view(np.int64) - other.view(np.int64)).max())


@given(st.integers(0, 2**31 - 1), ANY_SIZE)
@settings(max_examples=40, deadline=None)
def test_a_total_is_added_up_in_the_order_given_whatever_the_memory_looks_like(seed: int, size: int) -> None:
    """NumPy adds pairwise and by memory order; the night and a live event would differ in the last bit."""
    values = np.random.default_rng(seed).normal(size=size) * 1e8
    strided = np.repeat(values, 3)[::3]
    expected = 0.0
    for value in values:
        expected += value

    assert numerics.total(values) == expected
    assert numerics.total(strided) == expected
    assert numerics.mean(values) == expected / size


def test_nothing_adds_up_to_zero_and_has_no_mean() -> None:
    """An account without outcomes is worth 0, but its mean outcome is unknown."""
    assert numerics.total(np.zeros(0)) == 0.0
    assert math.isnan(numerics.mean(np.zeros(0)))


def test_exp_is_within_two_ulp_of_the_true_value() -> None:
    """Probabilities and stored scores must be right, not only reproducible."""
    draw = np.random.default_rng(1)
    values = np.concatenate(
        [draw.uniform(-708.0, 709.7, 20_000), draw.normal(size=20_000), [0.0, 1.0, -1e-300]]
    )

    result = numerics.exp(values)

    assert ulps_apart(result, np.array([math.exp(v) for v in values])) <= 2


def test_log_is_within_two_ulp_of_the_true_value() -> None:
    """Also near 1, where cancellation would eat the digits, and for the smallest numbers."""
    draw = np.random.default_rng(2)
    near_one = 1.0 + draw.normal(size=10_000) * 1e-6
    values = np.concatenate(
        [
            np.exp2(draw.uniform(-1000, 1000, 20_000)),
            near_one,
            draw.uniform(0.3, 3, 10_000),
            [5e-324, 1e-310, 1.7e308],
        ]
    )

    result = numerics.log(values)

    assert ulps_apart(result, np.array([math.log(v) for v in values])) <= 2


def test_the_borders_of_exp_and_log_are_those_of_the_real_functions() -> None:
    """No warning, no exception: overflow is infinite, what is not a number stays it."""
    exps = numerics.exp(np.array([np.inf, -np.inf, 710.0, -800.0, 0.0, -0.0]))
    logs = numerics.log(np.array([np.inf, 0.0, -0.0, 1.0]))

    np.testing.assert_array_equal(exps, [np.inf, 0.0, np.inf, 0.0, 1.0, 1.0])
    np.testing.assert_array_equal(logs, [np.inf, -np.inf, -np.inf, 0.0])
    assert np.isnan(numerics.exp(np.array([np.nan]))).all()
    assert np.isnan(numerics.log(np.array([np.nan, -1.0, -np.inf]))).all()


def test_exp_of_the_smallest_results_is_subnormal_not_zero() -> None:
    """Scaling by powers of two goes below the normal numbers without falling off."""
    values = np.array([-709.0, -720.0, -744.0])

    result = numerics.exp(values)

    np.testing.assert_allclose(result, [math.exp(v) for v in values], rtol=1e-9, atol=5e-324)


@given(st.integers(0, 2**31 - 1), ANY_SIZE)
@settings(max_examples=30, deadline=None)
def test_elementwise_functions_give_the_same_bits_alone_and_in_any_batch(seed: int, size: int) -> None:
    """NumPy's exp depends on the vector unit and so on the place in the batch."""
    values = np.random.default_rng(seed).normal(size=(size, 2)) * 20

    for function in (numerics.exp, numerics.sigmoid, lambda v: numerics.log(np.abs(v))):
        together = function(values)
        alone = [[float(function(np.array([v]))[0]) for v in row] for row in values]

        assert together.shape == values.shape
        np.testing.assert_array_equal(together, alone)


def test_sigmoid_stays_between_zero_and_one_and_is_a_half_at_zero() -> None:
    """Raw scores far out must not become NaN."""
    result = numerics.sigmoid(np.array([0.0, 1000.0, -1000.0, 2.0]))

    np.testing.assert_allclose(result, [0.5, 1.0, 0.0, 1.0 / (1.0 + math.exp(-2.0))], rtol=1e-15)


def test_a_draw_depends_on_seed_and_labels_alone() -> None:
    """Order and parallelism cannot change who explores; this value is fixed for good."""
    assert numerics.uniform(1, "explore", "a", 3) == numerics.uniform(1, "explore", "a", 3)
    assert numerics.uniform(1, "a") == pytest.approx(0.266892743498775, abs=1e-15)


def test_other_labels_borders_or_types_give_other_draws() -> None:
    """Accounts whose ids run together must not share their fate."""
    draws = {
        numerics.uniform(1, "a", "b"), numerics.uniform(1, "ab"), numerics.uniform(2, "a", "b"),
        numerics.uniform(1, "b", "a"), numerics.uniform(1, "1"), numerics.uniform(1, 1), numerics.uniform(1),
    }  # fmt: skip

    assert len(draws) == 7


def test_draws_are_spread_evenly() -> None:
    """A share of 2 % must be 2 %: twenty bins of 20,000 draws, chi-square below its 99.99 % point."""
    draws = np.array([numerics.uniform(7, "account", i) for i in range(20_000)])

    counts = np.histogram(draws, bins=20, range=(0.0, 1.0))[0]

    assert draws.min() >= 0.0
    assert draws.max() < 1.0
    assert ((counts - 1000) ** 2 / 1000).sum() < 51.0


def test_the_normal_tail_is_that_of_tables_and_keeps_its_digits_far_out() -> None:
    """Claims are ordered by tails: 1e-24 must not become 0, nor jump where the method changes."""
    erfc = [math.erfc(z / math.sqrt(2.0)) / 2.0 for z in (-8.0, -1.0, 0.0, 1.96, 2.999, 3.001, 6.0, 10.0)]

    tails = [numerics.normal_tail_one(z) for z in (-8.0, -1.0, 0.0, 1.96, 2.999, 3.001, 6.0, 10.0)]

    assert tails == pytest.approx(erfc, rel=1e-11)
    assert numerics.normal_tail_one(math.inf) == 0.0
    assert math.isnan(numerics.normal_tail_one(math.nan))
