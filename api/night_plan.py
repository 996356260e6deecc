"""The night's plan: prices from all that could be done, then everybody's days from what is listed."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl

from api.people_time import minutes_by_day
from data.ledger.ledger import Ledger
from data.ledger.plan_types import PLAN_ITEMS, NightPlan, PersonDays, PlanHead, PlanItem, PlanMove
from data.ledger.schema import dumps
from data.nights import NightFolder
from engine.arbitration import drawn_share
from engine.plan import Contacts, Limits, Plan, solve
from engine.plan_offers import BOOKINGS, OFFERS, as_contacts
from engine.plan_prices import Prices
from engine.plan_route import in_order, near_together
from engine.plan_why import DISPLACED, Displaced, displaced
from engine.playbook import Playbook
from engine.records import Bools, Ints
from engine.shadow_prices import ShadowPrices

_DISPLACED_TOLD = 20
"""What has no place and is told of, per person."""
_UNMET_TOLD = 1_000
"""Accounts whose minimum is not met that are named; all are counted."""
_AT_ONCE = 50_000
"""Reasons that are objects at the same time."""
_LEAST_VALUE = 1e-6
"""In currency: what was drawn at random is tried whatever it is worth."""


@dataclass(frozen=True)
class People:
    """Who has time in a plan.

    Attributes:
        users: By number.
        minutes: Of each day, shape (P, D), before what is booked.
        booked: Columns `BOOKINGS`.
        first: The first day.
    """

    users: tuple[str, ...]
    minutes: Ints
    booked: pl.DataFrame
    first: int

    @classmethod
    def of(cls, ledger: Ledger, playbook: Playbook, offers: pl.DataFrame, booked: pl.DataFrame, first: int
           ) -> People:  # fmt: skip
        """All colleagues of a role of the playbook and whom an offer or a booking names, with their time."""
        settings = playbook.plan
        days = range(first, first + (settings.horizon_days if settings else 1))
        roles = {role.id for role in playbook.roles if not role.system}
        named = {user.user_id for user in ledger.users() if user.role in roles}
        named |= set(offers["user_id"].drop_nulls().unique()) | set(booked["user_id"].drop_nulls().unique())
        users = tuple(sorted(named))
        calendars, away = ledger.plans.calendars(), ledger.plans.absences()
        minutes = [minutes_by_day(playbook, calendars.get(u, {}), away.get(u, ()), days) for u in users]
        shape = np.zeros((0, len(days)), dtype=np.int64)
        return cls(users, np.array(minutes, dtype=np.int64) if users else shape, booked, first)

    def limits(self, playbook: Playbook, *, share: float = 0.0) -> Limits:
        """What is left of time, places and quotas; `share` of minutes and quotas is held back."""
        free, slots = self.minutes.copy(), np.full(self.minutes.shape, playbook.per_person_per_day)
        numbers = {user: number for number, user in enumerate(self.users)}
        for row in self.booked.iter_rows(named=True):
            place = numbers[row["user_id"]], row["day"] - self.first
            free[place] -= row["minutes"]
            slots[place] -= 1
        kept = 1.0 - share
        return Limits(
            np.floor(np.maximum(free, 0) * kept).astype(np.int64),
            np.maximum(slots, 0),
            np.array([int(quota.count * kept) for quota in playbook.quotas], dtype=np.int64),
            playbook.plan.spacing_days if playbook.plan else 1,
            playbook.plan.per_account if playbook.plan else 1,
        )

    def days_of(self, user: str) -> list[dict[str, Any]]:
        """A person's days as they are kept."""
        row, mine = self.users.index(user), self.booked.filter(pl.col("user_id") == user)
        booked = mine.partition_by("day", as_dict=True)
        kept = ("account_id", "treatment", "channel", "at", "minutes")
        return [
            {
                "day": self.first + d,
                "minutes": int(minutes),
                "booked": booked[self.first + d,].select(kept).to_dicts()
                if (self.first + d,) in booked
                else [],
            }
            for d, minutes in enumerate(self.minutes[row])
        ]


@dataclass(frozen=True)
class Solved:
    """The best plan of all that could be done, before lists are made of it."""

    people: People
    channels: tuple[str, ...]
    contacts: Contacts
    limits: Limits
    plan: Plan

    @classmethod
    def of(
        cls, offers: pl.DataFrame, people: People, playbook: Playbook, moves: Sequence[PlanMove]
    ) -> Solved:
        """Of offers (columns `OFFERS`) beside what people have settled."""
        channels = tuple(quota.channel for quota in playbook.quotas)
        settled = settled_days(offers, moves, people.first, people.minutes.shape[1])
        contacts = as_contacts(offers, people.users, channels, settled)
        limits = people.limits(playbook, share=drawn_share(playbook))
        return cls(people, channels, contacts, limits, solve(contacts, limits))

    @property
    def prices(self) -> dict[str, Any]:
        """By name, in currency: minute, slot, quota; closed = the channels that are used up."""
        names = (self.people.users, self.people.users, self.channels)
        minute, slot, quota = (
            {name: float(amount) for name, amount in zip(of, amounts, strict=True) if amount > 0.0}
            for of, amounts in zip(names, self.plan.prices, strict=True)
        )
        return {"minute": minute, "slot": slot, "quota": quota, "closed": sorted(quota)}


