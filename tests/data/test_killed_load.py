"""Loads that die in the middle: the old state or the new one, and the same command again ends right."""

from __future__ import annotations

import shutil
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from data.history import HistoryStore
from data.home import Home
from data.ingest import ingest, take_over
from data.ledger.erased import ERASED
from data.ledger.ledger import Ledger
from data.live import history_of
from data.nights import kept_snapshot
from tests.data.files import (
    DAY,
    UNTIL,
    Row,
    account,
    home_at,
    micros,
    outcome,
    small_world,
    touchpoint,
    write_csv,
)  # fmt: skip
from tests.data.homes import killed, load, state


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return home_at(tmp_path)


def edited() -> dict[str, list[Row]]:
    world = small_world(6)
    world["touchpoints"] = [
        touchpoint(f"t-a{n}", f"a{n}", topic="safety", details=f'{{"n": {n}}}') for n in range(1, 7)
    ]
    world["accounts"] = [account(f"a{n}", name=f"Prof {n}", language="de") for n in range(1, 7)]
    return world


@pytest.fixture(scope="module")
def unkilled(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    home = home_at(tmp_path_factory.mktemp("unkilled"))
    load(home, small_world(5))
    load(home, edited(), days=2)
    return state(home)


@pytest.mark.parametrize(
    ("stage", "count"), [("read", 5), ("history", 2), ("swap", 0), ("swap", 1), ("blocks", 1), ("ledger", 0)]
)
def test_a_killed_load_leaves_the_old_history_or_the_new_one_and_its_repetition_ends_right(
    home: Home, unkilled: dict[str, Any], stage: str, count: int
) -> None:
    """Power fails at any moment; the same command again must be all that is needed."""
    load(home, small_world(5))
    before = state(home)
    folder = write_csv(home.root.parent / "edited", edited())

    killed(home, ["ingest", str(folder)], micros(UNTIL + 2 * DAY), stage, count)

    after = state(home)
    swapped = (stage, count) == ("swap", 1) or stage in {"blocks", "ledger"}
    assert (after["history"] == before["history"]) is not swapped
    if not swapped:
        assert after == before
    ingest(folder, home, loaded_at=micros(UNTIL + 2 * DAY))
    assert state(home) == unkilled


def test_after_a_kill_behind_the_swap_any_next_load_brings_the_ledger_up_to_date(home: Home) -> None:
    """Nobody may have to know that a load was killed; blocks that lag would decide on old facts."""
    load(home, small_world(5))
    folder = write_csv(home.root.parent / "edited", {"touchpoints": edited()["touchpoints"][:5]})
    killed(home, ["ingest", str(folder)], micros(UNTIL + 2 * DAY), "blocks", 0)
    ledger = Ledger.open(home.ledger_url)
    lagging = history_of(ledger.account_state("a1"))["touchpoints"].height

    load(home, {"outcomes": [outcome("o9", "a5")]}, days=3)

    assert lagging == 1
    assert [history_of(ledger.account_state(f"a{n}"))["touchpoints"].height for n in range(1, 6)] == [2] * 5
    ledger.close()


_LEDGER, _NAMES = "data.ledger.ledger:Ledger", "data.personal_waiting:PersonalWaiting"
BEFORE = [("data.history:_Building.finish", 0), (f"{_NAMES}.keep", 0)]
"""Where a load is killed, by the call behind which it dies and its number: it never was."""
BEHIND = [
    ("data.history:HistoryStore._swap", 0), (f"{_LEDGER}.put_accounts", 1), (f"{_LEDGER}.replace_blocks", 0),
    (f"{_LEDGER}.put_team", 0), (f"{_LEDGER}.put_personal", 0), (f"{_LEDGER}.put_told", 0),
    ("data.takeover:_write_marker", 0), (f"{_NAMES}.remove", 1),
]  # fmt: skip
"""The same: it happened, and what is missing follows."""
AFTER = ["load", "night"]


def next_one(home: Home, what: str) -> dict[str, Any]:
    """What a home holds once something else has changed its history."""
    if what == "load":
        load(home, {"outcomes": [outcome("o9", "a5")]}, days=3)
    else:
        ledger = Ledger.open(home.ledger_url)
        take_over(home, ledger, micros(UNTIL + 3 * DAY))
        ledger.close()
    return state(home)


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[bool, str], dict[str, Any]]:
    """The same without any kill, by whether the load happened and what came next."""
    found = {}
    for happened, what in product((True, False), AFTER):
        home = home_at(tmp_path_factory.mktemp("expected"))
        load(home, small_world(5))
        if happened:
            load(home, edited(), days=2)
        found[happened, what] = next_one(home, what)
    return found


