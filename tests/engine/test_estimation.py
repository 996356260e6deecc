"""Off-policy values, intervals and verdicts on problems small enough to check by hand."""

from __future__ import annotations

import numpy as np
import pytest

from engine.estimation import (
    EstimationError,
    Interval,
    Logged,
    Resamples,
    Terms,
    effective_clusters,
    effective_sample_size,
    ips_terms,
    logged_terms,
    snips_terms,
    verdict,
)


def a_log(**changed) -> Logged:
    """Four decisions of two accounts: none, none, visit, visit with rewards 1, 3, 5, 7 at even odds."""
    columns = {
        "reward": np.array([1.0, 3.0, 5.0, 7.0]),
        "action": np.array([0, 0, 1, 1]),
        "assignment": np.full(4, 0.5),
        "cluster": np.array([0, 0, 1, 1]),
    }
    return Logged(**(columns | changed))


def always(action: int, n: int = 4, treatments: int = 2) -> np.ndarray:
    """The policy that always chooses the same."""
    return np.tile(np.eye(treatments)[action], (n, 1))


def judged(interval: Interval, **changed):
    """A verdict with everything in order but what is changed."""
    known = {
        "effective": 5000.0,
        "clusters": 900,
        "supported": 1.0,
        "logged_probabilities": True,
        "scale": 10.0,
    }
    return verdict(interval, **(known | changed))


NARROW = Interval(12.0, 11.5, 12.5, 0.25)


def test_the_value_of_always_visiting_is_that_of_the_visits() -> None:
    """Weights are 2 on the visits: IPS (10 + 14) / 4 = 6, SNIPS 24 / 4 = 6; the log itself earned 4."""
    logged = a_log()

    assert ips_terms(logged, always(1)).value == 6.0
    assert snips_terms(logged, always(1)).value == 6.0
    assert logged_terms(logged).value == 4.0


def test_a_policy_that_the_log_never_follows_has_no_value() -> None:
    """NaN, not zero: nothing is known about it."""
    assert np.isnan(snips_terms(a_log(), always(2, treatments=3)).value)


def test_self_normalisation_ignores_a_constant_added_to_all_rewards() -> None:
    """Why it is preferred where weights do not average to one."""
    logged = a_log(assignment=np.array([0.5, 0.5, 0.9, 0.3]))
    shifted = a_log(assignment=logged.assignment, reward=logged.reward + 100.0)

    gain = snips_terms(shifted, always(1)).value - snips_terms(logged, always(1)).value

    assert gain == pytest.approx(100.0)


def test_equal_weights_count_fully_and_one_heavy_weight_counts_once() -> None:
    """Kish: four equal weights are four decisions, one weight alone is one."""
    assert effective_sample_size(np.full(4, 2.5)) == pytest.approx(4.0)
    assert effective_sample_size(np.array([0.0, 0.0, 3.0])) == pytest.approx(1.0)
    assert effective_sample_size(np.zeros(3)) == 0.0


def test_accounts_that_hold_most_of_the_decisions_are_few() -> None:
    """Five of sixty with a hundred decisions each, the others with one."""
    cluster = np.concatenate([np.repeat(np.arange(5), 100), np.arange(5, 60)])

    assert effective_clusters(np.ones(60), np.arange(60)) == pytest.approx(60.0)
    assert 5.0 < effective_clusters(np.ones(len(cluster)), cluster) < 7.0
    assert judged(NARROW, clusters=7.0).level == "limited evidence"


def test_of_four_hundred_resamples_ten_lie_at_or_below_each_end() -> None:
    """The 10th and the 391st: 381 of 401 spaces between them are 95 %."""
    draws = np.array([[0] * (401 - b) + [1] * b for b in range(1, 401)])
    terms = Terms(np.array([0.0, 1.0]), np.ones(2))

    found = Resamples(draws, np.array([0, 1])).interval(terms)

    assert (found.low, found.high) == pytest.approx((10 / 401, 391 / 401))


