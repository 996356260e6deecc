"""Contacts stopped for everybody: who did so, why, and since when."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path

from api.access import Leading, Serving, SignedIn, may
from api.once import ONCE
from api.problems import HttpProblem, Problem
from api.stop_schemas import ResumeIn, StopIn, StopOut, StoppedOut, stop_out
from api.stops import StopError, resume_contacts, scope_of, stop_contacts

router = APIRouter(
    prefix="/v1",
    tags=["contact stops"],
    dependencies=[may("stops")],
    responses={s: {"model": Problem} for s in (401, 403, 404, 422)},
)


@router.get("/contact-stops")
def list_stops(user: SignedIn, service: Serving) -> list[StopOut]:
    """What is stopped now, the oldest first."""
    return [stop_out(order) for order in service.ledger.contact_stops()]


@router.post("/contact-stops", dependencies=[ONCE])
def stop(body: StopIn, user: Leading, service: Serving) -> StoppedOut:
    """Stop all contacts of a scope for every account at once; what is open or accepted is withdrawn."""
    done = stop_contacts(
        service.ledger, service.decider().playbook, body.scope, reason=body.reason, by=user.user_id,
        now=service.clock(),
    )  # fmt: skip
    return StoppedOut(
        **stop_out(done.order).model_dump(),
        withdrawn_suggestions=done.withdrawn,
        withdrawn_plans=done.cancelled,
    )


@router.post("/contact-stops/{stop_id}/resume", dependencies=[ONCE])
def resume(
    stop_id: Annotated[int, Path(ge=1, description="Number of the stop.")],
    body: ResumeIn,
    user: Leading,
    service: Serving,
) -> StopOut:
    """Allow the contacts again; the next decision of an account may suggest them."""
    scopes = {order.stop_id: scope_of(order) for order in service.ledger.contact_stops()}
    if stop_id not in scopes:
        raise HttpProblem(HTTPStatus.NOT_FOUND, f"No stop with the number {stop_id} is in force.")
    try:
        order = resume_contacts(
            service.ledger, scopes[stop_id], reason=body.reason, by=user.user_id, now=service.clock()
        )
    except StopError as error:
        raise HttpProblem(HTTPStatus.NOT_FOUND, str(error)) from None
    return stop_out(order)
