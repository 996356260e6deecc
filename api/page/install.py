"""The page joined to the application."""

from __future__ import annotations

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles

from api.page import account, day, hand_over, office, offline, plan, provider, sign_in, suggestion, team
from api.page.headers import Headers
from api.page.rendering import STATIC


def install_page(app: FastAPI, *, secure: bool) -> None:
    """Add the pages, their files and the headers of every answer."""
    for part in (sign_in, provider, day, plan, suggestion, account, hand_over, office, offline, team):
        app.routes.extend(part.router.routes)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    app.add_middleware(Headers, secure=secure)
