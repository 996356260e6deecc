"""My days: what is planned on which, what I settle myself, when I am away."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from api.access import Serving, SignedIn, may, people_seen, roles_seen
from api.day_plan import DayPlan, day_plan
from api.once import ONCE
from api.people_time import day_number
from api.plan_actions import PlanError, away, move, plan_tag
from api.plan_schemas import AbsenceIn, MoveIn, PlanOut, plan_out
from api.problems import HttpProblem, Problem
from api.reading import language_of, zone_of
from api.routes.hand_overs import waiting_for
from api.routes.suggestions import shown_to
from api.service import Service
from api.tags import TAGGED, IfMatch
from data.ledger.types import Suggestion, UnknownError, User
from engine.wording import Reader

router = APIRouter(
    prefix="/v1",
    tags=["plan"],
    dependencies=[may("plan")],
    responses={s: {"model": Problem} for s in (401, 403, 404, 409, 422)},
)

EDITED: dict[int | str, dict[str, Any]] = {412: {"model": Problem}, **TAGGED}
Whose = Annotated[
    str | None, Query(min_length=1, max_length=200, description="One of her people, for a manager.")
]


@router.get("/plan", responses=TAGGED)
def my_plan(user: SignedIn, service: Serving, response: Response, user_id: Whose = None) -> PlanOut:
    """My days in order, with the time they have, and why the rest waits; a manager reads her people's."""
    return plan_of(user, service, user_id, response)


def plan_of(user: User, service: Service, user_id: str | None, response: Response | None = None) -> PlanOut:
    """One's own days, or of somebody below; the header ETag is of what people have settled of them."""
    person = _person(service, user, user_id)
    if response is not None:
        response.headers["ETag"] = plan_tag(service, person)
    return _out(service, user, person)


@router.post("/plan/moves", dependencies=[ONCE], responses=EDITED)
def move_suggestion(
    body: MoveIn, user: SignedIn, service: Serving, response: Response, if_match: IfMatch = None
) -> PlanOut:
    """Settle the day of a suggestion by hand; the rest of that person's days is planned again."""
    return settle_move(body, user, service, response, if_match)


def settle_move(
    body: MoveIn, user: User, service: Service, response: Response | None = None, if_match: str | None = None
) -> PlanOut:
    """The day that somebody settles, and the plan that follows."""
    suggestion = _suggestion(service, user, body.suggestion_id)
    person = _person(service, user, service.ledger.stand_ins.who_has(suggestion.user_id or user.user_id))
    day = None if body.date is None else day_number(body.date)
    try:
        move(service, suggestion, user, day, body.time, if_match=if_match)
    except PlanError as error:
        raise HttpProblem(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from None
    return plan_of(user, service, person, response)


@router.post("/plan/absences", dependencies=[ONCE], responses=EDITED)
def be_away(
    body: AbsenceIn, user: SignedIn, service: Serving, *, response: Response, user_id: Whose = None,
    if_match: IfMatch = None,
) -> PlanOut:  # fmt: skip
    """Say on which days I am away (or there after all); my days are planned again."""
    return settle_absence(body, user, service, user_id, response=response, if_match=if_match)


def settle_absence(
    body: AbsenceIn, user: User, service: Service, user_id: str | None = None, *,
    response: Response | None = None, if_match: str | None = None,
) -> PlanOut:  # fmt: skip
    """The days on which somebody is away, and the plan that follows."""
    person, days = _person(service, user, user_id), [day_number(day) for day in body.days()]
    try:
        away(service, person, days, absent=body.absent, by=user, if_match=if_match)
    except PlanError as error:
        raise HttpProblem(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from None
    return plan_of(user, service, person, response)


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
