"""From what the ledger has of one account to the facts that a decision reads."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, NamedTuple

import polars as pl

from data.history import unpack
from data.home import Home
from data.ledger.types import AccountState, TailRow
from data.twins import twins_row
from engine.arms import team_known
from engine.contract import HISTORY_TABLES, TABLES, TIME
from engine.records import FEW, History, known_rows, micros_of


def history_of(state: AccountState) -> History:
    """All facts of one account as they stand in the ledger: its block, what came after it, its twins."""
    return _with_news(unpack(state.block), state)


def _with_news(block: History, state: AccountState) -> History:
    facts = block.append(tail_history(state.tail))
    if state.twins is None:
        return facts
    return facts.with_frames({**facts.frames, "twins": twins_row(state.account_id, state.twins)})


class _Held(NamedTuple):
    state: AccountState
    block: History
    history: History


class HeldHistories:
    """`history_of` with the accounts that were asked for last held ready.

    Their blocks are not unpacked again; and where nothing has come in, their facts are the same object, so
    that what was read of them is kept with it.

    Held is what the ledger said, compared to what it says now, so that nothing is ever out of date. Shared by
    threads.

    Args:
        accounts: So many are held.
    """

    def __init__(self, accounts: int = 1_000) -> None:
        self._accounts, self._lock = accounts, threading.Lock()
        self._held: OrderedDict[str, _Held] = OrderedDict()

    def of(self, state: AccountState) -> History:
        """All facts of one account as they stand in the ledger."""
        with self._lock:
            before = self._held.get(state.account_id)
        same_block = before is not None and before.state.block == state.block
        if before is not None and same_block and (before.state.tail, before.state.twins) == (
            state.tail, state.twins
        ):  # fmt: skip
            return before.history
        block = before.block if before is not None and same_block else unpack(state.block)
        history = _with_news(block, state)
        with self._lock:
            self._held[state.account_id] = _Held(state, block, history)
            self._held.move_to_end(state.account_id)
            while len(self._held) > self._accounts:
                self._held.popitem(last=False)
        return history


def history_in_use(home: Home) -> str | None:
    """Name of the snapshot in use, read cheaply to see whether it is another; None before the first load."""
    try:
        pointer = os.open(home.history / "CURRENT", os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:  # without the layers of a text file, which take longer than reading it
        return os.read(pointer, _NAME_BYTES).decode().strip()
    finally:
        os.close(pointer)


_NAME_BYTES = 1_000
"""More than the name of a snapshot has."""


def tail_history(rows: Iterable[TailRow]) -> History:
    """Live rows as frames of the contract, oldest first, without personal columns.

    Times in a row's content are microseconds UTC; `superseded_at` is empty and filled in by
    `History.append`.
    """
    by_table: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        by_table.setdefault(row.table, []).append(_record(row))
    return History({table: _frame(table, by_table[table]) for table in HISTORY_TABLES if table in by_table})


def newest_stored(history: History) -> int:
    """When the latest of these facts was stored, microseconds UTC; 0 where none says when."""
    return max((history.of_table(table, _newest) for table in history.frames), default=0)


def _newest(frame: pl.DataFrame) -> int:
    value = micros_of(frame["stored_at"]).max() if len(frame) else None
    return max(0, value) if isinstance(value, int) else 0


def current_team(history: History, as_of: int) -> Mapping[str, Mapping[str, str]]:
    """Account -> role -> user_id, as known at that moment (microseconds UTC)."""
    team, teams = history["account_team"], dict[str, dict[str, str]]()
    names = ("account_id", "role", "user_id")
    if len(team) > FEW:
        rows = known_rows(team, as_of).sort(names)
        said = list(zip(*(rows[name].to_list() for name in names), strict=True))
    else:
        said = sorted(team_known(history, as_of), key=_nulls_first)
    for account, role, user in said:
        teams.setdefault(account, {})[role] = user
    return teams


def _nulls_first(row: tuple[str | None, ...]) -> tuple[tuple[bool, str], ...]:
    return tuple((text is not None, text or "") for text in row)


def _record(row: TailRow) -> dict[str, Any]:
    return {
        **row.content,
        "account_id": row.account_id,
        "stored_at": row.stored_at,
        "deleted": row.content.get("deleted", False),
    }


def _frame(table: str, records: list[dict[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame(records, schema=_schema(table), strict=False)


@cache
def _schema(table: str) -> Mapping[str, pl.DataType]:
    kept = {c.name for c in TABLES[table].columns if not c.personal} | {"account_id", "stored_at", "deleted"}
    own = {name: dtype for name, dtype in TABLES[table].schema.items() if name in kept}
    return {"account_id": pl.String()} | own | {"superseded_at": TIME}
