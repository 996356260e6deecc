"""The choice among learners: what is better within one standard error is not taken for better."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import pytest

from engine.features import Features
from engine.records import Floats, Ints
from tests.training.builders import QUICK, LogSettings, cases_of
from training.behaviour import Assignment, assignment_of
from training.cases import Cases
from training.learners import Fitted, Learner
from training.select import Selection, overlap, select

VISIT, COST = 4, 10.0


@dataclass(frozen=True)
class Always(Fitted):
    """Takes the same treatment for all, whatever it is worth."""

    choice: int = 0

    def predict(self, features: Features) -> Floats:
        return np.tile(100.0 * (np.arange(self.treatments) == self.choice), (len(features.moments), 1))

    def _learned_values(self, features: Features) -> Floats:
        return self.predict(features)


def always(name: str, choice: int, complexity: float) -> Learner:
    """A learner that learns nothing."""

    def learn(cases: Cases, assignment: Floats, boosting: object) -> Fitted:
        return Always(cast(Any, None), len(cases.treatments), reader="best_fixed", choice=choice)

    return Learner(name, complexity, learn)


NOBODY, EVERYBODY = always("nobody", 0, 1.0), always("everybody", VISIT, 2.0)


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Cases:
    """Half of the accounts left alone, a quarter visited; what follows is chance alone."""
    cases = cases_of(tmp_path_factory.mktemp("log"), LogSettings(accounts=400))
    return replace(cases, reward=np.random.default_rng(0).normal(0.0, 100.0, len(cases)))


def chosen(log: Cases, worth: float) -> Selection:
    """What is chosen where a visit is worth so much beyond its cost."""
    visited = (log.action == VISIT) * (worth + COST)
    assignment = assignment_of(log, QUICK, seed=0)
    learners = {"nobody": NOBODY, "everybody": EVERYBODY}
    return select(replace(log, reward=log.reward + visited), assignment, QUICK, seed=0, learners=learners)


def lead(found: Selection) -> float:
    """By how many standard errors contacting everybody is ahead of contacting nobody."""
    behind, sign = ("nobody", -1.0) if found.best == "everybody" else ("everybody", 1.0)
    gap = found.behind[behind]
    return sign * gap.estimate / gap.standard_error


def where_everybody_leads_by(log: Cases, errors: float) -> Selection:
    """What is chosen where everybody is so many standard errors ahead, found by halving."""
    low, high = -100.0, 100.0
    for _ in range(20):
        middle = (low + high) / 2.0
        low, high = (middle, high) if lead(chosen(log, middle)) < errors else (low, middle)
    return chosen(log, high)


@pytest.mark.parametrize(
    ("errors", "best", "winner"),
    [(-0.5, "nobody", "nobody"), (0.5, "everybody", "nobody"), (3.0, "everybody", "everybody")],
)
def test_the_simpler_learner_wins_unless_the_other_leads_by_more_than_a_standard_error(
    log: Cases, errors: float, best: str, winner: str
) -> None:
    """Half a standard error is nothing, three are something: the rule of Breiman and others."""
    found = where_everybody_leads_by(log, errors)

    assert lead(found) == pytest.approx(errors, abs=0.01)
    assert (found.best, found.chosen) == (best, winner)
    passed_over = "nobody is the simplest learner within one standard error"
    assert found.sentence.startswith(passed_over if winner != best else f"{winner} earned most")


def test_of_two_that_do_the_same_the_simpler_one_is_the_best(log: Cases) -> None:
    """Otherwise the report says that the other one earned 0.00 more."""
    same = {"forest": always("forest", VISIT, 2.0), "best_fixed": always("best_fixed", VISIT, 1.0)}

    found = select(log, assignment_of(log, QUICK, seed=0), QUICK, seed=0, learners=same)

    assert (found.best, found.chosen) == ("best_fixed", "best_fixed")
    assert "no learner earned more than the best fixed action" in found.sentence


def estimated(log: Cases, unlikely: Ints) -> Assignment:
    """Probabilities of a quarter each for four arms, and of 0.01 for the visits of some cases."""
    estimates = np.full(log.eligible.shape, 0.25)
    estimates[unlikely, VISIT] = 0.01
    probability = estimates[np.arange(len(log)), log.action]
    everything = np.ones(log.eligible.shape, dtype=np.bool_)
    return Assignment(probability, everything, np.zeros(len(log), dtype=np.bool_), estimates)


def test_where_probabilities_are_estimated_cases_count_by_what_policies_would_choose(log: Cases) -> None:
    """Two policies that differ: 1 / (1 / p + 1 / p0); that agree: p. Never so that a case weighs above 1."""
    unlikely = np.arange(0, len(log), 10)
    assignment = estimated(log, unlikely)
    alone, visited = (np.eye(len(log.treatments))[np.full(len(log), arm)] for arm in (0, VISIT))

    found = overlap(log, assignment, [alone, visited])
    same = overlap(log, assignment, [alone, alone])
    logged = overlap(log, assignment_of(log, QUICK, seed=0), [alone, visited])

    assert found[1] == pytest.approx(0.125)
    assert found[unlikely] == pytest.approx(1.0 / (1.0 / 0.01 + 1.0 / 0.25))
    assert same == pytest.approx(0.25)
    assert (found / assignment.probability <= 1.0).all()
    assert (logged == 1.0).all()


def test_a_few_unlikely_cases_do_not_decide_which_learner_is_best(log: Cases) -> None:
    """Three visits that hardly ever happen: by 1 / p each would count as much as 25 others."""
    visited = np.flatnonzero(log.action == VISIT)
    unlikely = visited[:: len(visited) // 3][:3]
    reward = log.reward + (log.action == VISIT) * (COST + 30.0)
    reward[unlikely] = [1_000.0, -1_000.0, 0.0]
    learners = {"nobody": NOBODY, "everybody": EVERYBODY}

    found = select(
        replace(log, reward=reward, eligible=np.ones_like(log.eligible)), estimated(log, unlikely), QUICK,
        seed=0, learners=learners,
    )  # fmt: skip

    assert found.chosen == "everybody"