def find_prices(folder: NightFolder, ledger: Ledger, playbook: Playbook, buckets: Sequence[int], first: int
                ) -> None:  # fmt: skip
    """Solve the plan over all that could be done and write its prices; nothing where that is done."""
    if folder.prices() is not None:
        return
    offers = pl.concat([pl.DataFrame(schema=OFFERS), *(folder.read(b, "offers") for b in buckets)])
    people = People.of(ledger, playbook, offers, _bookings(folder, buckets), first)
    found = Solved.of(offers, people, playbook, ledger.plans.moves(from_day=first))
    given = offers.filter(pl.Series(found.plan.day >= 0)).select("account_id", "treatment")
    told = offers, found.contacts, found.limits, found.plan
    head = {"first_day": first, "value": found.plan.value, "bound": found.plan.bound, **found.prices,
            "unmet": _unmet(*told)}  # fmt: skip
    folder.write_prices(head, given, _displaced(*told))


def _displaced(offers: pl.DataFrame, contacts: Contacts, limits: Limits, plan: Plan) -> pl.DataFrame:
    """Of each person the most valuable that has no place, one per account, with what stands there instead."""
    left = offers.with_row_index("i").filter(
        pl.Series(plan.day < 0), pl.col("user_id").is_not_null(), pl.col("days") != 0
    )
    best = left.sort("value", "i", descending=[True, False]).unique(
        ["user_id", "account_id"], keep="first", maintain_order=True
    )
    best = best.group_by("user_id", maintain_order=True).head(_DISPLACED_TOLD)
    told = best["i"].to_numpy().astype(np.int64)
    only = np.zeros(len(offers), dtype=bool)
    only[told] = True
    why = displaced(contacts, limits, plan, only=only)
    reasons = [json.dumps(reason) for reason in _reasons(offers, why, told)]
    return offers[told].with_columns(pl.Series("why", reasons, dtype=pl.String))


def _unmet(offers: pl.DataFrame, contacts: Contacts, limits: Limits, plan: Plan) -> list[dict[str, Any]]:
    """Each account and minimum without a contact in the plan, and what keeps its best one from a day."""
    kept = np.unique(contacts.promise[plan.day >= 0])
    open_ = np.flatnonzero((contacts.promise >= 0) & ~np.isin(contacts.promise, kept))
    best = open_[np.lexsort((-contacts.value[open_], contacts.days[open_] == 0, contacts.promise[open_]))]
    told = best[np.unique(contacts.promise[best], return_index=True)[1]]
    only = np.zeros(len(offers), dtype=bool)
    only[told] = True
    # All else would have given way, so nothing but what is settled or due itself stands in the way.
    first = (contacts.promise >= 0) | (contacts.fixed >= 0)
    why = displaced(contacts, limits, replace(plan, day=np.where(first, plan.day, -1)), only=only)
    named = offers[told].select(minimum="due", account_id="account_id", user_id="user_id").to_dicts()
    return [row | reason for row, reason in zip(named, _reasons(offers, why, told), strict=True)]


def _minimums(due: pl.DataFrame, items: pl.DataFrame, unmet: Sequence[Mapping[str, Any]]
              ) -> dict[str, dict[str, Any]]:  # fmt: skip
    """Of each minimum without a price: accounts due and met in the plan as it stands, the others with why.

    What had a day when prices were found and has none now lost its place on the account's list, to something
    drawn at random or newer.
    """
    met = set(
        items.filter(pl.col("day").is_not_null() | pl.col("in_plan")).select("due", "account_id").iter_rows()
    )
    why = {(row["minimum"], row["account_id"]): row for row in unmet}
    found: dict[str, dict[str, Any]] = {}
    for minimum, account in due.select("due", "account_id").drop_nulls("due").unique().sort(pl.all()).rows():
        row = found.setdefault(minimum, {"due": 0, "met": 0, "unmet": []})
        row["due"] += 1
        if (minimum, account) in met:
            row["met"] += 1
        elif len(row["unmet"]) < _UNMET_TOLD:
            lost = {"account_id": account, "user_id": None, "code": "not_listed", "by": None}
            told = why.get((minimum, account), lost)
            row["unmet"].append({name: told[name] for name in lost})
    return found


