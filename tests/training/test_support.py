"""What accounts like this one were hardly ever given: found, kept in the release, and not promoted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from engine.records import EngineError
from engine.scoring import learned_scorer
from tests.training.builders import QUICK, SMALL, EverythingComparable, LogSettings, cases_of, segment_a
from training.behaviour import Assignment, assignment_of
from training.board import board_of
from training.cases import Cases
from training.evaluate import claim, claims_gain, evaluate
from training.gate import judge
from training.learners import LEARNERS
from training.release import manifest_of, parts_of, with_support
from training.splits import held_out
from training.support import Support, learn_support

VISIT = 4


@pytest.fixture(scope="module")
def one_sided(tmp_path_factory: pytest.TempPathFactory) -> Cases:
    """Nobody in segment B was ever visited, and no probability was logged; a visit would do B much good."""
    log = cases_of(tmp_path_factory.mktemp("log"), LogSettings(accounts=2_500))
    return replace(log, probability=np.full(len(log), np.nan)).take((log.action != VISIT) | segment_a(log))


@pytest.fixture(scope="module")
def given(one_sided: Cases) -> Assignment:
    return assignment_of(one_sided, QUICK, seed=0)


@pytest.fixture(scope="module")
def support(one_sided: Cases, given: Assignment) -> Support:
    found = learn_support(one_sided, given, QUICK, seed=0)
    assert found is not None
    return found


def test_what_was_never_given_is_found_again_for_accounts_not_seen(support: Support, tmp_path: Path) -> None:
    """A visit of A is comparable, one of B is not; e-mails are everywhere; no contact always is."""
    others = cases_of(tmp_path, LogSettings(accounts=200, seed=5))
    rich = segment_a(others)

    found = support.comparable(others.features, 5)

    assert found[rich, VISIT].mean() > 0.95
    assert found[~rich, VISIT].mean() < 0.05
    assert found[:, [0, 1]].all()


def test_the_release_says_the_same_to_the_bit(one_sided: Cases, given: Assignment, support: Support) -> None:
    """What was valued is what is promoted."""
    fitted = LEARNERS["best_fixed"].learn(one_sided, given.probability, QUICK)
    parts = with_support(parts_of(fitted, one_sided, QUICK), support)
    manifest = manifest_of("best_fixed", fitted, one_sided, "test", {})
    some = one_sided.take(np.arange(300))

    scores = learned_scorer(manifest, parts.texts, {"values": parts.arrays}, SMALL).score(some.features)

    np.testing.assert_array_equal(scores.comparable, support.comparable(some.features, 5))


def test_a_bar_without_its_forest_is_a_damaged_release(one_sided: Cases, given: Assignment) -> None:
    """One clear line instead of promoting everything."""
    fitted = LEARNERS["best_fixed"].learn(one_sided, given.probability, QUICK)
    parts = parts_of(fitted, one_sided, QUICK)
    manifest = manifest_of("best_fixed", fitted, one_sided, "test", {})
    arrays = {"values": {**parts.arrays, "support": np.array([0.0])}}

    with pytest.raises(EngineError, match=r"has no 'support.forest.txt'"):
        learned_scorer(manifest, parts.texts, arrays, SMALL)


def test_a_policy_of_a_log_without_probabilities_gets_a_usable_verdict(
    one_sided: Cases, given: Assignment
) -> None:
    """It keeps to what can be judged, so its value can be; without that it is outside scope."""
    held = held_out(one_sided.account_ids, 0.3, seed=0)
    learned = one_sided.take(~held)
    # The model is told that visits are wonderful for everybody: a forest extrapolates as boldly.
    bold = replace(learned, reward=learned.reward + 200.0 * (learned.action == VISIT))
    fitted = {"best_fixed": LEARNERS["best_fixed"].learn(bold, given.take(~held).probability, QUICK)}
    support = learn_support(learned, given.take(~held), QUICK, seed=0)

    judged = evaluate(one_sided.take(held), given.take(held), fitted, seed=0, support=support)

    value = judged.evaluation.of("best_fixed")
    assert value.supported >= 0.95
    assert value.verdict.level in {"directional", "limited evidence"}
    assert value.mix["visit_news"] == pytest.approx(0.55, abs=0.1)
    assert value.strength is not None
    assert value.strength > 1.0


def ruled(log: Cases) -> Cases:
    """As a rule decides: A is always visited, B e-mailed or left alone, each "with probability 1"."""
    worth = log.features.account[:, log.features.set.account.index("potential_value")]
    cases = log.take(log.action == np.where(segment_a(log), VISIT, np.where(worth > 500.0, 1, 0)))
    return replace(cases, probability=np.ones(len(cases)))


def test_the_opposite_of_a_rule_that_logged_certainty_is_outside_scope_and_not_promoted(
    tmp_path: Path,
) -> None:
    """A is always visited, B e-mailed or left alone, "with probability 1", while all three were eligible."""
    cases = ruled(cases_of(tmp_path, LogSettings(accounts=1_500)))
    assignment, held = assignment_of(cases, QUICK, seed=0), held_out(cases.account_ids, 0.3, seed=0)
    learned = cases.take(~held)
    # The model is told that e-mails are wonderful; whoever acts on that e-mails A, where none ever was sent.
    bold = replace(learned, reward=learned.reward + 500.0 * (learned.action == 1))
    fitted = {"best_fixed": LEARNERS["best_fixed"].learn(bold, assignment.take(~held).probability, QUICK)}
    support = learn_support(learned, assignment.take(~held), QUICK, seed=0)

    kept, opposite = (
        evaluate(cases.take(held), assignment.take(held), fitted, seed=0, support=each)
        for each in (support, cast(Support, EverythingComparable()))
    )

    assert support is not None
    found, rich = support.comparable(cases.features, 5), segment_a(cases)
    assert found[rich, VISIT].mean() > 0.95
    assert found[rich, 1].mean() < 0.05
    assert found[~rich, VISIT].mean() < 0.05
    assert opposite.evaluation.of("best_fixed").verdict.level == "outside scope"
    assert kept.targets["best_fixed"][segment_a(cases.take(held)), 1].mean() < 0.05


def test_what_contacts_cause_is_not_told_where_nobody_like_those_contacted_was_left_alone(
    tmp_path: Path,
) -> None:
    """Visits cause nothing; A, always visited, buys for 200 more: a model takes that for a certain gain."""
    log = cases_of(tmp_path, LogSettings(accounts=1_000, effect=0.0))
    log = log.take(log.action == np.where(segment_a(log), VISIT, 0))
    cases = replace(log, reward=log.reward + 200.0 * segment_a(log), probability=np.ones(len(log)))
    assignment, held = assignment_of(cases, QUICK, seed=0), held_out(cases.account_ids, 0.3, seed=0)
    learned, known = cases.take(~held), assignment.take(~held).probability
    shy = replace(learned, reward=learned.reward - 900.0 * (learned.action > 0))
    fitted = {
        "best_fixed": LEARNERS["best_fixed"].learn(shy, known, QUICK),
        "t_learner": LEARNERS["t_learner"].learn(learned, known, QUICK),
    }

    judged = evaluate(cases.take(held), assignment.take(held), fitted, seed=0)

    found, worth = judged.evaluation, judge(judged, "t_learner", None, seed=0).of("worth")
    value, page = found.of("t_learner"), board_of(cases, found, "t_learner")
    assert value.versus_fixed is not None
    assert min(value.versus_fixed.low, value.versus_nobody.low) > 5.0
    assert value.verdict.level == "reliable"
    assert not claims_gain(found, "t_learner")
    assert "what contacts cause cannot be judged" in claim(found, "t_learner")
    assert (worth.passed, worth.warning) == (True, True)
    assert "Contacting nobody cannot be compared with" in worth.sentence
    assert [line.label for line in page.money if "nobody" in line.label] == []
    assert any("more than contacting nobody" in sentence for sentence in page.unproven)


def test_where_probabilities_were_logged_everything_eligible_is_comparable(tmp_path: Path) -> None:
    """The list of what could have been chosen says it."""
    cases = cases_of(tmp_path, LogSettings(accounts=100))

    assert learn_support(cases, assignment_of(cases, QUICK, seed=0), QUICK, seed=0) is None


def test_where_everything_was_given_to_everybody_no_forest_is_needed(tmp_path: Path) -> None:
    """A random log without its probabilities: nothing to hold back."""
    cases = cases_of(tmp_path, LogSettings(accounts=300))
    unlogged = replace(cases, probability=np.full(len(cases), np.nan))

    assert learn_support(unlogged, assignment_of(unlogged, QUICK, seed=0), QUICK, seed=0) is None


def test_of_a_part_in_which_all_was_logged_what_was_found_of_the_whole_counts(tmp_path: Path) -> None:
    """Only accounts held out had decisions without a probability: the others alone need no estimate."""
    log = cases_of(tmp_path, LogSettings(accounts=300))
    held = held_out(log.account_ids, 0.3, seed=0)
    mixed = replace(log, probability=np.where(held, np.nan, log.probability))
    assignment = assignment_of(mixed, QUICK, seed=0).take(~held)

    assert assignment.estimates is not None
    assert assignment.logged
    assert learn_support(mixed.take(~held), assignment, QUICK, seed=0) is None
