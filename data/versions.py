"""Facts are appended: how rows that come in become versions of what is there."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from engine.contract import HISTORY_TABLES, TABLES, Table
from engine.records import empty_frame, with_superseded

OWN, NEW, ORDER = "__own", "__new", "__order"
MERGED_FROM = "merged_from"
"""The account under which a fact was recorded before that account was merged into another."""
_NOT_CONTENT = frozenset({"stored_at", "superseded_at", OWN, NEW, ORDER})


@dataclass(frozen=True)
class TableCounts:
    """What a load did to one table: "12,431 new, 318 changed, 4,002 unchanged, 9 rejected"."""

    new: int = 0
    changed: int = 0
    unchanged: int = 0
    rejected: int = 0
    defaulted_stored_at: int = 0

    def __add__(self, other: TableCounts) -> TableCounts:
        return TableCounts(
            self.new + other.new,
            self.changed + other.changed,
            self.unchanged + other.unchanged,
            self.rejected + other.rejected,
            self.defaulted_stored_at + other.defaulted_stored_at,
        )


@dataclass(frozen=True)
class Versioned:
    """A table after rows came in.

    Attributes:
        rows: Every version, in the order of the store.
        counts: Of the rows marked as the load's own.
        accounts: Whose facts changed.
    """

    rows: pl.DataFrame
    counts: TableCounts
    accounts: frozenset[str]


def stored_frame(table: str) -> pl.DataFrame:
    """A frame as the store keeps it, without rows: the contract's columns but the personal ones."""
    if table not in HISTORY_TABLES:
        return pl.DataFrame(schema=TABLES[table].schema)
    frame = empty_frame(table).drop(c.name for c in TABLES[table].columns if c.personal)
    return frame if table == "accounts" else frame.with_columns(pl.lit(None, pl.String()).alias(MERGED_FROM))


def to_stored(table: str, rows: pl.DataFrame) -> pl.DataFrame:
    """Rows with the store's columns (absent ones empty, personal ones gone) and types."""
    personal = [c.name for c in TABLES[table].columns if c.personal]
    rows = rows.drop(personal, strict=False)
    blank = stored_frame(table)
    known = {c: t for c, t in blank.schema.items() if c in rows.columns}
    rows = pl.concat([blank, rows.cast(known)], how="diagonal")  # type: ignore[arg-type]
    return rows.with_columns(pl.col("deleted").fill_null(False))


def newest(rows: pl.DataFrame) -> pl.DataFrame:
    """The version of each fact that holds now, tombstones included."""
    return rows.filter(pl.col("superseded_at").is_null())


def live(rows: pl.DataFrame) -> pl.DataFrame:
    """The version of each fact that holds now, without facts that are deleted."""
    return newest(rows).filter(~pl.col("deleted").fill_null(False))


def add_versions(table: str, old: pl.DataFrame, new: pl.DataFrame) -> Versioned:
    """Put rows in their place in the chains of versions.

    A row that says what the version before it says is unchanged and not kept; of two rows of one load for
    the same fact and moment the later holds.

    Args:
        old: All versions of the table in a bucket, as stored.
        new: Rows by `to_stored`, with `OWN` saying whether the row is counted; later rows hold.
    """
    definition = TABLES[table]
    key = list(definition.key)
    given = new.filter(OWN).height
    new = new.unique(subset=[*key, "stored_at"], keep="last", maintain_order=True)
    touched = old.join(new.select(key).unique(), on=key, how="semi", nulls_equal=True)
    if definition.open_columns:
        new = _carried(touched, new, key)
    chain = _chain(key, touched, new)
    added = chain.filter(pl.col(NEW))
    if added.is_empty():
        return Versioned(old, TableCounts(unchanged=given), frozenset())
    counts = _count(given, added)
    kept = chain.drop("__first", NEW, OWN)
    touched_again = kept.join(added.select(key).unique(), on=key, how="semi", nulls_equal=True)
    accounts = frozenset(touched_again["account_id"]) if "account_id" in kept.columns else frozenset()
    rest = old.join(new.select(key).unique(), on=key, how="anti", nulls_equal=True)
    rows = pl.concat([rest, with_superseded(table, kept)], how="diagonal_relaxed")
    return Versioned(in_order(definition, rows), counts, accounts)


def in_order(table: Table, rows: pl.DataFrame) -> pl.DataFrame:
    """Rows by account, time, key and version; columns of the contract first, further ones by name."""
    first = stored_frame(table.name).columns
    others = sorted(c for c in rows.columns if c not in first)
    account = ["account_id"] if "account_id" in first else []
    by = [*account, *([table.time] if table.time else []), *table.key, "stored_at", "superseded_at"]
    return rows.select(first + others).sort(list(dict.fromkeys(by)), nulls_last=True, maintain_order=True)


def _carried(touched: pl.DataFrame, new: pl.DataFrame, key: list[str]) -> pl.DataFrame:
    """Further columns that a load does not have at all keep the value that they had."""
    absent = [c for c in touched.columns if c not in new.columns and c not in _NOT_CONTENT]
    if not absent:
        return new
    return new.join(newest(touched).select(key + absent), on=key, how="left", maintain_order="left")


def _chain(key: list[str], touched: pl.DataFrame, new: pl.DataFrame) -> pl.DataFrame:
    """Old versions and new rows that say something else, by key and time; `__first` = first of its key."""
    parts = [touched.with_columns(pl.lit(False).alias(NEW)), new.with_columns(pl.lit(True).alias(NEW))]
    # Of versions stored at the same moment only the last holds, and it is the one superseded last.
    by = [*key, "stored_at", "superseded_at"]
    chain = pl.concat(parts, how="diagonal_relaxed").sort(by, nulls_last=True, maintain_order=True)
    content = [c for c in chain.columns if c not in _NOT_CONTENT]
    same_key = pl.all_horizontal(pl.col(c).eq_missing(pl.col(c).shift(1)) for c in key)
    same = pl.all_horizontal(pl.col(c).eq_missing(pl.col(c).shift(1)) for c in content)
    chain = chain.with_columns((~same_key).alias("__first"), same.alias("__same"))
    return chain.filter(~(pl.col(NEW) & pl.col("__same"))).drop("__same")


def _count(given: int, added: pl.DataFrame) -> TableCounts:
    """Counts of the load's own rows; the first version of a fact is new, any other changed."""
    own = added.filter(pl.col(OWN))
    first = own.filter("__first").height
    return TableCounts(new=first, changed=own.height - first, unchanged=given - own.height)
