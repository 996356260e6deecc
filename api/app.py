"""The service as an application: the one place where its parts are joined."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from fastapi import FastAPI

from api.decider import LiveDecider
from api.once import act_once
from api.page.install import install_page
from api.problems import install
from api.routes import (
    accounts,
    contacts,
    dismissals,
    events,
    explanations,
    hand_overs,
    health,
    plan,
    stops,
    stream,
    suggestions,
    twins,
)
from api.service import Service
from api.signing_in import SigningIn, reached_over_https
from api.stream import Feed
from data.ledger.ledger import Ledger
from data.settings import Settings
from data.times import now_micros


def create_app(settings: Settings, *, clock: Callable[[], int] = now_micros) -> FastAPI:
    """The application on a home's ledger, history and releases.

    Args:
        clock: Microseconds UTC; given by tests.

    Raises (when it starts): what is wrong with ledger, history, playbook or release, in one line.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        home = settings.as_home()
        ledger = Ledger.open(home.ledger_url)
        try:
            decider = LiveDecider(home, ledger, settings.playbook, settings.seed)
            decider()
            app.state.service = Service(ledger, decider, clock)
            app.state.signing_in = SigningIn(ledger, settings)
            app.state.feed = Feed(app.state.service)
            yield
        finally:
            ledger.close()

    app = FastAPI(
        title="nextbest",
        summary="What to do next for every account, through which channel, by whom - and why.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
    )
    install(app)
    act_once(app)
    install_page(app, secure=reached_over_https(settings))
    for part in (
        accounts,
        suggestions,
        contacts,
        explanations,
        dismissals,
        hand_overs,
        stops,
        events,
        plan,
        twins,
        stream,
        health,
    ):
        app.include_router(part.router, prefix="/v1")
    return app
