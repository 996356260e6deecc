"""Before rows become versions: under which account, and in which bucket, each of them belongs."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import polars as pl

from data.bins import Bins
from data.identity import MOVED_TABLES, follow, redirect, resolve_merges, wrongly_placed
from data.progress import Progress, quiet
from data.snapshot import Snapshot, bucket_of
from data.versions import OWN, live, stored_frame, to_stored
from engine.contract import HISTORY_TABLES, TABLES, TIME

_BUCKET, _REDIRECTED = "__bucket", "__redirected"
_MOVE = ["target", "known_at"]
KEY_PARTS = 64
"""Parts by key in which rows of a load are compared with all that is stored."""
_FILTER_SIZE = 1 << 25


class KeyFilter:
    """Tells most of what cannot be among some keys, in constant memory.

    Comparing a small load with a large store then touches few rows of the store.
    """

    def __init__(self) -> None:
        self._seen: npt.NDArray[np.bool_] | None = None

    def note(self, hashes: pl.Series) -> None:
        """These are among them."""
        if self._seen is None:
            self._seen = np.zeros(_FILTER_SIZE, dtype=np.bool_)
        self._seen[self._place(hashes)] = True

    def may_have(self, hashes: pl.Series) -> pl.Series:
        """False where it is not among them; true where it is, and rarely where it is not."""
        if self._seen is None:
            return pl.Series(np.zeros(len(hashes), dtype=np.bool_))
        return pl.Series(self._seen[self._place(hashes)])

    @staticmethod
    def _place(hashes: pl.Series) -> npt.NDArray[np.uint64]:
        return (hashes.to_numpy() >> np.uint64(32)) % np.uint64(_FILTER_SIZE)


def key_hash(rows: pl.DataFrame, key: list[str]) -> pl.Series:
    """A number of each row's key, the same for equal keys within this process."""
    return rows.select(key).hash_rows(seed=0)


