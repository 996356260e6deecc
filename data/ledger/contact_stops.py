"""Contacts that people have stopped for everybody, and what that ends.

A stop names what it covers by the playbook of that day: `treatments` it does, `spared` it does not; one that
it has never heard of is covered by a stop of everything or of its channel. Whoever posts, stages or answers
joins (`join`), and whoever stops is alone (`begin`): no list slips in between.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from data.ledger import schema as t
from data.ledger import suggestions
from data.ledger.changes import note_lists
from data.ledger.looks import Look, Reading
from data.ledger.statements import columns
from data.ledger.types import LoggedDecision, Proposal, StopOrder, Suggestion, UnknownError

STOP_ORDER = 6_118_340_277
"""PostgreSQL advisory lock: shared by all who put a list in place, held alone by whoever stops contacts."""
_ORDER = (
    "level", "of", "reason", "stopped_by", "stopped_at", "treatments", "spared", "stop_id", "resumed_by",
    "resumed_at", "resume_reason",
)  # fmt: skip


def join(connection: sa.Connection) -> None:
    """Taken first in a transaction that puts lists or answers in place. (On SQLite writers queue anyway.)"""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock_shared(STOP_ORDER)))


def begin(connection: sa.Connection, order: StopOrder) -> tuple[StopOrder, int, list[Suggestion]]:
    """Stop contacts, unless the same is stopped already, and withdraw what lives of them.

    Returns:
        The order as it stands, how many suggestions it withdrew now, and those of them that were accepted.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(STOP_ORDER)))
    same = [one for one in standing(connection) if (one.level, one.of) == (order.level, order.of)]
    if not same:
        said = {name: getattr(order, name) for name in _ORDER[:5]}
        lists = {"treatments": list(order.treatments), "spared": list(order.spared)}
        connection.execute(sa.insert(t.contact_stops).values(**said, **lists))
        same = [one for one in standing(connection) if (one.level, one.of) == (order.level, order.of)]
    return (same[0], *_withdraw(connection, order, now=order.stopped_at))


def _withdraw(connection: sa.Connection, order: StopOrder, *, now: int) -> tuple[int, list[Suggestion]]:
    own = t.suggestions.c
    covered: sa.ColumnElement[bool] = own.treatment.in_(order.treatments)
    if order.level in ("all", "channel"):
        strange = own.treatment.not_in((*order.treatments, *order.spared))
        everywhere = order.level == "all"
        covered = covered | (strange if everywhere else strange & (own.channel == order.of))
    accepted = list(connection.scalars(sa.select(own.suggestion_id).where(covered, own.state == "accepted")))
    ended = connection.execute(
        sa.update(t.suggestions)
        .where(covered, own.state.in_(t.LIVE_STATES))
        .values(state="withdrawn", closed_at=now)
    )
    if ended.rowcount:
        note_lists(connection, f"stop:{order.level}:{order.of}", now=now)
    return ended.rowcount, [suggestions.find(connection, one) for one in accepted]


def end(connection: sa.Connection, stop_id: int, *, by: str, reason: str, now: int) -> StopOrder:
    """Allow them again; twice: the second changes nothing. Raises UnknownError."""
    this = t.contact_stops.c.stop_id == stop_id
    connection.execute(
        sa.update(t.contact_stops)
        .where(this, t.contact_stops.c.resumed_at.is_(None))
        .values(resumed_by=by, resumed_at=now, resume_reason=reason)
    )
    row = connection.execute(_query().where(this)).one_or_none()
    if row is None:
        raise UnknownError(f"There is no stop of contacts with the number {stop_id}.")
    return _order(row)


def standing(reading: Reading) -> list[StopOrder]:
    """What is stopped now, the oldest first."""
    return [_order(row) for row in _STANDING.rows(reading)]


def log(connection: sa.Connection) -> list[StopOrder]:
    """Every stop, the oldest first, those that are over too."""
    return [_order(row) for row in connection.execute(_query())]


def overtaken(
    connection: sa.Connection, lists: Iterable[tuple[LoggedDecision, Sequence[Proposal]]]
) -> set[str]:
    """Accounts that are proposed something that was stopped after they were decided."""
    orders = standing(connection)
    return {
        decision.account_id
        for decision, proposals in lists
        for order in orders
        if str(order.stop_id) not in decision.stops
        and any(_covers(order, p.treatment, p.channel) for p in proposals)
    }


def stands_against(connection: sa.Connection, treatment: str, channel: str) -> bool:
    """Whether contacts by that treatment are stopped now."""
    return any(_covers(order, treatment, channel) for order in standing(connection))


def _covers(order: StopOrder, treatment: str, channel: str) -> bool:
    if treatment in (*order.treatments, *order.spared):
        return treatment in order.treatments
    return order.level == "all" or (order.level == "channel" and channel == order.of)


def _query() -> sa.Select[Any]:
    return sa.select(*columns(t.contact_stops, *_ORDER)).order_by(t.contact_stops.c.stop_id)


_STANDING = Look(_query().where(t.contact_stops.c.resumed_at.is_(None)))
"""Built once: putting it together takes as long as running it."""


def _order(row: Sequence[Any]) -> StopOrder:
    values = dict(zip(_ORDER, row, strict=True))
    lists = {name: tuple(values[name]) for name in ("treatments", "spared")}
    return StopOrder(**(values | lists))
