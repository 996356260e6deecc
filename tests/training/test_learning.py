"""Choosing among learners and valuing their policies, where the truth is known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.records import Floats
from tests.training.builders import EFFECT, QUICK, LogSettings, cases_of
from training.behaviour import Assignment, assignment_of, estimate
from training.cases import Cases
from training.errors import TooFewCasesError
from training.evaluate import (
    AS_LOGGED,
    NO_CONTACT_POLICY,
    claim,
    claims_gain,
    evaluate,
    evaluate_by_time,
    time_split,
)
from training.learners import LEARNERS, constants, learnable
from training.maturing import matured
from training.select import greedy, select
from training.splits import folds_of, held_out

SEGMENT_GAIN = (30.0 + 29.0) / 2
"""Visit A (40 - 10), e-mail B (30 - 1): what the best policy earns beyond no contact, net of cost."""


@pytest.fixture(scope="module")
def personal(tmp_path_factory: pytest.TempPathFactory) -> Cases:
    """Effects that differ by segment."""
    return cases_of(tmp_path_factory.mktemp("personal"), LogSettings(accounts=500))


@pytest.fixture(scope="module")
def zero(tmp_path_factory: pytest.TempPathFactory) -> Cases:
    """Contacts cause nothing."""
    return cases_of(tmp_path_factory.mktemp("zero"), LogSettings(accounts=500, effect=0.0))


def given(cases: Cases) -> Assignment:
    return assignment_of(cases, QUICK, seed=0)


def judged(cases: Cases, seed: int = 0):
    """All learners on accounts that they have not seen."""
    assignment, held = given(cases), held_out(cases.account_ids, 0.3, seed=seed)
    fitted = {
        name: entry.learn(cases.take(~held), assignment.take(~held).probability, QUICK)
        for name, entry in LEARNERS.items()
    }
    return evaluate(cases.take(held), assignment.take(held), fitted, seed=seed)


def true_gain(cases: Cases, target: Floats) -> float:
    """What a policy really earns beyond no contact, net of cost, per decision."""
    segment = cases.features.account[:, cases.features.set.account.index("segment")].astype(int)
    net = np.zeros(target.shape)
    net[:, [0, 1, 4]] = EFFECT[segment] - cases.cost[[0, 1, 4]]
    return float((target * net).sum(axis=1).mean())


def test_personalisation_is_chosen_where_it_pays(personal: Cases) -> None:
    """Two segments want opposite things: whoever looks at accounts sees that, one action for all cannot."""
    selection = select(personal, given(personal), QUICK, seed=0)

    assert selection.chosen != "best_fixed"
    assert selection.behind["best_fixed"].high < 0


def test_best_fixed_is_chosen_where_all_want_the_same_and_the_report_says_so(tmp_path: Path) -> None:
    """Honest: if personalisation does not pay, the simplest learner wins and it is said."""
    alike = cases_of(tmp_path, LogSettings(accounts=500, personal=False))

    selection = select(alike, given(alike), QUICK, seed=0)

    assert selection.chosen == "best_fixed"
    assert "Personalisation" in selection.sentence


@pytest.mark.parametrize("seed", range(3))
def test_no_gain_is_claimed_where_contacts_cause_nothing(zero: Cases, seed: int) -> None:
    """Whatever is chosen by luck, the words follow the interval."""
    result = judged(zero, seed)

    for name in LEARNERS:
        assert "no gain by personalisation is claimed" in claim(result.evaluation, name).lower()
        assert not claims_gain(result.evaluation, name)


def test_a_gain_is_claimed_where_there_is_one_and_the_evidence_carries_it(tmp_path: Path) -> None:
    """Being honest is not the same as never saying anything; of too few cases nothing is claimed."""
    many = judged(cases_of(tmp_path / "many", LogSettings(accounts=1_200, decisions=4)))
    few = judged(cases_of(tmp_path / "few", LogSettings(accounts=300)))

    assert "more than chance." in claim(many.evaluation, "s_learner")
    assert claims_gain(many.evaluation, "s_learner")
    assert not claims_gain(few.evaluation, "s_learner")
    assert "limited evidence" in claim(few.evaluation, "s_learner")


def test_beating_a_bad_contact_for_all_but_not_no_contact_is_no_gain(personal: Cases) -> None:
    """The best fixed contact may be worse than leaving everybody alone."""
    evaluation = judged(personal).evaluation
    value = evaluation.of("s_learner")
    sure = replace(value.verdict, level="reliable")
    nothing = replace(value.versus_nobody, low=-1.0)
    luck = replace(value, verdict=sure, versus_nobody=nothing)
    others = tuple(luck if each is value else each for each in evaluation.policies)

    said = claim(replace(evaluation, policies=others), "s_learner")

    assert value.versus_fixed.low > 0.0
    assert "no more than chance explains beyond contacting nobody" in said


def test_held_out_value_agrees_with_the_truth(personal: Cases) -> None:
    """Intervals of every policy hold what it truly earns; the best one comes near the possible gain."""
    result = judged(personal)
    nothing = result.evaluation.of(NO_CONTACT_POLICY).doubly_robust.estimate

    for name in LEARNERS:
        truth = true_gain(result.cases, result.targets[name])
        interval = result.evaluation.of(name).doubly_robust
        assert interval.low - nothing - 1.5 <= truth <= interval.high - nothing + 1.5
    assert true_gain(result.cases, result.targets["s_learner"]) > 0.85 * SEGMENT_GAIN


def test_every_policy_has_interval_effective_sample_and_verdict(personal: Cases) -> None:
    """The references are always there, or a figure says nothing."""
    evaluation = judged(personal).evaluation

    names = [value.policy for value in evaluation.policies]
    assert names == [AS_LOGGED, NO_CONTACT_POLICY, *LEARNERS]
    for value in evaluation.policies:
        assert value.snips.low <= value.snips.estimate <= value.snips.high
        assert 0 < value.effective <= evaluation.decisions
        assert value.verdict.sentence
        assert sum(value.mix.values()) == pytest.approx(1.0)


def test_calibration_looks_at_the_policys_own_choices(personal: Cases) -> None:
    """Expected and observed agree on average where the model is right."""
    deciles = judged(personal).gains["s_learner"].tenths

    expected = np.mean([decile.expected for decile in deciles])
    assert len(deciles) == 10
    assert all(tenth.observed.low < tenth.observed.estimate < tenth.observed.high for tenth in deciles)
    assert expected == pytest.approx(np.mean([decile.observed.estimate for decile in deciles]), abs=4.0)


def test_who_expects_the_same_of_all_has_no_tenths(personal: Cases) -> None:
    """Tenths of what is all alike would be drawn at random."""
    (group,) = judged(personal).gains["best_fixed"].tenths

    assert group.observed.low < group.expected < group.observed.high
    assert group.decisions == judged(personal).evaluation.decisions


def test_the_greedy_policy_takes_what_is_left_after_cost_among_the_eligible() -> None:
    """By row: the visit is worth most net; it is not eligible; nothing pays; the e-mail is not learned."""
    values = np.array([[5.0, 8.0, 20.0], [5.0, 8.0, 20.0], [5.0, 5.5, 14.0], [5.0, np.nan, 15.0]])
    eligible = np.array([[1, 1, 1], [1, 1, 0], [1, 1, 1], [1, 1, 1]], dtype=bool)

    target = greedy(values, np.array([0.0, 1.0, 10.0]), eligible)

    assert target.argmax(axis=1).tolist() == [2, 1, 0, 0]
    assert target.sum(axis=1).tolist() == [1, 1, 1, 1]


def test_a_treatment_is_compared_with_no_contact_among_those_who_could_have_had_it(personal: Cases) -> None:
    """If only rich accounts may be visited, their wealth must not look like the visit's doing."""
    rich = personal.features.account[:, personal.features.set.account.index("segment")] == 0
    eligible = personal.eligible.copy()
    eligible[~rich, 4] = False
    some = replace(personal, eligible=eligible, reward=personal.reward + np.where(rich, 1000.0, 0.0))
    kept = some.take(eligible[np.arange(len(some)), some.action])

    uplift = constants(kept, kept.probability, QUICK).uplift

    assert uplift[2] == pytest.approx(40.0, abs=8.0)


