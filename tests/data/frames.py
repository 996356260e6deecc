"""Checked rows as frames, for the history store alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from data.history import Snapshot
from engine.records import empty_frame
from tests.data.files import DAY, UNTIL

T0 = UNTIL - 100 * DAY


def frame(table: str, *rows: Mapping[str, Any]) -> pl.DataFrame:
    """Checked rows of a table with defaults for what does not matter here."""
    defaults: dict[str, Any] = {
        "accounts": {"name": "somebody"},
        "touchpoints": {"account_id": "a", "occurred_at": T0, "direction": "outbound", "channel": "visit",
                        "status": "done"},
        "responses": {"account_id": "a", "responded_at": T0, "response": "clicked"},
        "account_team": {"role": "account_manager", "user_id": "u1"},
        "users": {"name": "Lena", "role": "account_manager"},
        "preferences": {"channel": "email", "purpose": "marketing", "kind": "permission", "status": "opt_in",
                        "since": T0},
    }[table]  # fmt: skip
    complete = [{"stored_at": T0, "deleted": None} | defaults | dict(row) for row in rows]
    blank = empty_frame(table).schema
    columns = list(dict.fromkeys(name for row in complete for name in row))
    data = {c: pl.Series(c, [r.get(c) for r in complete], dtype=blank.get(c)) for c in columns}
    return pl.DataFrame(data)


def accounts(*ids: str, **others: Any) -> pl.DataFrame:
    return frame("accounts", *({"account_id": a, **others} for a in ids))


def everything(snapshot: Snapshot, table: str) -> pl.DataFrame:
    return pl.concat([history[table] for _, history in snapshot.histories()], how="diagonal")


def chain(snapshot: Snapshot, table: str, **key: str) -> list[dict[str, Any]]:
    """All versions of one fact, oldest first."""
    rows = everything(snapshot, table).filter(**key).sort("stored_at", "deleted", descending=[False, True])
    return rows.to_dicts()
