"""A small provider of OpenID Connect on this machine, that can be told to misbehave."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from tests.api.company import Clock

CLIENT, SECRET, AUDIENCE = "nextbest", "s3cret/+", "nextbest-api"


@dataclass
class SmallProvider:
    """What it knows: its keys, who is who there, codes and refresh tokens that it gave away."""

    clock: Clock
    issuer: str = ""
    algorithm: str = "RS256"
    people: dict[str, dict[str, Any]] = field(default_factory=dict)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    refreshes: dict[str, str] = field(default_factory=dict)
    gives_refresh: bool = True
    nonce: str | None = None
    at_the_door: str = ""
    asked: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rotate("k1")

    def rotate(self, key_id: str, algorithm: str = "RS256") -> None:
        """Another key, published in place of the one before."""
        self.key_id, self.algorithm = key_id, algorithm
        self.key: Any = (
            rsa.generate_private_key(65537, 2048) if algorithm == "RS256"
            else ec.generate_private_key(ec.SECP256R1())
        )  # fmt: skip

    @property
    def published(self) -> dict[str, Any]:
        of = jwt.get_algorithm_by_name(self.algorithm)
        public = json.loads(of.to_jwk(self.key.public_key()))  # type: ignore[attr-defined]
        return public | {"kid": self.key_id, "use": "sig", "alg": self.algorithm}

    def token(self, subject: str, *, key: Any = None, algorithm: str | None = None, key_id: str | None = None,
              **others: Any) -> str:  # fmt: skip
        """A token about somebody; whatever is given holds, None leaves a claim out."""
        now = self.clock() // 1_000_000
        claims = {"iss": self.issuer, "sub": subject, "aud": AUDIENCE, "iat": now, "exp": now + 300}
        said = {k: v for k, v in (claims | self.people.get(subject, {}) | others).items() if v is not None}
        head = {"kid": key_id or self.key_id}
        return jwt.encode(said, key or self.key, algorithm or self.algorithm, headers=head)

    def come_back(self, address: str, subject: str) -> dict[str, str]:
        """Somebody signs in at the address to which she was sent; what her browser brings back."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        code = secrets.token_hex(8)
        self.codes[code] = asked | {"subject": subject}
        return {"code": code, "state": asked["state"]}

    def answer(self, path: str, form: dict[str, str], authorization: str) -> tuple[int, Any]:
        self.asked.append(path)
        if path == "/.well-known/openid-configuration":
            return 200, {"issuer": self.issuer, "jwks_uri": f"{self.issuer}/keys",
                         "authorization_endpoint": f"{self.issuer}/authorize",
                         "token_endpoint": f"{self.issuer}/token"}  # fmt: skip
        if path == "/keys":
            return 200, {"keys": [{"kty": "oct", "k": "AAAA", "kid": "shared"}, self.published]}
        pair = base64.b64decode(authorization.removeprefix("Basic ")).decode()
        if pair != f"{CLIENT}:s3cret%2F%2B":
            return 401, {"error": "invalid_client"}
        if form["grant_type"] == "refresh_token":
            subject = self.refreshes.pop(form["refresh_token"], None)
            return self._granted(subject, {}) if subject in self.people else (400, {"error": "invalid_grant"})
        begun = self.codes.pop(form["code"], None)
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if begun is None or begun["code_challenge"] != challenge:
            return 400, {"error": "invalid_grant"}
        return self._granted(begun["subject"], {"nonce": self.nonce or begun["nonce"]})

    def _granted(self, subject: str | None, others: dict[str, str]) -> tuple[int, Any]:
        assert subject is not None
        found = {"id_token": self.token(subject, aud=CLIENT, **others), "token_type": "Bearer"}
        if self.gives_refresh:
            refresh = secrets.token_hex(8)
            self.refreshes[refresh] = subject
            found["refresh_token"] = refresh
        return 200, found


@contextmanager
def providing(clock: Clock) -> Iterator[SmallProvider]:
    """It listens until the block ends."""
    provider = SmallProvider(clock)

    class Answering(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path.startswith("/authorize?"):
                self.sent_back()
                return
            length = int(self.headers.get("content-length", 0))
            form = {k: v[0] for k, v in parse_qs(self.rfile.read(length).decode()).items()}
            status, body = provider.answer(self.path, form, self.headers.get("authorization", ""))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        do_POST = do_GET  # noqa: N815

        def sent_back(self) -> None:
            """Who is at the door signs in without a word, and her browser goes back."""
            (wanted,) = parse_qs(urlsplit(self.path).query)["redirect_uri"]
            brought = provider.come_back(self.path, provider.at_the_door)
            self.send_response(303)
            self.send_header("Location", f"{wanted}?{urlencode(brought)}")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    provider.issuer = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield provider
    server.shutdown()
    server.server_close()
    thread.join()
