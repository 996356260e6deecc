"""The plan: never more than there is, nearly the best there is, and proof of how nearly."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.plan_by_highs import by_highs, week
from engine.plan import Contacts, solve
from engine.plan_route import in_order, near_together
from engine.plan_why import DISPLACED, displaced
from engine.records import EngineError
from tests.engine.plans import broken, contacts, limits, promising, random_problem


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_a_plan_never_exceeds_a_limit(seed: int) -> None:
    """An hour that does not exist, a quota overrun or two calls in a row cannot be carried out."""
    task, room = random_problem(seed)

    plan = solve(task, room)

    assert broken(task, room, plan.day) == []
    assert plan.value <= plan.bound * (1 + 1e-9) + 1e-9


@pytest.mark.parametrize("seed", range(24))
def test_a_small_plan_is_as_good_as_that_of_highs(seed: int) -> None:
    """A small company deserves the best plan too, and a bound that is true."""
    task, room = random_problem(1_000 + seed)

    plan, best = solve(task, room), by_highs(task, room).value

    assert plan.value >= 0.995 * best
    assert plan.value - 1e-6 <= best <= plan.bound + 1e-6 * max(best, 1.0)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=150, deadline=None)
def test_a_promise_that_can_be_kept_is_kept(seed: int) -> None:
    """At least once a quarter means at least: whatever else is worth more has to wait."""
    task, room = promising(seed)

    plan = solve(task, room)

    kept = {int(number) for number in task.promise[plan.day >= 0]}
    assert {int(number) for number in task.promise} <= kept | {-1}
    assert broken(task, room, plan.day) == []
    assert plan.value <= plan.bound + 1e-9


def test_a_promise_takes_no_more_than_it_needs_and_the_bound_knows_of_it() -> None:
    """One visit keeps it, the cheapest that does; the hour that is left goes to what is worth most."""
    due = {"account": 0, "promise": 0, "value": -20.0}
    task = contacts(due | {"about": 0, "minutes": 60}, due | {"about": 1, "minutes": 30},
                    {"value": 100.0}, {"value": 90.0})  # fmt: skip

    plan = solve(task, limits(((60,),)))

    assert (plan.day >= 0).tolist() == [False, True, True, False]
    assert plan.value == 80.0
    assert plan.bound >= 190.0 - 1e-9, "without the promise two visits would be worth 190"


def test_what_is_settled_keeps_a_promise_already() -> None:
    """Her own appointment with the account is the contact that was due."""
    due = {"account": 0, "promise": 0, "value": 1.0}
    task = contacts(due | {"about": 0, "fixed": 0}, due | {"about": 1}, {"value": 100.0})

    plan = solve(task, limits(((60,),)))

    assert (plan.day >= 0).tolist() == [True, False, True]


def test_the_bound_knows_that_contacts_of_an_account_keep_their_distance() -> None:
    """Two contacts that expire tomorrow are one where they must be two days apart; that leaves no gap."""
    both = {"account": 0, "days": 0b11}
    task = contacts(both | {"about": 0, "value": 100.0}, both | {"about": 1, "value": 90.0})

    plan = solve(task, limits(((600, 600, 600, 600),), spacing=2))

    assert (plan.value, plan.bound) == (100.0, 100.0)


def test_the_bound_knows_that_a_place_on_a_day_off_is_no_place() -> None:
    """Ten visits would find a place over the weekend if nobody looked at the minutes of those days."""
    task = contacts(*({"value": 100.0 + number} for number in range(10)))

    plan = solve(task, limits(((600, 0, 0, 40),), slots=3))

    assert (plan.day >= 0).sum() == 4
    assert plan.bound == pytest.approx(plan.value, rel=0.01)


def test_a_week_of_people_with_shared_quotas_is_proven_to_be_nearly_the_best() -> None:
    """What no solver finishes in time must come with a proof of what it may lack."""
    task, room = week(6, accounts=150, quotas=(60, 40))

    plan = solve(task, room)

    assert broken(task, room, plan.day) == []
    assert plan.gap < 0.005
    assert (plan.prices.minute > 0).all()
    assert (plan.prices.quota > 0).all()


def test_the_same_problem_has_the_same_plan_in_any_order() -> None:
    """The order in which buckets arrive must not change anybody's day."""
    task, room = week(2, accounts=60)
    order = np.random.default_rng(3).permutation(len(task))
    shuffled = Contacts(**{name: values[order] for name, values in vars(task).items()})

    plan, other = solve(task, room), solve(shuffled, room)

    assert (other.day == plan.day[order]).all()
    assert all((a == b).all() for a, b in zip(plan.prices, other.prices, strict=True))


