"""The board's page: money a month, cost, followers, what was not proven, the next test."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.estimation import Verdict
from engine.lift import Units, power
from engine.records import DAY_MICROS
from tests.training.builders import QUICK, LogSettings, cases_of
from training.behaviour import assignment_of
from training.board import Board, board_of, decisions_a_month, followers, powers
from training.cases import Cases
from training.evaluate import Evaluation, evaluate
from training.learners import LEARNERS
from training.splits import held_out


@pytest.fixture(scope="module")
def valued(tmp_path_factory: pytest.TempPathFactory) -> tuple[Cases, Evaluation]:
    """Cases, and policies valued on half of the accounts."""
    cases = cases_of(tmp_path_factory.mktemp("board"), LogSettings(accounts=600))
    assignment, held = assignment_of(cases, QUICK, seed=0), held_out(cases.account_ids, 0.5, seed=0)
    fitted = {
        name: LEARNERS[name].learn(cases.take(~held), assignment.take(~held).probability, QUICK)
        for name in ("best_fixed", "s_learner")
    }
    return cases, evaluate(cases.take(held), assignment.take(held), fitted, seed=0).evaluation


@pytest.fixture(scope="module")
def board(valued: tuple[Cases, Evaluation]) -> Board:
    return board_of(*valued, "s_learner", warnings=["To be looked at."])


def test_money_a_month_is_the_gain_of_a_decision_times_the_decisions(
    board: Board, valued: tuple[Cases, Evaluation]
) -> None:
    """600 accounts decide every 40 days, three times: 1,800 decisions of 120 days are 456.6 a month."""
    cases, evaluation = valued
    gap = evaluation.of("s_learner").versus_logged

    assert decisions_a_month(cases) == pytest.approx(1800 / 120 * 30.4375)
    assert board.money[0].month.estimate == pytest.approx(gap.estimate * decisions_a_month(cases))
    assert board.money[0].month.low == pytest.approx(gap.low * decisions_a_month(cases))
    assert board.money[0].certain
    assert board.verdict.startswith("Shown on past decisions")


def test_decisions_at_all_times_are_counted_over_the_time_they_took(
    valued: tuple[Cases, Evaluation],
) -> None:
    """1,800 moments one after the other within 80 days: nothing is to be added at the end."""
    cases, _ = valued
    spread = np.linspace(cases.as_of.min(), cases.as_of.max(), len(cases)).astype(np.int64)
    spread = spread.reshape(3, -1).T.ravel()  # an account's three lie weeks apart
    moments = replace(cases.features.moments, as_of=spread)
    cases = replace(cases, features=replace(cases.features, moments=moments))

    assert decisions_a_month(cases) == pytest.approx(1800 / 80 * 30.4375, rel=1e-3)


def test_what_is_decided_five_times_a_day_is_worth_and_costs_what_is_done_once(
    board: Board, valued: tuple[Cases, Evaluation]
) -> None:
    """After each of five clicks the engine decides again, with the same draw: one visit, one effect."""
    cases, evaluation = valued
    again = cases.take(np.repeat(np.arange(len(cases)), 5))
    minutes = np.tile(np.arange(5) * 60_000_000, len(cases))
    midnight = cases.as_of[0] // DAY_MICROS * DAY_MICROS + DAY_MICROS // 2 - cases.as_of[0]
    moments = replace(again.features.moments, as_of=again.as_of + midnight + minutes)
    again = replace(again, features=replace(again.features, moments=moments))

    found = board_of(again, evaluation, "s_learner")

    assert found.decisions_a_month == pytest.approx(board.decisions_a_month, rel=1e-3)
    assert found.money[0].month.estimate == pytest.approx(board.money[0].month.estimate, rel=1e-3)
    assert found.costs[1].money == pytest.approx(board.costs[1].money, rel=1e-3)


def test_probabilities_that_cannot_be_true_leave_it_unproven_as_none_do(
    valued: tuple[Cases, Evaluation],
) -> None:
    """They were logged, yet estimated: something that nobody wrote down may explain part of the gain."""
    cases, logged = valued
    wrong = replace(cases, probability=cases.probability / 2)
    assignment, held = assignment_of(wrong, QUICK, seed=0), held_out(wrong.account_ids, 0.5, seed=0)
    fixed = LEARNERS["best_fixed"].learn(wrong.take(~held), assignment.take(~held).probability, QUICK)
    fitted = {"best_fixed": fixed}
    found = evaluate(wrong.take(held), assignment.take(held), fitted, seed=0).evaluation

    said = board_of(wrong, found, "best_fixed").unproven

    assert any("how past contacts were chosen was estimated" in sentence for sentence in said)
    assert not any("was estimated" in sentence for sentence in board_of(cases, logged, "best_fixed").unproven)


def test_cost_counts_what_was_done_and_what_would_be_done(
    board: Board, valued: tuple[Cases, Evaluation]
) -> None:
    """An e-mail costs 1, a visit 10: a quarter each was done."""
    cases, _ = valued

    assert board.costs[0].money / decisions_a_month(cases) == pytest.approx(0.25 * 1 + 0.25 * 10, rel=0.15)
    assert board.costs[1].money > board.costs[0].money


def test_a_gain_that_chance_explains_is_called_not_proven(valued: tuple[Cases, Evaluation]) -> None:
    """The first word that a board reads must not promise."""
    cases, evaluation = valued
    own = evaluation.of("s_learner")
    unsure = replace(own, versus_logged=replace(own.versus_logged, low=-1.0))
    policies = tuple(unsure if each.policy == "s_learner" else each for each in evaluation.policies)

    board = board_of(cases, replace(evaluation, policies=policies), "s_learner")

    assert board.verdict.startswith("Not proven")
    assert not board.money[0].certain


@pytest.mark.parametrize("level", ["limited evidence", "outside scope"])
def test_no_line_says_more_than_the_verdict_above_it(valued: tuple[Cases, Evaluation], level: Any) -> None:
    """Evidence worth 29 decisions has intervals above 0, too, and is "not proven" all the same."""
    cases, evaluation = valued
    own = evaluation.of("s_learner")
    weak = replace(own, verdict=Verdict(level, "Too few."))
    policies = tuple(weak if each.policy == "s_learner" else each for each in evaluation.policies)

    board = board_of(cases, replace(evaluation, policies=policies), "s_learner")

    assert board.verdict.startswith("Not proven")
    assert board.money[0].month.low > 0.0
    assert {line.word for line in board.money} == {"not proven"}


def test_the_gain_beyond_one_action_for_all_is_certain_only_where_it_is_claimed(
    valued: tuple[Cases, Evaluation],
) -> None:
    """Who earns more than a bad contact for all, but not more than contacting nobody, has shown nothing."""
    cases, evaluation = valued
    own = evaluation.of("s_learner")
    unsure = replace(own, versus_nobody=replace(own.versus_nobody, low=-1.0))
    policies = tuple(unsure if each.policy == "s_learner" else each for each in evaluation.policies)

    lines = board_of(cases, replace(evaluation, policies=policies), "s_learner").money

    assert [line.word for line in lines] == ["more than chance", "not proven", "chance may explain it"]


def test_who_followed_is_not_told_where_nothing_was_suggested(valued: tuple[Cases, Evaluation]) -> None:
    """Landmarks are made of deeds: "100 % followed" would praise advice that nobody gave."""
    cases, evaluation = valued

    assert board_of(cases, evaluation, "s_learner").followers is not None
    assert board_of(replace(cases, basis="landmarks"), evaluation, "s_learner").followers is None


def test_what_the_system_carries_out_nobody_followed(valued: tuple[Cases, Evaluation]) -> None:
    """100 % of the e-mails that the system sends by itself is no praise of the advice."""
    cases, _ = valued
    everything = replace(cases, followed=np.where(cases.action == 0, np.nan, 1.0))

    by_role = {row.role: row.automatic for row in followers(everything)}

    assert by_role == {"rep": False, "system": True}


def test_the_best_single_action_is_the_same_as_itself(valued: tuple[Cases, Evaluation]) -> None:
    """Chance has no part in a difference of 0."""
    lines = board_of(*valued, "best_fixed").money

    assert lines[1].word == "the same"


def test_limits_that_valued_policies_do_not_know_are_said(board: Board) -> None:
    """Three times the hours of people is what the best for each account alone would take."""
    assert "Limits of contacts, people's hours and which account goes first are not in" in board.unproven[1]


def test_what_was_not_proven_names_the_whole_programme_and_every_warning(board: Board) -> None:
    """No log shows what following the advice for a year does."""
    assert "control group" in board.unproven[0]
    assert board.unproven[-1] == "To be looked at."


def test_who_followed_is_told_by_role_and_only_where_it_is_known(valued: tuple[Cases, Evaluation]) -> None:
    """Silence is no refusal."""
    cases, _ = valued
    visits = np.flatnonzero(cases.action == 4)
    known = np.full(len(cases), np.nan)
    known[visits[:4]] = [1.0, 1.0, 1.0, 0.0]

    found = followers(replace(cases, followed=known))

    assert [(row.role, row.followed, row.known, row.share) for row in found] == [("rep", 3, 4, 0.75)]


def test_the_power_of_a_test_is_that_of_the_experiment_command(tmp_path: Path) -> None:
    """A board page and a command that promise different things about one test would both be doubted.

    100 accounts that bring 50 or 150, s = .5025 of the mean. In halves, with 98 degrees of freedom,
    e = k s sqrt((1 + e)^2 + 1) / sqrt(50), k = 1.9845 + .8453.
    """
    cases = cases_of(tmp_path, LogSettings(accounts=100, decisions=1))
    cases = replace(cases, reward=np.where(np.arange(len(cases)) % 2 == 0, 50.0, 150.0))
    units = Units(cases.reward, np.ones(100, dtype=np.int64), np.full(100, -1))

    found = powers(cases)

    assert [each.control for each in found] == [5, 10, 20, 50]
    assert found[-1].detectable == power(units, 0.5, 0.5, 250_000.0).effect
    effect = found[-1].detectable
    step = (1.9845 + 0.8453) * 0.502519 / 50**0.5
    assert effect == pytest.approx(step * ((1.0 + effect) ** 2 + 1.0) ** 0.5, rel=1e-4)


def test_what_has_come_so_far_is_not_what_an_account_brings(valued: tuple[Cases, Evaluation]) -> None:
    """Where immature cases are weighted, the newest occasion has seen a few days of its window."""
    cases, evaluation = valued
    newest = cases.as_of == cases.as_of.max()
    begun = replace(cases, reward=np.where(newest, 1.0, cases.reward), matured=~newest)

    said = board_of(begun, evaluation, "s_learner")

    assert said.power == powers(cases.take(~newest))
    assert said.test == board_of(cases.take(~newest), evaluation, "s_learner").test


def test_what_no_test_could_show_is_not_promised(tmp_path: Path) -> None:
    """Two accounts in control show nothing, and a wild mean even less."""
    cases = cases_of(tmp_path, LogSettings(accounts=100, decisions=1))
    wild = np.zeros(len(cases))
    wild[0] = 10_000.0

    assert powers(replace(cases, reward=wild)) == ()


def test_a_test_that_could_not_show_the_gain_is_not_proposed(valued: tuple[Cases, Evaluation]) -> None:
    """An underpowered test costs money and says nothing."""
    cases, evaluation = valued
    wild = np.zeros(len(cases))
    wild[2::60] = 10_000.0

    assert "would show it" in board_of(cases, evaluation, "s_learner").test
    assert "more accounts are needed" in board_of(replace(cases, reward=wild), evaluation, "s_learner").test


def test_the_gain_of_a_test_is_in_the_unit_of_its_power(valued: tuple[Cases, Evaluation]) -> None:
    """Worth of an account's horizon before cost, beyond what a control group without suggestions gets.

    From logged decisions, beyond no contact; from deeds, beyond those, whose cost is added again as well.
    """
    cases, evaluation = valued
    own, logged = evaluation.of("s_learner"), evaluation.of("as logged")
    newest = {cases.account_ids[row]: row for row in np.argsort(cases.as_of, kind="stable")}
    brings = cases.reward[list(newest.values())].mean()
    price = {each.id: each.cost for each in cases.playbook.treatments}
    cost, before = (sum(share * price[name] for name, share in each.mix.items()) for each in (own, logged))

    suggested = board_of(cases, evaluation, "s_learner").test
    done = board_of(replace(cases, basis="landmarks"), evaluation, "s_learner").test

    assert f"bring {(own.versus_nobody.estimate + cost) / brings:+.1%} of what an account brings" in suggested
    assert f"bring {(own.versus_logged.estimate + cost - before) / brings:+.1%} of what an account" in done
    assert "before cost, beside no contact" in suggested
    assert "before cost, beside what people did without it" in done


def test_where_nobody_was_left_alone_no_gain_of_a_test_is_named(valued: tuple[Cases, Evaluation]) -> None:
    """What a control group without suggestions would bring is then the model's guess."""
    cases, evaluation = valued
    nobody = replace(evaluation.of("no contact"), verdict=Verdict("outside scope", "Hardly ever left alone."))
    policies = tuple(nobody if each.policy == "no contact" else each for each in evaluation.policies)

    said = board_of(cases, replace(evaluation, policies=policies), "s_learner")

    assert "cannot be told" in said.test
    assert said.power
