"""P1 and P2 once from end to end, with the ledger on SQLite and on PostgreSQL."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.api.company import Company, served, tables_of
from tests.data.files import DAY, UNTIL, days_before, iso, touchpoint

ACCOUNTS = ["b1", "b2", "b3"]
NO_VISITS = {"channel": "visit", "purpose": "marketing", "status": "opt_out"}


def with_a_planned_visit() -> dict[str, list[dict[str, Any]]]:
    plan = {"occurred_at": iso(UNTIL + 20 * DAY), "status": "planned", "stored_at": days_before(1)}
    return tables_of(ACCOUNTS, touchpoints=[touchpoint("plan", "b2", **plan)])


def visits(company: Company, account: str) -> list[str]:
    return [s["treatment"] for s in company.suggestions(account) if s["channel"] == "visit"]


def plan_status(company: Company) -> list[str]:
    with company.ledger() as ledger:
        tail = ledger.account_state("b2").tail
    return [row.content["status"] for row in tail if row.content.get("touchpoint_id") == "plan"]


def test_a_page_is_read_and_consent_withdrawn_on_either_database(ledger_url: str, tmp_path: Path) -> None:
    """Load, night, a page read, an answer, a withdrawn consent, the night after: one story."""
    with served(tmp_path, with_a_planned_visit(), ledger_url=ledger_url) as company:
        first = company.night()
        company.reads_page("side_effects", "b1")
        worklist = company.get("/worklist")
        company.answers(worklist[0], "accept")
        wishes = [
            {"event_id": f"no-{account}", "table": "preferences", "account_id": account, "row": NO_VISITS}
            for account in ("b1", "b2")
        ]
        company.post("/events", wishes)
        after_withdrawal, plan = visits(company, "b1"), plan_status(company)
        company.clock.pass_time(days=1)
        second = company.night()
        again = company.night(as_of=company.clock())
        after_night = {account: visits(company, account) for account in ACCOUNTS}
        rules = [o["rule"] for o in company.get("/accounts/b1/why-not/visit_side_effects")["objections"]]

    assert first.summary["accounts"] == second.summary["accounts"] == 3
    assert (worklist[0]["account_id"], worklist[0]["treatment"]) == ("b1", "visit_side_effects")
    assert after_withdrawal == after_night["b1"] == after_night["b2"] == []
    assert "consent" in rules
    assert plan == ["cancelled"]
    assert (again.already, again.run_id) == (True, second.run_id)
