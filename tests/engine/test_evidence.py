"""How sure a figure is: persons who serve many accounts, and what nobody recorded."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engine.clusters import Accounts, BySigns, Uncertainty, WildBootstrap, by_signs, stretch, wider
from engine.curves import calibration_terms, qini_terms, uplift_curve
from engine.estimation import (
    EstimationError,
    Interval,
    Logged,
    Resamples,
    Terms,
    doubly_robust_terms,
    mean_terms,
    shrunk_terms,
    shrunk_weights,
)
from engine.sensitivity import LARGEST, Contrast, LeftOut, overturning_strength


def mean_of(values: np.ndarray) -> Terms:
    return Terms(values, np.ones(len(values)))


def by_persons(persons: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rewards of 400 accounts with mean 0 where the person matters as much as chance: account, person."""
    generator = np.random.default_rng(seed)
    person = np.arange(400) % persons
    return generator.normal(size=persons)[person] + generator.normal(size=400), np.arange(400), person


def test_intervals_by_person_are_wider_where_persons_differ() -> None:
    """Ten good representatives are not four hundred independent accounts."""
    reward, account, person = by_persons(40, 0)

    both = Uncertainty.of(account, person, seed=0).interval(mean_of(reward))

    assert both.half_width > 1.5 * Resamples.of(account, seed=0).interval(mean_of(reward)).half_width


def test_the_account_interval_stays_where_it_is_the_wider_one() -> None:
    """The wider of two: one is never traded for a narrower."""
    reward, account, person = by_persons(40, 1)
    balanced = reward - np.array([reward[person == p].mean() for p in range(40)])[person]

    found = Uncertainty.of(account, person, seed=0).interval(mean_of(balanced))

    assert found == Resamples.of(account, seed=0).interval(mean_of(balanced))
    assert wider(Interval(0, -1, 1, 1), Interval(0, -2, 2, 1)).low == -2


def orders(generator: np.random.Generator, accounts: int) -> np.ndarray:
    """What accounts buy: one in seven does, and a few orders are large."""
    return (generator.random(accounts) < 0.15) * np.exp(1.5 * generator.standard_normal(accounts))


def test_few_left_alone_without_a_large_order_are_not_taken_for_certain() -> None:
    """Nothing differs; resampling thirty accounts that happen to hold no large order says it does."""
    contacted, found = np.arange(530) < 500, {"resampled": 0, "shown": 0}
    for seed in range(60):
        reward = orders(np.random.default_rng(seed), 530)
        arms = [mean_terms(reward, rows) for rows in (contacted, ~contacted)]
        sure = Uncertainty.of(np.arange(530), None, seed=seed)
        for name, interval in (
            ("resampled", sure.accounts.resamples.difference(*arms)), ("shown", sure.difference(*arms)),
        ):  # fmt: skip
            found[name] += not interval.low <= 0.0 <= interval.high

    assert found["resampled"] >= 12  # 20 % of these tests, where 5 % were promised
    assert found["shown"] <= 3


def test_an_interval_by_account_reaches_as_far_as_percentiles_and_as_a_t_statistic() -> None:
    """Percentiles take what large orders vary by for known; a t-statistic knows nothing of skewness."""
    arm, missed = np.arange(200) < 100, {"percentiles": 0, "both": 0}
    for seed in range(80):
        reward = np.exp(1.5 * np.random.default_rng(seed).standard_normal(200))
        arms = [mean_terms(reward, rows) for rows in (arm, ~arm)]
        accounts = Accounts.of(np.arange(200), seed=seed, resamples=200)
        parts = accounts.resamples.difference(*arms), accounts.spread.difference(*arms)
        both = accounts.difference(*arms)
        assert (both.low, both.high) == (min(p.low for p in parts), max(p.high for p in parts))
        missed["percentiles"] += not parts[0].low <= 0.0 <= parts[0].high
        missed["both"] += not both.low <= 0.0 <= both.high

    assert missed["both"] < missed["percentiles"]


def test_an_interval_of_one_account_is_that_of_its_resamples() -> None:
    """There is nothing to leave out."""
    reward = np.array([1.0, 2.0, 3.0])

    found = Uncertainty.of(np.zeros(3, dtype=np.int64), None, seed=0).interval(mean_of(reward))

    assert (found.low, found.estimate, found.high) == (2.0, 2.0, 2.0)


