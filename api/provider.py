"""A provider of OpenID Connect: where it is, its keys, and what its tokens say.

Nothing it says is believed without a signature by one of its keys, made for us, in time. Its addresses come
from its own discovery document; answers are small, come within seconds, and redirects are not followed.

Source: OpenID Connect Core 1.0, sections 3.1.2, 3.1.3.7 and 12; RFC 7636 (PKCE, S256); RFC 8725 (JWT).
"""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import Any
from urllib.parse import urlencode, urlsplit

import jwt

from data.home import DataError
from data.settings import Settings, SettingsError

ALGORITHMS = ("RS256", "ES256")
"""With which tokens may be signed: neither `none` nor a shared secret, whatever a token's head says."""
SKEW_SECONDS = 60
"""So far two clocks may be apart."""
KEPT_SECONDS = 600.0
"""After so long addresses and keys are read anew."""
REFETCH_SECONDS = 60.0
"""Keys are read no more often than this, whatever keys tokens name."""
_AGAIN_SECONDS = 3.0
"""A provider that could not be reached is left alone for so long, so that nobody waits in a queue for it."""
_TIMEOUT_SECONDS = 5.0
_MOST_BYTES = 1_000_000

Claims = Mapping[str, Any]


class ProviderDownError(DataError):
    """The provider cannot be asked now."""


class RefusedError(Exception):
    """The provider, or what it says, does not let her in; why is for the log and names nobody."""


@dataclass(frozen=True)
class Tokens:
    """What a code or a refresh token is exchanged for."""

    id_token: str
    refresh: str | None


@dataclass
class Provider:
    """One per process. Made by `Provider.of`."""

    issuer: str
    client_id: str
    client_secret: str | None
    redirect_url: str
    scopes: str
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _read: dict[str, tuple[float, Any]] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, settings: Settings) -> Provider | None:
        """As the settings say; None = none. Raises SettingsError where something is missing or unsafe."""
        if settings.oidc_issuer is None:
            return None
        needed = {"OIDC_CLIENT_ID": settings.oidc_client_id, "OIDC_ROLES": settings.oidc_roles,
                  "PAGE_URL": settings.page_url}  # fmt: skip
        missing = [f"NEXTBEST_{name}" for name, value in needed.items() if not value]
        if missing:
            raise SettingsError(f"NEXTBEST_OIDC_ISSUER needs {' and '.join(missing)} beside it.")
        for name, url in (("OIDC_ISSUER", settings.oidc_issuer), ("PAGE_URL", str(settings.page_url))):
            _require_safe(f"NEXTBEST_{name}", url)
        secret = settings.oidc_client_secret
        return cls(
            issuer=settings.oidc_issuer,
            client_id=str(settings.oidc_client_id),
            client_secret=None if secret is None else secret.get_secret_value(),
            redirect_url=f"{str(settings.page_url).rstrip('/')}/sign-in/provider/return",
            scopes=settings.oidc_scopes,
        )

    def address(self, *, state: str, nonce: str, verifier: str) -> str:
        """Where to send a browser. Raises ProviderDownError."""
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        query = {
            "response_type": "code", "client_id": self.client_id, "redirect_uri": self.redirect_url,
            "scope": self.scopes, "state": state, "nonce": nonce, "code_challenge": challenge,
            "code_challenge_method": "S256",
        }  # fmt: skip
        where = self._endpoint("authorization_endpoint")
        return f"{where}{'&' if urlsplit(where).query else '?'}{urlencode(query)}"

    def exchange(self, code: str, verifier: str) -> Tokens:
        """The tokens of a code. Raises RefusedError, ProviderDownError."""
        return self._tokens(
            {"grant_type": "authorization_code", "code": code, "code_verifier": verifier,
             "redirect_uri": self.redirect_url}
        )  # fmt: skip

    def refresh(self, refresh: str) -> Tokens:
        """New tokens for a refresh token. Raises RefusedError: she is not to come in any more;
        ProviderDownError."""
        return self._tokens({"grant_type": "refresh_token", "refresh_token": refresh, "scope": self.scopes})

    def claims(self, token: str, *, audience: str, now: int) -> Claims:
        """What a token says, if it is the provider's, for that audience and valid now (microseconds UTC).

        Raises RefusedError, ProviderDownError.
        """
        try:
            head = jwt.get_unverified_header(token)
            if head.get("alg") not in ALGORITHMS:
                raise RefusedError("algorithm")
            claims: dict[str, Any] = jwt.decode(
                token, self._key(head.get("kid"), str(head["alg"])), algorithms=list(ALGORITHMS),
                audience=audience, issuer=self.issuer,
                options={"require": ["exp", "iat", "iss", "sub", "aud"], "verify_exp": False,
                         "verify_iat": False, "verify_nbf": False},
            )  # fmt: skip
        except jwt.PyJWTError as error:
            raise RefusedError(type(error).__name__) from None
        _require_timely(claims, now / 1e6)
        if not isinstance(claims["sub"], str) or not claims["sub"]:
            raise RefusedError("subject")
        return claims

    # -- what it publishes -------------------------------------------------------------------------
    def _endpoint(self, name: str) -> str:
        found = self._document(f"{self.issuer.rstrip('/')}/.well-known/openid-configuration")
        if found.get("issuer") != self.issuer:
            raise ProviderDownError(
                "The sign-in provider says that it is another one; see NEXTBEST_OIDC_ISSUER."
            )
        where = found.get(name)
        if not isinstance(where, str):
            raise ProviderDownError(f"The sign-in provider does not say where its {name} is.")
        _require_safe(name, where)
        return where

    def _key(self, key_id: str | None, algorithm: str) -> Any:
        """The key that a token names; of one that is not known the keys are read anew, not too often."""
        where = self._endpoint("jwks_uri")
        found = _choose(self._document(where), key_id, algorithm)
        if found is None:
            found = _choose(self._document(where, older_than=REFETCH_SECONDS), key_id, algorithm)
        if found is None:
            raise RefusedError("key")
        return found.key

    def _document(self, url: str, *, older_than: float = KEPT_SECONDS) -> Any:
        """A published document, from memory while it is young; an old one where there is no other."""
        with self._lock:
            at, known = self._read.get(url, (float("-inf"), None))
            age = time.monotonic() - at
            if age >= (older_than if known is not None else _AGAIN_SECONDS):
                # An old one holds on; of none it is remembered that it is not there.
                with suppress(ProviderDownError, RefusedError):
                    known = _ask(url)
                self._read[url] = (time.monotonic(), known)
            if known is None:
                raise ProviderDownError(_UNREACHABLE)
            return known

    def _tokens(self, form: Mapping[str, str]) -> Tokens:
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        sent = dict(form) | {"client_id": self.client_id}
        if self.client_secret is not None:
            pair = f"{_form(self.client_id)}:{_form(self.client_secret)}"
            headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        where = self._endpoint("token_endpoint")
        found = _ask(where, urlencode(sent).encode(), headers)
        if not isinstance(found.get("id_token"), str):
            raise RefusedError("no id token")
        refresh = found.get("refresh_token")
        return Tokens(found["id_token"], refresh if isinstance(refresh, str) else None)


