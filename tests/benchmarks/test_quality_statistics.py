"""How sure the bench is of its own figures; expectations verified by hand."""

from __future__ import annotations

import math

import pytest

from benchmarks.quality.statistics import Mean, exact_interval, holm


def test_the_exact_interval_of_no_success_is_the_rule_of_the_missing_ones() -> None:
    """(1 - p)^n = 0.005 at the upper end: nothing seen in 400 runs does not prove zero."""
    low, high = exact_interval(0, 400, level=0.99)

    assert low == 0.0
    assert (1.0 - high) ** 400 == pytest.approx(0.005)
    assert exact_interval(400, 400, level=0.99) == pytest.approx((1.0 - high, 1.0))


def test_twenty_claims_in_four_hundred_do_not_exclude_five_per_cent_and_forty_do() -> None:
    """The criterion fails only where chance does not explain it."""
    assert exact_interval(20, 400, level=0.99)[0] < 0.05 < exact_interval(20, 400, level=0.99)[1]
    assert exact_interval(40, 400, level=0.99)[0] > 0.05


def test_a_bound_is_the_mean_plus_student_times_the_error() -> None:
    """Two seeds: t with one degree of freedom at 95 % is tan(0.45 pi) = 6.31."""
    mean = Mean.of([0.0, 2.0])

    assert (mean.estimate, mean.error) == (1.0, 1.0)
    assert mean.bound(0.95) == pytest.approx(1.0 + math.tan(0.45 * math.pi))


def test_a_single_seed_proves_nothing() -> None:
    """One lucky run must not pass for evidence."""
    mean = Mean.of([-5.0])

    assert mean.bound(0.95) == math.inf
    assert not holm([mean], 0.02)[0].passed


def test_holm_asks_more_of_the_first_and_stops_at_the_first_that_fails() -> None:
    """With two claims the surest is tested at 2.5 %, and nothing after a failure passes."""
    sure, doubtful = Mean.of([-1.0, -1.1, -0.9, -1.0]), Mean.of([0.0, 0.3, -0.3, 0.1])

    together = holm([doubtful, sure], 0.02)
    alone = holm([sure], 0.02)

    assert [held.passed for held in together] == [False, True]
    assert together[1].bound == pytest.approx(sure.bound(0.975))
    assert alone[0].bound == pytest.approx(sure.bound(0.95))
    assert [held.passed for held in holm([doubtful, doubtful], 0.02)] == [False, False]


def test_a_claim_passes_with_its_bound_below_the_limit_and_only_then() -> None:
    """The bound in the table and the word beside it must not contradict each other."""
    means = [Mean.of([x, x + 0.02, x - 0.02]) for x in (-0.2, -0.06, 0.01, 0.03)]

    for held in holm(means, 0.02):
        if held.passed:
            assert held.bound <= 0.02
    assert [held.passed for held in holm(means, 0.02)] == [True, True, False, False]


def test_nothing_passes_after_a_claim_that_failed() -> None:
    """P 0.03 and 0.04: the first needs 0.025 and fails, so the second, which alone needs 0.05, fails too."""
    first, second = (_with_p(p) for p in (0.03, 0.04))

    assert (first.below(0.0), second.below(0.0)) == pytest.approx((0.03, 0.04))
    assert [held.passed for held in holm([first, second], 0.0)] == [False, False]
    assert holm([second], 0.0)[0].passed


def _with_p(p: float) -> Mean:
    """Two seeds: P(t below -x) with one degree of freedom is 1/2 - atan(x) / pi."""
    return Mean(-math.tan(math.pi * (0.5 - p)), 1.0, 2)
