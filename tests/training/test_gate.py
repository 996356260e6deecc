"""The gate: each check says no for its own reason, and with the bounds that the playbook gives."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest

from data.artifacts import Release
from engine.estimation import Verdict
from engine.learning_settings import Fairness, GateSettings
from engine.records import DAY_MICROS
from tests.training.builders import QUICK, SMALL, EverythingComparable, LogSettings, cases_of
from training.alike import feature_drift, rate_ratios, stability_index
from training.behaviour import NEVER_CHOSEN, Assignment, assignment_of
from training.cases import Cases
from training.evaluate import Judged, evaluate
from training.gate import GATE, judge
from training.gate_parts import Candidate, Check
from training.learners import LEARNERS, Fitted
from training.release import manifest_of, parts_of
from training.splits import held_out
from training.support import Support

CHOSEN = "s_learner"


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> tuple[Cases, dict[str, Fitted], Judged]:
    """All cases, two learners that saw half of the accounts, and their policies on the others."""
    cases = cases_of(tmp_path_factory.mktemp("gate"), LogSettings(accounts=500))
    assignment, held = assignment_of(cases, QUICK, seed=0), held_out(cases.account_ids, 0.5, seed=0)
    fitted = {
        name: LEARNERS[name].learn(cases.take(~held), assignment.take(~held).probability, QUICK)
        for name in ("best_fixed", CHOSEN)
    }
    return cases, fitted, evaluate(cases.take(held), assignment.take(held), fitted, seed=0)


def check(judged: Judged, name: str, **changed: Any) -> Check:
    """What one check says."""
    given = {"in_use": None, "recent": None} | changed
    return judge(judged, CHOSEN, given["in_use"], seed=0, recent=given["recent"]).of(name)


def under(judged: Judged, **bounds: Any) -> Judged:
    """The same under a playbook that says something else."""
    return replace(judged, cases=replace(judged.cases, playbook=replace(SMALL, **bounds)))


def released(fitted: Fitted, cases: Cases, learner: str = CHOSEN) -> Release:
    """What was learned as the release in use."""
    parts = parts_of(fitted, cases, QUICK)
    manifest = manifest_of(learner, fitted, cases, "20260101T000000-00000000", {})
    return Release(manifest["release"], manifest, "", parts.texts, {"values": parts.arrays})


def unseen(release: Release) -> Release:
    """The same as if it had been learned before everything that is held out."""
    return replace(release, manifest=dict(release.manifest) | {"known_until": 0})


def test_twelve_persons_whose_visits_differ_make_the_difference_less_certain(
    learned: tuple[Cases, dict[str, Fitted], Judged],
) -> None:
    """What visits bring is up to her who makes them: 250 accounts are not 250 independent answers."""
    cases, fitted, judged = learned
    person = np.array(
        [f"u{int(account[1:]) // 2 % 12}" for account in judged.cases.account_ids], dtype=object
    )
    skill = np.array([300.0 * np.cos(int(name[1:])) for name in person])
    theirs = replace(
        judged.cases, person=person, reward=judged.cases.reward + skill * (judged.cases.action == 4)
    )
    nobodys = replace(theirs, person=np.full(len(person), "", dtype=object))
    in_use = unseen(released(fitted["best_fixed"], cases, "best_fixed"))

    by_person, by_account = (
        check(replace(judged, cases=each), "difference", in_use=in_use).figures for each in (theirs, nobodys)
    )

    assert by_person["estimate"] == by_account["estimate"]
    wide, narrow = (each["high"] - each["low"] for each in (by_person, by_account))
    assert wide > 1.5 * narrow


def test_a_difference_that_hardly_any_account_shows_is_to_be_looked_at(
    learned: tuple[Cases, dict[str, Fitted], Judged],
) -> None:
    """Where they differ nobody was given what either would do: a narrow interval of the model's guesses."""
    cases, fitted, judged = learned
    in_use = unseen(released(fitted["best_fixed"], cases, "best_fixed"))
    differ = (judged.targets[CHOSEN] != judged.targets["best_fixed"]).any(axis=1)
    alone = replace(judged, cases=replace(judged.cases, action=np.where(differ, 0, judged.cases.action)))
    few = np.array([f"u{int(account[1:]) // 2 % 4}" for account in judged.cases.account_ids], dtype=object)

    usual = check(judged, "difference", in_use=in_use)
    guessed = check(alone, "difference", in_use=in_use)
    by_four = check(replace(judged, cases=replace(judged.cases, person=few)), "difference", in_use=in_use)

    assert not usual.warning
    assert guessed.warning
    assert "mostly the model's guess" in guessed.sentence
    assert by_four.warning
    assert "by account only, and too narrow" in by_four.sentence


