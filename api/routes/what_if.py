"""What would be suggested if: hypothetical events and facts, nothing stored."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import APIRouter, Request

from api.access import Limited, ReadableAccount, Serving, SignedIn, may, roles_seen, worked_out
from api.events import check_event
from api.problems import HttpProblem, Problem
from api.reading import language_of, zone_of
from api.service import Service
from api.what_if import what_if
from api.what_if_schemas import WhatIfIn, WhatIfOut, what_if_out
from data.ledger.types import User
from data.times import micros
from engine.records import DAY_MICROS

router = APIRouter(
    prefix="/v1",
    tags=["explanations"],
    dependencies=[may("suggestions:read")],
    responses={s: {"model": Problem} for s in (401, 403, 404, 413, 422)},
)

_AHEAD_DAYS = 366.0


@router.post("/accounts/{account_id}/what-if")
async def suppose(
    account: ReadableAccount, body: WhatIfIn, *, user: SignedIn, service: Serving, limits: Limited,
    request: Request,
) -> WhatIfOut:  # fmt: skip
    """Decide the account as it is and as supposed, at the same moment, without showing or storing it."""
    limits.events(len(body.events))
    return await worked_out(request, _both, account, body, user, service)


def _both(account: str, body: WhatIfIn, user: User, service: Service) -> WhatIfOut:
    playbook, now = service.decider().playbook, service.clock()
    at = now if body.at is None else micros(body.at)
    if not now <= at <= now + _AHEAD_DAYS * DAY_MICROS:
        detail = f"at: lies ahead by at most {_AHEAD_DAYS:g} days; leave it out for now."
        raise HttpProblem(HTTPStatus.UNPROCESSABLE_ENTITY, detail)
    rows = [
        check_event(f"supposed-{place}", event.table, account, event.row, playbook=playbook, now=at)
        for place, event in enumerate(body.events)
    ]
    roles = roles_seen(service, user, account)
    supposed = what_if(service, account, rows=rows, facts=body.facts, at=at, roles=roles)
    return what_if_out(
        supposed, account, language=language_of(user, playbook), zone=zone_of(user, playbook),
        playbook=playbook,
    )  # fmt: skip
