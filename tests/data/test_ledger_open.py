"""Making, opening and upgrading a ledger, and what people read when it cannot be opened."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from data.ledger.connection import Database
from data.ledger.ledger import Ledger
from data.ledger.schema import metadata
from data.ledger.types import (
    AlreadyRunningError,
    LedgerError,
    LedgerLockedError,
    LedgerMissingError,
    LedgerVersionError,
)
from tests.data.ledgers import accounts


def set_version(url: str, version: str) -> None:
    """Pretend that another program wrote the ledger."""
    with Database(url, timeout_seconds=5).writing() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = :v"), {"v": version})


def test_what_was_put_is_there_after_opening_again(ledger_url: str) -> None:
    """A ledger outlives the process that made it; creating it again changes nothing."""
    first = Ledger.create(ledger_url)
    first.put_accounts(accounts("a"))
    first.close()

    Ledger.create(ledger_url).close()

    assert Ledger.open(ledger_url).account_state("a").name == "Dr a"


def test_the_migrations_make_exactly_the_tables_of_the_schema(ledger_url: str) -> None:
    """The statements are written for the schema; a ledger that differs from it fails at the worst moment."""
    Ledger.create(ledger_url).close()

    with Database(ledger_url, timeout_seconds=5).reading() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), metadata)

    assert differences == []


def test_many_processes_may_make_the_ledger_at_once(ledger_url: str) -> None:
    """Workers of a service start together; none of them may fail because another was first."""
    with ThreadPoolExecutor(6) as pool:
        ledgers = list(pool.map(lambda _: Ledger.create(ledger_url), range(6)))

    assert [ledger.versions() for ledger in ledgers] == [{}] * 6
    for ledger in ledgers:
        ledger.close()


def test_opening_without_a_ledger_says_how_to_make_one(tmp_path: Path) -> None:
    """And it must not leave an empty file behind that looks like one."""
    path = tmp_path / "ledger.sqlite"

    with pytest.raises(LedgerMissingError, match=r"no ledger at .*ledger\.sqlite; `nextbest ingest FOLDER`"):
        Ledger.open(f"sqlite:///{path}")

    assert not path.exists()


@pytest.mark.postgres
def test_opening_an_empty_database_says_how_to_fill_it(postgres_url: str) -> None:
    """An operator makes the database first, nextbest the tables."""
    with pytest.raises(LedgerMissingError, match=r"is empty; `nextbest ingest FOLDER` makes the ledger"):
        Ledger.open(postgres_url)


@pytest.mark.postgres
def test_a_database_that_does_not_exist_is_named(postgres_url: str) -> None:
    """The most common mistake in an address is the last part of it."""
    wrong = sa.make_url(postgres_url).set(database="nowhere").render_as_string(hide_password=False)

    for opened in (Ledger.open, Ledger.create):
        with pytest.raises(LedgerMissingError, match=r'cannot be reached: .*"nowhere" does not exist'):
            opened(wrong)


def test_a_password_is_never_repeated() -> None:
    """Errors end in logs."""
    with pytest.raises(LedgerError) as error:
        Ledger.open("postgresql://me:verysecret@127.0.0.1:1/x", timeout_seconds=2)

    assert "verysecret" not in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("url", ["ledger", "sqlite://", "mysql://me@host/db", "sqlite:///:memory:"])
def test_an_address_that_is_none_says_what_one_looks_like(url: str) -> None:
    """Settings are typed by people."""
    with pytest.raises(LedgerError, match="write sqlite:///FILE or postgresql://USER@HOST/DATABASE"):
        Ledger.open(url)


def test_a_file_that_is_no_ledger_is_left_as_it_is(tmp_path: Path) -> None:
    """A wrong path must not cost somebody a file."""
    path = tmp_path / "letter.txt"
    path.write_bytes(b"Dear colleague, " * 100)

    for opened in (Ledger.open, Ledger.create):
        with pytest.raises(LedgerError, match="is not a ledger"):
            opened(f"sqlite:///{path}")

    assert path.read_bytes() == b"Dear colleague, " * 100


@pytest.mark.parametrize("opened", [Ledger.open, Ledger.create])
def test_a_ledger_of_a_newer_version_is_left_alone(ledger_url: str, opened) -> None:
    """An old program would write what a newer one cannot read."""
    Ledger.create(ledger_url).close()
    set_version(ledger_url, "9999")

    with pytest.raises(LedgerVersionError, match=r"written by a newer nextbest .*9999.* update nextbest"):
        opened(ledger_url)


def test_an_older_ledger_asks_for_migration(ledger_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Upgrading is the operator's decision, not a side effect of starting a service."""
    Ledger.create(ledger_url).close()
    monkeypatch.setattr("alembic.script.ScriptDirectory.get_current_head", lambda self: "9999")

    with pytest.raises(LedgerVersionError, match=r"has version \w+, .* needs 9999: run `nextbest migrate`"):
        Ledger.open(ledger_url)


