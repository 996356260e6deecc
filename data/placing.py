"""Before rows become versions: under which account, and in which bucket, each of them belongs."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from data.identity import MOVED_TABLES, follow, redirect, resolve_merges, wrongly_placed
from data.snapshot import Snapshot, bucket_of
from data.versions import OWN, live, stored_frame, to_stored
from engine.contract import HISTORY_TABLES, TABLES, TIME

_BUCKET = "__bucket"
_MOVE = ["target", "known_at"]
Frames = dict[str, pl.DataFrame]


def place_rows(
    old: Snapshot, rows: Mapping[str, pl.DataFrame]
) -> tuple[dict[tuple[int, str], pl.DataFrame], Frames]:
    """Rows of a load by (bucket, table), facts that change their account included; those without one apart.

    Args:
        old: The snapshot in use, or the empty one.
        rows: Table -> checked rows with stored_at; responses carry account_id.
    """
    own = {t: to_stored(t, r).with_columns(pl.lit(True).alias(OWN)) for t, r in rows.items() if r.height}
    common = {t: r for t, r in own.items() if t not in HISTORY_TABLES}
    tied = {t: r for t, r in own.items() if t in HISTORY_TABLES}
    merges, fresh = _merges(old, tied)
    tied = {t: r if t == "accounts" else redirect(r, merges) for t, r in tied.items()}
    if old.id:
        for table, moved in _moves(old, tied, fresh).items():
            mine = [tied[table]] if table in tied else []
            tied[table] = pl.concat(
                [moved.with_columns(pl.lit(False).alias(OWN)), *mine], how="diagonal_relaxed"
            )
    placed: dict[tuple[int, str], pl.DataFrame] = {}
    for table, frame in tied.items():
        for bucket, part in _by_bucket(frame, old.buckets).items():
            placed[bucket, table] = part
    return placed, common


def _merges(old: Snapshot, tied: Frames) -> tuple[pl.DataFrame, pl.DataFrame]:
    """All merges in force after the load, and those that are new with it."""
    known = old.known_accounts()
    before = resolve_merges(_in_force(known), known.get_column("account_id"))
    if "accounts" not in tied:
        return before.frame, before.frame.clear()
    both = pl.concat([known, tied["accounts"].select(known.columns)])
    after = both.sort("stored_at", maintain_order=True).unique("account_id", keep="last", maintain_order=True)
    merges = resolve_merges(_in_force(after), after.get_column("account_id")).frame
    return merges, merges.join(before.frame, on=["account_id", "target"], how="anti")


def _in_force(accounts: pl.DataFrame) -> pl.DataFrame:
    return accounts.filter(pl.col("merged_into").is_not_null() & ~pl.col("deleted"))


def _moves(old: Snapshot, tied: Frames, fresh: pl.DataFrame) -> Frames:
    """Stored facts that belong to another account from now on, as tombstones and new versions."""
    moves: dict[str, list[pl.DataFrame]] = {}
    for bucket in range(old.buckets):
        touchpoints = _moved(old, bucket, "touchpoints", tied, fresh)
        for table in MOVED_TABLES:
            rows = touchpoints if table == "touchpoints" else _moved(old, bucket, table, tied, fresh)
            if table == "responses" and touchpoints.height:
                answers = live(old.table(bucket, table)).join(
                    touchpoints.select("touchpoint_id", *_MOVE), on="touchpoint_id"
                )
                rows = pl.concat([rows, answers.select(rows.columns)]).unique(maintain_order=True)
            if rows.height:
                moves.setdefault(table, []).append(follow(rows))
    return {table: pl.concat(parts, how="diagonal_relaxed") for table, parts in moves.items()}


def _moved(old: Snapshot, bucket: int, table: str, tied: Frames, fresh: pl.DataFrame) -> pl.DataFrame:
    """Live rows of a bucket that a new merge or the load itself puts under another account."""
    key = list(TABLES[table].key)
    incoming = tied.get(table) if "account_id" not in key else None
    blank = stored_frame(table).with_columns(
        pl.lit(None, pl.String()).alias("target"), pl.lit(None, TIME).alias("known_at")
    )
    parts = [blank]
    if fresh.height:
        parts.append(live(old.table(bucket, table)).join(fresh, on="account_id"))
    if incoming is not None and incoming.height:
        narrow = old.table(bucket, table, list(dict.fromkeys(["account_id", *key])))
        hits = wrongly_placed(table, narrow, incoming)
        if hits.height:
            hits = hits.select(*key, *_MOVE)
            parts.append(live(old.table(bucket, table)).join(hits, on=key, nulls_equal=True))
    return pl.concat(parts, how="diagonal_relaxed")


def _by_bucket(rows: pl.DataFrame, buckets: int) -> Mapping[int, pl.DataFrame]:
    """Rows of each bucket, in their order."""
    accounts = rows.get_column("account_id").unique()
    table = pl.DataFrame({"account_id": accounts, _BUCKET: [bucket_of(a, buckets) for a in accounts]})
    placed = rows.join(table, on="account_id", maintain_order="left")
    parts = placed.partition_by(_BUCKET, as_dict=True, include_key=False, maintain_order=True)
    return {int(bucket): part for (bucket,), part in parts.items()}
