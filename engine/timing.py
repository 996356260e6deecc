"""When a contact may go out and when a suggestion ends: quiet hours, working days, holidays, validity.

Local time comes from the time zones that are built into Polars; nothing is read from disk.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import polars as pl

from engine.playbook import Playbook
from engine.playbook_rules import Calendar
from engine.records import DAY_MICROS, Bools, Ints, Micros, kept_with

MINUTE_MICROS = 60_000_000
MOST_STEPS = 4_000
"""A search for an open moment takes two steps a day at most: more than five years of holidays."""
MOST_KEPT = 4_096
"""So many minutes and places are remembered."""
EVERYDAY = Calendar("", tuple(range(7)), ())

Hours = tuple[tuple[int, int] | None, Calendar]
"""Quiet hours, as minutes of the day, and the days on which there are others."""

_THURSDAY = 3
"""Weekday of 1970-01-01, Monday being 0."""


def expires_at(playbook: Playbook, as_of: Micros) -> Micros:
    """When a suggestion made at each moment ends: after its days, or with its approval or validity, whichever
    comes first; microseconds UTC, shape (n, T)."""
    lasts, ends = lasting(playbook)
    last: Micros = np.minimum(as_of[:, None] + lasts[None, :], ends[None, :])
    return last


@kept_with
def lasting(playbook: Playbook) -> tuple[Micros, Micros]:
    """How long a suggestion of each treatment lasts, and when it ends at the latest; shapes (T,)."""
    never = np.iinfo(np.int64).max
    lasts = [round(t.validity_days * DAY_MICROS) for t in playbook.treatments]
    ends = [
        min(never if end is None else end for end in (t.approved_until, t.valid_until, playbook.valid_until))
        for t in playbook.treatments
    ]
    return np.array(lasts, dtype=np.int64), np.array(ends, dtype=np.int64)


def local_days(moments: Micros, zone: str) -> Ints:
    """The day of each moment by the clock of a zone, in days since 1970-01-01; shape (n,)."""
    days: Ints = _local(np.asarray(moments, dtype=np.int64), zone) // DAY_MICROS
    return days


@lru_cache(maxsize=1024)
def known_zone(name: str) -> bool:
    """Whether it is a time zone of the IANA database."""
    try:
        _local(np.zeros(1, dtype=np.int64), name)
    except pl.exceptions.PolarsError:
        return False
    return bool(name)


def first_moments(playbook: Playbook, as_of: Micros, place: Ints, places: Sequence[str]) -> Micros:
    """The first moment at or after each at which each channel may be used; microseconds UTC, shape (n, C).

    Args:
        playbook: Channels with quiet hours and working days, calendars, the time zone of those without one.
        as_of: Shape (n,).
        place: Into `places`, -1 = not known; shape (n,).
        places: Time zone and country of accounts, "Europe/Berlin|DE"; either part may be empty.

    A channel without quiet hours and working days may be used at once, and so may any where no time zone is
    known (the rule `no_timezone` forbids that).
    """
    if len(as_of) == 1:
        where = places[place[0]] if place[0] >= 0 else "|"
        opens = _opening(playbook, int(as_of[0]) // MINUTE_MICROS, where)
        if opens is not None:
            return np.maximum(opens, as_of)[None, :]
    found = np.repeat(as_of[:, None], len(playbook.channels), axis=1)
    windows = _windows(playbook)
    for code, where in enumerate((*places, "|")) if windows else ():
        rows = np.flatnonzero(place == (code if code < len(places) else -1))
        zone, hours = _hours(playbook, where)
        if not rows.size or not zone:
            continue
        for opens, channels in zip(_first_of_all(as_of[rows], zone, hours), windows.values(), strict=True):
            for channel in channels:
                found[rows, channel] = opens
    return found


def _opening(playbook: Playbook, minute: int, where: str) -> Micros | None:
    """When each channel opens, or the minute's begin where it is open, for all moments of a minute at a
    place; None where that changes within the minute. Shape (C,)."""
    kept = _openings(playbook)
    if (minute, where) not in kept:
        zone, hours = _hours(playbook, where)
        begin = minute * MINUTE_MICROS
        known = zone and hours
        first = _within_minute(minute, zone, tuple(hours)) if known else np.full(len(hours), begin)
        found = None
        if first is not None:
            found = np.full(len(playbook.channels), begin, dtype=np.int64)
            for opens, channels in zip(first, _windows(playbook).values(), strict=True):
                found[channels] = opens
        if len(kept) >= MOST_KEPT:
            kept.clear()
        kept[(minute, where)] = found
    return kept[(minute, where)]


@kept_with
def _openings(playbook: Playbook) -> dict[tuple[int, str], Micros | None]:
    """What `_opening` found of the latest minutes and places."""
    return {}


def _hours(playbook: Playbook, where: str) -> tuple[str, list[Hours]]:
    """The time zone of a place, "" = none is known, and the hours of `_windows` by its calendar."""
    zone, _, country = where.partition("|")
    own = _calendar(playbook, country)
    hours: list[Hours] = [(quiet, own if working else EVERYDAY) for quiet, working in _windows(playbook)]
    return zone if zone and known_zone(zone) else playbook.default_timezone, hours


@kept_with
def _windows(playbook: Playbook) -> dict[tuple[tuple[int, int] | None, bool], list[int]]:
    """Quiet hours and whether only working days count -> the channels that have them."""
    windows: dict[tuple[tuple[int, int] | None, bool], list[int]] = {}
    for index, channel in enumerate(playbook.channels):
        if channel.outbound and (channel.quiet_hours or channel.working_days):
            windows.setdefault((channel.quiet_hours, channel.working_days), []).append(index)
    return windows


def _calendar(playbook: Playbook, country: str) -> Calendar:
    """The country's, else the default one, else Monday to Friday without holidays."""
    own = {calendar.id: calendar for calendar in playbook.calendars}
    return own.get(country.lower()) or own.get("default") or Calendar("", tuple(range(5)), ())


