"""Loading a folder of the contract into history and ledger: all or nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from data.history import Snapshot, TableCounts
from data.home import DataError, Home


class TooManyRejectsError(DataError):
    """More rows were rejected than allowed; the store is as it was, the reject file says why."""

    exit_code = 3


@dataclass(frozen=True)
class LoadReport:
    """What a load did."""

    snapshot: Snapshot
    counts: Mapping[str, TableCounts]
    rejects: Path | None
    seconds: float


def ingest(folder: Path, home: Home, *, loaded_at: int, max_rejected: float = 0.01,
           progress: Callable[[str, int, int], None] = lambda stage, done, of: None) -> LoadReport:  # fmt: skip
    """Load a folder of the contract.

    Args:
        loaded_at: Microseconds UTC; `stored_at` of rows without one in a later load and of plans whose
            date lies ahead. In a first load rows default to their own time.
        max_rejected: Share of a table's rows above which the load stops.
        progress: Called with (stage, done, of).

    Raises:
        ContractError, TooManyRejectsError: The store is as it was.
    """
    raise NotImplementedError
