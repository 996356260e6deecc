"""The night's plan: prices from all that could be done, then everybody's days from what is listed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import polars as pl

from api.people_time import minutes_by_day
from data.ledger.ledger import Ledger
from data.ledger.plan_types import NightPlan, PersonDays, PlanHead, PlanItem, PlanMove
from data.nights import NightFolder
from engine.arbitration import drawn_share
from engine.plan import Contacts, Limits, Plan, solve
from engine.plan_offers import BOOKINGS, OFFERS, as_contacts
from engine.plan_prices import Prices
from engine.plan_route import in_order, near_together
from engine.plan_why import DISPLACED, Displaced, displaced
from engine.playbook import Playbook
from engine.records import Ints
from engine.shadow_prices import ShadowPrices

_DISPLACED_TOLD = 20
"""What has no place and is told of, per person."""
_UNMET_TOLD = 1_000
"""Accounts whose minimum is not met that are named; all are counted."""
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
        named |= set(offers["user_id"].drop_nulls()) | set(booked["user_id"].drop_nulls())
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
    identities = offers.select("account_id", "treatment", "role").rows()
    reasons = [json.dumps(_reason(why, int(i), identities)) for i in told]
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
    identities = offers.select("account_id", "treatment", "role").rows()
    return [
        {"minimum": offers["due"][int(i)], "account_id": offers["account_id"][int(i)],
         "user_id": offers["user_id"][int(i)]} | _reason(why, int(i), identities)
        for i in told
    ]  # fmt: skip


def _minimums(due: pl.DataFrame, items: Sequence[PlanItem], unmet: Sequence[Mapping[str, Any]]
              ) -> dict[str, dict[str, Any]]:  # fmt: skip
    """Of each minimum without a price: accounts due and met in the plan as it stands, the others with why.

    What had a day when prices were found and has none now lost its place on the account's list, to something
    drawn at random or newer.
    """
    met = {
        (item.due, item.account_id) for item in items if item.due and (item.day is not None or item.in_plan)
    }
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


def _reason(why: Displaced, i: int, identities: Sequence[tuple[Any, ...]]) -> dict[str, Any]:
    by = int(why.by[i])
    return {
        "code": DISPLACED[why.code[i]],
        "by": list(identities[by]) if by >= 0 else None,
        "short_of": float(why.short_of[i]),
    }


def night_prices(folder: NightFolder) -> ShadowPrices | None:
    """The prices that a run goes by; None where it makes no plan."""
    found = folder.prices()
    if found is None:
        return None
    return shadow_prices(*found)


def shadow_prices(head: Mapping[str, Any], given: pl.DataFrame) -> ShadowPrices:
    """Prices by name as an account goes by them; `given` = account_id and treatment of what is planned."""
    planned = given.group_by("account_id").agg("treatment")
    return ShadowPrices(
        head["minute"], head["slot"], head["quota"], frozenset(head["closed"]),
        {account: frozenset(treatments) for account, treatments in planned.iter_rows()},
    )  # fmt: skip


def settled_days(offers: pl.DataFrame, moves: Sequence[PlanMove], first: int, horizon: int) -> Ints:
    """The plan's day of each offer that its person has settled by hand, -1 = none."""
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
    items = arrange(
        offers, people.users, people.limits(playbook), playbook, prices=prices, settled=settled, first=first
    )
    persons = [PersonDays(user, people.days_of(user)) for user in people.users]
    kept = {name: head[name] for name in ("minute", "slot", "quota", "closed")}
    if any(minimum.worth is None for minimum in playbook.minimums):
        judged = pl.concat([folder.read(b, "offers").select("due", "account_id") for b in buckets])
        kept["minimums"] = _minimums(judged, items, head["unmet"])
    shown = PlanHead(folder.path.name, first, people.minutes.shape[1], head["value"], head["bound"], kept)
    return NightPlan(shown, persons, [*items, *_not_listed(folder.displaced(), items)])


def _not_listed(found: pl.DataFrame, items: Sequence[PlanItem]) -> list[PlanItem]:
    """What was not worth its price, as items that no list has."""
    listed = {item.identity for item in items}
    return [
        PlanItem(
            row["account_id"], row["treatment"], row["role"], row["user_id"], False, None, None, False,
            row["priority"], row["value"], row["minutes"], row["days"], row["latitude"], row["longitude"],
            json.loads(row["why"]), listed=False, due=row["due"],
        )
        for row in found.iter_rows(named=True)
        if (row["account_id"], row["treatment"], row["role"]) not in listed
    ]  # fmt: skip


def prices_for(head: Mapping[str, Any], users: Sequence[str], playbook: Playbook) -> Prices:
    """Prices by number; whoever or whatever has none costs nothing."""
    return Prices(
        np.array([head["minute"].get(user, 0.0) for user in users], dtype=np.float64),
        np.array([head["slot"].get(user, 0.0) for user in users], dtype=np.float64),
        np.array([head["quota"].get(quota.channel, 0.0) for quota in playbook.quotas], dtype=np.float64),
    )


def arrange(offers: pl.DataFrame, users: Sequence[str], limits: Limits, playbook: Playbook, *,
            prices: Prices, settled: Ints, first: int) -> list[PlanItem]:  # fmt: skip
    """Who does what on which day in which order, and why the rest waits.

    What was drawn at random gets its day first: the time that was held back is for it.

    Args:
        offers: Columns `OFFERS` and `in_plan`; of these users, or nobody's.
        settled: Day of each offer that is settled, -1 = free.
        first: The plan's first day.
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
           ) -> list[PlanItem]:  # fmt: skip
    place = _places(offers, contacts, plan.day)
    rows = offers.iter_rows(named=True)
    identities = offers.select("account_id", "treatment", "role").rows()
    items = []
    for i, row in enumerate(rows):
        planned = plan.day[i] >= 0
        items.append(
            PlanItem(
                row["account_id"], row["treatment"], row["role"], row["user_id"], bool(row["in_plan"]),
                int(plan.day[i]) + first if planned and contacts.person[i] >= 0 else None,
                int(place[i]) if place[i] > 0 else None, row["settled"], row["priority"], row["value"],
                row["minutes"], row["days"],
                row["latitude"], row["longitude"], None if planned else _reason(why, i, identities),
                due=row["due"],
            )
        )  # fmt: skip
    return items


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


def plan_frame(plan: NightPlan) -> pl.DataFrame:
    """All items of a plan, a row each; `why` as JSON."""
    rows = [{**asdict(item), "why": json.dumps(item.why)} for item in plan.items]
    return pl.DataFrame(rows, infer_schema_length=None)
