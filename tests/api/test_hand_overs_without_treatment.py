"""A colleague takes on what says no treatment: what binds every contact through her channel binds hers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.api.company import Company, served, tables_of
from tests.api.test_resting import book, rest
from tests.api.test_taking_back import held
from tests.data.files import user
from tests.scenarios.test_caps_under_concurrency import strict

ACCOUNTS = [f"a{n}" for n in range(1, 8)]


@pytest.fixture
def company(tmp_path: Path, ledger_url: str) -> Iterator[Company]:
    people = [user("boss", name="Colleague boss", role="sales_manager")]
    tables = tables_of(ACCOUNTS, users=people)
    tables["users"][0]["manager_id"] = "boss"
    with served(tmp_path, tables, ledger_url=ledger_url) as company:
        yield company


def asked(company: Company, account: str, to_role: str = "account_manager", **others: Any) -> dict[str, Any]:
    by = "am" if to_role == "medical_liaison" else "ml"
    body = {"to_role": to_role, "note": "Please see her."} | others
    return company.post(f"/accounts/{account}/hand-overs", body, by)


def take_on(company: Company, task: dict[str, Any], **how: str) -> tuple[int, str]:
    """Status, and what is in the way."""
    user_id = "ml" if task["to_role"] == "medical_liaison" else "am"
    path = f"/v1/hand-overs/{task['hand_over_id']}/answer"
    answer = company.client.post(path, headers=company.as_(user_id), json={"verb": "accept"} | how)
    return answer.status_code, answer.json().get("detail", "")


def opts_out(company: Company, account: str, channel: str, purpose: str = "marketing") -> None:
    row = {"channel": channel, "purpose": purpose, "status": "opt_out"}
    event = {"event_id": f"no-{account}", "table": "preferences", "account_id": account, "row": row}
    company.post("/events", event)


def planned(company: Company, account: str) -> list[tuple[str, str]]:
    """Channel and status of our contacts through channels of hand-overs."""
    rows = held(company, account).get("touchpoints", [])
    return [(row["channel"], row["status"]) for row in rows if row["direction"] == "outbound"]


def test_what_the_customer_does_not_permit_is_not_planned(company: Company) -> None:
    """It was accepted and called off in the same moment, and nobody was told; the task can still be taken."""
    task = asked(company, "a1")
    opts_out(company, "a1", "visit")

    status, said = take_on(company, task, channel="visit")

    assert (status, "Opted out of marketing messages (Visit)" in said) == (409, True), said
    assert planned(company, "a1") == []
    assert company.get(f"/hand-overs/{task['hand_over_id']}")["state"] == "asked"
    assert take_on(company, task, channel="remote_call")[0] == 200
    assert planned(company, "a1") == [("remote_call", "planned")]


def test_a_role_that_only_serves_is_not_held_back_by_what_was_said_of_marketing(company: Company) -> None:
    """Whoever wants no advertising still has her medical question answered, unless she wants no calls."""
    for account, purpose in (("a2", "marketing"), ("a3", "service")):
        opts_out(company, account, "*", purpose)
    tasks = {account: asked(company, account, "medical_liaison") for account in ("a2", "a3")}

    answers = {account: take_on(company, task, channel="medical_call") for account, task in tasks.items()}

    assert (answers["a2"][0], planned(company, "a2")) == (200, [("medical_call", "planned")])
    assert (answers["a3"][0], planned(company, "a3")) == (409, [])


@pytest.mark.parametrize(
    ("scope", "topic", "statuses"),
    [
        ("channel:visit", None, (409, 200)), ("all", None, (409, 409)),
        ("topic:dosing", "dosing", (409, 409)), ("topic:dosing", "efficacy", (200, 409)),
    ],
)  # fmt: skip
def test_what_is_stopped_is_not_planned(
    company: Company, scope: str, topic: str | None, statuses: tuple[int, int]
) -> None:
    """A recall holds for what colleagues agree on; what it is not about goes on."""
    first, second = asked(company, "a4", topic=topic), asked(company, "a5", topic="dosing")
    company.post("/contact-stops", {"scope": scope, "reason": "recalled"}, "boss")

    answers = [take_on(company, first, channel="visit"), take_on(company, second, channel="remote_call")]

    assert tuple(status for status, _ in answers) == statuses
    refused = [said for status, said in answers if status == 409]
    assert all("stopped for everybody" in said for said in refused)


def test_another_channel_than_the_treatments_has_to_be_allowed_too(company: Company) -> None:
    """She was asked to call and wants to visit, which the customer does not."""
    treatment = "medical_call_new_data"
    task = asked(company, "a6", "medical_liaison", treatment=treatment)
    opts_out(company, "a6", "visit", "service")

    status, said = take_on(company, task, channel="visit")

    assert (status, "(Visit)" in said) == (409, True), said
    assert take_on(company, task)[0] == 200


@pytest.mark.parametrize("met", [1, 2], ids=["room", "full"])
def test_caps_count_before_it_is_planned(ledger_url: str, tmp_path: Path, met: int) -> None:
    """Three contacts are allowed, one was sent yesterday; whoever comes fourth is told."""
    with served(tmp_path, tables_of(["c1"]), ledger_url=ledger_url, playbook=strict(tmp_path)) as company:
        task = asked(company, "c1")
        for number in range(met):
            row = {"direction": "outbound", "channel": "congress", "status": "planned",
                   "occurred_at": company.clock.iso(days=1)}  # fmt: skip
            event = {"event_id": f"e{number}", "table": "touchpoints", "account_id": "c1", "row": row}
            company.post("/events", event)
        status, said = take_on(company, task, channel="visit")

    assert status == (200 if met == 1 else 409)
    assert ("3 of at most 3 contacts" in said) == (met == 2)


def test_an_account_that_is_left_in_peace_is_not_visited(tmp_path: Path, ledger_url: str) -> None:
    """It rests from marketing; what serves it may be planned."""
    tables = tables_of(["a1"])
    with served(tmp_path, tables, ledger_url=ledger_url, playbook=str(book(tmp_path))) as company:
        company.night()
        company.answers(rest(company), "accept")
        visit, call = asked(company, "a1"), asked(company, "a1", "medical_liaison")
        refused = take_on(company, visit, channel="visit")
        served_ = take_on(company, call, channel="medical_call")

    assert (refused[0], "left in peace" in refused[1]) == (409, True), refused
    assert served_[0] == 200
