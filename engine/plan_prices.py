"""Shadow prices of people's time and of shared quotas, and the bound on any plan that they prove.

What an account would choose at given prices is its own affair, so the dual function is a sum over accounts;
prices are found coordinate by coordinate (bisection on how much is used) and then moved together along the
subgradient. Whatever the prices, the dual value is an upper bound: it proves how much a plan can lack.

Source:
    Lagrangian relaxation: Fisher (1981), The Lagrangian Relaxation Method for Solving Integer Programming
    Problems; step length by Polyak (1969).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from engine.numerics import compiled
from engine.records import Bools, Floats, Ints

_ROUNDS = 3
"""How often prices of people and of quotas are found in turn."""
_STEPS = 60
_SECTIONS = 20
_FINE = 1e-5
"""Prices are found to that share of the highest value."""
_GOLDEN = 0.6180339887498949
_ENOUGH = 1e-4
"""A gap that is small enough to stop."""


class Market(NamedTuple):
    """Contacts on offer, ordered by account and then by `about`, and what there is of time and quotas.

    Attributes:
        start: First contact of each account, and the end; shape (A + 1,).
        account: Place in `start` of each contact's account; shape (n,), like all to `days`.
        about: Of an account's contacts with the same number one may be planned.
        person: Whose time it takes, -1 = nobody's.
        value: In currency.
        minutes: Whole minutes of that person.
        quota: Which quota it takes from, -1 = none.
        days: Bit d is set when it may be on day d.
        spacing: Days between two contacts of an account at least.
        at_most: Contacts that one account may have in the plan.
        settled: How many of them each account has beside these; shape (A,).
        most: Contacts that each account can have of these: what is left of `at_most`, at most one on each of
            its days that lie far enough apart; shape (A,).
        hours: Minutes of each person over all days; shape (P,).
        slots: Contacts of each person over all days; shape (P,).
        quotas: Contacts of each quota; shape (Q,).
        first_of: Where each person's accounts begin in `accounts`, and the end; shape (P + 1,).
        accounts: Accounts of which a person has a contact, person after person.
    """

    start: Ints
    account: Ints
    about: Ints
    person: Ints
    value: Floats
    minutes: Ints
    quota: Ints
    days: Ints
    spacing: int
    at_most: int
    settled: Ints
    most: Ints
    hours: Ints
    slots: Ints
    quotas: Ints
    first_of: Ints
    accounts: Ints


class Prices(NamedTuple):
    """What a minute and a contact of each person cost, and a contact of each quota; in currency.

    Shapes (P,), (P,), (Q,); none is negative.
    """

    minute: Floats
    slot: Floats
    quota: Floats


class Use(NamedTuple):
    """What the accounts' choices at some prices take; shapes as in `Prices`."""

    minutes: Floats
    slots: Floats
    quotas: Floats


class _Offers(NamedTuple):
    """Contacts of some accounts side by side, so that prices can be tried on them quickly; all shape (m,).

    Attributes:
        value: In currency, less what is not being priced.
        minutes, slots: What each takes of the time that is being priced.
        about_ends, account_ends: Whether it is the last of its `about`, of its account.
        most: Contacts that its account can have.
    """

    value: Floats
    minutes: Floats
    slots: Floats
    about_ends: Bools
    account_ends: Bools
    most: Ints


@compiled
def most_of(start: Ints, days: Ints, spacing: int, left: Ints, horizon: int) -> Ints:
    """How many contacts each account can have: at most `left`, on days that lie far enough apart."""
    most = np.zeros(len(start) - 1, np.int64)
    for account in range(len(most)):
        any_ = 0
        for i in range(start[account], start[account + 1]):
            any_ |= days[i]
        last = -spacing
        for day in range(horizon):
            if (any_ >> day) & 1 and day - last >= spacing and most[account] < left[account]:
                most[account], last = most[account] + 1, day
    return most


@compiled
def price_of(market: Market, prices: Prices, i: int) -> float:
    """What contact i costs, in currency."""
    cost = 0.0
    person, quota = market.person[i], market.quota[i]
    if person >= 0:
        cost += prices.minute[person] * market.minutes[i] + prices.slot[person]
    if quota >= 0:
        cost += prices.quota[quota]
    return cost


@compiled
def _keep(best: Ints, net: Floats, count: int, i: int, worth: float) -> int:
    """Keep contact i among the best so far, best first; returns how many are kept."""
    most = len(best)
    if most == 0:
        return 0
    if count == most and worth <= net[count - 1]:
        return count
    place = count if count < most else count - 1
    while place > 0 and net[place - 1] < worth:
        best[place], net[place] = best[place - 1], net[place - 1]
        place -= 1
    best[place], net[place] = i, worth
    return min(count + 1, most)


