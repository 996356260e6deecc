"""What the night makes of offers: days in order, within time and quotas, time kept for what is drawn."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from api.night_plan import People, arrange
from data.ledger.plan_types import PlanItem
from engine.plan import solve
from engine.plan_offers import BOOKINGS, OFFERS, as_contacts
from engine.plan_prices import Prices
from engine.plan_settings import Quota
from engine.playbook import Playbook, parse_playbook
from tests.engine.example_playbook import TEXT

FIRST, DAYS = 20_000, 5
MAIL = Quota("mails", "email", 3)


def planning(**changes: Any) -> Playbook:
    """Five days, two days between contacts of an account, three places a day, three e-mails."""
    rules = parse_playbook(f"{TEXT}\n[plan]\nhorizon_days = {DAYS}\nspacing_days = 2\nper_account = 2")
    return replace(rules, per_person_per_day=3, quotas=(MAIL,), **changes)


def offer(account: str, user: str | None = "u", **others: Any) -> dict[str, Any]:
    return {
        "account_id": account, "treatment": "visit_news", "role": "r", "user_id": user, "channel": "visit",
        "about": "topic:news", "contact": True, "priority": 10.0, "value": 10.0, "minutes": 30,
        "days": (1 << DAYS) - 1, "latitude": None, "longitude": None, "listed": True,
        "explored": False, "in_plan": False, "due": None,
    } | others  # fmt: skip


def frame(rows: list[dict[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema={**OFFERS, "in_plan": pl.Boolean()})


def people(minutes: int, *users: str, booked: list[dict[str, Any]] | None = None) -> People:
    bookings = pl.DataFrame(booked or [], schema=BOOKINGS)
    return People(users, np.full((len(users), DAYS), minutes), bookings, FIRST)


def arranged(rows: list[dict[str, Any]], found: People, rules: Playbook) -> list[PlanItem]:
    offers, limits = frame(rows), found.limits(rules)
    free = np.full(len(offers), -1)
    quotas = [quota.channel for quota in rules.quotas]
    prices = solve(as_contacts(offers, found.users, quotas, free), limits).prices
    return arrange(offers, found.users, limits, rules, prices=prices, settled=free, first=FIRST)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_nobodys_hours_and_no_quota_are_ever_exceeded(seed: int) -> None:
    """Bookings, explored contacts and quotas come from different places; their sum must fit all the same."""
    rng, rules = np.random.default_rng(seed), planning()
    rows = [
        offer(f"a{rng.integers(6)}", [None, "u", "v"][rng.integers(3)], treatment=f"t{n}",
              about=f"topic:{rng.integers(3)}", value=float(rng.integers(-2, 50)),
              minutes=int(rng.integers(5, 60)), days=int(rng.integers(0, 1 << DAYS)),
              channel=["visit", "email"][rng.integers(2)], explored=bool(rng.random() < 0.2))
        for n in range(rng.integers(1, 40))
    ]  # fmt: skip
    booked = [
        {"user_id": "u", "account_id": "a1", "treatment": None, "channel": "visit", "at": 0,
         "day": FIRST + int(rng.integers(DAYS)), "minutes": int(rng.integers(10, 90))}
        for _ in range(rng.integers(0, 3))
    ]  # fmt: skip
    found = people(int(rng.integers(30, 120)), "u", "v", booked=booked)

    items = arranged(rows, found, rules)

    planned = [item for item in items if item.day is not None]
    taken, count = Counter(), Counter()
    for item in planned:
        taken[item.user_id, item.day] += item.minutes
        count[item.user_id, item.day] += 1
    for row in booked:
        count["u", row["day"]] += 1
    free = found.limits(rules).minutes
    assert all(taken[u, FIRST + d] <= free[p, d] for p, u in enumerate("uv") for d in range(DAYS))
    assert all(count[item.user_id, item.day] <= 3 for item in planned)
    channel = {row["treatment"]: row["channel"] for row in rows}
    mails = [i for i in items if channel[i.treatment] == "email" and i.user_id and i.day is not None]
    assert len(mails) <= MAIL.count
    for item in planned:
        others = [o for o in planned if o.account_id == item.account_id and o is not item]
        assert all(abs((o.day or 0) - (item.day or 0)) >= 2 for o in others)
        assert len(others) < 2


def test_a_stop_is_no_contact_of_its_account_and_takes_from_no_quota() -> None:
    """To confirm that e-mails end keeps nobody from a visit on the same day, nor from the month's visits."""
    rows = [
        offer("a1", minutes=30, days=1),
        offer("a1", treatment="stop_mail", about="action:stop_mail", contact=False, minutes=2, days=1),
    ]

    one_visit = replace(planning(), quotas=(replace(MAIL, channel="visit", count=1),))
    items = arranged(rows, people(60, "u"), one_visit)

    assert [item.day for item in items] == [FIRST, FIRST]