def test_the_release_in_use_chooses_on_new_cases_among_what_can_be_judged(
    learned: tuple[Cases, dict[str, Fitted], Judged],
) -> None:
    """The same release twice, where visits cannot be judged: neither makes any, so there is no difference."""
    cases, fitted, judged = learned
    again = evaluate(judged.cases, visits_not_judged(judged), fitted, seed=0)

    found = check(again, "difference", in_use=unseen(released(fitted[CHOSEN], cases)))

    assert "cases matured since" in found.sentence
    assert found.figures == {"same": 1.0}


def test_what_chooses_the_same_is_not_given_an_interval(
    learned: tuple[Cases, dict[str, Fitted], Judged],
) -> None:
    """ "+0.00, +0.00 to +0.00" looks like a measurement of which nobody made one."""
    cases, fitted, judged = learned
    again = released(fitted[CHOSEN], cases)
    moved = judged.targets[CHOSEN].copy()
    moved[:150] = np.eye(moved.shape[1])[0]
    other = replace(judged, targets=dict(judged.targets) | {CHOSEN: moved})

    unseen_before, seen = (
        check(judged, "difference", in_use=unseen(again)),
        check(judged, "difference", in_use=again),
    )
    not_alike = check(other, "difference", in_use=again)

    for found in (unseen_before, seen):
        assert found.passed
        assert not found.warning
        assert f"chooses the same as the release in use ({again.id})" in found.sentence
        assert found.figures == {"same": 1.0}
    assert not_alike.passed
    assert not_alike.warning
    assert f"has seen all but 0 of the {len(judged.cases)} held-out cases" in not_alike.sentence
    share = (moved == judged.targets[CHOSEN]).all(axis=1).mean()
    assert not_alike.figures == {"same": pytest.approx(share)}
    assert f"In {share:.0%} of the decisions both choose the same." in not_alike.sentence


def test_what_the_release_in_use_has_seen_is_reckoned_by_its_own_windows(
    learned: tuple[Cases, dict[str, Fitted], Judged],
) -> None:
    """A longer horizon in today's playbook takes no case away that the old release learned from."""
    cases, fitted, judged = learned
    in_use = released(fitted["best_fixed"], cases, "best_fixed")
    longer = replace(judged, cases=replace(judged.cases, windows=(400.0,)))

    found = check(longer, "difference", in_use=in_use)

    assert "best_fixed, the learner of the release in use, learned again" in found.sentence


def test_a_release_in_use_that_is_damaged_is_named_and_stands_in_nobodys_way(
    learned: tuple[Cases, dict[str, Fitted], Judged],
) -> None:
    """A new release is the way out; that it was compared with nothing is not passed over."""
    judged = learned[2]

    gate = judge(judged, CHOSEN, None, "Release one is damaged: value.forest.txt was changed.", seed=0)

    for name in ("difference", "volume"):
        found = gate.of(name)
        assert found.passed
        assert found.warning
        assert "which cannot be read: Release one is damaged" in found.sentence
    assert "this one would be the first" not in gate.of("evidence").sentence


