"""What the imports of public data share: reading the publisher's files, writing the contract's tables."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path

import polars as pl

from data.datasets import DatasetError
from data.progress import Progress
from data.whole_folder import refuse_occupied, whole_folder
from engine.contract import TABLES, WEEKDAYS

SYSTEM = "system"
"""Role and user of what nobody does by hand."""


def find(source: Path, names: Sequence[str]) -> Path:
    """The first of these files that is in a folder, as it is or zipped (.gz).

    Raises DatasetError: there is no folder, or none of the files in it.
    """
    if not source.is_dir():
        raise DatasetError(f"There is no folder {source}; give the one with {names[0]}.")
    for name in names:
        for path in (source / name, source / f"{name}.gz"):
            if path.is_file():
                return path
    raise DatasetError(f"There is no {' or '.join(names)} in {source}, zipped (.gz) or not.")


def read_csv(path: Path, columns: Collection[str], *, what: str, separator: str = ",") -> pl.DataFrame:
    """The rows of a file as text, empty = null.

    Args:
        columns: That must be there.
        what: How people call the data set.

    Raises:
        DatasetError: It cannot be read, has no rows, or not these columns.
    """
    try:
        rows = pl.read_csv(path, separator=separator, infer_schema=False, glob=False)
    except (OSError, pl.exceptions.PolarsError) as error:
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DatasetError(f"{path} cannot be read: {said}") from None
    missing = sorted(set(columns) - set(rows.columns))
    if missing:
        raise DatasetError(f"{path} has no column {missing[0]!r}; is it the {what} data set?")
    if rows.is_empty():
        raise DatasetError(f"{path} has no rows; is it the {what} data set?")
    return rows


def with_numbers(rows: pl.DataFrame, columns: Iterable[str], path: Path) -> pl.DataFrame:
    """The same with some columns as numbers. Raises DatasetError: a value is none; says where."""
    for name in columns:
        found = rows[name].cast(pl.Float64, strict=False)
        wrong = rows[name].filter(found.is_null())
        if len(wrong):
            raise DatasetError(f"{path}, column {name!r}: got {wrong[0]!r}, need a number.")
        rows = rows.with_columns(found.alias(name))
    return rows


def with_times(rows: pl.DataFrame, column: str, path: Path) -> pl.DataFrame:
    """The same with a column of dates or times as times in UTC. Raises DatasetError: a value is none."""
    forms = ("%Y-%m-%d %H:%M:%S%.f%:z", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d")
    text = rows[column]
    found = pl.select(
        pl.coalesce(
            pl.lit(text).str.to_datetime(form, time_unit="us", time_zone="UTC", strict=False)
            for form in forms
        )
    ).to_series()
    wrong = text.filter(found.is_null())
    if len(wrong):
        raise DatasetError(f"{path}, column {column!r}: got {wrong[0]!r}, need a date or a time.")
    return rows.with_columns(found.alias(column))


def system_tables(accounts: pl.DataFrame, name: str) -> dict[str, pl.DataFrame]:
    """`users` and `account_team` where the system alone serves everybody; `name` is what people call it."""
    minutes = {f"{day}_minutes": 0.0 for day in WEEKDAYS}
    user = {"user_id": SYSTEM, "name": name, "role": SYSTEM, "language": "en"}
    team = accounts.select("account_id", "stored_at", role=pl.lit(SYSTEM), user_id=pl.lit(SYSTEM))
    return {"users": pl.DataFrame([user | minutes]), "account_team": team}


def only_tables(folder: Path) -> bool:
    """Whether a folder holds nothing but tables of the contract."""
    return all(path.suffix == ".parquet" and path.stem in TABLES for path in folder.iterdir())


def write_tables(tables: Mapping[str, pl.DataFrame], folder: Path) -> None:
    """Write tables as Parquet into a folder that is there, columns typed as the contract says."""
    for name, rows in tables.items():
        schema = TABLES[name].schema
        typed = [pl.col(column).cast(schema[column]) for column in rows.columns if column in schema]
        rows.with_columns(typed).write_parquet(folder / f"{name}.parquet")


def convert_to(out: Path, tables: Callable[[], Mapping[str, pl.DataFrame]], progress: Progress) -> None:
    """Make the tables and write them to a folder that comes to be whole or not at all.

    Raises:
        OccupiedFolderError: `out` holds something else than tables of the contract.
        DatasetError: As `tables` does, or `out` cannot be written.
    """
    refuse_occupied(out, is_ours=only_tables, what="a folder of the contract's tables")
    progress("reading", 0, 2)
    made = tables()
    progress("writing", 1, 2)
    try:
        with whole_folder(out) as building:
            write_tables(made, building)
    except OSError as error:
        raise DatasetError(f"The tables cannot be written to {out}: {error.strerror}.") from error
    progress("writing", 2, 2)