def test_a_locked_file_is_reported_after_the_time_allowed(tmp_path: Path) -> None:
    """A forgotten backup or shell that holds the file must not hang the service."""
    url = f"sqlite:///{tmp_path / 'ledger.sqlite'}"
    Ledger.create(url).close()
    other = sqlite3.connect(tmp_path / "ledger.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    ledger = Ledger.open(url, timeout_seconds=0.1)

    with pytest.raises(LedgerLockedError, match=r"has been locked for more than 0\.1 s; try again"):
        ledger.put_accounts(accounts("a"))

    assert ledger.versions() == {}
    other.execute("ROLLBACK")
    ledger.put_accounts(accounts("a"))
    assert list(ledger.versions()) == ["a"]


@pytest.mark.postgres
def test_a_locked_row_is_reported_after_the_time_allowed(postgres_url: str) -> None:
    """The same on PostgreSQL: somebody's open transaction holds an account."""
    ledger = Ledger.create(postgres_url, timeout_seconds=0.1)
    ledger.put_accounts(accounts("a"))
    with Database(postgres_url, timeout_seconds=5).writing() as other:
        other.execute(sa.text("SELECT 1 FROM accounts FOR UPDATE"))

        with pytest.raises(LedgerLockedError, match=r"has been locked for more than 0\.1 s; try again"):
            ledger.put_accounts(accounts("a"))


def test_only_one_holds_a_named_lock(ledger_url: str) -> None:
    """Two nights at once would publish two lists."""
    first, second = Ledger.create(ledger_url), Ledger.open(ledger_url)

    with first.exclusive("nightly"), second.exclusive("other"):
        with (
            pytest.raises(AlreadyRunningError, match="Another 'nightly' is running"),
            second.exclusive("nightly"),
        ):
            pass
        with pytest.raises(AlreadyRunningError), first.exclusive("nightly"):
            pass

    with second.exclusive("nightly"):
        pass


def test_a_named_lock_is_free_after_an_error(ledger_url: str) -> None:
    """A night that fails must not block the next."""
    ledger = Ledger.create(ledger_url)

    with pytest.raises(RuntimeError, match="failed"), ledger.exclusive("nightly"):
        raise RuntimeError("failed")

    with ledger.exclusive("nightly"):
        pass


def test_who_expects_to_write_much_holds_more_and_writes_back_more_rarely(tmp_path: Path) -> None:
    """In a ledger of gigabytes a night would else copy the same pages again and again."""
    url = f"sqlite:///{tmp_path / 'ledger.sqlite'}"
    Ledger.create(url).close()
    database = Database(url, timeout_seconds=5)

    database.expect_much()

    with database.writing() as connection:
        held, logged, safe = (
            connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("cache_size", "wal_autocheckpoint", "synchronous")
        )
    database.close()
    assert (held, logged, safe) == (-65_536, 16_384, 2)
