"""What browsers are told to allow: nothing from other hosts, no script or style but our files, no frames."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_HSTS = "max-age=31536000; includeSubDomains"
_KEPT_FOR_GOOD = (b"cache-control", b"public, max-age=31536000, immutable")


class Headers:
    """Adds them to every answer; an answer that sets one itself keeps its own."""

    def __init__(self, app: ASGIApp, secure: bool) -> None:
        self.app = app
        headers = _HEADERS | ({"Strict-Transport-Security": _HSTS} if secure else {})
        self.headers = [(name.lower().encode(), value.encode()) for name, value in headers.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, with headers."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        versioned = scope["path"].startswith("/static/") and scope["query_string"].startswith(b"v=")

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = list(message.get("headers", ()))
                if versioned and message["status"] == 200:
                    own = [*(pair for pair in own if pair[0] != _KEPT_FOR_GOOD[0]), _KEPT_FOR_GOOD]
                set_already = {name for name, _ in own}
                message["headers"] = [*own, *(pair for pair in self.headers if pair[0] not in set_already)]
            await send(message)

        await self.app(scope, receive, with_headers)
