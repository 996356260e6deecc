"""A night that dies behind any of its steps and is started again ends as one that went well."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from api.nightly import run_night
from data.ledger.ledger import Ledger
from engine.records import DAY_MICROS
from tests.api.company import NOW, Clock, load, settings_of, tables_of
from tests.data.killed_load import KILLED

ACCOUNTS = [f"k{n}" for n in range(6)]
PROGRAM = """
import sys
from pathlib import Path
from api.nightly import run_night
from tests.api.company import Clock, settings_of
from tests.data.killed_load import dying_behind
dying_behind(sys.argv[3], int(sys.argv[4]))
run_night(settings_of(Path(sys.argv[1])), clock=Clock(int(sys.argv[2])))
"""
_LEDGER = "data.ledger.ledger:Ledger"


def killed(home: Path, now: int, stage: str, count: int) -> None:
    command = [sys.executable, "-c", PROGRAM, str(home), str(now), stage, str(count)]
    path = os.pathsep.join([str(Path.cwd()), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        command, check=False, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True
    )
    assert done.returncode == KILLED, done.stderr


def shown(home: Path, now: int) -> list[Any]:
    """What is on show, and the days of the colleague who has most."""
    ledger = Ledger.open(settings_of(home).as_home())
    listed = [
        (s.account_id, s.treatment, s.role, s.state, s.rank, s.priority, s.posted_at)
        for one in ACCOUNTS
        for s in ledger.suggestions(one, now=now)
    ]
    plan = ledger.plans.of_person("am")
    days = [] if plan is None else [(item.identity, item.day, item.place) for item in plan.items]
    twins = [ledger.twins(one) for one in ACCOUNTS]
    ledger.close()
    return [listed, days, twins]


@pytest.fixture(scope="module")
def went_well(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """What is on show after each of two nights."""
    home, found = tmp_path_factory.mktemp("well"), []
    load(home, tables_of(ACCOUNTS))
    for now in (NOW, NOW + DAY_MICROS - 1):
        run_night(settings_of(home), clock=Clock(now), ignore_freshness=True)
        found.append(shown(home, now + 1))
    return found


@pytest.mark.parametrize(
    ("stage", "count"),
    [
        ("data.nights:NightFolder.write_versions", 0), ("data.nights:NightFolder.write_state", 0),
        (f"{_LEDGER}.stage", 1), ("data.nights:NightFolder.write_plan", 0), (f"{_LEDGER}.complete_run", 0),
    ],
)  # fmt: skip
def test_it_ends_as_one_that_went_well_and_so_does_the_next(
    tmp_path: Path, went_well: list[Any], stage: str, count: int
) -> None:
    """The scheduler starts it again, or the next evening does; neither may take the one for the other."""
    load(tmp_path, tables_of(ACCOUNTS))

    killed(tmp_path, NOW, stage, count)

    run_night(settings_of(tmp_path), clock=Clock(NOW))
    first = shown(tmp_path, NOW + 1)
    run_night(settings_of(tmp_path), clock=Clock(NOW + DAY_MICROS - 1), ignore_freshness=True)
    assert [first, shown(tmp_path, NOW + DAY_MICROS)] == went_well


def test_a_night_that_died_when_all_was_on_show_is_not_the_next_one(
    tmp_path: Path, went_well: list[Any]
) -> None:
    """Nobody started it again, for it was complete: the next evening it is another night's turn."""
    load(tmp_path, tables_of(ACCOUNTS))
    killed(tmp_path, NOW, f"{_LEDGER}.complete_run", 0)

    found = run_night(settings_of(tmp_path), clock=Clock(NOW + DAY_MICROS - 1), ignore_freshness=True)

    assert not found.already
    assert shown(tmp_path, NOW + DAY_MICROS) == went_well[1]
