"""What happened live becomes history: nothing lost, nothing twice, nothing seen differently."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from data.home import Home
from data.ingest import take_over
from data.ledger.ledger import Ledger
from data.ledger.types import TailRow, UnknownError
from data.live import history_of
from engine.contract import HISTORY_TABLES
from engine.records import History
from tests.data.files import (
    DAY,
    UNTIL,
    account,
    home_at,
    micros,
    outcome,
    small_world,
)  # fmt: skip
from tests.data.homes import killed, load, stored


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return home_at(tmp_path)


def visit(event: str, account_id: str, hours: int, **others: Any) -> TailRow:
    content = {
        "touchpoint_id": f"t-{event}", "account_id": account_id, "direction": "inbound", "channel": "website",
        "status": "done", "occurred_at": micros(UNTIL + 2 * DAY) + hours * 3_600_000_000,
    }  # fmt: skip
    return TailRow(event, "touchpoints", account_id, content | others)


@pytest.fixture
def live(home: Home) -> Ledger:
    """A home with three accounts and some live rows of two of them."""
    load(home, small_world(3))
    ledger = Ledger.open(home.ledger_url)
    now = micros(UNTIL + 3 * DAY)
    ledger.append(
        [visit("e1", "a1", 1, topic="safety", details='{"page": "secret"}'), visit("e2", "a2", 2)], now=now
    )
    answer = {"touchpoint_id": "t-e1", "responded_at": now, "response": "clicked"}
    ledger.append([TailRow("e3", "responses", "a1", answer)], now=now + 5)
    ledger.append([visit("e1b", "a1", 1, touchpoint_id="t-e1", topic="dosing")], now=now + 9)
    return ledger


def without_tail(home: Home, ledger: Ledger) -> dict[str, History]:
    return {a: history_of(ledger.account_state(a)) for a in ledger.versions()}


def assert_same_facts(left: History, right: History) -> None:
    for table in HISTORY_TABLES:
        columns = [c for c in left[table].columns if c in right[table].columns]
        assert_frame_equal(
            left[table].select(columns).sort(pl.all()), right[table].select(columns).sort(pl.all())
        )


def test_live_rows_become_versions_with_the_moment_at_which_they_were_stored(
    home: Home, live: Ledger
) -> None:
    """The night must see of the day exactly what the live decision saw."""
    before = without_tail(home, live)
    versions = dict(live.versions())

    snapshot = take_over(home, live, micros(UNTIL + 4 * DAY))

    assert live.tail() == []
    assert snapshot.tail_watermark == 4
    for account_id, history in without_tail(home, live).items():
        assert_same_facts(before[account_id], history)
        assert_same_facts(
            history, History({t: stored(home, t).filter(account_id=account_id) for t in HISTORY_TABLES})
        )
    assert live.versions() == versions
    visits = stored(home, "touchpoints").filter(touchpoint_id="t-e1").sort("stored_at")
    assert visits["topic"].to_list() == ["safety", "dosing"]
    assert "details" not in visits.columns


def test_taking_over_twice_changes_nothing_and_new_rows_come_the_next_time(home: Home, live: Ledger) -> None:
    """The night may be started again."""
    first = take_over(home, live, micros(UNTIL + 4 * DAY))

    assert take_over(home, live, micros(UNTIL + 4 * DAY)) == first
    live.append([visit("e9", "a3", 9)], now=micros(UNTIL + 5 * DAY))
    second = take_over(home, live, micros(UNTIL + 5 * DAY))

    assert (second.parent, second.rows["touchpoints"]) == (first.id, first.rows["touchpoints"] + 1)


@pytest.mark.parametrize(("stage", "count"), [("history", 1), ("swap", 1), ("blocks", 1)])
def test_a_killed_take_over_ends_the_same_when_it_is_started_again(
    home: Home, live: Ledger, stage: str, count: int
) -> None:
    """No live row may be lost or counted twice, wherever the night was killed."""
    before = without_tail(home, live)

    killed(home, ["take_over"], micros(UNTIL + 4 * DAY), stage, count)
    between = without_tail(home, live)
    snapshot = take_over(home, live, micros(UNTIL + 4 * DAY))

    assert live.tail() == []
    assert snapshot.rows["touchpoints"] == 3 + 3
    for account_id, history in without_tail(home, live).items():
        assert_same_facts(before[account_id], between[account_id])
        assert_same_facts(before[account_id], history)


def test_a_load_between_live_rows_leaves_them_in_the_tail(home: Home, live: Ledger) -> None:
    """Ingest does not take over: what happened live stays visible until the night does."""
    load(home, {"outcomes": [outcome("o9", "a1")]}, days=5)

    history = history_of(live.account_state("a1"))

    assert len(live.tail()) == 4
    assert (history["outcomes"].height, history["touchpoints"].height) == (2, 3)
    assert take_over(home, live, micros(UNTIL + 6 * DAY)).rows["touchpoints"] == 6


def test_live_rows_of_a_merged_account_go_to_its_target(home: Home, live: Ledger) -> None:
    """The page may still have had the old account open."""
    load(home, {"accounts": [account("a2", merged_into="a1")]}, days=4)

    take_over(home, live, micros(UNTIL + 5 * DAY))

    moved = stored(home, "touchpoints").filter(touchpoint_id="t-e2", deleted=False)
    assert moved.select("account_id", "merged_from").rows() == [("a1", "a2")]
    assert history_of(live.account_state("a1"))["touchpoints"].filter(touchpoint_id="t-e2").height == 1
    with pytest.raises(UnknownError):
        live.account_state("a99")


def test_load_and_take_over_are_the_same_on_every_ledger(tmp_path: Path, ledger_url: str) -> None:
    """SQLite and PostgreSQL count and lock differently; the facts must not."""
    home = Home.at(tmp_path / "home", models=tmp_path / "models", ledger_url=ledger_url)
    load(home, small_world(2))
    ledger = Ledger.open(ledger_url)
    ledger.append([visit("e1", "a1", 1)], now=micros(UNTIL + 3 * DAY))
    before = history_of(ledger.account_state("a1"))

    snapshot = take_over(home, ledger, micros(UNTIL + 4 * DAY))
    load(home, small_world(2), days=5)

    assert ledger.tail() == []
    assert snapshot.rows["touchpoints"] == 3
    assert_same_facts(before, history_of(ledger.account_state("a1")))
    ledger.close()
