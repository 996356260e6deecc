"""Who saw and did what: ids and route templates, only ever appended to, and forgotten once they are old (the
database refuses all else)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from data.ledger import schema as t
from data.ledger.access_schema import audit, audit_kept
from data.ledger.connection import Database
from data.ledger.statements import CHUNK, columns, insert_many, upsert


@dataclass(frozen=True)
class Seen:
    """A request of somebody who had signed in.

    Attributes:
        at: When it was answered, microseconds UTC.
        key_id: With which key; None = in person.
        what: Method and template of the route.
        status: How it was answered.
        account_id: Of the path.
        subject: Suggestion, hand-over, touchpoint or release of the path.
    """

    at: int
    user_id: str
    key_id: str | None
    what: str
    status: int
    account_id: str | None = None
    subject: str | None = None


class AuditLog:
    """The log; each method one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def append(self, rows: Sequence[Seen]) -> None:
        """Add to it."""
        with self._database.writing() as connection:
            insert_many(connection, audit, [vars(row) for row in rows])

    def forget(self, *, before: int) -> int:
        """Delete what is older than that moment; how many entries."""
        own = audit.c
        old = sa.select(own.seq).where(own.at < before).order_by(own.seq).limit(CHUNK)
        forgotten = 0
        while True:
            with self._database.writing() as connection:
                upsert(connection, audit_kept, [{"only": 1, "since": before}], update=("since",))
                some = connection.execute(sa.delete(audit).where(own.seq.in_(old))).rowcount
            forgotten += some
            if some < CHUNK:
                return forgotten

    def find(
        self, *, user_id: str | None = None, account_id: str | None = None, since: int = 0
    ) -> list[Seen]:
        """What a user did, or what was done and seen of an account and its suggestions and hand-overs, the
        oldest first; both None = everything."""
        own = audit.c
        query = sa.select(*columns(audit, *Seen.__dataclass_fields__)).where(own.at >= since)
        if user_id is not None:
            query = query.where(own.user_id == user_id)
        if account_id is not None:
            about = [
                sa.select(key).where(table.c.account_id == account_id)
                for table, key in (
                    (t.suggestions, t.suggestions.c.suggestion_id),
                    (t.hand_overs, t.hand_overs.c.hand_over_id),
                )
            ]
            query = query.where(
                sa.or_(own.account_id == account_id, *(own.subject.in_(one) for one in about))
            )
        with self._database.reading() as connection:
            return [Seen(*row) for row in connection.execute(query.order_by(own.seq))]
