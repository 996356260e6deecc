"""Leave: a colleague of the same role has the tasks of who is away, until she is back."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from http import HTTPStatus
from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Path

from api.access import Leading, Serving, SignedIn, may
from api.once import ONCE
from api.problems import HttpProblem, Problem
from api.service import Service
from api.stand_in_schemas import StandInIn, StandInOut, stand_in_out
from data.ledger.stand_ins import StandIn
from data.ledger.types import UnknownError, User
from data.times import micros

router = APIRouter(
    prefix="/v1", tags=["team"], responses={s: {"model": Problem} for s in (401, 403, 404, 409, 422)}
)

StandInId = Annotated[str, Path(min_length=1, max_length=200, description="The stand-in.")]


@router.post("/team/stand-ins", dependencies=[may("team"), ONCE])
def set_stand_in(body: StandInIn, user: Leading, service: Serving) -> StandInOut:
    """Give the open tasks of one of my people to a colleague while she is away, and her accounts too."""
    mine = {one.user_id for one in service.ledger.managed(user.user_id)}
    for one in (body.user_id, body.stand_in):
        if one not in mine:
            raise HttpProblem(HTTPStatus.NOT_FOUND, f"There is no colleague {one!r} below you.")
    zone, now = ZoneInfo(service.decider().playbook.default_timezone or "UTC"), service.clock()
    first, after = (micros(datetime.combine(day, time(), zone)) for day in
                    (body.first, body.until + timedelta(days=1)))  # fmt: skip
    if after <= now:
        raise HttpProblem(HTTPStatus.UNPROCESSABLE_ENTITY, f"until: {body.until} is past.")
    found = service.ledger.stand_ins.set(
        body.user_id, body.stand_in, begins_at=max(first, now), ends_at=after, with_team=body.with_team,
        by=user.user_id, now=now,
    )  # fmt: skip
    return stand_in_out(found)


@router.get("/team/stand-ins", dependencies=[may("team")])
def list_stand_ins(user: Leading, service: Serving) -> list[StandInOut]:
    """Who of my people is or will be away, and who has her tasks then, the first to begin on top."""
    return [stand_in_out(one) for one in of_mine(user, service)]


@router.post("/team/stand-ins/{stand_in_id}/end", dependencies=[may("own"), ONCE])
def end_stand_in(stand_in_id: StandInId, user: SignedIn, service: Serving) -> StandInOut:
    """She is back: what is left of her tasks is hers again. For herself, and whoever leads her."""
    missing = HttpProblem(HTTPStatus.NOT_FOUND, f"There is no stand-in {stand_in_id!r} for you.")
    try:
        found = service.ledger.stand_ins.find(stand_in_id)
    except UnknownError:
        raise missing from None
    leads = found.user_id in {one.user_id for one in service.ledger.managed(user.user_id)}
    if found.user_id != user.user_id and not leads:
        raise missing
    return stand_in_out(service.ledger.stand_ins.end(stand_in_id, by=user.user_id, now=service.clock()))


def of_mine(user: User, service: Service) -> list[StandIn]:
    """What is planned or in force for those below the user."""
    service.ledger.stand_ins.sweep(now=service.clock())
    mine = {one.user_id for one in service.ledger.managed(user.user_id)}
    return [one for one in service.ledger.stand_ins.current() if one.user_id in mine]
