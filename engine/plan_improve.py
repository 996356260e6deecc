"""Making a plan better two days at a time: the best that two days of a person can hold, exactly.

Source:
    Block coordinate ascent; two days together are a multiple-choice knapsack with a count, solved by dynamic
    programming over its core (Pisinger 1995, A minimal algorithm for the multiple-choice knapsack problem).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from engine.numerics import compiled
from engine.plan_days import Room, put
from engine.plan_prices import Market, Prices, price_of
from engine.records import Bools, Floats, Ints

CORE = 32
"""Accounts that are weighed against each other for two days: those of most worth beyond their price."""
_PASSES = 4
"""How often the days of a person are planned anew at most."""
_ENOUGH = 5e-4
"""Share of the best that a person's days may lack."""
_CLOSE = 1e-9


class _Core(NamedTuple):
    """What may stand on one or two days of a person: contacts of accounts, account after account."""

    contact: Ints
    account: Ints
    worth: Floats


class _Days(NamedTuple):
    """A day of a person, or two that are planned together (else both are the same)."""

    person: int
    one: int
    other: int


class _Look(NamedTuple):
    """How a person's days are looked at.

    Attributes:
        accounts: That may be part of a better plan.
        margin: What a choice may fall behind the best at these prices and still be looked at, in currency.
        charge: Share of a quota's price that a contact must be worth on top.
    """

    accounts: Ints
    margin: float
    charge: float


@compiled
def _stands(market: Market, room: Room, where: _Days, i: int) -> bool:
    """Whether contact i is planned on these days of that person."""
    on_them = room.day[i] == where.one or room.day[i] == where.other
    return bool(on_them and market.person[i] == where.person)


@compiled
def _could(market: Market, room: Room, where: _Days, i: int, day: int) -> bool:
    """Whether contact i could stand on a day if everything on these days of its person went."""
    if room.day[i] >= 0 or (market.days[i] >> day) & 1 == 0:
        return False
    others = market.settled[market.account[i]]
    for k in range(market.start[market.account[i]], market.start[market.account[i] + 1]):
        if room.day[k] < 0 or _stands(market, room, where, k):
            continue
        others += 1
        if market.about[k] == market.about[i] or abs(room.day[k] - day) < market.spacing:
            return False
    return bool(others < market.at_most)


@compiled
def _free(market: Market, room: Room, where: _Days, i: int) -> bool:
    """Whether contact i stands on these days or could."""
    if market.person[i] != where.person:
        return False
    return (
        _stands(market, room, where, i)
        or _could(market, room, where, i, where.one)
        or _could(market, room, where, i, where.other)
    )


@compiled
def _rank(market: Market, room: Room, prices: Prices, where: _Days, accounts: Ints
          ) -> tuple[Ints, Floats]:  # fmt: skip
    """Of these accounts those that could stand on some days, and the best that each brings beyond its price.

    First those that do stand there, then by what they could bring.
    """
    best, key = np.full(len(accounts), -np.inf), np.full(len(accounts), -np.inf)
    for a in range(len(accounts)):
        for i in range(market.start[accounts[a]], market.start[accounts[a] + 1]):
            if _free(market, room, where, i):
                best[a] = max(best[a], market.value[i] - price_of(market, prices, i))
                key[a] = np.inf if _stands(market, room, where, i) else max(key[a], best[a])
    ranked = np.argsort(-key, kind="mergesort")[:CORE]
    ranked = ranked[key[ranked] > -np.inf]
    return accounts[ranked], best[ranked]


@compiled
def _core(market: Market, room: Room, prices: Prices, where: _Days, look: _Look) -> _Core:
    """What could stand on some days, what does included, and could be part of the best."""
    accounts, best = _rank(market, room, prices, where, look.accounts)
    size = 0
    for account in accounts:
        size += market.start[account + 1] - market.start[account]
    core = _Core(np.empty(size, np.int64), np.empty(size, np.int64), np.empty(size))
    left, size = room.quotas.copy(), 0
    for a in range(len(accounts)):
        for i in range(market.start[accounts[a]], market.start[accounts[a] + 1]):
            quota = market.quota[i]
            if not _free(market, room, where, i):
                continue
            if not _stands(market, room, where, i):
                if market.value[i] - price_of(market, prices, i) < best[a] - look.margin:
                    continue
                # All that is offered could be chosen, so no more is offered than the quota holds.
                if quota >= 0 and left[quota] < 1:
                    continue
                if quota >= 0:
                    left[quota] -= 1
            core.contact[size], core.account[size] = i, accounts[a]
            core.worth[size] = market.value[i] - (look.charge * prices.quota[quota] if quota >= 0 else 0.0)
            size += 1
    return _Core(core.contact[:size], core.account[:size], core.worth[:size])


