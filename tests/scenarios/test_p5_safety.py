"""P5: a reported side effect goes to the safety role by the legal clock and is no signal for anybody else."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.api.company import Company, served, tables_of
from tests.data.files import days_before, touchpoint, user
from tests.scenarios.playbooks import shipped

DRAWN = random.SystemRandom()
ACCOUNTS = [f"dr{n}" for n in DRAWN.sample(range(10**8), 6)]
PATIENT, QUIET, ASKING, BY_EVENT, BY_LOAD, _ = ACCOUNTS
TEXT = f"Severe rash after the second dose, case {DRAWN.randrange(10**9)}."
COLLEAGUES = ("am", "ml", "rs")


def tables() -> dict[str, list[dict[str, Any]]]:
    safety = user("sf", name="Colleague sf", role="drug_safety", manager_id="head")
    loaded = touchpoint("load-1", BY_LOAD, direction="inbound", channel="website", topic="adverse_event",
                        occurred_at=days_before(0.2), details=json.dumps({"description": TEXT}))  # fmt: skip
    old = {**loaded, "touchpoint_id": "old-1", "account_id": QUIET, "occurred_at": days_before(200)}
    return tables_of(
        ACCOUNTS, users=[safety, user("head", name="Head", role="head_of_safety")], touchpoints=[loaded, old]
    )


def reports(company: Company, account: str = PATIENT) -> dict[str, Any]:
    return company.post(f"/accounts/{account}/adverse-events", {"description": TEXT, "serious": True})


def says(company: Company, account: str, topic: str, **details: Any) -> str:
    """The account writes to us; the decision that follows."""
    row = {"direction": "inbound", "channel": "website", "topic": topic, "status": "done", "details": details}
    event = {"event_id": f"{account}-{topic}", "table": "touchpoints", "account_id": account, "row": row}
    return company.post("/events", event)["stored"][0]["decision_id"]


def at_safety(company: Company) -> dict[str, dict[str, Any]]:
    return {task["account_id"]: task for task in company.get("/worklist", "sf")}


def what_is_suggested(company: Company, account: str) -> list[Any]:
    """To every role, with all that is said about it except what ages."""
    shown = [s for who in COLLEAGUES for s in company.suggestions(account, who)]
    return [(s["treatment"], s["role"], s["rank"], s["priority"], s["form_answers"]) for s in shown]


def facts_of(company: Company, decision_id: str) -> dict[str, Any]:
    with company.ledger() as ledger:
        return dict(ledger.decision(decision_id).record["facts"])


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    with served(tmp_path_factory.mktemp("safety"), tables()) as found:
        found.night()
        yield found


def check_the_report_is_no_signal(company: Company) -> None:
    decision = says(company, BY_EVENT, "adverse_event", description=TEXT)
    assert BY_EVENT in at_safety(company)
    facts = facts_of(company, decision)
    assert not [name for name in facts if "inbound" in name], facts


def test_one_call_sends_it_to_the_safety_role_with_its_legal_clock(company: Company) -> None:
    """By the clock, also over a night and a weekend; who reported sees that it was sent."""
    sent = reports(company)
    again = reports(company)

    task = at_safety(company)[PATIENT]
    whole = company.get(f"/hand-overs/{task['hand_over_id']}", "sf")
    assert sent["hand_over_id"] == again["hand_over_id"] == task["hand_over_id"]
    assert (task["cause"], task["headline"]) == ("safety", f"Side effect reported: {task['account_name']}.")
    assert task["due_at"] == company.clock.iso(days=1)
    assert [form["details"] for form in whole["form_answers"]] == [{"description": TEXT, "serious": True}]
    assert (sent["state"], sent["to_role"]) == ("asked", "drug_safety")


def test_what_was_learned_of_long_ago_is_not_sent_when_history_is_loaded(company: Company) -> None:
    """A first load of ten years must not ring ten years of clocks."""
    assert QUIET not in at_safety(company)


def test_it_is_never_a_sales_signal(company: Company) -> None:
    """Nothing that is suggested to anybody changes, not even by a cent; a page that was read changes it."""
    before = what_is_suggested(company, QUIET)
    reports(company, QUIET)
    after = what_is_suggested(company, QUIET)
    company.reads_page("side_effects", QUIET)

    assert after == before
    assert what_is_suggested(company, QUIET) != before


def test_a_report_by_event_or_by_load_takes_the_same_way(company: Company) -> None:
    """It may be written on the website, or stand in last night's file."""
    check_the_report_is_no_signal(company)
    found = at_safety(company)

    assert found[BY_LOAD]["cause"] == found[BY_EVENT]["cause"] == "safety"
    assert found[BY_LOAD]["due_at"] < found[BY_EVENT]["due_at"]


