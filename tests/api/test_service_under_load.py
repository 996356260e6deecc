"""Many at once: every fact is kept, every list is one that a single decision made."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from api.feedback import Answer
from data.ledger.types import ConflictError
from data.live import history_of
from tests.api.company import Company, served, tables_of
from tests.data.files import days_before, touchpoint


def test_many_events_at_once_are_all_stored_and_the_list_knows_them_all(company: Company) -> None:
    """Two decisions on one account at the same time: the later facts win, whoever was first."""
    topics = ["side_effects", "dosing", "efficacy", "guidelines"] * 4
    headers = company.as_("am")

    def send(number: int) -> int:
        row = {"direction": "inbound", "channel": "website", "topic": topics[number], "status": "done"}
        event = {"event_id": f"many-{number}", "table": "touchpoints", "account_id": "a20", "row": row}
        return company.client.post("/v1/events", headers=headers, json=event).status_code

    with ThreadPoolExecutor(8) as threads:
        statuses = list(threads.map(send, range(len(topics))))

    with company.ledger() as ledger:
        state = ledger.account_state("a20")
        shown = ledger.suggestions("a20", now=company.clock())
        decisions = {ledger.decision(s.decision_id).decided_at for s in shown}
    assert statuses == [200] * len(topics)
    assert len([row for row in state.tail if row.event_id.startswith("many-")]) == len(topics)
    assert decisions == {max(row.stored_at for row in state.tail) + 1}
    assert len(history_of(state)["touchpoints"]) == len(topics) + 1


def test_two_colleagues_cannot_both_take_the_last_visit(company: Company) -> None:
    """One of two answers at the same moment is told that it came too late."""
    company.reads_page("side_effects", "a21")
    visit = company.suggestions("a21")[0]
    service = company.app.state.service
    suggestion = service.ledger.suggestion(visit["suggestion_id"])
    users = {user.user_id: user for user in service.ledger.users()}

    def complete(user_id: str) -> Any:
        try:
            return service.answer(suggestion, Answer("complete"), users[user_id])
        except ConflictError as error:
            return error

    with ThreadPoolExecutor(2) as threads:
        answers = list(threads.map(complete, ["am", "stranger"]))

    with company.ledger() as ledger:
        rows = ledger.account_state("a21").tail
    assert sum(isinstance(answer, ConflictError) for answer in answers) == 1
    assert len([r for r in rows if r.content.get("channel") == "visit"]) == 1


def test_several_accounts_decided_together_are_as_decided_alone(company: Company) -> None:
    """A list of events is only a quicker way of sending them one by one."""
    row = {"direction": "inbound", "channel": "website", "topic": "dosing", "status": "done"}
    events = [
        {"event_id": f"pair-{n}", "table": "touchpoints", "account_id": f"a{n}", "row": row}
        for n in range(22, 26)
    ]
    company.post("/events", events[:2])
    for event in events[2:]:
        company.post("/events", event)

    lists = [
        [
            (s["treatment"], s["priority"], [r["text"] for r in s["reasons"]])
            for s in company.suggestions(f"a{n}")
        ]
        for n in range(22, 26)
    ]

    assert lists[0]
    assert lists == [lists[0]] * 4


def test_a_confirmed_stop_ends_the_emails_at_once(tmp_path: Any) -> None:
    """The engine proposes to stop what nobody answers; her account manager confirms, and it is done."""
    emails = [
        touchpoint(f"m{n}", "a1", channel="email", treatment="email_guidelines", topic="guidelines",
                   occurred_at=days_before(5 + 10 * n))
        for n in range(8)
    ]  # fmt: skip
    with served(tmp_path, tables_of(["a1"], touchpoints=emails)) as company:
        company.reads_page("dosing")
        proposed = [s for s in company.suggestions() if s["treatment"] == "stop_marketing_email"]
        state = company.answers(proposed[0], "accept")["state"]
        why = company.get("/accounts/a1/why-not/email_new_data")["objections"]
        again = company.get("/accounts/a1/why-not/stop_marketing_email")["objections"]

    assert state == "completed"
    assert "consent" in [objection["rule"] for objection in why]
    assert "nothing_to_stop" in [objection["rule"] for objection in again]
