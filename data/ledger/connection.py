"""How the database is opened: SQLite in WAL mode or PostgreSQL, one transaction per question, clear errors.

SQLite: a writing transaction begins with BEGIN IMMEDIATE, so writers queue instead of failing when they find
out late that somebody else wrote. PostgreSQL: reading transactions are REPEATABLE READ, so several statements
see one state.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from math import ceil
from pathlib import Path
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy import event, exc
from sqlalchemy.engine import URL

from data.ledger.looks import Reading
from data.ledger.types import AlreadyRunningError, LedgerError, LedgerLockedError, LedgerMissingError

_POOL = 8
_MUCH_HELD_KIB, _MUCH_LOGGED_PAGES = 64 * 1024, 16_384
"""SQLite's cache, and what its log holds before it is written back, of a process that writes much."""
_BUSY_STATES = frozenset({"55P03", "40P01"})
"""PostgreSQL: lock not available within lock_timeout, deadlock detected."""
_NOT_ALLOWED = "42501"
"""PostgreSQL: insufficient privilege."""


def parse_url(url: str) -> URL:
    """An address of a ledger with its driver. Raises LedgerError; never repeats a password."""
    wanted = "write sqlite:///FILE or postgresql://USER@HOST/DATABASE"
    try:
        parsed = sa.make_url(url)
    except exc.ArgumentError:
        raise LedgerError(f"The ledger's URL cannot be read: {wanted}.") from None
    backend = parsed.drivername.partition("+")[0]
    if backend == "sqlite" and parsed.database not in (None, "", ":memory:"):
        return parsed.set(drivername="sqlite+pysqlite")
    if backend in ("postgresql", "postgres"):
        return parsed.set(drivername="postgresql+psycopg")
    raise LedgerError(f"The ledger cannot be kept at {shown_url(parsed)!r}: {wanted}.")


def shown_url(url: URL) -> str:
    """The address for people: a file for SQLite; no password, no driver."""
    if url.drivername.startswith("sqlite"):
        return str(url.database or url)
    return url.set(drivername="postgresql").render_as_string(hide_password=True)


class Database:
    """An engine that knows reading from writing; shared by threads.

    Attributes:
        url: Normalised.
        engine: SQLAlchemy's.
        sqlite: Whether it is SQLite: reading takes microseconds there, and waits for nobody.
    """

    def __init__(self, url: str, *, timeout_seconds: float, marker_key: Path | None = None) -> None:
        self.url = parse_url(url)
        self.timeout_seconds = timeout_seconds
        self.sqlite = self.url.drivername.startswith("sqlite")
        # Where the key of the markers of erased persons is: read where they are.
        if self.sqlite:
            self.engine = _sqlite(self.url, timeout_seconds)
            # Connections of its own: who reads never waits, and not for those who wait to write either.
            reader = _sqlite(self.url, timeout_seconds)
            self._reader = reader.execution_options(marker_key=marker_key)
        else:
            self.engine = _postgres(self.url, timeout_seconds)
            self._reader = self.engine.execution_options(
                isolation_level="REPEATABLE READ", postgresql_readonly=True, marker_key=marker_key
            )
        self._writer = self.engine.execution_options(immediate=True, marker_key=marker_key)
        self._lookers: list[sqlite3.Connection] = []

    def __str__(self) -> str:
        return shown_url(self.url)

    def close(self) -> None:
        """Give all connections back."""
        self._reader.dispose()
        self.engine.dispose()
        while self._lookers:
            self._lookers.pop().close()

    def reading(self) -> AbstractContextManager[sa.Connection]:
        """One consistent state, for as many statements as are needed."""
        return self._transaction(self._reader)

    def writing(self) -> AbstractContextManager[sa.Connection]:
        """All or nothing."""
        return self._transaction(self._writer)

    def looking(self) -> AbstractContextManager[Reading]:
        """The same, for looks alone."""
        return self._looking() if self.sqlite else self.reading()

    @contextmanager
    def _looking(self) -> Iterator[Reading]:
        """SQLite's driver itself, on a connection that nobody else has meanwhile."""
        try:
            connection = self._looker()
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                connection.execute("COMMIT")
                self._lookers.append(connection)
        except sqlite3.Error as error:
            raise self._explained(_as_sqlalchemy_says(error)) from None

    def _looker(self) -> sqlite3.Connection:
        """The one that was given back last, or a new one."""
        with suppress(IndexError):
            return self._lookers.pop()
        opened = self._reader.raw_connection()
        connection: Any = opened.driver_connection
        opened.detach()
        connection.execute("PRAGMA query_only = ON")
        return cast("sqlite3.Connection", connection)

    @contextmanager
    def _transaction(self, engine: sa.Engine) -> Iterator[sa.Connection]:
        try:
            with engine.begin() as connection:
                yield connection
        except exc.TimeoutError:
            raise self._locked() from None
        except exc.IntegrityError:
            raise
        except (exc.DatabaseError, exc.InterfaceError) as error:
            raise self._explained(error) from None
        except sqlite3.Error as error:  # of a look
            raise self._explained(_as_sqlalchemy_says(error)) from None

    def _explained(self, error: exc.DBAPIError) -> Exception:
        """The driver's complaint as one line, or the error itself when it is a fault of this program."""
        cause = error.orig
        name = getattr(cause, "sqlite_errorname", "") or ""
        if (
            name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED"))
            or getattr(cause, "sqlstate", "") in _BUSY_STATES
        ):
            return self._locked()
        if name == "SQLITE_NOTADB":
            return LedgerError(
                f"{self} is not a ledger: it is not an SQLite file. Check NEXTBEST_LEDGER_URL."
            )
        if getattr(cause, "sqlstate", "") == _NOT_ALLOWED:
            return LedgerError(
                f"The database role of {self} may not do this: {str(cause).strip().partition(chr(10))[0]}. "
                "Tables are changed by `nextbest migrate` with NEXTBEST_LEDGER_MIGRATION_URL."
            )
        if error.connection_invalidated:
            return LedgerError(f"The connection to the ledger at {self} was lost; try again.")
        if isinstance(error, exc.OperationalError) and not name.startswith("SQLITE_ERROR"):
            first = str(cause).strip().partition("\n")[0]
            return LedgerError(f"The ledger at {self} cannot be used: {first}.")
        return error

    def _locked(self) -> LedgerLockedError:
        return LedgerLockedError(
            f"The ledger at {self} has been locked for more than {self.timeout_seconds:g} s; try again, or "
            "see which other process holds it."
        )

    def expect_much(self) -> None:
        """Write much from now on: more of the file is held, and written back more rarely.

        For one process at a time; what is committed is as safe as before.
        """
        if self.sqlite:
            event.listen(self.engine, "connect", _for_much)
            self.engine.dispose()

    def require(self) -> None:
        """Raises LedgerMissingError when there is nothing to connect to."""
        missing = f"There is no ledger at {self}; `nextbest ingest FOLDER` makes one."
        if self.sqlite:
            if not Path(str(self.url.database)).is_file():
                raise LedgerMissingError(missing)
            return
        try:
            self.engine.connect().close()
        except exc.OperationalError as error:
            reason = str(error.orig).strip().splitlines()[-1].strip()
            raise LedgerMissingError(f"The ledger at {self} cannot be reached: {reason}.") from None

    # -- one at a time -----------------------------------------------------------------------------
    def exclusive(self, name: str) -> AbstractContextManager[None]:
        """A named lock that goes with the process, however it ends. Raises AlreadyRunningError."""
        return self._file_lock(name) if self.sqlite else self._advisory_lock(name)

    @contextmanager
    def _file_lock(self, name: str) -> Iterator[None]:
        path = f"{self.url.database}.{name}.lock"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise _already_running(name, str(self)) from None
            yield
        finally:
            os.close(descriptor)

    @contextmanager
    def _advisory_lock(self, name: str) -> Iterator[None]:
        key = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), signed=True)
        with self.engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
            if not connection.scalar(sa.select(sa.func.pg_try_advisory_lock(key))):
                raise _already_running(name, str(self))
            try:
                yield
            finally:
                connection.execute(sa.select(sa.func.pg_advisory_unlock(key)))


