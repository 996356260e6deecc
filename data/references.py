"""Checks over several tables: whose facts they are, and that what they refer to exists."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import polars as pl

from data.checking import reject_where
from data.identity import resolve_merges
from data.snapshot import Snapshot
from data.tables import Checked

UNKNOWN_ACCOUNT, UNKNOWN_TOUCHPOINT = "unknown account", "unknown touchpoint"
REFERRED_TO = {UNKNOWN_ACCOUNT: "accounts", UNKNOWN_TOUCHPOINT: "touchpoints"}
"""Reason of a reject -> the table that does not have what the row refers to."""
_LONG_AGO = pl.lit(0).cast(pl.Datetime("us", "UTC"))


def known_ids(accounts: pl.DataFrame | None, old: Snapshot | None) -> pl.Series:
    """All accounts of a load and of the history so far: what may be referred to."""
    parts = [] if accounts is None else [accounts.get_column("account_id")]
    parts += [old.known_accounts().get_column("account_id")] if old else []
    return pl.concat(parts).unique() if parts else pl.Series("account_id", [], pl.String())


def unknown_accounts(checked: Checked, known: pl.Series) -> Checked:
    """The rows of accounts that there are; the others become rejects."""
    bad = ~checked.rows.get_column("account_id").is_in(known.implode())
    return _without(checked, bad, "account_id", pl.lit(UNKNOWN_ACCOUNT))


def without_bad_merges(accounts: Checked, old: Snapshot | None) -> Checked:
    """Without accounts that are merged into nothing or into themselves.

    A rejected account may be another one's target, so it is looked at again until nothing more falls out.
    """
    stored = [] if old is None else [old.known_accounts().select("account_id", "merged_into", "stored_at")]
    while True:
        given = accounts.rows.select("account_id", "merged_into", pl.col("stored_at").fill_null(_LONG_AGO))
        both = pl.concat([*stored, given]).unique("account_id", keep="last", maintain_order=True)
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


def with_owners(responses: Checked, touchpoints: Sequence[pl.DataFrame]) -> Checked:
    """Responses with account_id; those of an unknown touchpoint become rejects.

    Args:
        touchpoints: touchpoint_id, account_id, deleted: those stored, then those of the load. Of a touchpoint
            in both that of the load holds; of a moved one that is stored the account that has it now.
    """
    columns = ["touchpoint_id", "account_id"]
    blank = pl.DataFrame(schema=dict.fromkeys(columns, pl.String()))
    held = [rows.sort("deleted", descending=True, maintain_order=True) for rows in touchpoints]
    owners = pl.concat([blank, *(rows.select(columns) for rows in held)])
    owners = owners.unique("touchpoint_id", keep="last", maintain_order=True)
    rows = responses.rows.join(owners, on="touchpoint_id", how="left", maintain_order="left")
    bad = rows.get_column("account_id").is_null()
    return _without(replace(responses, rows=rows), bad, "touchpoint_id", pl.lit(UNKNOWN_TOUCHPOINT))


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