def test_time_goes_to_what_is_worth_most_per_minute() -> None:
    """One visit of an hour worth 100 or two of half an hour worth 60 each: the two."""
    task = contacts({"minutes": 60, "value": 100.0}, {"value": 60.0}, {"value": 60.0})

    plan = solve(task, limits([[60]]))

    assert plan.day.tolist() == [-1, 0, 0]


def test_time_that_is_not_short_has_no_price() -> None:
    """A price without scarcity would keep people from what is worth doing."""
    plan = solve(contacts({}, {}), limits([[600]]))

    assert plan.value == 200.0
    assert plan.gap == 0.0
    assert plan.prices.minute.tolist() == [0.0]


def test_of_equivalent_contacts_by_colleagues_one_is_planned() -> None:
    """Two colleagues with the same message on one account annoy it and waste an hour."""
    task = contacts({"account": 7, "person": 0, "value": 90.0}, {"account": 7, "person": 1, "value": 80.0})

    plan = solve(task, limits([[60, 60], [60, 60]]))

    assert sorted(plan.day >= 0) == [False, True]
    assert plan.value == 90.0


def test_two_contacts_of_an_account_keep_their_distance() -> None:
    """Different subjects may both be planned, but not day after day."""
    task = contacts({"account": 7, "about": 1}, {"account": 7, "about": 2})

    close = solve(task, limits([[60, 60, 0]], spacing=2))
    apart = solve(task, limits([[60, 60, 60]], spacing=2))

    assert close.value == 100.0
    assert sorted(apart.day) == [0, 2]


def test_an_account_has_no_more_contacts_than_it_may_have() -> None:
    """Three subjects are no reason for three visits in a week."""
    task = contacts(*({"account": 7, "about": n, "value": 10.0 + n} for n in range(3)))
    room = replace(limits([[600] * 7], spacing=2), per_account=2)

    plan = solve(task, room)
    why = displaced(task, room, plan)

    assert (plan.day >= 0).tolist() == [False, True, True]
    assert DISPLACED[why.code[0]] == "enough"
    assert plan.gap == 0.0


def test_what_is_settled_by_hand_stays_and_the_rest_gives_way() -> None:
    """A person's own word comes before the plan, even where it takes more than there is."""
    task = contacts({"value": 10.0, "minutes": 60, "fixed": 0}, {"value": 100.0}, {"value": 100.0})

    plan = solve(task, limits([[60, 30]]))
    over = solve(task, limits([[30, 30]]))

    assert plan.day[0] == over.day[0] == 0
    assert sorted(plan.day[1:]) == [-1, 1]
    assert sorted(over.day[1:]) == [-1, 1]


def test_what_is_settled_counts_among_what_an_account_may_have() -> None:
    """Two visits agreed with a physician are enough; the plan must not add a third."""
    task = contacts(*({"account": 7, "about": n, "fixed": [0, 2, -1][n]} for n in range(3)))
    room = replace(limits([[600] * 7]), per_account=2)

    plan = solve(task, room)

    assert plan.day.tolist() == [0, 2, -1]


def test_given_prices_are_kept() -> None:
    """Who plans one person again must not move the prices that all accounts are judged by."""
    task, room = week(1, accounts=40)
    night = solve(task, room)

    again = solve(task, room, prices=night.prices)

    assert again.prices is night.prices
    assert again.value >= 0.995 * night.value


def test_what_is_near_comes_on_the_same_day() -> None:
    """Two accounts in one street on two days cost a journey; nearness costs no value."""
    task = contacts({}, {}, {}, {})
    day = np.array([0, 1, 0, 1])
    latitude, longitude = np.array([50.0, 52.0, 52.001, 50.001]), np.array([8.0, 9.0, 9.0, 8.0])

    moved = near_together(task, day, limits([[60, 60]]), latitude, longitude, nearby_km=2.0)

    assert moved[0] == moved[3] != moved[1] == moved[2]


