"""Many rows go in at once, by the way that suits the database, and are the rows that were given."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from data.ledger.connection import Database
from data.ledger.schema import Json
from data.ledger.statements import insert_many

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
