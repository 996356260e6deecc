"""Keys with which jobs prove who they are: random, kept as a hash, for some things only, until a day."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass

import sqlalchemy as sa

from data.ledger.access_schema import api_keys
from data.ledger.connection import Database
from data.ledger.looks import Look
from data.ledger.people import IS_HERE, USER_COLUMNS, hash_of
from data.ledger.schema import users
from data.ledger.statements import columns, upsert
from data.ledger.types import ConflictError, UnknownError, User

PREFIX = "nbk_"
"""Every key begins so: it is told from a token, and found where it was left by mistake."""


@dataclass(frozen=True)
class ApiKey:
    """What is known of a key, but not the key; times in microseconds UTC.

    Attributes:
        user_id: Technical user in whose name it acts.
        scopes: What it may be used for, of what her role may.
    """

    key_id: str
    user_id: str
    role: str
    scopes: tuple[str, ...]
    created_at: int
    expires_at: int
    revoked_at: int | None = None


class ApiKeys:
    """What the ledger keeps of keys; each method one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(
        self, user_id: str, scopes: Iterable[str], *, role: str, now: int, expires_at: int
    ) -> tuple[str, str]:
        """A new key of a technical user, made where she is not there: (its id, the key, never seen again).

        Raises ConflictError: the id is a colleague's, or a technical user's of another role.
        """
        key_id = secrets.token_hex(6)
        key = f"{PREFIX}{key_id}_{secrets.token_urlsafe(32)}"
        row = {
            "key_id": key_id, "key_hash": hash_of(key), "user_id": user_id, "scopes": sorted(set(scopes)),
            "created_at": now, "expires_at": expires_at,
        }  # fmt: skip
        with self._database.writing() as connection:
            _require_technical(connection, user_id, role)
            user = {"user_id": user_id, "name": user_id, "role": role, "calendar": {}}
            upsert(connection, users, [user], update=())
            connection.execute(sa.insert(api_keys), row)
        return key_id, key

    def user(self, key: str, *, now: int) -> User | None:
        """In whose name a key acts, with its scopes; None = unknown, revoked or expired."""
        with self._database.looking() as reading:
            row = _OF_KEY.row(reading, hash=hash_of(key), now=now)
        return None if row is None else User(*(*row[:6], frozenset(row[6]), row[7]))

    def all(self) -> list[ApiKey]:
        """Every key that there was, the oldest first."""
        own = api_keys.c
        query = (
            sa.select(own.key_id, own.user_id, users.c.role, own.scopes, own.created_at, own.expires_at,
                      own.revoked_at)
            .join(users, own.user_id == users.c.user_id)
            .order_by(own.created_at, own.key_id)
        )  # fmt: skip
        with self._database.reading() as connection:
            return [ApiKey(*row[:3], tuple(row.scopes), *row[4:]) for row in connection.execute(query)]

    def revoke(self, key_id: str, *, now: int) -> None:
        """It opens nothing any more, from the next request on; twice: the second changes nothing. Raises
        UnknownError."""
        this = api_keys.c.key_id == key_id
        with self._database.writing() as connection:
            if connection.scalar(sa.select(api_keys.c.key_id).where(this)) is None:
                raise UnknownError(f"There is no key {key_id!r}; `nextbest key list` shows them all.")
            still = this & api_keys.c.revoked_at.is_(None)
            connection.execute(sa.update(api_keys).where(still).values(revoked_at=now))


_OF_KEY = Look(
    sa.select(*columns(users, *USER_COLUMNS), api_keys.c.scopes, api_keys.c.key_id)
    .join(api_keys, api_keys.c.user_id == users.c.user_id)
    .where(
        api_keys.c.key_hash == sa.bindparam("hash", type_=sa.Text),
        api_keys.c.expires_at > sa.bindparam("now", type_=sa.BigInteger),
        api_keys.c.revoked_at.is_(None),
        IS_HERE,
    )
)


def _require_technical(connection: sa.Connection, user_id: str, role: str) -> None:
    """A key must not act in a colleague's name."""
    known = connection.scalar(sa.select(users.c.role).where(users.c.user_id == user_id))
    if known is None:
        return
    has_keys = connection.scalar(sa.select(sa.func.count()).where(api_keys.c.user_id == user_id))
    if not has_keys and known != "job":
        raise ConflictError(f"{user_id!r} is a colleague; a key needs a name of its own.")
    if known != role:
        raise ConflictError(f"{user_id!r} has the role {known!r}, got {role!r}: give this key another name.")
