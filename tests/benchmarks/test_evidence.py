"""Small forms of the measurements of certainty: nothing is found where nothing is; intervals hold truths."""

from __future__ import annotations

import pytest

from benchmarks.evidence import ZERO, cases_of, covered, exact_interval, fixed_policy, found_effects, naive
from data.world import World
from tests.data.worlds import world


@pytest.fixture(scope="module")
def randomised() -> World:
    """A world large enough to be taken apart into forty."""
    return world(accounts=6_000, seed=11, assignment="randomised", days=200)


def test_landmarks_find_nothing_where_contacts_follow_enquiries_and_cause_nothing() -> None:
    """Who visits the website is contacted and prescribes more anyway: plain means see wonders."""
    cases = cases_of(world(accounts=250, seed=3, days=300, **ZERO))

    found, contact = found_effects(cases)

    effects = [row.effect for row in found if row.effect is not None]
    outside = [effect for effect in effects if not effect.low <= 0.0 <= effect.high]
    assert cases.basis == "landmarks"
    assert naive(cases) > 25.0
    assert contact.low <= 0.0 <= contact.high
    assert contact.half_width < naive(cases)
    assert len(effects) > 10
    assert len(outside) <= 0.2 * len(effects)


@pytest.mark.parametrize("estimator", ["ips", "snips", "doubly robust"])
def test_intervals_of_a_fixed_policy_hold_the_truth_as_often_as_they_say(
    randomised: World, estimator: str
) -> None:
    """Forty logs of 150 accounts each: the exact 99 % binomial interval of the share holds 95 %."""
    inside, of = covered(randomised, 150)[estimator]

    low, high = exact_interval(inside, of)
    assert of == 40
    assert low <= 0.95 <= high


def test_the_exact_interval_is_the_textbooks() -> None:
    """10 of 10 at 95 %: 69.2 % to 100 %."""
    low, high = exact_interval(10, 10, level=0.95)

    assert (low, high) == pytest.approx((0.6915, 1.0), abs=2e-4)


def test_the_fixed_policy_chooses_only_what_is_eligible(randomised: World) -> None:
    """Or its true value would not exist."""
    target = fixed_policy(randomised.truth)

    assert (target.sum(axis=1) == 1.0).all()
    assert (target[~randomised.truth.eligible] == 0.0).all()
