"""Whether the service can do its work."""

from __future__ import annotations

import logging
from http import HTTPStatus

from fastapi import APIRouter, Response

from api.access import Serving
from api.schemas import HealthOut
from data.home import DataError
from engine.records import EngineError

router = APIRouter(tags=["health"])
_log = logging.getLogger("nextbest.api")


@router.get("/health", responses={503: {"model": HealthOut}})
def health(service: Serving, response: Response) -> HealthOut:
    """Ledger, release and playbook in use. No token needed; says nothing of any account or path."""
    try:
        decider = service.decider()
        run = service.ledger.current_run()
    except (DataError, EngineError) as error:
        _log.error("health: %s", error)
        response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
        return HealthOut(
            status="unavailable", ledger="unavailable", release="", learned=False, playbook="",
            playbook_version="", night=None,
        )  # fmt: skip
    return HealthOut(
        status="ok",
        ledger="ok",
        release=decider.scorer.release,
        learned=decider.learned,
        playbook=decider.playbook.id,
        playbook_version=decider.playbook.version,
        night=None if run is None else run.run_id,
    )
