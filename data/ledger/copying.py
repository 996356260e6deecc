"""The whole ledger as files and back: one Parquet file per table, the same from SQLite and PostgreSQL.

What is read is one state of the database; what is loaded is there completely or not at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import sqlalchemy as sa

from data.ledger.connection import Database
from data.ledger.schema import metadata
from data.ledger.types import LedgerError
from data.ledger.upgrade import current_version, upgrade_to, use_write_ahead_log
from data.progress import Progress, quiet

_ROWS = 2_000
_NOT_KEPT = frozenset({"changes"})
"""News for open streams, in an order that belongs to one database: after a restore everybody reads anew."""
_TYPES: tuple[tuple[type[sa.types.TypeEngine[Any]], pa.DataType], ...] = (
    (sa.LargeBinary, pa.large_binary()),
    (sa.Boolean, pa.bool_()),
    (sa.Integer, pa.int64()),
    (sa.Float, pa.float64()),
)


class OccupiedLedgerError(LedgerError):
    """There is a ledger already; nothing was changed."""

    exit_code = 2


def dump(database: Database, folder: Path, *, progress: Progress = quiet) -> tuple[str, dict[str, int]]:
    """Write every table to `folder`/TABLE.parquet; its version and the rows by table.

    Readers and writers go on meanwhile; what they store is not in it.
    """
    rows: dict[str, int] = {}
    tables = [table for table in metadata.sorted_tables if table.name not in _NOT_KEPT]
    with database.reading() as connection:
        version = current_version(connection)
        streamed = connection.execution_options(stream_results=True, yield_per=_ROWS)
        for done, table in enumerate(tables):
            progress("ledger", done, len(tables))
            rows[table.name] = _write(streamed, table, folder / f"{table.name}.parquet")
    progress("ledger", len(tables), len(tables))
    return str(version), rows


def load(
    database: Database, folder: Path, *, version: str, last: Callable[[], None], progress: Progress = quiet
) -> None:
    """Make a ledger of what `dump` wrote, at its version, and bring it up to date.

    Args:
        version: Of the ledger that was written.
        last: Called before the transaction ends; what it raises leaves nothing behind.

    Raises:
        OccupiedLedgerError: There are tables already.
        LedgerError: The version is not known, or the database cannot be used.
    """
    made = _begin(database)
    try:
        with database.writing() as connection:
            if sa.inspect(connection).get_table_names():
                raise OccupiedLedgerError(
                    f"There is a ledger at {database} already; restore into an empty one."
                )
            upgrade_to(connection, version)
            _fill(connection, folder, progress)
            upgrade_to(connection, "head")
            last()
    except BaseException:
        if made is not None:
            database.close()
            for name in (made, Path(f"{made}-wal"), Path(f"{made}-shm")):
                name.unlink(missing_ok=True)
        raise


def _begin(database: Database) -> Path | None:
    """The SQLite file, if it is made now."""
    if not database.sqlite:
        database.require()
        return None
    path = Path(str(database.url.database))
    if path.exists():
        return None
    path.parent.mkdir(parents=True, exist_ok=True)
    use_write_ahead_log(database)
    return path


def _fill(connection: sa.Connection, folder: Path, progress: Progress) -> None:
    tables = sa.MetaData()
    tables.reflect(connection)
    ours = [table for table in tables.sorted_tables if (folder / f"{table.name}.parquet").exists()]
    for table in reversed(ours):
        connection.execute(sa.delete(table))
    for done, table in enumerate(ours):
        progress("ledger", done, len(ours))
        for rows in _read(folder / f"{table.name}.parquet"):
            connection.execute(sa.insert(table), rows)
        _count_on(connection, table)
    progress("ledger", len(ours), len(ours))


def _count_on(connection: sa.Connection, table: sa.Table) -> None:
    """Numbers go on behind those that are taken (SQLite sees to it itself)."""
    if connection.dialect.name != "postgresql":
        return
    for column in table.columns:
        if "nextval" in str(getattr(column.server_default, "arg", "")):
            sequence = sa.func.pg_get_serial_sequence(table.name, column.name)
            highest = connection.scalar(sa.select(sa.func.max(column)))
            if highest is not None:
                connection.execute(sa.select(sa.func.setval(sequence, highest)))


def _write(connection: sa.Connection, table: sa.Table, path: Path) -> int:
    schema = pa.schema([(column.name, _type(column)) for column in table.columns])
    # JSON stays the text that it is.
    texts = [
        sa.type_coerce(column, sa.Text).label(column.name) if _type(column) == pa.string() else column
        for column in table.columns
    ]
    written = 0
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for rows in connection.execute(sa.select(*texts)).partitions(_ROWS):
            columns = zip(*(tuple(row) for row in rows), strict=True)
            arrays = [
                pa.array(list(values), kind) for values, kind in zip(columns, schema.types, strict=True)
            ]
            writer.write_batch(pa.record_batch(arrays, schema=schema))
            written += len(rows)
    return written


def _type(column: sa.Column[Any]) -> pa.DataType:
    return next((kind for of, kind in _TYPES if isinstance(column.type, of)), pa.string())


def _read(path: Path) -> Iterator[list[dict[str, Any]]]:
    for batch in pq.ParquetFile(path).iter_batches(batch_size=_ROWS):
        yield batch.to_pylist()
