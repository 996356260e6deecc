"""A request sent twice acts once: the header Idempotency-Key, for tablets that send again when they are back.

The key is taken before the request acts and the answer kept before it goes out. What was refused or failed
gives the key back; what was cut off in between is, after a minute, asked of the verb itself again, and each
verb knows its repetition.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Header, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.access import Serving, SignedIn
from api.problems import problem
from data.ledger.ledger import Ledger
from data.ledger.requests import Replied

_HELD, _KEY = "nextbest.request", b"idempotency-key"
REPLAYED = {"Idempotency-Replayed": "true"}

Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=200,
        description="Of the sender's choice, one per request; sent twice, the request acts once.",
    ),
]


@dataclass
class _Held:
    """The key that a request holds while it is under way."""

    ledger: Ledger | None = None
    user_id: str = ""
    key: str = ""


class RepeatedError(Exception):
    """It was answered before."""

    def __init__(self, replied: Replied) -> None:
        super().__init__("answered before")
        self.replied = replied


async def _take_key(request: Request, user: SignedIn, service: Serving, key: Key = None) -> None:
    if key is None:
        return
    said = json.dumps([request.method, request.url.path, request.url.query]).encode()
    content_hash = hashlib.sha256(said + await request.body()).hexdigest()
    ledger = service.ledger
    replied = await run_in_threadpool(
        ledger.begin_request, user.user_id, key, content_hash=content_hash, now=service.clock()
    )
    if replied is not None:
        raise RepeatedError(replied)
    held: _Held = request.scope[_HELD]
    held.ledger, held.user_id, held.key = ledger, user.user_id, key


ONCE = Depends(_take_key)
"""Belongs to every request that changes something: `@router.post(..., dependencies=[ONCE])`."""


def act_once(app: FastAPI) -> None:
    """Keep answers under their keys, and give them again."""
    app.add_exception_handler(RepeatedError, _answer_again)
    app.add_middleware(KeepAnswers)


async def _answer_again(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RepeatedError)
    if error.replied.body is None:
        return problem(HTTPStatus.CONFLICT, "It was done before; what was answered then has been erased.")
    return JSONResponse(error.replied.body, error.replied.status, REPLAYED)


class KeepAnswers:
    """Keeps the answer of a request that holds a key, before it goes out."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on whatever brings no key."""
        if scope["type"] != "http" or all(name != _KEY for name, _ in scope["headers"]):
            await self.app(scope, receive, send)
            return
        held = scope[_HELD] = _Held()
        waiting: list[Message] = []

        async def keep_then_send(message: Message) -> None:
            if held.ledger is None:
                await send(message)
                return
            waiting.append(message)
            if message["type"] == "http.response.body" and not message.get("more_body"):
                await _keep(held, waiting)
                for one in waiting:
                    await send(one)

        try:
            await self.app(scope, receive, keep_then_send)
        except Exception:
            await _give_up(held)
            raise


async def _keep(held: _Held, messages: list[Message]) -> None:
    status = messages[0]["status"]
    if not 200 <= status < 300:
        await _give_up(held)
        return
    body: Any = json.loads(b"".join(one.get("body", b"") for one in messages))
    ledger, held.ledger = held.ledger, None
    assert ledger is not None
    await run_in_threadpool(ledger.finish_request, held.user_id, held.key, status=status, body=body)


async def _give_up(held: _Held) -> None:
    ledger, held.ledger = held.ledger, None
    if ledger is not None:
        await run_in_threadpool(ledger.give_up_request, held.user_id, held.key)