class Placing:
    """The rows of a load on their way: `add` them, `finish`, then take them bucket by bucket.

    Args:
        base: The snapshot in use, or the empty one.
        bins: Where rows wait.
        accounts: Rows of the load with stored_at: they come first, because merges follow from them.

    Attributes:
        tables: What rows were given of.
        common: Rows of tables that are not tied to accounts, by table.
    """

    def __init__(self, base: Snapshot, bins: Bins, accounts: pl.DataFrame | None = None) -> None:
        self.base = base
        self.tables: list[str] = []
        self.common: dict[str, pl.DataFrame] = {}
        self._bins = bins
        self._buckets = pl.DataFrame(schema={"account_id": pl.String(), _BUCKET: pl.Int64()})
        self._filters: dict[str, KeyFilter] = {}
        own = None if accounts is None else _own("accounts", accounts)
        self._merges, self._fresh = _merges(base, own)
        if own is not None:
            self.tables.append("accounts")
            self._put("accounts", own.with_columns(pl.lit(False).alias(_REDIRECTED)))

    def add(self, table: str, rows: pl.DataFrame) -> None:
        """Take rows of a table other than accounts; those of merged accounts go to the target.

        Args:
            rows: Checked, with stored_at; responses carry account_id.
        """
        if table not in self.tables:
            self.tables.append(table)
        if rows.is_empty():
            return
        own = _own(table, rows)
        if table not in HISTORY_TABLES:
            parts = [self.common[table], own] if table in self.common else [own]
            self.common[table] = pl.concat(parts)
            return
        merged = own.get_column("account_id").is_in(self._merges.get_column("account_id").implode())
        placed = redirect(own.with_columns(merged.alias(_REDIRECTED)), self._merges)
        buckets = self._bucket_of(placed)
        self._bins.put(table, placed, buckets)
        if _by_key(table):
            self._note_keys(table, placed, buckets)

    def finish(self, progress: Progress = quiet) -> None:
        """Facts that come under accounts of several buckets: only one holds at a time. And stored facts that
        belong to another account from now on: they go as tombstones and new versions."""
        for table in self.tables:
            for part in self._bins.numbers(f"keys of {table}"):
                self._end_repeated(table, part)
        if not self.base.id:
            return
        self._find_wrongly_placed(progress)
        hits = {bucket for table in self._filters for bucket in self._bins.numbers(f"hits of {table}")}
        for bucket in range(self.base.buckets) if self._fresh.height else sorted(hits):
            touchpoints = self._moved(bucket, "touchpoints")
            for table in MOVED_TABLES:
                rows = touchpoints if table == "touchpoints" else self._moved(bucket, table)
                if table == "responses" and touchpoints.height:
                    answers = live(self.base.table(bucket, table)).join(
                        touchpoints.select("touchpoint_id", *_MOVE), on="touchpoint_id"
                    )
                    rows = pl.concat([rows, answers.select(rows.columns)]).unique(maintain_order=True)
                if rows.height:
                    moves = follow(rows).with_columns(pl.lit(False).alias(OWN))
                    self._bins.put(f"moves of {table}", moves, self._bucket_of(moves))

    def rows(self, bucket: int, table: str) -> pl.DataFrame | None:
        """What comes into a bucket: facts that move, then redirected ones, then those of its own accounts."""
        parts = [] if (moves := self._bins.take(f"moves of {table}", bucket)) is None else [moves]
        placed = self._bins.take(table, bucket)
        if placed is not None:
            if placed.get_column(_REDIRECTED).any():
                placed = placed.sort(_REDIRECTED, descending=True, maintain_order=True)
            parts.append(placed.drop(_REDIRECTED))
            if (ends := self._bins.take(f"ends of {table}", bucket)) is not None:
                parts.append(_tombstones(table, parts[-1], ends))
        return pl.concat(parts, how="diagonal_relaxed") if parts else None

    def _put(self, table: str, rows: pl.DataFrame) -> None:
        self._bins.put(table, rows, self._bucket_of(rows))

    def _bucket_of(self, rows: pl.DataFrame) -> pl.Series:
        """The bucket of each row; an account's is worked out once."""
        ids = rows.select("account_id")
        new = ids.unique(maintain_order=True).join(self._buckets, on="account_id", how="anti")
        if new.height:
            numbers = [bucket_of(account, self.base.buckets) for account in new.get_column("account_id")]
            found = new.with_columns(pl.Series(_BUCKET, numbers, dtype=pl.Int64))
            self._buckets = pl.concat([self._buckets, found], rechunk=True)
        placed = ids.join(self._buckets, on="account_id", how="left", maintain_order="left")
        return placed.get_column(_BUCKET)

    def _note_keys(self, table: str, placed: pl.DataFrame, buckets: pl.Series) -> None:
        """Keep what tells whether a fact is stored, or comes again, under another account."""
        key = list(TABLES[table].key)
        hashes = key_hash(placed, key)
        narrow = placed.select(*key, pl.col("account_id").alias("target"),
                               pl.col("stored_at").alias("known_at"), _REDIRECTED,
                               buckets.alias(_BUCKET))  # fmt: skip
        if self.base.id:
            self._filters.setdefault(table, KeyFilter()).note(hashes)
        self._bins.put(f"keys of {table}", narrow, hashes % KEY_PARTS)

    def _end_repeated(self, table: str, part: int) -> None:
        """When rows of a fact end because it goes on in another bucket, which knows nothing of them.

        Of rows for the same moment the last holds, as it does within a bucket.
        """
        key = list(TABLES[table].key)
        came = self._bins.take(f"keys of {table}", part)
        if came is None or (again := came.filter(came.select(key).is_duplicated())).is_empty():
            return
        in_turn = again.sort(_REDIRECTED, descending=True, maintain_order=True)
        in_turn = in_turn.sort("known_at", maintain_order=True)
        holds = in_turn.unique([*key, "known_at"], keep="last", maintain_order=True).select(
            *key, "known_at", pl.col(_BUCKET).alias("in"),
            pl.col(_BUCKET).shift(-1).over(key).alias("next"),
            pl.col("known_at").shift(-1).over(key).alias("next_at"),
        )  # fmt: skip
        ended = (
            in_turn.select(*key, "known_at", _BUCKET)
            .unique(maintain_order=True)
            .join(holds, on=[*key, "known_at"], nulls_equal=True, maintain_order="left")
            .with_columns(
                pl.when(pl.col(_BUCKET) != pl.col("in")).then(pl.col("known_at"))
                .when(pl.col(_BUCKET) != pl.col("next")).then(pl.col("next_at")).alias("ends_at")
            )
            .filter(pl.col("ends_at").is_not_null())
        )  # fmt: skip
        rows = ended.select(*key, pl.col("known_at").alias("stored_at"), "ends_at")
        self._bins.put(f"ends of {table}", rows, ended[_BUCKET])

    def _find_wrongly_placed(self, progress: Progress) -> None:
        """Keys of live stored rows whose fact comes in under another account, by their bucket."""
        for bucket in range(self.base.buckets if self._filters else 0):
            progress("comparing", bucket, self.base.buckets)
            for table, known in self._filters.items():
                key = list(TABLES[table].key)
                columns = list(dict.fromkeys(["account_id", *key]))
                held = live(self.base.table(bucket, table, columns)).select(*columns, "stored_at")
                held = held.filter(known.may_have(key_hash(held, key)))
                there = held.with_columns(pl.lit(bucket, pl.Int64()).alias(_BUCKET))
                self._bins.put(f"stored {table}", there, key_hash(held, key) % KEY_PARTS)
        for table in self._filters:
            for part in self._bins.numbers(f"stored {table}"):
                stored, came = (
                    self._bins.take(f"stored {table}", part),
                    self._bins.take(f"keys of {table}", part),
                )
                if stored is None or came is None:
                    continue
                last = came.sort(_REDIRECTED, descending=True, maintain_order=True).drop(_REDIRECTED)
                hits = wrongly_placed(table, stored, last)
                self._bins.put(
                    f"hits of {table}", hits.drop("account_id", "stored_at", _BUCKET), hits[_BUCKET]
                )

    def _moved(self, bucket: int, table: str) -> pl.DataFrame:
        """Live rows of a bucket that a new merge or the load itself puts under another account."""
        key = list(TABLES[table].key)
        parts = [
            stored_frame(table).with_columns(
                pl.lit(None, pl.String()).alias("target"), pl.lit(None, TIME).alias("known_at")
            )
        ]
        if self._fresh.height:
            parts.append(live(self.base.table(bucket, table)).join(self._fresh, on="account_id"))
        hits = self._bins.take(f"hits of {table}", bucket)
        if hits is not None:
            parts.append(live(self.base.table(bucket, table)).join(hits, on=key, nulls_equal=True))
        return pl.concat(parts, how="diagonal_relaxed")


