"""Who was given what: estimated where not logged, believed where it can be true; and what can be judged."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.clusters import Uncertainty
from tests.engine.builders import NOW, history, touchpoint
from tests.training.builders import QUICK, SMALL, LogSettings, cases_of, segment_a, targeted, unlogged
from training.balance import overlap
from training.behaviour import (
    NEVER_CHOSEN,
    Assignment,
    assignment_of,
    believable,
    calibrate,
    could_be_chosen,
    estimate,
)
from training.cases import Cases
from training.persons import clusters_of_persons, served_by
from training.select import choosable, greedy
from training.splits import clusters_of


@pytest.fixture(scope="module")
def random(tmp_path_factory: pytest.TempPathFactory) -> Cases:
    """A half no contact, a quarter each of two contacts, logged."""
    return cases_of(tmp_path_factory.mktemp("random"), LogSettings(accounts=700))


def test_calibration_finds_how_estimated_shares_were_bent() -> None:
    """Shares drawn as p, shown as p squared with a bias for class 2: slope one half, and the shift back."""
    draw = np.random.default_rng(0)
    true = draw.dirichlet(np.ones(3), 20_000)
    label = (true.cumsum(axis=1) < draw.random((len(true), 1))).sum(axis=1)
    shown = true**2 * np.array([1.0, 1.0, 4.0])
    shown /= shown.sum(axis=1, keepdims=True)

    slope, shift = calibrate(shown, label, np.ones(true.shape, dtype=bool))

    assert slope == pytest.approx(0.5, abs=0.02)
    assert shift[2] - shift[0] == pytest.approx(-np.log(2.0), abs=0.06)


def test_what_was_not_eligible_has_no_probability_and_the_rest_adds_up(random: Cases) -> None:
    """An account that may not be e-mailed was not chosen against an e-mail."""
    eligible = random.eligible.copy()
    rows = np.flatnonzero((random.action != 1) & segment_a(random))
    eligible[rows, 1] = False

    found = estimate(replace(unlogged(random), eligible=eligible), QUICK, seed=0)

    assert (found[rows, 1] == 0.0).all()
    assert found.sum(axis=1) == pytest.approx(np.ones(len(random)))
    assert (found[~eligible] == 0.0).all()


def test_estimated_probabilities_are_calibrated_where_the_choice_depended_on_the_account(
    random: Cases,
) -> None:
    """Predicted and chosen agree in each segment: visits are a sixth in B of those in A."""
    cases = targeted(random)

    found = estimate(cases, QUICK, seed=0)

    for own in (segment_a(cases), ~segment_a(cases)):
        assert found[own, 4].mean() == pytest.approx((cases.action[own] == 4).mean(), abs=0.04)


def test_weighting_balances_what_was_recorded(random: Cases) -> None:
    """A was visited more: before weighting the visited differ from all, after it hardly."""
    cases = targeted(random)
    assignment = assignment_of(cases, QUICK, seed=0)
    uncertainty = Uncertainty.of(clusters_of(cases.account_ids), None, seed=0, resamples=50)

    rows = {row.treatment: row for row in overlap(cases, assignment, np.zeros((len(cases), 5)), uncertainty)}

    visit = rows["visit_news"]
    assert visit.before > 0.6
    assert visit.after < 0.5 * visit.before
    assert rows["none"].after < 0.1
    assert visit.comparable == 1.0
    assert visit.effective < visit.cases
    assert rows["none"].effect is None


def test_what_a_treatment_causes_is_found_although_the_rich_were_visited_more(random: Cases) -> None:
    """A is worth 1,000 more and visited six times as often: the plain means differ by hundreds."""
    cases = targeted(random)
    cases = replace(cases, reward=cases.reward + 1_000.0 * segment_a(cases))
    assignment = assignment_of(cases, QUICK, seed=0)
    uncertainty = Uncertainty.of(clusters_of(cases.account_ids), None, seed=0, resamples=200)
    model = np.tile(1_000.0 * segment_a(cases)[:, None], (1, 5)) + 100.0

    found = overlap(cases, assignment, model, uncertainty)

    visit = next(row for row in found if row.treatment == "visit_news").effect
    given = [np.mean((cases.action == 4)[own]) for own in (segment_a(cases), ~segment_a(cases))]
    left = [np.mean((cases.action == 0)[own]) for own in (segment_a(cases), ~segment_a(cases))]
    overlaps = [p * q / (p + q) for p, q in zip(given, left, strict=True)]
    share = segment_a(cases).mean() * overlaps[0]
    share = share / (share + (~segment_a(cases)).mean() * overlaps[1])
    truth = 40.0 * share - 10.0 * (1.0 - share)  # 31: A has more of those who could have had either
    naive = cases.reward[cases.action == 4].mean() - cases.reward[cases.action == 0].mean()
    assert naive > 150.0
    assert visit is not None
    assert visit.estimate == pytest.approx(truth, abs=8.0)


def test_what_a_treatment_causes_is_found_although_the_season_brought_the_visits_and_the_sales(
    random: Cases,
) -> None:
    """In the last of three months many more visits are made and everybody buys for 1,000 more; nothing that
    is known of accounts tells the month."""
    late = random.as_of == random.as_of.max()
    kept = np.random.default_rng(0).random(len(random)) < np.where((random.action == 4) & ~late, 1 / 6, 1.0)
    blank = {name: np.zeros_like(getattr(random.features, name)) for name in ("account", "channel", "topic")}
    features = replace(random.features, **blank)
    season = replace(unlogged(random), features=features, reward=random.reward + 1_000.0 * late).take(kept)
    uncertainty = Uncertainty.of(clusters_of(season.account_ids), None, seed=0, resamples=200)

    found = overlap(
        season, assignment_of(season, QUICK, seed=0), np.full((len(season), 5), 400.0), uncertainty
    )

    visit = next(row for row in found if row.treatment == "visit_news").effect
    naive = season.reward[season.action == 4].mean() - season.reward[season.action == 0].mean()
    assert naive > 250.0
    assert visit is not None
    assert visit.low <= 15.0 <= visit.high  # 40 in A, -10 in B, as many of each


def test_what_nine_accounts_were_given_cannot_be_judged(random: Cases) -> None:
    """Whatever these nine bring, resampling them shows little of what others would."""
    visited = list(dict.fromkeys(np.array(random.account_ids, dtype=object)[random.action == 4]))
    assignment, rows = assignment_of(random, QUICK, seed=0), {}
    for count in (9, 10):
        theirs = np.isin(np.array(random.account_ids, dtype=object), visited[:count])
        cases = replace(random, action=np.where((random.action == 4) & ~theirs, 1, random.action))
        uncertainty = Uncertainty.of(clusters_of(cases.account_ids), None, seed=0, resamples=50)
        found = overlap(cases, assignment, np.zeros((len(cases), 5)), uncertainty)
        rows[count] = next(row for row in found if row.treatment == "visit_news")

    assert (rows[9].judged, rows[10].judged) == (False, True)
    assert rows[9].cases >= 9


def test_what_such_accounts_never_got_is_not_chosen(tmp_path: Path) -> None:
    """Nobody in B was ever visited: a visit of B cannot be judged, so no policy promotes it."""
    many = cases_of(tmp_path, LogSettings(accounts=2_500))
    cases = many.take((many.action != 4) | segment_a(many))
    assignment = assignment_of(unlogged(cases), QUICK, seed=0)
    inside = segment_a(cases)

    may = choosable(cases, assignment)

    assert may[inside, 4].mean() > 0.95
    assert may[~inside, 4].mean() < 0.05
    assert may[:, 0].all()
    wanted = np.tile([0.0, 0.0, 0.0, 0.0, 99.0], (len(cases), 1))
    assert greedy(wanted, cases.cost, may)[~inside, 4].mean() < 0.05


def test_a_treatment_that_cannot_be_judged_has_no_effect_in_the_table(random: Cases) -> None:
    """No figure is better than one that compares with nobody."""
    assignment = Assignment(
        random.probability, np.zeros_like(random.eligible), np.ones(len(random), dtype=bool)
    )
    uncertainty = Uncertainty.of(clusters_of(random.account_ids), None, seed=0, resamples=20)

    rows = overlap(random, assignment, np.zeros((len(random), 5)), uncertainty)

    assert [row.judged for row in rows] == [False, False, False]


def test_probabilities_that_can_be_true_are_believed(random: Cases) -> None:
    """A half and two quarters of three: nothing to say."""
    known, doubts = believable(random)

    assert known.all()
    assert doubts == ()


@pytest.mark.parametrize("wrong", [0.0, -0.5, 1.5])
def test_a_probability_outside_its_range_is_estimated_and_said(random: Cases, wrong: float) -> None:
    """One bad row is not a reason to lose the others."""
    probability = random.probability.copy()
    probability[:3] = wrong

    known, doubts = believable(replace(random, probability=probability))

    assert known.sum() == len(random) - 3
    assert doubts == ("3 logged probabilities lie outside (0, 1]; they were estimated.",)


def test_probabilities_of_an_eligible_set_that_do_not_add_up_are_not_believed(random: Cases) -> None:
    """All are half of what they should be: weights would count every case twice."""
    known, doubts = believable(replace(random, probability=random.probability / 2))

    assert not known.any()
    assert len(doubts) == 1
    assert "add up to about 0.50, not to 1" in doubts[0]


def ruled(cases: Cases, probability: float = 1.0) -> Cases:
    """Of the random log what a rule would have done, logged as this likely: A is visited, of B every second
    account is e-mailed."""
    place = cases.features.set.account.index("potential_value")
    rich = cases.features.account[:, place] > 500.0
    rule = np.where(segment_a(cases), 4, np.where(rich, 1, 0))
    kept = cases.take(cases.action == rule)
    return replace(kept, probability=np.full(len(kept), probability))


@pytest.mark.parametrize("probability", [1.0, 0.9])
@pytest.mark.parametrize("listed", [True, False])
def test_what_a_rule_could_never_choose_is_not_comparable_whatever_it_logged(
    tmp_path: Path, probability: float, listed: bool
) -> None:
    """Three treatments are eligible and the rule is sure of its own: the log says nothing of the others."""
    cases = ruled(cases_of(tmp_path, LogSettings(accounts=1_500)), probability)
    cases = cases if listed else replace(cases, options=np.zeros(len(cases), dtype=np.int64))
    rows, rich = np.arange(len(cases)), segment_a(cases)

    assignment = assignment_of(cases, QUICK, seed=0)

    assert assignment.logged
    np.testing.assert_array_equal(assignment.probability, cases.probability)
    assert assignment.doubts == (NEVER_CHOSEN,)
    assert assignment.comparable[rows, cases.action].mean() > 0.99
    assert not assignment.comparable[rich][:, [0, 1]].any()
    assert not assignment.comparable[~rich, 4].any()
    assert choosable(cases, assignment)[~rich, 4].sum() == 0


def test_probabilities_that_add_up_to_two_are_not_believed(random: Cases) -> None:
    """Certain of no contact and a half for each of two others: weights would be half of what they should."""
    assignment = assignment_of(replace(random, probability=2.0 * random.probability), QUICK, seed=0)

    assert assignment.estimated == 1.0
    assert len(assignment.doubts) == 1
    assert "add up to about 2.0" in assignment.doubts[0]
    assert assignment.probability[random.action == 0].mean() == pytest.approx(0.5, abs=0.05)
    assert assignment.comparable[:, [0, 1, 4]].all()


@pytest.mark.parametrize("share", [0.02, 0.3])
def test_a_policy_that_explores_a_little_is_taken_at_its_word(random: Cases, share: float) -> None:
    """It visits A and e-mails B, and draws at random in a few cases: those few show what the others would
    have done, in a long log and in one so short that nothing else was seen yet."""
    sure, drawn = 1.0 - share + share / 3, share / 3
    best = np.where(segment_a(random), 4, 1)
    true = np.full((len(random), 5), drawn)
    true[np.arange(len(random)), best] = sure
    logged = np.array([0.5, 0.25, 0.0, 0.0, 0.25])[random.action]
    wanted = true[np.arange(len(random)), random.action]
    kept = np.random.default_rng(1).random(len(random)) < wanted / logged / 4.0
    cases = replace(random, probability=wanted).take(kept)
    short = cases.take(np.flatnonzero(cases.action == np.where(segment_a(cases), 4, 1))[:60])

    for log in (cases, short):
        assignment = assignment_of(log, QUICK, seed=0)

        assert assignment.estimates is None
        assert assignment.doubts == ()
        np.testing.assert_array_equal(assignment.comparable, log.eligible & (log.counts >= 50))


def test_the_only_eligible_treatment_was_certain(random: Cases) -> None:
    """A probability below 1 for the only possibility contradicts itself."""
    options = random.options.copy()
    options[:10] = 1

    known, doubts = believable(replace(random, options=options))

    assert known.sum() == len(random) - 10
    assert "10 decisions had one eligible treatment only" in doubts[0]


def test_without_a_list_of_what_could_have_been_chosen_nothing_is_checked(random: Cases) -> None:
    """The playbook's policies are not what the log chose from."""
    known, doubts = believable(
        replace(random, options=np.zeros(len(random), dtype=int), probability=random.probability / 2)
    )

    assert known.all()
    assert doubts == ()


