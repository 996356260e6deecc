"""Why a contact has no day in a plan: what stands in its place, and what it would have needed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.plan import Contacts, Limits, Plan, prices_of
from engine.records import Bools, Floats, Ints

DISPLACED: tuple[str, ...] = ("no_day", "equivalent", "spacing", "quota", "hours")
"""No day of the plan allows it; an equivalent contact of the account is planned; another contact of the
account is too close; the channel's quota is used up; the person's days are full."""


@dataclass(frozen=True)
class Displaced:
    """Why each contact without a day has none; all shape (n,).

    Attributes:
        code: Index into DISPLACED; -1 = it is planned.
        by: The contact that stands in its place, -1 = none: the equivalent or too close one, else of those
            that take from the same time or quota the one that is worth least beyond its price.
        short_of: What it would have to be worth more to pay the price of its time or quota, in currency; 0
            where it would pay and no room was left by what pays more.
    """

    code: Ints
    by: Ints
    short_of: Floats


def displaced(contacts: Contacts, limits: Limits, plan: Plan) -> Displaced:
    """Explain every contact that a plan leaves out."""
    n, spacing = len(contacts), max(limits.spacing, 1)
    cost = prices_of(contacts, plan.prices)
    net = contacts.value - cost
    planned = plan.day >= 0
    weakest_of = _weakest(contacts.person, planned, net, len(limits.minutes))
    weakest_on = _weakest(contacts.quota, planned, net, len(limits.quotas))
    used = np.bincount(contacts.quota[planned & (contacts.quota >= 0)], minlength=len(limits.quotas))
    code, by = np.full(n, -1, dtype=np.int64), np.full(n, -1, dtype=np.int64)
    places = _planned_places(contacts, planned)
    for i in np.flatnonzero(~planned):
        own = places.get(int(contacts.account[i]), [])
        equivalent = [k for k in own if contacts.about[k] == contacts.about[i]]
        quota = contacts.quota[i]
        if equivalent:
            code[i], by[i] = DISPLACED.index("equivalent"), equivalent[0]
        elif contacts.days[i] == 0:
            code[i] = DISPLACED.index("no_day")
        elif close := _too_close(contacts, plan.day, own, int(i), spacing):
            code[i], by[i] = DISPLACED.index("spacing"), close[0]
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


def _too_close(contacts: Contacts, day: Ints, own: list[int], i: int, spacing: int) -> list[int]:
    """The account's planned contacts that leave none of its days to contact i."""
    free = [d for d in range(64) if int(contacts.days[i]) >> d & 1]
    close = [k for k in own if any(abs(int(day[k]) - d) < spacing for d in free)]
    open_ = [d for d in free if all(abs(int(day[k]) - d) >= spacing for k in own)]
    return close if not open_ else []
