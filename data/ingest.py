"""Loading a folder of the contract into history and ledger: all or nothing."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl

from data.erasing import left_out
from data.history import HistoryStore, Snapshot, TableCounts
from data.home import DataError, Home
from data.ledger.erased import Markers
from data.ledger.ledger import Ledger
from data.ledger.types import LedgerMissingError, LedgerVersionError
from data.progress import Progress, quiet
from data.reading import check_folder
from data.references import Tables, check_references
from data.tables import ContractError, read_table
from data.takeover import bring_up, refresh_blocks, take_over
from engine.contract import TABLES, TIME

__all__ = ["LoadReport", "TooManyRejectsError", "ingest", "refresh_blocks", "take_over"]

BEGINNING = 0
"""stored_at (microseconds UTC) of standing facts of a first load: nobody knows since when they were known."""
_PERSONAL_ROWS = 20_000


class TooManyRejectsError(DataError):
    """More rows were rejected than allowed; the store is as it was, the reject file says why."""

    exit_code = 3


@dataclass(frozen=True)
class LoadReport:
    """What a load did. `erased`: rows that were left out, of those who were erased."""

    snapshot: Snapshot
    counts: Mapping[str, TableCounts]
    rejects: Path | None
    seconds: float
    erased: int = 0


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
    with store.exclusive():
        old = store.current()
        read, erased = left_out(_read(folder, old, progress), _markers(home, old))
        tables = check_references(read, old)
        _check_content(tables, old, folder)
        rejects = _write_rejects(tables, home.rejects, loaded_at)
        _check_rejects(tables, max_rejected, rejects)
        tables, defaulted = _with_stored_at(tables, loaded_at, first=old is None)
        ledger = Ledger.create(home.ledger_url)
        try:
            # A ledger that is new to this history starts to count again.
            watermark = None if ledger.versions() else 0
            rows = {name: checked.rows for name, checked in tables.items()}
            snapshot, counts, _ = store.add(rows, tail_watermark=watermark, progress=progress)
            bring_up(home, ledger, snapshot, now=loaded_at, progress=progress)
            _put_personal(ledger, tables, progress)
        finally:
            ledger.close()
    full = {
        name: _complete(counts[name], checked.rejects.height, defaulted[name])
        for name, checked in tables.items()
    }
    return LoadReport(snapshot, full, rejects, time.perf_counter() - started, erased)


def _markers(home: Home, old: Snapshot | None) -> Markers:
    """Who was erased; a ledger that is not there knows of nobody."""
    try:
        ledger = Ledger.open(home.ledger_url)
    except LedgerMissingError:
        return Markers()
    except LedgerVersionError:
        if old is None:
            return Markers()
        ledger = Ledger.create(home.ledger_url)  # an earlier version; the load brings it up to date anyway
    try:
        return ledger.erasures.markers()
    finally:
        ledger.close()


def _read(folder: Path, old: Snapshot | None, progress: Progress) -> Tables:
    """Every table of the folder. Raises ContractError."""
    tables: Tables = {}
    for done, name in enumerate(TABLES):
        progress("read", done, len(TABLES))
        extra = old.extra if old and name == "accounts" else {}
        checked = read_table(folder, name, extra=extra)
        if checked is not None:
            tables[name] = checked
        elif old is None and not TABLES[name].optional:
            raise ContractError(
                f"A first load needs {name}.csv, {name}.parquet or a folder {name}/ in {folder}."
            )
    progress("read", len(TABLES), len(TABLES))
    if not tables:
        raise ContractError(f"{folder} holds no table of the contract ({', '.join(TABLES)}).")
    return tables


def _check_content(tables: Tables, old: Snapshot | None, folder: Path) -> None:
    """Refuse a history without anybody in it."""
    accounts = tables.get("accounts")
    if old is None and accounts and accounts.rows.is_empty() and accounts.rejects.is_empty():
        raise ContractError(f"There is no account in {folder}: accounts has no row to load.")


def _write_rejects(tables: Tables, folder: Path, loaded_at: int) -> Path | None:
    """A file of rejects for each table that has some; the folder they are in."""
    rejected = [checked for checked in tables.values() if checked.rejects.height]
    if not rejected:
        return None
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=loaded_at)
    path = folder / moment.strftime("%Y%m%dT%H%M%S.%fZ")
    path.mkdir(parents=True, exist_ok=True)
    for checked in rejected:
        checked.rejects.sort("file", "line").write_csv(path / f"{checked.table}.csv")
    return path


def _check_rejects(tables: Tables, max_rejected: float, rejects: Path | None) -> None:
    for name, checked in tables.items():
        bad, rows = checked.rejects.height, checked.rejects.height + checked.rows.height
        if bad > max_rejected * rows:
            raise TooManyRejectsError(
                f"{bad:,} of {rows:,} rows of {name} were rejected, more than {max_rejected:.1%}; "
                f"nothing was loaded. {rejects}/{name}.csv says which and why."
            )


def _with_stored_at(tables: Tables, loaded_at: int, *, first: bool) -> tuple[Tables, dict[str, int]]:
    """Every row with the moment when our side learned of it, and how many had none, by table."""
    now = pl.lit(loaded_at).cast(TIME)
    filled: Tables = {}
    defaulted: dict[str, int] = {}
    for name, checked in tables.items():
        own = TABLES[name].time
        default = now
        if first:
            default = pl.min_horizontal(own, now) if own else pl.lit(BEGINNING).cast(TIME)
        rows = checked.rows.with_columns(pl.coalesce("stored_at", default).alias("stored_at"))
        filled[name] = replace(checked, rows=rows)
        defaulted[name] = checked.rows.get_column("stored_at").null_count()
    return filled, defaulted


def _put_personal(ledger: Ledger, tables: Tables, progress: Progress) -> None:
    """What says who somebody is goes to the ledger and nowhere else."""
    for name, checked in tables.items():
        personal = [c.name for c in TABLES[name].columns if c.personal]
        if not personal:
            continue
        key = list(dict.fromkeys([*TABLES[name].key, "account_id"]))
        said = checked.rows.filter(pl.any_horizontal(pl.col(personal).is_not_null()))
        latest = said.sort("stored_at", maintain_order=True).unique(
            TABLES[name].key, keep="last", maintain_order=True
        )
        for done in range(0, latest.height, _PERSONAL_ROWS):
            progress("ledger", done, latest.height)
            rows = latest.slice(done, _PERSONAL_ROWS)
            ledger.put_personal(name, rows.select(key + personal))
            if name == "touchpoints":
                ledger.put_told(rows)
        progress("ledger", latest.height, latest.height)


def _complete(counts: TableCounts, rejected: int, defaulted: int) -> TableCounts:
    return replace(counts, rejected=rejected, defaulted_stored_at=defaulted)