def test_doubts_reach_the_assignment(random: Cases) -> None:
    """The report repeats them."""
    assignment = assignment_of(replace(random, probability=random.probability / 2), QUICK, seed=0)

    assert assignment.estimated == 1.0
    assert "add up" in assignment.doubts[0]
    assert assignment.probability[random.action == 0].mean() == pytest.approx(0.5, abs=0.05)


def test_logged_lists_are_counted_with_what_was_chosen(random: Cases, tmp_path: Path) -> None:
    """Three names in every list; none where there is no list."""
    assert set(random.options) == {3}
    assert set(cases_of(tmp_path, LogSettings(accounts=30, logged=False)).options) == {0}


def test_one_class_alone_has_probability_one(random: Cases) -> None:
    """Only no contact was ever chosen: there is nothing to learn, and nothing fails."""
    found = estimate(unlogged(random.take(random.action == 0)), QUICK, seed=0)

    assert (found[:, 0] == 1.0).all()


def test_who_serves_an_account_is_its_team_else_who_contacts_it_most() -> None:
    """b has no team, c neither team nor contacts, d nobody."""
    past = history(
        touchpoint(-30, id="t1", account_id="b", user_id="u9"),
        touchpoint(-20, id="t2", account_id="b", user_id="u9"),
        touchpoint(-10, id="t3", account_id="b", user_id="u1"),
        accounts=("a", "b", "d"),
    )
    occasions = past["accounts"].select("account_id")

    found = served_by(past, occasions, SMALL, at=NOW)

    assert dict(zip(occasions["account_id"], found, strict=True))["b"] == "u9"
    assert dict(zip(occasions["account_id"], found, strict=True))["d"] == ""