def _within_minute(minute: int, zone: str, hours: tuple[Hours, ...]) -> Micros | None:
    """For all moments of a minute: when each kind of hours opens, or the minute's begin where it is open.

    A minute's answer is the same for every account of a zone. None where hours begin or end within it, or
    the clock is changed.
    """
    begin = minute * MINUTE_MICROS
    ends = np.array([begin, begin + MINUTE_MICROS - 1], dtype=np.int64)
    opens = _first_of_all(ends, zone, hours)
    whole = (opens == ends[None, :]).all(axis=1) | (opens[:, 0] == opens[:, 1])
    return opens[:, 0].copy() if whole.all() else None


def _first_of_all(as_of: Micros, zone: str, hours: Sequence[Hours]) -> Micros:
    moments, index = np.unique(as_of, return_inverse=True)
    local = _local(moments, zone)
    opened = np.array([_opened(local, quiet, calendar) for quiet, calendar in hours])
    found = np.repeat(moments[None, :], len(hours), axis=0)
    moved = opened != local[None, :]
    if moved.any():
        found[moved] = _utc(opened[moved], zone, found[moved])
    return found[:, index.reshape(-1)]


def _opened(local: Micros, quiet: tuple[int, int] | None, calendar: Calendar) -> Micros:
    """The first open moments by the clock on the wall."""
    for _ in range(MOST_STEPS):
        later = _after_quiet(_on_working_day(local, calendar), quiet)
        if np.array_equal(later, local):
            break
        local = later
    return local


def _on_working_day(local: Micros, calendar: Calendar) -> Micros:
    """Moments on a day off move to the beginning of the next day."""
    if calendar is EVERYDAY:
        return local
    day = local // DAY_MICROS
    works = np.isin((day + _THURSDAY) % 7, calendar.working_days)
    if calendar.holidays:
        works &= ~np.isin(day, calendar.holidays)
    return np.where(works, local, (day + 1) * DAY_MICROS)


def _after_quiet(local: Micros, quiet: tuple[int, int] | None) -> Micros:
    """Moments within quiet hours move to their end; they may span midnight."""
    if quiet is None:
        return local
    start, end = (minutes * MINUTE_MICROS for minutes in quiet)
    day, time = local // DAY_MICROS * DAY_MICROS, local % DAY_MICROS
    late = (time >= start) & (start > end)
    within: Bools = (time < end) & ((time >= start) | (start > end))
    return np.where(late, day + DAY_MICROS + end, np.where(within, day + end, local))


def _local(moments: Micros, zone: str) -> Micros:
    """What the clock shows there, as if it were UTC."""
    utc = pl.Series(moments).cast(pl.Datetime("us", "UTC"))
    shown = utc.dt.convert_time_zone(zone).dt.replace_time_zone(None)
    return np.array(shown.to_physical(), dtype=np.int64)


def _utc(local: Micros, zone: str, earliest: Micros) -> Micros:
    """When the clock shows that, not before `earliest`: of an hour that comes twice the first one possible;
    of one that is skipped the first moment after it."""
    first = _occurs(local, zone, twice_first=True)
    return np.where(first >= earliest, first, _occurs(local, zone, twice_first=False))


def _occurs(local: Micros, zone: str, *, twice_first: bool) -> Micros:
    shown = pl.Series(local).cast(pl.Datetime("us"))
    while True:
        there = shown.dt.replace_time_zone(
            zone, ambiguous="earliest" if twice_first else "latest", non_existent="null"
        )
        if not there.has_nulls():
            return np.array(there.dt.convert_time_zone("UTC").to_physical(), dtype=np.int64)
        # Clocks are set forward to a whole or a half hour.
        after = shown.dt.truncate("30m").dt.offset_by("30m")
        shown = after.zip_with(there.is_null(), shown)
