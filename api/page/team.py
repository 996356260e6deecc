"""For who leads: what waits for whom, who is there on the coming days, and each one's days to settle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from http import HTTPStatus
from typing import Annotated

from fastapi import Path, Request, Response
from pydantic import ValidationError

from api.access import Leading, Serving, SignedIn, may, people_seen
from api.day_plan import DayPlan, day_plan
from api.hand_overs import figures
from api.page.forms import Short, day_of
from api.page.plan import open_days
from api.page.rendering import show, words_for
from api.page.routing import back, page_router
from api.people_time import date_of
from api.plan_schemas import AbsenceIn
from api.problems import HttpProblem
from api.routes import plan as plans
from api.routes import stand_ins
from api.routes.hand_overs import shown_hand_overs
from api.service import Service
from api.stand_in_schemas import StandInIn
from data.ledger.types import User

router = page_router()

_LISTED = 200
Colleague = Annotated[str, Path(min_length=1, max_length=200)]


@dataclass(frozen=True)
class DayLoad:
    """How full a day is; `share` None = she is not there."""

    day: date
    share: float | None
    away: bool


@dataclass(frozen=True)
class Load:
    """What one colleague has before her: load, not achievement.

    Attributes:
        minutes: Of what she has accepted.
        days: The days of the plan; () = nobody plans hers.
        accounts, covered: That she serves, and of which something is planned or booked on these days.
    """

    user: User
    open: int
    planned: int
    minutes: int
    waiting: int
    late: int
    days: Sequence[DayLoad]
    accounts: int
    covered: int


@router.get("/team", dependencies=[may("team")])
def team(request: Request, user: Leading, service: Serving) -> Response:
    """What waits for each of her people, by name; and what nobody does in time."""
    now, ledger = service.clock(), service.ledger
    ledger.stand_ins.sweep(now=now)
    people = [_load(one, service, now) for one in sorted(ledger.managed(user.user_id), key=lambda u: u.name)]
    seen = people_seen(service, user)[1]
    ledger.hand_overs.escalate_late(now=now)
    late = [h for h in ledger.hand_overs.since(now) if h.late(now) and h.to_role in seen]
    return show(
        request, user, service, "team.html",
        people=people,
        away=stand_ins.of_mine(user, service),
        names={one.user.user_id: one.user.name for one in people},
        days=next((one.days for one in people if one.days), ()),
        late=shown_hand_overs(late, user, service),
        figures=figures(ledger, seen, now),
    )  # fmt: skip


def _load(user: User, service: Service, now: int) -> Load:
    ledger, playbook = service.ledger, service.decider().playbook
    minutes = {t.id: t.minutes for t in playbook.treatments}
    listed = ledger.worklist(user.user_id, now=now, limit=_LISTED)
    accepted = [s for s in listed if s.state == "accepted"]
    waiting, plan = (
        ledger.hand_overs.for_person(user.user_id, user.role),
        day_plan(ledger, playbook, user.user_id, now=now),
    )
    return Load(
        user=user,
        open=len(listed) - len(accepted),
        planned=len(accepted),
        minutes=sum(round(minutes.get(s.treatment, 0.0)) for s in accepted),
        waiting=len(waiting),
        late=sum(h.late(now) for h in waiting),
        days=_days(plan) if plan else (),
        accounts=len(ledger.accounts_served(user.user_id)),
        covered=len(_covered(plan)) if plan else 0,
    )


def _days(plan: DayPlan) -> list[DayLoad]:
    found = []
    for day in plan.person.days:
        if day["day"] >= plan.today:
            away, whole = day["day"] in plan.absent, day["minutes"]
            used = sum(b["minutes"] for b in day["booked"]) + day.get("handed", 0)
            used += sum(one.item.minutes for one in plan.on(day["day"]))
            found.append(DayLoad(date_of(day["day"]), used / whole if whole and not away else None, away))
    return found


def _covered(plan: DayPlan) -> set[str]:
    booked = {b["account_id"] for day in plan.person.days if day["day"] >= plan.today for b in day["booked"]}
    return booked | {one.item.account_id for one in plan.listed if one.item.day is not None}


@router.get("/team/{user_id}", dependencies=[may("team", "plan")])
def person(request: Request, user: Leading, service: Serving, user_id: Colleague) -> Response:
    """The days of one of her people, to move what is planned and to say that she is away."""
    plan, found = plans.plan_of(user, service, user_id), _of_hers(user, service, user_id)
    today = words_for(user, service).now.date()
    ahead = open_days(plan, today)
    return show(
        request, user, service, "person.html",
        person=found,
        ahead=[day for day in ahead if day.planned],
        move_days=[day.date for day in ahead],
        absence_days=[day for day in plan.days if day.date >= today and (day.minutes or day.away)],
    )  # fmt: skip


@router.post("/team/{user_id}/absence", dependencies=[may("team", "plan")])
def absence(
    request: Request, *, user: Leading, service: Serving, user_id: Colleague, away: Short = "",
    there: Short = "",
) -> Response:  # fmt: skip
    """One of her people is away on a day, or there after all."""
    found, day = _of_hers(user, service, user_id), day_of(away or there)
    body = AbsenceIn.model_validate({"from": day, "absent": bool(away)})
    plans.settle_absence(body, user, service, found.user_id)
    return back(request, {"did": "away_other" if away else "there_other", "on": day.isoformat()})


@router.post("/team/stand-ins", dependencies=[may("team")])
def set_stand_in(
    request: Request, *, user: Leading, service: Serving, user_id: Short = "", stand_in: Short = "",
    first: Short = "", until: Short = "", with_team: Short = "",
) -> Response:  # fmt: skip
    """A colleague has the tasks of who is away."""
    days = {"from": day_of(first), "until": day_of(until)}
    try:
        body = StandInIn.model_validate(
            {"user_id": user_id, "stand_in": stand_in, "with_team": bool(with_team), **days}
        )
    except ValidationError:
        raise HttpProblem(HTTPStatus.UNPROCESSABLE_ENTITY, "Say who, and until when.") from None
    stand_ins.set_stand_in(body, user, service)
    return back(request, {"did": "stand_in"}, "/team")


@router.post("/team/stand-ins/{stand_in_id}/end", dependencies=[may("own")])
def end_stand_in(
    request: Request, user: SignedIn, service: Serving, stand_in_id: stand_ins.StandInId
) -> Response:
    """She is back."""
    stand_ins.end_stand_in(stand_in_id, user, service)
    return back(request, {"did": "is_back"})


def _of_hers(user: User, service: Service, user_id: str) -> User:
    found = next((one for one in service.ledger.managed(user.user_id) if one.user_id == user_id), None)
    if found is None:
        raise HttpProblem(HTTPStatus.NOT_FOUND, f"There is no colleague {user_id!r} below you.")
    return found
