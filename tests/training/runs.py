"""A small training run for tests: a home, and one run in it."""

from __future__ import annotations

from pathlib import Path

from data.home import Home
from data.ledger.ledger import Ledger
from tests.training.builders import QUICK, SMALL, LogSettings, refusal, stored, tables
from training.run import Outcome, Settings, train

MADE_AT = 1_767_300_000_000_000


def home_with(folder: Path, log: LogSettings) -> Home:
    """A home with a history and an empty ledger."""
    home = Home.at(folder / "home", models=folder / "models")
    rows = tables(log)
    stored(home.root, rows | {"preferences": refusal(rows)})
    Ledger.create(home.ledger_url).close()
    return home


def run(home: Home, **changed) -> Outcome:
    settings = Settings(**({"made_at": MADE_AT, "boosting": QUICK} | changed))
    return train(home, SMALL, settings, progress=lambda stage, done, of: None)
