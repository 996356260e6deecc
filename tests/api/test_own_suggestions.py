"""What a colleague suggests herself: on the list and planned, within what binds everybody."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import data.playbooks
from api.feedback import Wish, wish_rows
from tests.api.company import Company, served, tables_of

VISIT = "visit_dosing"
POLICY = """
own_override = true
"""
NO_VISITS = {"channel": "visit", "purpose": "marketing", "status": "opt_out"}


@pytest.fixture
def company(tmp_path: Path, ledger_url: str) -> Iterator[Company]:
    text = (Path(data.playbooks.__file__).parent / "pharma.toml").read_text(encoding="utf-8")
    rule = 'stage = "suitability"\nfor = "treatment:visit_efficacy"\nwhen = "potential_value > 9999999"\n'
    words = "".join(f'text.{language} = "Not before the congress."\n' for language in ("en", "ar", "fa"))
    book = tmp_path / "own.toml"
    book.write_text(f"{POLICY}{text}\n[policies.not_yet]\n{rule}{words}", encoding="utf-8")
    with served(
        tmp_path, tables_of(["a1", "a2", "a3"]), ledger_url=ledger_url, playbook=str(book)
    ) as company:
        yield company


def suggest(company: Company, account: str, status: int = 200, user_id: str = "am", **body: Any) -> Any:
    body = {"event_id": "own-1", "treatment": VISIT} | body
    path = f"/v1/accounts/{account}/suggestions"
    answer = company.client.post(path, headers=company.as_(user_id), json=body)
    assert answer.status_code == status, answer.text
    return answer.json()


def visits(company: Company, account: str) -> list[dict[str, Any]]:
    with company.ledger() as ledger:
        tail = ledger.account_state(account).tail
    return [dict(row.content) for row in tail if row.content.get("treatment") == VISIT]


def test_an_own_suggestion_is_planned_stays_overnight_and_is_completed_like_any_other(
    company: Company,
) -> None:
    """She knows her physicians; the list is hers as well as the engine's."""
    own = suggest(company, "a1", at=company.clock.iso(days=2), note="She asked me to come.")
    again = suggest(company, "a1", at=company.clock.iso(days=2), note="She asked me to come.")
    company.clock.pass_time(days=1)
    company.night(ignore_freshness=True)
    listed = [s for s in company.get("/worklist") if s["treatment"] == VISIT]
    company.clock.pass_time(days=1, hours=1)
    company.answers(own, "complete", result="attended")

    assert (own["own"], own["state"], own["decision_id"]) == (True, "accepted", "")
    assert again["suggestion_id"] == own["suggestion_id"]
    assert [(s["suggestion_id"], s["own"]) for s in listed] == [(own["suggestion_id"], True)]
    rows = visits(company, "a1")
    assert {row["touchpoint_id"] for row in rows if "status" in row} == {f"of-{own['suggestion_id']}"}
    assert rows[-1].get("decision_id") is None
    assert "asked me" not in str(rows), "Free text is personal and lives apart."


def test_what_the_customer_refused_binds_her_too(company: Company) -> None:
    """No good idea overrules a customer who does not want the visit."""
    event = {"event_id": "no", "table": "preferences", "account_id": "a1", "row": NO_VISITS}
    company.post("/events", event)

    said = suggest(company, "a1", 409, override="I know her well.")

    assert said["detail"]
    assert visits(company, "a1") == []


def test_what_she_planned_and_put_off_is_not_planned_again_against_a_refusal(company: Company) -> None:
    """It follows no decision, so that none tells by itself that something new has come."""
    own = suggest(company, "a1")
    company.answers(own, "snooze", until=company.clock.iso(days=1))
    company.clock.pass_time(minutes=1)
    with company.ledger() as ledger:
        now = company.clock()
        ledger.append(wish_rows([Wish("visit", "marketing", "opt_out")], "a1", "said", now), now=now)

    path = f"/v1/suggestions/{own['suggestion_id']}/feedback"
    said = company.client.post(path, headers=company.as_("am"), json={"verb": "accept"})

    assert said.status_code == 409
    assert [row["status"] for row in visits(company, "a1") if "status" in row] == ["planned", "cancelled"]


def test_a_policy_gives_way_to_a_reason_where_the_playbook_allows(company: Company) -> None:
    """A rule of thumb is not a law; who departs from it says why."""
    policies = company.get("/accounts/a2/why-not/visit_efficacy")["objections"]

    held = suggest(company, "a2", 409, treatment="visit_efficacy")
    own = suggest(company, "a2", treatment="visit_efficacy", override="She invited me.")

    assert "policy:not_yet" in [o["rule"] for o in policies]
    assert "congress" in held["detail"]
    assert own["own"]


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({"treatment": "visit_dosin"}, 422, "did you mean 'visit_dosing'"),
        ({"treatment": "email_guidelines"}, 403, "you are account_manager"),
        ({"treatment": "stop_marketing_email"}, 422, "no contact"),
        ({"at": "2020-01-01T00:00:00Z"}, 422, "ahead"),
    ],
)
def test_what_is_not_hers_or_cannot_be_is_refused(
    company: Company, body: dict[str, Any], status: int, said: str
) -> None:
    """Nothing is guessed and nothing stored."""
    assert said in suggest(company, "a3", status, **body)["detail"]


def test_planned_once_is_planned(company: Company) -> None:
    """A second plan of the same visit would have two colleagues at the door."""
    first = suggest(company, "a3")

    assert suggest(company, "a3", 409, event_id="own-2")["detail"]
    assert "another" in suggest(company, "a2", 409)["detail"]
    assert len({row["touchpoint_id"] for row in visits(company, "a3")}) == 1
    assert first["state"] == "accepted"
