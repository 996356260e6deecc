"""Reading files of the data contract: CSV or Parquet to checked rows, and what was rejected and why.

The definitions of the tables are in `engine.records`; this reads and checks by them and by nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from data.home import DataError


class ContractError(DataError):
    """A file is not of the contract (unknown or missing column, unreadable); nothing was loaded."""

    exit_code = 2


@dataclass(frozen=True)
class Checked:
    """One table as read.

    Attributes:
        rows: Typed by the contract plus the bookkeeping columns; personal columns still present.
        rejects: Columns file, line, column, value, reason - a row per rejected row (first fault).
    """

    table: str
    rows: pl.DataFrame
    rejects: pl.DataFrame


def read_table(folder: Path, table: str) -> Checked | None:
    """Read and check one table of a folder (table.csv, table.parquet or a folder table/ of such); None = not there.

    Raises ContractError for an unknown or a missing required column ("unknown column 'chanel' in
    touchpoints.csv, did you mean 'channel'?") or an unreadable file.
    """
    raise NotImplementedError
