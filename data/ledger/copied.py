"""All rows of the ledger about one person, to be handed to her: whatever table has a column for her.

Hashes and tokens are left out: they prove who she is and say nothing about her.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import sqlalchemy as sa

from data.ledger import schema as t
from data.ledger.connection import Database
from data.ledger.erased import PersonKind
from data.ledger.erasures import holder, touchpoints_with
from data.ledger.statements import columns, named
from data.times import to_iso

_USER_COLUMNS = frozenset({
    "user_id", "manager_id", "by_user", "to_user", "answered_by", "escalated_to", "stopped_by", "resumed_by",
    "settled_by", "stand_in", "ended_by", "moved_by", "set_by", "promoted_by",
})  # fmt: skip
_APART = frozenset({"blocks", "tail", "changes"})
"""Blocks and live rows are handed over as the facts that they hold; changes are news about other rows."""
_MOMENTS = frozenset({"at", "since", "as_of", "not_before", "snoozed_until"})

Rows = Mapping[str, list[dict[str, Any]]]


class PersonRows:
    """Reads them, in one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def about(self, kind: PersonKind, person_id: str) -> Rows:
        """Table -> rows; times ISO 8601, JSON as it is kept. Tables without any are left out."""
        how = {"account": _of_account, "contact": _of_contact, "user": _of_user}[kind]
        with self._database.reading() as connection:
            return {table: rows for table, rows in how(connection, person_id) if rows}


def _of_account(connection: sa.Connection, account_id: str) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    for table in t.metadata.sorted_tables:
        if "account_id" in table.c and table.name not in _APART:
            yield table.name, _rows(connection, table, table.c.account_id == account_id)
    key = sa.select(t.accounts.c.subject_key).where(t.accounts.c.account_id == account_id).scalar_subquery()
    yield t.personal.name, _rows(connection, t.personal, t.personal.c.subject_key == key)


def _of_contact(connection: sa.Connection, contact_id: str) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    account_id = holder(connection, contact_id)
    if account_id is None:
        return
    touchpoints = touchpoints_with(connection, account_id, contact_id)
    yield t.told.name, _rows(connection, t.told, t.told.c.touchpoint_id.in_(touchpoints))
    yield t.field_notes.name, _rows(connection, t.field_notes, t.field_notes.c.touchpoint_id.in_(touchpoints))
    handed = _rows(connection, t.hand_overs, t.hand_overs.c.touchpoint_id.in_(touchpoints))
    yield t.hand_overs.name, handed
    own = t.personal.c
    key = sa.select(t.accounts.c.subject_key).where(t.accounts.c.account_id == account_id).scalar_subquery()
    wanted = {"contacts": [contact_id], "touchpoints": touchpoints,
              "hand_overs": [row["hand_over_id"] for row in handed]}  # fmt: skip
    hers = sa.or_(*(sa.and_(own.source == source, own.row_key.in_(keys)) for source, keys in wanted.items()))
    yield t.personal.name, _rows(connection, t.personal, sa.and_(own.subject_key == key, hers))


def _of_user(connection: sa.Connection, user_id: str) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    for table in t.metadata.sorted_tables:
        places = [column for column in table.c if column.name in _USER_COLUMNS]
        if places:
            yield table.name, _rows(connection, table, sa.or_(*(column == user_id for column in places)))


def _rows(connection: sa.Connection, table: sa.Table, which: sa.ColumnElement[bool]) -> list[dict[str, Any]]:
    told = [name for name in table.c.keys() if not name.endswith("_hash") and name != "csrf"]  # noqa: SIM118
    query = sa.select(*columns(table, *told)).where(which).order_by(*table.primary_key.columns)
    return [_readable(named(row).items()) for row in connection.execute(query)]


def _readable(row: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    return {name: to_iso(value) if isinstance(value, int) and _is_moment(name) else value
            for name, value in row}  # fmt: skip


def _is_moment(name: str) -> bool:
    return name in _MOMENTS or name.endswith("_at")
