"""Who was erased: known by a hash of the id with a key, so that the marker itself names nobody."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import sqlalchemy as sa

from data.ledger.access_schema import erasures
from data.ledger.looks import Look
from data.ledger.marker_key import MarkerKey, MarkerKeyError, made_key, read_key
from data.ledger.statements import upsert
from data.ledger.types import TailRow, UnknownError
from engine.contract import TABLES

PersonKind = Literal["account", "contact", "user"]
ERASED = "erased"
"""Shown in place of a name that is gone."""


def id_hash(kind: PersonKind, person_id: str, key: MarkerKey | None) -> str:
    """What the marker is known by; without a key as it was before there was one."""
    said = f"{kind}\0{person_id}".encode()
    return hashlib.sha256(said).hexdigest() if key is None else hmac.digest(key.content, said, "sha256").hex()


@dataclass(frozen=True)
class Markers:
    """Who was erased.

    Attributes:
        hashes: By `id_hash`.
        keys: Under which they are; None = without one.
    """

    hashes: frozenset[str] = frozenset()
    keys: tuple[MarkerKey | None, ...] = ()

    def of(self, kind: PersonKind, ids: Iterable[Any]) -> frozenset[str]:
        """Those of the ids that were erased."""
        if not self.hashes:
            return frozenset()
        return frozenset(one for one in set(ids) if one is not None and self._holds(kind, one))

    def _holds(self, kind: PersonKind, person_id: str) -> bool:
        return any(id_hash(kind, person_id, key) in self.hashes for key in self.keys)


_KEYS_USED = Look(sa.select(erasures.c.key_id).distinct())


def keys_of(connection: sa.Connection) -> tuple[MarkerKey | None, ...]:
    """Under which the markers are. Raises MarkerKeyError: the home has not the key of some."""
    used = {key for (key,) in _KEYS_USED.rows(connection)}
    if not used:
        return ()
    path = connection.get_execution_options().get("marker_key")
    own = None if path is None else read_key(path)
    if used - {None, own and own.id}:
        where = "its home" if path is None else path
        raise MarkerKeyError(
            f"The ledger marks erased persons with a key that is not in {where}; put the file back from a"
            " backup of the home, or nobody who was erased would be known again."
        )
    return tuple(own if key_id else None for key_id in used)


def markers(connection: sa.Connection, *, waiting: bool = False) -> Markers:
    """All, or those that history has still to follow. Raises MarkerKeyError."""
    query = sa.select(erasures.c.id_hash)
    if waiting:
        query = query.where(erasures.c.taken_over_at.is_(None))
    return Markers(frozenset(connection.scalars(query)), keys_of(connection))


def mark(connection: sa.Connection, kind: PersonKind, person_id: str, *, now: int) -> None:
    """Mark her, once; who was marked by a plain hash is so no longer. Raises MarkerKeyError."""
    key, own = _made(connection), erasures.c
    row = {"kind": kind, "id_hash": id_hash(kind, person_id, key), "key_id": key.id}
    plain = sa.and_(own.kind == kind, own.id_hash == id_hash(kind, person_id, None))
    connection.execute(sa.update(erasures).where(plain).values(**row))
    upsert(connection, erasures, [row | {"erased_at": now}], update=())


def event_of(connection: sa.Connection, kind: PersonKind, person_id: str) -> str:
    """The id of the event that says that she is gone. Raises MarkerKeyError."""
    return f"erased:{id_hash(kind, person_id, _made(connection))}"


def _made(connection: sa.Connection) -> MarkerKey:
    path = connection.get_execution_options().get("marker_key")
    if path is None:
        raise MarkerKeyError("Erasing needs the home of the ledger, where the key of the markers is kept.")
    keys_of(connection)
    return made_key(path)


def without_erased(connection: sa.Connection, rows: Sequence[TailRow]) -> list[TailRow]:
    """Live rows as they may be kept: of an erased contact without what is said of or by her.

    Raises:
        UnknownError: An account was erased.
        MarkerKeyError: It cannot be known who was.
    """
    keys = keys_of(connection)
    if not keys:
        return list(rows)
    accounts = {row.account_id for row in rows}
    contacts = {str(found) for row in rows if (found := row.content.get("contact_id")) is not None}
    asked: tuple[tuple[PersonKind, set[str]], ...] = (("account", accounts), ("contact", contacts))
    hashes = [id_hash(kind, one, key) for key in keys for kind, ids in asked for one in ids]
    query = sa.select(erasures.c.id_hash).where(erasures.c.id_hash.in_(sorted(hashes)))
    found = Markers(frozenset(connection.scalars(query)), keys)
    if gone := found.of("account", accounts):
        raise UnknownError(f"The account {min(gone)!r} was erased; nothing more is kept of it.")
    silent = found.of("contact", contacts)
    if not silent:
        return list(rows)
    return [_impersonal(row) if row.content.get("contact_id") in silent else row for row in rows]


def _impersonal(row: TailRow) -> TailRow:
    hidden = {column.name for column in TABLES[row.table].columns if column.personal}
    return replace(row, content={name: value for name, value in row.content.items() if name not in hidden})
