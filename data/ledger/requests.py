"""Requests that must not act twice: who sent one under which key, what it was, and what was answered.

What an answer says of an account (its name, notes) is personal and stands under the account's subject key.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from data.ledger import schema as t
from data.ledger.statements import upsert
from data.ledger.types import ConflictError
from engine.records import DAY_MICROS

KEPT_DAYS = 30.0
"""How long a key is known; a tablet that was away for longer gets what the verbs themselves say."""
PATIENCE_MICROS = 60_000_000
"""A request that has been under way for longer was cut off: the next one under its key goes ahead."""
_SOURCE = "requests"


@dataclass(frozen=True)
class Replied:
    """What was answered the first time. `body` None = what it said of an account has been erased."""

    status: int
    body: Any


def begin(
    connection: sa.Connection, user_id: str, key: str, *, content_hash: str, now: int
) -> Replied | None:
    """Take the key, or find what was answered under it; None = go ahead.

    Raises ConflictError: the key was used for something else, or the first request is still under way.
    """
    _forget(connection, user_id, before=now - round(KEPT_DAYS * DAY_MICROS))
    row = {"user_id": user_id, "request_key": key, "content_hash": content_hash, "asked_at": now}
    this = _this(user_id, key)
    if _insert(connection, row):
        return None
    before = connection.execute(sa.select(t.requests).where(this).with_for_update()).one()
    if before.content_hash != content_hash:
        raise ConflictError(f"The key {key!r} was used for another request; every request needs its own.")
    if before.status is not None:
        return Replied(before.status, _said(connection, before, key))
    if now - before.asked_at < PATIENCE_MICROS:
        raise ConflictError("The same request is still under way; ask again in a moment.")
    connection.execute(sa.update(t.requests).where(this).values(asked_at=now))
    return None


def finish(connection: sa.Connection, user_id: str, key: str, *, status: int, body: Any) -> None:
    """Keep what was answered."""
    account_id = body.get("account_id") if isinstance(body, dict) else None
    subject = None if account_id is None else connection.scalar(
        sa.select(t.accounts.c.subject_key).where(t.accounts.c.account_id == account_id)
    )  # fmt: skip
    changes = {"status": status, "subject_key": subject, "body": body if subject is None else None}
    connection.execute(sa.update(t.requests).where(_this(user_id, key)).values(**changes))
    if subject is not None:
        row = {"subject_key": subject, "source": _SOURCE, "row_key": _row_key(user_id, key)}
        upsert(connection, t.personal, [{**row, "content": {"body": body}}], update=("content",))


def give_up(connection: sa.Connection, user_id: str, key: str) -> None:
    """It was refused or failed: the key is free again."""
    connection.execute(sa.delete(t.requests).where(_this(user_id, key), t.requests.c.status.is_(None)))


def _insert(connection: sa.Connection, row: dict[str, Any]) -> bool:
    """Whether the key was free; of two who take it at once one finds it taken."""
    insert: Any = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    statement = insert(t.requests).values(**row).on_conflict_do_nothing()
    return connection.execute(statement.returning(t.requests.c.request_key)).one_or_none() is not None


def _this(user_id: str, key: str) -> sa.ColumnElement[bool]:
    return sa.and_(t.requests.c.user_id == user_id, t.requests.c.request_key == key)


def _row_key(user_id: str, key: str) -> str:
    return t.dumps([user_id, key])


def _said(connection: sa.Connection, kept: sa.Row[Any], key: str) -> Any:
    if kept.subject_key is None:
        return kept.body
    own = t.personal.c
    query = sa.select(own.content).where(
        own.subject_key == kept.subject_key,
        own.source == _SOURCE,
        own.row_key == _row_key(kept.user_id, key),
    )
    found = connection.scalar(query)
    return None if found is None else found["body"]


def _forget(connection: sa.Connection, user_id: str, *, before: int) -> None:
    own = t.requests.c
    old = sa.and_(own.user_id == user_id, own.asked_at < before)
    keys = list(connection.execute(sa.select(own.request_key, own.subject_key).where(old)))
    if not keys:
        return
    for row in keys:
        this = sa.and_(t.personal.c.subject_key == row.subject_key, t.personal.c.source == _SOURCE)
        connection.execute(
            sa.delete(t.personal).where(this, t.personal.c.row_key == _row_key(user_id, row.request_key))
        )
    connection.execute(sa.delete(t.requests).where(old))
