"""Facts that are held ready are those that the ledger has now, or they are read again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from data.blocks import pack
from data.ledger.types import AccountState, TailRow
from data.live import HeldHistories, history_of
from engine.records import History
from tests.engine.builders import history, row, touchpoint


def block_of(days: float) -> bytes:
    facts = history(row("accounts", None, account_id="a"), touchpoint(days, id="t-1"))
    return pack(History(facts.frames))


STATE = AccountState("a", "Her", None, None, block_of(3), (), 1, None)
NEWS = TailRow(
    "e-1", "touchpoints", "a", {"touchpoint_id": "t-2", "occurred_at": 1_000, "channel": "visit"}, 2_000, 7
)


def test_what_nothing_has_come_in_for_is_the_same_object() -> None:
    """So that what a decision has read of it is kept with it."""
    held = HeldHistories()

    first = held.of(STATE)

    assert held.of(replace(STATE, version=2)) is first
    assert len(first["touchpoints"]) == 1


@pytest.mark.parametrize(
    "later", [replace(STATE, tail=(NEWS,)), replace(STATE, block=block_of(2)), replace(STATE, block=b"")]
)
def test_what_has_changed_is_what_is_given(later: AccountState) -> None:
    """A decision on facts of yesterday would be worse than a slow one."""
    held = HeldHistories()
    held.of(STATE)

    found, fresh = held.of(later), history_of(later)

    assert found.frames.keys() == fresh.frames.keys()
    assert all(found[table].equals(fresh[table]) for table in fresh.frames)
    assert not found["touchpoints"].equals(history_of(STATE)["touchpoints"])


def test_what_was_taken_back_is_gone_again() -> None:
    """An erasure leaves fewer rows than before."""
    held = HeldHistories()
    held.of(replace(STATE, tail=(NEWS,)))

    assert len(held.of(STATE)["touchpoints"]) == 1


def test_no_more_accounts_are_held_than_there_is_room_for() -> None:
    """Memory does not grow with the book; those asked for last stay."""
    held, other = HeldHistories(accounts=1), replace(STATE, account_id="b")
    first = held.of(STATE)
    held.of(other)

    assert held.of(STATE) is not first