def test_a_first_release_on_limited_evidence_passes_with_a_warning(
    learned: tuple[Cases, dict[str, Fitted], Judged],
) -> None:
    """It may be better than nothing; that nothing of it is proven must be seen before it decides."""
    cases, fitted, judged = learned
    own = judged.evaluation.of(CHOSEN)
    enough = replace(own, verdict=Verdict("directional", "Wide."))
    strong = replace(judged, evaluation=replace(judged.evaluation, policies=(enough,)))

    first = GATE["evidence"](Candidate(judged, CHOSEN, None, "", None, judged.targets[CHOSEN], 0))
    later = check(judged, "evidence", in_use=released(fitted[CHOSEN], cases))
    better = GATE["evidence"](Candidate(strong, CHOSEN, None, "", None, strong.targets[CHOSEN], 0))

    assert first.passed
    assert first.warning
    assert first.sentence.startswith("limited evidence: ")
    assert first.sentence.endswith("this one would be the first, and no gain of it is proven.")
    assert later.warning
    assert "would be the first" not in later.sentence
    assert not better.warning


def test_a_good_release_passes_every_check_and_each_says_why(
    learned: tuple[Cases, dict[str, Fitted], Judged],
) -> None:
    """Whoever reads the report sees what was looked at, also where nothing was wrong."""
    cases, _, judged = learned

    gate = judge(judged, CHOSEN, None, seed=0, recent=cases)

    assert gate.passed
    assert [each.name for each in gate.checks] == list(GATE)
    assert all(each.sentence.endswith(".") for each in gate.checks)


def visits_not_judged(judged: Judged) -> Assignment:
    """Nobody like these accounts was ever visited."""
    assignment = judged.assignment
    return replace(assignment, comparable=assignment.comparable & (np.arange(5) != 4))


def test_what_the_log_has_no_decisions_like_is_stopped(
    learned: tuple[Cases, dict[str, Fitted], Judged],
) -> None:
    """Visits cannot be judged, and it makes them in half of the decisions all the same."""
    _, fitted, judged = learned
    without = visits_not_judged(judged)
    beyond = evaluate(judged.cases, without, fitted, seed=0, support=cast(Support, EverythingComparable()))

    gate = judge(beyond, CHOSEN, None, seed=0)

    assert gate.failed[0] == gate.of("evidence")
    assert gate.of("evidence").sentence.startswith("outside scope: ")
    assert gate.of("evidence").figures["supported"] < 0.7
    assert check(judged, "evidence").passed


def test_a_release_in_use_that_cannot_score_any_more_does_not_stop_a_new_one(
    learned: tuple[Cases, dict[str, Fitted], Judged],
) -> None:
    """It read a column that is refused now. A new release is the way out, and somebody should look."""
    cases, fitted, judged = learned
    release = unseen(released(fitted[CHOSEN], cases))
    names = [name.replace("segment", "segment_after") for name in release.manifest["feature_names"]]
    in_use = replace(release, manifest=dict(release.manifest) | {"feature_names": names})

    found = judge(judged, CHOSEN, in_use, seed=0)

    assert found.passed
    unable = [each for each in found.warnings if "cannot score" in each.sentence]
    assert {each.name for each in unable} == {"difference", "volume"}
    for each in unable:
        assert each.sentence.startswith("The release in use cannot score with this playbook and history: ")
        assert "'segment_after', which is not known here" in each.sentence


def test_what_promises_four_times_what_comes_is_stopped(
    learned: tuple[Cases, dict[str, Fitted], Judged],
) -> None:
    """Plans and budgets are made with what it expects."""
    _, _, judged = learned
    none = judged.predicted[CHOSEN][:, :1]
    boasting = replace(
        judged, predicted=dict(judged.predicted) | {CHOSEN: none + 4.0 * (judged.predicted[CHOSEN] - none)}
    )

    honest, found = check(judged, "calibration"), check(boasting, "calibration")

    assert honest.passed
    assert honest.figures["estimate"] == pytest.approx(1.0, abs=0.2)
    assert not found.passed
    assert found.figures["high"] < 0.5
    assert check(under(boasting, gate=GateSettings(calibration=0.1)), "calibration").passed


def test_what_can_speak_of_few_decisions_is_stopped(
    learned: tuple[Cases, dict[str, Fitted], Judged],
) -> None:
    """For all others the starting values would decide, and nobody would know."""
    _, _, judged = learned
    silent = judged.predicted[CHOSEN].copy()
    silent[: int(len(silent) * 0.8), 1:] = np.nan

    found = check(replace(judged, predicted=dict(judged.predicted) | {CHOSEN: silent}), "coverage")

    assert check(judged, "coverage").figures == {"decisions": 1.0, "contacts": 1.0}
    assert not found.passed
    assert found.figures["decisions"] == pytest.approx(0.2, abs=0.01)


