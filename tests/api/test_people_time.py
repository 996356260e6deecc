"""How much time people have: what a plan may take is never more than a person works."""

from __future__ import annotations

from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from api.people_time import date_of, day_number, minutes_by_day, spans
from engine.playbook import Playbook, parse_playbook
from tests.engine.example_playbook import TEXT

MONDAY = day_number(date(2026, 1, 5))
WEEK = range(MONDAY, MONDAY + 7)


def planning(more: str = "") -> Playbook:
    return parse_playbook(f"{TEXT}\n[plan]\nminutes_per_day = 300\n{more}")


def test_who_has_no_calendar_works_the_usual_time_on_working_days() -> None:
    """A company that loads no calendars still gets plans, and none of them on a Sunday."""
    assert minutes_by_day(planning(), {}, (), WEEK).tolist() == [300] * 5 + [0, 0]


def test_a_weekday_of_her_own_counts_and_one_that_is_not_given_is_free() -> None:
    """Who works on Saturday and half of Tuesday is planned then and only then."""
    own = {"tuesday_minutes": 90.5, "saturday_minutes": 120.0}

    assert minutes_by_day(planning(), own, (), WEEK).tolist() == [0, 90, 0, 0, 0, 120, 0]


def test_holidays_and_absences_leave_no_time() -> None:
    """A visit planned on a holiday, or while she is on leave, is a visit that nobody makes."""
    company = planning('[calendars.default]\nholidays = [2026-01-06]\nworking_days = ["monday", "tuesday", '
                       '"wednesday", "thursday", "friday"]')  # fmt: skip
    on_leave = {"absences": "2026-01-08/2026-01-09"}

    free = minutes_by_day(company, on_leave, {MONDAY}, WEEK)

    assert free.tolist() == [0, 0, 300, 0, 0, 0, 0]


@given(st.dates(date(2020, 1, 1), date(2030, 1, 1)), st.integers(0, 20))
def test_an_absence_is_all_days_from_the_first_to_the_last(first: date, longer: int) -> None:
    """The last day of a leave is a day of leave."""
    begin = day_number(first)
    last = date_of(begin + longer)

    assert spans(f"{first}/{last}|{last}") == [(begin, begin + longer), (begin + longer, begin + longer)]
