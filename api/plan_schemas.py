"""A person's days as they go in and out over HTTP."""

from __future__ import annotations

import datetime as dt
from typing import Any

from pydantic import BaseModel, Field

from api.day_plan import DayPlan
from api.hand_over_schemas import HandOverOut
from api.people_time import date_of
from api.schemas import Identifier, Strict, SuggestionOut
from data.ledger.plan_types import PlanItem
from data.times import to_datetime
from engine.wording import Reader, say


class PlannedOut(BaseModel):
    """One suggestion in its day."""

    place: int = Field(description="1 = first on that day.")
    minutes: int
    settled: bool = Field(description="Whether somebody has settled the day by hand.")
    suggestion: SuggestionOut


class BookedOut(BaseModel):
    """What was booked when the night planned."""

    account_id: str
    treatment: str | None
    channel: str
    at: dt.datetime
    minutes: int


class DayOut(BaseModel):
    """One day."""

    date: dt.date
    minutes: int = Field(description="Customer time of the day; 0 = a day off or away.")
    booked_minutes: int
    handed_minutes: int = Field(description="For what colleagues handed over that is due on that day.")
    planned_minutes: int
    away: bool
    booked: list[BookedOut]
    planned: list[PlannedOut]


class DisplacedByOut(BaseModel):
    """What stands in the place of something that waits."""

    account_id: str
    treatment: str
    role: str


class WaitingOut(BaseModel):
    """What has no day, and why."""

    account_id: str
    treatment: str
    role: str
    minutes: int
    value: float = Field(description="In currency.")
    code: str = Field(description="no_day, equivalent, spacing, enough, quota or hours.")
    text: str
    short_of: float = Field(description="What it would have to be worth more, in currency.")
    displaced_by: DisplacedByOut | None = Field(description="Null where it is not for the reader to know.")
    suggestion: SuggestionOut | None = Field(
        description="Null where it is on no list, because the time it takes is worth more elsewhere."
    )


class PlanOut(BaseModel):
    """A person's days in order, with what waits."""

    user_id: str
    first_date: dt.date
    last_date: dt.date
    price_per_hour: float = Field(description="What an hour of hers is worth beyond the plan, in currency.")
    price_per_place: float
    currency: str
    gap: float = Field(description="Share that the whole night's plan may lack of the best at most.")
    hand_overs: list[HandOverOut] = Field(
        description="What colleagues handed over to the reader, the first due on top; before all else."
    )
    days: list[DayOut]
    waiting: list[WaitingOut]
    accepted: list[SuggestionOut] = Field(description="Accepted earlier; their time is among the bookings.")


class MoveIn(Strict):
    """The day of a suggestion, settled by hand."""

    suggestion_id: Identifier
    date: dt.date | None = Field(description="Null = as the plan likes.")
    time: dt.time | None = Field(None, description="Local time, where it matters.")


class AbsenceIn(Strict):
    """Days on which somebody is away."""

    since: dt.date = Field(alias="from")
    until: dt.date | None = Field(None, description="The last of them; default: that day alone.")
    absent: bool = Field(True, description="False = there after all.")

    def days(self) -> list[dt.date]:
        """Each day."""
        count = max(1, ((self.until or self.since) - self.since).days + 1)
        return [self.since + dt.timedelta(days=n) for n in range(count)]


def plan_out(plan: DayPlan, shown: dict[str, SuggestionOut], *, hand_overs: list[HandOverOut],
             roles: tuple[str, ...], currency: str, reader: Reader) -> PlanOut:  # fmt: skip
    """A person's days for a reader.

    Args:
        shown: Suggestion id -> how it is shown; what is not in it is left out.
        hand_overs: What waits for the reader.
        roles: Whose suggestions the reader may know of.
    """
    head, user = plan.head, plan.person.user_id
    minute, slot = (head.prices[kind].get(user, 0.0) for kind in ("minute", "slot"))
    waiting = [one for one in plan.waiting if one.suggestion.suggestion_id in shown]
    return PlanOut(
        user_id=user,
        first_date=date_of(head.first_day),
        last_date=date_of(head.first_day + head.days - 1),
        price_per_hour=60.0 * minute,
        price_per_place=slot,
        currency=currency,
        gap=max(0.0, (head.bound - head.value) / head.bound) if head.bound > 0.0 else 0.0,
        hand_overs=hand_overs,
        days=[_day_out(plan, day, shown) for day in plan.person.days if day["day"] >= plan.today],
        waiting=[
            *(_waiting_out(one.item, shown[one.suggestion.suggestion_id], roles, reader) for one in waiting),
            *(_waiting_out(item, None, roles, reader) for item in plan.displaced if item.role in roles),
        ],
        accepted=[shown[s.suggestion_id] for s in plan.accepted if s.suggestion_id in shown],
    )


def _day_out(plan: DayPlan, day: Any, shown: dict[str, SuggestionOut]) -> DayOut:
    planned = [one for one in plan.on(day["day"]) if one.suggestion.suggestion_id in shown]
    away = day["day"] in plan.absent
    return DayOut(
        date=date_of(day["day"]),
        minutes=0 if away else day["minutes"],
        booked_minutes=sum(booked["minutes"] for booked in day["booked"]),
        handed_minutes=0 if away else min(day.get("handed", 0), day["minutes"]),
        planned_minutes=sum(one.item.minutes for one in planned),
        away=away,
        booked=[BookedOut(**{**booked, "at": to_datetime(booked["at"])}) for booked in day["booked"]],
        planned=[
            PlannedOut(
                place=place, minutes=one.item.minutes, settled=one.item.settled,
                suggestion=shown[one.suggestion.suggestion_id],
            )
            for place, one in enumerate(planned, start=1)
        ],
    )  # fmt: skip


def _waiting_out(
    item: PlanItem, suggestion: SuggestionOut | None, roles: tuple[str, ...], reader: Reader
) -> WaitingOut:
    why = item.why or {"code": "no_day", "by": None, "short_of": 0.0}
    by = why["by"] if why["by"] and why["by"][2] in roles else None
    return WaitingOut(
        account_id=item.account_id,
        treatment=item.treatment,
        role=item.role,
        minutes=item.minutes,
        value=item.value,
        code=why["code"],
        text=say(f"plan_{why['code']}", {"short_of": why["short_of"]}, reader),
        short_of=why["short_of"],
        displaced_by=None if by is None else DisplacedByOut(account_id=by[0], treatment=by[1], role=by[2]),
        suggestion=suggestion,
    )
