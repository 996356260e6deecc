"""When a contact may go out: by the clock and the calendar where the account is."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.playbook import Playbook
from engine.playbook_rules import Calendar
from engine.timing import first_moments
from tests.engine.builders import account, features, history, moments, playbook, treatment
from tests.engine.deciding import READY, decided, listed, objecting

EPOCH = date(1970, 1, 1)
NIGHT = (20 * 60, 8 * 60)
WEEK = tuple(range(5))


def rules(
    quiet: tuple[int, int] | None = NIGHT,
    *calendars: Calendar,
    working: bool = False,
    zone: str = "Europe/Berlin",
) -> Playbook:
    """The small playbook whose e-mail has these hours."""
    base = playbook(suppressions=(), calendars=calendars, default_timezone=zone)
    mail, *others = base.channels
    return replace(base, channels=(replace(mail, quiet_hours=quiet, working_days=working), *others))


def calendar(id: str = "default", days: tuple[int, ...] = WEEK, *holidays: str) -> Calendar:
    return Calendar(id, days, tuple((date.fromisoformat(day) - EPOCH).days for day in holidays))


def micros(text: str) -> int:
    """A local time with its offset, such as 2026-01-05T07:00+01:00, as microseconds UTC."""
    return (
        round((datetime.fromisoformat(text) - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()) * 1_000_000
    )


def opens(book: Playbook, at: str, where: str = "|") -> str:
    """When e-mail may go out, by the clock of Greenwich."""
    found = first_moments(book, np.array([micros(at)]), np.array([0]), (where,))[0, 0]
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(found))).isoformat()[:16]


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("2026-01-07T03:00+01:00", "2026-01-07T07:00"),
        ("2026-01-07T20:00+01:00", "2026-01-08T07:00"),
        ("2026-01-07T19:59+01:00", "2026-01-07T18:59"),
        ("2026-01-07T08:00+01:00", "2026-01-07T07:00"),
    ],
)
def test_what_is_decided_at_night_waits_for_the_morning(at: str, expected: str) -> None:
    """Nobody is woken by an advertisement, and none is lost for that."""
    assert opens(rules(), at) == expected


def test_the_clock_is_that_of_the_account() -> None:
    """Morning in Berlin is night in New York."""
    at = "2026-01-07T09:00+01:00"

    assert opens(rules(), at, "Europe/Berlin|DE") == "2026-01-07T08:00"
    assert opens(rules(), at, "America/New_York|US") == "2026-01-07T13:00"
    assert opens(rules(), at, "Asia/Kolkata|IN") == "2026-01-07T08:00"


def test_an_unknown_zone_is_that_of_the_playbook_and_without_any_nothing_waits() -> None:
    """Without any zone another rule forbids the contact; there is nothing to reckon."""
    at = "2026-01-07T03:00+01:00"

    assert opens(rules(), at, "|DE") == "2026-01-07T07:00"
    assert opens(rules(), at, "Europe/Berlino|DE") == "2026-01-07T07:00"
    assert opens(rules(zone=""), at, "|DE") == "2026-01-07T02:00"


def test_hours_within_a_day_end_on_that_day() -> None:
    """A siesta is quiet too."""
    siesta = rules((13 * 60, 15 * 60 + 30))

    assert opens(siesta, "2026-01-07T13:00+01:00") == "2026-01-07T14:30"
    assert opens(siesta, "2026-01-07T12:59+01:00") == "2026-01-07T11:59"
    assert opens(siesta, "2026-01-07T15:30+01:00") == "2026-01-07T14:30"


def test_days_off_and_holidays_are_those_of_the_country() -> None:
    """Friday is a day off in Tehran and a working day in Berlin; a holiday may follow a weekend."""
    book = rules(
        NIGHT,
        calendar("default", WEEK, "2026-01-12"),
        calendar("ir", (5, 6, 0, 1, 2), "2026-01-10"),
        working=True,
    )
    friday = "2026-01-09T12:00+01:00"

    assert opens(book, friday, "Europe/Berlin|DE") == "2026-01-09T11:00"
    assert opens(book, friday, "Europe/Berlin|IR") == "2026-01-11T07:00"
    assert opens(book, "2026-01-10T12:00+01:00", "Europe/Berlin|DE") == "2026-01-13T07:00"
    assert opens(book, "2026-01-09T21:00+01:00", "Europe/Berlin|DE") == "2026-01-13T07:00"


def test_without_a_calendar_people_work_from_monday_to_friday() -> None:
    """The usual week needs no table; a day off alone ends at midnight."""
    assert opens(rules(None, working=True), "2026-01-10T12:00+01:00") == "2026-01-11T23:00"


@pytest.mark.parametrize(
    ("quiet_until", "at", "expected"),
    [
        # Clocks are set forward at 02:00 on 2026-03-29: half past two does not exist, three o'clock is first.
        (8 * 60, "2026-03-29T01:00+01:00", "2026-03-29T06:00"),
        (2 * 60 + 30, "2026-03-29T01:00+01:00", "2026-03-29T01:00"),
        # Clocks are set back at 03:00 on 2026-10-25: half past two comes twice, the first one counts,
        (8 * 60, "2026-10-25T01:00+02:00", "2026-10-25T07:00"),
        (2 * 60 + 30, "2026-10-25T01:00+02:00", "2026-10-25T00:30"),
        # but not one that is over.
        (2 * 60 + 30, "2026-10-25T02:10+01:00", "2026-10-25T01:30"),
    ],
)
def test_the_days_on_which_clocks_change(quiet_until: int, at: str, expected: str) -> None:
    """Twice a year the night is longer or shorter than anybody's arithmetic."""
    assert opens(rules((22 * 60, quiet_until)), at) == expected


