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
    off = absent_days(calendar.get("absences") or ()) | set(away) | set(company.holidays)
    found = []
    for day in days:
        weekday = (day + _THURSDAY) % 7
        free = (
            own.get(f"{WEEKDAYS[weekday]}_minutes", 0.0) if own else usual * (weekday in company.working_days)
        )
        found.append(0 if day in off else int(free))
    return np.array(found, dtype=np.int64)


def absent_days(absences: Iterable[str]) -> set[int]:
    """Days of texts such as 2026-01-05 and 2026-01-05/2026-01-09; what cannot be read is no day."""
    days: set[int] = set()
    for text in absences:
        span = _span(text)
        days |= set(range(day_number(span[0]), day_number(span[1]) + 1)) if span else set()
    return days


def _span(text: str) -> tuple[date, date] | None:
    first, _, last = text.partition("/")
    try:
        return date.fromisoformat(first), date.fromisoformat(last or first)
    except ValueError:
        return None
