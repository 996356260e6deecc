"""The history store: Parquet by bucket of accounts, every version of every fact, replaced atomically.

Layout: <home>/history/<snapshot>/bucket_0007/touchpoints.parquet, rows sorted by (account_id, time, id),
and <home>/history/CURRENT, a small file that names the snapshot in use and is replaced by rename: whoever
is killed in the middle leaves the old state. Buckets that a load does not touch are hard links.
Personal columns are not here (law 3).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from engine.facts import Attribute
from engine.records import History


def bucket_of(account_id: str, buckets: int) -> int:
    """crc32 of the id modulo the number of buckets: stable over machines and versions."""
    raise NotImplementedError


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
    """

    id: str
    path: Path
    buckets: int
    attributes: tuple[Attribute, ...]
    rows: Mapping[str, int]
    newest: Mapping[str, int]
    accounts: int
    tail_watermark: int

    def read(self, bucket: int, tables: tuple[str, ...] | None = None) -> History:
        """All facts of a bucket's accounts."""
        raise NotImplementedError

    def account_ids(self, bucket: int) -> tuple[str, ...]:
        """Accounts of a bucket that are not deleted or merged away, sorted."""
        raise NotImplementedError

    def histories(self) -> Iterator[tuple[int, History]]:
        """Bucket after bucket."""
        raise NotImplementedError


@dataclass(frozen=True)
class TableCounts:
    """What a load did to one table: "12,431 new, 318 changed, 4,002 unchanged, 9 rejected"."""

    new: int = 0
    changed: int = 0
    unchanged: int = 0
    rejected: int = 0
    defaulted_stored_at: int = 0


class HistoryStore:
    """Opens and replaces the history below a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def current(self) -> Snapshot | None:
        """The snapshot in use; None before the first load. Raises DataError when it is damaged."""
        raise NotImplementedError

    def add(self, rows: Mapping[str, pl.DataFrame], *, tail_watermark: int | None = None
            ) -> tuple[Snapshot, Mapping[str, TableCounts], frozenset[str]]:  # fmt: skip
        """A new snapshot with these rows added as versions; the old one stays until the swap.

        Args:
            rows: Table -> checked rows with stored_at; responses carry account_id. A row equal to the newest version of its key is
                unchanged and not stored again.

        Returns:
            The snapshot, the counts by table and the accounts whose facts changed.
        """
        raise NotImplementedError


def pack(history: History) -> bytes:
    """The facts of one account as Arrow IPC bytes (the ledger's block)."""
    raise NotImplementedError


def unpack(block: bytes) -> History:
    """The reverse of `pack`, equal to the bit."""
    raise NotImplementedError
