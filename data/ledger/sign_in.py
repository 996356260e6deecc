"""How colleagues sign in to the page: hashes of passwords, sessions, and attempts that are counted.

Of a session and its token only a hash is kept. What a password's hash is made of is the caller's affair.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from data.ledger import schema as t
from data.ledger.access_schema import provider_sessions
from data.ledger.connection import Database
from data.ledger.looks import Look
from data.ledger.people import IS_HERE, hash_of
from data.ledger.statements import columns, upsert
from data.ledger.types import Session, UnknownError, User

_USER = ("user_id", "name", "role", "manager_id")
_SEEN_EVERY = 60_000_000
"""Microseconds after which using a session is written down again."""


class SignIns:
    """What the ledger keeps of signing in; each method one transaction, times in microseconds UTC."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put_password(self, user_id: str, password_hash: str, *, now: int) -> None:
        """Set a user's password (its hash) and end her sessions. Raises UnknownError."""
        with self._database.writing() as connection:
            if connection.scalar(sa.select(t.users.c.user_id).where(t.users.c.user_id == user_id)) is None:
                raise UnknownError(f"There is no user {user_id!r} in the ledger.")
            row = {"user_id": user_id, "password_hash": password_hash, "changed_at": now}
            upsert(connection, t.passwords, [row], update=("password_hash", "changed_at"))
            connection.execute(sa.delete(t.sessions).where(t.sessions.c.user_id == user_id))

    def password_hash(self, user_id: str) -> str | None:
        """What was set last; None for who has no password, is not there, or has left."""
        own = t.passwords.c
        with self._database.reading() as connection:
            query = sa.select(own.password_hash).join(t.users, own.user_id == t.users.c.user_id)
            return connection.scalar(query.where(own.user_id == user_id, IS_HERE))

    def begin_attempt(self, attempt: str, most: Mapping[str, int], *, since: int, now: int) -> bool:
        """Count an attempt to sign in against each of who tries; whether it may go on.

        Args:
            attempt: Its id.
            most: Who tries (hashes of user and address) -> how many attempts in vain may be counted.
            since: Earlier attempts do not count and are forgotten.
        """
        own = t.sign_in_attempts.c
        counts = sa.select(own.who, sa.func.count()).where(own.who.in_(most)).group_by(own.who)
        with self._database.writing() as connection:
            connection.execute(sa.delete(t.sign_in_attempts).where(own.at <= since))
            counted = {row[0]: int(row[1]) for row in connection.execute(counts)}
            if any(counted.get(who, 0) >= limit for who, limit in most.items()):
                return False
            rows = [{"attempt": attempt, "who": who, "at": now} for who in most]
            connection.execute(sa.insert(t.sign_in_attempts), rows)
            return True

    def begin_session(
        self, user_id: str, *, attempt: str, forgiven: Sequence[str], ended: str | None, now: int,
        expires_at: int, vouched: Callable[[str], str | None] | None = None,
    ) -> str:  # fmt: skip
        """A new session of who signed in with an attempt; returns its random token (256 bits).

        The attempt does not count any more, nor does what was counted against those forgiven; the session of
        the token `ended` is over. `vouched`: a provider did; gives what is kept to ask it again.
        """
        own, token = t.sign_in_attempts.c, secrets.token_urlsafe(32)
        over = sa.or_(t.sessions.c.expires_at <= now, t.sessions.c.session_hash == hash_of(ended or ""))
        row = {
            "session_hash": hash_of(token), "user_id": user_id, "csrf": secrets.token_urlsafe(32),
            "created_at": now, "seen_at": now, "expires_at": expires_at,
        }  # fmt: skip
        with self._database.writing() as connection:
            for gone in (own.attempt == attempt, own.who.in_(forgiven)):
                connection.execute(sa.delete(t.sign_in_attempts).where(gone))
            connection.execute(sa.delete(t.sessions).where(over))
            connection.execute(sa.insert(t.sessions), row)
            if vouched is not None:
                kept = {"session_hash": row["session_hash"], "checked_at": now, "claimed_at": 0}
                connection.execute(sa.insert(provider_sessions), kept | {"refresh": vouched(token)})
        return token

    def session(self, token: str, *, idle_since: int, now: int) -> Session | None:
        """The session of a token; None when it is unknown, over, or was not used since `idle_since`."""
        with self._database.looking() as reading:
            row = _OF_SESSION.row(reading, hash=hash_of(token), now=now, idle_since=idle_since)
        if row is None:
            return None
        *known, seen_at = row
        if seen_at <= now - _SEEN_EVERY:
            self._change(token, seen_at=now)
        return Session(User(*known[:6]), *known[6:])

    def say_next(self, token: str, said: Mapping[str, Any] | None) -> None:
        """What the session's next page is to tell; None = it has been told."""
        self._change(token, said=said)

    def end_session(self, token: str) -> None:
        """Sign out."""
        with self._database.writing() as connection:
            connection.execute(sa.delete(t.sessions).where(t.sessions.c.session_hash == hash_of(token)))

    def choose_language(self, user_id: str, language: str) -> None:
        """The language of a user's page, from now on and whatever is loaded."""
        row = {"user_id": user_id, "language": language}
        with self._database.writing() as connection:
            upsert(connection, t.chosen_languages, [row], update=("language",))

    def _change(self, token: str, **values: Any) -> None:
        this = t.sessions.c.session_hash == hash_of(token)
        with self._database.writing() as connection:
            connection.execute(sa.update(t.sessions).where(this).values(**values))


def _of_session() -> sa.Select[Any]:
    own, chosen, moment = t.sessions.c, t.chosen_languages.c, sa.BigInteger
    return (
        sa.select(
            *columns(t.users, *_USER), sa.func.coalesce(chosen.language, t.users.c.language),
            t.users.c.timezone, own.csrf, own.said, provider_sessions.c.checked_at, own.seen_at,
        )
        .join(t.sessions, own.user_id == t.users.c.user_id)
        .outerjoin(t.chosen_languages, chosen.user_id == t.users.c.user_id)
        .outerjoin(provider_sessions, provider_sessions.c.session_hash == own.session_hash)
        .where(
            own.session_hash == sa.bindparam("hash", type_=sa.Text), IS_HERE,
            own.expires_at > sa.bindparam("now", type_=moment),
            own.seen_at > sa.bindparam("idle_since", type_=moment),
        )
    )  # fmt: skip


_OF_SESSION = Look(_of_session())
