"""Errors as RFC 9457 problems: the status belongs to the class of the error, the sentence to the error."""

from __future__ import annotations

import logging
from http import HTTPStatus

from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.logs import REQUEST_ID
from data.home import DataError
from data.ledger.types import ConflictError, LedgerError, UnknownError
from engine.records import EngineError

MEDIA_TYPE = "application/problem+json"

_log = logging.getLogger("nextbest.api")

_STATUS: tuple[tuple[type[Exception], HTTPStatus], ...] = (
    (UnknownError, HTTPStatus.NOT_FOUND),
    (ConflictError, HTTPStatus.CONFLICT),
    (LedgerError, HTTPStatus.SERVICE_UNAVAILABLE),
    (DataError, HTTPStatus.SERVICE_UNAVAILABLE),
    (EngineError, HTTPStatus.UNPROCESSABLE_ENTITY),
)


class Problem(BaseModel):
    """What went wrong (RFC 9457)."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: list[dict[str, str]] | None = None
    request_id: str | None = None


class HttpProblem(Exception):  # noqa: N818 - an answer, not a fault of ours
    """A problem to answer with; `for_reader`: its detail is in the language of who asked."""

    def __init__(
        self, status: HTTPStatus, detail: str, headers: dict[str, str] | None = None, *,
        for_reader: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(detail)
        self.status, self.detail, self.headers, self.for_reader = status, detail, headers, for_reader


def problem(
    status: int,
    detail: str,
    *,
    errors: list[dict[str, str]] | None = None,
    headers: dict[str, str] | None = None,
) -> JSONResponse:
    """The answer for a problem."""
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers = {"Retry-After": "1", **(headers or {})}
    body = Problem(
        title=HTTPStatus(status).phrase, status=status, detail=detail, errors=errors,
        request_id=REQUEST_ID.get() or None,
    )  # fmt: skip
    return JSONResponse(body.model_dump(exclude_none=True), status, headers, media_type=MEDIA_TYPE)


def install(app: FastAPI, *, max_body_bytes: int) -> None:
    """Answer every error as a problem, and refuse bodies that are too large."""
    app.add_exception_handler(HttpProblem, _of_http_problem)
    app.add_exception_handler(StarletteHTTPException, _of_http_exception)
    app.add_exception_handler(RequestValidationError, _of_validation)
    app.add_exception_handler(DataError, _of_known)
    app.add_exception_handler(EngineError, _of_known)
    app.add_exception_handler(Exception, _of_unknown)
    app.add_middleware(BodyLimit, max_bytes=max_body_bytes)


async def _of_http_problem(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HttpProblem)
    return problem(error.status, error.detail, headers=error.headers)


async def _of_http_exception(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, StarletteHTTPException)
    return problem(error.status_code, str(error.detail), headers=dict(error.headers or {}) or None)


async def _of_validation(request: Request, error: Exception) -> JSONResponse:
    """What was sent is not repeated: it may be personal."""
    assert isinstance(error, RequestValidationError)
    errors = [{"where": ".".join(map(str, e["loc"])), "what": e["msg"]} for e in error.errors()[:20]]
    first = f"{errors[0]['where']}: {errors[0]['what']}" if errors else "The request is not valid."
    return problem(HTTPStatus.UNPROCESSABLE_ENTITY, first, errors=errors)


def status_of(error: Exception) -> int:
    """The status that an error of ours is answered with."""
    if isinstance(error, HttpProblem):
        return error.status
    if isinstance(error, StarletteHTTPException):
        return error.status_code
    if isinstance(error, RequestValidationError):
        return HTTPStatus.UNPROCESSABLE_ENTITY
    return next(status for kind, status in _STATUS if isinstance(error, kind))


async def _of_known(request: Request, error: Exception) -> JSONResponse:
    status = status_of(error)
    if status is HTTPStatus.SERVICE_UNAVAILABLE:
        _log.error("%s %s: %s", request.method, request.scope["route"].path, error)
    return problem(status, str(error))


async def _of_unknown(request: Request, error: Exception) -> JSONResponse:
    """The log has the details, the answer has not."""
    return problem(HTTPStatus.INTERNAL_SERVER_ERROR, "Something went wrong on our side; it has been logged.")


class BodyLimit:
    """Refuses bodies above `max_bytes`, announced or not, before anything reads them whole."""

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self.app, self.max_bytes = app, max_bytes
        self.said = f"The body is larger than {max_bytes:,} bytes; send less at a time."

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count what arrives."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        announced = dict(scope["headers"]).get(b"content-length", b"0")
        if announced.isdigit() and int(announced) > self.max_bytes:
            await problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, self.said)(scope, receive, send)
            return
        read = 0

        async def counted() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > self.max_bytes:
                # Of this class alone: FastAPI takes any other for a body that cannot be parsed.
                raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, self.said)
            return message

        await self.app(scope, counted, send)
