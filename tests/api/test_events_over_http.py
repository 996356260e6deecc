"""Events: stored first, once, and checked by the contract."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.company import Company

READING = {"direction": "inbound", "channel": "website", "topic": "side_effects", "status": "done"}


BAD_OUTCOME = {"kind": "prescription", "value": "9"}
HUGE_OUTCOME = {"kind": "prescription", "value": 10**300}


def event(
    event_id: str = "e1", account: str = "a1", table: str = "touchpoints", **row: Any
) -> dict[str, Any]:
    return {"event_id": event_id, "table": table, "account_id": account, "row": READING | row}


def refused(company: Company, body: Any, status: int = 422) -> str:
    answer = company.client.post("/v1/events", headers=company.as_("am"), json=body)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    detail: str = answer.json()["detail"]
    assert "\n" not in detail
    return detail


def stored_events(company: Company) -> list[str]:
    with company.ledger() as ledger:
        return [row.event_id for row in ledger.tail()]


def test_the_same_event_twice_is_one(company: Company) -> None:
    """A sender that saw no answer sends again."""
    first = company.post("/events", event("twice"))["stored"][0]
    company.clock.pass_time(hours=1)
    second = company.post("/events", event("twice", occurred_at=first["stored_at"]))["stored"][0]

    assert second["stored_at"] == first["stored_at"]
    assert stored_events(company).count("twice") == 1


@pytest.mark.parametrize("ahead", [None, 30.0])
def test_an_event_without_its_own_time_is_the_same_when_it_is_sent_again_later(
    company: Company, ahead: float | None
) -> None:
    """The time that we fill in, or hold back to our clock, is ours: a sender cannot know it."""
    name = f"later-{ahead}"
    sent = event(name) if ahead is None else event(name, occurred_at=company.clock.iso(seconds=ahead))
    first = company.post("/events", sent)["stored"][0]
    company.clock.pass_time(minutes=5)
    again = company.post("/events", sent)["stored"][0]

    assert again["stored_at"] == first["stored_at"]
    assert stored_events(company).count(name) == 1
    assert name in refused(company, event(name, occurred_at=company.clock.iso(hours=-1)), 409)


def test_the_same_id_with_other_content_is_refused(company: Company) -> None:
    """Somebody's ids are not unique: better said than guessed which one is true."""
    company.post("/events", event("clash"))

    assert "clash" in refused(company, event("clash", topic="dosing"), 409)


def test_a_decision_follows_the_event_by_a_microsecond(company: Company) -> None:
    """What is known strictly before a decision includes the event that caused it."""
    stored = company.post("/events", event("next", "a5"))["stored"][0]
    with company.ledger() as ledger:
        row = next(row for row in ledger.tail() if row.event_id == "next")
        decision = ledger.decision(stored["decision_id"])

    assert decision.decided_at == row.stored_at + 1
    assert decision.trigger == "event:next"
    assert decision.record["account_id"][0] == "a5"


def test_a_list_is_stored_as_a_whole(company: Company) -> None:
    """Twenty accounts in one request, each decided."""
    found = company.post("/events", [event(f"list-{n}", f"a{n}") for n in range(6, 12)])

    assert [stored["account_id"] for stored in found["stored"]] == [f"a{n}" for n in range(6, 12)]
    assert all(company.suggestions(f"a{n}") for n in range(6, 12))


def test_one_bad_event_keeps_the_whole_list_out(company: Company) -> None:
    """The sender corrects and sends all of it again."""
    refused(company, [event("good"), event("bad", channel="vist")])

    assert "good" not in stored_events(company)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (event(chanel="website"), "did you mean 'channel'"),
        (event(channel="websit"), "did you mean 'website'"),
        (event(topic="side_effect"), "did you mean 'side_effects'"),
        (event(treatment="visit_dosig"), "did you mean 'visit_dosing'"),
        (event(direction="inwards"), "direction"),
        (event(occurred_at="2026-01-01T05:00:00"), "without a zone"),
        (event(occurred_at="yesterday"), "ISO 8601"),
        (event(occurred_at="2031-01-01T05:00:00Z"), "ahead of our clock"),
        (event(status=None), "status is missing"),
        (event(channel=7), "must be text"),
        (event(account_id="a2"), "differs"),
        (event(table="touchpoint"), "did you mean 'touchpoints'"),
        (event(table="accounts"), "unknown table 'accounts'"),
        ({"event_id": "o", "table": "outcomes", "account_id": "a1", "row": BAD_OUTCOME}, "must be number"),
        ({"event_id": "o", "table": "outcomes", "account_id": "a1", "row": HUGE_OUTCOME}, "within 1e+15"),
    ],
)  # fmt: skip
def test_what_is_not_of_the_contract_is_said_in_one_line(company: Company, body: Any, said: str) -> None:
    """What was got, what is near it; nothing stored."""
    before = stored_events(company)

    assert said in refused(company, body)
    assert stored_events(company) == before


@pytest.mark.parametrize("body", [[], {"event_id": "x"}, "text", None])
def test_what_is_no_list_of_events_is_a_problem(company: Company, body: Any) -> None:
    """Limits and shapes are checked before anything else."""
    refused(company, body)


def test_a_body_that_is_too_large_is_refused(company: Company) -> None:
    """Announced or not, nobody fills the memory."""
    large = b"[" + b" " * company.settings.max_body_bytes + b"]"
    headers = company.as_("am") | {"content-type": "application/json"}

    announced = company.client.post("/v1/events", headers=headers, content=large)
    streamed = company.client.post("/v1/events", headers=headers, content=iter([large[:-1], large[-1:]]))

    assert (announced.status_code, streamed.status_code) == (413, 413)
    assert streamed.headers["content-type"] == "application/problem+json"


def test_an_outcome_and_a_preference_come_in_too(company: Company) -> None:
    """Every fact that can arrive live uses the one way in."""
    outcome = {"kind": "prescription", "value": 120.5}
    wish = {"channel": "email", "purpose": "marketing", "status": "opt_in"}
    events = [
        {"event_id": "o-1", "table": "outcomes", "account_id": "a12", "row": outcome},
        {"event_id": "p-1", "table": "preferences", "account_id": "a12", "row": wish},
    ]

    company.post("/events", events)

    with company.ledger() as ledger:
        rows = {row.event_id: row.content for row in ledger.tail()}
    assert (rows["o-1"]["outcome_id"], rows["o-1"]["value"]) == ("o-1", 120.5)
    assert rows["p-1"]["kind"] == "permission"
