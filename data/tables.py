"""Reading files of the data contract: CSV or Parquet to checked rows, and what was rejected and why.

The definitions of the tables are in `engine.contract`; this reads and checks by them and by nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from data.checking import as_text, check_rows, infer_kind, split_places
from data.reading import PLACE, REJECT_SCHEMA, ContractError, near, read_portions, sources
from engine.contract import BOOKKEEPING, TABLES, Column, Kind, Table

__all__ = ["Checked", "ContractError", "read_table", "read_table_in_portions"]

READ_BOOKKEEPING: tuple[Column, ...] = tuple(c for c in BOOKKEEPING if c.name != "superseded_at")
"""What a file may carry beside the table's own columns; the rest is the store's."""
RESERVED: frozenset[str] = frozenset({"superseded_at", "merged_from"})


@dataclass(frozen=True)
class Checked:
    """One table as read.

    Attributes:
        rows: Typed by the contract plus the bookkeeping columns; personal columns still present.
        rejects: Columns file, line, column, value, reason - a row per rejected row (first fault).
        places: File and line of each row.
    """

    table: str
    rows: pl.DataFrame
    rejects: pl.DataFrame
    places: pl.DataFrame = field(default_factory=pl.DataFrame)


def read_table(folder: Path, table: str, *, extra: Mapping[str, Kind] | None = None) -> Checked | None:
    """Read and check one table: table.csv, table.parquet or a folder table/ of such. None = not there.

    Args:
        extra: Kinds of columns beyond the contract that the store knows; others are inferred (only where the
            table accepts such columns).

    Raises ContractError for an unknown or a missing required column ("unknown column 'chanel' in
    touchpoints.csv, did you mean 'channel'?") or an unreadable file.
    """
    definition = TABLES[table]
    parts, rejects = [], []
    for rows, rejected in _portions(folder, definition):
        parts.append(rows)
        rejects.append(rejected)
    if not parts:
        return None
    rows, rejected = _type_extra(_concat(parts, definition), definition, extra or {})
    return _checked(definition, rows, pl.concat([*rejects, rejected]))


def read_table_in_portions(folder: Path, table: str) -> Iterator[Checked]:
    """The same some rows at a time, in their order, for a table without columns beyond the contract.

    At least one portion where the table is there, none where it is not. Raises ContractError.
    """
    definition = TABLES[table]
    if definition.open_columns:
        raise ValueError(f"The types of further columns of {table} follow from all of their rows.")
    for rows, rejected in _portions(folder, definition):
        yield _checked(definition, rows, rejected)


def _portions(folder: Path, table: Table) -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
    """Checked rows with their places and, as they came, columns beyond the contract; and rejects."""
    for path in sources(folder, table.name):
        name = path.relative_to(folder).as_posix()
        for raw, broken in read_portions(path, name):
            _check_columns(raw.columns, table, name)
            rows, rejected = check_rows(raw, table.columns + READ_BOOKKEEPING)
            yield rows, pl.concat([broken, rejected])


def _checked(table: Table, rows: pl.DataFrame, rejects: pl.DataFrame) -> Checked:
    rows, places = split_places(rows)
    order = [c for c in table.schema if c != "superseded_at"]
    others = sorted(c for c in rows.columns if c not in order)
    return Checked(table.name, rows.select(order + others), rejects, places)


def _check_columns(columns: list[str], table: Table, name: str) -> None:
    """Refuse columns that the contract does not have and a file without the required ones."""
    known = [c.name for c in table.columns + READ_BOOKKEEPING]
    given = [c for c in columns if c not in PLACE]
    missing = [c.name for c in table.columns if c.required and c.name not in given]
    if not all(column.strip() for column in given):
        raise ContractError(f"{name} has a column without a name; name it or take it out.")
    for column in given:
        if column in RESERVED or (column not in known and not table.open_columns):
            free = [c for c in known if c not in given]
            hint = near(column, free) or _instead_of(missing) + _all_of(table)
            raise ContractError(f"Unknown column {column!r} in {name}.{hint}")
    if missing:
        raise ContractError(
            f"{name} lacks the required column {missing[0]!r}.{_written_as(missing[0], given)}"
        )


def _instead_of(missing: list[str]) -> str:
    """Which required columns the unknown one may stand for."""
    asked = "is it that" if len(missing) == 1 else "is it one of these"
    return f" It lacks the required {', '.join(missing)}: {asked}?" if missing else ""


def _all_of(table: Table) -> str:
    """Where nothing is near: what there is."""
    return f" The columns of {table.name} are {', '.join(c.name for c in table.columns)}."


def _written_as(missing: str, given: list[str]) -> str:
    """Which column of the file may be meant by the missing one."""
    hint = near(missing, given)
    return hint.replace("Did you mean", "Is it") if hint else f" It has {', '.join(given)}."


def _concat(parts: list[pl.DataFrame], table: Table) -> pl.DataFrame:
    """Files below each other; extra columns that differ in type become text."""
    own = [*table.schema, *PLACE]
    kinds: dict[str, set[pl.DataType]] = {}
    for part in parts:
        for column, dtype in part.schema.items():
            if column not in own:
                kinds.setdefault(column, set()).add(dtype)
    mixed = {column for column, dtypes in kinds.items() if len(dtypes) > 1}
    alike = [p.with_columns(as_text(c, p.schema[c]).alias(c) for c in p.columns if c in mixed) for p in parts]
    return pl.concat(alike, how="diagonal")


def _type_extra(
    rows: pl.DataFrame, table: Table, known: Mapping[str, Kind]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Columns beyond the contract by their type; a value that does not fit a known type is a reject."""
    names = [c for c in rows.columns if c not in table.schema and c not in PLACE]
    if not names:
        return rows, pl.DataFrame(schema=REJECT_SCHEMA)
    columns = tuple(Column(c, known.get(c) or infer_kind(rows[c]), "A further column.") for c in names)
    return check_rows(rows, columns)