@pytest.mark.parametrize(
    ("stage", "count", "what"),
    [*((*one, "load") for one in (*BEFORE, *BEHIND)), *((*one, "night") for one in (BEFORE[1], BEHIND[0]))],
)
def test_what_comes_after_a_killed_load_finds_it_whole_or_not_at_all(
    home: Home, expected: dict[tuple[bool, str], dict[str, Any]], stage: str, count: int, what: str
) -> None:
    """Its folder may be gone by then, and with it the names: those are in no history."""
    load(home, small_world(5))
    folder = write_csv(home.root.parent / "edited", edited())
    killed(home, ["ingest", str(folder)], micros(UNTIL + 2 * DAY), stage, count)
    shutil.rmtree(folder)

    found = next_one(home, what)

    assert found == expected[(stage, count) in BEHIND, what]
    assert not (home.root / ".personal-waiting").exists()


@pytest.mark.parametrize(("call", "count"), [("put_accounts", 0), ("put_team", 1), ("put_team", 3)])
def test_no_account_that_a_killed_load_brought_is_without_its_name(home: Home, call: str, count: int) -> None:
    """Until the next load or night people would see it as somebody who was erased."""
    folder = write_csv(home.root.parent / "first", edited())

    killed(home, ["ingest", str(folder)], micros(UNTIL), f"{_LEDGER}.{call}", count)

    ledger = Ledger.open(home.ledger_url)
    names = {account: ledger.account_state(account).name for account in ledger.versions()}
    ledger.close()
    assert names
    assert names == {account: f"Prof {account[1:]}" for account in names}


def test_who_is_erased_after_a_killed_load_does_not_come_back_with_what_it_left(home: Home) -> None:
    """Her name and what she asked wait on the disk when she is erased."""
    load(home, small_world(5))
    folder = write_csv(home.root.parent / "edited", edited())
    killed(home, ["ingest", str(folder)], micros(UNTIL + 2 * DAY), "data.history:HistoryStore._swap", 0)
    ledger = Ledger.open(home)
    ledger.erasures.erase("account", "a2", now=micros(UNTIL + 2 * DAY))

    take_over(home, ledger, micros(UNTIL + 3 * DAY))

    told = {each.account_id for each in ledger.told([f"a{n}" for n in range(1, 7)], after=0)}
    names = [ledger.account_state(f"a{n}").name for n in (1, 2, 3)]
    ledger.close()
    assert told == {"a1", "a3", "a4", "a5", "a6"}
    assert names == ["Prof 1", ERASED, "Prof 3"]
    assert not (home.root / ".personal-waiting").exists()


def test_a_snapshot_that_was_half_removed_is_none(home: Home) -> None:
    """A night that was interrupted on it begins anew, as on one that is gone; it does not stop for good."""
    load(home, small_world(5))
    first = HistoryStore(home.history).current()
    load(home, {"outcomes": [outcome("o8", "a5")]}, days=2)
    folder = write_csv(home.root.parent / "third", {"outcomes": [outcome("o9", "a5")]})

    killed(home, ["ingest", str(folder)], micros(UNTIL + 3 * DAY), "os:unlink", 0)

    assert first is not None
    assert kept_snapshot(home, first.id) is None
    load(home, {"outcomes": [outcome("o10", "a5")]}, days=4)
    left = sorted(path.name for path in home.history.iterdir() if path.is_dir())
    assert left == ["s00000003", "s00000004"]


def test_a_lost_ledger_is_filled_again_by_the_next_load(home: Home) -> None:
    """History is the record; the ledger's facts can be made from it."""
    load(home, small_world(2))
    for path in home.root.glob("ledger.sqlite*"):
        path.unlink()

    load(home, {"outcomes": [outcome("o9", "a1")]}, days=2)

    ledger = Ledger.open(home.ledger_url)
    assert history_of(ledger.account_state("a2"))["touchpoints"].height == 1
    assert [found.user_id for found in ledger.users()] == ["u1"]
    ledger.close()
