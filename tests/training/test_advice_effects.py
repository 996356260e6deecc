"""Suggesting and doing: two figures, two types, and which one is an effect."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engine.estimation import Interval
from engine.records import Bools
from tests.training.builders import LogSettings, manned, stored, tables
from training.advice_effects import Done, Suggested, advice_of
from training.balance import Overlap
from training.cases import Cases, build_cases
from training.evaluate import uncertainty_of

EFFECT = Interval(7.5, 5.0, 10.0, 1.3)


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Cases:
    """Visits cause nothing, but only the half of the accounts that buys 40 more anyway is really visited."""
    log = tables(LogSettings(accounts=300, effect=0.0))
    found = build_cases(stored(tmp_path_factory.mktemp("log"), log), manned())
    rich = rich_of(found)
    return replace(found, reward=found.reward + 40.0 * rich, followed=rich.astype(np.float64))


def rich_of(cases: Cases) -> Bools:
    return np.array([int(account[1:]) % 2 == 0 for account in cases.account_ids])


def overlap_of(cases: Cases) -> list[Overlap]:
    return [
        Overlap(treatment, int(count), 10.0, 0.1, 1.0, 0.0, 0.0, (), EFFECT if count else None)
        for treatment, count in zip(cases.treatments, cases.counts, strict=True)
    ]


def test_who_is_visited_because_he_buys_shows_as_a_difference_and_not_as_an_effect(cases: Cases) -> None:
    """40 more among the visited, half of all the same: a difference of 20 that no visit caused."""
    (visit,) = advice_of(cases, cases.eligible, overlap_of(cases), uncertainty_of(cases, seed=1))

    assert visit.treatment == "visit_news"
    assert visit.suggested == Suggested(int((cases.action == 4).sum()), EFFECT)
    assert isinstance(visit.done, Done)
    assert visit.done.decisions == int(((cases.action == 4) & rich_of(cases)).sum())
    assert visit.done.difference.estimate == pytest.approx(20.0, abs=4.0)
    assert visit.done.difference.low < visit.done.difference.estimate < visit.done.difference.high


def test_those_who_could_not_be_visited_are_in_neither_mean(cases: Cases) -> None:
    """Accounts that only the system serves buy 200 less: beside them every visit would look worth 200."""
    served = np.array([int(account[1:]) % 4 < 2 for account in cases.account_ids])
    poor = replace(cases, reward=cases.reward - 200.0 * ~served, followed=np.ones(len(cases)))
    poor = replace(poor, action=np.where(~served & (cases.action == 4), 0, cases.action))
    comparable = cases.eligible.copy()
    comparable[~served, 4] = False

    (visit,) = advice_of(poor, comparable, overlap_of(poor), uncertainty_of(poor, seed=1))

    assert abs(visit.done.difference.estimate) < 20.0


@pytest.mark.parametrize(("accounts", "told"), [(9, 0), (10, 1)])
def test_what_was_done_with_a_handful_is_not_told(cases: Cases, accounts: int, told: int) -> None:
    """Resampling one account again and again gives its own figure, whatever the others would have brought."""
    visits = np.flatnonzero((cases.action == 4) & rich_of(cases))
    first = list(dict.fromkeys(cases.account_ids[row] for row in visits))[:accounts]
    those = np.isin(np.array(cases.account_ids, dtype=object), np.array(first, dtype=object))
    followed = np.where(those, cases.followed, 0.0)

    theirs = replace(cases, followed=followed)
    found = advice_of(theirs, cases.eligible, overlap_of(cases), uncertainty_of(cases, seed=1))

    assert len(found) == told


def test_where_only_deeds_are_known_nothing_is_said_of_suggesting(cases: Cases) -> None:
    """Landmarks are made of what was done: there is no suggestion to speak of."""
    landmarks = replace(cases, basis="landmarks")

    assert advice_of(landmarks, cases.eligible, overlap_of(cases), uncertainty_of(cases, seed=1)) == ()


def test_what_few_persons_did_is_less_certain_than_by_account(cases: Cases) -> None:
    """Some of seven persons sell more wherever they go: 300 accounts are not 300 independent answers."""
    who = np.array([int(account[1:]) // 2 % 7 for account in cases.account_ids])
    reward = cases.reward + 30.0 * np.cos(who) * (cases.action == 4)
    theirs = replace(cases, reward=reward, person=np.array([f"u{each}" for each in who], dtype=object))
    nobodys = replace(cases, reward=reward)

    (by_person,), (by_account,) = (
        advice_of(each, cases.eligible, overlap_of(each), uncertainty_of(each, seed=1))
        for each in (theirs, nobodys)
    )

    assert by_person.done.difference.estimate == by_account.done.difference.estimate
    assert by_person.done.difference.half_width > 1.5 * by_account.done.difference.half_width
