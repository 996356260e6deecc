"""A person's days: read from the plan, and planned again first when something of hers has changed.

Nothing is planned before it is asked for. What is on show of a person is compared with what her days were
planned from. Where they differ (a live suggestion, an answer, a day settled by hand, an absence, a day that
has gone by) her days alone are planned again (`api.replan`). A plan whose last day has gone by is shown as it
is stored: there is no day left that could be planned.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from api.replan import Identity, plan_again
from data.ledger.ledger import Ledger
from data.ledger.plan_types import PersonDays, PersonPlan, PlanHead, PlanItem
from data.ledger.types import ConflictError, Suggestion
from engine.plan_offers import day_of
from engine.playbook import Playbook
from engine.shadow_prices import whole_minutes

_ATTEMPTS = 20
_MOST_SUGGESTIONS = 5_000


@dataclass(frozen=True)
class Planned:
    """One suggestion in a person's days; `item.day` None = it waits."""

    item: PlanItem
    suggestion: Suggestion


@dataclass(frozen=True)
class DayPlan:
    """A person's days as they stand.

    Attributes:
        today: The day it is (days since 1970, the company's clock).
        absent: Days on which somebody said that she is away.
        listed: What is planned and what waits, by day and place.
        accepted: What she accepted that stands among the bookings.
        displaced: Some of what was not worth the price of her time, the most valuable first.
    """

    head: PlanHead
    person: PersonDays
    today: int
    absent: frozenset[int]
    listed: tuple[Planned, ...]
    accepted: tuple[Suggestion, ...]
    displaced: tuple[PlanItem, ...] = ()

    def on(self, day: int) -> list[Planned]:
        """What is planned on a day, in order."""
        return [one for one in self.listed if one.item.day == day]

    @property
    def next_day(self) -> int:
        """Today, or where nothing is planned today, as on a Sunday, the next day that has something."""
        return min((one.item.day for one in self.listed if one.item.day is not None), default=self.today)

    @property
    def waiting(self) -> list[Planned]:
        """What has no day, the most valuable first."""
        left = [one for one in self.listed if one.item.day is None]
        return sorted(left, key=lambda one: (-one.item.value, one.item.identity))


def day_plan(ledger: Ledger, playbook: Playbook, user_id: str, *, now: int) -> DayPlan | None:
    """A person's days, planned again first where they are out of date; None where no plan has her.

    Raises:
        ConflictError: Her days change faster than they can be planned.
    """
    if playbook.plan is None:
        return None
    for _ in range(_ATTEMPTS):
        found = ledger.plans.of_person(user_id)
        if found is None:
            return None
        today = int(day_of(playbook, np.array([now]))[0])
        shown = _shown(ledger, playbook, user_id, now=now)
        handed = handed_minutes(ledger, playbook, found, today)
        over = today >= found.head.first_day + found.head.days
        if over or (_up_to_date(found, shown, today) and handed == _reserved(found)):
            return _as_shown(ledger, found, shown, today)
        try:
            plan_again(ledger, playbook, _with_reserved(found, handed), shown, now=now)
        except ConflictError:
            continue
    raise ConflictError(f"The days of {user_id!r} change too fast to be planned; try again.")


def handed_minutes(ledger: Ledger, playbook: Playbook, plan: PersonPlan, today: int) -> dict[int, int]:
    """The plan's day -> minutes that what colleagues handed over to her takes, as far as a treatment says so.

    It is done before all else: today when it is late or has no time, else on the day by which it is due.
    """
    user_id, days = plan.person.user_id, {day["day"] for day in plan.person.days}
    role = next((user.role for user in ledger.users() if user.user_id == user_id), "")
    takes = {treatment.id: whole_minutes(treatment) for treatment in playbook.treatments}
    found: dict[int, int] = {}
    for task in ledger.hand_overs.for_person(user_id, role):
        minutes = takes.get(task.treatment or "", 0)
        if minutes and task.state != "returned":
            due = today if task.due_at is None else int(day_of(playbook, np.array([task.due_at]))[0])
            found[max(today, due)] = found.get(max(today, due), 0) + minutes
    return {day: minutes for day, minutes in found.items() if day in days}


def _reserved(found: PersonPlan) -> dict[int, int]:
    return {day["day"]: day["handed"] for day in found.person.days if day.get("handed")}


def _with_reserved(found: PersonPlan, handed: Mapping[int, int]) -> PersonPlan:
    days = [{**day, "handed": handed.get(day["day"], 0)} for day in found.person.days]
    return replace(found, person=replace(found.person, days=days))


def _shown(ledger: Ledger, playbook: Playbook, user_id: str, *, now: int) -> dict[Identity, Suggestion]:
    """What is on show of a person and takes her time, by identity."""
    own = {treatment.id for treatment in playbook.treatments}
    listed = ledger.worklist(user_id, now=now, limit=_MOST_SUGGESTIONS)
    return {(s.account_id, s.treatment, s.role): s for s in listed if s.treatment in own}


def _up_to_date(found: PersonPlan, shown: Mapping[Identity, Suggestion], today: int) -> bool:
    """Whether her days were planned from what is on show now, and none of it lies behind."""
    planned = {item.identity: item for item in found.items}
    open_ = {identity: s for identity, s in shown.items() if _counts(s, planned.get(identity))}
    if found.person.stale or planned.keys() != open_.keys():
        return False
    behind = any(item.day is not None and item.day < today for item in found.items)
    # What was decided again may be worth another day; what was accepted is settled.
    moved = any(s.state != "accepted" and planned[i].priority != s.priority for i, s in open_.items())
    return not behind and not moved


def _counts(suggestion: Suggestion, item: PlanItem | None) -> bool:
    """What was accepted stands in the plan where its day is settled in it; else among the bookings."""
    return suggestion.state != "accepted" or item is not None


def _as_shown(ledger: Ledger, found: PersonPlan, shown: Mapping[Identity, Suggestion], today: int) -> DayPlan:
    listed = tuple(Planned(item, shown[item.identity]) for item in found.items if item.identity in shown)
    planned = {item.identity for item in found.items}
    accepted = tuple(s for i, s in shown.items() if s.state == "accepted" and i not in planned)
    away = ledger.plans.absences().get(found.person.user_id, frozenset())
    displaced = tuple(item for item in found.displaced if item.identity not in shown)
    return DayPlan(found.head, found.person, today, away, listed, accepted, displaced)
