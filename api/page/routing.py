"""Routes of the page: what goes wrong is said in words, and who has not signed in is asked to."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlsplit

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse
from fastapi.routing import APIRoute

from api.page.rendering import render, words_for, words_of_visitor
from api.problems import HttpProblem, status_of
from data.home import DataError
from engine.records import EngineError

_log = logging.getLogger("nextbest.page")
_KNOWN = (HttpProblem, HTTPException, RequestValidationError, DataError, EngineError)


class PageRoute(APIRoute):
    """A route that answers with a page also when it cannot do what was asked."""

    def get_route_handler(self) -> Callable[[Request], Awaitable[Response]]:  # type: ignore[override]
        """The handler with errors put into words."""
        handle = super().get_route_handler()

        async def handled(request: Request) -> Response:
            try:
                return await handle(request)
            except _KNOWN as error:
                return await run_in_threadpool(_explain, request, error)

        return handled


def page_router() -> APIRouter:
    """A router of pages: not part of the API's description."""
    return APIRouter(route_class=PageRoute, include_in_schema=False)


def _explain(request: Request, error: Exception) -> Response:
    """Ask to sign in; after a form, back to the page with what went wrong; else a page that says it."""
    status = status_of(error)
    if status == HTTPStatus.UNAUTHORIZED:
        return RedirectResponse(f"/sign-in?next={quote(_here(request))}", HTTPStatus.SEE_OTHER)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        _log.error("%s %s: %s", request.method, request.scope["route"].path, error)
    # Of what the API says only sentences that were put into the reader's language are repeated.
    said = error.detail if isinstance(error, HttpProblem) and error.for_reader else ""
    session = getattr(request.state, "session", None)
    if request.method == "POST" and session is not None and status != HTTPStatus.FORBIDDEN:
        return back(request, {"error": status, "detail": said})
    service = request.app.state.service
    words = words_for(session.user, service) if session else words_of_visitor(request, service)
    return render(words, "problem.html", status=status, problem=status, detail=said)


def back(request: Request, said: dict[str, Any], to: str = "") -> Response:
    """To the page from which a form was sent, or another one of ours, with something to tell there."""
    service, signing_in = request.app.state.service, request.app.state.signing_in
    if (token := request.cookies.get(signing_in.cookie)) is not None:
        service.ledger.sign_ins.say_next(token, said)
    return RedirectResponse(to or own_path(request.headers.get("referer", "")), HTTPStatus.SEE_OTHER)


def own_path(address: str) -> str:
    """The path of an address, which cannot lead to another host."""
    parts = urlsplit(address)
    path = "/" + parts.path.lstrip("/\\")
    if path in ("/", "/sign-in") or "\\" in path:
        return "/day"
    return f"{path}?{parts.query}" if parts.query else path


def _here(request: Request) -> str:
    if request.method != "GET":
        return own_path(request.headers.get("referer", ""))
    return own_path(str(request.url))
