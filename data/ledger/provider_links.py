"""What the ledger keeps of signing in by a provider: attempts under way, who is who, when a session was
checked. What a provider says is the caller's affair."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa

from data.ledger import schema as t
from data.ledger.access_schema import api_keys, provider_attempts, provider_sessions, provider_users
from data.ledger.connection import Database
from data.ledger.erased import markers
from data.ledger.people import IS_HERE, USER_COLUMNS, hash_of, settle_role
from data.ledger.statements import columns, named
from data.ledger.types import ConflictError, UnknownError, User

ATTEMPT_MICROS = 10 * 60_000_000
"""So long somebody may take at the provider."""
CLAIM_MICROS = 30_000_000
"""So long a check may take; then another request checks."""


@dataclass(frozen=True)
class ProviderAttempt:
    """A sign-in that is under way. `attempt`: what it was counted as."""

    nonce: str
    verifier: str
    next: str
    attempt: str


class ProviderLinks:
    """Each method one transaction, times in microseconds UTC."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # -- attempts ----------------------------------------------------------------------------------
    def begin(self, state: str, attempt: ProviderAttempt, *, now: int) -> None:
        """Keep a sign-in that begins; those that nobody came back from are forgotten."""
        own = provider_attempts.c
        with self._database.writing() as connection:
            connection.execute(sa.delete(provider_attempts).where(own.begun_at <= now - ATTEMPT_MICROS))
            row = {"state_hash": hash_of(state), "begun_at": now, **asdict(attempt)}
            connection.execute(sa.insert(provider_attempts), row)

    def take(self, state: str, *, now: int) -> ProviderAttempt | None:
        """What was begun under a state, once; None = never, too long ago, or taken already."""
        own = provider_attempts.c
        this = sa.and_(own.state_hash == hash_of(state), own.begun_at > now - ATTEMPT_MICROS)
        kept = columns(provider_attempts, *ProviderAttempt.__dataclass_fields__)
        with self._database.writing() as connection:
            row = connection.execute(sa.delete(provider_attempts).where(this).returning(*kept)).one_or_none()
        return None if row is None else ProviderAttempt(**named(row))

    # -- who is who --------------------------------------------------------------------------------
    def user(self, issuer: str, subject: str) -> User | None:
        """Who somebody at the provider is here; None = not known, or she has left."""
        with self._database.reading() as connection:
            row = connection.execute(_linked(issuer, subject).where(IS_HERE)).one_or_none()
        return None if row is None else User(*row)

    def settle(self, issuer: str, subject: str, wanted: User, *, now: int) -> User:
        """The colleague of somebody at the provider, added or linked where that is new, with the role wanted.

        Raises ConflictError: the id is linked to somebody else, of a job, or was erased. UnknownError: she
        has left.
        """
        with self._database.writing() as connection:
            row = connection.execute(_linked(issuer, subject)).one_or_none()
            user = _link(connection, issuer, subject, wanted, now=now) if row is None else User(*row)
            if user.role != wanted.role:
                settle_role(connection, user.user_id, wanted.role, now=now)
            query = sa.select(*columns(t.users, *USER_COLUMNS)).where(t.users.c.user_id == user.user_id)
            found = connection.execute(query.where(IS_HERE)).one_or_none()
            if found is None:
                raise UnknownError(f"{user.user_id!r} has left.")
            return User(*found)

    def unlink(self, user_id: str) -> None:
        """Forget who a colleague is at the provider, and end the sessions that came of it. UnknownError."""
        own = provider_users.c
        from_there = sa.select(provider_sessions.c.session_hash)
        with self._database.writing() as connection:
            gone = connection.execute(sa.delete(provider_users).where(own.user_id == user_id)).rowcount
            hers = sa.and_(t.sessions.c.user_id == user_id, t.sessions.c.session_hash.in_(from_there))
            connection.execute(sa.delete(t.sessions).where(hers))
            if not gone:
                raise UnknownError(f"{user_id!r} is linked to nobody at a provider.")

    # -- sessions ----------------------------------------------------------------------------------
    def claim(self, token: str, *, now: int) -> tuple[bool, str | None]:
        """Whether this request is to check the session (and no other one does it now), and with what."""
        own = provider_sessions.c
        this = sa.and_(own.session_hash == hash_of(token), own.claimed_at <= now - CLAIM_MICROS)
        claim = sa.update(provider_sessions).where(this).values(claimed_at=now).returning(own.refresh)
        with self._database.writing() as connection:
            row = connection.execute(claim).one_or_none()
        return (False, None) if row is None else (True, row.refresh)

    def checked(self, token: str, refresh: str | None, *, now: int) -> None:
        """The provider vouches for it anew."""
        self._change(token, checked_at=now, claimed_at=0, refresh=refresh)

    def not_checked(self, token: str) -> None:
        """The provider could not be asked."""
        self._change(token, claimed_at=0)

    def _change(self, token: str, **values: int | str | None) -> None:
        this = provider_sessions.c.session_hash == hash_of(token)
        with self._database.writing() as connection:
            connection.execute(sa.update(provider_sessions).where(this).values(**values))


def _linked(issuer: str, subject: str) -> sa.Select[Any]:
    own = provider_users.c
    query = sa.select(*columns(t.users, *USER_COLUMNS)).join(provider_users, own.user_id == t.users.c.user_id)
    return query.where(own.issuer == issuer, own.subject == subject)


def _link(connection: sa.Connection, issuer: str, subject: str, wanted: User, *, now: int) -> User:
    user_id = wanted.user_id
    if markers(connection).of("user", [user_id]):
        raise ConflictError(f"The user {user_id!r} was erased.")
    own, keys = provider_users.c, api_keys.c
    taken = connection.scalar(sa.select(own.subject).where(own.user_id == user_id))
    technical = connection.scalar(sa.select(keys.key_id).where(keys.user_id == user_id).limit(1))
    if taken is not None or technical is not None:
        whose = "a job" if taken is None else "somebody else at the provider"
        raise ConflictError(f"The user {user_id!r} is {whose}; `nextbest user unlink` ends a link.")
    there = sa.select(*columns(t.users, *USER_COLUMNS)).where(t.users.c.user_id == user_id)
    row = connection.execute(there).one_or_none()
    if row is None:
        new = {name: getattr(wanted, name) for name in USER_COLUMNS}
        connection.execute(sa.insert(t.users), new | {"calendar": {}})
    connection.execute(
        sa.insert(provider_users),
        {"issuer": issuer, "subject": subject, "user_id": user_id, "linked_at": now},
    )
    return wanted if row is None else User(*row)