def test_what_is_booked_takes_its_time_and_its_place() -> None:
    """A visit that she has booked herself is no room for another one."""
    booking = {"user_id": "u", "account_id": "x", "treatment": None, "channel": "visit", "at": 0,
               "day": FIRST, "minutes": 45}  # fmt: skip
    found = people(60, "u", booked=[booking])

    limits = found.limits(planning())

    assert limits.minutes.tolist() == [[15, 60, 60, 60, 60]]
    assert limits.slots.tolist() == [[2, 3, 3, 3, 3]]
    items = arranged([offer(f"a{n}", days=1) for n in range(3)], found, planning())
    assert [item.day for item in items] == [None] * 3


def test_time_is_kept_for_what_is_drawn_at_random() -> None:
    """An experiment that never gets a day teaches nothing."""
    rows = [offer("a", value=-5.0, explored=True), *(offer(f"b{n}", value=90.0) for n in range(2))]
    found = people(60, "u")
    held_back = found.limits(planning(exploration_share=0.25), share=0.25)

    items = arranged([row | {"days": 1} for row in rows], found, planning())

    assert held_back.minutes.tolist() == [[45] * DAYS]
    assert held_back.quotas.tolist() == [2]
    assert items[0].day == FIRST
    assert [item.day for item in items].count(FIRST) == 2


def test_what_is_due_goes_before_what_is_worth_a_little_more() -> None:
    """Every A account at least once a quarter: what is due weighs in the plan as the playbook says."""
    rows = [offer("a", priority=10.0, value=60.0, days=1), offer("b", priority=20.0, value=20.0, days=1)]

    items = arranged(rows, people(30, "u"), planning())

    assert [item.day for item in items] == [FIRST, None]
    assert items[1].why is not None
    assert items[1].why["by"] == ["a", "visit_news", "r"]


def test_a_day_names_its_places_and_what_waits_its_reason() -> None:
    """Whoever reads a day goes from 1 on; whoever misses something learns what stands there."""
    rows = [offer(f"a{n}", value=50.0 - n, days=1, latitude=50.0 + n, longitude=8.0) for n in range(4)]

    items = arranged(rows, people(90, "u"), planning())

    assert [(item.day, item.place) for item in items] == [(FIRST, 1), (FIRST, 2), (FIRST, 3), (None, None)]
    assert items[3].why is not None
    assert (items[3].why["code"], items[3].why["by"]) == ("hours", ["a2", "visit_news", "r"])


def test_without_a_price_nobody_is_kept_from_a_free_hour() -> None:
    """Prices of the night are for what is short; whoever is not in them has time."""
    rows, rules = [offer("a", user="w")], planning()
    found, settled = people(60, "w"), np.array([-1])
    nothing = Prices(np.zeros(1), np.zeros(1), np.zeros(1))

    items = arrange(frame(rows), found.users, found.limits(rules), rules, prices=nothing, settled=settled,
                    first=FIRST)  # fmt: skip

    assert items[0].day is not None