def test_what_is_worth_more_comes_sooner() -> None:
    """Where nothing is near, an urgent contact does not wait for Friday."""
    task, unknown = contacts({"value": 1.0}, {"value": 9.0}), np.full(2, np.nan)

    moved = near_together(task, np.array([0, 1]), limits([[30, 30]]), unknown, unknown, nearby_km=2.0)

    assert moved.tolist() == [1, 0]


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=25, deadline=None)
def test_bringing_together_breaks_no_limit(seed: int) -> None:
    """A shorter way is no reason for a longer day."""
    task, room = random_problem(seed)
    plan, rng = solve(task, room), np.random.default_rng(seed)
    places = rng.uniform(50.0, 50.1, (2, len(task)))

    moved = near_together(task, plan.day, room, *places, nearby_km=3.0)

    assert broken(task, room, moved) == []
    assert ((moved >= 0) == (plan.day >= 0)).all()


def test_a_day_goes_from_the_most_valuable_to_the_nearest() -> None:
    """Criss-cross through the town is time that nobody planned."""
    latitude = np.array([50.3, 50.0, np.nan, 50.1])

    order = in_order(np.array([1.0, 9.0, 5.0, 1.0]), latitude, np.full(4, 8.0))

    assert order.tolist() == [1, 3, 0, 2]


def test_what_has_no_day_says_what_stands_in_its_place() -> None:
    """Somebody whose visit is not planned asks: why not, instead of what, and what would it take?"""
    task = contacts(
        {"account": 1, "value": 100.0}, {"account": 2, "value": 80.0}, {"account": 3, "value": 50.0},
        {"account": 1, "value": 70.0, "minutes": 60}, {"account": 4, "days": 0},
        {"account": 5, "person": -1, "minutes": 0, "quota": 0, "value": 3.0},
        {"account": 6, "person": -1, "minutes": 0, "quota": 0, "value": 2.0},
    )  # fmt: skip
    room = limits([[60]], quotas=[1])
    plan = solve(task, room)

    why = displaced(task, room, plan)

    codes = [DISPLACED[code] if code >= 0 else "planned" for code in why.code]
    assert codes == ["planned", "planned", "hours", "equivalent", "no_day", "planned", "quota"]
    assert why.by.tolist() == [-1, -1, 1, 0, -1, -1, 5]
    assert 0.0 <= why.short_of[2] <= 50.0
    assert task.value[2] + why.short_of[2] >= plan.prices.minute[0] * 30


def test_a_day_that_only_others_are_too_close_to_is_not_called_full() -> None:
    """Who reads that her days are full while one is empty believes nothing else either."""
    task = contacts(
        {"account": 1, "about": 1, "person": 1}, {"account": 1, "about": 2, "days": 0b11, "value": 9.0}
    )
    room = limits([[0, 60, 60], [0, 60, 0]], spacing=2)
    plan = solve(task, room)

    why = displaced(task, room, plan)

    assert plan.day.tolist() == [1, -1]
    assert (DISPLACED[why.code[1]], why.by[1]) == ("spacing", 0)


@pytest.mark.parametrize(
    ("change", "named"),
    [({"person": np.array([3])}, "person"), ({"value": np.array([np.nan])}, "value"),
     ({"minutes": np.array([-1])}, "minutes"), ({"quota": np.array([0])}, "quota"),
     ({"days": np.array([1, 1])}, "one entry")],
)  # fmt: skip
def test_what_does_not_belong_together_is_refused(change: dict[str, np.ndarray], named: str) -> None:
    """A wrong index would plan somebody else's day."""
    with pytest.raises(EngineError, match=named):
        solve(replace(contacts({}), **change), limits())


def test_an_empty_plan_is_a_plan() -> None:
    """A company without contacts to plan must not stop the night."""
    plan = solve(contacts(), limits())

    assert (plan.value, plan.bound, len(plan.day)) == (0.0, 0.0, 0)
