"""Undo: what was pressed by mistake is as if it had not been, as long as nothing has gone out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import data.playbooks
from tests.api.company import Company, served, tables_of

NO_VISITS = {"channel": "visit", "purpose": "marketing", "status": "opt_out"}
SLIPS = (None, "already_done", "customer_asked_to_stop", "wrong_contact", "not_compliant")
"""Accepted, and the reasons of a dismissal that leave each something else."""
ACCOUNTS = [f"a{n}" for n in range(1, 8)]


@pytest.fixture
def company(tmp_path: Path, ledger_url: str) -> Iterator[Company]:
    with served(tmp_path, tables_of(ACCOUNTS), ledger_url=ledger_url) as company:
        yield company


def visit_for(company: Company, account: str) -> dict[str, Any]:
    company.reads_page("side_effects", account)
    company.clock.pass_time(minutes=1)
    visit = company.suggestions(account)[0]
    assert visit["treatment"] == "visit_side_effects"
    return visit


def undo(company: Company, suggestion: dict[str, Any], status: int = 200, user_id: str = "am") -> Any:
    path = f"/v1/suggestions/{suggestion['suggestion_id']}/undo"
    answer = company.client.post(path, headers=company.as_(user_id))
    assert answer.status_code == status, answer.text
    return answer.json()


def shown(company: Company, account: str) -> list[tuple[str, str]]:
    """What nobody has answered may come back under another id."""
    return [(s["treatment"], s["state"]) for s in company.suggestions(account)]


def ids(company: Company, account: str) -> list[str]:
    return [s["suggestion_id"] for s in company.suggestions(account)]


def held(company: Company, account: str) -> dict[str, list[dict[str, Any]]]:
    """Facts of the account that hold now, by table."""
    newest: dict[tuple[str, str], dict[str, Any]] = {}
    with company.ledger() as ledger:
        for row in ledger.account_state(account).tail:
            key = str([row.content.get(k) for k in _KEYS[row.table]])
            newest[row.table, key] = {k: v for k, v in row.content.items() if v is not None}
    found: dict[str, list[dict[str, Any]]] = {}
    for (table, _), content in newest.items():
        if not content.get("deleted"):
            found.setdefault(table, []).append(content)
    return found


_KEYS = {
    "touchpoints": ("touchpoint_id",),
    "responses": ("touchpoint_id", "response", "responded_at"),
    "preferences": ("channel", "purpose", "kind", "since"),
    "feedback": ("feedback_id",),
}


def test_every_answer_is_taken_back_with_all_that_followed(company: Company) -> None:
    """A thumb slips; the list, the facts and the counts are as before, whatever was pressed."""
    for account, reason in zip(ACCOUNTS, SLIPS, strict=False):
        visit = visit_for(company, account)
        before, facts = shown(company, account), held(company, account)
        body = {"verb": "dismiss", "reason": reason} if reason else {"verb": "accept"}

        said = company.answers(visit, **body)
        gone = shown(company, account)
        undone = undo(company, visit)

        assert said["undo_until"] == company.clock.iso(minutes=2)
        assert gone != before
        assert undone == {"suggestion_id": visit["suggestion_id"], "state": "open"}
        assert shown(company, account) == before, reason
        assert visit["suggestion_id"] in ids(company, account), reason
        assert held(company, account) == facts, reason
    assert company_counts(company) == ([], [])


def company_counts(company: Company) -> tuple[list[Any], list[Any]]:
    with company.ledger() as ledger:
        return ledger.dismissal_counts(after=0), ledger.corrections()


def test_a_result_taken_back_leaves_the_plan_as_it_was_and_its_note_goes(company: Company) -> None:
    """She completes the wrong visit: result, note, wish and what the wish ended come back."""
    visit = visit_for(company, "a2")
    call = next(s for s in company.suggestions("a2") if s["channel"] == "remote_call")
    company.answers(visit, "accept", at=company.clock.iso(days=3))
    company.clock.pass_time(minutes=5)
    listed, facts = shown(company, "a2"), held(company, "a2")

    said = company.answers(
        call, "complete", result="attended", note="No visits please.", preferences=[NO_VISITS]
    )
    told = company.get("/accounts/a2/why-not/visit_dosing")["objections"]
    undo(company, call)

    assert (said["withdrawn_suggestions"], said["withdrawn_plans"]) == (1, 1)
    assert "consent" in [objection["rule"] for objection in told]
    assert {visit["suggestion_id"], call["suggestion_id"]} <= set(ids(company, "a2"))
    assert shown(company, "a2") == listed
    assert held(company, "a2") == facts
    with company.ledger() as ledger:
        assert ledger.told(["a2"], after=0) == []


def test_the_last_answer_goes_first_and_each_once(company: Company) -> None:
    """Accepted, then completed: undone twice it is open; a third time there is nothing left."""
    visit = visit_for(company, "a3")
    company.answers(visit, "accept")
    company.answers(visit, "complete", result="attended")

    states = [undo(company, visit)["state"], undo(company, visit)["state"]]

    assert states == ["accepted", "open"]
    assert "nothing" in undo(company, visit, 409)["detail"]
    assert company.answers(visit, "dismiss", reason="wrong_contact")["state"] == "dismissed"


def test_what_is_too_late_or_somebody_elses_stays(company: Company) -> None:
    """Two minutes are for slips; after that colleagues rely on it."""
    visit = visit_for(company, "a4")
    company.answers(visit, "accept")
    company.clock.pass_time(minutes=2, seconds=1)

    assert "120 seconds" in undo(company, visit, 409)["detail"]
    assert "am did this" in undo(company, visit, 409, user_id="rs")["detail"]


def test_where_the_playbook_allows_no_undo_that_is_what_is_said(tmp_path: Path) -> None:
    """Not "for 0 seconds; that is over"."""
    text = (Path(data.playbooks.__file__).parent / "pharma.toml").read_text(encoding="utf-8")
    (tmp_path / "own.toml").write_text(f"undo_seconds = 0\n{text}", encoding="utf-8")
    with served(tmp_path, tables_of(["a1"]), playbook=str(tmp_path / "own.toml")) as company:
        visit = visit_for(company, "a1")
        answered = company.answers(visit, "accept")

        refused = undo(company, visit, 409)["detail"]

    assert answered["undo_until"] is None
    assert refused == "What was done cannot be taken back: the playbook's undo_seconds is 0."


def test_after_a_colleague_has_acted_nothing_goes_back(company: Company) -> None:
    """She may have used the contact that was free in between: caps hold."""
    visit = visit_for(company, "a5")
    company.answers(visit, "dismiss", reason="other")
    other = next(s for s in company.suggestions("a5") if s["role"] == "account_manager")
    company.answers(other, "accept")

    assert "am has acted" in undo(company, visit, 409)["detail"]
    undo(company, other)
    assert undo(company, visit)["state"] == "open"


def test_an_email_that_has_gone_out_cannot_be_taken_back(company: Company) -> None:
    """Nobody can unsend; the answer says so and offers no undo."""
    personal = ("visit", "remote_call", "reimbursement_consultation", "congress")
    company.post("/events", [
        {"event_id": f"no-{channel}-{purpose}", "table": "preferences", "account_id": "a6",
         "row": {"channel": channel, "purpose": purpose, "status": "opt_out"}}
        for channel in personal for purpose in ("marketing", "service")
    ])  # fmt: skip
    mail = next(s for s in company.suggestions("a6") if s["channel"] == "email")

    said = company.answers(mail, "complete")

    assert said["undo_until"] is None
    assert "went out at" in undo(company, mail, 409)["detail"]


def test_an_own_suggestion_is_taken_back_with_its_plan(company: Company) -> None:
    """What she planned by mistake leaves the list; the caps count it no more."""
    company.reads_page("dosing", "a7")
    company.clock.pass_time(minutes=1)
    before, facts = shown(company, "a7"), held(company, "a7")
    body = {"event_id": "own", "treatment": "visit_dosing", "note": "She asked me."}

    own = company.post("/accounts/a7/suggestions", body)
    listed = ids(company, "a7")
    undone = undo(company, own)

    assert own["suggestion_id"] in listed
    assert undone["state"] == "withdrawn"
    assert shown(company, "a7") == before
    assert held(company, "a7") == facts