def test_a_channel_that_suddenly_has_many_more_contacts_stops_it(
    learned: tuple[Cases, dict[str, Fitted], Judged],
) -> None:
    """Thirty visits a week where there were none is a decision for people."""
    cases, fitted, judged = learned
    in_use = released(fitted[CHOSEN], cases)
    visits = np.zeros_like(judged.targets[CHOSEN])
    visits[:, 4] = 1.0
    eager = replace(judged, targets=dict(judged.targets) | {CHOSEN: visits})

    found = check(eager, "volume", in_use=in_use)

    assert check(judged, "volume", in_use=in_use).passed
    assert not found.passed
    assert "too much: email" in found.sentence
    assert found.figures["new_visit"] == 1.0
    assert 0.3 < found.figures["old_visit"] < 0.7
    assert judge(eager, CHOSEN, in_use, seed=0, served=judged.targets[CHOSEN]).of("volume").passed
    generous = GateSettings(volume_factor=3.0, volume_least=0.9)
    assert check(under(eager, gate=generous), "volume", in_use=in_use).passed


@pytest.mark.parametrize(("outside", "passes"), [("warn", True), ("fail", False)])
def test_a_category_that_is_hardly_contacted_is_told_or_stops_it(
    learned: tuple[Cases, dict[str, Fitted], Judged], outside: Any, passes: bool
) -> None:
    """What is right depends on the business; that it is said does not."""
    _, _, judged = learned
    one_sided = judged.targets[CHOSEN].copy()
    in_b = judged.cases.features.account[:, judged.cases.features.set.account.index("segment")] == 1.0
    one_sided[in_b] = np.eye(one_sided.shape[1])[0]
    unfair = replace(judged, targets=dict(judged.targets) | {CHOSEN: one_sided})

    found = check(under(unfair, fairness=(Fairness(outside=outside),)), "fairness")

    assert found.passed == passes
    assert found.warning
    assert "segment B (all contacts) 0.00" in found.sentence
    assert "everybody" not in found.sentence


def test_a_category_that_people_never_visit_is_told_where_all_are_contacted(
    learned: tuple[Cases, dict[str, Fitted], Judged],
) -> None:
    """A policy without limits contacts everybody, and every rate is 1; who gets the visits is seen."""
    _, _, judged = learned

    found = check(judged, "fairness")

    assert found.figures["any_segment_A"] == pytest.approx(1.0, abs=0.02)
    assert found.figures["any by people_segment_B"] < 0.1
    assert found.warning
    assert "segment B (all contacts by people) 0.0" in found.sentence
    assert "segment B (all contacts) " not in found.sentence
    assert "Nearly everybody is contacted" in found.sentence


def test_where_people_carry_out_everything_no_rate_is_told_twice(
    learned: tuple[Cases, dict[str, Fitted], Judged],
) -> None:
    """Contacts and contacts by people are then the same."""
    _, _, judged = learned
    treatments = tuple(replace(t, role="rep") if t.kind == "contact" else t for t in SMALL.treatments)

    found = rate_ratios(under(judged, treatments=treatments).cases, judged.targets[CHOSEN], Fairness())

    assert {each.what for each in found} == {"any"}


def test_fairness_is_looked_at_by_issue_and_attribute(
    learned: tuple[Cases, dict[str, Fitted], Judged],
) -> None:
    """An issue may be offered to one segment on purpose while another may not."""
    _, _, judged = learned
    issue = next(t.issue for t in SMALL.treatments if t.kind == "contact")

    of_issue = rate_ratios(judged.cases, judged.targets[CHOSEN], Fairness(issue=issue))
    of_another = rate_ratios(judged.cases, judged.targets[CHOSEN], Fairness(attributes=("territory",)))

    assert {(each.what, each.attribute) for each in of_issue} == {
        (issue, "segment"),
        (f"{issue} by people", "segment"),
    }
    assert of_another == []