def test_what_many_clusters_tell_of_their_own_spread_is_believed() -> None:
    """Accounts left alone that truly vary less keep their interval where there are enough of them."""
    generator, contacted = np.random.default_rng(0), np.arange(4_000) < 2_000
    reward = generator.normal(0.0, np.where(contacted, 3.0, 1.0))
    few = np.r_[np.arange(2_000), np.arange(2_000, 2_020)]

    many = stretch(np.arange(4_000), mean_terms(reward, contacted), mean_terms(reward, ~contacted))
    twenty = [mean_terms(reward[few], rows) for rows in (contacted[few], ~contacted[few])]

    assert many == pytest.approx(1.0, abs=0.001)
    assert stretch(np.arange(2_020), *twenty) > 1.2


def test_arms_alike_and_errors_that_are_not_told_stretch_nothing() -> None:
    """With the same spread on both sides the pooled variance is the own one, but for chance."""
    reward, half = np.tile([1.0, 2.0, 4.0, 9.0], 50), np.arange(200) < 100
    arms = [mean_terms(reward, rows) for rows in (half, ~half)]

    assert stretch(np.arange(200), *arms) == pytest.approx(1.0, abs=1e-6)
    assert stretch(np.arange(200), *(Terms(arm.numerator, arm.denominator) for arm in arms)) == 1.0


def test_an_interval_that_is_stretched_needs_less_of_the_unseen_to_be_overturned() -> None:
    """The factor belongs to the interval that is shown, not to a narrower one."""
    logged, always, never, model = confounded(n=1_200, effect=1.0)
    contrast = Contrast.of(logged, always, never, model)
    sure = Resamples.of(logged.cluster, seed=0, resamples=100)
    few = LeftOut(np.arange(1_200) % 12, 2.0)

    for drawn in (sure, few):
        plain, least = contrast.lower_limit(1.0, drawn), overturning_strength(contrast, drawn)
        assert contrast.lower_limit(1.0, drawn, stretch=1.5) < plain
        assert 1.0 < overturning_strength(contrast, drawn, stretch=1.5) < least


@pytest.mark.parametrize(("persons", "largest"), [(8, 0.6), (20, 0.6), (40, 0.45)])
def test_a_person_with_most_accounts_does_not_make_the_others_count_for_more(
    persons: int, largest: float
) -> None:
    """Her accounts draw the mean towards themselves, and seem to differ little from it."""
    others = np.full(persons - 1, round(600 * (1 - largest) / (persons - 1)))
    person = np.repeat(np.arange(persons), np.r_[round(600 * largest), others])
    missed = 0
    for seed in range(150):
        generator = np.random.default_rng(seed)
        reward = generator.normal(size=persons)[person] + generator.normal(size=len(person))
        found = WildBootstrap.of(person, seed=seed, resamples=199).interval(mean_of(reward))
        missed += not found.low <= 0.0 <= found.high

    assert missed <= 16  # 18 to 32 where a sum is taken as it is


def test_contacts_of_a_few_of_many_persons_are_those_of_a_few() -> None:
    """Forty persons serve the accounts, four of them make all the contacts."""
    missed, person = 0, np.arange(800) % 40
    for seed in range(100):
        generator = np.random.default_rng(seed)
        contacted = (person < 4) & (generator.random(800) < 0.5)
        hers, others = generator.normal(size=40), generator.normal(0.0, 0.5, 40)
        reward = others[person] + contacted * hers[person] + generator.normal(size=800)
        arms = (mean_terms(reward, rows) for rows in (contacted, ~contacted))
        found = Uncertainty.of(np.arange(800), person, seed=seed, resamples=99).difference(*arms)
        missed += not found.low <= 0.0 <= found.high

    assert missed <= 9


@pytest.mark.parametrize(("persons", "kind"), [(40, WildBootstrap), (6, WildBootstrap), (5, type(None))])
def test_few_persons_get_the_wild_bootstrap_and_hardly_any_none(persons: int, kind: type) -> None:
    """Resampling five persons gives five numbers, not an interval."""
    _, account, person = by_persons(persons, 0)

    found = Uncertainty.of(account, person, seed=0)

    assert isinstance(found.persons, kind)
    assert found.enough_persons is (persons > 5)
    assert Uncertainty.of(account, None, seed=0).enough_persons