ZONES = ("Europe/Berlin", "America/St_Johns", "Asia/Tehran", "Australia/Lord_Howe", "Asia/Kathmandu")
OPEN_FROM = st.integers(0, 11 * 60)
DAYS = st.sets(st.integers(0, 6), min_size=1)


@given(
    st.integers(0, 365 * 24 * 60), st.sampled_from(ZONES), st.integers(18 * 60, 23 * 60), OPEN_FROM, DAYS,
    st.sets(st.integers(20_454, 20_819), max_size=8),
)  # fmt: skip
@settings(max_examples=150, deadline=None)
def test_it_is_the_first_moment_that_a_clock_on_the_wall_would_find(
    minute: int, zone: str, start: int, end: int, days: set[int], holidays: set[int]
) -> None:
    """Another library and a search minute by minute agree, whatever the zone, the hours and the calendar."""
    at = micros("2026-01-01T00:00+00:00") + minute * 60_000_000
    there, own = ZoneInfo(zone), Calendar("default", tuple(sorted(days)), tuple(sorted(holidays)))

    def is_open(moment: int) -> bool:
        local = datetime.fromtimestamp(moment / 1e6, there)
        day = (local.date() - EPOCH).days
        return (
            local.weekday() in days and day not in holidays and end <= local.hour * 60 + local.minute < start
        )

    expected = at
    while not is_open(expected):
        expected += 60_000_000

    found = first_moments(
        rules((start, end), own, working=True), np.array([at]), np.array([0]), (f"{zone}|",)
    )

    assert found[0, 0] == expected
    assert found[0, 1] == at


def test_together_is_the_same_as_one_by_one() -> None:
    """The night and a live event must promise the same hour."""
    book, places = rules(working=True), ("America/New_York|US", "Asia/Tehran|IR")
    at = np.array(
        [micros(f"2026-01-{day:02}T{hour:02}:00+00:00") for day in (2, 3) for hour in (1, 5, 23)] * 2
    )
    place = np.array([0, 1, -1, 1] * 3)

    together = first_moments(book, at, place, places)

    alone = [first_moments(book, at[i : i + 1], place[i : i + 1], places)[0] for i in range(len(at))]
    assert together.tolist() == [row.tolist() for row in alone]


# -- the rule ---------------------------------------------------------------------------------------


def test_what_would_be_over_before_the_morning_is_removed_and_the_rest_waits() -> None:
    """A suggestion that can never be carried out is noise; one that can wait is none."""
    brief = treatment("email_brief", "email", role="system", validity_days=0.2)
    book = rules()
    book = replace(book, treatments=tuple(sorted((*book.treatments[1:], brief), key=lambda t: t.id)))
    book = replace(book, treatments=(playbook().treatments[0], *book.treatments))

    night, morning = (decided(history(*READY), moments(at_day=day), rules=book) for day in (0.0, 0.125))

    assert objecting(night, "email_brief") == ["quiet_hours"]
    assert objecting(morning, "email_brief") == []
    assert objecting(night, "email_news") == []
    assert objecting(night, "visit_news") == []
    assert listed(night) == ["none"]


def test_the_zone_and_country_count_from_when_they_are_known() -> None:
    """Law 2 for these facts as for any other; a country may be known without a zone."""
    book = rules(NIGHT, calendar("ir", (6,)), working=True)
    rows = (
        account(timezone="Europe/Berlin", country="DE", stored=-50.0),
        account(timezone="Asia/Tehran", country="IR", stored=-1.0),
    )

    before = features(history(*READY, *rows), moments(at_day=-1.0), book)
    after = features(history(*READY, *rows), moments(), book)

    # NOW is midnight in Greenwich at the beginning of Thursday, 2026-01-01.
    assert before.not_before[0, 0] == micros("2025-12-31T08:00+01:00")
    assert after.not_before[0, 0] == micros("2026-01-04T08:00+03:30")
    assert after.not_before[0, 1] == moments().as_of[0]


def test_a_zone_that_does_not_exist_is_none() -> None:
    """Without a default nobody knows whether it is night there."""
    there = account(timezone="Europe/Berlino", stored=-50.0)

    result = decided(history(there, *READY), rules=rules(zone=""))

    assert "no_timezone" in objecting(result, "visit_news")
