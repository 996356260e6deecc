"""Who a fact belongs to, when accounts turn out to be one or a fact was recorded for the wrong account.

Nothing is moved in place: the fact ends where it was (a tombstone) and goes on where it belongs (a new
version), from the moment our side learned of it. A past decision is recomputed with what was known then.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import polars as pl

from data.versions import MERGED_FROM
from engine.contract import HISTORY_TABLES, TABLES, TIME

MOVED_TABLES: tuple[str, ...] = tuple(t for t in HISTORY_TABLES if t not in {"accounts", "account_team"})
"""Facts that follow a merged account; its row stays, and the target has a team of its own."""
_MERGES = {"account_id": pl.String(), "target": pl.String(), "known_at": TIME}


@dataclass(frozen=True)
class Merges:
    """Merged accounts.

    Attributes:
        frame: account_id, target (the end of the chain), known_at (when our side learned of all of it).
        unresolved: Merged accounts whose chain ends nowhere (unknown target) or in itself.
    """

    frame: pl.DataFrame
    unresolved: Mapping[str, str]


def resolve_merges(accounts: pl.DataFrame, known: Iterable[str]) -> Merges:
    """Follow `merged_into` to the end.

    Args:
        accounts: account_id, merged_into, stored_at; one row an account, only merged ones needed.
        known: All accounts that there are.
    """
    there = frozenset(known)
    merged = accounts.filter(pl.col("merged_into").is_not_null())
    links = {a: (t, s) for a, t, s in merged.select("account_id", "merged_into", "stored_at").iter_rows()}
    rows: list[tuple[str, str, object]] = []
    unresolved: dict[str, str] = {}
    for account, (first, since) in links.items():
        target, known_at = first, since
        seen = {account}
        while target in links and target not in seen:
            seen.add(target)
            target, later = links[target][0], links[target][1]
            known_at = max(known_at, later)
        if target in seen:
            unresolved[account] = "is merged into itself"
        elif target not in there:
            unresolved[account] = f"leads to the unknown account {target!r}"
        else:
            rows.append((account, target, known_at))
    return Merges(pl.DataFrame(rows, schema=_MERGES, orient="row"), unresolved)


def redirect(rows: pl.DataFrame, merges: pl.DataFrame) -> pl.DataFrame:
    """Rows of merged accounts under their targets; they come first, so a target's own rows hold."""
    if merges.is_empty() or rows.is_empty():
        return rows
    joined = rows.join(merges, on="account_id", how="left", maintain_order="left")
    moved = pl.col("target").is_not_null()
    return (
        joined.with_columns(
            pl.when(moved).then(pl.col("account_id")).otherwise(pl.col(MERGED_FROM)).alias(MERGED_FROM),
            pl.coalesce("target", "account_id").alias("account_id"),
            pl.max_horizontal("stored_at", "known_at").alias("stored_at"),
        )
        .sort(moved, descending=True, maintain_order=True)
        .drop("target", "known_at")
    )


def follow(rows: pl.DataFrame) -> pl.DataFrame:
    """Tombstones of live stored rows and, after them, their versions under the account in `target`.

    Args:
        rows: As stored, each with `target` and `known_at`.
    """
    at = pl.max_horizontal("stored_at", "known_at").alias("stored_at")
    origin = pl.coalesce(MERGED_FROM, "account_id").alias(MERGED_FROM)
    ended = rows.with_columns(at, pl.lit(True).alias("deleted"))
    moved = rows.with_columns(at, origin, pl.col("target").alias("account_id"))
    return pl.concat([ended, moved]).drop("target", "known_at")


def wrongly_placed(table: str, stored: pl.DataFrame, incoming: pl.DataFrame) -> pl.DataFrame:
    """Live stored rows whose fact comes in under another account, with `target` and `known_at`.

    Args:
        stored: Live rows with the key, account_id and stored_at.
        incoming: Rows of the load: the key, `target` (their account) and `known_at`; of a key the last holds.
    """
    key = list(TABLES[table].key)
    moved = incoming.select(*key, "target", "known_at").unique(key, keep="last", maintain_order=True)
    return stored.join(moved, on=key, how="inner", nulls_equal=True).filter(
        (pl.col("account_id") != pl.col("target")) & (pl.col("known_at") >= pl.col("stored_at"))
    )
