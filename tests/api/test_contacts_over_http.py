"""Contacts without a suggestion: the visit that nobody had planned is a fact like any other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.api.company import Company, served, tables_of

NO_MAIL = [{"channel": "email", "purpose": "marketing", "status": "opt_out"}]


@pytest.fixture
def company(tmp_path: Path, ledger_url: str) -> Iterator[Company]:
    with served(tmp_path, tables_of(["a1", "a2"]), ledger_url=ledger_url) as company:
        yield company


def record(company: Company, status: int = 200, account: str = "a1", user_id: str = "am", **body: Any) -> Any:
    path = f"/v1/accounts/{account}/contacts"
    body = {"event_id": "c1", "treatment": "visit_dosing"} | body
    answer = company.client.post(path, headers=company.as_(user_id), json=body)
    assert answer.status_code == status, answer.text
    return answer.json()


def undo(company: Company, contact: dict[str, Any], status: int = 200) -> Any:
    path = f"/v1/contacts/{contact['contact_id']}/undo"
    answer = company.client.post(path, headers=company.as_("am"))
    assert answer.status_code == status, answer.text
    return answer.json()


def contacts(company: Company, account: str = "a1") -> list[tuple[str, str]]:
    """Status and result of our personal contacts as they stand, by the timeline of facts."""
    with company.ledger() as ledger:
        tail = ledger.account_state(account).tail
    rows: dict[str, str] = {}
    for row in tail:
        if row.table == "touchpoints" and row.content["direction"] == "outbound":
            gone = row.content.get("deleted", False)
            rows[row.content["touchpoint_id"]] = "gone" if gone else row.content["status"]
    return sorted(rows.items())


def test_an_unplanned_visit_counts_like_any_other(company: Company) -> None:
    """She was in the house and knocked: caps and the next suggestions know it, the note is kept apart."""
    company.reads_page("dosing")
    free = company.get("/accounts/a1/why-not/visit_dosing")["objections"]

    done = record(company, result="attended", note="In the lift.", preferences=NO_MAIL)
    again = record(company, result="attended", note="In the lift.", preferences=NO_MAIL)

    assert again["contact_id"] == done["contact_id"]
    assert contacts(company) == [(done["touchpoint_id"], "done")]
    kept = company.get("/accounts/a1/why-not/visit_dosing")["objections"]
    assert [o["stage"] for o in free] == ["arbitration"]
    assert "arbitration" not in [o["stage"] for o in kept]
    mail = company.get("/accounts/a1/why-not/email_guidelines")["objections"]
    assert "consent" in [o["rule"] for o in mail]
    with company.ledger() as ledger:
        assert "lift" not in str(ledger.account_state("a1").tail)
        assert "lift" in str(ledger.told(["a1"], after=0)[0].details)


def test_what_was_on_her_list_is_completed_by_it(company: Company) -> None:
    """One visit, one fact: the suggestion does not wait for a second one."""
    company.reads_page("side_effects")
    company.clock.pass_time(minutes=1)
    visit = company.suggestions()[0]
    company.answers(visit, "accept")

    done = record(company, treatment=visit["treatment"], result="attended")
    again = record(company, treatment=visit["treatment"], result="attended")

    assert done["suggestion_id"] == again["suggestion_id"] == visit["suggestion_id"]
    assert contacts(company) == [(f"of-{visit['suggestion_id']}", "done")]
    with company.ledger() as ledger:
        before = ledger.changes.end()
        undo(company, done)
        changed = [change.subject for change in ledger.changes.after(before) if change.kind == "changed"]
    assert visit["suggestion_id"] in changed
    assert contacts(company) == [(f"of-{visit['suggestion_id']}", "planned")]
    first = company.suggestions()[0]
    assert (first["suggestion_id"], first["state"]) == (visit["suggestion_id"], "accepted")


def test_it_is_taken_back_with_what_it_ended(company: Company) -> None:
    """The wrong account was open: visit, wish and note go."""
    company.reads_page("side_effects")
    company.clock.pass_time(minutes=1)
    before = [s["treatment"] for s in company.suggestions()]
    no_visits = [{"channel": "visit", "purpose": "marketing", "status": "opt_out"}]

    done = record(company, note="Wrong person.", preferences=no_visits, objections=[{"kind": "price"}])
    gone = [s["treatment"] for s in company.suggestions()]
    undone = undo(company, done)

    assert undone == {"contact_id": done["contact_id"], "state": "taken_back"}
    assert "visit_side_effects" in set(before) - set(gone)
    assert [s["treatment"] for s in company.suggestions()] == before
    assert contacts(company) == [(done["touchpoint_id"], "gone")]
    assert company.get("/field-notes") == []
    assert "new event_id" in record(company, 409)["detail"]


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({"treatment": "visit_dosin"}, 422, "did you mean 'visit_dosing'"),
        ({"treatment": "email_guidelines"}, 403, "you are account_manager"),
        ({"treatment": None}, 422, "which treatment"),
        ({"treatment": None, "channel": "email"}, 422, "which treatment"),
        ({"treatment": None, "channel": "visit", "topic": "dosin"}, 422, "did you mean 'dosing'"),
        ({"treatment": None, "channel": "visit", "topic": "adverse_event"}, 422, "adverse event"),
        ({"channel": "visit"}, 422, "leave them out"),
        ({"at": "2031-01-01T00:00:00Z"}, 422, "past"),
        ({"preferences": [{"channel": "fax", "status": "opt_out"}]}, 422, "fax"),
        ({"preferences": [*NO_MAIL, NO_MAIL[0] | {"status": "opt_in"}]}, 422, "both said for email"),
        ({"questions": [{"topic": "adverse_event"}]}, 422, "adverse event"),
        ({"objections": [{"kind": "colour"}]}, 422, "price"),
    ],
)
def test_what_is_not_hers_or_cannot_be_is_refused(
    refusing: Company, body: dict[str, Any], status: int, said: str
) -> None:
    """Nothing is guessed and nothing stored."""
    detail = record(refusing, status, **body)

    assert said in detail["detail"] + str(detail.get("errors"))
    assert contacts(refusing) == []


@pytest.fixture(scope="module")
def refusing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    with served(tmp_path_factory.mktemp("refusing"), tables_of(["a1"])) as company:
        yield company
