"""The history store: Parquet by bucket of accounts, every version of every fact, replaced atomically.

Layout: <home>/history/<snapshot>/bucket_0007/touchpoints.parquet, rows sorted by (account_id, time, id),
and <home>/history/CURRENT, a small file that names the snapshot in use and is replaced by rename: whoever
is killed in the middle leaves the old state. Buckets that a load does not touch are hard links.
Personal columns are not here (law 3).
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import polars as pl

from data.attributes import attributes_of, extra_kinds
from data.bins import Bins
from data.blocks import pack, unpack
from data.erasing import NOBODY, Erased
from data.home import DataError
from data.placing import Placing, place_all
from data.progress import Progress, quiet
from data.snapshot import (
    CHANGED,
    COMMON,
    FileFacts,
    Snapshot,
    bucket_name,
    bucket_of,
    damaged,
    latest,
    read_snapshot,
    sync,
    totals,
    write_metadata,
    write_parquet,
)  # fmt: skip
from data.versions import TableCounts, add_versions, live, stored_frame
from engine.contract import HISTORY_TABLES

__all__ = [
    "HistoryStore", "LoadRunningError", "Snapshot", "TableCounts", "bucket_of", "pack", "unpack",
]  # fmt: skip

ACCOUNTS_PER_BUCKET = 5_000
LEAST_BUCKETS = 4
_REMOVED = ".removed"


class LoadRunningError(DataError):
    """Somebody else is changing the history; one at a time."""

    exit_code = 7


class HistoryStore:
    """Opens and replaces the history below a folder.

    Args:
        folder: Made by the first load.
        buckets: For the first load; by default one per 5,000 accounts, at least 4.
    """

    def __init__(self, folder: Path, *, buckets: int | None = None) -> None:
        self.folder = folder
        self._buckets = buckets
        self._held = False
        self._read: tuple[Snapshot, dict[str, FileFacts]] | None = None

    def current(self) -> Snapshot | None:
        """The snapshot in use; None before the first load. Raises DataError when it is damaged."""
        found = self._current()
        return found and found[0]

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Hold the history for changes; goes with the process, however it ends. Raises LoadRunningError."""
        if self._held:
            yield
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "LOCK").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                message = f"Somebody else is changing the history in {self.folder}; wait until that is done."
                raise LoadRunningError(message) from error
            self._held = True
            try:
                yield
            finally:
                self._held = False

    def add(
        self,
        rows: Mapping[str, pl.DataFrame],
        *,
        tail_watermark: int | None = None,
        erased: Erased = NOBODY,
        progress: Progress = quiet,
    ) -> tuple[Snapshot, Mapping[str, TableCounts], frozenset[str]]:
        """A new snapshot with these rows added as versions; the old one stays until the swap.

        Args:
            rows: Table -> checked rows with stored_at; responses carry account_id. A row that says
                what the version before it says is not stored again. Rows of merged accounts go to the target.
            tail_watermark: Sequence number up to which live rows are among these; None = as before.
            erased: Whose names and own columns go from all versions.

        Returns:
            The snapshot, the counts by table and the accounts whose facts changed. Where nothing changed,
            the snapshot is the one that there was.
        """
        with self.exclusive(), self.bins() as bins:
            accounts = rows["accounts"].get_column("account_id").n_unique() if "accounts" in rows else 0
            placing = place_all(self.base(accounts), bins, rows)
            return self.merge(placing, tail_watermark=tail_watermark, erased=erased, progress=progress)

    def bins(self) -> Bins:
        """Where rows wait on their way into the history; beside it on the same disk."""
        return Bins(self.folder.with_name(f".{self.folder.name}-arriving"))

    def base(self, accounts: int) -> Snapshot:
        """The snapshot in use, or the empty state before a first load of so many accounts."""
        found = self._current()
        if found is not None:
            return found[0]
        buckets = self._buckets or max(LEAST_BUCKETS, -(-accounts // ACCOUNTS_PER_BUCKET))
        return Snapshot("", self.folder / "s00000000", buckets, (), {}, {}, 0, 0)

    def merge(
        self,
        placing: Placing,
        *,
        tail_watermark: int | None = None,
        erased: Erased = NOBODY,
        ready: Callable[[Snapshot], None] = lambda snapshot: None,
        progress: Progress = quiet,
    ) -> tuple[Snapshot, Mapping[str, TableCounts], frozenset[str]]:
        """As `add`, of rows that were placed on the `base`: bucket by bucket, one in memory at a time.

        Args:
            ready: Called with the snapshot before it is the one in use.
        """
        with self.exclusive():
            found = self._current()
            old, files = found or (placing.base, {})
            watermark = old.tail_watermark if tail_watermark is None else tail_watermark
            building = _Building(self.folder, old, files, erased, first=found is None)
            building.fill(placing, progress)
            if not building.touched and watermark == old.tail_watermark and found is not None:
                shutil.rmtree(building.folder)
                ready(old)
                return old, building.counts, frozenset()
            snapshot = building.finish(watermark)
            ready(snapshot)
            progress("swap", 0, 1)
            self._swap(snapshot)
            progress("swap", 1, 1)
            return snapshot, building.counts, frozenset(building.accounts)

    def forget_parent(self) -> None:
        """Remove the snapshot before the one in use, which still has what was erased."""
        with self.exclusive():
            if (found := self._current()) is not None and found[0].parent:
                _remove_folder(self.folder / found[0].parent)
            for path in self.folder.glob(f"*{_REMOVED}"):
                _remove_folder(path)

    def _current(self) -> tuple[Snapshot, dict[str, FileFacts]] | None:
        pointer = self.folder / "CURRENT"
        if not pointer.exists():
            return None
        name = pointer.read_text(encoding="utf-8").strip()
        if not name.isalnum() or not (self.folder / name).is_dir():
            raise damaged(pointer, f"names {name!r}, which is not there")
        if self._read is None or self._read[0].id != name:
            self._read = read_snapshot(self.folder / name)
        return self._read

    def _swap(self, snapshot: Snapshot) -> None:
        """Make it the one in use, then remove what nobody needs any more."""
        pointer = self.folder / "CURRENT.new"
        pointer.write_text(snapshot.id + "\n", encoding="utf-8")
        sync(pointer)
        pointer.rename(self.folder / "CURRENT")
        sync(self.folder)
        kept = {snapshot.id, snapshot.parent}
        for path in self.folder.iterdir():
            if path.is_dir() and path.name not in kept:
                _remove_folder(path)


def _remove_folder(path: Path) -> None:
    """Renamed first: half a snapshot must not look like one that can be read."""
    gone = path.with_suffix(_REMOVED)
    if path.is_dir() and path != gone:
        shutil.rmtree(gone, ignore_errors=True)
        path.rename(gone)
    shutil.rmtree(gone, ignore_errors=True)


class _Building:
    """A snapshot being written beside the one in use."""

    def __init__(
        self, folder: Path, old: Snapshot, files: Mapping[str, FileFacts], erased: Erased, *, first: bool
    ) -> None:
        number = 1 if first else int(old.id[1:]) + 1
        self.id = f"s{number:08d}"
        self.folder = folder / f"{self.id}.building"
        self.counts: dict[str, TableCounts] = {}
        self.accounts: set[str] = set()
        self.touched = False
        self._erased = erased
        self._old = old
        self._old_files = files
        self._files: dict[str, FileFacts] = {}
        for leftover in (self.folder, folder / self.id):
            if leftover.exists():
                shutil.rmtree(leftover)
        self.folder.mkdir(parents=True)

    def fill(self, placing: Placing, progress: Progress) -> None:
        """Write every bucket: versions where rows came in, links elsewhere."""
        self.counts = {table: TableCounts() for table in placing.tables}
        for bucket in range(self._old.buckets):
            progress("history", bucket, self._old.buckets)
            for table in HISTORY_TABLES:
                name = f"{bucket_name(bucket)}/{table}.parquet"
                new = placing.rows(bucket, table)
                needed = new is not None or (table == "accounts" and self._erased.accounts)
                before = self._old.table(bucket, table) if needed else None
                self._write(name, table, before, new)
        common = placing.common
        for table in sorted({*common, *(Path(f).stem for f in self._old_files if f.startswith(COMMON))}):
            needed = table in common or (table == "users" and self._erased.users)
            before = self._old.common(table) if needed else None
            self._write(f"{COMMON}/{table}.parquet", table, before, common.get(table))
        progress("history", self._old.buckets, self._old.buckets)

    def finish(self, tail_watermark: int) -> Snapshot:
        """Describe what was written and give the folder its name."""
        path = self.folder.with_suffix("")
        snapshot = self._describe(tail_watermark)
        write_metadata(snapshot, self._files)
        for folder in (*(p for p in self.folder.iterdir() if p.is_dir()), self.folder):
            sync(folder)
        self.folder.rename(path)
        sync(path.parent)
        return replace(snapshot, path=path)

    def _write(self, name: str, table: str, before: pl.DataFrame | None, new: pl.DataFrame | None) -> None:
        """The versions of a file with the new rows and without what was erased, or the file as it was."""
        rows = before
        if before is not None and new is not None:
            versioned = add_versions(table, before, new)
            self.counts[table] = self.counts.get(table, TableCounts()) + versioned.counts
            # Decisions are for learning: no decision reads earlier ones, so blocks need not be written anew.
            self.accounts |= versioned.accounts if table != "decisions" else frozenset()
            rows = versioned.rows
        if rows is not None:
            rows = self._erased.blank(table, rows)
        if rows is not None and rows is not before:
            self.touched = True
            self._files[name] = write_parquet(rows, self.folder / name)
            return
        if name in self._old_files:
            (self.folder / name).parent.mkdir(exist_ok=True)
            os.link(self._old.path / name, self.folder / name)
            self._files[name] = self._old_files[name]

    def _describe(self, tail_watermark: int) -> Snapshot:
        parts = [stored_frame("accounts")]
        parts += [
            pl.read_parquet(self.folder / name) for name in self._files if name.endswith("/accounts.parquet")
        ]
        accounts = pl.concat(parts, how="diagonal")
        there = live(accounts).filter(pl.col("merged_into").is_null())
        extra = extra_kinds(accounts)
        if extra != self._old.extra:
            # A block without a column that has become a feature would be read as a block of another contract.
            self.accounts |= set(accounts.get_column("account_id"))
        changed = pl.DataFrame({"account_id": sorted(self.accounts)}, schema={"account_id": pl.String()})
        changed.write_parquet(self.folder / CHANGED)
        sync(self.folder / CHANGED)
        attributes, left_out = attributes_of(accounts)
        return Snapshot(
            id=self.id,
            path=self.folder,
            buckets=self._old.buckets,
            attributes=attributes,
            rows=totals(self._files),
            newest=latest(self._files),
            accounts=there.height,
            tail_watermark=tail_watermark,
            parent=self._old.id,
            left_out=left_out,
            extra=extra,
        )
