"""My day: what waits, in order, and what it takes of my time."""

from __future__ import annotations

from datetime import date

from fastapi import Request, Response

from api.access import Serving, SignedIn, may, people_seen
from api.hand_over_schemas import HandOverOut
from api.page.cards import lead, minutes_of, treatment_of
from api.page.days import day_off
from api.page.plan import open_days, plan_of
from api.page.rendering import show, words_for
from api.page.routing import page_router
from api.page.words import Words
from api.plan_schemas import DayOut, PlanOut
from api.routes.suggestions import my_worklist
from api.schemas import SuggestionOut
from api.stream import place_now
from engine.contract import DISMISS_REASONS

router = page_router()

_WAITING = 5


@router.get("/day", dependencies=[may("suggestions", "plan", "hand_overs")])
def my_day(request: Request, user: SignedIn, service: Serving) -> Response:
    """Hand-overs first, then suggestions; those of her people for a manager, to read."""
    place = place_now(service)
    playbook, listed = service.decider().playbook, my_worklist(user, service, limit=None)
    plan = plan_of(user, service)
    words = words_for(user, service)
    today = words.now.date()
    # On a day off the list shows what is planned for the next day of work.
    ahead = open_days(plan, today)
    suggestions = [one for one in listed if isinstance(one, SuggestionOut)]
    return show(
        request, user, service, "day.html",
        place=place,
        hand_overs=[one for one in listed if isinstance(one, HandOverOut)],
        suggestions=suggestions,
        plan_day=ahead[0] if ahead else None,
        off_today=_off(plan, today, words),
        move_days=[day.date for day in ahead],
        absence_days=_workdays(plan, today),
        later=[day for day in ahead[1:] if day.planned],
        waiting=plan.waiting[:_WAITING] if plan else [],
        account_names=dict(service.ledger.accounts_served(user.user_id)) if plan else {},
        leads_by={one.suggestion_id: lead(one.reasons, one.priority, treatment_of(one, playbook))
                  for one in suggestions},
        minutes=minutes_of(suggestions, playbook),
        minutes_by={one.suggestion_id: playbook.treatment(one.treatment).minutes for one in suggestions},
        answers=user.role in {role.id for role in playbook.roles},
        reads_others=len(people_seen(service, user)[0]) > 1,
        dismiss_reasons=DISMISS_REASONS,
        covered=next((one for one in service.ledger.stand_ins.current()
                      if one.user_id == user.user_id and one.state == "in_force"), None),
    )  # fmt: skip


def _workdays(plan: PlanOut | None, today: date) -> list[DayOut]:
    """Days of the plan on which she works, or would if she had not said that she is away."""
    return [day for day in plan.days if day.date >= today and (day.minutes or day.away)] if plan else []


def _off(plan: PlanOut | None, today: date, words: Words) -> str:
    """Why today has no time for customers: away, no_work (a weekend, a holiday) or no_time; "" = it has."""
    found = next((day for day in plan.days if day.date == today), None) if plan else None
    if plan is None or (found and found.minutes):
        return ""
    if found and found.away:
        return "away"
    if day_off(words, today):
        return "no_work"
    return "no_time" if found else ""
