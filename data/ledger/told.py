"""What accounts told us: touchpoints with details (form answers, questions), found without reading blocks.

The details themselves are personal and stand apart; here is only when, how and about what they were.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from data.ledger import field_notes
from data.ledger import schema as t
from data.ledger.looks import Look, Reading
from data.ledger.statements import chunks, columns, these, upsert
from data.ledger.types import Told

_TOLD = ("touchpoint_id", "account_id", "occurred_at", "direction", "channel", "topic", "role")


def keep(connection: sa.Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Note touchpoints with details; a later version of one replaces it."""
    upsert(connection, t.told, [{name: row.get(name) for name in _TOLD} for row in rows], update=_TOLD[2:])


def forget(connection: sa.Connection, subject_key: str, noted: Mapping[str, int]) -> None:
    """Touchpoints lose the details that were noted when they took place at that time."""
    for touchpoint_id, occurred_at in sorted(noted.items()):
        this = sa.and_(t.told.c.touchpoint_id == touchpoint_id, t.told.c.occurred_at == occurred_at)
        if connection.execute(sa.delete(t.told).where(this)).rowcount:
            own = t.personal.c
            details = sa.and_(own.subject_key == subject_key, own.source == "touchpoints")
            connection.execute(sa.delete(t.personal).where(details, own.row_key == touchpoint_id))
            field_notes.forget(connection, [touchpoint_id])


def of_accounts(reading: Reading, account_ids: Sequence[str], *, after: int) -> list[Told]:
    """What these accounts told, and what colleagues noted of them, since a moment; the latest first."""
    return [
        Told(**dict(zip(_TOLD, said, strict=True)), details=content.get("details"))
        for chunk in chunks(account_ids)
        for *said, content in _OF_ACCOUNTS.rows(reading, these=list(chunk), after=after)
    ]


_DETAILS = sa.and_(
    t.personal.c.subject_key == t.accounts.c.subject_key,
    t.personal.c.source == "touchpoints",
    t.personal.c.row_key == t.told.c.touchpoint_id,
)
_OF_ACCOUNTS = Look(
    sa.select(*columns(t.told, *_TOLD), t.personal.c.content)
    .join(t.accounts, t.accounts.c.account_id == t.told.c.account_id)
    .join(t.personal, _DETAILS)
    .where(
        t.told.c.occurred_at > sa.bindparam("after", type_=sa.BigInteger),
        t.told.c.account_id.in_(these()),
    )
    .order_by(t.told.c.occurred_at.desc(), t.told.c.touchpoint_id)
)
