"""My days: what is planned on which, what I settle myself, when I am away."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query

from api.access import Serving, SignedIn, may, people_seen, roles_seen
from api.day_plan import DayPlan, day_plan
from api.once import ONCE
from api.people_time import day_number
from api.plan_actions import PlanError, away, move
from api.plan_schemas import AbsenceIn, MoveIn, PlanOut, plan_out
from api.problems import HttpProblem, Problem
from api.reading import language_of, zone_of
from api.routes.hand_overs import waiting_for
from api.routes.suggestions import shown_to
from api.service import Service
from data.ledger.types import Suggestion, UnknownError, User
from engine.wording import Reader

router = APIRouter(
    tags=["plan"],
    dependencies=[may("plan")],
    responses={s: {"model": Problem} for s in (401, 403, 404, 409, 422)},
)

Whose = Annotated[
    str | None, Query(min_length=1, max_length=200, description="One of her people, for a manager.")
]


@router.get("/plan")
def my_plan(user: SignedIn, service: Serving, user_id: Whose = None) -> PlanOut:
    """My days in order, with the time they have, and why the rest waits; a manager reads her people's."""
    return _out(service, user, _person(service, user, user_id))


@router.post("/plan/moves", dependencies=[ONCE])
def move_suggestion(body: MoveIn, user: SignedIn, service: Serving) -> PlanOut:
    """Settle the day of a suggestion by hand; the rest of that person's days is planned again."""
    suggestion = _suggestion(service, user, body.suggestion_id)
    person = _person(service, user, suggestion.user_id)
    day = None if body.date is None else day_number(body.date)
    try:
        move(service, suggestion, user, day, body.time)
    except PlanError as error:
        raise HttpProblem(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from None
    return _out(service, user, person)


@router.post("/plan/absences", dependencies=[ONCE])
def be_away(body: AbsenceIn, user: SignedIn, service: Serving, user_id: Whose = None) -> PlanOut:
    """Say on which days I am away (or there after all); my days are planned again."""
    person = _person(service, user, user_id)
    try:
        away(service, person, [day_number(day) for day in body.days()], absent=body.absent, by=user)
    except PlanError as error:
        raise HttpProblem(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from None
    return _out(service, user, person)


def _person(service: Service, user: User, user_id: str | None) -> str:
    """Whose days: the user's own, or of somebody below her; others do not exist for her."""
    if user_id is None or user_id == user.user_id:
        return user.user_id
    if user_id not in {one.user_id for one in service.ledger.managed(user.user_id)}:
        raise HttpProblem(HTTPStatus.NOT_FOUND, f"There is no plan of {user_id!r} for you.")
    return user_id


def _suggestion(service: Service, user: User, suggestion_id: str) -> Suggestion:
    missing = HttpProblem(HTTPStatus.NOT_FOUND, f"There is no suggestion {suggestion_id!r} for you.")
    try:
        suggestion = service.ledger.suggestion(suggestion_id)
    except UnknownError:
        raise missing from None
    serves = service.ledger.serves(user.user_id, suggestion.account_id)
    if not serves or suggestion.role not in roles_seen(service, user, suggestion.account_id):
        raise missing
    if suggestion.user_id is None:
        raise HttpProblem(HTTPStatus.UNPROCESSABLE_ENTITY, "It takes nobody's time, so it has no day.")
    if suggestion.state not in ("open", "accepted", "snoozed"):
        raise HttpProblem(HTTPStatus.CONFLICT, f"It is {suggestion.state}; there is nothing left to plan.")
    return suggestion


def _out(service: Service, user: User, person: str) -> PlanOut:
    playbook, now = service.decider().playbook, service.clock()
    plan = day_plan(service.ledger, playbook, person, now=now)
    if plan is None:
        detail = "There is no plan; the next night makes one where the playbook has a table [plan]."
        raise HttpProblem(HTTPStatus.NOT_FOUND, detail)
    roles = people_seen(service, user)[1]
    listed = shown_to(_suggestions(plan, roles), user, service)
    reader = Reader(language_of(user, playbook), now, zone_of(user, playbook), playbook)
    shown = {one.suggestion_id: one for one in listed}
    tasks = waiting_for(user, service) if person == user.user_id else []
    return plan_out(plan, shown, hand_overs=tasks, roles=roles, currency=playbook.currency, reader=reader)


def _suggestions(plan: DayPlan, roles: tuple[str, ...]) -> list[Suggestion]:
    """What of a plan is of roles that the reader may see."""
    found = [*(one.suggestion for one in plan.listed), *plan.accepted]
    return [suggestion for suggestion in found if suggestion.role in roles]
