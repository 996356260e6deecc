"""One immutable state of the history on disk, and how it is read and verified."""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from data.home import DataError
from data.versions import live, newest, stored_frame
from engine.contract import HISTORY_TABLES, Kind
from engine.facts import Attribute
from engine.records import History

METADATA = "metadata.json"
CHANGED = "changed.parquet"
COMMON = "common"
FORMAT = 1


def bucket_of(account_id: str, buckets: int) -> int:
    """crc32 of the id modulo the number of buckets: stable over machines and versions."""
    return zlib.crc32(account_id.encode()) % buckets


def bucket_name(bucket: int) -> str:
    """The folder of a bucket."""
    return f"bucket_{bucket:04d}"


@dataclass(frozen=True)
class Snapshot:
    """One immutable state of the history.

    Attributes:
        id: Name of the snapshot; grows.
        path: Its folder.
        buckets: How many there are; fixed by the first load.
        attributes: Columns of accounts that are features, with their levels.
        rows: Table -> rows (versions) kept.
        newest: Table -> newest stored_at, microseconds UTC, for the freshness gate.
        accounts: How many accounts are not deleted.
        tail_watermark: Sequence number of the last live row of the ledger that is contained.
        parent: The snapshot before it; empty for the first.
        left_out: Columns of accounts that are not features, with the reason.
        extra: Columns of accounts beyond the contract, with their kinds.
    """

    id: str
    path: Path
    buckets: int
    attributes: tuple[Attribute, ...]
    rows: Mapping[str, int]
    newest: Mapping[str, int]
    accounts: int
    tail_watermark: int
    parent: str = ""
    left_out: Mapping[str, str] = field(default_factory=dict)
    extra: Mapping[str, Kind] = field(default_factory=dict)

    def read(self, bucket: int, tables: tuple[str, ...] | None = None) -> History:
        """All facts of a bucket's accounts."""
        wanted = HISTORY_TABLES if tables is None else tables
        return History({table: self.table(bucket, table) for table in wanted})

    def account_ids(self, bucket: int) -> tuple[str, ...]:
        """Accounts of a bucket that are not deleted or merged away, sorted."""
        accounts = live(self.table(bucket, "accounts", ["account_id", "merged_into"]))
        return tuple(accounts.filter(pl.col("merged_into").is_null()).get_column("account_id").sort())

    def histories(self) -> Iterator[tuple[int, History]]:
        """Bucket after bucket."""
        for bucket in range(self.buckets):
            yield bucket, self.read(bucket)

    def table(self, bucket: int, table: str, columns: list[str] | None = None) -> pl.DataFrame:
        """Versions of a table of a bucket; `columns` are read with the bookkeeping columns."""
        rows = _read(self.path / bucket_name(bucket) / f"{table}.parquet", table, columns)
        if table != "accounts" or columns is not None:
            return rows
        absent = {c: kind.dtype for c, kind in self.extra.items() if c not in rows.columns}
        return rows.with_columns(pl.lit(None, dtype).alias(c) for c, dtype in absent.items())

    def common(self, table: str) -> pl.DataFrame:
        """Versions of a table that is not tied to accounts: users, area_outcomes, assignments."""
        return _read(self.path / COMMON / f"{table}.parquet", table, None)

    def known_accounts(self) -> pl.DataFrame:
        """account_id, merged_into, deleted, stored_at of the newest version of every account."""
        parts = [self.table(b, "accounts", ["account_id", "merged_into"]) for b in range(self.buckets)]
        return newest(pl.concat(parts)).select("account_id", "merged_into", "deleted", "stored_at")

    def changed(self) -> tuple[str, ...]:
        """Accounts whose facts differ from the parent's, sorted."""
        path = self.path / CHANGED
        try:
            return tuple(pl.read_parquet(path, glob=False).get_column("account_id"))
        except (pl.exceptions.PolarsError, OSError) as error:
            raise damaged(path, "cannot be read") from error


