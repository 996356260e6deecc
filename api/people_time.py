"""How much customer time people have on which day: weekdays, days off, holidays, absences."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

import numpy as np

from engine.contract import WEEKDAYS
from engine.playbook import Playbook
from engine.playbook_rules import Calendar
from engine.records import Ints

_EPOCH = date(1970, 1, 1)
_THURSDAY = 3
"""Weekday of 1970-01-01, Monday being 0."""


def day_number(day: date) -> int:
    """Days since 1970-01-01."""
    return (day - _EPOCH).days


def date_of(day: int) -> date:
    """The date of a number of days since 1970-01-01."""
    return date.fromordinal(_EPOCH.toordinal() + day)


def minutes_by_day(playbook: Playbook, calendar: Mapping[str, Any], away: Iterable[int], days: Sequence[int]
                   ) -> Ints:  # fmt: skip
    """Whole minutes of customer time of one person on each day.

    Args:
        calendar: monday_minutes ... and absences as loaded; without any minutes the playbook's usual ones.
        away: Days on which she is away beside her absences.
    """
    settings = playbook.plan
    usual = settings.minutes_per_day if settings else 0.0
    company = next((c for c in playbook.calendars if c.id == "default"), Calendar("", tuple(range(5)), ()))
    own = {name: float(value) for name, value in calendar.items() if name.endswith("_minutes")}
    off, leave = set(away) | set(company.holidays), spans(calendar.get("absences") or "")
    found = []
    for day in days:
        weekday = (day + _THURSDAY) % 7
        free = (
            own.get(f"{WEEKDAYS[weekday]}_minutes", 0.0) if own else usual * (weekday in company.working_days)
        )
        absent = day in off or any(first <= day <= last for first, last in leave)
        found.append(0 if absent else int(free))
    return np.array(found, dtype=np.int64)


def spans(absences: str) -> list[tuple[int, int]]:
    """First and last day of each absence of the contract's list, such as 2026-01-05|2026-02-02/2026-02-06."""
    entries = [entry.strip().partition("/") for entry in absences.split("|") if entry.strip()]
    return [
        (day_number(date.fromisoformat(first)), day_number(date.fromisoformat(last or first)))
        for first, _, last in entries
    ]
