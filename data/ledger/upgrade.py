"""Which version a ledger has, and bringing it up to date (Alembic, from the files of the package)."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from data.ledger.connection import Database
from data.ledger.types import LedgerMissingError, LedgerVersionError

MIGRATIONS = Path(__file__).parents[1] / "migrations"
_UPGRADE_LOCK = 7_301_962_214
"""PostgreSQL advisory lock: two processes that make the same ledger at once take turns."""


def upgrade(database: Database) -> None:
    """Make the tables or bring them up to date; a ledger of a newer version is left alone.

    Raises:
        LedgerVersionError: It was written by a newer nextbest.
        LedgerMissingError: PostgreSQL has no such database, or is not there.
    """
    if not database.sqlite:
        database.require()
    else:
        Path(str(database.url.database)).parent.mkdir(parents=True, exist_ok=True)
        with database.reading() as connection:
            _refuse_newer(database, current_version(connection), _script())
        use_write_ahead_log(database)
    with database.writing() as connection:
        if not database.sqlite:
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_UPGRADE_LOCK)))
        found = current_version(connection)
        script = _script()
        if found == script.get_current_head():
            return
        _refuse_newer(database, found, script)
        upgrade_to(connection, "head")


def upgrade_to(connection: sa.Connection, revision: str) -> None:
    """Bring the tables to a revision, in the caller's transaction. Raises LedgerVersionError: unknown."""
    known = {one.revision for one in _script().walk_revisions()} | {"head"}
    if revision not in known:
        raise LedgerVersionError(f"This nextbest does not know version {revision} of a ledger: update it.")
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def current_version(connection: sa.Connection) -> str | None:
    """The version of the tables; None = there are none."""
    return MigrationContext.configure(connection).get_current_revision()


def require_current(database: Database) -> None:
    """Raises LedgerMissingError or LedgerVersionError, saying what to do."""
    with database.reading() as connection:
        found = current_version(connection)
    script = _script()
    head = script.get_current_head()
    if found is None:
        raise LedgerMissingError(f"{database} is empty; `nextbest ingest FOLDER` makes the ledger.")
    _refuse_newer(database, found, script)
    if found != head:
        raise LedgerVersionError(
            f"The ledger at {database} has version {found}, this nextbest needs {head}: "
            "run `nextbest migrate`."
        )


def _refuse_newer(database: Database, found: str | None, script: ScriptDirectory) -> None:
    known = {revision.revision for revision in script.walk_revisions()}
    if found is not None and found not in known:
        raise LedgerVersionError(
            f"The ledger at {database} was written by a newer nextbest (version {found}, this one knows up "
            f"to {script.get_current_head()}): update nextbest."
        )


def _config() -> Config:
    config = Config()
    # ConfigParser reads % as the beginning of a reference.
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def _script() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())


def use_write_ahead_log(database: Database) -> None:
    """Readers and one writer do not wait for each other; the file remembers it."""
    raw = database.engine.raw_connection()
    try:
        raw.cursor().execute("PRAGMA journal_mode = WAL")
    finally:
        raw.close()
