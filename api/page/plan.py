"""Her days, settled by hand: on which day something is done, and on which days she is away."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from fastapi import Request, Response

from api.access import ReadableSuggestion, Serving, SignedIn, may
from api.page.forms import Short, day_of
from api.page.routing import back, page_router
from api.plan_schemas import AbsenceIn, DayOut, MoveIn, PlanOut
from api.problems import HttpProblem
from api.routes import plan as plans
from api.service import Service
from data.ledger.types import Suggestion, User

router = page_router()


@dataclass(frozen=True)
class Moves:
    """Where a suggestion may go.

    Attributes:
        days: Days of the plan with time, without the one where it is.
        on: The day where it is; None = it waits.
        settled: Whether somebody has settled that day by hand.
    """

    days: list[date]
    on: date | None
    settled: bool


def plan_of(user: User, service: Service, whose: str | None = None) -> PlanOut | None:
    """Her days, or those of one of her people; None where nobody plans them or they are not hers to see."""
    try:
        return plans.plan_of(user, service, whose)
    except HttpProblem:
        return None


def open_days(plan: PlanOut | None, since: date) -> list[DayOut]:
    """Days of a plan that have time for customers."""
    return [day for day in plan.days if day.date >= since and day.minutes] if plan else []


def moves_of(suggestion: Suggestion, user: User, service: Service, today: date) -> Moves | None:
    """Where a suggestion may go in her own plan, or in that of one of her people; None = in none of these."""
    plan = plan_of(user, service, suggestion.user_id) if suggestion.user_id else None
    if plan is None:
        return None
    places = {
        one.suggestion.suggestion_id: (day.date, one.settled) for day in plan.days for one in day.planned
    }
    on, settled = places.get(suggestion.suggestion_id, (None, False))
    return Moves([day.date for day in open_days(plan, today) if day.date != on], on, settled)


@router.post("/suggestions/{suggestion_id}/move", dependencies=[may("suggestions", "plan")])
def move(
    request: Request, *, suggestion: ReadableSuggestion, user: SignedIn, service: Serving, on: Short = ""
) -> Response:
    """To a day of the plan; without one as the plan likes."""
    day = day_of(on) if on else None
    plans.settle_move(MoveIn(suggestion_id=suggestion.suggestion_id, date=day, time=None), user, service)
    return back(request, {"did": "move", "on": day.isoformat() if day else ""})


@router.post("/day/absence", dependencies=[may("plan")])
def absence(
    request: Request, *, user: SignedIn, service: Serving, away: Short = "", there: Short = ""
) -> Response:
    """Away on a day, or there after all."""
    day = day_of(away or there)
    plans.settle_absence(AbsenceIn.model_validate({"from": day, "absent": bool(away)}), user, service)
    return back(request, {"did": "away" if away else "there", "on": day.isoformat()})