@compiled
def dual(market: Market, prices: Prices, use: Use) -> float:
    """An upper bound on the value of any plan; fills `use` with what the choices at these prices take.

    An account chooses the best of each `about` that is worth more than its price, at most so many.
    """
    use.minutes[:], use.slots[:], use.quotas[:] = 0.0, 0.0, 0.0
    best, net = np.zeros(market.at_most, np.int64), np.zeros(market.at_most)
    about, person, value, minutes = market.about, market.person, market.value, market.minutes
    quota, per_minute, per_slot = market.quota, prices.minute, prices.slot
    bound = 0.0
    for p in range(len(prices.minute)):
        bound += prices.minute[p] * market.hours[p] + prices.slot[p] * market.slots[p]
    for q in range(len(prices.quota)):
        bound += prices.quota[q] * market.quotas[q]
    for account in range(len(market.start) - 1):
        count, top, top_worth = 0, -1, 0.0
        for i in range(market.start[account], market.start[account + 1]):
            worth = value[i]
            if person[i] >= 0:
                worth -= per_minute[person[i]] * minutes[i] + per_slot[person[i]]
            if quota[i] >= 0:
                worth -= prices.quota[quota[i]]
            if worth > top_worth:
                top, top_worth = i, worth
            if i + 1 == market.start[account + 1] or about[i + 1] != about[i]:
                if top >= 0:
                    count = _keep(best[: market.most[account]], net, count, top, top_worth)
                top, top_worth = -1, 0.0
        for k in range(count):
            i = best[k]
            bound += net[k]
            if person[i] >= 0:
                use.minutes[person[i]] += minutes[i]
                use.slots[person[i]] += 1.0
            if quota[i] >= 0:
                use.quotas[quota[i]] += 1.0
    return bound


@compiled
def _offers(market: Market, prices: Prices, person: int) -> _Offers:
    """The contacts of a person's accounts; those of colleagues at their price."""
    size = 0
    for a in range(market.first_of[person], market.first_of[person + 1]):
        size += market.start[market.accounts[a] + 1] - market.start[market.accounts[a]]
    offers = _Offers(np.empty(size), np.zeros(size), np.zeros(size), np.ones(size, np.bool_),
                     np.zeros(size, np.bool_), np.zeros(size, np.int64))  # fmt: skip
    k = 0
    for a in range(market.first_of[person], market.first_of[person + 1]):
        end = market.start[market.accounts[a] + 1]
        for i in range(market.start[market.accounts[a]], end):
            offers.value[k] = market.value[i] - price_of(market, prices, i)
            if market.person[i] == person:
                own = prices.minute[person] * market.minutes[i] + prices.slot[person]
                offers.value[k] += own
                offers.minutes[k], offers.slots[k] = market.minutes[i], 1.0
            offers.about_ends[k] = i + 1 == end or market.about[i + 1] != market.about[i]
            offers.account_ends[k] = i + 1 == end
            offers.most[k] = market.most[market.accounts[a]]
            k += 1
    return offers


@compiled
def _chosen(offers: _Offers, at_most: int, minute: float, slot: float) -> tuple[float, float, float]:
    """What the accounts' choices at two prices are worth beyond them, and the minutes and slots they take."""
    value, minutes, slots = offers.value, offers.minutes, offers.slots
    about_ends, account_ends = offers.about_ends, offers.account_ends
    best, net = np.zeros(at_most, np.int64), np.zeros(at_most)
    worth, used, taken = 0.0, 0.0, 0.0
    count, top, top_worth = 0, -1, 0.0
    for k in range(len(value)):
        here = value[k] - minute * minutes[k] - slot * slots[k]
        if here > top_worth:
            top, top_worth = k, here
        if about_ends[k]:
            if top >= 0:
                count = _keep(best[: offers.most[k]], net, count, top, top_worth)
            top, top_worth = -1, 0.0
        if account_ends[k]:
            for c in range(count):
                worth += net[c]
                used += minutes[best[c]]
                taken += slots[best[c]]
            count = 0
    return worth, used, taken


@compiled
def _per_minute(offers: _Offers, at_most: int, hours: float, slot: float, highest: float) -> float:
    """The least price per minute at which a person's time suffices."""
    if _chosen(offers, at_most, 0.0, slot)[1] <= hours:
        return 0.0
    low, high = 0.0, highest
    while high - low > _FINE * high:
        middle = 0.5 * (low + high)
        if _chosen(offers, at_most, middle, slot)[1] > hours:
            low = middle
        else:
            high = middle
    return high


