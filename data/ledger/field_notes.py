"""What colleagues hear in the field: questions, objections and competitors named, kept so that they can be
counted without reading blocks.

The words themselves are details of a touchpoint and personal; here is only what kind it was and about what.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from data.ledger import schema as t
from data.ledger.looks import Look, Reading
from data.ledger.statements import chunks, columns, named, these
from data.ledger.types import FieldNote

_NOTE = ("touchpoint_id", "account_id", "kind", "topic", "what", "role", "noted_at")


def keep(connection: sa.Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Note what the details of touchpoints say was heard; a later version of one replaces it."""
    forget(connection, [str(row["touchpoint_id"]) for row in rows])
    notes = [note for row in rows for note in heard_in(row)]
    if notes:
        connection.execute(sa.insert(t.field_notes), [vars(note) for note in notes])


def forget(connection: sa.Connection, touchpoint_ids: Sequence[str]) -> None:
    """Nothing was heard there any more."""
    for chunk in chunks(touchpoint_ids):
        connection.execute(sa.delete(t.field_notes).where(t.field_notes.c.touchpoint_id.in_(chunk)))


def heard_in(row: Mapping[str, Any]) -> Iterator[FieldNote]:
    """What the details of a touchpoint say was heard; details of another form say nothing."""
    try:
        details = json.loads(row["details"])
    except ValueError:
        return
    if not isinstance(details, dict):
        return
    for part, kind, what in (("questions", "question", ""), ("objections", "objection", "kind"),
                             ("competitors", "competitor", "name")):  # fmt: skip
        entries = details.get(part)
        for entry in entries if isinstance(entries, list) else ():
            if isinstance(entry, dict):
                yield FieldNote(
                    touchpoint_id=row["touchpoint_id"],
                    account_id=row["account_id"],
                    kind=kind,
                    topic=str(entry.get("topic") or row.get("topic") or ""),
                    what=str(entry.get(what) or ""),
                    role=row.get("role") or "",
                    noted_at=row["occurred_at"],
                )


def since(connection: sa.Connection, after: int) -> list[FieldNote]:
    """What was heard after a moment, the latest first."""
    return [FieldNote(**named(row)) for row in connection.execute(_SINCE, {"after": after})]


def of_accounts(reading: Reading, account_ids: Sequence[str], *, after: int) -> list[FieldNote]:
    """What was heard of these accounts after a moment."""
    return [
        FieldNote(*row)
        for chunk in chunks(account_ids)
        for row in _OF_ACCOUNTS.rows(reading, these=list(chunk), after=after)
    ]


# Built once: putting these together takes as long as running them.
_SINCE = (
    sa.select(*columns(t.field_notes, *_NOTE))
    .where(t.field_notes.c.noted_at > sa.bindparam("after", type_=sa.BigInteger))
    .order_by(t.field_notes.c.noted_at.desc(), t.field_notes.c.note_id)
)
_OF_ACCOUNTS = Look(_SINCE.where(t.field_notes.c.account_id.in_(these())))
