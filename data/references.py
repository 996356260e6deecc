"""Checks over several tables: whose facts they are, and that what they refer to exists."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from data.checking import reject_where
from data.identity import resolve_merges
from data.snapshot import Snapshot
from data.tables import Checked
from data.versions import newest
from engine.contract import TABLES

Tables = dict[str, Checked]
_LONG_AGO = pl.lit(0).cast(pl.Datetime("us", "UTC"))


def check_references(tables: Tables, old: Snapshot | None) -> Tables:
    """The tables without rows that refer to nothing; responses with the account of their touchpoint.

    Args:
        tables: As read, by name.
        old: The history so far; what it has may be referred to.
    """
    stored = old.known_accounts() if old else None
    tables = dict(tables)
    if "accounts" in tables:
        tables["accounts"] = _without_bad_merges(tables["accounts"], stored)
    known = _ids(tables, stored)
    for name, checked in tables.items():
        if name != "accounts" and TABLES[name].account == "account_id":
            bad = ~checked.rows.get_column("account_id").is_in(known.implode())
            tables[name] = _without(checked, bad, "account_id", pl.lit("unknown account"))
    if "responses" in tables:
        tables["responses"] = _with_accounts(tables["responses"], tables.get("touchpoints"), old)
    return tables


def _without(checked: Checked, bad: pl.Series, column: str, reason: pl.Expr) -> Checked:
    """The table without those rows, and with a reject for each."""
    if not bad.any():
        return checked
    rejected = reject_where(checked.rows, checked.places, bad=bad, column=column, reason=reason)
    return replace(
        checked,
        rows=checked.rows.filter(~bad),
        places=checked.places.filter(~bad),
        rejects=pl.concat([checked.rejects, rejected]),
    )


def _ids(tables: Tables, stored: pl.DataFrame | None) -> pl.Series:
    """All accounts of the folder and of the store."""
    parts = [tables["accounts"].rows.get_column("account_id")] if "accounts" in tables else []
    parts += [stored.get_column("account_id")] if stored is not None else []
    return pl.concat(parts).unique() if parts else pl.Series("account_id", [], pl.String())


def _without_bad_merges(accounts: Checked, stored: pl.DataFrame | None) -> Checked:
    """Without accounts that are merged into nothing or into themselves.

    A rejected account may be another one's target, so it is looked at again until nothing more falls out.
    """
    while True:
        parts = [] if stored is None else [stored.select("account_id", "merged_into", "stored_at")]
        given = accounts.rows.select("account_id", "merged_into", pl.col("stored_at").fill_null(_LONG_AGO))
        both = pl.concat([*parts, given]).unique("account_id", keep="last", maintain_order=True)
        unresolved = resolve_merges(both, both.get_column("account_id")).unresolved
        rows = accounts.rows
        bad = (
            rows.get_column("account_id").is_in(list(unresolved))
            & rows.get_column("merged_into").is_not_null()
        )
        if not bad.any():
            return accounts
        reason = pl.col("account_id").replace_strict(unresolved, default=None, return_dtype=pl.String())
        accounts = _without(accounts, bad, "merged_into", reason)


def _with_accounts(responses: Checked, touchpoints: Checked | None, old: Snapshot | None) -> Checked:
    """Responses with account_id; those of an unknown touchpoint become rejects."""
    wanted = responses.rows.select("touchpoint_id").unique()
    columns = ["touchpoint_id", "account_id"]
    parts = [touchpoints.rows.select(columns)] if touchpoints else []
    if old:
        parts.insert(0, _stored_accounts(old, wanted))
    if parts:
        owners = pl.concat(parts).unique("touchpoint_id", keep="last", maintain_order=True)
    else:
        owners = pl.DataFrame(schema=dict.fromkeys(columns, pl.String()))
    rows = responses.rows.join(owners, on="touchpoint_id", how="left", maintain_order="left")
    bad = rows.get_column("account_id").is_null()
    return _without(replace(responses, rows=rows), bad, "touchpoint_id", pl.lit("unknown touchpoint"))


def _stored_accounts(old: Snapshot, wanted: pl.DataFrame) -> pl.DataFrame:
    """touchpoint_id, account_id of stored touchpoints; of a moved one the account that has it comes last."""
    columns = ["touchpoint_id", "account_id"]
    parts = [
        newest(old.table(bucket, "touchpoints", columns)).join(wanted, on="touchpoint_id", how="semi")
        for bucket in range(old.buckets)
    ]
    return pl.concat(parts).sort("deleted", descending=True, maintain_order=True).select(columns)
