"""From what the ledger has of one account to the facts that a decision reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import polars as pl

from data.history import unpack
from data.home import Home
from data.ledger.types import AccountState, TailRow
from data.twins import twins_row
from engine.contract import HISTORY_TABLES, TABLES, TIME, Kind
from engine.records import FEW, History, known_rows


def history_of(state: AccountState) -> History:
    """All facts of one account as they stand in the ledger: its block, what came after it, its twins."""
    facts = unpack(state.block).append(tail_history(state.tail))
    if state.twins is None:
        return facts
    return History({**facts.frames, "twins": twins_row(state.account_id, state.twins)})


def history_in_use(home: Home) -> str | None:
    """Name of the snapshot in use, read cheaply to see whether it is another; None before the first load."""
    pointer = home.history / "CURRENT"
    return pointer.read_text(encoding="utf-8").strip() if pointer.exists() else None


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
    newest = 0
    for frame in history.frames.values():
        value = frame["stored_at"].to_physical().max() if len(frame) else None
        if isinstance(value, int):
            newest = max(newest, value)
    return newest


def current_team(history: History, as_of: int) -> Mapping[str, Mapping[str, str]]:
    """Account -> role -> user_id, as known at that moment (microseconds UTC)."""
    rows = known_rows(history["account_team"], as_of)
    teams: dict[str, dict[str, str]] = {}
    names = ("account_id", "role", "user_id")
    if len(rows) > FEW:
        rows = rows.sort(names)
    said = zip(*(rows[name].to_list() for name in names), strict=True)
    for account, role, user in said if len(rows) > FEW else sorted(said, key=_nulls_first):
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
    kept = {c.name for c in TABLES[table].columns if not c.personal} | {"account_id", "stored_at", "deleted"}
    schema = {"account_id": pl.String()} | {
        name: dtype for name, dtype in TABLES[table].schema.items() if name in kept
    }
    times = {c.name for c in TABLES[table].columns if c.kind is Kind.TIME} | {"stored_at"}
    columns = [
        pl.Series(name, [record.get(name) for record in records], dtype=pl.Int64()).cast(dtype)
        if name in times
        else pl.Series(name, [record.get(name) for record in records], dtype=dtype, strict=False)
        for name, dtype in schema.items()
    ]
    return pl.DataFrame([*columns, pl.Series("superseded_at", [None] * len(records), dtype=TIME)])
