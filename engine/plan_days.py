"""What is left of days and quotas while a plan is made, and what may still be added to it.

Nothing is ever planned here that does not fit: no day's minutes or contacts, no quota and no distance between
two contacts of an account is exceeded.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from engine.numerics import compiled
from engine.plan_prices import Market
from engine.records import Bools, Ints


class Room(NamedTuple):
    """What is left; changed in place as contacts are planned.

    Attributes:
        minutes: Of each person and day; shape (P, D).
        slots: Contacts of each person and day; shape (P, D).
        quotas: Shape (Q,).
        day: Day of each contact, -1 = not planned; shape (n,).
    """

    minutes: Ints
    slots: Ints
    quotas: Ints
    day: Ints


@compiled
def fits(market: Market, room: Room, i: int, day: int) -> bool:
    """Whether contact i can be added on a day: time, count, quota, equivalence and spacing."""
    if (market.days[i] >> day) & 1 == 0 or room.day[i] >= 0:
        return False
    person, quota = market.person[i], market.quota[i]
    if quota >= 0 and room.quotas[quota] < 1:
        return False
    if person >= 0 and (room.minutes[person, day] < market.minutes[i] or room.slots[person, day] < 1):
        return False
    return not _excluded(market, room, i, day)


@compiled
def _excluded(market: Market, room: Room, i: int, day: int) -> bool:
    """Whether what is planned of the same account keeps contact i from a day: an equivalent, one too close to
    that day, or as many as it may have."""
    account = market.account[i]
    others = market.settled[account]
    for k in range(market.start[account], market.start[account + 1]):
        if k == i or room.day[k] < 0:
            continue
        others += 1
        if market.about[k] == market.about[i] or abs(room.day[k] - day) < market.spacing:
            return True
    return bool(others >= market.at_most)


@compiled
def put(market: Market, room: Room, i: int, day: int) -> None:
    """Plan contact i on a day; -1 takes it off its day."""
    person, quota, before = market.person[i], market.quota[i], room.day[i]
    sign = 1 if day < 0 else -1
    where = before if day < 0 else day
    if person >= 0:
        room.minutes[person, where] += sign * market.minutes[i]
        room.slots[person, where] += sign
    if quota >= 0:
        room.quotas[quota] += sign
    room.day[i] = day


@compiled
def settle(market: Market, room: Room) -> None:
    """Take what is settled by hand (`room.day` is set) from the room, and from `market.days` what cannot be.

    Where it takes more than there is, nothing is left. Contacts keep the days on which their person has time
    for them at all and that nothing settled rules out; what is settled itself has none to choose.
    """
    for i in range(len(market.days)):
        day, person = room.day[i], market.person[i]
        if day >= 0 and person >= 0:
            room.minutes[person, day] = max(0, room.minutes[person, day] - market.minutes[i])
            room.slots[person, day] = max(0, room.slots[person, day] - 1)
        if day >= 0 and market.quota[i] >= 0:
            room.quotas[market.quota[i]] = max(0, room.quotas[market.quota[i]] - 1)
    for i in range(len(market.days)):
        person = market.person[i]
        for day in range(room.minutes.shape[1]):
            full = person >= 0 and (
                room.minutes[person, day] < market.minutes[i] or room.slots[person, day] < 1
            )
            if room.day[i] >= 0 or full or _excluded(market, room, i, day):
                market.days[i] &= ~(1 << day)


@compiled
def needless(market: Market) -> Bools:
    """Which contacts no best plan needs: another one of the account that excludes them is worth at least as
    much, takes no more of the same person and quota, and may be on all their days."""
    found = np.zeros(len(market.days), np.bool_)
    for account in range(len(market.start) - 1):
        for i in range(market.start[account], market.start[account + 1]):
            found[i] = market.days[i] == 0 or market.value[i] <= 0.0
            for k in range(market.start[account], market.start[account + 1]):
                better = market.value[k] > market.value[i] or (market.value[k] == market.value[i] and k < i)
                if found[i] or not better or market.person[k] != market.person[i]:
                    continue
                found[i] = (
                    (market.at_most == 1 or market.about[k] == market.about[i])
                    and market.minutes[k] <= market.minutes[i]
                    and (market.quota[k] < 0 or market.quota[k] == market.quota[i])
                    and market.days[i] & ~market.days[k] == 0
                )
    return found


@compiled
def fill(market: Market, room: Room, order: Ints) -> None:
    """Plan contacts in an order; each on the day on which its person has most minutes left."""
    horizon = room.minutes.shape[1]
    for i in order:
        person, best = market.person[i], -1
        for day in range(horizon):
            if best >= 0 and (person < 0 or room.minutes[person, day] <= room.minutes[person, best]):
                continue
            if fits(market, room, i, day):
                best = day
        if best >= 0:
            put(market, room, i, best)
