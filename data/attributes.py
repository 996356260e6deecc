"""Which columns of accounts are features, and why the others are not."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from engine.contract import ACCOUNTS, BOOKKEEPING, Kind
from engine.facts import Attribute

STANDARD: tuple[str, ...] = (
    "territory", "segment", "size", "industry", "language", "country", "potential_value", "automated",
    "latitude", "longitude",
)  # fmt: skip
MAX_LEVELS = 200
_FEW_ACCOUNTS = 20
"""Below this many accounts a text that differs everywhere may still be a class."""


def extra_kinds(accounts: pl.DataFrame) -> dict[str, Kind]:
    """Columns of a stored frame of accounts beyond the contract, with their kinds, by name."""
    own = {c.name for c in (*ACCOUNTS.columns, *BOOKKEEPING)}
    kinds = {pl.String(): Kind.TEXT, pl.Boolean(): Kind.FLAG}
    return {c: kinds.get(accounts.schema[c], Kind.NUMBER) for c in sorted(accounts.columns) if c not in own}


def attributes_of(accounts: pl.DataFrame) -> tuple[tuple[Attribute, ...], Mapping[str, str]]:
    """Columns that are features, with the levels of all versions sorted, and the others with the reason.

    Args:
        accounts: All versions of all accounts as stored.
    """
    attributes: list[Attribute] = []
    left_out: dict[str, str] = {}
    for name in (*STANDARD, *extra_kinds(accounts)):
        values = accounts.get_column(name).drop_nulls()
        reason = _not_a_feature(values, accounts)
        if reason:
            left_out[name] = reason
        elif values.dtype == pl.String:
            attributes.append(Attribute(name, tuple(values.unique().sort())))
        else:
            attributes.append(Attribute(name))
    return tuple(attributes), left_out


def _not_a_feature(values: pl.Series, accounts: pl.DataFrame) -> str | None:
    if values.is_empty():
        return "empty for every account"
    if values.dtype != pl.String:
        return None
    levels = values.n_unique()
    if levels > MAX_LEVELS:
        return f"a text with {levels:,} different values, more than {MAX_LEVELS}"
    holders = accounts.filter(pl.col(values.name).is_not_null()).get_column("account_id").n_unique()
    if levels >= holders > _FEW_ACCOUNTS:
        return "a text that differs for every account"
    return None
