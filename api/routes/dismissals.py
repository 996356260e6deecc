"""What people dismiss, for those who own the playbook and for those who put data right."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path, Query

from api.access import Leading, Serving, may, people_seen
from api.dismissal_schemas import CorrectionOut, DismissalCountOut, correction_out, count_out
from api.once import ONCE
from api.problems import HttpProblem, Problem
from engine.records import DAY_MICROS

router = APIRouter(
    tags=["dismissals"],
    dependencies=[may("team")],
    responses={s: {"model": Problem} for s in (401, 403, 404, 422)},
)

Days = Annotated[float, Query(gt=0, le=3660, description="Of the last so many days.")]


@router.get("/dismissals")
def count_dismissals(user: Leading, service: Serving, days: Days = 90.0) -> list[DismissalCountOut]:
    """How often treatments were dismissed, by reason, the most frequent first; of roles that I may read."""
    seen = people_seen(service, user)[1]
    stopped = {stop.of for stop in service.ledger.contact_stops() if stop.level == "treatment"}
    found = service.ledger.dismissal_counts(after=service.clock() - round(days * DAY_MICROS))
    return [count_out(one, stopped=one.treatment in stopped) for one in found if one.role in seen]


@router.get("/corrections")
def list_corrections(user: Leading, service: Serving) -> list[CorrectionOut]:
    """Accounts whose data somebody found wrong and nobody has put right yet, the oldest first."""
    seen = people_seen(service, user)[1]
    return [correction_out(one) for one in service.ledger.corrections() if one.role in seen]


@router.post("/corrections/{suggestion_id}/settle", dependencies=[ONCE])
def settle_correction(
    suggestion_id: Annotated[str, Path(min_length=1, max_length=200, description="Where it was reported.")],
    user: Leading,
    service: Serving,
) -> CorrectionOut:
    """The data was put right; the same again changes nothing."""
    mine = people_seen(service, user)[1]
    found = service.ledger.correction(suggestion_id)
    if found is None or found.role not in mine:
        raise HttpProblem(HTTPStatus.NOT_FOUND, f"There is no correction {suggestion_id!r} for you.")
    settled = service.ledger.settle_correction(suggestion_id, by=user.user_id, now=service.clock())
    return correction_out(settled)