def test_without_the_topic_being_a_safety_topic_the_scenario_fails(tmp_path: Path) -> None:
    """It is the playbook that makes it a report."""
    playbook = tmp_path / "changed.toml"
    text = shipped().replace("\nsafety = true\n", "\n").replace('safety_role = "drug_safety"\n', "")
    playbook.write_text(text, encoding="utf-8")

    with served(tmp_path, tables(), playbook=str(playbook)) as company:
        with pytest.raises(AssertionError):
            check_the_report_is_no_signal(company)
        response = company.client.post(
            f"/v1/accounts/{PATIENT}/adverse-events", headers=company.as_("am"), json={"description": TEXT}
        )

    assert response.status_code == 422
    assert "names no safety_role" in response.json()["detail"]


def test_nobody_else_reads_what_was_reported(company: Company) -> None:
    """Not in a list, not in a timeline, not as an answer of a form; the safety role's answer neither."""
    reports(company)
    task = at_safety(company)[PATIENT]
    path = f"/hand-overs/{task['hand_over_id']}"
    asked = company.post(f"/accounts/{PATIENT}/hand-overs", {"to_role": "account_manager"}, "ml")
    hidden = f"assessed {DRAWN.randrange(10**9)}"
    company.post(f"{path}/answer", {"verb": "done", "note": hidden}, "sf")
    hers = [
        company.suggestions(PATIENT),
        company.get("/worklist"),
        company.get(f"/hand-overs/{asked['hand_over_id']}"),
        company.get(path),
    ]

    assert TEXT not in json.dumps(hers)
    assert hidden not in json.dumps(hers)
    assert company.get(path)["state"] == "done"
    response = company.client.get(f"/v1{path}", headers=company.as_("rs"))
    assert response.status_code == 404
    with company.ledger() as ledger:
        assert TEXT not in str(ledger.account_state(PATIENT).tail)


def test_medical_and_off_label_questions_go_to_medical_only(company: Company) -> None:
    """The liaison has the task and reads the question; commercial colleagues do not even learn of it."""
    question = f"Dose for children? {DRAWN.randrange(10**9)}"
    says(company, ASKING, "medical_question", question=question)

    (task,) = [t for t in company.get("/hand-overs", "ml") if t["account_id"] == ASKING]
    whole = company.get(f"/hand-overs/{task['hand_over_id']}", "ml")
    assert (task["rule"], task["to_role"]) == ("medical_question", "medical_liaison")
    assert [form["details"] for form in whole["form_answers"]] == [{"question": question}]
    assert company.get(f"/accounts/{ASKING}/hand-overs", "rs") == []
    theirs = company.post(f"/accounts/{ASKING}/hand-overs", {"to_role": "reimbursement_specialist"})
    for colleague in ("am", "rs"):
        seen = company.get(f"/hand-overs/{theirs['hand_over_id']}", colleague)
        assert "medical_question" not in json.dumps(seen)
    for colleague in ("am", "rs"):
        assert question not in json.dumps(
            [company.suggestions(ASKING, colleague), company.get("/worklist", colleague)]
        )


@pytest.mark.parametrize(
    ("owners", "commercial", "medical"),
    [(None, True, True), ('["medical_liaison"]', False, True), ('["account_manager"]', True, False)],
)
def test_the_playbook_says_who_hears_that_a_safety_page_was_read(
    owners: str | None, commercial: bool, medical: bool, tmp_path: Path
) -> None:
    """The account manager, medical, or both."""
    text, playbook = shipped(), tmp_path / "changed.toml"
    if owners is not None:
        text = text.replace("[topics.side_effects]\n", f"[topics.side_effects]\nowners = {owners}\n", 1)
    playbook.write_text(text, encoding="utf-8")

    with served(tmp_path, tables_of(["x"]), playbook=str(playbook)) as company:
        company.reads_page("side_effects", "x")
        found = [s for s in company.suggestions("x", "ml") if s["treatment"].endswith("side_effects")]

    roles = {s["role"] for s in found}
    assert ("account_manager" in roles, "medical_liaison" in roles) == (commercial, medical)
