"""Training runs that several files look at: made once, and not changed by a test, but for more runs."""

from __future__ import annotations

import polars as pl
import pytest

from data.home import Home
from data.ledger.ledger import Ledger
from tests.training.builders import LogSettings, stored, tables
from tests.training.runs import home_with, run
from training import report
from training.run import Outcome


@pytest.fixture(scope="session")
def trained_and_told(tmp_path_factory: pytest.TempPathFactory) -> tuple[Home, Outcome, report.Findings]:
    """A home after its first training run, and what its report was made from."""
    home, found = home_with(tmp_path_factory.mktemp("trained"), LogSettings(accounts=500)), []
    made = report.files_of
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(report, "files_of", lambda findings: found.append(findings) or made(findings))
        outcome = run(home)
    return home, outcome, found[0]


@pytest.fixture(scope="session")
def trained(trained_and_told: tuple[Home, Outcome, report.Findings]) -> tuple[Home, Outcome]:
    """A home after its first training run."""
    return trained_and_told[:2]


@pytest.fixture(scope="session")
def findings(trained_and_told: tuple[Home, Outcome, report.Findings]) -> report.Findings:
    """What the report of that run was made from."""
    return trained_and_told[2]


@pytest.fixture(scope="session")
def unlogged(tmp_path_factory: pytest.TempPathFactory) -> tuple[Home, Outcome]:
    """The same of a log in which nobody wrote down with which probability something was chosen."""
    folder = tmp_path_factory.mktemp("unlogged")
    rows = tables(LogSettings(accounts=300))
    rows["decisions"] = rows["decisions"].with_columns(probability=pl.lit(None, dtype=pl.Float64))
    home = Home.at(folder / "home", models=folder / "models")
    stored(home.root, rows)
    Ledger.create(home.ledger_url).close()
    return home, run(home)
