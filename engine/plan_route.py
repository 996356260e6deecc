"""Which of its days a planned contact falls on, and in which order a day is gone through.

All days of a plan are worth the same, so contacts may change days freely within what time and spacing allow.
What is near each other comes on the same day; else what is worth more comes sooner. Nearness is never paid
for with a contact: it is not part of what is maximised, so neither plan nor bound depends on it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from engine.numerics import compiled
from engine.plan import Contacts, Limits
from engine.records import Bools, Floats, Ints

_KM_PER_DEGREE = 111.2
_PASSES = 5


Index = int | np.int64


class _Sheet(NamedTuple):
    """The planned contacts, ordered by account; all shape (m,)."""

    account: Ints
    person: Ints
    value: Floats
    minutes: Ints
    days: Ints
    free: Bools
    east: Floats
    north: Floats


def near_together(
    contacts: Contacts, day: Ints, limits: Limits, latitude: Floats, longitude: Floats, *, nearby_km: float
) -> Ints:
    """The same contacts, on days that bring together what is near; shape (n,), -1 = not planned.

    Args:
        day: Of a plan that keeps the limits.
        latitude, longitude: Of each contact in degrees, NaN = not known; shape (n,).
        nearby_km: Distance up to which two are near each other; 0 = only the same place.
    """
    planned, free = np.flatnonzero(day >= 0), (contacts.fixed < 0) & (contacts.person >= 0)
    planned = planned[np.argsort(contacts.account[planned], kind="stable")]
    east, north = _kilometres(latitude[planned], longitude[planned])
    sheet = _Sheet(
        contacts.account[planned], contacts.person[planned], contacts.value[planned],
        contacts.minutes[planned], contacts.days[planned], free[planned], east, north,
    )  # fmt: skip
    moved = day.copy()
    on, left, slots = day[planned], limits.minutes.copy(), limits.slots.copy()
    mine = sheet.person >= 0
    np.subtract.at(left, (sheet.person[mine], on[mine]), sheet.minutes[mine])
    np.subtract.at(slots, (sheet.person[mine], on[mine]), 1)
    _gather(sheet, _Week(on, left, slots, max(limits.spacing, 1), nearby_km * nearby_km))
    moved[planned] = on
    return moved


def in_order(value: Floats, latitude: Floats, longitude: Floats) -> Ints:
    """The order in which to go through the contacts of one day: from the most valuable always to the nearest.

    Those whose place is not known come last, by value. Shape (m,): positions in the arrays given.
    """
    east, north = _kilometres(latitude, longitude)
    return _chain(value, east, north)


def _kilometres(latitude: Floats, longitude: Floats) -> tuple[Floats, Floats]:
    """East and north of the equator's zero meridian on a flat map: good for the distances of one day."""
    return longitude * _shrinking(latitude) * _KM_PER_DEGREE, latitude * _KM_PER_DEGREE


def _shrinking(latitude: Floats) -> Floats:
    """The cosine of a latitude in degrees, by its series: to a millionth, and the same bits everywhere."""
    square = (latitude * (np.pi / 180.0)) ** 2
    series = np.ones_like(square)
    for k in (12, 10, 8, 6, 4, 2):
        series = 1.0 - series * square / (k * (k - 1))
    return series


class _Week(NamedTuple):
    """Where the contacts are now and what is left of the days, changed in place; `near` in square km."""

    on: Ints
    left: Ints
    slots: Ints
    spacing: int
    near: float


@compiled
def _neighbours(sheet: _Sheet, week: _Week, mine: Ints, i: Index, day: int) -> int:
    """How many of a person's contacts on a day are near contact i."""
    found = 0
    for k in mine:
        if k != i and week.on[k] == day:
            east, north = sheet.east[k] - sheet.east[i], sheet.north[k] - sheet.north[i]
            found += 1 if east * east + north * north <= week.near else 0
    return found


@compiled
def _may(sheet: _Sheet, week: _Week, i: Index, day: int) -> bool:
    """Whether contact i may be on a day as far as its account is concerned."""
    if not sheet.free[i] or (sheet.days[i] >> day) & 1 == 0:
        return False
    for k in range(np.searchsorted(sheet.account, sheet.account[i]), len(week.on)):
        if sheet.account[k] != sheet.account[i]:
            break
        if k != i and abs(week.on[k] - day) < week.spacing:
            return False
    return True


@compiled
def _gather(sheet: _Sheet, week: _Week) -> None:
    """Move contacts to other days, or swap the days of two, as long as it brings more together."""
    for person in range(week.left.shape[0]):
        mine = np.flatnonzero(sheet.person == person)
        for _ in range(_PASSES):
            better = False
            for i in mine:
                for day in range(week.left.shape[1]):
                    better |= _move(sheet, week, mine, i, day)
                for k in mine:
                    better |= _swap(sheet, week, mine, i, k)
            if not better:
                break


@compiled
def _move(sheet: _Sheet, week: _Week, mine: Ints, i: Index, day: int) -> bool:
    """Move a contact to a day with more neighbours, or with as many and sooner; whether it was done."""
    before, left, slots = week.on[i], week.left[sheet.person[i]], week.slots[sheet.person[i]]
    if day == before or left[day] < sheet.minutes[i] or slots[day] < 1:
        return False
    gain = _neighbours(sheet, week, mine, i, day) - _neighbours(sheet, week, mine, i, before)
    if gain < 0 or (gain == 0 and day > before) or not _may(sheet, week, i, day):
        return False
    week.on[i] = day
    left[before], left[day] = left[before] + sheet.minutes[i], left[day] - sheet.minutes[i]
    slots[before], slots[day] = slots[before] + 1, slots[day] - 1
    return True


@compiled
def _swap(sheet: _Sheet, week: _Week, mine: Ints, i: Index, k: Index) -> bool:
    """Swap the days of two contacts where that brings more together, or what is worth more sooner."""
    one, other, longer = week.on[i], week.on[k], sheet.minutes[i] - sheet.minutes[k]
    left = week.left[sheet.person[i]]
    if one >= other or left[other] < longer or left[one] < -longer:
        return False
    if not (_may(sheet, week, i, other) and _may(sheet, week, k, one)):
        return False
    before = _neighbours(sheet, week, mine, i, one) + _neighbours(sheet, week, mine, k, other)
    week.on[i], week.on[k] = other, one
    gain = _neighbours(sheet, week, mine, i, other) + _neighbours(sheet, week, mine, k, one) - before
    if gain < 0 or (gain == 0 and sheet.value[i] >= sheet.value[k]):
        week.on[i], week.on[k] = one, other
        return False
    left[one], left[other] = left[one] + longer, left[other] - longer
    return True


@compiled
def _chain(value: Floats, east: Floats, north: Floats) -> Ints:
    order, done = np.empty(len(value), np.int64), np.zeros(len(value), np.bool_)
    last = -1
    for place in range(len(value)):
        best, best_key = -1, np.inf
        for i in range(len(value)):
            known = not (np.isnan(east[i]) or np.isnan(north[i]))
            if done[i]:
                continue
            if last >= 0 and known:
                key = -1.0 / (1.0 + (east[i] - east[last]) ** 2 + (north[i] - north[last]) ** 2)
            else:
                # A first stop, or a place that is not known: by value, after all places that are known.
                key = (0.0 if known else 1.0) + 1.0 / (1.0 + max(value[i], 0.0))
            if best < 0 or key < best_key:
                best, best_key = i, key
        order[place], done[best] = best, True
        if not (np.isnan(east[best]) or np.isnan(north[best])):
            last = best
    return order
