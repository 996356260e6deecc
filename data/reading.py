"""Opening the files of a folder of the contract: what is written there, not yet checked.

A raw frame has the columns of the file plus `PLACE`: the file's name and the line (CSV) or row (Parquet).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path

import polars as pl

from data.home import DataError
from engine.contract import TABLES

FILE, LINE = "__file", "__line"
PLACE = (FILE, LINE)
REJECT_SCHEMA: dict[str, pl.DataType] = {
    "file": pl.String(), "line": pl.Int64(), "column": pl.String(), "value": pl.String(),
    "reason": pl.String(),
}  # fmt: skip
PORTION_ROWS = 500_000
PORTION_BYTES = 64_000_000
"""What is read of a Parquet or CSV file at a time."""
LONGEST_ROW = 512_000_000
_SUFFIXES = (".csv", ".parquet")
_UNREAD = (
    ".arrow", ".avro", ".bz2", ".feather", ".gz", ".json", ".jsonl", ".ods", ".orc", ".tsv", ".txt", ".xls",
    ".xlsx", ".zip", ".zst",
)  # fmt: skip
"""Data in a form that is not read: an export that is overlooked would look like one that was loaded."""


class ContractError(DataError):
    """A file is not of the contract (unknown or missing column, unreadable); nothing was loaded."""

    exit_code = 2


def near(got: str, known: list[str], *, cutoff: float = 0.6) -> str:
    """The hint of an error: " Did you mean 'channel'?", or nothing where nothing is as like as the cutoff."""
    close = get_close_matches(got, known, n=1, cutoff=cutoff)
    return f" Did you mean {close[0]!r}?" if close else ""


def check_folder(folder: Path) -> None:
    """Refuse a folder that is not there, or a file in it whose name is nearly that of a table."""
    if not folder.is_dir():
        raise ContractError(f"There is no folder {str(folder)!r}; give the folder that holds the tables.")
    for path in sorted(folder.iterdir()):
        _check_form(path, path.name.split(".")[0])
        is_table = path.is_dir() or path.suffix.lower() in _SUFFIXES
        # Only what can hardly be anything else: an orders.csv may lie beside the tables.
        hint = near(path.stem, list(TABLES), cutoff=0.8)
        if is_table and path.stem not in TABLES and hint:
            raise ContractError(f"{path.name!r} is not a table of the contract.{hint}")


def _check_form(path: Path, table: str) -> None:
    """Refuse a file or folder of a table in a form that is not read."""
    if table not in TABLES:
        return
    if path.is_dir() and path.suffix.lower() in _SUFFIXES:
        raise ContractError(f"{path.name!r} is a folder; rename it to {table!r}, without an ending.")
    if path.is_file() and path.suffix.lower() in _UNREAD:
        raise ContractError(f"{path.name!r} is not read: save it as {table}.csv or {table}.parquet.")


def sources(folder: Path, table: str) -> list[Path]:
    """The files of a table: table.csv, table.parquet or those of a folder table/, in order of their names."""
    found = [path for suffix in _SUFFIXES if (path := folder / f"{table}{suffix}").is_file()]
    nested = folder / table
    if nested.is_dir():
        for path in nested.iterdir():
            _check_form(path, table)
        inside = sorted(p for p in nested.iterdir() if p.suffix.lower() in _SUFFIXES)
        if not inside:
            raise ContractError(f"The folder {table}/ holds no .csv or .parquet file.")
        if found:
            raise ContractError(f"There is both {found[0].name} and a folder {table}/; keep one of them.")
        return inside
    if len(found) > 1:
        raise ContractError(f"There is both {found[0].name} and {found[1].name}; keep one of them.")
    return found


def read_portions(path: Path, name: str) -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
    """The rows of one file as written, some at a time, and those that cannot be cut into columns as rejects.

    There is always a first portion, of no rows where the file has none.

    Args:
        name: How messages call the file.

    Raises:
        ContractError: The file is empty, not UTF-8, or cannot be read.
    """
    if path.suffix.lower() == ".parquet":
        for rows in _read_parquet(path, name):
            yield rows, pl.DataFrame(schema=REJECT_SCHEMA)
        return
    try:
        for text, line in _csv_portions(path, name):
            yield _read_csv(text, name, line)
    except OSError as error:
        raise ContractError(f"{name} cannot be read: {_first_line(error)}") from error


def _read_parquet(path: Path, name: str) -> Iterator[pl.DataFrame]:
    done = 0
    try:
        lazy = pl.scan_parquet(path, glob=False, hive_partitioning=False)
        blank = pl.DataFrame(schema=lazy.collect_schema())
        for rows in lazy.collect_batches(chunk_size=PORTION_ROWS, maintain_order=True):
            yield _with_places(rows, name, pl.int_range(done + 1, done + rows.height + 1, dtype=pl.Int64))
            done += rows.height
    except (pl.exceptions.PolarsError, OSError) as error:
        raise ContractError(f"{name} is not a readable Parquet file: {_first_line(error)}") from error
    if not done:
        yield _with_places(blank, name, pl.lit(0, pl.Int64()))


def _with_places(rows: pl.DataFrame, name: str, line: pl.Expr) -> pl.DataFrame:
    return rows.with_columns(pl.lit(name).alias(FILE), line.alias(LINE))


def _csv_portions(path: Path, name: str) -> Iterator[tuple[bytes, int]]:
    """Texts of whole rows below the header, and how many lines of the file lie between the two.

    A line break inside quotes does not end a row: before one that does, quotes are even in number.
    """
    with path.open("rb") as file:
        text = file.read(PORTION_BYTES)
        header = text[: text.find(b"\n") + 1]
        first, skipped = True, 0
        while True:
            more = file.read(PORTION_BYTES)
            end = _last_row_end(text) if more else len(text)
            if end or (first and not more):
                yield (text[:end] if first else header + text[:end]), skipped
                skipped += text.count(b"\n", 0, end) - first
                text, first = text[end:], False
            elif len(text) > LONGEST_ROW:
                line = skipped + 2
                raise ContractError(f"{name} cannot be read from line {line} on: is a quote not closed?")
            if not more:
                return
            text += more


def _last_row_end(text: bytes) -> int:
    """Where the last whole row of a text ends; 0 = nowhere."""
    quotes, end = text.count(b'"'), len(text)
    while (at := text.rfind(b"\n", 0, end)) >= 0:
        quotes -= text.count(b'"', at, end)
        if quotes % 2 == 0:
            return at + 1
        end = at
    return 0


def _read_csv(text: bytes, name: str, skipped: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """A header and rows; `skipped` lines of the file lie between them."""
    try:
        rows = pl.read_csv(text, infer_schema=False)
    except pl.exceptions.NoDataError as error:
        raise ContractError(f"{name} is empty: not even a line of column names.") from error
    except pl.exceptions.PolarsError as error:
        if "utf-8" in str(error):
            raise ContractError(f"{name} is not UTF-8; save it as UTF-8.") from error
        return _read_ragged_csv(text, name, skipped)
    _check_header(rows.columns, name)
    # A quoted text may hold line breaks, so lines are counted, not rows.
    breaks = pl.sum_horizontal(
        pl.col(c).str.count_matches("\n", literal=True).fill_null(0) for c in rows.columns
    )
    line = pl.int_range(2, pl.len() + 2, dtype=pl.Int64) + breaks.cum_sum().shift(1, fill_value=0) + skipped
    rows = _with_places(rows, name, line.cast(pl.Int64))
    blank = pl.all_horizontal(pl.exclude(PLACE).is_null())
    return rows.filter(~blank), pl.DataFrame(schema=REJECT_SCHEMA)


def _read_ragged_csv(text: bytes, name: str, skipped: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Row by row, for a text with lines that are too long: the good ones, and those as rejects."""
    good: list[list[str | int | None]] = []
    broken: list[tuple[str, int, str, str, str]] = []
    header: list[str] = []
    line = 1
    with io.TextIOWrapper(io.BytesIO(text), encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, strict=True)
        try:
            header = next(reader)
            _check_header(header, name)
            line = reader.line_num + 1 + skipped
            for row in reader:
                if len(row) > len(header):
                    reason = f"the line has {len(row)} fields, the header has {len(header)}"
                    broken.append((name, line, "", "", reason))
                elif row:
                    missing = [None] * (len(header) - len(row))
                    good.append([*row, *missing, line])
                line = reader.line_num + 1 + skipped
        except UnicodeDecodeError as error:
            raise ContractError(f"{name} is not UTF-8; save it as UTF-8.") from error
        except csv.Error as error:
            message = f"{name} cannot be read from line {line} on: {error} (is a quote not closed?)."
            raise ContractError(message) from error
    schema = {column: pl.String() for column in header} | {LINE: pl.Int64()}
    rows = pl.DataFrame(good, schema=schema, orient="row").with_columns(pl.lit(name).alias(FILE))
    return rows, pl.DataFrame(broken, schema=REJECT_SCHEMA, orient="row")


def _check_header(columns: list[str], name: str) -> None:
    if len(columns) == 1 and (";" in columns[0] or "\t" in columns[0]):
        raise ContractError(f"The columns of {name} are separated by ';' or tabs; separate them by commas.")
    twice = [c for c in columns if columns.count(c) > 1 or c.endswith("_duplicated_0")]
    if twice:
        raise ContractError(f"{name} has the column {twice[0].removesuffix('_duplicated_0')!r} twice.")


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0]
