"""What has just happened: stored first, then decided."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus

from fastapi import APIRouter
from fastapi.concurrency import run_in_threadpool

from api.access import Limited, Serving, SignedIn, may, may_report
from api.events import check_event
from api.once import ONCE
from api.problems import HttpProblem, Problem
from api.schemas import EventIn, Events, EventsOut, StoredOut
from api.service import Service
from data.ledger.types import User
from data.times import to_datetime

router = APIRouter(
    prefix="/v1",
    tags=["events"],
    dependencies=[may("events")],
    responses={s: {"model": Problem} for s in (401, 403, 404, 409, 413, 422)},
)


@router.post("/events", dependencies=[ONCE])
async def record_events(
    body: Events | EventIn, user: SignedIn, service: Serving, limits: Limited
) -> EventsOut:
    """Store an event or a list (all or none; the same one twice is one), then decide their accounts again."""
    events = [body] if isinstance(body, EventIn) else body
    limits.events(len(events))
    return await run_in_threadpool(_recorded, events, user, service)


def _recorded(events: Sequence[EventIn], user: User, service: Service) -> EventsOut:
    for account_id in sorted({event.account_id for event in events}):
        if not may_report(service, user, account_id):
            raise HttpProblem(
                HTTPStatus.NOT_FOUND, f"You serve no account {account_id!r}; nothing was stored."
            )
    playbook, now = service.decider().playbook, service.clock()
    rows = [
        check_event(event.event_id, event.table, event.account_id, event.row, playbook=playbook, now=now)
        for event in events
    ]
    stored, decided = service.record(rows)
    return EventsOut(
        stored=[
            StoredOut(
                event_id=row.event_id,
                account_id=row.account_id,
                stored_at=to_datetime(row.stored_at),
                decision_id=decided[row.account_id],
            )
            for row in stored
        ]
    )
