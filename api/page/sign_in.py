"""Signing in and out, and the language of the page."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import Form, Request, Response
from fastapi.responses import RedirectResponse

from api.access import PUBLIC, OwnSession, Serving, SignedIn, SigningInHere, may
from api.page.catalogues import languages
from api.page.rendering import LANGUAGE_COOKIE, render, words_of_visitor
from api.page.routing import back, own_path, page_router
from api.problems import HttpProblem
from api.service import Service
from api.signing_in import SigningIn, TooManyError

router = page_router()

Short = Annotated[str, Form(max_length=300)]


@router.get("/", dependencies=[PUBLIC])
def start() -> Response:
    """My day is where everybody begins."""
    return RedirectResponse("/day", HTTPStatus.SEE_OTHER)


@router.get("/sign-in", dependencies=[PUBLIC])
def ask(
    request: Request, service: Serving, session: OwnSession, signing_in: SigningInHere, next: str = ""
) -> Response:
    """The form; who has signed in already goes on."""
    if session is not None:
        return RedirectResponse(own_path(next), HTTPStatus.SEE_OTHER)
    return sign_in_form(request, service, signing_in, next=next)


@router.post("/sign-in", dependencies=[PUBLIC])
def sign_in(
    request: Request, *, service: Serving, signing_in: SigningInHere, user_id: Short = "",
    password: Annotated[str, Form(max_length=2000)] = "", next: Short = "",
) -> Response:  # fmt: skip
    """A new session where user and password are right."""
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise HttpProblem(HTTPStatus.FORBIDDEN, "The form comes from another site.")
    if not signing_in.settings.local_sign_in:
        raise HttpProblem(HTTPStatus.FORBIDDEN, "Passwords are not taken here; sign in by the provider.")
    address = request.client.host if request.client else ""
    before = request.cookies.get(signing_in.cookie)
    try:
        token = signing_in.sign_in(
            user_id.strip(), password, address=address, before=before, now=service.clock()
        )
    except TooManyError:
        return sign_in_form(
            request, service, signing_in, user_id=user_id, next=next, status=HTTPStatus.TOO_MANY_REQUESTS
        )
    if token is None:
        return sign_in_form(
            request, service, signing_in, user_id=user_id, next=next, status=HTTPStatus.UNAUTHORIZED
        )
    return with_session(signing_in, token, own_path(next))


def with_session(signing_in: SigningIn, token: str, next_path: str) -> Response:
    """On to a page of ours, with the cookie of a new session."""
    answer = RedirectResponse(next_path, HTTPStatus.SEE_OTHER)
    answer.set_cookie(
        signing_in.cookie, token, max_age=round(signing_in.settings.session_hours * 3600),
        httponly=True, secure=signing_in.secure, samesite="lax", path="/",
    )  # fmt: skip
    return answer


@router.post("/sign-out", dependencies=[may("own")])
def sign_out(request: Request, *, user: SignedIn, service: Serving, signing_in: SigningInHere) -> Response:
    """The session is over, here and wherever its cookie was copied to."""
    service.ledger.sign_ins.end_session(request.cookies.get(signing_in.cookie, ""))
    answer = RedirectResponse("/sign-in", HTTPStatus.SEE_OTHER)
    answer.delete_cookie(signing_in.cookie, path="/", secure=signing_in.secure, httponly=True, samesite="lax")
    return answer


@router.post("/language", dependencies=[may("own")])
def choose_language(request: Request, *, user: SignedIn, service: Serving, language: Short) -> Response:
    """The page, and every sentence on it, from now on in another language."""
    if language in languages():
        service.ledger.sign_ins.choose_language(user.user_id, language)
    return back(request, {})


def sign_in_form(
    request: Request, service: Service, signing_in: SigningIn, *, user_id: str = "", next: str = "",
    status: HTTPStatus = HTTPStatus.OK,
) -> Response:  # fmt: skip
    """The ways in that the settings allow, and why the last attempt came to nothing."""
    words = words_of_visitor(request, service)
    answer = render(
        words, "sign_in.html", status=status, problem=int(status), user_id=user_id, next=next,
        local=signing_in.settings.local_sign_in, by_provider=signing_in.provider is not None,
    )  # fmt: skip
    answer.set_cookie(LANGUAGE_COOKIE, words.language, max_age=31_536_000, httponly=True, samesite="lax")
    return answer