@compiled
def _unit(market: Market, core: _Core) -> int:
    """The greatest common divisor of the minutes of all options, at least 1."""
    divisor = 0
    for i in core.contact:
        a, b = divisor, market.minutes[i]
        while b > 0:
            a, b = b, a % b
        divisor = a
    return max(divisor, 1)


@compiled
def _best(market: Market, core: _Core, minutes: int, slots: int) -> Ints:
    """Which entries of a core are worth most together within minutes and slots, at most one of an account."""
    unit, groups, lightest = _unit(market, core), 0, minutes + 1
    for k in range(len(core.contact)):
        groups += 1 if k == 0 or core.account[k] != core.account[k - 1] else 0
        lightest = min(lightest, market.minutes[core.contact[k]])
    ticks = minutes // unit + 1
    # Contacts are counted only where time alone would allow more of them than the list.
    layers = slots + 1 if lightest * (slots + 1) <= minutes else 1
    worth = np.zeros((layers, ticks))
    taken = np.full((groups, layers, ticks), -1, np.int32)
    _weigh(market, core, unit, worth, taken)
    chosen, size, layer, tick = np.empty(groups, np.int64), 0, layers - 1, ticks - 1
    for group in range(groups - 1, -1, -1):
        option = taken[group, layer, tick]
        if option >= 0:
            chosen[size] = option
            size += 1
            tick -= market.minutes[core.contact[option]] // unit
            layer = max(layer - 1, 0)
    return chosen[:size]


@compiled
def _weigh(market: Market, core: _Core, unit: int, worth: Floats,
           taken: npt.NDArray[np.int32]) -> None:  # fmt: skip
    """Fill the table of what any time and number of contacts is worth, account by account.

    Layer k of `worth` allows k contacts; with one layer alone they are not counted. `taken` says which option
    of each account an entry takes. Time runs backwards, so that an entry never sees its own account.
    """
    layers, ticks = worth.shape
    group, k = -1, 0
    while k < len(core.contact):
        end = k
        while end < len(core.contact) and core.account[end] == core.account[k]:
            end += 1
        group += 1
        for layer in range(layers - 1, 0 if layers > 1 else -1, -1):
            below = max(layer - 1, 0)
            for tick in range(ticks - 1, -1, -1):
                for option in range(k, end):
                    rest = tick - market.minutes[core.contact[option]] // unit
                    if rest >= 0 and worth[below, rest] + core.worth[option] > worth[layer, tick]:
                        worth[layer, tick] = worth[below, rest] + core.worth[option]
                        taken[group, layer, tick] = option
        k = end


@compiled
def improve(market: Market, room: Room, prices: Prices, charge: float) -> None:
    """Plan every two days of every person anew, each time the best that all others leave.

    Stops with a person when nothing gets better or she lacks next to nothing of the best at these prices.

    Args:
        charge: Share of a quota's price that a contact must be worth on top, in [0, 1].
    """
    for person in range(room.minutes.shape[0]):
        margin, best = _lacks(market, room, prices, person)
        changed = np.ones(room.minutes.shape[1], np.bool_)
        for _ in range(_PASSES):
            if not changed.any() or margin <= _ENOUGH * best:
                break
            look = _Look(_worth_a_look(market, room, prices, person, margin), margin, charge)
            _pass(market, room, prices, look, _Turn(person, changed, _ENOUGH * best))
            margin = _lacks(market, room, prices, person)[0]


class _Turn(NamedTuple):
    """Whose days are gone through, which of them have changed, and what she may lack; in currency."""

    person: int
    changed: Bools
    enough: float


@compiled
def _pass(market: Market, room: Room, prices: Prices, look: _Look, turn: _Turn) -> None:
    """Go through all pairs of days of which one has changed, and mark those that change now."""
    horizon, before, margin = len(turn.changed), turn.changed.copy(), look.margin
    turn.changed[:] = False
    for one in range(horizon):
        for other in range(min(one + 1, horizon - 1), horizon):
            new = before[one] or before[other] or turn.changed[one] or turn.changed[other]
            if new and margin > turn.enough:
                where = _Days(turn.person, one, other)
                closer = _Look(look.accounts, margin, look.charge)
                core = _core(market, room, prices, where, closer)
                gain = _replan(market, room, where, core)
                turn.changed[one] |= gain > 0.0
                turn.changed[other] |= gain > 0.0
                margin -= gain


