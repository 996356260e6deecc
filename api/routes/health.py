"""Whether the process lives, whether it can do its work, and its figures."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Literal

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST

from api.access import PUBLIC, Serving, SignedIn, may
from api.decider import Decider
from api.metrics import Metrics
from api.problems import Problem
from api.schemas import AliveOut, ReadyOut
from api.service import Service
from data.home import DataError
from engine.records import EngineError

router = APIRouter(prefix="/v1", tags=["health"])
metrics_router = APIRouter(tags=["health"], responses={s: {"model": Problem} for s in (401, 403)})
_log = logging.getLogger("nextbest.api")


@router.get("/health", dependencies=[PUBLIC])
async def health() -> AliveOut:
    """The process answers. No token needed; asks nothing of ledger and files, so that a failing database does
    not make anybody restart it."""
    return AliveOut()


@router.get("/ready", responses={503: {"model": ReadyOut}}, dependencies=[PUBLIC])
def ready(request: Request, service: Serving, response: Response) -> ReadyOut:
    """Ledger, release and playbook in use. No token needed; says nothing of any account or path."""
    try:
        decider = service.decider()
        run = service.ledger.current_run()
    except (DataError, EngineError) as error:
        _log.error("not ready: %s", error)
        response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
        response.headers["Retry-After"] = "1"
        return ReadyOut(
            status="unavailable", ledger=_ledger(service), release="", learned=False, playbook="",
            playbook_version="", playbook_waiting=False, night=None,
        )  # fmt: skip
    return ReadyOut(
        status="ok",
        ledger="ok",
        release=decider.scorer.release,
        learned=decider.learned,
        playbook=decider.playbook.id,
        playbook_version=decider.playbook.version,
        playbook_waiting=request.app.state.live.playbook_refused is not None,
        night=None if run is None else run.run_id,
    )


@metrics_router.get("/metrics", response_class=PlainTextResponse, dependencies=[may("metrics")])
def metrics(request: Request, user: SignedIn, service: Serving) -> Response:
    """The figures of this process in Prometheus' text format; for jobs and administrators."""
    figures: Metrics = request.app.metrics
    return Response(figures.text(_decider(service)), media_type=CONTENT_TYPE_LATEST)


def _decider(service: Service) -> Decider | None:
    try:
        return service.decider()
    except (DataError, EngineError):
        return None


def _ledger(service: Service) -> Literal["ok", "unavailable"]:
    try:
        service.ledger.in_force()
    except DataError:
        return "unavailable"
    return "ok"
