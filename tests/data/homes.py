"""Homes with something in them, and all that is in a home as one comparable value."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl

from data.history import HistoryStore
from data.home import Home
from data.ingest import LoadReport, ingest
from data.ledger.ledger import Ledger
from engine.contract import HISTORY_TABLES
from tests.data import killed_load
from tests.data.files import (
    DAY,
    UNTIL,
    Row,
    micros,
    write_csv,
)  # fmt: skip


def load(home: Home, tables: dict[str, list[Row]], *, days: float = 1, **options: Any) -> LoadReport:
    """Write a folder and load it, so many days after the end of the history."""
    folder = write_csv(home.root.parent / f"export-{days}", tables)
    return ingest(folder, home, loaded_at=micros(UNTIL + days * DAY), **options)


def stored(home: Home, table: str) -> pl.DataFrame:
    snapshot = HistoryStore(home.history).current()
    assert snapshot is not None
    return pl.concat([history[table] for _, history in snapshot.histories()], how="diagonal")


def state(home: Home) -> dict[str, Any]:
    """All that a load leaves behind, comparable between homes."""
    snapshot = HistoryStore(home.history).current()
    if snapshot is None:
        return {}
    history = {t: stored(home, t).sort(pl.all()).to_dicts() for t in HISTORY_TABLES}
    ledger = Ledger.create(home.ledger_url)
    try:
        accounts = {a: ledger.account_state(a) for a in ledger.versions()}
        facts = {a: (s.name, s.language, s.block, s.tail, ledger.team(a)) for a, s in accounts.items()}
        return {
            "history": history, "accounts": facts, "users": ledger.users(), "tail": ledger.tail(),
            "versions": ledger.versions(), "told": ledger.told(sorted(accounts), after=0),
        }  # fmt: skip
    finally:
        ledger.close()


def killed(home: Home, what: list[str], moment: int, stage: str, count: int) -> None:
    command = [sys.executable, killed_load.__file__, *what, str(home.root), str(moment), stage, str(count)]
    path = os.pathsep.join([str(Path.cwd()), os.environ.get("PYTHONPATH", "")])
    places = {"PYTHONPATH": path, "LEDGER_URL": home.ledger_url}
    done = subprocess.run(command, check=False, env=os.environ | places, capture_output=True, text=True)
    assert done.returncode == killed_load.KILLED, done.stderr