def _as_sqlalchemy_says(error: sqlite3.Error) -> exc.DBAPIError:
    said = exc.DBAPIError.instance(None, None, error, sqlite3.Error, hide_parameters=True)
    return cast("exc.DBAPIError", said)


def _already_running(name: str, where: str) -> AlreadyRunningError:
    return AlreadyRunningError(
        f"Another {name!r} is running on the ledger at {where}; wait until it has ended."
    )


def _sqlite(url: URL, timeout_seconds: float) -> sa.Engine:
    engine = sa.create_engine(
        url,
        pool_size=_POOL,
        max_overflow=_POOL,
        pool_timeout=max(30.0, timeout_seconds),
        connect_args={"timeout": timeout_seconds},
        hide_parameters=True,  # an error's text may be logged, and parameters may be personal
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # transactions begin and end by our statements alone
        connection.execute("PRAGMA foreign_keys = ON")

    @event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        if connection.get_execution_options().get("immediate", False):
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        else:  # takes no lock and cannot fail, so that nothing has to be explained
            connection.connection.cursor().execute("BEGIN")

    return engine


def _for_much(connection: Any, _record: Any) -> None:
    connection.execute(f"PRAGMA cache_size = -{_MUCH_HELD_KIB}")
    connection.execute(f"PRAGMA wal_autocheckpoint = {_MUCH_LOGGED_PAGES}")


def _postgres(url: URL, timeout_seconds: float) -> sa.Engine:
    try:
        engine = sa.create_engine(
            url,
            pool_size=_POOL,
            max_overflow=_POOL,
            pool_timeout=max(30.0, timeout_seconds),
            pool_pre_ping=True,
            hide_parameters=True,
            connect_args={"connect_timeout": max(2, ceil(timeout_seconds))},
        )
    except ModuleNotFoundError:
        raise LedgerError(
            "A ledger on PostgreSQL needs psycopg: install nextbest with its extra 'postgres'."
        ) from None

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT set_config('lock_timeout', %s, false)", (f"{round(timeout_seconds * 1000)}ms",)
            )
        connection.commit()

    return engine