def test_accounts_that_nobody_serves_stand_for_themselves() -> None:
    """They do not hang together because nothing is known of them."""
    found = clusters_of_persons(np.array(["u1", "", "", "u1"], dtype=object), ("a", "b", "c", "d"))

    assert found[0] == found[3] >= 0
    assert len(set(found)) == 3
    assert (found[1:3] < 0).all()


def test_rules_that_past_decisions_did_not_keep_do_not_restrict_what_could_be_chosen(random: Cases) -> None:
    """The playbook forbids visits of B today; they were visited all the same. Nobody in A was e-mailed, which
    it forbids too."""
    rich = segment_a(random)
    unlisted = replace(unlogged(random), options=np.zeros(len(random), dtype=np.int64))
    cases = unlisted.take(~rich | (random.action != 1))
    eligible = np.ones_like(cases.eligible)
    eligible[~segment_a(cases), 4] = False
    eligible[segment_a(cases), 1] = False

    could = could_be_chosen(replace(cases, eligible=eligible))

    assert could[:, 4].all()
    assert not could[segment_a(cases), 1].any()
    assert not could_be_chosen(replace(cases, eligible=eligible, options=np.ones(len(cases), dtype=int)))[
        ~segment_a(cases) & (cases.action == 0), 4
    ].any()


def test_probabilities_do_not_know_what_was_chosen_against_the_rules(random: Cases) -> None:
    """A visit that the rules of today forbid was as likely for those who did not get it."""
    eligible = random.eligible.copy()
    eligible[:, 4] = False
    cases = replace(unlogged(random), eligible=eligible, options=np.zeros(len(random), dtype=np.int64))

    assignment = assignment_of(cases, QUICK, seed=0)

    assert assignment.probability[cases.action == 4].mean() == pytest.approx(0.25, abs=0.03)
    assert not assignment.comparable[:, 4].any()
