"""Frames without what an erased person left in them, and rows of a load that would put it back.

What says who somebody is has no place in history (law 3), but a company's own columns of accounts may say it
all the same (an address, a register number), and coordinates lead to a door: of an erased account only the
contract's columns remain. Colleagues stand in history by name.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

import polars as pl

from data.ledger.erased import ERASED, Markers, PersonKind
from data.tables import Checked
from engine.contract import ACCOUNTS, BOOKKEEPING

_OF_ACCOUNT = {c.name for c in (*ACCOUNTS.columns, *BOOKKEEPING)} - {"latitude", "longitude"}
_OF_USER = {"user_id", "role", "manager_id"} | {c.name for c in BOOKKEEPING}


@dataclass(frozen=True)
class Erased:
    """Ids of accounts and colleagues that were erased."""

    accounts: frozenset[str] = frozenset()
    users: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        """Whether there is anybody."""
        return bool(self.accounts or self.users)

    def blank(self, table: str, rows: pl.DataFrame) -> pl.DataFrame:
        """Rows of a table of history without what they say of these; the same frame where that is nothing."""
        if table == "accounts":
            return _blank(rows, "account_id", self.accounts, _OF_ACCOUNT)
        if table == "users":
            return _blank(rows, "user_id", self.users, _OF_USER, name=ERASED)
        return rows


NOBODY = Erased()


def _blank(
    rows: pl.DataFrame, key: str, ids: Collection[str], kept: Collection[str], *, name: str | None = None
) -> pl.DataFrame:
    theirs = pl.col(key).is_in(list(ids))
    if not ids or rows.filter(theirs).is_empty():
        return rows
    said = {c: name if c == "name" else None for c in rows.columns if c not in kept}
    blanked = rows.with_columns(
        pl.when(theirs).then(pl.lit(value, rows.schema[c])).otherwise(pl.col(c)).alias(c)
        for c, value in said.items()
    )
    return rows if blanked.equals(rows) else blanked


class LeavingOut:
    """Takes rows of those who were erased out of a load, some rows after the other; touchpoints come before
    the responses to them.

    What is said of or by an erased contact goes; that there was a contact stays, without a name.

    Attributes:
        dropped: How many rows were taken out so far.
    """

    def __init__(self, markers: Markers) -> None:
        self._markers = markers
        self._lost: set[str] = set()
        self.dropped = 0

    def __call__(self, checked: Checked) -> Checked:
        """The rows that may be loaded."""
        if not self._markers.hashes:
            return checked
        table, rows = checked.table, checked.rows
        contacts = self._found("contact", rows)
        gone = _of(rows, "account_id", self._found("account", rows))
        if table == "touchpoints":
            self._lost |= set(rows.filter(gone).get_column("touchpoint_id"))
            silent = _of(rows, "contact_id", contacts)
            rows = rows.with_columns(details=pl.when(pl.lit(~silent)).then(pl.col("details")))
        if table == "contacts":
            gone |= _of(rows, "contact_id", contacts)
        if table == "users":
            gone |= _of(rows, "user_id", self._found("user", rows))
        if table == "responses":
            gone |= _of(rows, "touchpoint_id", self._lost)
        self.dropped += int(gone.sum())
        return replace(checked, rows=rows.filter(~gone), places=checked.places.filter(~gone))

    def _found(self, kind: PersonKind, rows: pl.DataFrame) -> frozenset[str]:
        """Who of the rows was erased."""
        column = f"{kind}_id"
        if column not in rows.columns:
            return frozenset()
        return self._markers.of(kind, rows.get_column(column).unique())


def _of(rows: pl.DataFrame, column: str, ids: Collection[str]) -> pl.Series:
    if column not in rows.columns or not ids:
        return pl.repeat(value=False, n=rows.height, dtype=pl.Boolean, eager=True)
    return rows.get_column(column).is_in(list(ids)).fill_null(value=False)