def test_what_the_policies_forbid_today_is_learned_by_what_it_did(personal: Cases) -> None:
    """A visit that was made and may not be made any more has nobody among whom its score is usual."""
    eligible = personal.eligible.copy()
    eligible[:, 4] = False

    learned = LEARNERS["doubly_robust"].learn(
        replace(personal, eligible=eligible), personal.probability, QUICK
    )

    assert np.isfinite(learned.predict(personal.features)[:, [0, 1, 4]]).all()


def test_those_who_buy_anyway_are_no_effect_where_past_assignment_is_estimated_badly(zero: Cases) -> None:
    """A visit that causes nothing must not be told to earn what the accounts that are visited buy anyway.

    The rich are visited mostly, the estimate of who was visited does not see it, and the rich buy for 1,000
    more: by weights alone a visit is worth some 600.
    """
    rich = zero.features.account[:, zero.features.set.account.index("segment")] == 0
    often = np.where(zero.action > 0, rich, ~rich) | (np.arange(len(zero)) % 5 == 0)
    log = replace(zero, reward=zero.reward + np.where(rich, 1000.0, 0.0)).take(often)
    alike = np.full(len(log), 1.0 / 3.0)

    found = constants(replace(log, probability=np.full(len(log), np.nan)), alike, QUICK)

    by_weights_alone = log.reward[log.action == 4].mean() - log.reward[log.action == 0].mean()
    assert by_weights_alone > 500.0
    assert np.abs(found.uplift[1:]).max() < 60.0


