"""Trying other plans where few contacts make the parts big: what no price and no single day can settle.

A plan of thousands of contacts is settled by its prices; one of twenty may leave a tenth of its value to how
they fall on the days. Some contacts are taken off and others planned in their place, over and over; the best
plan met is kept.

Source:
    Schrimpf et al. (2000), Record Breaking Optimization Results Using the Ruin and Recreate Principle;
    acceptance by Dueck (1993), record-to-record travel.
"""

from __future__ import annotations

import numpy as np

from engine.numerics import compiled
from engine.plan_days import Room, fits, put
from engine.plan_prices import Market
from engine.records import Ints

_DEVIATION = 0.015
"""Share of the best value that a plan may fall back at first on the way to a better one; at last none."""


@compiled
def _draw(state: Ints) -> float:
    """The next number in [0, 1) of a sequence of our own (Lehmer, 2^31 - 1): the same on every machine."""
    state[0] = state[0] * 48271 % 2147483647
    return float(state[0] / 2147483647.0)


@compiled
def _ruin(market: Market, room: Room, state: Ints) -> None:
    """Take some contacts off: of one day, of one person, or here and there."""
    horizon, kind, share = room.minutes.shape[1], _draw(state), 0.1 + 0.6 * _draw(state)
    day = int(_draw(state) * horizon)
    person = int(_draw(state) * max(room.minutes.shape[0], 1))
    for i in range(len(room.day)):
        if room.day[i] < 0:
            continue
        here = (
            kind < 0.4 or (kind < 0.7 and room.day[i] == day) or (kind >= 0.7 and market.person[i] == person)
        )
        if here and _draw(state) < share:
            put(market, room, i, -1)


@compiled
def _recreate(market: Market, room: Room, state: Ints) -> None:
    """Plan what fits, in an order by worth that time and chance bend, on a day that chance or fit chooses."""
    horizon, by_time, chance = room.minutes.shape[1], _draw(state), _draw(state)
    tight = _draw(state) < 0.5
    key = np.empty(len(market.days))
    for i in range(len(market.days)):
        size = 1.0 + by_time * by_time * market.minutes[i]
        key[i] = -market.value[i] / size * (1.0 - chance * _draw(state))
    for i in np.argsort(key, kind="mergesort"):
        if room.day[i] >= 0:
            continue
        first, best, person = int(_draw(state) * horizon), -1, market.person[i]
        for step in range(horizon):
            day = (first + step) % horizon
            fuller = best < 0 or (
                tight and person >= 0 and room.minutes[person, day] < room.minutes[person, best]
            )
            if fuller and fits(market, room, i, day):
                best = day
        if best >= 0:
            put(market, room, i, best)


@compiled
def _worth(market: Market, day: Ints) -> float:
    worth = 0.0
    for i in range(len(day)):
        worth += market.value[i] if day[i] >= 0 else 0.0
    return worth


@compiled
def _copy(source: Room, target: Room) -> None:
    target.minutes[:], target.slots[:] = source.minutes, source.slots
    target.quotas[:], target.day[:] = source.quotas, source.day


@compiled
def _same(room: Room) -> Room:
    return Room(room.minutes.copy(), room.slots.copy(), room.quotas.copy(), room.day.copy())


@compiled
def search(market: Market, room: Room, bound: float, tries: int) -> None:
    """Look for a better plan than the one in `room`, which becomes it.

    Args:
        bound: No plan is worth more; what reaches it ends the search.
        tries: How many plans are tried.
    """
    state, now, best = np.array([20_011], np.int64), _same(room), _worth(market, room.day)
    at, trial = best, _same(room)
    for turn in range(tries):
        if best >= bound * (1.0 - 1e-9):
            break
        _copy(now, trial)
        _ruin(market, trial, state)
        _recreate(market, trial, state)
        worth = _worth(market, trial.day)
        if worth >= at or worth >= best * (1.0 - _DEVIATION * (tries - turn) / tries):
            _copy(trial, now)
            at = worth
        if worth > best:
            _copy(trial, room)
            best = worth
