"""Signing in by the company's own provider: to it, and back with a code."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Annotated

from fastapi import Query, Request, Response
from fastapi.responses import RedirectResponse

from api.access import PUBLIC, Serving, SigningInHere
from api.page.routing import own_path, page_router
from api.page.sign_in import sign_in_form, with_session
from api.problems import HttpProblem
from api.provider import ProviderDownError, RefusedError
from api.signing_in import SigningIn, TooManyError

router = page_router()
_log = logging.getLogger("nextbest.sign_in")

_BACK = "/sign-in/provider/return"
_MINUTES = 10
Said = Annotated[str, Query(max_length=4000)]


@router.get("/sign-in/provider", dependencies=[PUBLIC])
def go(request: Request, service: Serving, signing_in: SigningInHere, next: Said = "") -> Response:
    """To the provider."""
    _require(signing_in)
    address = request.client.host if request.client else ""
    try:
        where, state = signing_in.to_provider(own_path(next), address=address, now=service.clock())
    except TooManyError:
        return sign_in_form(request, service, signing_in, next=next, status=HTTPStatus.TOO_MANY_REQUESTS)
    except ProviderDownError as error:
        _log.warning("%s", error)
        return sign_in_form(request, service, signing_in, next=next, status=HTTPStatus.SERVICE_UNAVAILABLE)
    answer = RedirectResponse(where, HTTPStatus.SEE_OTHER)
    answer.set_cookie(
        _cookie(signing_in), state, max_age=_MINUTES * 60, httponly=True, secure=signing_in.secure,
        samesite="lax", path="/",
    )  # fmt: skip
    return answer


@router.get(_BACK, dependencies=[PUBLIC])
def come_back(
    request: Request, service: Serving, signing_in: SigningInHere, state: Said = "", code: Said = ""
) -> Response:
    """With a code and the state that this browser began with; whatever else comes back does not count."""
    _require(signing_in)
    begun = request.cookies.get(_cookie(signing_in), "")
    before = request.cookies.get(signing_in.cookie)
    try:
        if not state or not code or begun != state:
            raise RefusedError("state")
        token, next_path = signing_in.from_provider(state, code, before=before, now=service.clock())
    except ProviderDownError as error:
        _log.warning("%s", error)
        answer = sign_in_form(request, service, signing_in, status=HTTPStatus.SERVICE_UNAVAILABLE)
    except RefusedError as error:
        _log.info("nobody was let in: %s", error)
        late = str(error) == "state"
        status = HTTPStatus.BAD_REQUEST if late else HTTPStatus.FORBIDDEN
        answer = sign_in_form(request, service, signing_in, status=status)
    else:
        answer = with_session(signing_in, token, next_path)
    answer.delete_cookie(
        _cookie(signing_in), path="/", secure=signing_in.secure, httponly=True, samesite="lax"
    )
    return answer


def _cookie(signing_in: SigningIn) -> str:
    return f"{signing_in.cookie}-provider"


def _require(signing_in: SigningIn) -> None:
    if signing_in.provider is None:
        raise HttpProblem(HTTPStatus.NOT_FOUND, "Nobody signs in here by a provider.")
