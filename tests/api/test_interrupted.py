"""Ctrl-C during a long command."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from data.history import HistoryStore
from data.ledger.ledger import Ledger
from data.times import now_micros, to_iso
from tests.api.company import settings_of, tables_of
from tests.data.files import write_csv

ROOT = Path(__file__).parents[2]
# Python leaves the signal alone where tests run in the background; a terminal never does.
PROGRAM = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from api.cli import main
main()
"""


def command(home: Path, *arguments: str) -> subprocess.Popen[str]:
    places = {"NEXTBEST_HOME": str(home), "NEXTBEST_MODELS": str(home / "models"), "PYTHONPATH": str(ROOT)}
    program = [sys.executable, "-c", PROGRAM, *arguments]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(program, env=os.environ | places, cwd=ROOT, **pipes)


def interrupted_at(stage: str, home: Path, *arguments: str) -> tuple[int, list[str]]:
    """Exit code and what was said, but for the progress."""
    running = command(home, *arguments)
    assert running.stderr is not None
    next(line for line in running.stderr if line.startswith(stage))
    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=120)
    return running.returncode, [line for line in said.splitlines() if not line.endswith(tuple("0123456789"))]


def completed(home: Path, *arguments: str) -> str:
    running = command(home, *arguments)
    out, said = running.communicate(timeout=120)
    assert running.returncode == 0, said
    return out


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tables = tables_of([f"i{n}" for n in range(400)])
    tables["touchpoints"] = [
        row | {"stored_at": to_iso(now_micros() - 10**9)} for row in tables["touchpoints"]
    ]
    return write_csv(tmp_path_factory.mktemp("export"), tables)


def test_an_interrupted_load_says_so_in_one_line_and_loads_nothing(folder: Path, tmp_path: Path) -> None:
    """Whoever presses Ctrl-C wants an end, no traceback and no half of anything."""
    home = tmp_path / "home"

    code, said = interrupted_at("history", home, "ingest", str(folder))

    assert (code, len(said)) == (130, 1), said
    assert said[0].startswith("nextbest: interrupted")
    assert HistoryStore(home / "history").current() is None
    assert "400 new" in completed(home, "ingest", str(folder))
    assert [path.name for path in (home / "history").iterdir() if path.name.endswith(".building")] == []


def test_an_interrupted_night_shows_nothing_and_goes_on(folder: Path, tmp_path: Path) -> None:
    """The lists of the day before stay until the night is complete."""
    home = tmp_path / "home"
    completed(home, "ingest", str(folder))

    code, said = interrupted_at("deciding", home, "nightly", "--ignore-freshness")

    ledger = Ledger.open(settings_of(home).as_home().ledger_url)
    unfinished = ledger.current_run()
    begun = [path.name for path in (home / "nights").iterdir()]
    completed(home, "nightly", "--ignore-freshness")
    complete = ledger.current_run()
    ledger.close()
    assert (code, len(said)) == (130, 1), said
    assert unfinished is None
    assert complete is not None
    assert [complete.run_id] == begun
