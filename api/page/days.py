"""Days to choose from, as people work: the next working days of a country."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, tzinfo

from api.page.words import Words, week_of
from api.people_time import date_of
from engine.playbook import Playbook

MONDAY_TO_FRIDAY = frozenset(range(5))
_OFFERED = 6


def working_days(words: Words, country: str | None) -> list[date]:
    """The next working days after today, by the calendar that the playbook has for the country."""
    works, holidays = _calendar(words.playbook, country)
    ahead = (words.now.date() + timedelta(days=n) for n in range(1, 60))
    open_days = [day for day in ahead if day.weekday() in works and day not in holidays]
    return open_days[:_OFFERED]


def day_off(words: Words, day: date) -> bool:
    """Whether nobody works on a day where the reader is: by the playbook's calendar for her country, else
    by the weekend there and the company's holidays."""
    playbook, country = words.playbook, words.country
    works, holidays = _calendar(playbook, country)
    if country and country.lower() not in {calendar.id for calendar in playbook.calendars}:
        week = week_of(country)
        return day in holidays or day.weekday() in range(week.weekend_start, week.weekend_end + 1)
    return day.weekday() not in works or day in holidays


def at_morning(day: date, zone: tzinfo | None) -> datetime:
    """Nine in the morning of a day, there."""
    return datetime.combine(day, time(9), tzinfo=zone or UTC)


def _calendar(playbook: Playbook, country: str | None) -> tuple[frozenset[int], frozenset[date]]:
    by_country = {calendar.id: calendar for calendar in playbook.calendars}
    found = by_country.get((country or "").lower()) or by_country.get("default")
    if found is None:
        return MONDAY_TO_FRIDAY, frozenset()
    holidays = frozenset(map(date_of, found.holidays))
    return frozenset(found.working_days), holidays