def _own(table: str, rows: pl.DataFrame) -> pl.DataFrame:
    return to_stored(table, rows).with_columns(pl.lit(True).alias(OWN))


def _tombstones(table: str, placed: pl.DataFrame, ends: pl.DataFrame) -> pl.DataFrame:
    """Of rows that end, by their key and moment, from `ends_at` on."""
    ended = placed.join(ends, on=[*TABLES[table].key, "stored_at"], nulls_equal=True, maintain_order="left")
    return ended.with_columns(
        pl.col("ends_at").alias("stored_at"), pl.lit(True).alias("deleted"), pl.lit(False).alias(OWN)
    ).drop("ends_at")


def _by_key(table: str) -> bool:
    """Whether a fact of the table is the same under another account."""
    return table in MOVED_TABLES and "account_id" not in TABLES[table].key


def _merges(old: Snapshot, accounts: pl.DataFrame | None) -> tuple[pl.DataFrame, pl.DataFrame]:
    """All merges in force after the load, and those that are new with it."""
    known = old.known_accounts()
    before = resolve_merges(_in_force(known), known.get_column("account_id"))
    if accounts is None:
        return before.frame, before.frame.clear()
    both = pl.concat([known, accounts.select(known.columns)])
    after = both.sort("stored_at", maintain_order=True).unique("account_id", keep="last", maintain_order=True)
    merges = resolve_merges(_in_force(after), after.get_column("account_id")).frame
    return merges, merges.join(before.frame, on=["account_id", "target"], how="anti")


def _in_force(accounts: pl.DataFrame) -> pl.DataFrame:
    return accounts.filter(pl.col("merged_into").is_not_null() & ~pl.col("deleted"))


def place_all(base: Snapshot, bins: Bins, rows: Mapping[str, pl.DataFrame]) -> Placing:
    """Rows that are at hand, placed."""
    placing = Placing(base, bins, rows.get("accounts"))
    for table, frame in rows.items():
        if table != "accounts":
            placing.add(table, frame)
    placing.finish()
    return placing