def _reasons(offers: pl.DataFrame, why: Displaced, told: Ints) -> list[dict[str, Any]]:
    """What keeps each of these offers (places) from a day."""
    by = why.by[told]
    stands = offers[np.maximum(by, 0)].select("account_id", "treatment", "role").rows()
    found = zip(why.code[told].tolist(), by.tolist(), stands, why.short_of[told].tolist(), strict=True)
    return [
        {"code": DISPLACED[code], "by": list(one) if place >= 0 else None, "short_of": short_of}
        for code, place, one, short_of in found
    ]


def night_prices(folder: NightFolder, accounts: Collection[str] | None = None) -> ShadowPrices | None:
    """The prices that a run goes by, with what is planned of some accounts or of all; None where it makes no
    plan."""
    found = folder.prices()
    if found is None:
        return None
    head, given = found
    if accounts is not None:
        given = given.filter(pl.col("account_id").is_in(list(accounts)))
    return shadow_prices(head, given)


def shadow_prices(head: Mapping[str, Any], given: pl.DataFrame) -> ShadowPrices:
    """Prices by name as an account goes by them; `given` = account_id and treatment of what is planned."""
    planned = given.group_by("account_id").agg("treatment")
    return ShadowPrices(
        head["minute"], head["slot"], head["quota"], frozenset(head["closed"]),
        {account: frozenset(treatments) for account, treatments in planned.iter_rows()},
    )  # fmt: skip


def settled_days(offers: pl.DataFrame, moves: Sequence[PlanMove], first: int, horizon: int) -> Ints:
    """The plan's day of each offer that its person has settled by hand, -1 = none."""
    if not moves:
        return np.full(len(offers), -1, dtype=np.int64)
    days = {(*move.identity, move.user_id): move.day - first for move in moves}
    keys = offers.select("account_id", "treatment", "role", "user_id").iter_rows()
    found = np.array([days.get(key, -1) for key in keys], dtype=np.int64)
    return np.where((found >= 0) & (found < horizon), found, -1)


def make_plan(folder: NightFolder, ledger: Ledger, playbook: Playbook, buckets: Sequence[int]) -> NightPlan:
    """Everybody's days from what the lists hold, by the prices of `find_prices`."""
    found = folder.prices()
    if found is None:
        raise ValueError("The prices come first.")
    head, given = found
    first = head["first_day"]
    parts = [folder.read(b, "listed") for b in buckets]
    offers = pl.concat([pl.DataFrame(schema=OFFERS), *parts]).join(
        given.with_columns(in_plan=pl.lit(value=True)), on=["account_id", "treatment"], how="left"
    )
    offers = offers.with_columns(pl.col("in_plan").fill_null(value=False))
    offers = offers.filter(pl.col("user_id").is_not_null() | pl.col("in_plan"))
    people = People.of(ledger, playbook, offers, _bookings(folder, buckets), first)
    settled = settled_days(offers, ledger.plans.moves(from_day=first), first, people.minutes.shape[1])
    prices = prices_for(head, people.users, playbook)
    items = arranged(
        offers, people.users, people.limits(playbook), playbook, prices=prices, settled=settled, first=first
    )
    persons = [PersonDays(user, people.days_of(user)) for user in people.users]
    kept = {name: head[name] for name in ("minute", "slot", "quota", "closed")}
    if any(minimum.worth is None for minimum in playbook.minimums):
        judged = pl.concat([folder.read(b, "offers", ["due", "account_id"]) for b in buckets])
        kept["minimums"] = _minimums(judged, items, head["unmet"])
    shown = PlanHead(folder.path.name, first, people.minutes.shape[1], head["value"], head["bound"], kept)
    return NightPlan(shown, persons, pl.concat([items, _not_listed(folder.displaced(), items)]))


def _not_listed(found: pl.DataFrame, items: pl.DataFrame) -> pl.DataFrame:
    """What was not worth its price, as items that no list has."""
    left = found.join(items, on=["account_id", "treatment", "role"], how="anti", maintain_order="left")
    why = pl.Series([dumps(json.loads(reason)) for reason in left["why"]], dtype=pl.String)
    return left.with_columns(
        in_plan=pl.lit(value=False), day=pl.lit(None), place=pl.lit(None), settled=pl.lit(value=False),
        listed=pl.lit(value=False), why=why,
    ).select(pl.col(name).cast(kind) for name, kind in PLAN_ITEMS.items())  # fmt: skip


def prices_for(head: Mapping[str, Any], users: Sequence[str], playbook: Playbook) -> Prices:
    """Prices by number; whoever or whatever has none costs nothing."""
    return Prices(
        np.array([head["minute"].get(user, 0.0) for user in users], dtype=np.float64),
        np.array([head["slot"].get(user, 0.0) for user in users], dtype=np.float64),
        np.array([head["quota"].get(quota.channel, 0.0) for quota in playbook.quotas], dtype=np.float64),
    )


