"""The service as an application: the one place where its parts are joined."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from anyio import CapacityLimiter
from fastapi import FastAPI

from api.audit import Trail
from api.decider import LiveDecider
from api.described import describe
from api.limits import Limits
from api.metrics import Metrics
from api.once import act_once
from api.page.install import install_page
from api.problems import install
from api.provider import Provider
from api.provider_sign_in import ProviderSignIn
from api.routes import (
    accounts,
    contacts,
    dismissals,
    events,
    explanations,
    hand_overs,
    health,
    persons,
    plan,
    preferences,
    releases,
    stand_ins,
    stops,
    stream,
    suggestions,
    twins,
    what_if,
)
from api.service import Service
from api.signing_in import SigningIn, reached_over_https
from api.stream import Feed
from api.watching import WatchedApp
from data.ledger.ledger import Ledger
from data.settings import Settings
from data.times import now_micros
from engine.playbook import Playbook


def _by_provider(ledger: Ledger, settings: Settings, playbook: Playbook) -> ProviderSignIn | None:
    """Raises SettingsError."""
    provider = Provider.of(settings)
    if provider is None:
        return None
    found = ProviderSignIn(provider, ledger, settings)
    found.require_roles(playbook)
    return found


def create_app(settings: Settings, *, clock: Callable[[], int] = now_micros) -> FastAPI:
    """The application on a home's ledger, history and releases.

    Args:
        clock: Microseconds UTC; given by tests.

    Raises (when it starts): what is wrong with ledger, history, playbook or release, in one line.
    """

    metrics = Metrics()

    def counted(what: str, of: str) -> None:
        metrics.event(of) if what == "event" else metrics.decided(of)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        home = settings.as_home()
        ledger = Ledger.open(home)
        try:
            decider = LiveDecider(home, ledger, settings.playbook, settings.seed)
            playbook = decider().playbook
            app.state.signing_in = SigningIn(ledger, settings, _by_provider(ledger, settings, playbook))
            app.state.live, app.state.home = decider, home
            app.state.service = Service(ledger, decider, clock, counted, home.models, held=decider.held)
            app.state.feed = Feed(app.state.service)
            app.state.working = CapacityLimiter(1)
            trail = app.state.trail = Trail(ledger.audit)
            try:
                yield
            finally:
                trail.close()
        finally:
            ledger.close()

    app = WatchedApp(
        title="nextbest",
        summary="What to do next for every account, through which channel, by whom - and why.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
    )
    app.metrics = metrics
    app.state.limits = Limits.of(settings)
    install(app, max_body_bytes=settings.max_body_bytes)
    act_once(app)
    # What is asked most comes first: a request is compared with one after the other. Routes and not routers:
    # FastAPI compares twice with what is in a router that is included.
    for part in (
        suggestions,
        events,
        what_if,
        accounts,
        preferences,
        contacts,
        explanations,
        dismissals,
        hand_overs,
        stops,
        releases,
        plan,
        twins,
        stand_ins,
        persons,
        stream,
        health,
    ):
        app.routes.extend(part.router.routes)
    app.routes.extend(health.metrics_router.routes)
    install_page(app, secure=reached_over_https(settings))
    describe(app, app.state.limits)
    return app