def test_wild_intervals_cover_the_truth_with_ten_persons() -> None:
    """95 % of 300 small logs, within what chance explains; plain resampling of ten persons would not."""
    wild = plain = 0
    for seed in range(300):
        reward, _, person = by_persons(10, seed)
        found = WildBootstrap.of(person, seed=seed, resamples=199).interval(mean_of(reward))
        wild += found.low <= 0.0 <= found.high
        simple = Resamples.of(person, seed=seed, resamples=199).interval(mean_of(reward))
        plain += simple.low <= 0.0 <= simple.high

    assert wild >= 273  # below: less than 1 in 200 at a true coverage of 95 %
    assert plain < wild


def test_wild_intervals_cover_the_truth_of_what_some_of_the_persons_did() -> None:
    """The mean over four of twelve persons: those of whom nothing counts take no part of what it moves by."""
    held = 0
    for seed in range(200):
        reward, _, person = by_persons(12, seed)
        counts = (person < 4).astype(np.float64)
        wild = WildBootstrap.of(person, seed=seed, resamples=199)
        found = wild.interval(Terms(reward * counts, counts))
        held += found.low <= 0.0 <= found.high

    assert held >= 179  # below: less than 1 in 200 at a true coverage of 94 %


def test_one_person_alone_has_no_interval_by_person() -> None:
    """One clear line."""
    with pytest.raises(EstimationError, match="need at least 2"):
        WildBootstrap.of(np.zeros(5, dtype=int), seed=0)


def test_accounts_that_nobody_serves_are_no_persons() -> None:
    """Four persons with 50 accounts each, and 100 accounts of nobody: no interval by person, but a test by
    their signs."""
    reward, account, person = by_persons(4, 0)
    person = np.where(account < 200, person, -1 - account)[:300]

    found = Uncertainty.of(account[:300], person, seed=0)
    beyond = found.by_signs(mean_of(reward[:300] + 9.0), mean_of(np.zeros(300)))

    assert (found.served_by, found.persons, found.enough_persons) == (4, None, False)
    assert beyond is not None
    assert (beyond.persons, beyond.chance) == (4, 0.125)


def test_persons_with_one_account_each_are_persons() -> None:
    """Forty of them, two with a second account, beside a hundred accounts of nobody."""
    account = np.arange(142)
    person = np.where(account < 40, account, np.where(account < 42, account - 40, -1 - account))

    assert Uncertainty.of(account, person, seed=0).served_by == 40


def test_a_difference_by_person_uses_both_policies_sums() -> None:
    """What two policies share cancels: the difference to itself is nothing, with certainty."""
    reward, account, person = by_persons(12, 0)
    found = Uncertainty.of(account, person, seed=0).difference(mean_of(reward), mean_of(reward))

    assert (found.estimate, found.low, found.high) == (0.0, 0.0, 0.0)


def confounded(n: int = 6_000, hidden: float = 0.0, effect: float = 1.0, seed: int = 0):
    """Contacted or not, estimated odds a half each; something unseen moves odds by e^hidden and reward."""
    generator = np.random.default_rng(seed)
    unseen = generator.integers(0, 2, n) * 2 - 1
    contacted = generator.random(n) < 1 / (1 + np.exp(-hidden * unseen))
    reward = effect * contacted + unseen * (hidden > 0) + generator.normal(size=n)
    logged = Logged(reward, contacted.astype(int), np.full(n, 0.5), np.arange(n))
    return logged, np.tile([0.0, 1.0], (n, 1)), np.tile([1.0, 0.0], (n, 1)), np.zeros((n, 2))


def test_bounds_at_the_true_strength_hold_the_true_effect() -> None:
    """The unseen moves the odds by e^0.7: the naive estimate is wrong, bounds at that strength are not."""
    logged, always, never, model = confounded(hidden=0.7, effect=0.0)
    contrast = Contrast.of(logged, always, never, model)

    assert contrast.bounds(1.0)[0] > 0.4
    low, high = contrast.bounds(float(np.exp(0.7)))
    assert low <= 0.0 <= high


