"""What came of the newest weeks, whose outcomes are not all known, is neither thrown away nor misread."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from engine.records import DAY_MICROS
from tests.engine.builders import NOW
from tests.training.builders import EFFECT, QUICK, SMALL, LogSettings, stored, tables
from training.cases import Cases, build_cases, knots_of
from training.constants import constants
from training.maturing import counted, weighted

KNOWN_UNTIL = NOW - 25 * DAY_MICROS
"""The newest decisions are 40 days before NOW: of their window of 30 days the first half is known."""
WEIGHT = replace(SMALL, immature="weight")


def log_of(folder: Path, playbook=WEIGHT, *, waves: int = 3, accounts: int = 900) -> Cases:
    """A decision every 40 days, outcomes evenly over the next 30; of the last the first half is known."""
    rows = tables(LogSettings(accounts=accounts, decisions=waves))
    past = pl.col("occurred_at").to_physical() <= KNOWN_UNTIL
    rows["outcomes"] = rows["outcomes"].filter(past)
    return build_cases(stored(folder, rows), playbook)


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Cases:
    """2,700 cases, of which a third is immature."""
    return log_of(tmp_path_factory.mktemp("log"))


def mean_of(cases: Cases, action: int, *, newest: bool = False) -> float:
    own = (cases.action == action) & (~cases.matured if newest else True)
    return float(cases.reward[own].mean())


def test_left_out_is_the_default_and_only_mature_cases_count(tmp_path: Path) -> None:
    """Who says nothing gets what needs no assumption."""
    cases = log_of(tmp_path, SMALL, accounts=100)

    found = counted(cases)

    assert len(found) == 200
    assert found.matured.all()
    assert cases.arrived.shape == (300, 0)


def test_what_has_come_so_far_is_weighted_to_what_will_have_come(log: Cases) -> None:
    """Mean worth by arm: 100 without contact, 112.5 by e-mail, 115 by visit; as it stands, far less."""
    found = counted(log)

    assert len(found) == len(log) == 2_700
    assert (~found.matured).sum() == 900
    truth = 100.0 + EFFECT.mean(axis=0)
    for action, expected in zip((0, 1, 4), truth, strict=True):
        assert mean_of(log, action) < expected - 12.0
        assert mean_of(found, action) == pytest.approx(expected, abs=7.0)


def test_the_effects_learned_are_those_of_complete_outcomes(log: Cases) -> None:
    """E-mail 12.5, visit 15: as from mature cases alone, of whom there are fewer."""
    whole, some = (
        constants(each, each.probability, QUICK).uplift for each in (counted(log), log.take(log.matured))
    )

    assert whole[1:] == pytest.approx([12.5, 15.0], abs=8.0)
    assert some[1:] == pytest.approx([12.5, 15.0], abs=4.0)


def test_weights_by_hand(log: Cases) -> None:
    """What two cases show counts as it is, what only the older shows twice; the younger is nearly 15 days."""
    two = log.take(np.array([np.flatnonzero(log.matured)[0], np.flatnonzero(~log.matured)[0]]))
    knots = np.array(two.knots)
    two = replace(two, action=np.zeros(2, dtype=np.int64), arrived=np.tile(knots, (2, 1)))

    found = weighted(two)

    assert knots.tolist() == [2.5 * k for k in range(1, 13)]
    assert found.reward.tolist() == [12.5 + 2.0 * 17.5, 12.5]
    assert found.reward.mean() == 30.0


def test_a_treatment_that_is_hardly_ever_mature_is_not_judged_by_a_handful(log: Cases) -> None:
    """A message of last month: its late outcomes would be those of three cases, each counted thirty times."""
    visits = np.flatnonzero((log.action == 4) & log.matured)
    kept = np.setdiff1d(np.arange(len(log)), visits[3:])

    found = weighted(log.take(kept))

    assert found.matured[found.action == 4].all()
    assert (~found.matured[found.action == 1]).any()


def test_of_a_landmark_whose_grace_is_not_over_nobody_knows_what_was_done(log: Cases) -> None:
    """A contact on the sixth day would make of "none" a visit."""
    young = replace(log, known_until=log.known_until - 10 * DAY_MICROS)

    laid, logged = weighted(replace(young, basis="landmarks")), weighted(young)

    assert (~logged.matured).any()
    assert laid.matured.all()


def test_responses_are_counted_where_their_time_is_over(log: Cases) -> None:
    """Who was asked last week has not declined."""
    found = counted(log)
    late = replace(found, responded=found.responded & found.matured)

    of_both = [
        constants(each, each.probability, QUICK).response for each in (found.take(found.matured), late)
    ]

    np.testing.assert_allclose(*of_both)


def test_every_window_is_a_knot() -> None:
    """An issue's own horizon ends where something was counted."""
    assert knots_of((30.0, 7.0)) == (2.5, 5.0, 7.0, *(2.5 * k for k in range(3, 13)))


def test_a_training_run_counts_immature_cases_and_says_so(tmp_path: Path) -> None:
    """Report, card and manifest name them; the split by time still values complete outcomes only."""
    from data.home import Home
    from data.ledger.ledger import Ledger
    from training.run import Settings, train

    home = Home.at(tmp_path / "home", models=tmp_path / "models")
    rows = tables(LogSettings(accounts=300, decisions=4))
    rows["outcomes"] = rows["outcomes"].filter(pl.col("occurred_at").to_physical() <= KNOWN_UNTIL)
    stored(home.root, rows)
    Ledger.create(home.ledger_url).close()

    outcome = train(home, WEIGHT, Settings(made_at=NOW, boosting=QUICK), progress=lambda *_: None)

    page = outcome.report.read_text(encoding="utf-8")
    assert outcome.release.manifest["immature"] == {"counted": "weight", "cases": 300}
    assert "300 of the cases are immature: what came of them so far counts" in page
    assert "1,200 cases of 300 accounts" in page
    assert outcome.by_time is not None
    assert outcome.by_time.decisions <= 300