@compiled
def _price_person(market: Market, prices: Prices, person: int, highest: float) -> None:
    """A person's two prices, in place; the one per contact by golden section where the count binds too."""
    offers, at_most = _offers(market, prices, person), market.at_most
    hours, slots = float(market.hours[person]), float(market.slots[person])
    prices.slot[person] = 0.0
    prices.minute[person] = _per_minute(offers, at_most, hours, 0.0, highest)
    if _chosen(offers, at_most, prices.minute[person], 0.0)[2] <= slots:
        return
    low, high = 0.0, highest
    left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    at_left = _at_slot(offers, at_most, (hours, slots), left, highest)
    at_right = _at_slot(offers, at_most, (hours, slots), right, highest)
    while high - low > _FINE * highest:
        if at_left <= at_right:
            high, right, at_right = right, left, at_left
            left = high - _GOLDEN * (high - low)
            at_left = _at_slot(offers, at_most, (hours, slots), left, highest)
        else:
            low, left, at_left = left, right, at_right
            right = low + _GOLDEN * (high - low)
            at_right = _at_slot(offers, at_most, (hours, slots), right, highest)
    prices.slot[person] = high
    prices.minute[person] = _per_minute(offers, at_most, hours, high, highest)


@compiled
def _at_slot(offers: _Offers, at_most: int, room: tuple[float, float], slot: float, highest: float) -> float:
    """The dual as a function of the price per contact alone, the price per minute at its best."""
    hours, slots = room
    minute = _per_minute(offers, at_most, hours, slot, highest)
    return _chosen(offers, at_most, minute, slot)[0] + minute * hours + slot * slots


@compiled
def _price_quota(market: Market, prices: Prices, quota: int, highest: float, use: Use) -> None:
    """The price at which a quota suffices, all others as they are."""
    prices.quota[quota] = 0.0
    dual(market, prices, use)
    if use.quotas[quota] <= market.quotas[quota]:
        return
    low, high = 0.0, highest
    for _ in range(_SECTIONS):
        prices.quota[quota] = 0.5 * (low + high)
        dual(market, prices, use)
        if use.quotas[quota] > market.quotas[quota]:
            low = prices.quota[quota]
        else:
            high = prices.quota[quota]
    prices.quota[quota] = high


@compiled
def _step(market: Market, at: Prices, use: Use, excess: float, scale: float) -> None:
    """Move prices along the subgradient, in place, by Polyak's length; minutes count by the usual contact."""
    norm = 0.0
    for p in range(len(at.minute)):
        norm += ((use.minutes[p] - market.hours[p]) / scale) ** 2 + (use.slots[p] - market.slots[p]) ** 2
    for q in range(len(at.quota)):
        norm += (use.quotas[q] - market.quotas[q]) ** 2
    length = excess / norm if norm > 0.0 else 0.0
    for p in range(len(at.minute)):
        over = (use.minutes[p] - market.hours[p]) / (scale * scale)
        at.minute[p] = max(0.0, at.minute[p] + length * over)
        at.slot[p] = max(0.0, at.slot[p] + length * (use.slots[p] - market.slots[p]))
    for q in range(len(at.quota)):
        at.quota[q] = max(0.0, at.quota[q] + length * (use.quotas[q] - market.quotas[q]))


@compiled
def price(market: Market, prices: Prices, highest: float) -> float:
    """Find prices, in place, coordinate by coordinate; returns the bound that they prove.

    Args:
        highest: No less than any value, in currency.
    """
    people, quotas = len(prices.minute), len(prices.quota)
    use = Use(np.zeros(people), np.zeros(people), np.zeros(quotas))
    for round in range(_ROUNDS):
        for person in range(people):
            _price_person(market, prices, person, highest)
        for quota in range(quotas):
            _price_quota(market, prices, quota, highest, use)
        if quotas == 0 and round == 0:
            break
    return dual(market, prices, use)


@compiled
def refine(market: Market, prices: Prices, bound: float, value: float, scale: float) -> float:
    """Move all prices together, in place, to a lower bound; stops when the gap to `value` is very small.

    Args:
        bound: What the prices prove.
        value: Of a plan that can be carried out, in currency.
        scale: Minutes of a usual contact.

    Returns:
        What the prices prove now.
    """
    people, quotas = len(prices.minute), len(prices.quota)
    use = Use(np.zeros(people), np.zeros(people), np.zeros(quotas))
    at = Prices(prices.minute.copy(), prices.slot.copy(), prices.quota.copy())
    share = 1.0
    here = dual(market, at, use)
    for _ in range(_STEPS):
        if bound - value <= _ENOUGH * bound:
            break
        _step(market, at, use, share * (here - value), scale)
        here = dual(market, at, use)
        if here < bound:
            bound = here
            prices.minute[:], prices.slot[:], prices.quota[:] = at.minute, at.slot, at.quota
        else:
            share *= 0.9
    return bound
