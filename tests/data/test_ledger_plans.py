"""A night's plan goes in some items at a time, and is whole when the run comes on show."""

from __future__ import annotations

import polars as pl

from data.ledger.ledger import Ledger
from data.ledger.plan_types import PLAN_ITEMS, NightPlan, PersonDays, PlanHead
from tests.data.ledgers import NOON

MANY = 5_003
"""More than one transaction takes."""


def plan(run_id: str, count: int) -> NightPlan:
    """So many things that one person could do for account a; only the first has a day."""
    rows = [
        {
            "account_id": "a", "treatment": f"visit {n:05d}", "role": "account_manager", "user_id": "u",
            "in_plan": n == 0, "day": None if n else 20_001, "place": None if n else 1, "settled": False,
            "priority": n / 3, "value": n / 3, "minutes": 30, "days": 1, "latitude": None, "longitude": 6.5,
            "why": '{"by":["a","visit 00000","account_manager"],"code":"spacing","short_of":0.5}'
            if n else None,
            "listed": True, "due": None,
        }
        for n in range(count)
    ]  # fmt: skip
    head = PlanHead(run_id, 20_000, 5, 1.0, 2.0, {"minute": {}})
    return NightPlan(head, [PersonDays("u", [])], pl.DataFrame(rows, schema=PLAN_ITEMS))


def test_a_large_plan_is_stored_whole_and_a_second_time_in_place_of_the_first(ledger: Ledger) -> None:
    """A night that was killed between two parts stores its plan again when it goes on."""
    ledger.begin_run("n1", NOON, now=NOON)
    ledger.plans.store(plan("n1", 7))

    ledger.plans.store(plan("n1", MANY))
    ledger.complete_run("n1", summary={}, now=NOON)

    found = ledger.plans.of_person("u")
    assert found is not None
    assert len(found.items) == MANY
    assert found.items[0].day == 20_001
    assert found.items[0].why is None
    assert {str(item.why) for item in found.items[1:]} == {
        "{'by': ['a', 'visit 00000', 'account_manager'], 'code': 'spacing', 'short_of': 0.5}"
    }
