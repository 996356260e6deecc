"""Rows sorted into numbered bins as they come: in memory while they are few, on disk when they are many.

What is too large to be held is cut by a number (the bucket of the account, a hash of a key) and worked on bin
after bin. A bin gives its rows in the order in which they came.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

import polars as pl

_NUMBER = "__bin"
HELD_BYTES = 192_000_000
"""What is held in memory before it goes to the disk."""


class Bins:
    """Rows by name and number; a context manager that removes its files at the end.

    Args:
        folder: Made when something has to go to the disk; what an earlier process left there is removed.
        held_bytes: What is held in memory at most; default `HELD_BYTES`.
    """

    def __init__(self, folder: Path, *, held_bytes: int | None = None) -> None:
        self.folder = folder
        self._limit = HELD_BYTES if held_bytes is None else held_bytes
        self._came: dict[str, list[pl.DataFrame]] = {}
        self._sorted: dict[str, dict[int, pl.DataFrame]] = {}
        self._files: dict[str, dict[int, list[Path]]] = {}
        self._bytes = 0
        self._written = 0

    def __enter__(self) -> Bins:
        self._remove()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._remove()

    def put(self, name: str, rows: pl.DataFrame, number: pl.Series) -> None:
        """Add rows, each to the bin of its number; all rows of a name have the same columns."""
        if rows.is_empty():
            return
        self._came.setdefault(name, []).append(rows.with_columns(number.cast(pl.Int64).alias(_NUMBER)))
        self._bytes += int(rows.estimated_size())
        if self._bytes > self._limit:
            self._write()

    def take(self, name: str, number: int) -> pl.DataFrame | None:
        """All rows of a bin; None where there are none."""
        self._sort(name)
        parts = [pl.read_ipc(path) for path in self._files.get(name, {}).get(number, [])]
        held = self._sorted.get(name, {}).get(number)
        parts += [] if held is None else [held]
        return pl.concat(parts) if parts else None

    def numbers(self, name: str) -> Sequence[int]:
        """The bins of a name that have rows, in order."""
        self._sort(name)
        return sorted({*self._files.get(name, {}), *self._sorted.get(name, {})})

    def _sort(self, name: str) -> None:
        """Cut what came since by its number."""
        came = self._came.pop(name, [])
        if not came:
            return
        bins = self._sorted.setdefault(name, {})
        cut = pl.concat(came).partition_by(_NUMBER, as_dict=True, include_key=False, maintain_order=True)
        for (number,), rows in cut.items():
            bins[number] = pl.concat([bins[number], rows]) if number in bins else rows

    def _write(self) -> None:
        """Bring all that is held to the disk."""
        for name in [*self._came]:
            self._sort(name)
        for name, bins in self._sorted.items():
            for number, rows in bins.items():
                path = self.folder / f"{self._written:08d}.arrow"
                path.parent.mkdir(parents=True, exist_ok=True)
                rows.write_ipc(path, compression="lz4")
                self._files.setdefault(name, {}).setdefault(number, []).append(path)
                self._written += 1
        self._sorted.clear()
        self._bytes = 0

    def _remove(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
