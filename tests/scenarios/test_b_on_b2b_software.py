"""B1-B4 on the shipped playbook of B2B software: sales and marketing speak with one voice."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.api.company import Company
from tests.scenarios.businesses import asks, event, house, named, objections, rules, tables, treatments
from tests.scenarios.playbooks import without

LEAD = named("lead", 1, seed=0)[0]
FORM = {"seats": "80", "budget": "20,000 EUR", "decides_by": "end of March"}


@contextmanager
def company(folder: Path, *leave_out: str, **columns: object) -> Iterator[Company]:
    file = Path(rules(folder, "b2b_software"))
    for part in leave_out:
        text = file.read_text(encoding="utf-8")
        text = without(text, part) if "." in part else text.replace(part, "")
        file.write_text(text, encoding="utf-8")
    lead = {LEAD: {"segment": "medium"} | columns}
    with house(folder, "b2b_software", tables("b2b_software", lead), str(file)) as found:
        yield found


def check_the_caller_knows_the_form(found: Company) -> None:
    call = next(s for s in found.suggestions(LEAD, "is") if s["treatment"] == "call_form")
    assert [form["details"] for form in call["form_answers"]] == [FORM]
    assert found.get("/worklist", "is")[0]["account_id"] == LEAD


def test_b1_inside_sales_calls_with_the_answers_of_the_form(tmp_path: Path) -> None:
    """Within the request that brings the form; after the call nobody is asked to call again."""
    with company(tmp_path) as found:
        before = treatments(found, LEAD)
        asks(found, LEAD, "contact_request", channel="form", **FORM)
        check_the_caller_knows_the_form(found)
        call = next(s for s in found.suggestions(LEAD, "is") if s["treatment"] == "call_form")
        found.answers(call, "complete", "is", result="replied")
        after = objections(found, LEAD, "call_form", "is")

    assert "call_form" not in before
    assert "policy:form_is_open" in after


@pytest.mark.parametrize("owned", [True, False])
def test_b1_the_form_brings_the_call_because_it_lifts_the_account_to_sales(
    tmp_path: Path, owned: bool
) -> None:
    """The same form, the same account: without that one clause of the journey nobody is told to call."""
    with company(tmp_path, *([] if owned else ["inbound_contact_request_90d >= 1 or "])) as found:
        asks(found, LEAD, "contact_request", channel="form", **FORM)
        listed = treatments(found, LEAD)
        against = objections(found, LEAD, "call_form", "is")
        if owned:
            check_the_caller_knows_the_form(found)

    assert ("call_form" in listed) == owned
    assert against == (set() if owned else {"content"})


def price_visit(found: Company) -> dict[str, Any]:
    """The account looks at prices twice, so field sales is to visit it."""
    asks(found, LEAD, "pricing")
    asks(found, LEAD, "pricing")
    return next(s for s in found.suggestions(LEAD, "fs") if s["treatment"] == "visit_decision")


@pytest.mark.parametrize("held", [True, False])
def test_b2_while_sales_talks_about_the_price_the_machine_is_silent_on_it(tmp_path: Path, held: bool) -> None:
    """From the moment the visit is accepted, and only where the playbook says so."""
    with company(tmp_path, *([] if held else ["topic_held_days = 14\n"])) as found:
        visit = price_visit(found)
        before = objections(found, LEAD, "email_starter_price", "mk")
        found.answers(visit, "accept", "fs")
        about = {t: objections(found, LEAD, t, "mk") for t in ("email_starter_price", "email_problem")}

    assert ("topic_held" in about["email_starter_price"]) == held
    assert "topic_held" not in before | about["email_problem"]


@pytest.mark.parametrize(("price", "undercut"), [(12_000.0, True), (6_000.0, False)])
def test_b3_while_a_quote_is_open_no_channel_offers_less(
    tmp_path: Path, price: float, undercut: bool
) -> None:
    """The standard package was quoted: neither inside sales nor an e-mail offers the starter package."""
    starters = ("quote_starter", "email_starter_price")
    with company(tmp_path) as found:
        quote = {
            "offer_id": "q1",
            "topic": "pricing",
            "product": "standard",
            "price": price,
            "currency": "EUR",
        }
        before = [objections(found, LEAD, t, "is") for t in starters]
        event(found, "offers", LEAD, **quote, opened_at=found.clock.iso(minutes=-5))
        during = [objections(found, LEAD, t, "is") for t in starters]
        dearer = objections(found, LEAD, "quote_standard", "fs")
        event(found, "offers", LEAD, **quote, opened_at=found.clock.iso(minutes=-6),
              closed_at=found.clock.iso(minutes=-1), result="lost")  # fmt: skip
        after = [objections(found, LEAD, t, "is") for t in starters]

    assert [("open_offer" in rules_) for rules_ in during] == [undercut] * 2
    assert not any("open_offer" in rules_ for rules_ in (*before, *after, dearer))


@pytest.mark.parametrize("same", [True, False])
def test_b4_what_field_sales_has_done_inside_sales_does_not_do_again(tmp_path: Path, same: bool) -> None:
    """A call about the price after a visit about the price: neither on one list nor in the same week."""
    with company(tmp_path, *([] if same else ["equivalents.spoken_with"])) as found:
        visit = price_visit(found)
        together = treatments(found, LEAD) & {"visit_decision", "call_pricing"}
        found.answers(visit, "complete", "fs", result="accepted")
        at_once = objections(found, LEAD, "call_pricing", "is")
        found.clock.pass_time(days=6)
        later = objections(found, LEAD, "call_pricing", "is")

    assert together == {"visit_decision"} or not same
    assert ("equivalent:spoken_with" in at_once) == same
    assert "equivalent:spoken_with" not in later
