"""The plan as the ledger takes and gives it. Days are numbers of days since 1970 (the company's clock)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl


@dataclass(frozen=True)
class PlanHead:
    """What holds for all of a run's plan.

    Attributes:
        first_day, days: Its first day and how many it has.
        value: Of everything planned, in currency, when it was made.
        bound: What no plan could exceed.
        prices: minute and slot by user, quota by channel, in currency; closed: channels used up; minimums:
            of each without a price how many accounts were due and met, and what stands in the way of others.
    """

    run_id: str
    first_day: int
    days: int
    value: float
    bound: float
    prices: Mapping[str, Any]


@dataclass(frozen=True)
class PlanItem:
    """Something that could be planned.

    Attributes:
        user_id: Whose time it takes; None = nobody's, only a quota.
        in_plan: Whether it was given its time or quota when prices were found.
        day, place: When it is planned, and its place on that day; None = it waits.
        settled: Whether a person has settled the day.
        priority: Of the suggestion, in currency.
        value: The priority and what is due, in currency.
        days: Bit d is set when it may be on the plan's day d.
        why: Of what waits: code, what stands in its place and what it lacks.
        listed: Whether a list has it; False = what was not worth the price of its time, some of it.
        due: The minimum without a price that it would meet; None = none.
    """

    account_id: str
    treatment: str
    role: str
    user_id: str | None
    in_plan: bool
    day: int | None
    place: int | None
    settled: bool
    priority: float
    value: float
    minutes: int
    days: int
    latitude: float | None = None
    longitude: float | None = None
    why: Mapping[str, Any] | None = None
    listed: bool = True
    due: str | None = None

    @property
    def identity(self) -> tuple[str, str, str]:
        """That of its suggestion."""
        return self.account_id, self.treatment, self.role


PLAN_ITEMS: Mapping[str, pl.DataType] = {
    "account_id": pl.String(), "treatment": pl.String(), "role": pl.String(), "user_id": pl.String(),
    "in_plan": pl.Boolean(), "day": pl.Int64(), "place": pl.Int64(), "settled": pl.Boolean(),
    "priority": pl.Float64(), "value": pl.Float64(), "minutes": pl.Int64(), "days": pl.Int64(),
    "latitude": pl.Float64(), "longitude": pl.Float64(), "why": pl.String(), "listed": pl.Boolean(),
    "due": pl.String(),
}  # fmt: skip
"""Items as columns, named as the attributes of `PlanItem`; `why` as the ledger writes JSON."""


@dataclass(frozen=True)
class PersonDays:
    """A person's time in a plan.

    Attributes:
        days: By day: day, minutes, booked (list of account_id, treatment, channel, at, minutes).
        version: Grows whenever her days are planned or something of hers is settled.
        stale: Whether something was settled since they were planned.
    """

    user_id: str
    days: Sequence[Mapping[str, Any]]
    version: int = 0
    stale: bool = False


@dataclass(frozen=True)
class PersonPlan:
    """All of the plan on show that is one person's; `displaced` = what was not worth its price."""

    head: PlanHead
    person: PersonDays
    items: tuple[PlanItem, ...]
    displaced: tuple[PlanItem, ...] = ()


@dataclass(frozen=True)
class PlanMove:
    """A day that a person has settled for something; `at` = the time, microseconds UTC, where she said so."""

    account_id: str
    treatment: str
    role: str
    user_id: str
    day: int
    at: int | None
    moved_by: str
    moved_at: int

    @property
    def identity(self) -> tuple[str, str, str]:
        """That of its suggestion."""
        return self.account_id, self.treatment, self.role


@dataclass(frozen=True)
class NightPlan:
    """What a night stores of its plan; items as columns `PLAN_ITEMS`, since a large book has millions."""

    head: PlanHead
    people: Sequence[PersonDays]
    items: pl.DataFrame
