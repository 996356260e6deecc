"""A: small accounts and simple purchases are served by the system alone, large ones by a person."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.api.company import Company
from tests.data.files import days_before, outcome, response, touchpoint
from tests.scenarios.businesses import Rows, event, house, listed, named, rules, tables, treatments
from tests.scenarios.playbooks import without

REINFORCING = {"email_reinforce", "social_reinforce"}
SITUATIONS = ("clicked", "bought", "reinforced", "seen", "long ago")


def reinforcing(company: Company, account_id: str) -> list[str]:
    return [s.treatment for s in listed(company, account_id) if s.treatment in REINFORCING]


def customers(ids: Sequence[str], playbook: str = "ecommerce") -> Rows:
    """Each got an e-mail; what followed differs by turns, and so does the social network."""
    news = "email_new_arrivals" if playbook == "ecommerce" else "app_mobile"
    columns: dict[str, Any] = {
        "segment": "regular" if playbook == "ecommerce" else "small",
        "potential_value": 300,
    }
    mails, answers, orders = [], [], []
    for place, a in enumerate(ids):
        situation = SITUATIONS[place % len(SITUATIONS)]
        clicked = 40.0 if situation == "long ago" else 2.0
        channel = "email" if playbook == "ecommerce" else "app"
        mails.append(
            touchpoint(f"m-{a}", a, occurred_at=days_before(clicked + 8), channel=channel, treatment=news)
        )
        answers.append(
            response(
                f"m-{a}",
                responded_at=days_before(clicked),
                response="viewed" if situation == "seen" else "clicked",
            )
        )
        if situation == "bought":
            kind = "order" if playbook == "ecommerce" else "purchase"
            orders.append(outcome(f"o-{a}", a, occurred_at=days_before(1.0), kind=kind, value=60.0))
        if situation == "reinforced":
            mails.append(touchpoint(f"r-{a}", a, occurred_at=days_before(1.5), channel="email",
                                    treatment="email_reinforce"))  # fmt: skip
    networks = ("none", "messenger")
    accounts = {
        a: columns | {"network": networks[place // len(SITUATIONS) % 2]} for place, a in enumerate(ids)
    }
    return tables(playbook, accounts, touchpoints=mails, responses=answers, outcomes=orders)


def check_who_clicked_and_did_not_buy_gets_one_message(company: Company, ids: Sequence[str]) -> None:
    for place, a in enumerate(ids):
        found = reinforcing(company, a)
        assert len(found) == (1 if SITUATIONS[place % len(SITUATIONS)] == "clicked" else 0), (place, found)
        if place // len(SITUATIONS) % 2 == 0:
            assert "social_reinforce" not in found


@pytest.mark.parametrize("playbook", ["ecommerce", "telecom"])
def test_a_click_without_a_purchase_brings_one_message_once_and_never_after_buying(
    playbook: str, tmp_path: Path
) -> None:
    """By e-mail or in the network that is used; who bought, or has had it, or only looked, is left alone."""
    ids = named("c", 10, seed=0)
    with house(tmp_path, playbook, customers(ids, playbook)) as company:
        company.night()
        check_who_clicked_and_did_not_buy_gets_one_message(company, ids)
        sent, buys = ids[0], ids[5]
        message = reinforcing(company, sent)[0]
        channel = message.split("_", maxsplit=1)[0]
        row = {"direction": "outbound", "channel": channel, "treatment": message, "status": "done"}
        event(company, "touchpoints", sent, **row)
        event(company, "outcomes", buys, kind="order" if playbook == "ecommerce" else "purchase", value=60.0)
        at_once = [reinforcing(company, a) for a in (sent, buys)]
        company.clock.pass_time(days=1)
        company.night(ignore_freshness=True)
        next_day = [reinforcing(company, a) for a in (sent, buys)]

    assert at_once == next_day == [[], []]


@pytest.mark.parametrize("part", ["policies.reinforce_after_a_click_without_purchase", "actions.reinforce"])
def test_a_without_the_rule_the_scenario_fails(part: str, tmp_path: Path) -> None:
    """It is the playbook that says once, and never after buying."""
    ids = named("c", 10, seed=3)
    file = Path(rules(tmp_path, "ecommerce"))
    file.write_text(without(file.read_text(encoding="utf-8"), part), encoding="utf-8")
    with house(tmp_path, "ecommerce", customers(ids), str(file)) as company:
        company.night()

        with pytest.raises(AssertionError):
            check_who_clicked_and_did_not_buy_gets_one_message(company, ids)


def roles_for(company: Company, ids: Sequence[str]) -> list[set[str]]:
    return [{s.role for s in listed(company, a)} for a in ids]


def telecom_customers(ids: Sequence[str]) -> Rows:
    """Two small customers and two large ones; all looked at fibre yesterday."""
    accounts = {
        a: {"segment": s, "network": "none"} for a, s in zip(ids, ("small", "large") * 2, strict=True)
    }
    looked = {"occurred_at": days_before(1), "direction": "inbound", "channel": "website", "topic": "fibre"}
    looks = [touchpoint(f"w-{a}", a, **looked) for a in ids]
    return tables("telecom", accounts, touchpoints=looks)


def check_small_by_the_system_large_by_people(company: Company, ids: Sequence[str]) -> None:
    small, large, *others = roles_for(company, ids)
    assert small == others[0] == {"system"}
    assert large & {"account_manager", "technical_sales"}
    assert "email_fibre" in treatments(company, ids[0])
    assert not treatments(company, ids[1]) & {"email_fibre", "email_cloud", "email_security"}


def test_a_small_customers_are_served_by_the_system_and_large_ones_through_a_person(tmp_path: Path) -> None:
    """The boundary is a rule of the playbook: who looked at the same page is answered in different ways."""
    ids = named("t", 4, seed=0)
    with house(tmp_path, "telecom", telecom_customers(ids)) as company:
        company.night()
        check_small_by_the_system_large_by_people(company, ids)


@pytest.mark.parametrize("policy", ["people_for_large_accounts", "growth_of_large_accounts_is_personal"])
def test_a_without_the_boundary_the_scenario_fails(policy: str, tmp_path: Path) -> None:
    """Taken out of the playbook, people are sent to small customers, or large ones get the bulk mail."""
    ids = named("t", 4, seed=5)
    file = Path(rules(tmp_path, "telecom", ("places = 3", "places = 9")))
    file.write_text(without(file.read_text(encoding="utf-8"), f"policies.{policy}"), encoding="utf-8")
    with house(tmp_path, "telecom", telecom_customers(ids), str(file)) as company:
        company.night()

        with pytest.raises(AssertionError):
            check_small_by_the_system_large_by_people(company, ids)
