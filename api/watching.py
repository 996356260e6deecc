"""Around every request: its id, its line in the log, its figures, and an answer whatever goes wrong."""

from __future__ import annotations

import logging
import re
import time
from http import HTTPStatus
from uuid import uuid4

from fastapi import FastAPI
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.audit import seen
from api.logs import FIELDS, REQUEST_ID
from api.metrics import Metrics
from api.problems import problem

HEADER = b"x-request-id"
_GIVEN = re.compile(rb"[A-Za-z0-9._-]{1,128}")
_log = logging.getLogger("nextbest.requests")

GONE = 499
"""In the log and the figures alone: the client had gone before it was answered."""


class WatchedApp(FastAPI):
    """The application with all that it is made of inside `Watch`: also what answers unexpected errors."""

    metrics: Metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, or the start and end of the whole."""
        if scope["type"] == "http":
            await Watch(super().__call__, self.metrics)(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


class Watch:
    """Watches one request."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics
        self._status, self._began, self._stream = 0, time.perf_counter(), False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass it on; what is raised has been answered and is logged here."""
        request_id = _request_id(scope)
        reset = REQUEST_ID.set(request_id)

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._status = message["status"]
                headers = [pair for pair in message.get("headers", ()) if pair[0].lower() != HEADER]
                message = {**message, "headers": [*headers, (HEADER, request_id.encode())]}
                self._opens_stream(headers)
            await send(message)

        try:
            await self._app(scope, receive, answer)
        except ClientDisconnect:
            self._status = GONE
        except Exception:
            _log.exception("unexpected error", extra={FIELDS: {"route": _route(scope)}})
            if not self._status:
                await _unexpected()(scope, receive, answer)
        finally:
            self._done(scope)
            REQUEST_ID.reset(reset)

    def _opens_stream(self, headers: list[tuple[bytes, bytes]]) -> None:
        kinds = [value for name, value in headers if name.lower() == b"content-type"]
        self._stream = any(kind.startswith(b"text/event-stream") for kind in kinds)
        if self._stream:
            self._metrics.streams.inc()

    def _done(self, scope: Scope) -> None:
        seconds = time.perf_counter() - self._began
        route, status = _route(scope), self._status or GONE
        if self._stream:
            self._metrics.streams.dec()
        self._metrics.request(scope["method"], route, status, None if self._stream else seconds)
        fields = {"method": scope["method"], "route": route, "status": status,
                  "milliseconds": round(seconds * 1000, 1)}  # fmt: skip
        self._audit(scope, route, status)
        _log.info("request", extra={FIELDS: fields})

    @staticmethod
    def _audit(scope: Scope, route: str, status: int) -> None:
        state = scope["app"].state if "app" in scope else None
        if state is not None and (entry := seen(scope, route, status, state.service.clock())) is not None:
            state.trail.add(entry)


def _request_id(scope: Scope) -> str:
    """What the sender calls it, where that is plain; else a name of our own."""
    given = next((value for name, value in scope["headers"] if name == HEADER), b"")
    return given.decode() if _GIVEN.fullmatch(given) else uuid4().hex


def _route(scope: Scope) -> str:
    """The template, not the path: paths carry ids."""
    return str(getattr(scope.get("route"), "path", "none"))


def _unexpected() -> ASGIApp:
    return problem(HTTPStatus.INTERNAL_SERVER_ERROR, "Something went wrong on our side; it has been logged.")
