"""Loading a folder of the contract into history and ledger: all or nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from data.arriving import BEGINNING, Arriving
from data.history import HistoryStore, Snapshot, TableCounts
from data.home import DataError, Home
from data.ledger.erased import Markers
from data.ledger.ledger import Ledger
from data.ledger.types import LedgerMissingError, LedgerVersionError
from data.personal_waiting import PersonalWaiting
from data.progress import Progress, quiet
from data.reading import ContractError, check_folder
from data.references import REFERRED_TO
from data.takeover import bring_up, finish_killed, refresh_blocks, take_over
from data.times import to_datetime
from engine.contract import TABLES

__all__ = [
    "BEGINNING", "ContractError", "LoadReport", "TooManyRejectsError", "ingest", "refresh_blocks",
    "take_over",
]  # fmt: skip


class TooManyRejectsError(DataError):
    """More rows were rejected than allowed; the store is as it was, the reject file says why."""

    exit_code = 3


@dataclass(frozen=True)
class LoadReport:
    """What a load did. `erased`: rows that were left out, of those who were erased; `first`: nothing was
    loaded before."""

    snapshot: Snapshot
    counts: Mapping[str, TableCounts]
    rejects: Path | None
    seconds: float
    erased: int = 0
    first: bool = False

    @property
    def repeated(self) -> dict[str, int]:
        """Table -> rows of a first load that have the key of an earlier one, where no row has a `stored_at`:
        versions of one fact would say since when each was known, so these may be different facts."""
        if not self.first:
            return {}
        again = {table: found.changed + found.unchanged for table, found in self.counts.items()}
        dated = {table: found.new + again[table] > found.defaulted_stored_at
                 for table, found in self.counts.items()}  # fmt: skip
        return {table: rows for table, rows in again.items() if rows and not dated[table]}


def ingest(folder: Path, home: Home, *, loaded_at: int, max_rejected: float = 0.01,
           progress: Progress = quiet) -> LoadReport:  # fmt: skip
    """Load a folder of the contract.

    Args:
        loaded_at: Microseconds UTC; `stored_at` of rows without one in a later load and of plans whose
            date lies ahead. In a first load rows default to their own time, standing facts to the beginning.
        max_rejected: Share of a table's rows above which the load stops.
        progress: Called with (stage, done, of).

    Raises:
        ContractError, TooManyRejectsError: The store is as it was.
    """
    started = time.perf_counter()
    check_folder(folder)
    store = HistoryStore(home.history)
    with store.exclusive(), store.bins() as bins:
        first = store.current() is None
        markers = _markers(home, store.current())
        finish_killed(home, store.current(), now=loaded_at, progress=progress)
        came = Arriving(folder, store, bins, markers, loaded_at=loaded_at, progress=progress)
        rejects = _write_rejects(came, home.rejects, loaded_at)
        _check_rejects(came, max_rejected, rejects)
        ledger = Ledger.create(home)
        try:
            # A ledger that is new to this history starts to count again.
            watermark = None if ledger.versions() else 0
            snapshot, counts, _ = store.merge(
                came.placing, tail_watermark=watermark, progress=progress,
                ready=lambda made: PersonalWaiting(home).keep(made, _personal(came)),
            )  # fmt: skip
            bring_up(home, ledger, snapshot, now=loaded_at, progress=progress)
        finally:
            ledger.close()
        full = {
            table: replace(counts[table], rejected=came.rejected(table), defaulted_stored_at=defaulted)
            for table, defaulted in came.defaulted.items()
        }
    return LoadReport(snapshot, full, rejects, time.perf_counter() - started, came.erased, first=first)


def _markers(home: Home, old: Snapshot | None) -> Markers:
    """Who was erased; a ledger that is not there knows of nobody."""
    try:
        ledger = Ledger.open(home)
    except LedgerMissingError:
        return Markers()
    except LedgerVersionError:
        if old is None:
            return Markers()
        ledger = Ledger.create(home)  # an earlier version; the load brings it up to date anyway
    try:
        return ledger.erasures.markers()
    finally:
        ledger.close()


def _write_rejects(came: Arriving, folder: Path, loaded_at: int) -> Path | None:
    """A file of rejects for each table that has some; the folder they are in."""
    rejected = came.rejects()
    if not rejected:
        return None
    path = folder / to_datetime(loaded_at).strftime("%Y%m%dT%H%M%S.%fZ")
    path.mkdir(parents=True, exist_ok=True)
    for table, rows in rejected.items():
        rows.write_csv(path / f"{table}.csv")
    return path


def _check_rejects(came: Arriving, max_rejected: float, rejects: Path | None) -> None:
    """In the order of the contract, so that a table is named before those that refer to its rows."""
    for name in (table for table in TABLES if table in came.accepted):
        bad = came.rejected(name)
        rows = bad + came.accepted[name]
        if bad > max_rejected * rows:
            column, reason, most = _most_often(came.rejects()[name])
            referred = REFERRED_TO.get(reason, "")
            missed = came.rejected(referred)
            cause = f" {missed:,} {referred} of this load were rejected themselves." if missed else ""
            raise TooManyRejectsError(
                f"{bad:,} of {rows:,} rows of {name} were rejected, more than {max_rejected:.1%}; "
                f"nothing was loaded. Most often ({most:,}): {column}: {reason}.{cause} {rejects}/{name}.csv "
                "says which and why."
            )


def _most_often(rejected: pl.DataFrame) -> tuple[str, str, int]:
    """Column and reason of the commonest fault of a table, of equally common ones the first in the files."""
    counted = rejected.group_by("column", "reason", maintain_order=True).len()
    column, reason, rows = counted.row(counted["len"].arg_max() or 0)
    return column, reason, rows


def _personal(came: Arriving) -> Iterator[tuple[str, pl.DataFrame]]:
    """What says who somebody is goes to the ledger and nowhere else."""
    return ((table, rows) for table in came.accepted for rows in came.personal(table))
