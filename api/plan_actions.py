"""What people settle themselves in their days: on which day something is done, and when they are away."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, time
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from api.feedback import planned_again
from api.people_time import date_of
from api.service import Service
from api.tags import require, tag_of
from data.ledger.plan_types import PlanMove
from data.ledger.types import Suggestion, User
from data.times import micros
from engine.plan_offers import day_of
from engine.playbook import Playbook
from engine.records import EngineError


class PlanError(EngineError):
    """What was asked of a plan cannot be; nothing was changed."""


def move(
    service: Service, suggestion: Suggestion, user: User, day: int | None, at: time | None, *,
    if_match: str | None = None,
) -> None:  # fmt: skip
    """Settle the day of a suggestion, or leave it to the plan again; the rest of that person's days follows.

    What was accepted is planned for the new day too.

    Args:
        day: Days since 1970 by the company's clock; None = as the plan likes.
        at: Local time there.
        if_match: Tags of which what is settled of her days must have one; None = whatever it is.

    Raises:
        PlanError: The day is not one of the plan's, or what was accepted is left without a day.
    """
    ledger, playbook, now = service.ledger, service.decider().playbook, service.clock()
    identity = suggestion.account_id, suggestion.treatment, suggestion.role
    person = ledger.stand_ins.who_has(suggestion.user_id or user.user_id)
    if day is None:
        if suggestion.state == "accepted":
            raise PlanError("What was accepted needs a day; dismiss or snooze it, or give another day.")
        ledger.plans.free_day(identity, person, check=_unchanged(if_match))
        return
    check_day(service, day)
    moment = _moment(playbook, day, at, now)
    if suggestion.state == "accepted":
        state = ledger.account_state(suggestion.account_id)
        treatment = playbook.treatment(suggestion.treatment)
        row = planned_again(suggestion, treatment, user, moment, attempt=state.version)
        service.record([row])
    said = moment if at is not None else None
    settled = PlanMove(*identity, person, day, said, user.user_id, now)
    ledger.plans.settle_day(settled, check=_unchanged(if_match))


def check_day(service: Service, day: int) -> None:
    """Raises PlanError where a day is past or beyond the plan."""
    head, playbook = service.ledger.plans.head(), service.decider().playbook
    if head is None:
        raise PlanError("There is no plan; the next night makes one where the playbook has a table [plan].")
    today = int(day_of(playbook, np.array([service.clock()]))[0])
    first, last = max(today, head.first_day), head.first_day + head.days - 1
    if not first <= day <= last:
        raise PlanError(f"{date_of(day)} is no day of the plan: {date_of(first)} to {date_of(last)} are.")


def away(
    service: Service, user_id: str, days: Sequence[int], *, absent: bool, by: User,
    if_match: str | None = None,
) -> None:  # fmt: skip
    """Say that a person is away on some days, or is there after all; her days are planned again.

    What is booked or settled on them stays: only people can call it off.
    """
    for day in (days[0], days[-1]):
        check_day(service, day)
    service.ledger.plans.set_absence(
        user_id, days, absent=absent, by=by.user_id, now=service.clock(), check=_unchanged(if_match)
    )


def plan_tag(service: Service, user_id: str) -> str:
    """ETag of what people have settled of a person's days; what the engine plans of them may move on."""
    return tag_of(service.ledger.plans.settled(user_id))


def _unchanged(if_match: str | None) -> Callable[[list[Any]], None] | None:
    return None if if_match is None else lambda settled: require(if_match, tag_of(settled))


def _moment(playbook: Playbook, day: int, at: time | None, now: int) -> int:
    """That time of that day, or noon; microseconds UTC, never before now."""
    zone = ZoneInfo(playbook.default_timezone or "UTC")
    return max(micros(datetime.combine(date_of(day), at or time(12), zone)), now + 1)
