"""What the search reads of each account, as known at one moment."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from engine.facts import Attribute
from engine.playbook import Playbook
from engine.records import EngineError
from engine.twin_book import PERIODS, BookPart, join_parts, read_part, season_of, traits_used
from tests.engine.books import settings
from tests.engine.builders import ATTRIBUTES, Row, account, at, history, outcome, playbook, touchpoint

STEPS = ("email", "visit")
RULES = playbook(twins=settings(), twin_steps=STEPS)
MONTH = 365.0 / PERIODS


def part(*rows: Row, accounts: tuple[str, ...] = ("a",), under: Playbook = RULES, **values: Any) -> BookPart:
    chosen = settings(**values)
    return read_part(history(*rows, accounts=accounts), accounts, at(0.0), playbook=under, settings=chosen,
                     traits=ATTRIBUTES)  # fmt: skip


def test_purchases_fall_into_the_twelfth_in_which_they_occurred() -> None:
    """The latest first; the moment itself is not in the window, nor what is older than it."""
    rows = [outcome(-0.001, 1.0), outcome(-MONTH - 0.1, 2.0), outcome(-364.9, 4.0), outcome(0.0, 8.0),
            outcome(-365.5, 16.0)]  # fmt: skip

    found = part(*rows)

    assert found.periods[0, [0, 1, 11]].tolist() == [1.0, 2.0, 4.0]
    assert found.periods.sum() == 7.0


def test_purchases_are_money_of_kinds_that_count() -> None:
    """An order is worth half its value in the small playbook; other kinds only where they are asked for."""
    rows = [outcome(-5.0, 100.0), outcome(-5.0, 100.0, kind="order"), outcome(-5.0, 100.0, kind="visit")]

    assert part(*rows).periods.sum() == 150.0
    assert part(*rows, outcomes=("order",)).periods.sum() == 50.0


def test_what_is_bought_is_added_up_by_product_else_by_kind() -> None:
    """What twins buy is told in words that people use."""
    rows = [outcome(-5.0, 10.0, product="router"), outcome(-9.0, 5.0, product="router"), outcome(-9.0, 1.0)]

    found = part(*rows).bought

    assert found.select("item", "amount", "times").rows() == [("prescription", 1.0, 1), ("router", 15.0, 2)]


def test_who_became_known_within_the_window_is_left_out() -> None:
    """A new account buys little because it is new."""
    rows = [account("new", stored=-100.0), account("old", stored=-400.0), account("always")]

    found = part(*rows, accounts=("always", "new", "old"))

    assert found.account_ids == ("always", "old")


def test_who_is_closed_or_merged_away_is_left_out() -> None:
    """Nobody is to be told of an account that is no more."""
    rows = [account("gone", stored=-400.0), account("gone", stored=-10.0, deleted=True),
            account("merged", stored=-400.0, merged_into="a"), account("a")]  # fmt: skip

    assert part(*rows, accounts=("a", "gone", "merged")).account_ids == ("a",)


def test_traits_are_those_known_at_the_moment() -> None:
    """What is corrected tomorrow was not known today."""
    rows = [account(stored=-400.0, segment="B", potential_value=5.0),
            account(stored=1.0, segment="C", potential_value=9.0)]  # fmt: skip

    assert part(*rows).traits.tolist()[0][:2] == [1.0, 5.0]


def test_what_was_stored_later_was_not_bought_yet() -> None:
    """Late orders are late."""
    assert part(outcome(-5.0, 10.0, stored=1.0)).periods.sum() == 0.0


def test_parts_side_by_side_keep_everybody_s_own() -> None:
    """Buckets are read apart; an account's purchases and tries must not move to its neighbour."""
    one = part(outcome(-5.0, 10.0, product="x"), touchpoint(-100.0), accounts=("a",))
    mailed = touchpoint(-100.0, account_id="b", channel="email")
    two = part(outcome(-5.0, 7.0, account_id="b", product="y"), mailed, accounts=("b", "c"))

    book = join_parts([one, two], RULES)

    assert book.account_ids.to_list() == ["a", "b", "c"]
    assert book.periods.sum(axis=1).tolist() == [10.0, 7.0, 0.0]
    assert (book.bought.start.tolist(), [book.items[i] for i in book.bought.item]) == (
        [0, 1, 2, 2],
        ["x", "y"],
    )
    assert (book.tried.start.tolist(), book.tried.code.tolist()) == ([0, 1, 2, 2], [2, 1])


def test_the_season_is_what_the_odd_twelfths_stand_for() -> None:
    """Where two thirds are bought in the even ones, an odd unit stands for three."""
    periods = np.tile([2.0, 1.0], (3, PERIODS // 2))

    assert season_of(periods) == pytest.approx(3.0)
    assert season_of(np.zeros((3, PERIODS))) == 0.0


def test_traits_are_chosen_by_the_playbook() -> None:
    """How an account is served says nothing of what it is."""
    own = (*ATTRIBUTES, Attribute("territory", ("north",)))

    assert [a.name for a in traits_used(own, settings(without=("territory", "automated")))] == [
        "segment", "potential_value",
    ]  # fmt: skip
    assert [a.name for a in traits_used(own, settings(traits=("segment",)))] == ["segment"]
    with pytest.raises(
        EngineError, match="no attribute is left to tell who is alike; the accounts have segment"
    ):
        traits_used(ATTRIBUTES, settings(traits=("size",)))
