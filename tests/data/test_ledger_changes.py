"""What changed on lists: everything, once, in an order behind which nothing appears later."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from data.ledger.changes import KEPT_MICROS, Change, Position, note_lists, note_suggestions
from data.ledger.connection import Database
from data.ledger.hand_over_types import NewHandOver
from data.ledger.ledger import Ledger
from tests.data.ledgers import NOON, post, proposal


def since(ledger: Ledger, position: Position) -> list[tuple[str, str | None]]:
    return [(change.kind, change.account_id) for change in ledger.changes.after(position)]


def test_what_is_posted_answered_and_withdrawn_is_told_in_order(ledger: Ledger) -> None:
    """Who watches must see on the tablet what stands on the list."""
    start = ledger.changes.end()
    (first,) = post(ledger, "d1", proposal("visit"))
    middle = ledger.changes.end()
    ledger.answer(first.suggestion_id, "accept", user_id="u", rows=[], until=None, now=NOON + 2)
    (_, second) = post(ledger, "d2", proposal("call"), now=NOON + 3)
    post(ledger, "d3", now=NOON + 4)

    told = ledger.changes.after(start)
    assert [change.kind for change in told] == ["posted", "changed", "posted", "gone"]
    assert (told[0].subject, told[0].account_id, told[0].role) == (
        first.suggestion_id,
        "a",
        "account_manager",
    )
    assert told[0].trigger == "event:e1"
    assert told[-1].subject == second.suggestion_id
    assert [change.kind for change in ledger.changes.after(middle)] == ["changed", "posted", "gone"]
    assert ledger.changes.after(told[-1].position) == []


def test_a_hand_over_and_a_night_are_told(ledger: Ledger) -> None:
    """The liaison's list grows while she looks at it; in the morning all lists are others."""
    start = ledger.changes.end()
    new = NewHandOver("h", "a", "asked", "account_manager", "medical_liaison", by_user="u")
    ledger.hand_overs.ask(new, now=NOON)
    ledger.begin_run("r", NOON, now=NOON)
    ledger.complete_run("r", summary={}, now=NOON)

    assert since(ledger, start) == [("hand_over", "a"), ("lists", None)]


def test_what_is_committed_late_is_not_lost_to_who_has_read_further(ledger: Ledger, ledger_url: str) -> None:
    """A slow transaction draws its number first and commits last: it must still be told."""
    (posted,) = post(ledger, "d1", proposal("visit"))
    slow, quick = Database(ledger_url, timeout_seconds=1), Database(ledger_url, timeout_seconds=1)
    if slow.sqlite:
        pytest.skip("Writers take turns.")
    position, told = ledger.changes.end(), list[Change]()
    with slow.writing() as late:
        note_suggestions(late, [posted.suggestion_id], "gone", now=NOON)
        with quick.writing() as early:
            note_suggestions(early, [posted.suggestion_id], "changed", now=NOON)
        told += ledger.changes.after(position)
    told += ledger.changes.after(told[-1].position if told else position)
    slow.close()
    quick.close()

    assert sorted(change.kind for change in told) == ["changed", "gone"]


def test_what_is_rolled_back_was_never_told(ledger: Ledger, ledger_url: str) -> None:
    """A change is written with what it tells of, or not at all."""
    start, database = ledger.changes.end(), Database(ledger_url, timeout_seconds=5)

    with database.writing() as connection:
        note_lists(connection, "r", now=NOON)
        connection.get_transaction().rollback()
    database.close()

    assert ledger.changes.after(start) == []


def test_old_changes_are_forgotten(ledger: Ledger, ledger_url: str) -> None:
    """Who was away for days reads the lists anew."""
    database = Database(ledger_url, timeout_seconds=5)
    with database.writing() as connection:
        note_lists(connection, "old", now=NOON)
        note_lists(connection, "new", now=NOON + KEPT_MICROS + 1)
        left = connection.execute(sa.text("SELECT subject FROM changes")).scalars().all()
    database.close()

    assert left == ["new"]