def test_a_large_effect_takes_a_strong_confounder_and_none_at_all_takes_none() -> None:
    """A figure for the reader: 1 = chance alone explains it, 10 = nobody overlooks that much."""
    strengths = []
    for effect in (0.0, 0.3, 1.0, 9.0):
        logged, always, never, model = confounded(n=2_000, effect=effect)
        contrast = Contrast.of(logged, always, never, model)
        strengths.append(overturning_strength(contrast, Resamples.of(logged.cluster, seed=0, resamples=80)))

    assert strengths[0] == 1.0
    assert 1.0 < strengths[1] < strengths[2] < strengths[3] == LARGEST


def test_by_few_persons_the_lower_limit_is_that_of_their_interval() -> None:
    """With nothing unseen the figure must not be surer than what is shown beside it."""
    logged, always, never, model = confounded(n=1_200, effect=2.0)
    person = np.arange(1_200) % 12
    gain = np.random.default_rng(2).normal(0.0, 1.0, 12)[person] * logged.action
    logged = replace(logged, reward=logged.reward + gain)
    contrast = Contrast.of(logged, always, never, model)
    terms = [doubly_robust_terms(logged, policy, model) for policy in (always, never)]
    shown = WildBootstrap.of(person, seed=0).difference(terms[0], terms[1])
    few = LeftOut(person, shown.half_width / shown.standard_error)
    by_account = Resamples.of(logged.cluster, seed=0, resamples=100)

    assert contrast.lower_limit(1.0, few) == pytest.approx(shown.low, abs=0.1)
    assert contrast.lower_limit(1.5, few) < contrast.lower_limit(1.0, few)
    assert 1.0 < overturning_strength(contrast, few) < overturning_strength(contrast, by_account)


def test_known_probabilities_cannot_be_moved_by_anything_unseen() -> None:
    """What was logged was logged."""
    logged, always, never, model = confounded(n=500)
    contrast = Contrast.of(logged, always, never, model, known=np.ones(500, dtype=bool))

    assert contrast.bounds(5.0) == pytest.approx(contrast.bounds(1.0))


def test_equal_policies_differ_by_nothing_however_strong_the_unseen() -> None:
    """Where both do the same, no confounder can separate them."""
    logged, always, _, model = confounded(n=100)

    assert Contrast.of(logged, always, always, model).bounds(5.0) == (0.0, 0.0)


def test_policies_of_other_shapes_are_refused() -> None:
    """One clear line with the shapes."""
    logged, always, never, model = confounded(n=100)

    with pytest.raises(EstimationError, match=r"100 decisions, policies of shape \(100, 2\) and \(99, 2\)"):
        Contrast.of(logged, always, never[:99], model)


def test_shrunk_weights_never_exceed_half_the_root() -> None:
    """w s / (w^2 + s) has its largest value where w is the root of s."""
    weights = np.linspace(0, 1_000, 5_001)

    shrunk = shrunk_weights(weights, 100.0)

    assert shrunk.max() == pytest.approx(5.0)
    assert (shrunk <= weights).all()
    np.testing.assert_array_equal(shrunk_weights(weights, np.inf), weights)


def test_shrinkage_helps_where_few_weights_are_huge() -> None:
    """A good model and a few decisions of probability 0.002: the squared error falls to a part."""
    errors = {"plain": 0.0, "shrunk": 0.0}
    for seed in range(60):
        generator = np.random.default_rng(seed)
        p = np.where(generator.random(1_000) < 0.3, 0.002, 0.6)
        contacted = (generator.random(1_000) < p).astype(int)
        reward = 2.0 + generator.normal(0.0, 3.0, 1_000)
        logged = Logged(reward, contacted, np.where(contacted, p, 1 - p), np.arange(1_000))
        always, model = np.tile([0.0, 1.0], (1_000, 1)), np.full((1_000, 2), 2.0)
        errors["plain"] += (doubly_robust_terms(logged, always, model).value - 2.0) ** 2
        errors["shrunk"] += (shrunk_terms(logged, always, model).value - 2.0) ** 2

    assert errors["shrunk"] < 0.5 * errors["plain"]


def test_the_uplift_curve_by_hand() -> None:
    """Expected 3, 2, 1, 0; gains 8, 4, 0, -4: at a half (8 + 4) / 4 = 3, at the end 8 / 4 = 2."""
    curve = uplift_curve(np.array([1.0, 3.0, 0.0, 2.0]), np.array([0.0, 8.0, -4.0, 4.0]), points=5)

    assert curve.gain.tolist() == [0.0, 2.0, 3.0, 3.0, 2.0]
    assert curve.random.tolist() == [0.0, 0.5, 1.0, 1.5, 2.0]


