"""What changed on people's lists, in an order in which nothing is ever inserted behind what was read.

Each change is written in the transaction that makes it. On PostgreSQL a number that is drawn earlier may be
committed later, so what is read ends before the oldest transaction that is still under way: the order is
(transaction, number). On SQLite writers take turns and the number alone is the order.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, Literal, NamedTuple

import sqlalchemy as sa

from data.ledger import schema as t
from data.ledger.connection import Database
from data.ledger.statements import chunks, columns, these

Kind = Literal["posted", "changed", "gone", "hand_over", "lists"]
KEPT_MICROS = 3 * 86_400_000_000
"""How long changes are kept: who was away for longer reads the lists anew."""
_LAST = 2**62


class Position(NamedTuple):
    """A place in the order: what comes after it has not been read."""

    tx: int
    seq: int


class Change(NamedTuple):
    """Something that changed.

    Attributes:
        at: Microseconds UTC.
        kind: A suggestion was posted, says something else or is in another state, or is gone; a hand-over
            was made or answered; or "lists": a night's lists are on show, or contacts were stopped.
        subject: Id of the suggestion or hand-over; of the run for "lists".
        role: For which it is.
        trigger: What the decision followed that posted it; None = nothing that just happened.
    """

    position: Position
    at: int
    kind: Kind
    subject: str
    account_id: str | None
    role: str | None
    trigger: str | None


def note_suggestions(
    connection: sa.Connection,
    suggestion_ids: Sequence[str],
    kind: Kind,
    *,
    now: int,
    trigger: str | None = None,
) -> None:
    """Note that these suggestions have changed."""
    for chunk in chunks(sorted(suggestion_ids)):
        said = {"now": now, "of_kind": kind, "by": trigger, "these": chunk}
        connection.execute(_note_of_suggestions(connection.dialect.name), said)


@cache
def _note_of_suggestions(dialect: str) -> sa.Insert:
    """Built once: putting it together takes as long as running it."""
    own = t.suggestions.c
    rows = sa.select(
        _own_transaction(dialect), sa.bindparam("now", type_=sa.BigInteger),
        sa.bindparam("of_kind", type_=sa.Text), own.suggestion_id, own.account_id, own.role,
        sa.bindparam("by", type_=sa.Text),
    )  # fmt: skip
    ordered = rows.where(own.suggestion_id.in_(these())).order_by(own.suggestion_id)
    return sa.insert(t.changes).from_select(_COLUMNS, ordered)


def note_hand_over(connection: sa.Connection, hand_over: str, *, now: int) -> None:
    """Note that a hand-over was made, answered or escalated."""
    own = t.hand_overs.c
    rows = sa.select(*_values(connection, "hand_over", now), own.hand_over_id, own.account_id, own.to_role,
                     sa.null())  # fmt: skip
    connection.execute(sa.insert(t.changes).from_select(_COLUMNS, rows.where(own.hand_over_id == hand_over)))


def note_lists(connection: sa.Connection, subject: str, *, now: int) -> None:
    """Note that everybody's lists may have changed, and forget what is old."""
    values = sa.select(
        *_values(connection, "lists", now), sa.literal(subject), sa.null(), sa.null(), sa.null()
    )
    connection.execute(sa.insert(t.changes).from_select(_COLUMNS, values))
    connection.execute(sa.delete(t.changes).where(t.changes.c.at < now - KEPT_MICROS))


_COLUMNS = ["tx", "at", "kind", "subject", "account_id", "role", "trigger"]


def _values(connection: sa.Connection, kind: Kind, now: int) -> list[sa.ColumnElement[Any]]:
    return [
        _own_transaction(connection.dialect.name),
        sa.literal(now, sa.BigInteger),
        sa.literal(kind, sa.Text),
    ]


def _own_transaction(dialect: str) -> sa.ColumnElement[int]:
    if dialect == "postgresql":
        return sa.literal_column("pg_current_xact_id()::text::bigint", sa.BigInteger)
    return sa.literal_column("0", sa.BigInteger)


class Changes:
    """What can be read of them; each method one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def end(self) -> Position:
        """After everything that could be read now."""
        with self._database.reading() as connection:
            if connection.dialect.name == "postgresql":
                return Position(self._oldest_under_way(connection) - 1, _LAST)
            return Position(0, connection.scalar(sa.select(sa.func.max(t.changes.c.seq))) or 0)

    def after(self, position: Position, *, limit: int = 500) -> list[Change]:
        """What came after a position, in order."""
        own = t.changes.c
        later = sa.or_(own.tx > position.tx, sa.and_(own.tx == position.tx, own.seq > position.seq))
        query = sa.select(*columns(t.changes, "tx", "seq", "at", "kind", "subject", "account_id", "role",
                                   "trigger")).where(later)  # fmt: skip
        with self._database.reading() as connection:
            if connection.dialect.name == "postgresql":
                query = query.where(own.tx < self._oldest_under_way(connection))
            rows = connection.execute(query.order_by(own.tx, own.seq).limit(limit)).all()
        return [Change(Position(row[0], row[1]), *row[2:]) for row in rows]

    @staticmethod
    def _oldest_under_way(connection: sa.Connection) -> int:
        xmin = sa.literal_column("pg_snapshot_xmin(pg_current_snapshot())::text::bigint", sa.BigInteger)
        return int(connection.execute(sa.select(xmin)).scalar_one())