def arrange(offers: pl.DataFrame, users: Sequence[str], limits: Limits, playbook: Playbook, *,
            prices: Prices, settled: Ints, first: int) -> list[PlanItem]:  # fmt: skip
    """`arranged` as items: for one person's days."""
    found = arranged(offers, users, limits, playbook, prices=prices, settled=settled, first=first)
    return [
        PlanItem(**row | {"why": row["why"] and json.loads(row["why"])})
        for row in found.iter_rows(named=True)
    ]


def arranged(offers: pl.DataFrame, users: Sequence[str], limits: Limits, playbook: Playbook, *,
             prices: Prices, settled: Ints, first: int) -> pl.DataFrame:  # fmt: skip
    """Who does what on which day in which order, and why the rest waits.

    What was drawn at random gets its day first: the time that was held back is for it.

    Args:
        offers: Columns `OFFERS` and `in_plan`; of these users, or nobody's.
        settled: Day of each offer that is settled, -1 = free.
        first: The plan's first day.

    Returns:
        Columns `PLAN_ITEMS`, in the order of the offers.
    """
    contacts = as_contacts(offers, users, [quota.channel for quota in playbook.quotas], settled)
    drawn = offers["explored"].to_numpy() & (settled < 0)
    if drawn.any():
        only = np.where(drawn, contacts.days, 0)
        alone = replace(contacts, days=only, value=np.maximum(contacts.value, _LEAST_VALUE))
        contacts = replace(contacts, fixed=solve(alone, limits, prices=prices).day)
    plan = solve(contacts, limits, prices=prices)
    latitude, longitude = (offers[name].to_numpy() for name in ("latitude", "longitude"))
    nearby = playbook.plan.nearby_km if playbook.plan else 0.0
    day = near_together(contacts, plan.day, limits, latitude, longitude, nearby_km=nearby)
    plan = replace(plan, day=day)
    why = displaced(contacts, limits, plan)
    return _items(offers.with_columns(settled=pl.Series(settled >= 0)), contacts, plan, why, first)


def _items(offers: pl.DataFrame, contacts: Contacts, plan: Plan, why: Displaced, first: int
           ) -> pl.DataFrame:  # fmt: skip
    planned, place = plan.day >= 0, _places(offers, contacts, plan.day)
    on_a_day = planned & (contacts.person >= 0)
    return offers.with_columns(
        day=_where(on_a_day, plan.day + first), place=_where(place > 0, place),
        why=_why_waiting(offers, why, planned), listed=pl.lit(value=True),
    ).select(pl.col(name).cast(kind) for name, kind in PLAN_ITEMS.items())  # fmt: skip


def _why_waiting(offers: pl.DataFrame, why: Displaced, planned: Bools) -> pl.Series:
    """What keeps each offer from a day as the ledger writes it, null = it is planned.

    Some at a time: all of a large book as objects would not fit into memory.
    """
    found = [pl.Series(dtype=pl.String)]
    for waiting in np.array_split(np.flatnonzero(~planned), len(offers) // _AT_ONCE + 1):
        found.append(pl.Series(map(dumps, _reasons(offers, why, waiting)), dtype=pl.String))
    place = pl.Series(np.cumsum(~planned) - 1, dtype=pl.Int64)
    return pl.concat(found).gather(place.set(pl.Series(planned), None))


def _where(known: Bools, values: Ints) -> pl.Series:
    """The values that are known, the others null."""
    return pl.Series(values, dtype=pl.Int64).set(pl.Series(~known), None)


def _places(offers: pl.DataFrame, contacts: Contacts, day: Ints) -> Ints:
    """The place of each planned contact on its person's day, 1 = first; 0 = not planned."""
    place = np.zeros(len(day), dtype=np.int64)
    latitude, longitude = (offers[name].to_numpy() for name in ("latitude", "longitude"))
    cells: dict[tuple[int, int], list[int]] = {}
    for i in np.flatnonzero((day >= 0) & (contacts.person >= 0)):
        cells.setdefault((int(contacts.person[i]), int(day[i])), []).append(int(i))
    for members in cells.values():
        chosen = np.array(members, dtype=np.int64)
        order = in_order(contacts.value[chosen], latitude[chosen], longitude[chosen])
        place[chosen[order]] = np.arange(1, len(chosen) + 1)
    return place


def _bookings(folder: NightFolder, buckets: Sequence[int]) -> pl.DataFrame:
    return pl.concat([pl.DataFrame(schema=BOOKINGS), *(folder.read(b, "bookings") for b in buckets)])