@compiled
def _lacks(market: Market, room: Room, prices: Prices, person: int) -> tuple[float, float]:
    """What a person's days may lack at most of the best at these prices, and that best; in currency.

    A choice that costs more than she lacks is no part of a better plan.
    """
    bound = prices.minute[person] * market.hours[person] + prices.slot[person] * market.slots[person]
    value = 0.0
    for a in range(market.first_of[person], market.first_of[person + 1]):
        best = 0.0
        for i in range(market.start[market.accounts[a]], market.start[market.accounts[a] + 1]):
            if market.person[i] == person:
                shared = prices.quota[market.quota[i]] if market.quota[i] >= 0 else 0.0
                best = max(best, market.value[i] - price_of(market, prices, i))
                value += market.value[i] - shared if room.day[i] >= 0 else 0.0
        bound += best
    return bound - value, bound


@compiled
def _worth_a_look(market: Market, room: Room, prices: Prices, person: int, margin: float) -> Ints:
    """The person's accounts with a contact that stands, or that lacks at most the margin of its price."""
    accounts = market.accounts[market.first_of[person] : market.first_of[person + 1]]
    found = np.zeros(len(accounts), np.bool_)
    for a in range(len(accounts)):
        for i in range(market.start[accounts[a]], market.start[accounts[a] + 1]):
            if market.person[i] == person and not found[a]:
                near = market.value[i] - price_of(market, prices, i) >= -margin
                found[a] = near or room.day[i] >= 0
    return accounts[found]


@compiled
def _replan(market: Market, room: Room, where: _Days, core: _Core) -> float:
    """Put on one or two days of a person the best that they can hold; returns by how much it is better."""
    person, one, other = where
    minutes, slots, before = room.minutes[person, one], room.slots[person, one], 0.0
    if other != one:
        minutes, slots = minutes + room.minutes[person, other], slots + room.slots[person, other]
    for k in range(len(core.contact)):
        if room.day[core.contact[k]] >= 0:
            minutes, slots = minutes + market.minutes[core.contact[k]], slots + 1
            before += core.worth[k]
    if slots < 1 or len(core.contact) == 0:
        return 0.0
    chosen, after = _best(market, core, minutes, slots), 0.0
    for k in chosen:
        after += core.worth[k]
    if after <= before + _CLOSE * abs(before):
        return 0.0
    return after - before if _move_in(market, room, where, core, core.contact[chosen]) else 0.0


@compiled
def _move_in(market: Market, room: Room, where: _Days, core: _Core, chosen: Ints) -> bool:
    """Put the chosen in place of what stands on these days; not where they cannot be split over two days."""
    before = np.empty(len(core.contact), np.int64)
    for k in range(len(core.contact)):
        before[k] = room.day[core.contact[k]]
        if before[k] >= 0:
            put(market, room, core.contact[k], -1)
    on_one = _split(market, room, where, chosen)
    if len(on_one) == len(chosen):
        for k in range(len(chosen)):
            put(market, room, chosen[k], where.one if on_one[k] else where.other)
        return True
    for k in range(len(core.contact)):
        if before[k] >= 0:
            put(market, room, core.contact[k], before[k])
    return False


@compiled
def _split(market: Market, room: Room, where: _Days, chosen: Ints) -> Bools:
    """Which of the chosen go on the first of two empty days, so that both days hold theirs; empty = no way.

    A table of the numbers and minutes that the first day can have, contact by contact.
    """
    person, one, other = where
    if one == other:
        return np.ones(len(chosen), np.bool_)
    first, second, total = np.zeros(len(chosen), np.bool_), np.zeros(len(chosen), np.bool_), 0
    for k in range(len(chosen)):
        first[k], second[k] = (
            _could(market, room, where, chosen[k], one),
            _could(market, room, where, chosen[k], other),
        )
        total += market.minutes[chosen[k]]
    slots, minutes = room.slots[person, one], room.minutes[person, one]
    reached = np.zeros((len(chosen) + 1, slots + 1, minutes + 1), np.bool_)
    reached[0, 0, 0] = True
    for k in range(len(chosen)):
        takes = market.minutes[chosen[k]]
        if second[k]:
            reached[k + 1] |= reached[k]
        if first[k] and takes <= minutes:
            reached[k + 1, 1:, takes:] |= reached[k, :slots, : minutes + 1 - takes]
    for slot in range(max(0, len(chosen) - room.slots[person, other]), slots + 1):
        for minute in range(max(0, total - room.minutes[person, other]), minutes + 1):
            if reached[len(chosen), slot, minute]:
                return _back(reached, second, market.minutes[chosen], slot, minute)
    return first[:0]


@compiled
def _back(reached: Bools, second: Bools, minutes: Ints, slot: int, minute: int) -> Bools:
    """Which contacts the first day has where the table ends with so many contacts and minutes."""
    on_one = np.zeros(len(second), np.bool_)
    for k in range(len(second) - 1, -1, -1):
        on_one[k] = not (second[k] and reached[k, slot, minute])
        if on_one[k]:
            slot, minute = slot - 1, minute - minutes[k]
    return on_one