def test_what_accounts_differ_by_anyway_is_no_noise_of_a_mean_effect(zero: Cases) -> None:
    """By weights alone a visit's effect in a random log would be told with the error of who happened to have
    it: the rich buy for 1,000 more."""
    rich = zero.features.account[:, zero.features.set.account.index("segment")] == 0
    log = replace(zero, reward=zero.reward + np.where(rich, 1000.0, 0.0))
    visited = log.action == 4

    found = constants(log, log.probability, QUICK)

    by_weights_alone = log.reward[visited].std() / np.sqrt(visited.sum())
    assert found.error[2] < 0.5 * by_weights_alone
    assert abs(found.uplift[2]) < 3.0 * found.error[2]


def test_the_time_split_learns_from_what_was_known_before_the_cut(personal: Cases) -> None:
    """A window that reaches over the cut would tell the future."""
    before, after = time_split(personal)

    assert (personal.as_of[before] + 30 * 86_400_000_000).max() <= personal.as_of[after].min()
    found = evaluate_by_time(personal, given(personal), ("s_learner",), QUICK, seed=0)
    assert found is not None
    assert {"best_fixed", "s_learner"} <= {value.policy for value in found.policies}


def test_a_time_split_with_too_little_on_one_side_is_left_out(personal: Cases) -> None:
    """No figure is better than one from nothing."""
    last = personal.take(personal.as_of == personal.as_of.max())

    assert evaluate_by_time(last, given(last), ("s_learner",), QUICK, seed=0) is None


def test_estimated_probabilities_come_near_the_true_ones(personal: Cases) -> None:
    """The log was random: a half and two quarters, whatever the account."""
    found = estimate(replace(personal, probability=np.full(len(personal), np.nan)), QUICK, seed=0)

    assert found[:, [0, 1, 4]].mean(axis=0) == pytest.approx([0.5, 0.25, 0.25], abs=0.03)
    assert found.sum(axis=1) == pytest.approx(np.ones(len(personal)))


