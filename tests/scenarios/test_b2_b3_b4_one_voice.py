"""B2-B4: one voice towards a customer: no contradiction, no better offer after the quote, nothing twice."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.api.company import Company, served, tables_of
from tests.scenarios.playbooks import shipped

HELD = "topic_held_days = 14\n"
SAME = '\n[equivalents.talk]\nchannels = ["visit", "remote_call", "medical_call"]\ndays = 14\n'
PRICED = ("podcast_guidelines", "email_guidelines", "congress_guidelines")


def playbook(folder: Path, *, held: bool = False, same: bool = False, price: float | None = None) -> str:
    """The shipped playbook with some rules more, as a file."""
    text = (HELD if held else "") + shipped() + (SAME if same else "")
    for treatment in PRICED if price is not None else ():
        text = text.replace(f"[treatments.{treatment}]\n", f"[treatments.{treatment}]\nprice = {price}\n")
    file = folder / "own.toml"
    file.write_text(text, encoding="utf-8")
    return str(file)


@contextmanager
def company(folder: Path, accounts: tuple[str, ...] = ("a1",), **rules: Any) -> Iterator[Company]:
    tables = tables_of(accounts)
    tables["touchpoints"] = []
    with served(folder, tables, playbook=playbook(folder, **rules)) as found:
        yield found


def treatments(found: Company, account_id: str = "a1") -> set[str]:
    """Everything that anybody, or the system, is to do for the account."""
    with found.ledger() as ledger:
        return {one.treatment for one in ledger.suggestions(account_id, now=found.clock())}


def rules_against(found: Company, treatment: str, user_id: str = "am") -> set[str]:
    why = found.get(f"/accounts/a1/why-not/{treatment}", user_id)
    return {objection["rule"] for objection in why["objections"]}


# -- B2 ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("held", [True, False])
def test_b2_while_a_person_handles_a_topic_the_machine_is_silent_on_it(tmp_path: Path, held: bool) -> None:
    """From the moment she accepts the visit until her plan falls through; live and in the night."""
    with company(tmp_path, held=held) as found:
        found.reads_page()
        visit = next(s for s in found.suggestions() if s["treatment"] == "visit_side_effects")
        found.answers(visit, "accept")

        accepted = rules_against(found, "email_side_effects")
        other = rules_against(found, "email_guidelines")
        found.clock.pass_time(hours=1)
        found.night()
        automated = {t for t in treatments(found) if t in ("email_side_effects", "app_side_effects",
                                                           "podcast_side_effects")}  # fmt: skip
        found.answers(visit, "dismiss", reason="no_access")
        dismissed = rules_against(found, "email_side_effects")

    assert ("topic_held" in accepted) == held
    assert (automated == set()) or not held
    assert "topic_held" not in other | dismissed


# -- B3 ---------------------------------------------------------------------------------------------


def quote(found: Company, version: int, **columns: Any) -> None:
    row = {"offer_id": "q1", "topic": "guidelines", "price": 100.0, "currency": "EUR",
           "opened_at": found.clock.iso(minutes=-5)} | columns  # fmt: skip
    event = {"event_id": f"quote-{version}", "table": "offers", "account_id": "a1", "row": row}
    found.post("/events", event)


@pytest.mark.parametrize(("price", "undercuts"), [(99.0, True), (100.0, False)])
def test_b3_no_channel_offers_less_than_the_open_quote(tmp_path: Path, price: float, undercuts: bool) -> None:
    """Whoever made the quote: while it is open neither mail nor podcast nor congress goes below it."""
    with company(tmp_path, price=price) as found:
        before = [rules_against(found, treatment) for treatment in PRICED]
        quote(found, 1)
        during = [rules_against(found, treatment) for treatment in PRICED]
        found.night()
        listed = treatments(found) & set(PRICED)
        quote(found, 2, closed_at=found.clock.iso(minutes=-1), result="won")
        after = [rules_against(found, treatment) for treatment in PRICED]

    assert not any("open_offer" in rules for rules in (*before, *after))
    assert [("open_offer" in rules) for rules in during] == [undercuts] * 3
    assert not (listed and undercuts)


# -- B4 ---------------------------------------------------------------------------------------------

PAIR = {"visit_side_effects", "medical_call_side_effects"}


@pytest.mark.parametrize("same", [True, False])
def test_b4_two_colleagues_are_never_given_the_same_thing(tmp_path: Path, same: bool) -> None:
    """Neither on one list, nor after one of them has done it; when the cool-down is over, again."""
    accounts = tuple(f"a{n}" for n in range(1, 6))
    with company(tmp_path, accounts, same=same) as found:
        for account_id in accounts:
            found.reads_page(account_id=account_id)
        both = [treatments(found, account_id) & PAIR for account_id in accounts]
        found.night()
        both += [treatments(found, account_id) & PAIR for account_id in accounts]
        visit = next(s for s in found.suggestions() if s["treatment"] == "visit_side_effects")
        found.answers(visit, "complete", result="accepted")
        at_once = rules_against(found, "medical_call_side_effects", "ml")
        found.clock.pass_time(days=15)
        later = rules_against(found, "medical_call_side_effects", "ml")

    assert all(len(pair) == (1 if same else 2) for pair in both)
    assert ("equivalent:talk" in at_once) == same
    assert "equivalent:talk" not in later


def test_b4_what_was_put_off_wakes_up_beside_no_equivalent(tmp_path: Path) -> None:
    """While it sleeps, and when it wakes: never on two desks at the same time."""
    with company(tmp_path, same=True) as found:
        found.reads_page()
        visit = next(s for s in found.suggestions() if s["treatment"] == "visit_side_effects")
        found.answers(visit, "snooze", until=found.clock.iso(days=2))
        asleep = treatments(found) & PAIR
        found.clock.pass_time(days=2, minutes=1)
        found.reads_page(event_id="again")
        awake = treatments(found) & PAIR

    assert asleep == set()
    assert len(awake) == 1


def test_b4_what_goes_to_a_colleague_instead_leaves_the_desk_of_the_first(tmp_path: Path) -> None:
    """A visit for something else is planned meanwhile, so the call is better: what had been put off goes."""
    with company(tmp_path, same=True) as found:
        found.reads_page()
        visit = next(s for s in found.suggestions() if s["treatment"] == "visit_side_effects")
        found.answers(visit, "snooze", until=found.clock.iso(days=2))
        plan = {"occurred_at": found.clock.iso(days=4), "direction": "outbound", "channel": "visit",
                "topic": "efficacy", "status": "planned"}  # fmt: skip
        found.post("/events", {"event_id": "p", "table": "touchpoints", "account_id": "a1", "row": plan})
        found.clock.pass_time(days=2, minutes=1)
        found.reads_page(event_id="again")

        assert treatments(found) & PAIR == {"medical_call_side_effects"}


def test_b4_what_one_has_accepted_the_night_gives_to_no_other(tmp_path: Path) -> None:
    """Her plan counts before it is carried out."""
    with company(tmp_path, same=True) as found:
        found.reads_page()
        (given,) = treatments(found) & PAIR
        found.answers(next(s for s in found.suggestions() if s["treatment"] == given), "accept")
        found.clock.pass_time(minutes=1)
        found.night()

        assert treatments(found) & PAIR == {given}
