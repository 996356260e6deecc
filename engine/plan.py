"""The best plan of the coming days under people's hours and shared quotas, its prices and its proven gap.

All that ties accounts together is here: minutes and number of contacts of each person and day, quotas over
all accounts, one of equivalent contacts, distance in time between contacts of an account. `solve` finds
shadow prices, a plan that keeps every limit and a bound that no plan can exceed. It knows neither playbook
nor history; the same arguments give the same plan to the bit.

Days count from 0, the plan's first day. The days of the horizon are worth the same, so which of them a
contact falls on costs nothing: nearness decides it (`engine.plan_route`), never at the price of a contact.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from engine import numerics
from engine.plan_days import Room, fill, needless, put, settle
from engine.plan_improve import improve
from engine.plan_prices import Market, Prices, Use, dual, most_of, price, refine
from engine.plan_search import search
from engine.records import Bools, EngineError, Floats, Ints

MOST_DAYS = 60
_WORTH_A_REPAIR = 1e-4
"""Share by which the bound must have fallen for another plan to be made by its prices."""
_GOOD = 1e-3
"""A gap that no other plan is tried for."""
_TRIED_CONTACTS, _MOST_TRIES, _LEAST_TRIES = 400_000, 10_000, 100
"""Contacts times plans that are tried at most, plans at most, and below how many none is tried."""
_REPAIRS = 3
"""How often prices are refined and a plan is made of them."""
_NONE: Ints = np.zeros(0, dtype=np.int64)


@dataclass(frozen=True)
class Contacts:
    """What could be planned; one entry per account and treatment, all shape (n,), in any order.

    Attributes:
        account: Number of the account.
        about: Contacts of an account with the same number are equivalent: at most one of them is planned.
        person: Number of the person whose time it takes; -1 = nobody's, it only takes from a quota.
        value: What it is worth, in currency.
        minutes: Whole minutes of the person's time.
        quota: Number of the quota it takes from; -1 = none.
        days: Bit d is set when it may take place on day d.
        fixed: Day that is settled by hand, -1 = free. What is settled is planned whatever the limits say.
        promise: Number of what it would keep, such as a minimum of its account, -1 = nothing. Of the contacts
            with the same number one at least is planned if that can be, before anything is maximised.
    """

    account: Ints
    about: Ints
    person: Ints
    value: Floats
    minutes: Ints
    quota: Ints
    days: Ints
    fixed: Ints
    promise: Ints

    def __len__(self) -> int:
        return len(self.account)


@dataclass(frozen=True)
class Limits:
    """What there is to be shared out.

    Attributes:
        minutes: Free minutes of each person and day; shape (P, D).
        slots: Contacts that each person may be given on each day; shape (P, D).
        quotas: Contacts of each quota over the whole plan; shape (Q,).
        spacing: Days between two contacts of an account at least, 1 = not twice on a day.
        per_account: Contacts of one account at most.
    """

    minutes: Ints
    slots: Ints
    quotas: Ints
    spacing: int = 1
    per_account: int = MOST_DAYS


@dataclass(frozen=True)
class Plan:
    """A plan that keeps every limit (but for what is settled by hand).

    Attributes:
        day: Day of each contact, -1 = not planned; shape (n,), in the order given.
        prices: Per minute and per contact of each person and per contact of each quota, in currency.
        value: What all planned contacts are worth, in currency.
        bound: What no plan can exceed, in currency.
    """

    day: Ints
    prices: Prices
    value: float
    bound: float

    @property
    def gap(self) -> float:
        """Share of the bound that the plan may lack at most; 0 = proven to be the best."""
        return max(0.0, (self.bound - self.value) / self.bound) if self.bound > 0.0 else 0.0


def solve(contacts: Contacts, limits: Limits, *, prices: Prices | None = None) -> Plan:
    """Plan what is worth most.

    Args:
        prices: To go by instead of finding some, such as the night's when one person is planned again; the
            bound is then the one that they prove.

    Raises:
        EngineError: Arrays that do not belong together, minutes below 0, more than 60 days.

    Source:
        Lagrangian heuristic: prices by `engine.plan_prices`, repair by `engine.plan_improve`.
    """
    _check(contacts, limits)
    kept = replace(contacts, fixed=_keeping_promises(contacts, limits))
    task = _task(kept, limits)
    if prices is None:
        prices, bound, day = _search(task)
    else:
        bound, day = _bound(task.market, prices), _repaired(task, prices)
    given = kept.fixed.copy()
    given[task.place] = day
    value = _worth(contacts, given >= 0)
    bound += _worth(contacts, kept.fixed >= 0)
    if (kept.fixed != contacts.fixed).any():
        # What no plan exceeds must hold for those too that keep promises by other contacts or days.
        bound = max(bound, _bound_of_all(contacts, limits, prices, value))
    return Plan(given, prices, value, bound)


def _keeping_promises(contacts: Contacts, limits: Limits) -> Ints:
    """`fixed`, and the days of the contacts that keep as many promises as can be found."""
    settled = contacts.fixed >= 0
    equivalent = contacts.account * (int(contacts.about.max(initial=0)) + 1) + contacts.about
    open_ = (contacts.promise >= 0) & ~settled & ~np.isin(contacts.promise, contacts.promise[settled])
    open_ &= ~np.isin(equivalent, equivalent[settled])
    if not open_.any():
        return contacts.fixed
    # One of each promise: all count the same, and of equally many promises the plan worth most is taken.
    among = np.flatnonzero(open_ | settled)
    order = np.argsort(np.argsort(contacts.value[among], kind="stable"), kind="stable")
    only = replace(
        _taken(contacts, among),
        about=np.where(open_[among], contacts.promise[among], -1 - np.arange(len(among))),
        value=np.where(open_[among], 1.0 + order / (len(among) + 1.0) ** 2, 0.0),
    )
    task = _task(only, limits)
    day = only.fixed.copy()
    day[task.place] = _search(task)[2]
    fixed = contacts.fixed.copy()
    fixed[among] = day
    # Two promises of an account by equivalent contacts: one of them is enough for both or for neither.
    new = np.flatnonzero((fixed >= 0) & ~settled)
    _, first = np.unique(equivalent[new], return_index=True)
    fixed[np.setdiff1d(new, new[first])] = -1
    return fixed


def _bound_of_all(contacts: Contacts, limits: Limits, prices: Prices, value: float) -> float:
    """What no plan exceeds, whichever promises it keeps and how."""
    task, at = _task(contacts, limits), Prices(*(part.copy() for part in prices))
    settled = _worth(contacts, contacts.fixed >= 0)
    bound = _bound(task.market, at)
    return settled + float(refine(task.market, at, bound, value - settled, _usual_minutes(task)))


@dataclass(frozen=True)
class _Task:
    """What may be planned beside what is settled by hand: contacts in order, and the room that is left.

    `place` = where each of these contacts stands among those given.
    """

    place: Ints
    contacts: Contacts
    market: Market
    room: Room


def _task(contacts: Contacts, limits: Limits) -> _Task:
    spacing = max(limits.spacing, 1)
    place = np.lexsort((contacts.about, contacts.account))
    ordered = _taken(contacts, place)
    room = Room(limits.minutes.copy(), limits.slots.copy(), limits.quotas.copy(), ordered.fixed.copy())
    horizon = limits.minutes.shape[1]
    at_most = min(limits.per_account, 1 + (horizon - 1) // spacing)
    market = _market(ordered, room, spacing, at_most)
    settle(market, room)
    settled, needed = ordered.account[ordered.fixed >= 0], ~needless(market)
    ordered = _taken(ordered, needed)
    room = room._replace(day=ordered.fixed.copy())
    return _Task(place[needed], ordered, _market(ordered, room, spacing, at_most, settled), room)


def _taken(contacts: Contacts, which: Ints | Bools) -> Contacts:
    return Contacts(**{name: np.ascontiguousarray(values[which]) for name, values in vars(contacts).items()})


def _market(contacts: Contacts, room: Room, spacing: int, at_most: int, settled: Ints = _NONE) -> Market:
    """`settled` = the account of each contact that is settled and not among these, in order."""
    changes = np.flatnonzero(np.diff(contacts.account)) + 1
    ends = [0, len(contacts)] if len(contacts) else [0]
    start = np.insert(np.array(ends, dtype=np.int64), 1, changes)
    account = np.repeat(np.arange(len(start) - 1), np.diff(start))
    numbers = contacts.account[start[:-1]]
    beside = np.searchsorted(settled, numbers, side="right") - np.searchsorted(settled, numbers)
    mine = contacts.person >= 0
    pairs = np.unique(contacts.person[mine] * len(start) + account[mine])
    first = np.searchsorted(pairs, np.arange(len(room.minutes) + 1) * len(start))
    return Market(
        start=start, account=account, about=contacts.about, person=contacts.person, value=contacts.value,
        minutes=contacts.minutes, quota=contacts.quota, days=contacts.days, spacing=spacing,
        at_most=at_most, settled=beside,
        most=most_of(start, contacts.days, spacing, at_most - beside, room.minutes.shape[1]),
        hours=np.where(room.slots > 0, room.minutes, 0).sum(axis=1),  # counts
        slots=_usable(contacts, room).sum(axis=1), quotas=room.quotas.copy(),  # counts
        first_of=first, accounts=pairs % len(start),
    )  # fmt: skip


def _usable(contacts: Contacts, room: Room) -> Ints:
    """Contacts that each person and day has room for: no more than the shortest ones fill its minutes."""
    mine = contacts.person >= 0
    shortest = np.full((len(room.slots), 1), np.iinfo(np.int64).max)
    np.minimum.at(shortest[:, 0], contacts.person[mine], contacts.minutes[mine])
    fitting = np.where(shortest > 0, room.minutes // np.maximum(shortest, 1), room.slots)
    return np.minimum(room.slots, fitting)


def _search(task: _Task) -> tuple[Prices, float, Ints]:
    """Prices, the bound that they prove, and the best plan found by them."""
    market = task.market
    people, quotas = len(market.hours), len(market.quotas)
    prices = Prices(np.zeros(people), np.zeros(people), np.zeros(quotas))
    highest = float(task.contacts.value.max(initial=0.0))
    bound = price(market, prices, highest)
    day = _repaired(task, prices)
    value = _worth(task.contacts, day >= 0)
    for _ in range(_REPAIRS):
        before = bound
        bound = refine(market, prices, bound, value, _usual_minutes(task))
        if bound > before * (1.0 - _WORTH_A_REPAIR):
            break
        other = _repaired(task, prices)
        if (reached := _worth(task.contacts, other >= 0)) > value:
            day, value = other, reached
    return prices, bound, _searched(task, prices, day, bound)


def _searched(task: _Task, prices: Prices, day: Ints, bound: float) -> Ints:
    """The plan, or a better one found by trying; the fewer contacts, the more is tried."""
    value, (people, horizon) = _worth(task.contacts, day >= 0), task.room.minutes.shape
    # One day of one person is planned as a whole already.
    planned_whole = people == horizon == 1 and not len(task.room.quotas)
    if planned_whole or value >= bound * (1.0 - _GOOD):
        return day
    # Whoever takes a contact below its price loses that much of what the prices promise: what loses more than
    # the whole gap is in no better plan.
    net = task.contacts.value - prices_of(task.contacts, prices)
    among = np.flatnonzero((day >= 0) | (net >= value - _bound(task.market, prices)))
    tries = min(_MOST_TRIES, _TRIED_CONTACTS // max(len(among), 1))
    if tries < _LEAST_TRIES:
        return day
    market, room = _only(task, among)
    for i, k in enumerate(among):
        if day[k] >= 0:
            put(market, room, i, int(day[k]))
    search(market, room, bound, tries)
    found = np.full_like(day, -1)
    found[among] = room.day
    return found


def _only(task: _Task, among: Ints) -> tuple[Market, Room]:
    """The same task with some of its contacts."""
    contacts, market = _taken(task.contacts, among), task.market
    settled = np.repeat(task.contacts.account[market.start[:-1]], market.settled)
    room = Room(*(part.copy() for part in task.room))._replace(day=contacts.fixed.copy())
    return _market(contacts, room, market.spacing, market.at_most, settled), room


def _repaired(task: _Task, prices: Prices) -> Ints:
    """The day of each contact in a plan that keeps all limits, found by going by these prices."""
    contacts, market = task.contacts, task.market
    room = Room(*(part.copy() for part in task.room))
    order = np.argsort(-(contacts.value - prices_of(contacts, prices)), kind="stable")
    fill(market, room, order)
    for charge in (1.0, 0.0) if len(market.quotas) else (0.0,):
        improve(market, room, prices, charge)
    fill(market, room, order)
    return room.day


def prices_of(contacts: Contacts, prices: Prices) -> Floats:
    """What each contact costs at these prices, in currency; shape (n,)."""
    mine, shared = contacts.person >= 0, contacts.quota >= 0
    cost = np.zeros(len(contacts))
    person = contacts.person[mine]
    cost[mine] = prices.minute[person] * contacts.minutes[mine] + prices.slot[person]
    cost[shared] = cost[shared] + prices.quota[contacts.quota[shared]]
    return cost


def _bound(market: Market, prices: Prices) -> float:
    people, quotas = len(prices.minute), len(prices.quota)
    return float(dual(market, prices, Use(np.zeros(people), np.zeros(people), np.zeros(quotas))))


def _worth(contacts: Contacts, planned: Bools) -> float:
    return numerics.total(contacts.value[planned])


def _usual_minutes(task: _Task) -> float:
    return max(1.0, numerics.mean(task.contacts.minutes[task.contacts.person >= 0].astype(np.float64)))


def _check(contacts: Contacts, limits: Limits) -> None:
    people, horizon = limits.minutes.shape
    if limits.slots.shape != (people, horizon) or not 1 <= horizon <= MOST_DAYS:
        raise EngineError(
            f"Got minutes of shape {limits.minutes.shape} and slots of {limits.slots.shape}, need the same, "
            f"and 1 to {MOST_DAYS} days."
        )
    if {len(values) for values in vars(contacts).values()} - {len(contacts)}:
        raise EngineError("All arrays of contacts need one entry per contact.")
    if not np.isfinite(contacts.value).all():
        raise EngineError("Every contact needs a value that is a number.")
    below = {"person": people, "quota": len(limits.quotas), "fixed": horizon, "promise": len(contacts)}
    for name, most in below.items():
        values = getattr(contacts, name)
        if len(contacts) and (values.min() < -1 or values.max() >= most):
            raise EngineError(f"{name}: got {values.min()} to {values.max()}, need -1 to {most - 1}.")
    if len(contacts) and contacts.minutes.min() < 0:
        raise EngineError(f"minutes: got {contacts.minutes.min()}, need at least 0.")
