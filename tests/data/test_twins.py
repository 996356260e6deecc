"""What nights found: known from the moment it was stored, complete or absent, the same on both databases."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from data.home import DataError
from data.ledger.ledger import Ledger
from data.ledger.types import TwinFinding
from data.live import history_of, newest_stored
from data.twins import (
    CLAIM_SCHEMA,
    TwinsBeingWritten,
    found_before,
    remove_twin_sets,
    twin_sets,
    twins_known,
)  # fmt: skip
from tests.data.files import home_at
from tests.data.ledgers import NOON, accounts


def finding(account_id: str = "a", value: float = 900.0, **others: Any) -> TwinFinding:
    values = {"twins_found": 20, "unrealised_low": 1.0, "unrealised_high": 2_000.0, "approach": "visit|email",
              "worked": 14, "tried": 20, "content": {"own": 5.0}}  # fmt: skip
    return TwinFinding(account_id=account_id, unrealised_value=value, **(values | others))


def write_set(folder: Path, stored_at: int, *findings: TwinFinding) -> None:
    writing = TwinsBeingWritten(home_at(folder), stored_at - 10)
    rows = [{name: getattr(one, name) for name in CLAIM_SCHEMA} for one in findings]
    writing.finish(pl.DataFrame(rows, schema=CLAIM_SCHEMA), stored_at=stored_at)


# -- files -----------------------------------------------------------------------------------------
def test_a_set_is_known_strictly_after_it_was_stored(tmp_path: Path) -> None:
    """The night that finds it decides a microsecond later; nobody decides on it earlier."""
    write_set(tmp_path, 100, finding())
    write_set(tmp_path, 200, finding(value=5.0))

    known = [found_before(home_at(tmp_path), moment) for moment in (100, 101, 200, 201)]

    assert [found and found.stored_at for found in known] == [None, 100, 100, 200]


def test_who_has_no_claim_has_a_row_of_zeros(tmp_path: Path) -> None:
    """Compared and nothing found is something else than never compared."""
    write_set(tmp_path, 100, finding())

    rows = twins_known(found_before(home_at(tmp_path), 101), ["a", "b"])

    values = rows.select("account_id", "twins_found", "unrealised_value", "approach").rows()
    assert values == [("a", 20, 900.0, "visit|email"), ("b", 0, 0.0, None)]
    assert twins_known(None, ["a"]).is_empty()


def test_a_set_that_was_killed_while_it_grew_is_not_read_and_goes(tmp_path: Path) -> None:
    """Half a finding is none."""
    TwinsBeingWritten(home_at(tmp_path), 50)

    assert twin_sets(home_at(tmp_path)) == []
    write_set(tmp_path, 100)
    assert [path.suffix for path in home_at(tmp_path).twins.iterdir()] == [""]


def test_a_damaged_set_is_said_in_one_line(tmp_path: Path) -> None:
    """With what to do."""
    write_set(tmp_path, 100)
    (twin_sets(home_at(tmp_path))[0].path / "twins.json").write_text("{")

    with pytest.raises(DataError, match="is damaged; remove the folder"):
        twin_sets(home_at(tmp_path))


def test_sets_go_with_the_nights_that_read_them(tmp_path: Path) -> None:
    """A night of moment 250 has read the set of 200; those before it nobody needs any more."""
    for stored_at in (100, 200, 300):
        write_set(tmp_path, stored_at)

    remove_twin_sets(home_at(tmp_path), before=250)

    assert [found.stored_at for found in twin_sets(home_at(tmp_path))] == [200, 300]
    remove_twin_sets(home_at(tmp_path), before=10_000)
    assert [found.stored_at for found in twin_sets(home_at(tmp_path))] == [300]


# -- ledger ----------------------------------------------------------------------------------------
@pytest.fixture
def ledger(ledger_url: str):
    ledger = Ledger.create(ledger_url)
    ledger.put_accounts(accounts("a", "b"))
    yield ledger
    ledger.close()


def test_a_set_is_seen_when_it_is_shown_and_not_while_it_grows(ledger: Ledger) -> None:
    """Readers see one night's finding, whole."""
    assert ledger.twins("a") is None
    ledger.stage_twins("one", [finding()])
    assert ledger.twins("a") is None
    ledger.show_twins("one", as_of=NOON - 5, stored_at=NOON)
    ledger.stage_twins("two", [finding(value=1.0), finding("b")])

    a, b = ledger.twins("a"), ledger.twins("b")

    assert (a.stored_at, a.as_of, a.finding) == (NOON, NOON - 5, finding())
    assert b.finding is None


def test_the_next_set_replaces_it_whole(ledger: Ledger) -> None:
    """A claim that was not repeated is gone, its rows too."""
    ledger.stage_twins("one", [finding(), finding("b")])
    ledger.show_twins("one", as_of=NOON - 5, stored_at=NOON)

    ledger.stage_twins("two", [finding("b", value=7.0)])
    ledger.show_twins("two", as_of=NOON + 5, stored_at=NOON + 10)

    assert ledger.twins("a").finding is None
    assert ledger.twins("b").finding.unrealised_value == 7.0


def test_staging_again_after_a_crash_replaces_what_was_staged(ledger: Ledger) -> None:
    """No duplicates, the later holds."""
    ledger.stage_twins("one", [finding()])
    ledger.stage_twins("one", [finding(value=3.0)])
    ledger.show_twins("one", as_of=0, stored_at=NOON)

    assert ledger.twins("a").finding.unrealised_value == 3.0


def test_a_live_decision_gets_the_finding_as_a_fact_and_comes_after_it(ledger: Ledger) -> None:
    """Known from stored_at on: so the moment of the decision must be later."""
    ledger.stage_twins("one", [finding()])
    ledger.show_twins("one", as_of=NOON - 5, stored_at=NOON)

    claimed, nothing = (history_of(ledger.account_state(a)) for a in ("a", "b"))

    assert claimed["twins"].select("unrealised_value", "tried").row(0) == (900.0, 20)
    assert nothing["twins"].select("unrealised_value", "twins_found", "tried").row(0) == (0.0, 0, None)
    assert newest_stored(claimed) == NOON
