"""The page without a script: what is read, and every verb as a form."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.api.company import Company, served, tables_of
from tests.api.visitors import Visitor
from tests.data.files import days_before, touchpoint, user

ACCOUNTS = [f"a{n}" for n in range(1, 16)]


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    people = [user("sf", name="Colleague sf", role="drug_safety"), user("boss", name="Boss", role="head"),
              user("office", name="Colleague office", role="data_scientist")]  # fmt: skip
    medical = touchpoint("secret", "a2", channel="medical_call", topic="medical_question",
                         role="medical_liaison", user_id="ml", occurred_at=days_before(3))  # fmt: skip
    tables = tables_of(ACCOUNTS, users=people, touchpoints=[medical])
    tables["users"][0]["manager_id"] = "boss"
    tables["accounts"].append({"account_id": "apart", "name": "Dr Apart", "segment": "B"})
    tables["account_team"].append({"account_id": "apart", "role": "account_manager", "user_id": "stranger"})
    with served(tmp_path_factory.mktemp("page"), tables) as found:
        yield found


@pytest.fixture(scope="module")
def visitor(company: Company) -> Visitor:
    return Visitor(company)


def visit(company: Company, account: str, topic: str = "side_effects") -> dict[str, Any]:
    """A suggestion for the account manager, because the account has just read a page."""
    company.reads_page(topic, account)
    return next(s for s in company.suggestions(account) if s["channel"] == "visit")


def state(company: Company, suggestion: dict[str, Any]) -> str:
    with company.ledger() as ledger:
        return ledger.suggestion(suggestion["suggestion_id"]).state


def tail(company: Company, account: str, table: str) -> list[dict[str, Any]]:
    with company.ledger() as ledger:
        return [dict(row.content) for row in ledger.account_state(account).tail if row.table == table]


def test_p1_my_day_says_what_triggered_a_suggestion_and_why(company: Company, visitor: Visitor) -> None:
    """The sentence that sends her to the door, with its reason beneath."""
    suggestion = visit(company, "a1")

    day = visitor.get("/day")
    one = visitor.get(f"/suggestions/{suggestion['suggestion_id']}")

    assert suggestion["headline"] in day
    assert "looked up side effects on the website just now" in day
    assert all(reason["text"] in one for reason in suggestion["reasons"])
    assert suggestion["note"] in one


def test_accepting_plans_it_and_the_next_page_says_so(company: Company, visitor: Visitor) -> None:
    """One tap; and a second one of an impatient thumb changes nothing."""
    suggestion = visit(company, "a3")
    visitor.get("/day")
    visitor.send(f"/suggestions/{suggestion['suggestion_id']}/accept")
    said = visitor.said
    visitor.send(f"/suggestions/{suggestion['suggestion_id']}/accept")

    assert said == "Accepted and planned."
    assert state(company, suggestion) == "accepted"
    assert [row["status"] for row in tail(company, "a3", "touchpoints")][-1] == "planned"
    visitor.get("/day")
    assert visitor.said == "", "It is told once."


def test_dismissing_needs_a_reason_and_keeps_it(company: Company, visitor: Visitor) -> None:
    """A reason that acts: what is wrong is not suggested again."""
    suggestion = visit(company, "a4")
    path = f"/suggestions/{suggestion['suggestion_id']}/dismiss"
    visitor.get("/day")
    visitor.send(path)
    without = (visitor.said, state(company, suggestion))
    visitor.send(path, reason="wrong_time")

    assert without == ("Something in the form is missing or cannot be. Nothing was stored.", "open")
    assert state(company, suggestion) == "dismissed"
    assert tail(company, "a4", "feedback")[-1]["reason"] == "wrong_time"


def test_snoozing_hides_it_until_the_morning_of_that_day(company: Company, visitor: Visitor) -> None:
    """It comes back by itself."""
    suggestion = visit(company, "a5")
    visitor.get("/day")
    visitor.send(f"/suggestions/{suggestion['suggestion_id']}/snooze", days=1)

    assert state(company, suggestion) == "snoozed"
    assert suggestion["headline"] not in visitor.get("/day")
    with company.ledger() as ledger:
        until = ledger.suggestion(suggestion["suggestion_id"]).snoozed_until
    assert until is not None
    assert 20 < (until - company.clock()) / 3.6e9 < 24


def test_p2_one_form_takes_result_wish_note_and_hand_over(company: Company, visitor: Visitor) -> None:
    """Twenty seconds at the door: it was attended, no more e-mail, and the liaison is to call."""
    suggestion = visit(company, "a6")
    visitor.get(f"/suggestions/{suggestion['suggestion_id']}")
    visitor.send(
        f"/suggestions/{suggestion['suggestion_id']}/complete", result="attended", stop="email",
        note="Asked about nausea.", to_role="medical_liaison", question="Please call about efficacy.",
    )  # fmt: skip

    assert visitor.said.startswith("The result is recorded. Handed over to: Medical liaison (MSL)")
    assert state(company, suggestion) == "completed"
    wishes = [(row["channel"], row["status"]) for row in tail(company, "a6", "preferences")]
    assert wishes == [("email", "opt_out")]
    assert "email" not in [s["channel"] for s in company.suggestions("a6")]
    assert "Please call about efficacy." in Visitor(company, "ml").get("/day")
    account = visitor.get("/accounts/a6")
    assert "not allowed" in account
    assert "Asked about nausea." in account


def test_p2_what_was_planned_for_her_is_said_to_be_withdrawn(company: Company, visitor: Visitor) -> None:
    """Honest: so many withdrawn."""
    email = {"treatment": "email_guidelines", "channel": "email", "topic": "guidelines", "status": "planned",
             "direction": "outbound", "occurred_at": company.clock.iso(days=2)}  # fmt: skip
    planned = {"event_id": "mail-a7", "table": "touchpoints", "account_id": "a7", "row": email}
    company.post("/events", planned)
    suggestion = visit(company, "a7")
    visitor.get("/day")
    visitor.send(f"/suggestions/{suggestion['suggestion_id']}/complete", result="attended", stop="email")

    assert "withdrawn" in visitor.said


def test_p3_a_hand_over_is_read_taken_on_and_done_on_the_page(company: Company, visitor: Visitor) -> None:
    """The liaison finds it first on her day, with its context."""
    visitor.get("/accounts/a8")
    visitor.send("/accounts/a8/hand-overs", to_role="medical_liaison", note="Efficacy, please.")
    (task,) = [t for t in company.get("/hand-overs", "ml") if t["account_id"] == "a8"]
    liaison = Visitor(company, "ml")
    day = liaison.get("/day")
    path = f"/hand-overs/{task['hand_over_id']}"
    liaison.get(path)
    liaison.send(f"{path}/answer", verb="accept")
    liaison.send(f"{path}/answer", verb="done", note="Called her.", channel="medical_call")

    assert day.index("Efficacy, please.") < day.index("Suggested")
    assert liaison.said == "Done, and recorded."
    assert "Called her." in liaison.get(path)
    assert "Called her." not in visitor.get(path)


def test_p5_a_side_effect_goes_to_drug_safety_and_nowhere_else(company: Company, visitor: Visitor) -> None:
    """One tap; never a sales signal."""
    visitor.get("/accounts/a9")
    visitor.send("/accounts/a9/side-effect", description="Rash after two days.", serious="yes")

    assert visitor.said.startswith("The report is with drug safety.")
    safety = Visitor(company, "sf")
    assert "Rash after two days." in safety.get(
        f"/hand-overs/{company.get('/hand-overs', 'sf')[0]['hand_over_id']}"
    )
    assert "Rash" not in visitor.get("/accounts/a9")
    assert "Rash" not in Visitor(company, "rs").get("/accounts/a9")


def test_her_own_suggestion_is_planned_and_what_forbids_one_is_said(
    company: Company, visitor: Visitor
) -> None:
    """Within what binds everybody; and two taps are one plan."""
    visitor.get("/accounts/a10")
    for _ in range(2):
        visitor.send("/accounts/a10/plan", treatment="visit_dosing", sent="form-1", note="She asked me.")
    planned = visitor.said
    refused = {"event_id": "no-a11", "table": "preferences", "account_id": "a11",
               "row": {"channel": "visit", "purpose": "marketing", "status": "opt_out"}}  # fmt: skip
    company.post("/events", refused)
    visitor.get("/accounts/a11")
    visitor.send("/accounts/a11/plan", treatment="visit_dosing", sent="form-2")

    assert planned == "Your own suggestion is planned."
    assert len([s for s in company.suggestions("a10") if s["own"]]) == 1
    assert "Opted out of marketing messages (Visit)" in visitor.said


def test_a_contact_that_nobody_planned_is_recorded_once(company: Company, visitor: Visitor) -> None:
    """She met her in the corridor."""
    visitor.get("/accounts/a12")
    for _ in range(2):
        visitor.send("/accounts/a12/record", treatment="visit_efficacy", note="In the corridor.", sent="f")

    done = [row for row in tail(company, "a12", "touchpoints") if row["status"] == "done"]
    assert [(row["channel"], row["user_id"]) for row in done] == [("visit", "am")]
    assert "In the corridor." in visitor.get("/accounts/a12")


def test_why_not_is_answered_with_every_rule(company: Company, visitor: Visitor) -> None:
    """What keeps it away, and what would change it."""
    why_not = company.get("/accounts/a13/why-not/visit_efficacy")
    page = visitor.get("/accounts/a13/why-not", treatment="visit_efficacy")

    assert why_not["summary"] in page or why_not["suggested"]
    assert all(rule["text"] in page for rule in why_not["rules"])


def test_search_finds_by_the_beginnings_of_names_her_own_accounts_alone(
    company: Company, visitor: Visitor
) -> None:
    """Names of other teams do not exist."""
    name = company.get("/accounts/a14")["account_name"]
    part = name.split()[1][:4].lower()

    found = visitor.get("/accounts", q=part)

    assert name in found
    assert "Apart" not in visitor.get("/accounts", q="apart") + visitor.get("/accounts")
    assert "Apart" in Visitor(company, "stranger").get("/accounts", q="apa")


def test_a_commercial_colleague_reads_nothing_medical_on_an_account(
    company: Company, visitor: Visitor
) -> None:
    """The wall holds in the timeline and in its picture too."""
    hers, theirs = visitor.get("/accounts/a2"), Visitor(company, "ml").get("/accounts/a2")

    assert "Medical question" in theirs
    assert "Medical question" not in hers
    assert "secret" not in json.dumps(company.get("/accounts/a2/timeline"))
    assert "Medical liaison call" not in visitor.page.text


@pytest.mark.parametrize("path", ["/accounts/apart", "/accounts/nix", "/suggestions/nix", "/hand-overs/nix",
                                  "/team", "/releases", "/releases/nix/report"])  # fmt: skip
def test_what_is_not_hers_is_not_there(visitor: Visitor, path: str) -> None:
    """In words, and with the same answer as for what does not exist."""
    said = visitor.get(path)

    assert visitor.page.status_code in (403, 404)
    assert "Not here" in said or "Not for your role" in said


def test_a_manager_sees_load_and_lateness_and_answers_nothing(company: Company) -> None:
    """Load by name: no ranking of persons."""
    boss = Visitor(company, "boss")
    team, day = boss.get("/team"), boss.get("/day")

    assert "Colleague am" in team
    assert "Suggested to your people" in day
    assert "/accept" not in boss.page.text


def test_the_playbook_is_read_in_words_by_each_as_far_as_her_role_sees(company: Company) -> None:
    """What medical is suggested, commercial never reads; who writes it reads all."""
    mine, office = Visitor(company).get("/playbook"), Visitor(company, "office").get("/playbook")

    assert "go through the dosing step by step" in mine
    assert "Medical liaison call" not in mine
    assert "Medical liaison call" in office


def test_what_was_just_done_is_undone_with_one_tap(company: Company) -> None:
    """A thumb slips; nobody should have to call the office."""
    suggestion, visitor = visit(company, "a15"), Visitor(company)
    visitor.get("/day")
    visitor.send(f"/suggestions/{suggestion['suggestion_id']}/dismiss", reason="not_compliant")
    offered = f"/suggestions/{suggestion['suggestion_id']}/undo" in visitor.page.text
    visitor.send(f"/suggestions/{suggestion['suggestion_id']}/undo")

    assert offered
    assert visitor.said == "Taken back. It is as it was before."
    assert state(company, suggestion) == "open"
