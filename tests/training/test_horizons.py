"""Horizons by issue: effects counted on each treatment's own clock, beside no contact on the same."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from data.home import Home
from data.ledger.ledger import Ledger
from tests.engine.builders import NOW
from tests.training.builders import QUICK, SMALL, LogSettings, cases_of, stored, tables
from training.behaviour import assignment_of
from training.cases import Cases, build_cases, windows_of
from training.errors import TooFewCasesError
from training.horizons import on_one_clock, own_window
from training.maturing import matured
from training.run import Settings, train

VISIT = 4
QUICKLY = replace(
    SMALL,
    treatments=tuple(replace(t, issue="offers") if t.id == "visit_news" else t for t in SMALL.treatments),
    horizon_days={"": 30.0, "offers": 10.0},
)
"""Visits are about offers, which work within 10 days; everything else within 30."""


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Cases:
    """Everything is bought evenly over 30 days, by whomever, whatever was done."""
    return build_cases(stored(tmp_path_factory.mktemp("log"), tables(LogSettings(accounts=900))), QUICKLY)


def test_each_treatment_has_the_horizon_of_its_issue(log: Cases) -> None:
    """The general one first; no contact and stops have the general one."""
    assert windows_of(QUICKLY) == (30.0, 10.0)
    assert own_window(QUICKLY, log.windows).tolist() == [0, 0, 0, 0, 1]
    assert log.reward.tolist() == log.within[:, 0].tolist()
    assert log.within[:, 1].mean() == pytest.approx(log.within[:, 0].mean() / 3, rel=0.08)


def test_an_effect_is_that_within_its_own_horizon_beside_no_contact_within_the_same(log: Cases) -> None:
    """By hand: of what a visit causes (A 40, B -10: 15) a third comes within ten days: 5. Comparing 10 days
    after a visit with 30 days of no contact would say about -63."""
    clock = on_one_clock(log, assignment_of(log, QUICK, seed=0), QUICK, seed=0)

    means = [clock.reward[clock.action == arm].mean() for arm in (0, 1, VISIT)]
    naive = log.within[log.action == VISIT, 1].mean() - log.within[log.action == 0, 0].mean()
    assert naive < -55.0
    assert means[2] - means[0] == pytest.approx(5.0, abs=6.0)
    assert means[1] - means[0] == pytest.approx(12.5, abs=2.0)


def test_cases_of_the_general_horizon_are_as_they_were(log: Cases) -> None:
    """Only what has another clock is put on this one."""
    clock = on_one_clock(log, assignment_of(log, QUICK, seed=0), QUICK, seed=0)

    others = log.action != VISIT
    np.testing.assert_array_equal(clock.reward[others], log.reward[others])
    assert (clock.reward[~others] != log.reward[~others]).all()


def test_what_would_have_come_anyway_is_that_of_such_accounts(log: Cases) -> None:
    """Visits went to accounts that buy a hundred times as much: their later purchases are not the visit's."""
    rich = log.features.account[:, log.features.set.account.index("segment")] == 0.0
    kept = np.random.default_rng(0).random(len(log)) < np.where((log.action == VISIT) & ~rich, 0.2, 1.0)
    scale = np.where(rich, 10.0, 1.0)
    cases = replace(log, within=log.within * scale[:, None], reward=log.reward * scale).take(kept)
    cases = replace(cases, probability=np.full(len(cases), np.nan))
    clock = on_one_clock(cases, assignment_of(cases, QUICK, seed=0), QUICK, seed=0)
    rich = rich[kept]

    for own, truth in ((rich, 10.0 * 40.0 / 3.0), (~rich, -10.0 / 3.0)):
        alone, visited = own & (cases.action == 0), own & (cases.action == VISIT)
        effect = clock.reward[visited].mean() - clock.reward[alone].mean()
        assert effect == pytest.approx(truth, abs=70.0 if truth > 0 else 20.0)


def test_one_horizon_for_all_changes_nothing(tmp_path: Path) -> None:
    """The usual case costs nothing."""
    cases = cases_of(tmp_path, LogSettings(accounts=30))

    assert on_one_clock(cases, assignment_of(cases, QUICK, seed=0), QUICK, seed=0) is cases


def test_a_case_is_mature_when_the_longest_window_is_over_whatever_was_chosen(tmp_path: Path) -> None:
    """Recent visits alone would be compared with no contact of other weeks."""
    slow = replace(QUICKLY, horizon_days={"": 10.0, "offers": 30.0})
    cases = build_cases(stored(tmp_path, tables(LogSettings(accounts=60, until_days=-3.0))), slow)
    last = cases.as_of == cases.as_of.max()

    assert cases.window_days == 30.0
    assert not cases.matured[last].any()
    assert cases.matured[~last].all()


def test_a_window_longer_than_the_history_is_said(tmp_path: Path) -> None:
    """The longest is named, not the general one."""
    slow = replace(QUICKLY, horizon_days={"": 10.0, "offers": 300.0})
    cases = build_cases(stored(tmp_path, tables(LogSettings(accounts=60))), slow)

    with pytest.raises(TooFewCasesError, match="outcomes are counted for 300 days"):
        matured(cases)


def test_the_table_of_cases_has_every_window(log: Cases) -> None:
    """Whoever models for themselves chooses a clock of their own."""
    frame = log.take(np.arange(5)).frame()

    assert frame["reward_10d"].to_list() == log.within[:5, 1].tolist()


def test_a_training_run_learns_on_one_clock_and_says_so(tmp_path: Path) -> None:
    """From the history to the report: the release's visits are worth what came within ten days."""
    home = Home.at(tmp_path / "home", models=tmp_path / "models")
    stored(home.root, tables(LogSettings(accounts=500)))
    Ledger.create(home.ledger_url).close()

    settings = Settings(made_at=NOW, boosting=QUICK)
    outcome = train(home, QUICKLY, settings, progress=lambda stage, done, of: None)

    visited = outcome.cases.action == VISIT
    assert (outcome.cases.reward[visited] != outcome.cases.within[visited, 0]).all()
    assert outcome.release.manifest["windows_days"] == [30.0, 10.0]
    assert "Some issues have a horizon of their own (10 days)" in outcome.report.read_text(encoding="utf-8")