_UNREACHABLE = "The sign-in provider cannot be reached; try again in a moment."


class _Stay(urllib.request.HTTPRedirectHandler):
    """A provider that sends us elsewhere is not followed."""

    def redirect_request(self, *args: Any, **named: Any) -> None:
        """Never."""


_opener = urllib.request.build_opener(_Stay)


def _ask(url: str, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The JSON object that is answered. Raises RefusedError for a refusal, else ProviderDownError."""
    # The address was checked where it came from: https, or this machine.
    request = urllib.request.Request(url, body, {"Accept": "application/json", **(headers or {})})  # noqa: S310
    try:
        with _opener.open(request, timeout=_TIMEOUT_SECONDS) as answer:
            found = json.loads(answer.read(_MOST_BYTES))
    except urllib.error.HTTPError as error:
        error.close()
        if error.code in (400, 401, 403):
            raise RefusedError(f"status {error.code}") from None
        raise ProviderDownError(_UNREACHABLE) from None
    except (OSError, HTTPException, ValueError):
        raise ProviderDownError(_UNREACHABLE) from None
    if not isinstance(found, dict):
        raise ProviderDownError(_UNREACHABLE)
    return found


def _choose(document: Any, key_id: str | None, algorithm: str) -> jwt.PyJWK | None:
    """A signing key of the kind that the algorithm needs; without an id only where there is no choice."""
    kind = {"RS256": "RSA", "ES256": "EC"}[algorithm]
    listed = document.get("keys") if isinstance(document, dict) else None
    fit = [key for key in listed or () if isinstance(key, dict) and key.get("kty") == kind
           and key.get("use", "sig") == "sig" and key.get("alg", algorithm) == algorithm]  # fmt: skip
    fit = [key for key in fit if key.get("kid") == key_id] if key_id is not None else fit
    if len(fit) != 1:
        return None
    return jwt.PyJWK(fit[0], algorithm)


def _require_timely(claims: Claims, now: float) -> None:
    """Seconds since 1970."""
    times = [claims["exp"], claims["iat"], claims.get("nbf", 0)]
    if not all(isinstance(one, int | float) for one in times):
        raise RefusedError("times")
    if now >= claims["exp"] + SKEW_SECONDS:
        raise RefusedError("expired")
    if max(times[1:]) > now + SKEW_SECONDS:
        raise RefusedError("not yet valid")


def _require_safe(name: str, url: str) -> None:
    parts = urlsplit(url)
    local = parts.hostname in ("127.0.0.1", "localhost", "::1")
    if parts.scheme != "https" and not (parts.scheme == "http" and local):
        raise SettingsError(f"{name}: got {url!r}, need an address that begins with https://.")


def _form(text: str) -> str:
    return urlencode({"": text})[1:]
