"""What was tried on accounts and whether a larger purchase followed, small enough to check by hand."""

from __future__ import annotations

from typing import Any

import pytest

from engine.approaches import code_of, episodes_of, purchases_at, steps_of
from engine.playbook import Playbook, Role
from tests.engine.books import settings
from tests.engine.builders import Row, account, at, history, outcome, playbook, touchpoint, treatment

STEPS = ("email", "visit")


def rules(**values: Any) -> Playbook:
    return playbook(twins=settings(), twin_steps=STEPS, **values)


def told(*rows: Row, day: float = 0.0, accounts: tuple[str, ...] = ("a",), under: Playbook | None = None,
         **values: Any) -> list[tuple[str, str, bool]]:  # fmt: skip
    """(account, steps, worked) of every episode."""
    book = under or rules()
    chosen, past = settings(**values), history(*rows, accounts=accounts)
    bought = purchases_at(past, at(day), book, chosen)
    found = episodes_of(past, bought, accounts, at(day), playbook=book, settings=chosen)
    return list(found.select("account_id", "steps", "worked").iter_rows())


def mail(days: float, **values: Any) -> Row:
    return touchpoint(days, channel="email", **values)


def visit(days: float, **values: Any) -> Row:
    return touchpoint(days, channel="visit", **values)


def test_a_visit_followed_by_a_mail_and_a_larger_purchase_worked() -> None:
    """The order of steps is what is learned."""
    assert told(visit(-100), mail(-90), outcome(-80)) == [("a", "visit|email", True)]


def test_without_a_larger_purchase_it_failed_and_is_counted() -> None:
    """Counting only those that grew would make every approach look good."""
    assert told(outcome(-150, 100.0), visit(-100), mail(-90), outcome(-80, 100.0)) == [
        ("a", "visit|email", False)
    ]


@pytest.mark.parametrize(("worth", "worked"), [(149.0, False), (150.0, True)])
def test_a_larger_purchase_is_so_many_times_the_largest_of_the_year_before(
    worth: float, worked: bool
) -> None:
    """What the account buys anyway is no success."""
    past = (outcome(-460, 900.0), outcome(-200, 100.0), outcome(-150, 20.0))

    assert told(*past, visit(-90), outcome(-80, worth)) == [("a", "visit", worked)]


def test_several_contacts_in_a_row_of_one_kind_are_one_step() -> None:
    """Three mails are a mail."""
    assert told(mail(-100), mail(-95), mail(-90), visit(-85), outcome(-80)) == [("a", "email|visit", True)]


def test_a_purchase_ends_the_approach() -> None:
    """What comes after it begins a new one."""
    assert told(mail(-200), outcome(-190), visit(-180), outcome(-170, 1_000.0)) == [
        ("a", "email", True), ("a", "visit", True),
    ]  # fmt: skip


def test_a_fourth_step_ends_it_as_a_failure() -> None:
    """Otherwise a long row of contacts would always end in a success."""
    rows = [mail(-200), visit(-190), mail(-180), visit(-170), outcome(-160)]

    assert told(*rows) == [("a", "email|visit|email", False), ("a", "visit", True)]


def test_it_lasts_no_longer_than_stated() -> None:
    """A visit half a year after the mail is another approach."""
    rows = [mail(-200), mail(-160), visit(-100), outcome(-90)]

    assert told(*rows, sequence_days=60.0) == [("a", "email", False), ("a", "visit", True)]


def test_what_has_not_had_its_time_is_not_counted() -> None:
    """A visit of last week has not failed."""
    assert told(visit(-59)) == []
    assert told(visit(-61)) == [("a", "visit", False)]
    assert told(visit(-5), outcome(-2)) == [("a", "visit", True)]


def test_an_account_counts_once_for_each_approach_the_first_time() -> None:
    """Whoever is visited every quarter must not count four times, nor with its best quarter."""
    rows = [visit(-400), visit(-300), outcome(-290), visit(-200), visit(-110)]

    assert told(*rows) == [("a", "visit", False)]


def test_only_done_contacts_by_us_are_steps() -> None:
    """Planned, cancelled and inbound ones are not, and medical colleagues do not sell."""
    liaison = Role("liaison", {"en": "Liaison"}, "medical", ("liaison",))
    rows = [
        visit(-100, status="planned"), visit(-99, status="cancelled"), mail(-98, direction="inbound"),
        visit(-97, role="liaison"), touchpoint(-96, channel="website"), mail(-95, role="rep"),
    ]  # fmt: skip

    assert told(*rows, under=rules(roles=(*rules().roles, liaison))) == [("a", "email", False)]


def test_groups_tell_contacts_apart_where_the_playbook_says_so() -> None:
    """An offer by mail is an offer."""
    own = (treatment("none", "", kind="none"), treatment("offer_mail", "email", group="offer"),
           treatment("talk", "visit", group="talk"))  # fmt: skip
    under = playbook(treatments=own, twins=settings(steps="group"), twin_steps=("offer", "talk"))
    rows = [visit(-100, treatment="talk"), mail(-95, treatment="offer_mail"), mail(-94), outcome(-90)]

    assert told(*rows, under=under, steps="group") == [("a", "talk|offer", True)]


def test_what_was_stored_later_is_not_known() -> None:
    """A purchase that was reported late had not been seen; the touchpoint either."""
    assert told(visit(-100), outcome(-90, stored=1.0)) == [("a", "visit", False)]
    assert told(visit(-100, stored=1.0), outcome(-90)) == []


def test_every_row_can_be_opened() -> None:
    """The last contact of each step, and the purchase."""
    rows = [mail(-100, id="m1"), mail(-99, id="m2"), visit(-98, id="v1"), outcome(-90, id="o1")]
    past, chosen = history(*rows), settings()
    bought = purchases_at(past, at(0.0), rules(), chosen)

    found = episodes_of(past, bought, ("a",), at(0.0), playbook=rules(), settings=chosen)

    assert found.select("touchpoint_ids", "outcome_id").row(0) == ("m2|v1", "o1")


def test_accounts_do_not_mix() -> None:
    """The purchase of one is no success with another."""
    rows = [visit(-100), outcome(-90, account_id="b"), mail(-100, account_id="b"), account("c")]

    assert told(*rows, accounts=("a", "b", "c")) == [("a", "visit", False), ("b", "email", True)]


@pytest.mark.parametrize("text", ["email", "visit|email", "email|visit|email"])
def test_codes_of_approaches_are_reversible(text: str) -> None:
    """A count must not land on another approach."""
    assert steps_of(code_of(text, STEPS), STEPS) == text
