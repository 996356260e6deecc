"""What people dismissed and why: counted by treatment, and what of it asks for data to be put right."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from data.ledger import schema as t
from data.ledger.facts import HAS_NAME, name_of
from data.ledger.statements import columns, named
from data.ledger.types import DismissalCount, Dismissed, UnknownError

_KEPT = (
    "suggestion_id", "account_id", "treatment", "role", "user_id", "reason", "dismissed_at", "correction",
    "settled_by", "settled_at",
)  # fmt: skip


def keep(connection: sa.Connection, dismissed: Dismissed) -> None:
    """Note one; a suggestion is dismissed once."""
    connection.execute(sa.insert(t.dismissals).values(**{name: getattr(dismissed, name) for name in _KEPT}))


def counts(connection: sa.Connection, *, after: int) -> list[DismissalCount]:
    """How often each treatment was dismissed for each reason after a moment, the most frequent first."""
    own = t.dismissals.c
    times, accounts, latest = (
        sa.func.count().label("times"),
        sa.func.count(own.account_id.distinct()).label("accounts"),
        sa.func.max(own.dismissed_at).label("latest"),
    )
    query = (
        sa.select(own.treatment, own.role, own.reason, times, accounts, latest)
        .where(own.dismissed_at > after)
        .group_by(own.treatment, own.role, own.reason)
        .order_by(times.desc(), own.treatment, own.reason)
    )
    return [DismissalCount(**named(row)) for row in connection.execute(query)]


def accounts_of(connection: sa.Connection, treatment: str, reason: str, *, after: int) -> int:
    """For how many accounts a treatment was dismissed for that reason after a moment."""
    own = t.dismissals.c
    query = sa.select(sa.func.count(own.account_id.distinct())).where(
        own.treatment == treatment, own.reason == reason, own.dismissed_at > after
    )
    return int(connection.scalar(query) or 0)


def corrections(connection: sa.Connection) -> list[Dismissed]:
    """What asks for data to be put right and waits, the oldest first."""
    waiting = _query().where(t.dismissals.c.correction, t.dismissals.c.settled_at.is_(None))
    return [_dismissed(row) for row in connection.execute(waiting)]


def correction(connection: sa.Connection, suggestion_id: str) -> Dismissed | None:
    """What was asked to be put right with a suggestion, settled or not."""
    this = sa.and_(t.dismissals.c.suggestion_id == suggestion_id, t.dismissals.c.correction)
    row = connection.execute(_query().where(this)).one_or_none()
    return None if row is None else _dismissed(row)


def settle(connection: sa.Connection, suggestion_id: str, *, by: str, now: int) -> Dismissed:
    """The data was put right; twice: the second changes nothing. Raises UnknownError."""
    this = sa.and_(t.dismissals.c.suggestion_id == suggestion_id, t.dismissals.c.correction)
    connection.execute(
        sa.update(t.dismissals)
        .where(this, t.dismissals.c.settled_at.is_(None))
        .values(settled_by=by, settled_at=now)
    )
    settled = correction(connection, suggestion_id)
    if settled is None:
        raise UnknownError(f"No correction was asked for with suggestion {suggestion_id!r}.")
    return settled


def _query() -> sa.Select[Any]:
    return (
        sa.select(*columns(t.dismissals, *_KEPT), t.personal.c.content.label("account_name"))
        .join(t.accounts, t.accounts.c.account_id == t.dismissals.c.account_id)
        .outerjoin(t.personal, HAS_NAME)
        .order_by(t.dismissals.c.dismissed_at, t.dismissals.c.suggestion_id)
    )


def _dismissed(row: sa.Row[Any]) -> Dismissed:
    values = named(row)
    return Dismissed(**(values | {"account_name": name_of(values["account_name"])}))
