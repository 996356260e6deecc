"""Frames without what an erased person left in them, and rows of a load that would put it back.

What says who somebody is has no place in history (law 3), but a company's own columns of accounts may say it
all the same (an address, a register number), and coordinates lead to a door: of an erased account only the
contract's columns remain. Colleagues stand in history by name.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

import polars as pl

from data.ledger.erased import ERASED, Markers
from data.references import Tables
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


def left_out(tables: Tables, markers: Markers) -> tuple[Tables, int]:
    """The tables of a load without rows of those who were erased, and how many rows these are.

    What is said of or by an erased contact goes; that there was a contact stays, without a name.
    """
    found = {name: checked.rows for name, checked in tables.items()}
    accounts = markers.of("account", _ids(found, "account_id"))
    contacts = markers.of("contact", _ids(found, "contact_id"))
    users = markers.of("user", _ids(found, "user_id", only="users"))
    if not (accounts or contacts or users):
        return tables, 0
    kept, dropped = dict(tables), 0
    lost = _touchpoints_of(found, accounts)
    for name, checked in tables.items():
        out = _of(checked.rows, "account_id", accounts)
        if name == "contacts":
            out |= _of(checked.rows, "contact_id", contacts)
        if name == "users":
            out |= _of(checked.rows, "user_id", users)
        if name == "responses":
            out |= _of(checked.rows, "touchpoint_id", lost)
        rows = checked.rows
        if name == "touchpoints":
            silent = _of(rows, "contact_id", contacts)
            rows = rows.with_columns(details=pl.when(pl.lit(~silent)).then(pl.col("details")))
        kept[name] = replace(checked, rows=rows.filter(~out), places=checked.places.filter(~out))
        dropped += int(out.sum())
    return kept, dropped


def _ids(found: dict[str, pl.DataFrame], column: str, *, only: str | None = None) -> set[str]:
    frames = [rows for name, rows in found.items() if column in rows.columns and only in (None, name)]
    return {one for rows in frames for one in rows.get_column(column).drop_nulls().unique()}


def _of(rows: pl.DataFrame, column: str, ids: Collection[str]) -> pl.Series:
    if column not in rows.columns or not ids:
        return pl.repeat(value=False, n=rows.height, dtype=pl.Boolean, eager=True)
    return rows.get_column(column).is_in(list(ids)).fill_null(value=False)


def _touchpoints_of(found: dict[str, pl.DataFrame], accounts: Collection[str]) -> frozenset[str]:
    rows = found.get("touchpoints")
    if rows is None or not accounts:
        return frozenset()
    return frozenset(rows.filter(pl.col("account_id").is_in(list(accounts))).get_column("touchpoint_id"))
