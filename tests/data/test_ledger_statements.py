"""Many rows go in at once, by the way that suits the database, and are the rows that were given; looks find
what their selects find."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa

from data.ledger.connection import Database
from data.ledger.looks import Look
from data.ledger.schema import Json
from data.ledger.statements import insert_many
from data.ledger.types import LedgerError

TABLE = sa.Table(
    "many",
    sa.MetaData(),
    sa.Column("id", sa.BigInteger, primary_key=True),
    sa.Column("said", sa.Text),
    sa.Column("content", Json),
    sa.Column("known", sa.Boolean),
    sa.Column("value", sa.Float),
)


@pytest.mark.parametrize("count", [0, 3, 2_345])
def test_many_rows_arrive_as_they_were_given(ledger_url: str, count: int) -> None:
    """A night's lists are copied in bulk; tabs, quotes, empty texts and what is missing must survive it."""
    texts = ['a\ttab\nand "quotes" \\ \\N', "", None, "سلام"]
    rows = [
        {"id": n, "said": texts[n % 4], "content": {"n": [n, "x"]} if n % 5 else None,
         "known": n % 2 == 0, "value": n / 3}
        for n in range(count)
    ]  # fmt: skip
    database = Database(ledger_url, timeout_seconds=5)
    try:
        with database.writing() as connection:
            TABLE.create(connection)
            insert_many(connection, TABLE, rows)
        with database.reading() as connection:
            found = [row._asdict() for row in connection.execute(sa.select(TABLE).order_by(TABLE.c.id))]
    finally:
        database.close()

    assert found == rows


def test_what_is_there_already_is_refused_and_nothing_is_kept(ledger_url: str) -> None:
    """A bulk insert is all or nothing like any other."""
    rows = [{"id": n % 99, "said": "x", "content": None, "known": True, "value": 0.0} for n in range(100)]
    database = Database(ledger_url, timeout_seconds=5)
    try:
        with database.writing() as connection:
            TABLE.create(connection)
        with pytest.raises(sa.exc.IntegrityError), database.writing() as connection:
            insert_many(connection, TABLE, rows)
        with database.reading() as connection:
            assert connection.scalar(sa.select(sa.func.count()).select_from(TABLE)) == 0
    finally:
        database.close()


@pytest.fixture
def filled(ledger_url: str) -> Iterator[Database]:
    """Rows 0 to 5 with a text, JSON, and yes or no."""
    database = Database(ledger_url, timeout_seconds=5)
    rows = [
        {"id": n, "said": f"t{n}", "content": {"n": [n]}, "known": n % 2 == 0, "value": n / 3}
        for n in range(6)
    ]
    if database.sqlite:  # as the ledger makes it
        sqlite3.connect(str(database.url.database)).execute("PRAGMA journal_mode = WAL")
    with database.writing() as connection:
        TABLE.create(connection)
        insert_many(connection, TABLE, rows)
    yield database
    database.close()


SAID = sa.bindparam("said", type_=sa.Text, expanding=True)
AFTER = sa.bindparam("after", type_=sa.BigInteger)
LOOK = Look(
    sa.select(TABLE.c.id, TABLE.c.content, TABLE.c.known)
    .where(TABLE.c.said.in_(SAID), TABLE.c.id > AFTER, TABLE.c.value.in_([0.0, 1.0, 4 / 3, 5 / 3]))
    .order_by(TABLE.c.id)
)


@pytest.mark.parametrize("count", [0, 1, 3, 4, 6])
def test_a_look_finds_what_its_select_finds(filled: Database, count: int) -> None:
    """SQLite's driver is asked without SQLAlchemy: what is JSON, what is yes or no, and lists of any length
    must come out as they do through it, and as they do inside a transaction that writes."""
    asked = [f"t{n}" for n in range(count)]

    with filled.looking() as reading:
        found = [tuple(row) for row in LOOK.rows(reading, said=asked, after=0)]
    with filled.writing() as connection:
        inside = [tuple(row) for row in LOOK.rows(connection, said=asked, after=0)]

    assert found == inside
    assert found == [(n, {"n": [n]}, n % 2 == 0) for n in (3, 4, 5) if n < count]


def test_all_looks_of_one_reading_see_one_state(filled: Database) -> None:
    """What is read together fits together, whoever writes in between; the next reading sees it."""
    with filled.looking() as reading:
        before = LOOK.rows(reading, said=["t3", "t4"], after=0)
        with filled.writing() as connection:
            connection.execute(sa.delete(TABLE).where(TABLE.c.id == 3))
        meanwhile = LOOK.rows(reading, said=["t3", "t4"], after=0)
    with filled.looking() as reading:
        after = LOOK.rows(reading, said=["t3", "t4"], after=0)

    assert meanwhile == before
    assert [row[0] for row in after] == [4]


def test_many_threads_look_at_once(filled: Database) -> None:
    """Each has a connection of its own meanwhile, and gives it back."""

    def look(n: int) -> int:
        with filled.looking() as reading:
            row = LOOK.row(reading, said=[f"t{n}"], after=0)
            return 0 if row is None else row[0]

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(look, [3, 4, 5] * 100))

    assert found == [3, 4, 5] * 100


def test_what_a_look_cannot_read_is_said_in_one_line(tmp_path: Path) -> None:
    """As from any other reading, and again the next time."""
    path = tmp_path / "ledger.sqlite"
    path.write_bytes(b"Dear colleague, " * 1000)
    database = Database(f"sqlite:///{path}", timeout_seconds=5)

    for _ in range(2):
        with pytest.raises(LedgerError, match="it is not an SQLite file"), database.looking() as reading:
            LOOK.rows(reading, said=["t3"], after=0)


def test_whoever_only_looks_cannot_write(tmp_path: Path) -> None:
    """A look on the way of a request must not change anything by mistake."""
    database = Database(f"sqlite:///{tmp_path / 'ledger.sqlite'}", timeout_seconds=5)

    with pytest.raises(LedgerError, match="readonly"), database.looking() as reading:
        reading.execute("CREATE TABLE x (y)")  # type: ignore[call-overload]


def test_what_a_look_gets_wrong_inside_a_transaction_is_said_as_by_sqlalchemy(ledger_url: str) -> None:
    """Callers of the ledger know its errors, and not those of a database's driver."""
    database = Database(ledger_url, timeout_seconds=5)
    try:
        with pytest.raises(sa.exc.DBAPIError), database.writing() as connection:
            LOOK.rows(connection, said=["t3"], after=0)  # nobody has made the table
    finally:
        database.close()