def test_an_interval_is_the_same_for_the_same_seed_and_another_for_another() -> None:
    """Reports must be reproducible; the seed is the only randomness."""
    terms = Terms(np.arange(40.0), np.ones(40))
    accounts = np.repeat(np.arange(20), 2)

    first, again, other = (Resamples.of(accounts, seed=seed).interval(terms) for seed in (1, 1, 2))

    assert first == again
    assert first != other
    assert first.low < first.estimate < first.high


def test_whole_accounts_are_resampled() -> None:
    """Forty copies of the same two accounts are no more evidence than two."""
    reward = np.repeat([0.0, 1.0], 40)
    by_account = Resamples.of(np.repeat([0, 1], 40), seed=0).interval(Terms(reward, np.ones(80)))
    by_row = Resamples.of(np.arange(80), seed=0).interval(Terms(reward, np.ones(80)))

    assert by_account.half_width == 0.5
    assert by_row.half_width < 0.15


def test_a_policy_does_not_differ_from_itself() -> None:
    """Both sides of a difference see the same resamples, so what they share cancels exactly."""
    terms = Terms(np.arange(30.0), np.ones(30))

    difference = Resamples.of(np.arange(30), seed=3).difference(terms, terms)

    assert (difference.estimate, difference.low, difference.high) == (0.0, 0.0, 0.0)


def test_95_percent_intervals_of_a_mean_hold_the_truth_about_95_times_in_100() -> None:
    """200 logs of 200 decisions: coverage of the bootstrap, within what chance allows."""
    generator = np.random.default_rng(7)
    covered = 0
    for seed in range(200):
        reward = generator.exponential(1.0, 200)
        interval = Resamples.of(np.arange(200), seed=seed, resamples=200).interval(
            Terms(reward, np.ones(200))
        )
        covered += interval.low <= 1.0 <= interval.high

    assert 178 <= covered <= 199


@pytest.mark.parametrize(
    ("changed", "level"),
    [
        ({}, "reliable"),
        ({"logged_probabilities": False}, "directional"),
        ({"scale": 1.0}, "directional"),
        ({"effective": 90.0}, "limited evidence"),
        ({"clusters": 10}, "limited evidence"),
        ({"supported": 0.5, "effective": 1.0}, "outside scope"),
        ({"supported": float("nan")}, "outside scope"),
    ],
)
def test_the_verdict_names_the_weakest_point_of_the_evidence(changed: dict, level: str) -> None:
    """The worst finding decides, and the sentence is for a person."""
    result = judged(NARROW, **changed)

    assert result.level == level
    assert result.sentence.endswith(".")


def test_an_interval_that_cannot_be_computed_is_limited_evidence() -> None:
    """NaN must never read as certainty."""
    nothing = Interval(1.0, float("nan"), float("nan"), float("nan"))

    assert judged(nothing).level == "limited evidence"


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"assignment": np.array([0.5, 0.0, 0.5, 0.5])}, "Row 1 has the assignment probability"),
        ({"assignment": np.array([0.5, 0.5, np.nan, 0.5])}, "Row 2"),
        ({"assignment": np.array([0.5, 0.5, 0.5, 1.5])}, "Row 3"),
        ({"reward": np.array([np.inf, 0, 0, 0])}, "Row 0 has no finite reward"),
        ({"action": np.array([0, 1])}, "Got 4 rewards and 2 of action"),
        ({"reward": np.array([]), "action": np.array([])}, "no logged decision"),
    ],
)
def test_a_log_that_cannot_be_used_is_refused_in_one_line(changed: dict, message: str) -> None:
    """A wrong probability would silently blow up a weight."""
    with pytest.raises(EstimationError, match=message) as error:
        a_log(**changed)

    assert "\n" not in str(error.value)


def test_a_target_of_the_wrong_shape_is_refused() -> None:
    """Shapes are said as got and as needed."""
    with pytest.raises(EstimationError, match=r"shape \(3, 2\), need \(4,"):
        ips_terms(a_log(), always(1, n=3))
    with pytest.raises(EstimationError, match="not a column"):
        ips_terms(a_log(action=np.array([0, 1, 2, 0])), always(1))
    with pytest.raises(EstimationError, match="outside"):
        ips_terms(a_log(), always(1) * 2.0)