def _read(path: Path, table: str, columns: list[str] | None) -> pl.DataFrame:
    wanted = None if columns is None else [*columns, "stored_at", "deleted", "superseded_at"]
    if not path.exists():
        blank = stored_frame(table)
        return blank if wanted is None else blank.select(wanted)
    try:
        return pl.read_parquet(path, columns=wanted, glob=False, hive_partitioning=False)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise damaged(path, "cannot be read") from error


def damaged(path: Path, what: str) -> DataError:
    """The one line for a history that is not as it was written."""
    return DataError(
        f"The history is damaged: {path} {what}. Restore a backup, or load into a new NEXTBEST_HOME."
    )


@dataclass(frozen=True)
class FileFacts:
    """What the metadata says of a file, so that a damaged one is seen before it is used."""

    size: int
    rows: int
    newest: int


def write_parquet(rows: pl.DataFrame, path: Path) -> FileFacts:
    """Write a file to the disk, not only to its cache."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows.write_parquet(path, compression="zstd")
    sync(path)
    last = rows.select(pl.col("stored_at").dt.epoch("us").max()).item() if rows.height else None
    return FileFacts(path.stat().st_size, rows.height, last or 0)


def sync(path: Path) -> None:
    """Force a file or folder to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_metadata(snapshot: Snapshot, files: Mapping[str, FileFacts]) -> None:
    """Write what `read_snapshot` needs."""
    content: dict[str, Any] = {
        "format": FORMAT,
        "id": snapshot.id,
        "parent": snapshot.parent,
        "buckets": snapshot.buckets,
        "accounts": snapshot.accounts,
        "tail_watermark": snapshot.tail_watermark,
        "attributes": [{"name": a.name, "levels": a.levels} for a in snapshot.attributes],
        "not_features": dict(snapshot.left_out),
        "extra": {name: kind.name for name, kind in snapshot.extra.items()},
        "files": {name: [f.size, f.rows, f.newest] for name, f in sorted(files.items())},
    }
    path = snapshot.path / METADATA
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False), encoding="utf-8")
    sync(path)


def read_snapshot(folder: Path) -> tuple[Snapshot, dict[str, FileFacts]]:
    """A snapshot with its files' facts, every file's size checked. Raises DataError when it is damaged."""
    path = folder / METADATA
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        files = {name: FileFacts(*facts) for name, facts in content["files"].items()}
        if content["format"] != FORMAT:
            raise DataError(
                f"{path} was written by another version of nextbest (format {content['format']})."
            )
        snapshot = _snapshot_of(content, folder, files)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise damaged(path, "cannot be read") from error
    for name, facts in files.items():
        file = folder / name
        if not file.is_file():
            raise damaged(file, "is missing")
        if file.stat().st_size != facts.size:
            raise damaged(file, f"has {file.stat().st_size:,} bytes instead of {facts.size:,}")
    return snapshot, files


def _snapshot_of(content: dict[str, Any], folder: Path, files: Mapping[str, FileFacts]) -> Snapshot:
    return Snapshot(
        id=content["id"],
        path=folder,
        buckets=content["buckets"],
        attributes=tuple(
            Attribute(a["name"], None if a["levels"] is None else tuple(a["levels"]))
            for a in content["attributes"]
        ),
        rows=totals(files),
        newest=latest(files),
        accounts=content["accounts"],
        tail_watermark=content["tail_watermark"],
        parent=content["parent"],
        left_out=content["not_features"],
        extra={name: Kind[kind] for name, kind in content["extra"].items()},
    )


def totals(files: Mapping[str, FileFacts]) -> dict[str, int]:
    """Table -> rows over all its files."""
    rows: dict[str, int] = {}
    for name, facts in files.items():
        rows[Path(name).stem] = rows.get(Path(name).stem, 0) + facts.rows
    return rows


def latest(files: Mapping[str, FileFacts]) -> dict[str, int]:
    """Table -> newest stored_at over all its files."""
    moments: dict[str, int] = {}
    for name, facts in files.items():
        moments[Path(name).stem] = max(moments.get(Path(name).stem, facts.newest), facts.newest)
    return moments