def test_no_order_no_area() -> None:
    """One action for all expects the same of everybody: its curve is the straight line."""
    gain = np.array([5.0, -3.0, 8.0, 1.0])

    assert qini_terms(np.full(4, 7.0), gain).value == 0.0
    assert np.isnan(calibration_terms(np.full(4, 7.0), gain).value)


def test_exaggerated_expectations_have_a_slope_below_one() -> None:
    """Expected differences are twice as large as what comes."""
    expected = np.array([2.0, 4.0, 6.0])

    assert calibration_terms(expected, expected / 2 + 1.0).value == pytest.approx(0.5)


def test_what_all_gain_alike_is_no_noise_of_slope_and_area() -> None:
    """All gain 1,000 and differ as expected, within 1: resampling must not take the 1,000 for chance."""
    generator = np.random.default_rng(0)
    expected = generator.uniform(0.0, 10.0, 400)
    gain = 1_000.0 + expected + generator.normal(0.0, 1.0, 400)
    sure = Resamples.of(np.arange(400), seed=0)

    slope, area = (sure.interval(terms(expected, gain)) for terms in (calibration_terms, qini_terms))

    assert slope.standard_error == pytest.approx(1.0 / (20.0 * 2.89), rel=0.3)
    assert slope.low < 1.0 < slope.high
    assert area.low < 10.0 / 12.0 < area.high
    assert area.half_width < 0.15


def test_curves_need_a_gain_for_every_expectation() -> None:
    """One clear line."""
    with pytest.raises(EstimationError, match="Got 2 expected gains and 1 gains"):
        uplift_curve(np.zeros(2), np.zeros(1))


def test_signs_of_three_persons_by_hand() -> None:
    """Own differences 1, 2 and 3, one decision each: 6 is reached by 2 of 8 patterns of signs."""
    terms = Terms(np.array([11.0, 22.0, 33.0]), np.ones(3))
    reference = Terms(np.array([10.0, 20.0, 30.0]), np.ones(3))

    found = by_signs(terms, reference, np.array([5, 7, 9]))

    assert found == BySigns(3, 1.0, 3.0, 0.75, 0.25)


def test_persons_who_disagree_may_be_chance() -> None:
    """4 and -3 add up to 1, as far from none as -1: half of the four patterns reach 1, half reach 7."""
    terms = Terms(np.array([4.0, -3.0]), np.ones(2))

    found = by_signs(terms, Terms(np.zeros(2), np.ones(2)), np.array([0, 1]))

    assert (found.low, found.high, found.level, found.chance) == (-3.0, 4.0, 0.5, 1.0)


def test_a_person_counts_by_her_decisions_in_the_sum_and_once_in_the_range() -> None:
    """Two decisions of 1 and one of -1.5: 2 - 1.5 is not further from none than 2 + 1.5."""
    terms = Terms(np.array([1.0, 1.0, -1.5]), np.ones(3))

    found = by_signs(terms, Terms(np.zeros(3), np.ones(3)), np.array([0, 0, 1]))

    assert (found.low, found.high, found.chance) == (-1.5, 1.0, 1.0)


def test_the_range_of_five_persons_holds_the_difference_as_often_as_it_says() -> None:
    """2,000 times five persons with habits of their own: 93.75 %, within 4 standard errors."""
    generator = np.random.default_rng(0)
    person = np.repeat(np.arange(5), 4)
    held = 0
    for _ in range(2_000):
        own = 2.0 + generator.normal(0.0, 3.0, 5)[person] + generator.normal(0.0, 1.0, 20)
        found = by_signs(Terms(own, np.ones(20)), Terms(np.zeros(20), np.ones(20)), person)
        held += found.low <= 2.0 <= found.high

    assert held / 2_000 == pytest.approx(0.9375, abs=4 * 0.0054)


@pytest.mark.parametrize("persons", [1, 6])
def test_one_person_shows_nothing_and_six_have_an_interval(persons: int) -> None:
    """Neither is a case for this test."""
    terms = Terms(np.ones(12), np.ones(12))

    with pytest.raises(EstimationError, match=f"Got {persons} persons, need 2 to 5"):
        by_signs(terms, terms, np.arange(12) % persons)
