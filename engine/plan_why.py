"""Why a contact has no day in a plan: what stands in its place, and what it would have needed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.plan import Contacts, Limits, Plan, prices_of
from engine.records import Bools, Floats, Ints

DISPLACED: tuple[str, ...] = ("no_day", "equivalent", "spacing", "enough", "quota", "hours")
"""No day of the plan allows it; an equivalent contact of the account is planned; another contact of the
account is too close; the account has all the contacts that it may have; the channel's quota is used up; the
person's days are full."""


@dataclass(frozen=True)
class Displaced:
    """Why each contact without a day has none; all shape (n,).

    Attributes:
        code: Index into DISPLACED; -1 = it is planned.
        by: The contact that stands in its place, -1 = none: the equivalent one, the least valuable of those
            too close or of all that the account has, else of those that take from the same time or quota the
            one that is worth least beyond its price.
        short_of: What it would have to be worth more to pay the price of its time or quota, in currency; 0
            where it would pay and no room was left by what pays more.
    """

    code: Ints
    by: Ints
    short_of: Floats


def displaced(contacts: Contacts, limits: Limits, plan: Plan, *, only: Bools | None = None) -> Displaced:
    """Explain every contact that a plan leaves out.

    Args:
        only: Which are explained; shape (n,); None = all. The others have code -1.
    """
    n, spacing = len(contacts), max(limits.spacing, 1)
    cost = prices_of(contacts, plan.prices)
    net = contacts.value - cost
    planned = plan.day >= 0
    weakest_of = _weakest(contacts.person, planned, net, len(limits.minutes))
    weakest_on = _weakest(contacts.quota, planned, net, len(limits.quotas))
    used = np.bincount(contacts.quota[planned & (contacts.quota >= 0)], minlength=len(limits.quotas))
    code, by = np.full(n, -1, dtype=np.int64), np.full(n, -1, dtype=np.int64)
    places = _planned_places(contacts, planned)
    for i in np.flatnonzero(~planned if only is None else ~planned & only):
        own = sorted(places.get(int(contacts.account[i]), []), key=lambda k: float(contacts.value[k]))
        equivalent = [k for k in own if contacts.about[k] == contacts.about[i]]
        quota = contacts.quota[i]
        if equivalent:
            code[i], by[i] = DISPLACED.index("equivalent"), equivalent[0]
        elif not (days := _possible_days(contacts, limits, int(i))):
            code[i] = DISPLACED.index("no_day")
        elif close := _too_close(plan.day, own, days, spacing):
            code[i], by[i] = DISPLACED.index("spacing"), close[0]
        elif len(own) >= limits.per_account:
            code[i], by[i] = DISPLACED.index("enough"), own[0]
        elif quota >= 0 and used[quota] >= limits.quotas[quota]:
            code[i], by[i] = DISPLACED.index("quota"), weakest_on[quota]
        else:
            person = contacts.person[i]
            code[i], by[i] = DISPLACED.index("hours"), weakest_of[person] if person >= 0 else -1
    return Displaced(code, by, np.where(planned, 0.0, np.maximum(-net, 0.0)))


def _weakest(of: Ints, planned: Bools, net: Floats, count: int) -> Ints:
    """For each person or quota the planned contact that is worth least beyond its price, -1 = none."""
    found = np.full(count, -1, dtype=np.int64)
    for i in np.flatnonzero(planned & (of >= 0)):
        if found[of[i]] < 0 or net[i] < net[found[of[i]]]:
            found[of[i]] = i
    return found


def _planned_places(contacts: Contacts, planned: Bools
                    ) -> dict[int, list[int]]:  # fmt: skip
    places: dict[int, list[int]] = {}
    for i in np.flatnonzero(planned):
        places.setdefault(int(contacts.account[i]), []).append(int(i))
    return places


def _possible_days(contacts: Contacts, limits: Limits, i: int) -> list[int]:
    """Days on which contact i may be and its person has time for it at all."""
    person, days = contacts.person[i], range(limits.minutes.shape[1])
    allowed = [d for d in days if int(contacts.days[i]) >> d & 1]
    if person < 0:
        return allowed
    minutes, slots = limits.minutes[person], limits.slots[person]
    return [d for d in allowed if minutes[d] >= contacts.minutes[i] and slots[d] > 0]


def _too_close(day: Ints, own: list[int], days: list[int], spacing: int) -> list[int]:
    """The account's planned contacts that leave none of these days free."""
    close = [k for k in own if any(abs(int(day[k]) - d) < spacing for d in days)]
    open_ = [d for d in days if all(abs(int(day[k]) - d) >= spacing for k in own)]
    return close if not open_ else []
