"""Signing in by the provider: from what it says to a colleague, and whether she still is one.

A session that came from there is checked with the provider every few minutes; where that is refused, or
cannot be asked for too long, it is over. The refresh token is encrypted by the session's own token, so that
the ledger alone opens nothing.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
import secrets
from dataclasses import dataclass, replace
from difflib import get_close_matches

from cryptography.fernet import Fernet, InvalidToken

from api.capabilities import known_roles
from api.provider import SKEW_SECONDS, Claims, Provider, ProviderDownError, RefusedError
from data.ledger.ledger import Ledger
from data.ledger.provider_links import ProviderAttempt
from data.ledger.types import ConflictError, Session, UnknownError, User
from data.settings import Settings, SettingsError
from engine.playbook import Playbook

_log = logging.getLogger("nextbest.sign_in")


@dataclass(frozen=True)
class ProviderSignIn:
    """One per process."""

    provider: Provider
    ledger: Ledger
    settings: Settings

    @property
    def limit_micros(self) -> int:
        """So long what the provider said holds."""
        return round(self.settings.oidc_minutes * 6e7)

    def require_roles(self, playbook: Playbook) -> None:
        """Raises SettingsError: a group is given a role that is probably misspelt."""
        known = known_roles(playbook)
        for group, role in self.settings.oidc_roles.items():
            # Who leads others may have a role that no list has; a slip of the pen would lock a group out.
            close = get_close_matches(role, known, n=1, cutoff=0.8)
            if role not in known and close:
                raise SettingsError(
                    f"NEXTBEST_OIDC_ROLES: unknown role {role!r} of the group {group!r}, did you mean "
                    f"{close[0]!r}?"
                )

    # -- at the page -------------------------------------------------------------------------------
    def begin(self, next_path: str, *, attempt: str, now: int) -> tuple[str, str]:
        """Address of the provider to send the browser to, and the state that it has to bring back.

        Raises ProviderDownError.
        """
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        address = self.provider.address(state=state, nonce=nonce, verifier=verifier)
        self.ledger.links.begin(state, ProviderAttempt(nonce, verifier, next_path, attempt), now=now)
        return address, state

    def finish(self, state: str, code: str, *, now: int) -> tuple[User, str | None, ProviderAttempt]:
        """Who comes back with a code: she, her refresh token, and what she began with.

        Raises RefusedError, ProviderDownError.
        """
        begun = self.ledger.links.take(state, now=now)
        if begun is None:
            raise RefusedError("state")
        tokens = self.provider.exchange(code, begun.verifier)
        claims = self._of_id_token(tokens.id_token, now)
        if not hmac.compare_digest(str(claims.get("nonce", "")).encode(), begun.nonce.encode()):
            raise RefusedError("nonce")
        return self._user(claims, now), tokens.refresh, begun

    def still_here(self, token: str, session: Session, now: int) -> bool:
        """Whether a session from the provider holds; asks it where that was long ago."""
        assert session.checked_at is not None
        age = now - session.checked_at
        if age < self.limit_micros // 2:
            return True
        mine, kept = self.ledger.links.claim(token, now=now)
        if not mine:
            return True  # another request is asking at this moment
        try:
            self._check(token, session, kept, now)
        except ProviderDownError as error:
            _log.warning("%s", error)
            self.ledger.links.not_checked(token)
            return age < self.limit_micros
        except RefusedError as error:
            _log.info("a session is over: %s", error)
            self.ledger.sign_ins.end_session(token)
            return False
        return True

    def _check(self, token: str, session: Session, kept: str | None, now: int) -> None:
        refresh = _opened(token, kept)
        if refresh is None:
            raise RefusedError("no refresh token")
        tokens = self.provider.refresh(refresh)
        user = self._user(self._of_id_token(tokens.id_token, now), now)
        if user.user_id != session.user.user_id:
            raise RefusedError("another subject")
        self.ledger.links.checked(token, sealed(token, tokens.refresh or refresh), now=now)

    # -- at the API --------------------------------------------------------------------------------
    def bearer(self, token: str, now: int) -> User | None:
        """Whose access token it is; None = nobody's, or nobody's who may come in.

        It holds for `NEXTBEST_OIDC_MINUTES` from when it was made, however long the provider means it to, so
        that who has left is out. An identity token, which is meant for the page, is not accepted.

        Raises ProviderDownError.
        """
        audience = self.settings.oidc_audience
        if audience is None or token.count(".") != 2:
            return None
        try:
            claims = self.provider.claims(token, audience=audience, now=now)
            until = min(claims["iat"] + self.limit_micros / 1e6, claims["exp"]) + SKEW_SECONDS
            if "nonce" in claims or now / 1e6 > until:
                raise RefusedError("age or kind")
            return replace(self._user(claims, now), until=round(until * 1e6))
        except RefusedError as error:
            _log.info("a token was refused: %s", error)
            return None

    # -- both --------------------------------------------------------------------------------------
    def _of_id_token(self, token: str, now: int) -> Claims:
        claims = self.provider.claims(token, audience=self.provider.client_id, now=now)
        if claims.get("azp", self.provider.client_id) != self.provider.client_id:
            raise RefusedError("authorized party")
        return claims

    def _user(self, claims: Claims, now: int) -> User:
        """The colleague whom the claims are about, with the role of her group. Raises RefusedError."""
        role, subject = self._role(claims), str(claims["sub"])
        known = self.ledger.links.user(self.provider.issuer, subject)
        if known is not None and known.role == role:
            return known
        user_id = known.user_id if known else self._user_id(claims)
        wanted = User(user_id, str(claims.get("name") or user_id)[:200], role)
        try:
            return self.ledger.links.settle(self.provider.issuer, subject, wanted, now=now)
        except (ConflictError, UnknownError) as error:
            raise RefusedError(type(error).__name__) from None

    def _role(self, claims: Claims) -> str:
        """Of the first group of the settings in which she is; without one nobody comes in."""
        said = claims.get(self.settings.oidc_groups_claim)
        groups = [said] if isinstance(said, str) else said if isinstance(said, list) else []
        for group, role in self.settings.oidc_roles.items():
            if group in groups:
                return role
        raise RefusedError("no group")

    def _user_id(self, claims: Claims) -> str:
        name = self.settings.oidc_user_claim
        found = claims.get(name)
        if not isinstance(found, str) or not 0 < len(found) <= 200:
            raise RefusedError("user claim")
        if name == "email" and claims.get("email_verified") is not True:
            raise RefusedError("e-mail not verified")
        return found


def _box(token: str) -> Fernet:
    return Fernet(base64.urlsafe_b64encode(hashlib.sha256(b"refresh\0" + token.encode()).digest()))


def sealed(token: str, refresh: str | None) -> str | None:
    """A refresh token as it is kept beside the session with that token."""
    return None if refresh is None else _box(token).encrypt(refresh.encode()).decode()


def _opened(token: str, kept: str | None) -> str | None:
    try:
        return None if kept is None else _box(token).decrypt(kept.encode()).decode()
    except InvalidToken:
        return None
