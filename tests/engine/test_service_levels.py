"""Until when somebody has to act, in working hours of her zone."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from engine.contract import WEEKDAYS
from engine.playbook import PlaybookError, parse_playbook
from engine.service_levels import ServiceLevel, due_at
from tests.engine import funnel

BERLIN = ZoneInfo("Europe/Berlin")
OFFICE = ServiceLevel("seller", 4.0, WEEKDAYS[:5], 9.0, 17.0)
CLOCK = ServiceLevel("safety", 24.0, WEEKDAYS, 0.0, 24.0)


def due(level: ServiceLevel, moment: str) -> str:
    since = datetime.fromisoformat(moment).replace(tzinfo=BERLIN)
    micros = round(since.timestamp()) * 1_000_000
    return (
        datetime.fromtimestamp(due_at(level, micros, BERLIN) / 1e6, UTC).astimezone(BERLIN).isoformat()[:16]
    )


@pytest.mark.parametrize(
    ("since", "expected"),
    [
        ("2026-01-07T10:00", "2026-01-07T14:00"),  # within a day
        ("2026-01-07T15:30", "2026-01-08T11:30"),  # over the night
        ("2026-01-07T05:00", "2026-01-07T13:00"),  # before the day begins
        ("2026-01-07T20:00", "2026-01-08T13:00"),  # after it has ended
        ("2026-01-09T16:00", "2026-01-12T12:00"),  # over a weekend
        ("2026-01-10T12:00", "2026-01-12T13:00"),  # on a weekend
        ("2026-01-07T13:00", "2026-01-07T17:00"),  # to the last minute of a day
    ],
)
def test_only_working_hours_count(since: str, expected: str) -> None:
    """A lead of Friday evening is not late on Saturday morning."""
    assert due(OFFICE, since) == expected


@pytest.mark.parametrize(
    ("since", "expected"),
    [
        ("2026-01-09T16:00", "2026-01-10T16:00"),
        ("2026-03-28T12:00", "2026-03-29T13:00"),
        ("2026-10-24T12:00", "2026-10-25T11:00"),
    ],
)
def test_a_legal_clock_runs_by_day_and_night_and_is_not_moved_by_summer_time(since, expected) -> None:
    """24 hours are 24 hours, also when the night has 23 or 25."""
    assert due(CLOCK, since) == expected


def test_the_working_week_is_a_matter_of_the_playbook() -> None:
    """In Tehran the week begins on Saturday."""
    week = ServiceLevel("seller", 4.0, ("saturday", "sunday", "monday", "tuesday", "wednesday"), 9.0, 17.0)

    assert due(week, "2026-01-07T16:00") == "2026-01-10T12:00"


@pytest.mark.parametrize(
    ("level", "said"),
    [
        ("[service_levels.sellr]\nhours = 1", "'sellr' is no role; known: marketer, seller, system."),
        ("[service_levels.seller]\nhours = 1\ndays = []", "service_levels.seller.days: empty"),
        ("[service_levels.seller]\nhours = 1\nfrom_hour = 18", "a working day has at least one hour"),
        ("[service_levels.seller]\nhours = 0", "service_levels.seller.hours: got 0"),
        ('[service_levels.seller]\nhours = 1\ndays = ["sonday"]', "unknown choice 'sonday', did you mean"),
    ],
)
def test_a_mistake_is_said_in_one_line(level: str, said: str) -> None:
    """A clock that never rings is worse than none."""
    with pytest.raises(PlaybookError) as error:
        parse_playbook(funnel.text(rest=level))

    assert said in str(error.value)


REPORTS = ("[topics.pricing]", "[topics.pricing]\nsafety = true")


@pytest.mark.parametrize(
    ("role", "reported", "said"),
    [("seller", True, "[service_levels.seller] is missing"), ("system", True, "'system' is the system"),
     ("safty", True, "unknown role 'safty'"), ("", True, "reports on topics.pricing need somebody to go to"),
     ("seller", False, "no topic says safety = true")],
)  # fmt: skip
def test_a_safety_role_is_a_person_with_a_legal_clock(role: str, reported: bool, said: str) -> None:
    """The law names the hours; a playbook without them is not taken."""
    text = funnel.text(top=f'safety_role = "{role}"')

    with pytest.raises(PlaybookError) as error:
        parse_playbook(text.replace(*REPORTS, 1) if reported else text)

    assert said in str(error.value)


def test_a_holiday_is_no_working_day_but_the_legal_clock_runs_on() -> None:
    """Nobody is late for what came on the evening before a holiday; a safety report does not wait."""
    since = round(datetime(2026, 1, 6, 16, tzinfo=BERLIN).timestamp()) * 1_000_000
    wednesday = (datetime(2026, 1, 7, tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)).days

    office, clock = (due_at(level, since, BERLIN, (wednesday,)) for level in (OFFICE, CLOCK))

    assert _local(office) == "2026-01-08T12:00"
    assert _local(due_at(OFFICE, since, BERLIN)) == "2026-01-07T12:00"
    assert _local(clock) == "2026-01-07T16:00"


def _local(micros: int) -> str:
    return datetime.fromtimestamp(micros / 1e6, UTC).astimezone(BERLIN).isoformat()[:16]
