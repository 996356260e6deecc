"""F1, F2 on the shipped playbook of B2B software: eight stages, two teams, one funnel."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from data.playbooks import read_playbook
from tests.api.company import Company
from tests.scenarios.businesses import asks, event, house, listed, named, rules, tables
from tests.scenarios.playbooks import without

TRACES: dict[str, list[str]] = {
    "customer_awareness": [], "brand_awareness": ["problem"],
    "brand_consideration": ["problem", "integration"],
    "brand_preference": ["features"] * 2, "purchase_intention": ["pricing"] * 2, "purchase": ["contract"],
    "loyalty": ["contract"] * 2,
}  # fmt: skip


def crowd(seed: int = 0) -> list[str]:
    return list(named("f", len(TRACES), seed))


def lives(company: Company, accounts: Sequence[str]) -> None:
    for account, trace in zip(accounts, TRACES.values(), strict=True):
        for happens in trace:
            if happens == "contract":
                event(company, "outcomes", account, kind="contract", value=9_000.0)
            else:
                asks(company, account, happens)


def found(company: Company, accounts: Sequence[str]) -> dict[str, list[Any]]:
    """By stage, what is suggested for the account in it."""
    company.night(ignore_freshness=True)
    return {stage: listed(company, account) for stage, account in zip(TRACES, accounts, strict=True)}


def check_owner_and_content(shown: dict[str, list[Any]]) -> None:
    book = read_playbook("b2b_software")
    stages = {stage.id: stage for stage in book.journey.stages}
    treatments = {treatment.id: treatment for treatment in book.treatments}
    for stage, suggestions in shown.items():
        content = stages[stage].content
        for one in suggestions:
            owned = one.role in stages[stage].roles
            assert owned or "sales" in book_owners(book, treatments[one.treatment].topic), (
                stage,
                one.treatment,
            )
            said = treatments[one.treatment].content
            assert not content or not said or said in content, (stage, one.treatment)
    early = {s.role for stage in list(TRACES)[:4] for s in shown[stage]}
    assert early <= {"marketer", "system"}
    assert {s.role for s in shown["purchase_intention"]} & {"inside_sales", "field_sales"}


def book_owners(book: Any, topic: str) -> tuple[str, ...]:
    return next((tuple(t.owners) for t in book.topics if t.id == topic), ())


def test_f1_every_suggestion_goes_to_the_owner_of_the_stage_with_fitting_content(tmp_path: Path) -> None:
    """Education for those who hardly know us, prices and demonstrations for those who mean to buy."""
    accounts = crowd()
    rows = tables("b2b_software", {a: {"segment": "medium"} for a in accounts})
    with house(tmp_path, "b2b_software", rows) as company:
        lives(company, accounts)
        warm = found(company, accounts)
        company.clock.pass_time(days=100)
        cold = found(company, accounts)

    check_owner_and_content(warm)
    assert {s.role for s in cold["purchase_intention"]} <= {"marketer", "system"}
    assert any(warm[stage] for stage in list(TRACES)[:4])


MARKETING = 'roles = ["marketer", "system"]'
INTENDS = 'when = "inbound_contact_request_90d >= 1'


@pytest.mark.parametrize(
    "changes",
    [
        [(MARKETING, MARKETING[:-1] + ', "inside_sales", "field_sales"]')],
        [('owners = ["sales"]\n' + INTENDS, 'owners = ["marketing"]\n' + INTENDS)],
    ],
)
def test_f1_with_other_owners_the_scenario_fails(changes: list[tuple[str, str]], tmp_path: Path) -> None:
    """It is the playbook that keeps sales out of the early stages, and gives it the late ones."""
    accounts = crowd(seed=4)
    rows = tables("b2b_software", {a: {"segment": "medium"} for a in accounts})
    text = rules(tmp_path, "b2b_software", *changes)
    with house(tmp_path, "b2b_software", rows, text) as company:
        lives(company, accounts)
        shown = found(company, accounts)

    with pytest.raises(AssertionError):
        check_owner_and_content(shown)


LEAD = named("lead", 1, seed=0)[0]


def leads(company: Company, user_id: str = "is") -> list[dict[str, Any]]:
    return [task for task in company.get("/worklist", user_id) if task["kind"] == "hand_over"]


def wants_to_buy(company: Company) -> None:
    asks(company, LEAD, "problem")
    asks(company, LEAD, "contact_request", channel="form", seats="80")


def test_f2_a_qualified_lead_reaches_inside_sales_with_its_history_and_a_clock(tmp_path: Path) -> None:
    """Eight working hours from Thursday seven o'clock; who is late is escalated to the head of sales."""
    rows = tables("b2b_software", {LEAD: {"segment": "medium"}})
    with house(tmp_path, "b2b_software", rows) as company:
        asks(company, LEAD, "problem")
        before = leads(company)
        asks(company, LEAD, "contact_request", channel="form", seats="80")
        (task,) = leads(company)
        whole = company.get(f"/hand-overs/{task['hand_over_id']}", "is")
        company.clock.pass_time(days=4)
        late = leads(company, "head")

    assert before == []
    assert (task["account_id"], task["rule"], task["stage"]) == (
        LEAD,
        "ready_for_sales",
        "purchase_intention",
    )
    assert task["due_at"] is not None
    assert [form["details"] for form in whole["form_answers"]] == [{"seats": "80"}]
    assert {entry["topic"] for entry in whole["timeline"]} >= {"problem", "contact_request"}
    assert [(one["hand_over_id"], one["state"]) for one in late] == [(task["hand_over_id"], "escalated")]


def test_f2_sales_sends_a_lead_back_with_a_reason_and_marketing_has_it_again(tmp_path: Path) -> None:
    """Not interested is an answer; silence is not."""
    rows = tables("b2b_software", {LEAD: {"segment": "medium"}})
    with house(tmp_path, "b2b_software", rows) as company:
        wants_to_buy(company)
        (task,) = leads(company)
        path = f"/hand-overs/{task['hand_over_id']}/answer"
        company.post(path, {"verb": "reject", "reason": "not_qualified", "note": "Student project."}, "is")
        gone, (back,) = leads(company), leads(company, "mk")

    assert gone == []
    assert (back["state"], back["reason"], back["comment"]) == (
        "returned",
        "not_qualified",
        "Student project.",
    )


def test_f2_without_the_rule_no_lead_arrives(tmp_path: Path) -> None:
    """The stated rule qualifies, and nothing else."""
    file = Path(rules(tmp_path, "b2b_software"))
    file.write_text(without(file.read_text(encoding="utf-8"), "hand_overs.ready_for_sales"), encoding="utf-8")
    rows = tables("b2b_software", {LEAD: {"segment": "medium"}})
    with house(tmp_path, "b2b_software", rows, str(file)) as company:
        wants_to_buy(company)

        assert leads(company) == []
