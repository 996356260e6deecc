"""Signing in to the page: passwords, sessions, and a stop to guessing.

Argon2id by its library's defaults (RFC 9106, low memory). Whether a user exists cannot be told from the
answer nor from its time.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
from dataclasses import dataclass, replace
from functools import cached_property

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from api.provider_sign_in import ProviderSignIn, sealed
from data.ledger.ledger import Ledger
from data.ledger.types import Session
from data.settings import Settings
from engine.records import EngineError

MIN_PASSWORD = 12
"""Characters of a password at least."""
MAX_PASSWORD = 1000
WINDOW_MICROS = 15 * 60_000_000
"""Within which attempts in vain are counted."""
MOST_OF_USER_HERE, MOST_OF_USER, MOST_OF_ADDRESS = 5, 30, 60
"""Attempts in vain: of a user from one address, of a user from anywhere, from an address for anybody."""

_hasher = PasswordHasher()
_at_once = threading.BoundedSemaphore(4)
"""A hash takes 64 MiB: who sends many at once waits."""


class PasswordError(EngineError):
    """A password that nobody should have."""


@dataclass(frozen=True)
class SigningIn:
    """One per process: what signing in needs beside the ledger."""

    ledger: Ledger
    settings: Settings
    provider: ProviderSignIn | None = None

    @property
    def secure(self) -> bool:
        """Whether cookies are for HTTPS alone."""
        return reached_over_https(self.settings)

    @property
    def cookie(self) -> str:
        """Name of the session's cookie; browsers take the prefix over HTTPS and from this host alone."""
        return "__Host-nextbest" if self.secure else "nextbest"

    @cached_property
    def _nobodys(self) -> str:
        return hash_password(secrets.token_urlsafe(32))

    def session(self, token: str, now: int) -> Session | None:
        """The session of a cookie, unless it is over, also for the provider that vouched for it."""
        idle_since = now - round(self.settings.session_idle_hours * 3.6e9)
        found = self.ledger.sign_ins.session(token, idle_since=idle_since, now=now)
        if found is None or found.checked_at is None:
            return found
        if self.provider is None or not self.provider.still_here(token, found, now):
            return None
        found = self.ledger.sign_ins.session(token, idle_since=idle_since, now=now)
        if found is None or found.checked_at is None:
            return found
        until = found.checked_at + self.provider.limit_micros
        return replace(found, user=replace(found.user, until=until))

    def sign_in(
        self, user_id: str, password: str, *, address: str, before: str | None, now: int
    ) -> str | None:
        """The token of a new session; None = user or password is wrong.

        Args:
            address: Where it comes from.
            before: Token of the session that this browser had; it ends.

        Raises:
            TooManyError: Too many attempts in vain; the right password does not help either.
        """
        attempt, here = secrets.token_hex(16), _who("here", user_id, address)
        most = {here: MOST_OF_USER_HERE, _who("user", user_id): MOST_OF_USER,
                _who("address", address): MOST_OF_ADDRESS}  # fmt: skip
        sign_ins = self.ledger.sign_ins
        if not sign_ins.begin_attempt(attempt, most, since=now - WINDOW_MICROS, now=now):
            raise TooManyError
        known = sign_ins.password_hash(user_id)
        if not _matches(known or self._nobodys, password) or known is None:
            return None
        expires_at = now + round(self.settings.session_hours * 3.6e9)
        return sign_ins.begin_session(
            user_id, attempt=attempt, forgiven=[here], ended=before, now=now, expires_at=expires_at
        )

    def to_provider(self, next_path: str, *, address: str, now: int) -> tuple[str, str]:
        """Where the provider is, and the state that the browser has to bring back.

        Raises TooManyError, ProviderDownError.
        """
        assert self.provider is not None
        attempt = secrets.token_hex(16)
        most = {_who("address", address): MOST_OF_ADDRESS}
        if not self.ledger.sign_ins.begin_attempt(attempt, most, since=now - WINDOW_MICROS, now=now):
            raise TooManyError
        return self.provider.begin(next_path, attempt=attempt, now=now)

    def from_provider(self, state: str, code: str, *, before: str | None, now: int) -> tuple[str, str]:
        """The token of a new session for who comes back, and where she wanted to go.

        Raises RefusedError, ProviderDownError.
        """
        assert self.provider is not None
        user, refresh, begun = self.provider.finish(state, code, now=now)
        token = self.ledger.sign_ins.begin_session(
            user.user_id, attempt=begun.attempt, forgiven=[], ended=before, now=now,
            expires_at=now + round(self.settings.session_hours * 3.6e9),
            vouched=lambda token: sealed(token, refresh),
        )  # fmt: skip
        return token, begun.next


def reached_over_https(settings: Settings) -> bool:
    """As the settings say; else wherever the host is not this machine."""
    if settings.https is not None:
        return settings.https
    return settings.host not in ("127.0.0.1", "localhost", "::1")


class TooManyError(Exception):
    """Too many attempts in vain."""


def hash_password(password: str) -> str:
    """What is kept of a password. Raises PasswordError for one that is too short or far too long."""
    if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
        raise PasswordError(
            f"A password needs {MIN_PASSWORD} to {MAX_PASSWORD} characters, got {len(password)}; a sentence "
            "is easy to remember."
        )
    with _at_once:
        return _hasher.hash(password)


def _matches(known: str, password: str) -> bool:
    with _at_once:
        try:
            return _hasher.verify(known, password[:MAX_PASSWORD])
        except (VerificationError, InvalidHashError):
            return False


def _who(*parts: str) -> str:
    """Neither names nor addresses are kept."""
    return hashlib.blake2b("\0".join(parts).encode(), digest_size=16).hexdigest()
