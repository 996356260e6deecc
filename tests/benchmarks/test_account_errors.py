"""What is told of intervals for an account follows from what was said and from the world's truth."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from benchmarks import account_errors
from benchmarks.account_errors import told
from benchmarks.quality.ours import assigned
from benchmarks.quality.worlds import Material, material
from engine.features import Features
from engine.records import Floats
from training.boosting import Boosting
from training.learners import LEARNERS, Fitted

FEW = 6_000


@pytest.fixture(scope="module")
def found() -> Material:
    return material("randomised", 1, FEW)


def saying(found: Material, off: float) -> Fitted:
    """A learner that says of every contact what it is worth and so much more."""
    cases = found.first(FEW)
    own = LEARNERS["best_fixed"].learn(cases, assigned(cases, 1).probability, Boosting(seed=1, threads=1))

    def predict(_: Features) -> Floats:
        more = np.where(np.arange(found.asked.worth.shape[1]) == 0, 0.0, off)
        return found.asked.worth + found.cases.cost + more

    return cast("Fitted", SimpleNamespace(predict=predict, constants=own.constants))


def test_who_says_the_truth_is_held_by_every_interval(found: Material) -> None:
    """Distance 0."""
    distance, mean, both, by_mean, held, _ = account_errors._compared(
        found, saying(found, 0.0), None, found.asked.features
    )

    assert distance == pytest.approx(0.0, abs=1e-9)
    assert (by_mean, held) == (1.0, 1.0)
    assert mean == pytest.approx(both)


def test_who_is_off_by_more_than_any_error_is_held_by_none(found: Material) -> None:
    """The distance is what was added, and an interval that is too short says so."""
    distance, _, _, by_mean, held, _ = account_errors._compared(
        found, saying(found, 1e6), None, found.asked.features
    )

    assert distance == pytest.approx(1e6)
    assert (by_mean, held) == (0.0, 0.0)


def test_an_accounts_error_widens_intervals_and_more_so_where_nothing_is_known_of_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A whole row of the table, learned from few cases."""
    monkeypatch.setattr(account_errors, "CASES", FEW)

    seen, unknown = told("randomised", "s_learner", 1)

    assert (seen.known, unknown.known) == ("seen", "unknown")
    assert seen.account_error > seen.mean_error
    assert seen.holds >= seen.holds_by_mean
    assert unknown.account_error > seen.account_error