def test_features_that_look_different_now_are_named_and_too_many_stop_it(
    learned: tuple[Cases, dict[str, Fitted], Judged],
) -> None:
    """What was learned from accounts of another kind does not hold for these."""
    cases, _, judged = learned
    features = cases.features
    moved = features.account.copy()
    place = features.set.account.index("potential_value")
    moved[:, place] += 5_000.0
    shifted = replace(cases, features=replace(features, account=moved))

    same, told = check(judged, "drift", recent=cases), check(judged, "drift", recent=shifted)

    assert not same.warning
    assert told.passed
    assert told.warning
    assert "potential_value" in told.sentence
    found, _ = feature_drift(judged.cases, shifted)
    assert [name for name, size in found.items() if size > 0.25] == ["potential_value"]
    assert not check(under(judged, gate=GateSettings(drifted_most=0.0)), "drift", recent=shifted).passed


def test_counts_over_a_year_do_not_drift_while_the_history_is_younger_than_that(
    learned: tuple[Cases, dict[str, Fitted], Judged],
) -> None:
    """They grow because the history does; a warning in every first year would be read by nobody."""
    cases, _, judged = learned
    features = cases.features
    grown = features.account.copy()
    place = features.set.account.index("outcome_value_365d")
    grown[:, place] = 2.0 * grown[:, place] + 1_000.0
    recent = replace(cases, features=replace(features, account=grown))
    began = cases.known_from - 400 * DAY_MICROS
    old = replace(judged, cases=replace(judged.cases, known_from=began))

    young, told = (
        check(judged, "drift", recent=recent),
        check(old, "drift", recent=replace(recent, known_from=began)),
    )

    assert not young.warning
    assert "look further back than the history did then" in young.sentence
    assert told.warning
    assert "outcome_value_365d" in told.sentence


def test_how_long_ago_something_was_is_compared_as_far_back_as_both_could_see(
    learned: tuple[Cases, dict[str, Fitted], Judged],
) -> None:
    """A last visit 300 days ago cannot stand in a history of 200; it is as good as none in 90."""
    cases, _, judged = learned
    features = cases.features
    place = features.set.account.index("days_since_any")

    def with_last(days: float) -> Cases:
        changed = features.account.copy()
        changed[:, place] = np.where(np.isnan(changed[:, place]), days, changed[:, place])
        return replace(cases, features=replace(features, account=changed))

    found, _ = feature_drift(judged.cases, with_last(300.0))
    lately, _ = feature_drift(judged.cases, with_last(20.0))

    assert found["days_since_any"] < 0.1
    assert lately["days_since_any"] > 0.25


def test_the_stability_index_by_hand() -> None:
    """Shares .5 and .5 then, .25 and .75 now: .25 ln 3 = 0.2747; what became unknown counts too."""
    then, now = np.array([0.0, 1.0]), np.array([0.0, 1.0, 1.0, 1.0])

    assert stability_index(then, now, coded=True) == pytest.approx(0.25 * np.log(3.0), abs=1e-9)
    assert stability_index(then, then) == 0.0
    assert stability_index(then, np.full(4, np.nan)) > 1.0


def test_logged_probabilities_that_are_not_believed_are_a_warning(
    learned: tuple[Cases, dict[str, Fitted], Judged],
) -> None:
    """Whoever writes the log is to know of it from the command, not from the foot of a report."""
    _, _, judged = learned
    cases = judged.cases
    halved = assignment_of(replace(cases, probability=cases.probability / 2), QUICK, seed=0)
    rare = replace(judged.assignment, doubts=(NEVER_CHOSEN,))

    told = [check(replace(judged, assignment=each), "probabilities") for each in (halved, rare)]

    assert [each.passed for each in told] == [True, True]
    assert [each.warning for each in told] == [True, False]
    assert "add up to about 0.49, not to 1; none of them was used, all were estimated." in told[0].sentence
    assert told[0].figures["logged"] == 0.0
    assert told[1].sentence == "A probability that can be true was logged for 100% of the held-out decisions."
