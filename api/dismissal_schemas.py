"""Dismissals and corrections as they go out over HTTP."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, Field

from data.ledger.types import DismissalCount, Dismissed
from data.times import to_datetime


class DismissalCountOut(BaseModel):
    """How often a treatment was dismissed for a reason."""

    treatment: str
    role: str
    reason: str
    times: int
    accounts: int
    latest: datetime
    stopped: bool = Field(description="Whether the treatment itself is stopped for everybody now.")


class CorrectionOut(BaseModel):
    """Data of an account that somebody found wrong."""

    suggestion_id: str
    account_id: str
    account_name: str
    treatment: str
    reason: str
    reported_by: str
    reported_at: datetime
    settled_by: str | None
    settled_at: datetime | None


def count_out(count: DismissalCount, *, stopped: bool) -> DismissalCountOut:
    """A count as it is shown."""
    return DismissalCountOut(**vars(count) | {"latest": to_datetime(count.latest)}, stopped=stopped)


def correction_out(one: Dismissed) -> CorrectionOut:
    """A correction as it is shown."""
    return CorrectionOut(
        suggestion_id=one.suggestion_id,
        account_id=one.account_id,
        account_name=one.account_name,
        treatment=one.treatment,
        reason=one.reason,
        reported_by=one.user_id,
        reported_at=to_datetime(one.dismissed_at),
        settled_by=one.settled_by,
        settled_at=None if one.settled_at is None else to_datetime(one.settled_at),
    )
