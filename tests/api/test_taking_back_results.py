"""Undo of what was completed: list, facts, plan and counts are as if nobody had said that it was done."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.company import Company, served, tables_of
from tests.api.test_taking_back import NO_VISITS, held, shown, undo, visit_for

ACCOUNTS = [f"a{n}" for n in range(1, 10)]
RESULT = {
    "result": "attended", "note": "Asked for a study.", "preferences": [NO_VISITS],
    "objections": [{"kind": "price"}], "questions": [{"topic": "dosing"}],
    "competitors": [{"name": "Rivalin"}],
}  # fmt: skip
"""All that can be said of what was done."""


@pytest.fixture
def company(tmp_path: Path, ledger_url: str) -> Iterator[Company]:
    with served(tmp_path, tables_of(ACCOUNTS), ledger_url=ledger_url) as company:
        yield company


def statuses(company: Company, account: str) -> list[str]:
    """Of our visits of the account, as they stand."""
    visits = held(company, account).get("touchpoints", [])
    return [each["status"] for each in visits if each["channel"] == "visit"]


def test_a_visit_at_which_no_more_visits_were_asked_for_took_place(company: Company) -> None:
    """Her wish ends what is planned, and not the visit at which she said it: caps and learning count it."""
    visit = visit_for(company, "a1")
    company.answers(visit, "accept")
    listed, facts = shown(company, "a1"), held(company, "a1")

    said = company.answers(visit, "complete", **RESULT)
    took_place = statuses(company, "a1")
    undo(company, visit)

    assert took_place == ["done"]
    assert (said["withdrawn_plans"], said["undo_until"]) == (0, company.clock.iso(minutes=2))
    assert (shown(company, "a1"), held(company, "a1")) == (listed, facts)


def test_a_visit_that_an_event_reports_with_such_a_wish_took_place(company: Company) -> None:
    """Another system sends both at once: the plan that it had reported is done."""
    plan = {"touchpoint_id": "t", "direction": "outbound", "channel": "visit", "role": "account_manager"}
    ahead = plan | {"status": "planned", "occurred_at": company.clock.iso(days=1)}
    company.post("/events", {"event_id": "e1", "table": "touchpoints", "account_id": "a2", "row": ahead})
    done = {"event_id": "e2", "table": "touchpoints", "account_id": "a2", "row": plan | {"status": "done"}}
    wish = {"event_id": "e3", "table": "preferences", "account_id": "a2", "row": NO_VISITS}

    company.post("/events", [done, wish])

    assert statuses(company, "a2") == ["done"]


def test_what_was_accepted_and_ended_by_a_wish_to_stop_is_taken_back(company: Company) -> None:
    """Pressed by mistake on what was planned: the plan stands again, and contact is permitted."""
    visit = visit_for(company, "a3")
    company.answers(visit, "accept", at=company.clock.iso(days=3))
    listed, facts = shown(company, "a3"), held(company, "a3")

    company.answers(visit, "dismiss", reason="customer_asked_to_stop")
    called_off = statuses(company, "a3")
    undo(company, visit)

    assert called_off == ["cancelled"]
    assert (shown(company, "a3"), held(company, "a3")) == (listed, facts)
