"""Stops of contacts, in and out over HTTP."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from api.schemas import Identifier, Strict
from api.stops import scope_of
from data.ledger.types import StopOrder
from data.times import to_datetime


class StopIn(Strict):
    """What is to be stopped, and why."""

    scope: Identifier = Field(description="all, or level:id such as channel:email or topic:dosing.")
    reason: str = Field(min_length=1, max_length=1000)


class ResumeIn(Strict):
    """Why contacts are allowed again."""

    reason: str = Field("", max_length=1000)


class StopOut(Strict):
    """A stop as it stands."""

    stop_id: int
    scope: str
    reason: str
    stopped_by: str
    stopped_at: datetime
    resumed_by: str | None
    resumed_at: datetime | None


class StoppedOut(StopOut):
    """A stop with what it did just now."""

    withdrawn_suggestions: int
    withdrawn_plans: int


def stop_out(order: StopOrder) -> StopOut:
    """A stop as it is shown."""
    return StopOut(
        stop_id=order.stop_id,
        scope=scope_of(order),
        reason=order.reason,
        stopped_by=order.stopped_by,
        stopped_at=to_datetime(order.stopped_at),
        resumed_by=order.resumed_by,
        resumed_at=None if order.resumed_at is None else to_datetime(order.resumed_at),
    )
