"""Stand-ins as they go in and out over HTTP."""

from __future__ import annotations

import datetime as dt
from typing import Literal

from pydantic import BaseModel, Field, model_validator

from api.schemas import Identifier, Strict
from data.ledger.stand_ins import StandIn
from data.times import to_datetime

MOST_DAYS = 366


class StandInIn(Strict):
    """Who is away, from when to when, and who has her tasks meanwhile."""

    user_id: Identifier = Field(description="Who is away.")
    stand_in: Identifier = Field(description="A colleague of the same role.")
    first: dt.date = Field(alias="from")
    until: dt.date = Field(description="The last day, by the company's clock.")
    with_team: bool = Field(True, description="Her accounts too, not only those of her open tasks.")

    @model_validator(mode="after")
    def _in_order(self) -> StandInIn:
        if not 0 <= (self.until - self.first).days < MOST_DAYS:
            raise ValueError(f"until: got {self.until}, need a day from {self.first} on, within a year.")
        return self


class StandInOut(BaseModel):
    """A stand-in as it is kept."""

    stand_in_id: str
    user_id: str
    stand_in: str
    begins_at: dt.datetime
    ends_at: dt.datetime = Field(description="She is back from then on.")
    with_team: bool
    state: Literal["planned", "in_force", "over"]
    set_by: str


def stand_in_out(found: StandIn) -> StandInOut:
    """As it goes out."""
    return StandInOut(
        stand_in_id=found.stand_in_id, user_id=found.user_id, stand_in=found.stand_in,
        begins_at=to_datetime(found.begins_at), ends_at=to_datetime(found.ends_at),
        with_team=found.with_team, state=found.state, set_by=found.set_by,
    )  # fmt: skip
