"""Templates to pages: one environment per language, and what every page needs."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from api.access import may_read_all
from api.page.catalogues import SOURCE_LANGUAGE, languages, translations
from api.page.words import Words
from api.reading import reader_of, zone_of
from api.service import Service
from data.ledger.types import Session, User
from engine.wording import Reader

WEB = Path(__file__).parents[1] / "web"
STATIC = WEB / "static"
LANGUAGE_NAMES: Mapping[str, str] = {"en": "English", "ar": "العربية", "fa": "فارسی"}
REFRESH_HEADER = "X-Refresh"
LANGUAGE_COOKIE = "language"
"""Of who has not signed in."""


def words_for(user: User, service: Service) -> Words:
    """How values are said to a user now."""
    return Words(reader_of(user, service))


def words_of_visitor(request: Request, service: Service) -> Words:
    """How values are said to who has not signed in: as chosen, else as the browser wants it."""
    asked = [request.query_params.get(LANGUAGE_COOKIE), request.cookies.get(LANGUAGE_COOKIE)]
    asked += [part.split(";")[0].split("-")[0].strip() for part in
              request.headers.get("accept-language", "").split(",")]  # fmt: skip
    language = next((one for one in asked if one in languages()), SOURCE_LANGUAGE)
    playbook = service.decider().playbook
    return Words(Reader(language, service.clock(), zone_of(User("", "", ""), playbook), playbook))


def show(request: Request, user: User, service: Service, template: str, **context: Any) -> HTMLResponse:
    """A page for a user who has signed in, with what she is to be told of what she has just done."""
    session: Session | None = request.state.session
    # A script that renews the lists behind the page must not take away what she has not read yet.
    said = session.said if session and REFRESH_HEADER not in request.headers else None
    if said:
        token = request.cookies[request.app.state.signing_in.cookie]
        service.ledger.sign_ins.say_next(token, None)
    words = words_for(user, service)
    everything: dict[str, Any] = {
        "user": user, "csrf": session.csrf if session else "", "told": said or {},
        "leads": bool(service.ledger.managed(user.user_id)), "reads_all": may_read_all(user),
        "path": request.url.path,
    }  # fmt: skip
    return render(words, template, **everything, **context)


def render(words: Words, template: str, *, status: int = HTTPStatus.OK, **context: Any) -> HTMLResponse:
    """A page in a language."""
    found = _environment(words.language).get_template(template)
    text = found.render(w=words, language_names=LANGUAGE_NAMES, **context)
    return HTMLResponse(text, status, {"Cache-Control": "no-store"})


@cache
def _environment(language: str) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(WEB / "templates"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.i18n"],
    )  # fmt: skip
    install: Any = environment
    install.install_gettext_translations(translations(language), newstyle=True)
    environment.globals["static"] = static_address
    return environment


@cache
def static_address(name: str) -> str:
    """Where a file lies, by its content: a browser keeps it for good."""
    content = hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]
    return f"/static/{name}?v={content}"
