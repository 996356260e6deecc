"""The few forms of statement that several parts of the ledger need, the same on both databases."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache, lru_cache
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

T = TypeVar("T")

CHUNK = 1000
"""Values in one IN (...) and rows in one upsert: well below what either database takes."""

_COPIED = 50
"""So many rows are sooner copied than inserted."""


def chunks(values: Sequence[T]) -> Iterator[Sequence[T]]:
    """Slices of at most CHUNK."""
    for start in range(0, len(values), CHUNK):
        yield values[start : start + CHUNK]


def columns(table: sa.Table, *names: str) -> list[sa.Column[Any]]:
    """Columns of a table, in that order."""
    return [table.c[name] for name in names]


def named(row: sa.Row[Any]) -> dict[str, Any]:
    """A row by column name."""
    return row._asdict()  # public in spite of its name, which keeps it apart from columns


def upsert(
    connection: sa.Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]], *, update: Sequence[str]
) -> None:
    """Insert rows; where the primary key is known, set the columns of `update` (none: leave the row)."""
    if not rows:
        return
    key = [column.name for column in table.primary_key.columns]
    # The same key twice in one statement is an error on PostgreSQL; the later row holds.
    distinct = list({tuple(row[name] for name in key): row for row in rows}.values())
    statement = _upsert(connection.dialect.name, table, tuple(update))
    _execute_many(connection, statement, sorted(distinct, key=lambda row: tuple(row[name] for name in key)))


@cache
def _upsert(dialect: str, table: sa.Table, update: tuple[str, ...]) -> Any:
    """Built once: putting it together takes as long as running it."""
    insert: Any = postgresql.insert if dialect == "postgresql" else sqlite.insert
    key = [column.name for column in table.primary_key.columns]
    statement = insert(table)
    if not update:
        return statement.on_conflict_do_nothing(index_elements=key)
    changes = {name: statement.excluded[name] for name in update}
    return statement.on_conflict_do_update(index_elements=key, set_=changes)


def these(name: str = "these") -> sa.BindParameter[Any]:
    """The ids of a chunk, inside a statement that is built once."""
    return sa.bindparam(name, type_=sa.Text, expanding=True)


@cache
def _insert(table: sa.Table) -> sa.Insert:
    return sa.insert(table)


def insert_many(connection: sa.Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert many new rows, all with the same columns: by COPY on PostgreSQL, else some at a time."""
    if connection.dialect.name != "postgresql" or len(rows) < _COPIED:
        _execute_many(connection, _insert(table), rows)
        return
    names = list(rows[0])
    kept = _kept_by(connection, table, names)
    statement = "COPY {} ({}) FROM STDIN".format(table.name, ", ".join(f'"{name}"' for name in names))
    driver: Any = connection.connection.driver_connection
    module: Any = connection.dialect.loaded_dbapi
    try:
        with driver.cursor() as cursor, cursor.copy(statement) as copy:
            for row in rows:
                copy.write_row(_values(row, names, kept))
    except module.Error as error:
        # As SQLAlchemy would have said it: callers know its errors.
        raise sa.exc.DBAPIError.instance(
            statement, None, error, module.Error, hide_parameters=True, dialect=connection.dialect
        ) from error


def _execute_many(connection: sa.Connection, statement: Any, rows: Sequence[Mapping[str, Any]]) -> None:
    """An insert of rows, all with the same columns.

    SQLite's driver is given them as they are: SQLAlchemy takes several times as long for a row as SQLite.
    """
    if connection.dialect.name != "sqlite":
        for chunk in chunks(rows):
            connection.execute(statement, [dict(row) for row in chunk])
        return
    if not rows:
        return
    said, names = _compiled(statement, connection.dialect, tuple(rows[0]))
    kept = _kept_by(connection, statement.table, names)
    for chunk in chunks(rows):
        values = [tuple(_values(row, names, kept)) for row in chunk]
        connection.exec_driver_sql(said, values)


@lru_cache(maxsize=256)
def _compiled(statement: Any, dialect: sa.Dialect, names: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    """An insert as SQLite's driver takes it, and the order of its values."""
    compiled = statement.compile(dialect=dialect, column_keys=list(names))
    return str(compiled), tuple(compiled.positiontup)


def _kept_by(connection: sa.Connection, table: sa.Table, names: Sequence[str]) -> list[Any]:
    """How the database keeps a value of each column; None = as it is."""
    return [table.c[name].type.bind_processor(connection.dialect) for name in names]


def _values(row: Mapping[str, Any], names: Sequence[str], kept: Sequence[Any]) -> list[Any]:
    """What the driver is given of a row."""
    return [keep(row[name]) if keep else row[name] for name, keep in zip(names, kept, strict=True)]
