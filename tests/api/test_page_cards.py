"""What a card says first: facts before money, and honestly why a day is empty."""

from __future__ import annotations

import pytest

from api.page.cards import Lead, facts_first, lead
from api.schemas import ReasonOut
from data.playbooks import read_playbook

PHARMA = read_playbook("pharma")
WORTH = ("expected_value_here", 400.0)


def reasons(*codes: tuple[str, float | None]) -> list[ReasonOut]:
    return [ReasonOut(code=code, text=f"Says {code}.", facts={}, amount=amount) for code, amount in codes]


def said(*codes: tuple[str, float | None], treatment: str = "visit_efficacy") -> Lead | None:
    return lead(reasons(*codes), 509.0, PHARMA.treatment(treatment))


def test_a_card_says_a_fact_and_the_money_beside_it() -> None:
    """Who stands before the door can use what happened; an amount cannot be talked about."""
    assert said(WORTH, ("last_contact", None), ("similar_responded", None)) == Lead(
        "Says last_contact.", 509.0
    )


def test_a_card_says_the_money_where_there_is_no_fact_and_then_once() -> None:
    """Better than nothing, and not twice."""
    assert said(WORTH, ("other_facts", 3.0)) == Lead("Says expected_value_here.", None)
    assert said() is None


@pytest.mark.parametrize("weaker", [("profile", 500.0), ("purchases", 90.0), ("contacts", -9.0)])
def test_what_speaks_against_it_and_standing_traits_do_not_lead(weaker: tuple[str, float]) -> None:
    """They remain in the list of reasons."""
    assert said(weaker, WORTH, ("activity", 1.0)) == Lead("Says activity.", 509.0)


def test_what_never_happened_is_not_the_first_thing_to_say() -> None:
    """ "0 times" tells nothing at a door."""
    never = ReasonOut(code="topic_interest", text="0 times.", facts={"count": 0}, amount=90.0)

    found = lead([never, *reasons(("last_contact", None))], 509.0, PHARMA.treatment("visit_efficacy"))

    assert found == Lead("Says last_contact.", 509.0)


def test_a_card_does_not_say_twice_what_the_customer_has_just_done() -> None:
    """The sentence of such a treatment begins with it."""
    texts = {one.id: one.text["en"] for one in PHARMA.treatments if one.text}
    trigger = next(id for id, text in texts.items() if "{trigger}" in text)
    plain = next(id for id, text in texts.items() if "{trigger}" not in text and "{when}" not in text)
    codes = (("read_topic", 20.0), ("last_contact", None))

    assert said(*codes, treatment=trigger) == Lead("Says last_contact.", 509.0)
    assert said(*codes, treatment=plain) == Lead("Says read_topic.", 509.0)
    assert said(codes[0], treatment=trigger) == Lead("Says read_topic.", 509.0)


def test_the_list_of_reasons_has_facts_first_and_what_speaks_against_it_last() -> None:
    """Within each the strongest first, as the engine has them."""
    given = reasons(WORTH, ("activity", 9.0), ("profile", 5.0), ("purchases", -2.0), ("last_contact", None))

    assert [one.code for one in facts_first(given)] == [
        "activity", "last_contact", "profile", "expected_value_here", "purchases",
    ]  # fmt: skip
