"""The truth of the simulated world: what its log shows must be what its truth says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from data.world import WorldError, best_fixed, oracle, policy_value
from engine.records import DAY_MICROS
from tests.data.worlds import check_outcomes_average_the_truth, chosen, naive_lift, rewards, world


def test_without_effect_no_decision_causes_anything() -> None:
    """The zero world is where false claims are counted; its truth must be exactly zero."""
    zero = world(effect=0.0, trigger=1.0)

    assert not zero.truth.expected.any()
    assert policy_value(zero.truth, chosen(zero.truth), net=False) == 0.0


def test_in_a_zero_world_even_triggered_contacts_are_followed_by_more_prescriptions() -> None:
    """Interest brings both the contact and the prescription: the trap that learning must not fall into."""
    zero = world(effect=0.0, trigger=1.0, confounding=0.0, accounts=3_000, assignment="targeted")

    seen, caused = naive_lift(zero)

    assert caused == 0.0
    assert seen > 10.0


def test_logged_probabilities_are_those_that_were_used() -> None:
    """Off-policy values rest on them: observed choices must fit them by chi-square."""
    for assignment in ("randomised", "targeted_logged"):
        given = world(assignment=assignment, accounts=1_500)
        weight = 1.0 / given.tables["decisions"]["probability"].to_numpy()
        counts = np.array([(given.truth.choice == t).sum() for t in range(len(given.truth.treatments))])

        # Among decisions where t is eligible, sum of 1/p over those that chose t estimates their number.
        for t in np.flatnonzero(counts > 0):
            picked = given.truth.choice == t
            number = given.truth.eligible[:, t].sum()
            error = np.sqrt((weight[picked] * (weight[picked] - 1.0)).sum())
            assert abs(weight[picked].sum() - number) < 4.5 * error, given.truth.treatments[t]


def test_a_randomised_log_picks_evenly_among_what_is_eligible() -> None:
    """Frequencies against the stated probabilities, chi-square over all treatments."""
    truth = world(assignment="randomised", accounts=1_500).truth
    contacts = truth.eligible[:, 1:].sum(axis=1, keepdims=True)
    shares = np.where(truth.eligible, 0.75 / contacts, 0.0)
    shares[:, 0] = 0.25

    expected = shares.sum(axis=0)
    observed = np.bincount(truth.choice, minlength=len(expected))

    # 25 degrees of freedom: 52.6 is exceeded once in a thousand.
    assert ((observed - expected) ** 2 / expected).sum() < 52.6
    assert np.array_equal(truth.probability, shares[np.arange(len(truth)), truth.choice])


def test_rewards_average_what_the_truth_expects() -> None:
    """Where effects are linear, wear off and are not all followed; as shipped they are tried by business."""
    given = world(accounts=2_000, linear=True, fatigue=4.0, followed=0.6, repetition=2.0)

    check_outcomes_average_the_truth(given)


def test_randomised_differences_of_means_recover_the_truth() -> None:
    """The truth is worth something only if an experiment in the world would find it."""
    given = world(assignment="randomised", accounts=5_000)
    reward, mature = rewards(given)
    truth, residual = given.truth, reward - given.truth.baseline

    z_scores = []
    for t in range(1, len(truth.treatments)):
        treated, control = mature & (truth.choice == t), mature & truth.eligible[:, t] & (truth.choice == 0)
        found = residual[treated].mean() - residual[control].mean()
        error = np.hypot(
            residual[treated].std() / np.sqrt(treated.sum()), residual[control].std() / np.sqrt(control.sum())
        )
        z_scores.append((found - truth.expected[treated, t].mean()) / error)

    assert max(map(abs, z_scores)) < 4.0
    assert sum(z**2 for z in z_scores) < 52.6


def test_representatives_make_contacts_look_better_than_they_are() -> None:
    """A confounded log whose naive comparison were right would teach nothing about confounding."""
    seen, caused = naive_lift(world(assignment="targeted", accounts=2_000))

    assert seen > 1.5 * caused


def test_without_confounding_and_triggers_naive_comparison_is_nearly_right() -> None:
    """The knob must be able to turn the bias off, or it is not what biases."""
    fair = world(assignment="targeted", accounts=2_000, confounding=0.0, trigger=0.0)
    seen, caused = naive_lift(fair)

    assert abs(seen - caused) < 25.0


def test_opt_outs_happen_as_often_as_the_truth_says() -> None:
    """The value of stopping rests on this probability."""
    given = world(accounts=6_000, fatigue=4.0)
    truth = given.truth
    email = np.array([name.startswith("email_") for name in truth.treatments])[truth.choice]

    expected = truth.optout[email].sum()
    observed = given.tables["responses"].filter(response="unsubscribed").height

    assert abs(observed - expected) < 4 * np.sqrt(expected)


def test_repeating_a_message_wears_it_out() -> None:
    """Truth must fall with the contacts before; otherwise caps would cost money for nothing."""
    fresh, worn = world(repetition=0.0).truth, world(repetition=3.0).truth

    assert np.array_equal(fresh.choice, worn.choice)
    assert (worn.expected[:, 1:].mean(axis=0) < fresh.expected[:, 1:].mean(axis=0)).all()


def test_reading_about_a_topic_makes_contacts_on_it_work_better() -> None:
    """Recency is what a live suggestion lives from."""
    plain, keen = world(recency=0.0).truth, world(recency=2.0).truth

    assert keen.expected.sum() > plain.expected.sum()


def test_effects_can_lie_in_one_segment_alone() -> None:
    """The world in which a rule for one segment is the whole truth."""
    given = world(effect_segment="A")
    segment = given.tables["accounts"].select("account_id", "segment")
    where = pl.DataFrame({"account_id": given.truth.account_ids}).join(segment, on="account_id", how="left")

    inside = (where["segment"] == "A").to_numpy()

    assert not given.truth.expected[~inside].any()
    assert given.truth.expected[inside].any()


def test_without_personalisation_the_same_treatment_is_worth_the_same_to_all() -> None:
    """The world in which the best fixed action must win."""
    same = world(personalisation=0.0, repetition=0.0, recency=0.0, fatigue=0.0).truth

    assert np.allclose(same.expected, same.expected[0])
    assert np.isclose(
        policy_value(same, oracle(same, net=False), net=False), same.expected[0].max(), rtol=0.05
    )


def test_a_new_treatment_is_never_decided_before_it_exists() -> None:
    """Cold start is tested on a message without a past."""
    given = world(new_treatment="email_new_data", new_treatment_days=60.0)
    truth, column = given.truth, given.truth.treatments.index("email_new_data")
    before = truth.decided_at < given.settings.until_micros - 60 * DAY_MICROS

    assert not truth.eligible[before, column].any()
    assert (truth.choice[~before] == column).any()


def test_suggestions_that_people_do_not_follow_cause_nothing() -> None:
    """Intention to treat is what a decision is worth: half followed, half the effect."""
    half = world(followed=0.5, repetition=0.0, fatigue=0.0)
    full = world(followed=1.0, repetition=0.0, fatigue=0.0)
    person = np.array([name.startswith("visit_") for name in half.truth.treatments])

    assert np.allclose(half.truth.expected[:, person] * 2, full.truth.expected[:, person])
    visits = half.tables["decisions"].filter(pl.col("treatment").str.starts_with("visit_"))
    assert 0.3 < visits["followed"].mean() < 0.7  # type: ignore[operator]


def test_delay_moves_effects_beyond_the_horizon() -> None:
    """In a delayed world less is seen within the horizon: late outcomes must not be taken for none."""
    assert world(delay_days=60.0).truth.expected.sum() < 0.75 * world().truth.expected.sum()


def test_no_policy_beats_the_oracle_and_personal_choice_pays() -> None:
    """The order of policies on the default world: none < logging, fixed < oracle."""
    truth = world(accounts=2_000).truth
    nobody = np.zeros(truth.expected.shape)
    nobody[:, 0] = 1.0

    none, logging, fixed, best = (
        policy_value(truth, policy) for policy in (nobody, chosen(truth), best_fixed(truth), oracle(truth))
    )

    assert none == 0.0
    assert none < logging < fixed < best
    assert fixed < 0.5 * best


def test_the_value_of_a_policy_is_the_mean_over_decisions_by_hand() -> None:
    """Two decisions, half a visit worth 150 at a cost of 90 and nothing else: (0 + 30) / 2 = 15."""
    truth = replace(
        world().truth,
        decided_at=np.zeros(2, dtype=np.int64),
        treatments=("none", "visit_dosing"),
        cost=np.array([0.0, 90.0]),
        expected=np.array([[0.0, 10.0], [0.0, 150.0]]),
        eligible=np.array([[True, False], [True, True]]),
    )

    half = np.array([[1.0, 0.0], [0.5, 0.5]])

    assert policy_value(truth, half) == pytest.approx(15.0)
    assert policy_value(truth, oracle(truth)) == pytest.approx(30.0)
    assert policy_value(truth, best_fixed(truth), net=False) == pytest.approx(75.0)


@pytest.mark.parametrize(
    ("policy", "complaint"),
    [
        (np.ones((3, 2)), "need .* a row per decision"),
        (np.array([[1.0, 0.0], [0.5, 0.4]]), "sum to 1"),
        (np.array([[0.0, 1.0], [1.0, 0.0]]), "not eligible"),
    ],
)
def test_a_policy_that_cannot_be_is_refused(policy: np.ndarray, complaint: str) -> None:
    """A value for an impossible policy would be believed."""
    truth = replace(
        world().truth,
        decided_at=np.zeros(2, dtype=np.int64),
        cost=np.zeros(2),
        expected=np.zeros((2, 2)),
        eligible=np.array([[True, False], [True, True]]),
    )

    with pytest.raises(WorldError, match=complaint):
        policy_value(truth, policy)
