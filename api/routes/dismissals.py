"""What people dismiss, for those who own the playbook and for those who put data right."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path, Query

from api.access import Leading, PageSize, Serving, may, people_seen
from api.dismissal_schemas import CorrectionOut, DismissalCountOut, correction_out, count_out
from api.once import ONCE
from api.paging import LINK, Pages
from api.problems import HttpProblem, Problem
from data.ledger.types import DismissalCount, Dismissed
from engine.records import DAY_MICROS

router = APIRouter(
    prefix="/v1",
    tags=["dismissals"],
    dependencies=[may("team")],
    responses={s: {"model": Problem} for s in (401, 403, 404, 422)},
)

Days = Annotated[float, Query(gt=0, le=3660, description="Of the last so many days.")]


@router.get("/dismissals", responses=LINK)
def count_dismissals(
    user: Leading, service: Serving, pages: Pages, limit: PageSize, days: Days = 90.0
) -> list[DismissalCountOut]:
    """How often treatments were dismissed, by reason, the most frequent first; of roles that I may read; 100
    a page unless asked for more."""
    seen = people_seen(service, user)[1]
    stopped = {stop.of for stop in service.ledger.contact_stops() if stop.level == "treatment"}
    found = service.ledger.dismissal_counts(after=service.clock() - round(days * DAY_MICROS))
    mine = sorted((one for one in found if one.role in seen), key=_most_frequent_first)
    shown = pages.of(mine, _most_frequent_first, limit or 100)
    return [count_out(one, stopped=one.treatment in stopped) for one in shown]


def _most_frequent_first(one: DismissalCount) -> list[str | int]:
    return [-one.times, one.treatment, one.reason, one.role]


@router.get("/corrections", responses=LINK)
def list_corrections(user: Leading, service: Serving, pages: Pages, limit: PageSize) -> list[CorrectionOut]:
    """Accounts whose data somebody found wrong and nobody has put right yet, the oldest first; 100 a page
    unless asked for more."""
    seen = people_seen(service, user)[1]
    mine = sorted((one for one in service.ledger.corrections() if one.role in seen), key=_oldest_first)
    return [correction_out(one) for one in pages.of(mine, _oldest_first, limit or 100)]


def _oldest_first(one: Dismissed) -> list[str | int]:
    return [one.dismissed_at, one.suggestion_id]


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