def test_values_on_estimated_probabilities_are_at_most_directional(personal: Cases) -> None:
    """What nobody recorded may explain part of it."""
    result = judged(replace(personal, probability=np.full(len(personal), np.nan)))

    assert {value.verdict.level for value in result.evaluation.policies[1:]} <= {
        "directional",
        "limited evidence",
        "outside scope",
    }


def test_only_missing_probabilities_are_estimated(personal: Cases) -> None:
    """What was logged is known."""
    half = np.where(np.arange(len(personal)) % 2 == 0, personal.probability, np.nan)

    assignment = given(replace(personal, probability=half))

    assert assignment.estimated == 0.5
    np.testing.assert_array_equal(assignment.probability[::2], personal.probability[::2])


def test_all_cases_of_an_account_are_on_one_side(personal: Cases) -> None:
    """A model that saw an account's other cases has seen the account."""
    for sides in (held_out(personal.account_ids, 0.3, seed=1), folds_of(personal.account_ids, 3, seed=1)):
        by_account = {}
        for account, side in zip(personal.account_ids, sides, strict=True):
            by_account.setdefault(account, set()).add(int(side))
        assert {len(found) for found in by_account.values()} == {1}
        assert len(set(map(int, sides))) > 1


@pytest.mark.parametrize(
    ("keep", "message"),
    [
        (lambda cases: cases.take(np.arange(100)), "Got 100 matured cases"),
        (lambda cases: cases.take(cases.action == 0), "Only one action, 'none'"),
        (lambda cases: cases.take(cases.action > 0), "Got 0 cases without contact"),
        (lambda cases: replace(cases, matured=~cases.matured), "None of 1,500 cases is mature"),
        (
            lambda cases: replace(cases, matured=np.zeros_like(cases.matured), known_until=0),
            "No outcome is known at all.*load the table outcomes",
        ),
        (
            lambda cases: replace(cases, eligible=np.zeros_like(cases.eligible)),
            "The policies allow none of 2 contacts",
        ),
    ],
)
def test_what_cannot_be_learned_from_is_refused_in_one_line(personal: Cases, keep, message: str) -> None:
    """Too few, one action only, nobody left alone, nothing mature or allowed: exit code 8, what to do."""
    with pytest.raises(TooFewCasesError, match=message) as error:
        matured(keep(personal))

    assert "\n" not in str(error.value)
    assert error.value.exit_code == 8


def test_few_accounts_with_many_cases_are_too_few(tmp_path: Path) -> None:
    """Ten accounts cannot be held out from each other."""
    with pytest.raises(TooFewCasesError, match="of 10 accounts"):
        matured(cases_of(tmp_path, LogSettings(accounts=10, decisions=40)))


def test_fewer_accounts_than_folds_still_have_probabilities_and_a_learner(personal: Cases) -> None:
    """Two accounts for three folds: a fold without accounts is passed over; training itself asks for 20."""
    first = sorted(set(personal.account_ids))[:2]
    rows = np.flatnonzero(np.isin(np.array(personal.account_ids, dtype=object), first))
    few = personal.take(np.tile(rows, 60))
    unlogged = replace(few, probability=np.full(len(few), np.nan))

    found = estimate(unlogged, QUICK, seed=0)
    chosen = select(few, given(few), QUICK, seed=0, learners={"best_fixed": LEARNERS["best_fixed"]}).chosen

    assert found.sum(axis=1) == pytest.approx(np.ones(len(few)))
    assert chosen == "best_fixed"
    with pytest.raises(TooFewCasesError, match="of 2 accounts"):
        matured(few)


def test_what_can_be_learned_is_none_and_contacts_with_cases(personal: Cases) -> None:
    """In the playbook's order, "none" first."""
    assert learnable(personal).tolist() == [0, 1, 4]
