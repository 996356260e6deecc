"""F2: a lead is handed over by a stated rule, with its history and a clock; it can return with a reason."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from tests.api.company import Company
from tests.scenarios.funnel_company import asks_about, house, text
from tests.scenarios.playbooks import without

LEAD, OTHER = (f"lead{n}" for n in random.SystemRandom().sample(range(10**8), 2))


def wants_to_buy(company: Company, account: str = LEAD) -> None:
    asks_about(company, account, "pricing", seats="40", budget="8,000 EUR")
    asks_about(company, account, "pricing", deadline="end of March")


def leads(company: Company, user_id: str = "se") -> list[dict[str, Any]]:
    return [task for task in company.get("/worklist", user_id) if task["kind"] == "hand_over"]


def answers(company: Company, task: dict[str, Any], verb: str, user_id: str = "se", **others: Any) -> Any:
    return company.post(f"/hand-overs/{task['hand_over_id']}/answer", {"verb": verb} | others, user_id)


def figures(company: Company) -> dict[str, Any]:
    return {row["to_role"]: row for row in company.get("/hand-overs/figures", "se")}["seller"]


def check_the_lead_arrives(company: Company) -> None:
    wants_to_buy(company)
    task, *others = leads(company)
    assert (task["account_id"], task["cause"], task["rule"], others) == (
        LEAD,
        "qualified",
        "ready_to_buy",
        [],
    )


def test_a_qualified_lead_arrives_first_on_the_list_with_its_whole_history(tmp_path: Path) -> None:
    """Who calls knows what the form said, how it began, and why it is hers now."""
    with house(tmp_path, [LEAD, OTHER]) as company:
        asks_about(company, LEAD, "comparison")
        asks_about(company, OTHER, "comparison")
        assert leads(company) == []
        check_the_lead_arrives(company)
        task = company.get("/worklist", "se")[0]
        whole = company.get(f"/hand-overs/{task['hand_over_id']}", "se")
        calls = [s for s in company.suggestions(LEAD, "se") if s["channel"] == "call"]

    assert task["headline"].endswith("is ready to be contacted: Asked about prices twice within a month.")
    assert (task["stage"], task["due_at"]) == ("purchase_intention", "2026-01-01T12:00:00Z")
    assert [entry["topic"] for entry in whole["timeline"]] == ["pricing", "pricing", "comparison", None]
    assert whole["timeline"][-1]["treatment"] == "guide"
    told = [form["details"] for form in whole["form_answers"]]
    assert told == [{"deadline": "end of March"}, {"seats": "40", "budget": "8,000 EUR"}]
    assert calls
    assert all([f["details"] for f in c["form_answers"]] == told for c in calls if c["treatment"] == "quote")


def test_a_lead_that_is_not_contacted_in_time_is_escalated_and_counted(tmp_path: Path) -> None:
    """Four working hours from seven in the morning end at one; then somebody above knows."""
    with house(tmp_path, [LEAD, OTHER]) as company:
        wants_to_buy(company)
        wants_to_buy(company, OTHER)
        in_time, late = leads(company)
        company.clock.pass_time(hours=5)
        answers(company, in_time, "done", channel="call", result="replied")
        before = [t["state"] for t in leads(company, "head")]
        company.clock.pass_time(hours=2)
        escalated = leads(company, "head")
        still_hers = leads(company)
        answers(company, late, "done", channel="call")
        found = figures(company)

    assert before == []
    assert [(t["hand_over_id"], t["state"]) for t in escalated] == [(late["hand_over_id"], "escalated")]
    assert [t["late"] for t in still_hers] == [True]
    assert {n: found[n] for n in ("made", "done", "late", "escalated", "waiting")} == {
        "made": 2, "done": 2, "late": 1, "escalated": 1, "waiting": 0
    }  # fmt: skip
    assert found["in_time"] == 0.5


def test_sales_can_send_it_back_with_a_reason_and_marketing_decides(tmp_path: Path) -> None:
    """Not interested is an answer; silence is not."""
    with house(tmp_path, [LEAD]) as company:
        wants_to_buy(company)
        (task,) = leads(company)
        answers(company, task, "reject", reason="not_qualified", note="Student project.")
        gone, (back,) = leads(company), leads(company, "mk")
        again = answers(company, back, "ask_again", "mk", note="They have signed for the budget.")
        (second,) = leads(company)
        asks_about(company, LEAD, "pricing")
        company.night()
        tomorrow = leads(company)

    assert gone == []
    assert (back["state"], back["reason"], back["comment"]) == (
        "returned",
        "not_qualified",
        "Student project.",
    )
    assert back["headline"].startswith("Returned by Seller: ")
    assert second["hand_over_id"] == again["hand_over_id"] != task["hand_over_id"]
    assert second["note"] == "They have signed for the budget."
    assert [t["hand_over_id"] for t in tomorrow] == [again["hand_over_id"]]


@pytest.mark.parametrize(
    "table", ["hand_overs.ready_to_buy", "journey.purchase_intention"]
)  # fmt: skip
def test_without_the_rule_or_the_stage_no_lead_arrives(table: str, tmp_path: Path) -> None:
    """The stated rule qualifies, and nothing else."""
    playbook = without(text(), table)
    playbook = playbook.replace("stage = 'purchase_intention'", "stage = 'purchase'")

    with house(tmp_path, [LEAD], playbook) as company, pytest.raises((AssertionError, ValueError)):
        check_the_lead_arrives(company)


def test_without_a_service_level_nothing_is_ever_late(tmp_path: Path) -> None:
    """The clock is an agreement of the playbook."""
    with house(tmp_path, [LEAD], without(text(), "service_levels.seller")) as company:
        wants_to_buy(company)
        company.clock.pass_time(days=30)
        (task,) = leads(company)

    assert (task["due_at"], task["late"], task["state"]) == (None, False, "asked")
