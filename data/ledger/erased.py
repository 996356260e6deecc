"""Who was erased: known by a hash of the id, so that the marker itself names nobody."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import sqlalchemy as sa

from data.ledger.access_schema import erasures
from data.ledger.types import TailRow, UnknownError
from engine.contract import TABLES

PersonKind = Literal["account", "contact", "user"]
ERASED = "erased"
"""Shown in place of a name that is gone."""


def id_hash(kind: PersonKind, person_id: str) -> str:
    """What the marker is known by."""
    return hashlib.sha256(f"{kind}\0{person_id}".encode()).hexdigest()


@dataclass(frozen=True)
class Markers:
    """Who was erased.

    Attributes:
        hashes: By `id_hash`.
    """

    hashes: frozenset[str] = frozenset()

    def of(self, kind: PersonKind, ids: Iterable[Any]) -> frozenset[str]:
        """Those of the ids that were erased."""
        if not self.hashes:
            return frozenset()
        return frozenset(one for one in set(ids) if one is not None and id_hash(kind, one) in self.hashes)


def markers(connection: sa.Connection, *, waiting: bool = False) -> Markers:
    """All, or those that history has still to follow."""
    query = sa.select(erasures.c.id_hash)
    if waiting:
        query = query.where(erasures.c.taken_over_at.is_(None))
    return Markers(frozenset(connection.scalars(query)))


def without_erased(connection: sa.Connection, rows: Sequence[TailRow]) -> list[TailRow]:
    """Live rows as they may be kept: of an erased contact without what is said of or by her.

    Raises UnknownError: an account was erased.
    """
    accounts = {row.account_id for row in rows}
    contacts = {str(found) for row in rows if (found := row.content.get("contact_id")) is not None}
    hashes = [id_hash("account", one) for one in accounts] + [id_hash("contact", one) for one in contacts]
    query = sa.select(erasures.c.id_hash).where(erasures.c.id_hash.in_(sorted(hashes)))
    found = Markers(frozenset(connection.scalars(query)))
    if gone := found.of("account", accounts):
        raise UnknownError(f"The account {min(gone)!r} was erased; nothing more is kept of it.")
    silent = found.of("contact", contacts)
    if not silent:
        return list(rows)
    return [_impersonal(row) if row.content.get("contact_id") in silent else row for row in rows]


def _impersonal(row: TailRow) -> TailRow:
    hidden = {column.name for column in TABLES[row.table].columns if column.personal}
    return replace(row, content={name: value for name, value in row.content.items() if name not in hidden})
