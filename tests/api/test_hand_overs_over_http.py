"""Hand-overs over HTTP: who may ask, see and answer, and what follows from an answer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api.commands import hand_overs
from tests.api.company import Company, served, tables_of
from tests.data.files import DAY, UNTIL, days_before, iso, preference, touchpoint, user

ACCOUNTS = [f"a{n}" for n in range(1, 16)]


def people() -> list[dict[str, Any]]:
    return [
        user("sf", name="Colleague sf", role="drug_safety", manager_id="head"),
        user("head", name="Head of safety", role="head_of_safety"),
        user("boss", name="Colleague boss", role="sales_manager"),
        user("ml2", name="Colleague ml2", role="medical_liaison"),
    ]


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    tables = tables_of(ACCOUNTS, users=people())
    tables["users"][0]["manager_id"] = "boss"
    tables["accounts"].append({"account_id": "apart", "name": "Dr Apart", "segment": "B"})
    tables["account_team"].append({"account_id": "apart", "role": "account_manager", "user_id": "stranger"})
    tables["preferences"].append(
        preference("a9", channel="medical_call", purpose="service", status="opt_out")
    )
    with served(tmp_path_factory.mktemp("hand-overs"), tables) as found:
        yield found


def status(company: Company, path: str, user_id: str, body: Any = None) -> tuple[int, str]:
    headers = company.as_(user_id)
    if body is None:
        response = company.client.get(f"/v1{path}", headers=headers)
    else:
        response = company.client.post(f"/v1{path}", headers=headers, json=body)
    return response.status_code, response.json().get("detail", "") if response.status_code >= 400 else ""


def asks(company: Company, account: str, user_id: str = "am", **others: Any) -> dict[str, Any]:
    body = {"to_role": "medical_liaison", "note": "She asked about efficacy."} | others
    return company.post(f"/accounts/{account}/hand-overs", body, user_id)


def answers(company: Company, task: dict[str, Any], verb: str, user_id: str = "ml", **others: Any) -> Any:
    return company.post(f"/hand-overs/{task['hand_over_id']}/answer", {"verb": verb} | others, user_id)


def test_a_colleague_is_asked_and_finds_it_first_on_her_list(company: Company) -> None:
    """Before everything that the engine suggests, with who asked and why."""
    company.reads_page("side_effects", "a1")
    task = asks(company, "a1")

    first, *others = company.get("/worklist", "ml")

    assert (first["kind"], first["hand_over_id"]) == ("hand_over", task["hand_over_id"])
    assert first["headline"].startswith("Colleague am (Account manager) asks to follow up: Dr ")
    assert first["note"] == "She asked about efficacy."
    assert {other["kind"] for other in others} == {"suggestion"}
    assert company.get("/hand-overs", "am", box="sent")[0]["hand_over_id"] == task["hand_over_id"]
    assert task["hand_over_id"] not in [t.get("hand_over_id") for t in company.get("/worklist", "am")]


def test_the_same_request_twice_is_one_task_and_after_it_is_done_another_one(company: Company) -> None:
    """A double tap must not make two calls; a new question next month must."""
    once, twice = asks(company, "a2"), asks(company, "a2")
    answers(company, once, "done")

    assert once["hand_over_id"] == twice["hand_over_id"]
    assert asks(company, "a2")["hand_over_id"] != once["hand_over_id"]


@pytest.mark.parametrize(
    ("body", "code", "said"),
    [
        ({"to_role": "medical_laison"}, 422, "did you mean 'medical_liaison'?"),
        ({"to_role": "system"}, 422, "no role 'system' to hand over to"),
        ({"to_role": "medical_liaison", "to_user": "rs"}, 422, "'rs' is no colleague with the role"),
        ({"to_role": "account_manager", "to_user": "am"}, 422, "cannot hand over to yourself"),
        ({"to_role": "medical_liaison", "treatment": "visit_dosing"}, 422,
         "carried out by 'account_manager', not 'medical_liaison'"),
        ({"to_role": "medical_liaison", "treatment": "medical_cal"}, 422, "no treatment 'medical_cal'"),
        ({"to_role": "medical_liaison", "topic": "dosage"}, 422, "no topic 'dosage', did you mean 'dosing'?"),
        ({"to_role": "medical_liaison", "due": 3}, 422, "due"),
    ],
)  # fmt: skip
def test_a_request_that_cannot_be_is_refused_with_what_is_near(
    company: Company, body: dict[str, Any], code: int, said: str
) -> None:
    """Nothing is stored for it."""
    found = status(company, "/accounts/a3/hand-overs", "am", body)

    assert found[0] == code
    assert said in found[1]
    assert company.get("/accounts/a3/hand-overs") == []


def test_what_the_customer_forbids_cannot_be_asked_of_a_colleague(company: Company) -> None:
    """Handing over is no way around a withdrawn consent."""
    forbidden = {"to_role": "medical_liaison", "treatment": "medical_call_new_data"}

    code, said = status(company, "/accounts/a9/hand-overs", "am", forbidden)

    assert (code, "does not permit 'medical_call_new_data'" in said) == (409, True)


def test_what_is_forbidden_meanwhile_cannot_be_accepted(company: Company) -> None:
    """Consent is withdrawn between the asking and the answering; and planning is contacting."""
    task = asks(company, "a11", treatment="medical_call_new_data")
    row = {"channel": "medical_call", "purpose": "service", "status": "opt_out", "kind": "permission"}
    event = {"event_id": "no-call", "table": "preferences", "account_id": "a11", "row": row}
    company.post("/events", event)

    code, _ = status(company, f"/hand-overs/{task['hand_over_id']}/answer", "ml", {"verb": "accept"})

    assert code == 409
    with company.ledger() as ledger:
        assert "touchpoints" not in [row.table for row in ledger.account_state("a11").tail]


def test_a_hand_over_comes_from_a_suggestion_that_exists_for_her(company: Company) -> None:
    """A guessed id must not tell whether there is such a suggestion."""
    company.reads_page("side_effects", "a12")
    secret = next(s for s in company.suggestions("a12", "ml") if s["role"] == "medical_liaison")
    own = company.suggestions("a12")[0]
    for account, suggestion in [("a12", secret), ("a13", own), ("a12", {"suggestion_id": "nix"})]:
        body = {"to_role": "medical_liaison", "suggestion_id": suggestion["suggestion_id"]}
        assert status(company, f"/accounts/{account}/hand-overs", "am", body)[0] == 404

    assert asks(company, "a12", suggestion_id=own["suggestion_id"])["suggestion_id"] == own["suggestion_id"]


@pytest.mark.parametrize("user_id", ["stranger", "rs", "sf", "ml2"])
def test_for_whom_it_does_not_exist_it_is_not_there(company: Company, user_id: str) -> None:
    """Another team, and a commercial colleague who did not ask: 404, not 403."""
    task = asks(company, "a4")

    for path, body in [("", None), ("/answer", {"verb": "accept"})]:
        assert status(company, f"/hand-overs/{task['hand_over_id']}{path}", user_id, body)[0] == 404
    if user_id == "rs":
        assert company.get("/accounts/a4/hand-overs", "rs") == []


def test_only_who_has_it_answers_and_only_who_gave_it_takes_it_back(company: Company) -> None:
    """The asker cannot tick off the other's work."""
    task = asks(company, "a5")
    path = f"/hand-overs/{task['hand_over_id']}/answer"

    assert status(company, path, "am", {"verb": "done"})[0] == 403
    assert status(company, path, "ml", {"verb": "close"})[0] == 403
    assert status(company, path, "ml", {"verb": "reject", "reason": "lazy"})[0] == 422
    assert status(company, path, "ml", {"verb": "done", "channel": "website"})[0] == 422
    assert company.get(f"/hand-overs/{task['hand_over_id']}", "ml")["state"] == "asked"


def test_a_commercial_colleague_never_reads_what_medical_answered(company: Company) -> None:
    """She learns that it is done, and when; what was said about medicine stays with medical."""
    task = asks(company, "a6", treatment="medical_call_new_data")
    answers(company, task, "done", result="replied", note="Discussed off-label use.")
    path = f"/hand-overs/{task['hand_over_id']}"

    hers, theirs = company.get(path, "am"), company.get(path, "ml")

    assert (hers["state"], hers["answer"]) == ("done", None)
    assert "off-label" not in json.dumps([hers, company.get("/accounts/a6/hand-overs", "am")])
    assert theirs["answer"] == "Discussed off-label use."
    channels = [[entry["channel"] for entry in found["timeline"]] for found in (hers, theirs)]
    assert ("medical_call" in channels[0], "medical_call" in channels[1]) == (False, True)


def test_accepting_plans_the_contact_doing_it_records_it_and_sending_it_back_cancels_it(
    company: Company,
) -> None:
    """What colleagues do becomes touchpoints, so that it counts and is learned from."""

    def contact() -> tuple[str, str | None]:
        with company.ledger() as ledger:
            rows = [r for r in ledger.account_state("a7").tail if r.table == "touchpoints"]
        return rows[-1].content["status"], rows[-1].content["treatment"]

    task = asks(company, "a7", treatment="medical_call_new_data")
    answers(company, task, "accept")
    planned = contact()
    answers(company, task, "reject", reason="no_time")
    cancelled = contact()
    again = answers(company, task, "ask_again", "am", note="Please, it is urgent.")
    answers(company, again, "done", result="replied")

    assert (planned, cancelled) == (
        ("planned", "medical_call_new_data"),
        ("cancelled", "medical_call_new_data"),
    )
    assert contact() == ("done", "medical_call_new_data")
    assert company.get(f"/hand-overs/{task['hand_over_id']}")["state"] == "rejected"
    rules = company.get("/accounts/a7/why-not/medical_call_new_data", "ml")["objections"]
    assert "suppression:same_message" in [rule["rule"] for rule in rules]


def test_a_suggestion_to_a_person_carries_what_the_form_said(company: Company) -> None:
    """Nobody should ask what the customer has just written; only on the same topic, or on none."""
    told = {"side_effects": {"question": "Nausea after a week?"}, "dosing": {"question": "Twice a day?"}}
    for topic, details in told.items():
        row = {"direction": "inbound", "channel": "website", "topic": topic, "status": "done",
               "details": details}  # fmt: skip
        event = {"event_id": f"form-{topic}", "table": "touchpoints", "account_id": "a8", "row": row}
        company.post("/events", event)

    found = {s["treatment"]: s["form_answers"] for s in company.suggestions("a8")}

    assert [form["details"] for form in found["visit_side_effects"]] == [told["side_effects"]]
    assert company.get("/worklist")[0]["form_answers"] or found
    company.clock.pass_time(days=31)
    again = {s["treatment"]: s["form_answers"] for s in company.suggestions("a8")}
    company.clock.pass_time(days=-31)
    assert not any(again.values())


def test_figures_say_how_the_agreement_is_kept(company: Company) -> None:
    """Late ones are counted, for those who may see the role's work."""
    before = company.get("/hand-overs/figures", "ml")
    asks(company, "a10")
    company.clock.pass_time(days=5)
    after = {row["to_role"]: row for row in company.get("/hand-overs/figures", "ml")}
    company.clock.pass_time(days=-5)

    was = {"made": 0, "late": 0} | {row["to_role"]: row for row in before}.get("medical_liaison", {})
    now = after["medical_liaison"]
    assert now["made"] == was["made"] + 1
    assert now["late"] >= was["late"] + 1
    assert now["escalated"] >= 1
    assert company.get("/hand-overs/figures", "am") == []


def test_a_manager_sees_what_is_late(tmp_path: Path, ledger_url: str) -> None:
    """Escalated means that somebody above knows, on either database; and it can still be done."""
    tables = tables_of(["e1"], users=people())
    tables["users"][0]["manager_id"] = "boss"
    with served(tmp_path, tables, ledger_url=ledger_url) as company:
        body = {"to_role": "account_manager", "note": "Please visit."}
        task = company.post("/accounts/e1/hand-overs", body, "ml")
        before = company.get("/worklist", "boss")
        company.clock.pass_time(days=4)
        after = company.get("/worklist", "boss")
        done = answers(company, task, "done", "am", channel="visit")

    assert before == []
    assert [(t["state"], t["late"], t["escalated_to"]) for t in after] == [("escalated", True, "boss")]
    assert (done["state"], done["late"]) == ("done", True)


def test_the_night_hands_over_what_came_by_load(tmp_path: Path, ledger_url: str) -> None:
    """A medical question in last night's file reaches medical as surely as a live one, and once."""
    asked = {"direction": "inbound", "channel": "website", "topic": "medical_question"}
    rows = [touchpoint("q1", "n1", occurred_at=days_before(0.5), **asked)]
    late = touchpoint("old", "n2", occurred_at=days_before(40), **asked)
    with served(
        tmp_path, tables_of(["n1", "n2"], touchpoints=[*rows, late]), ledger_url=ledger_url
    ) as company:
        company.night()
        first = company.get("/worklist", "ml")
        company.clock.pass_time(days=1)
        company.night()
        second = company.get("/hand-overs", "ml")

    handed = [t for t in first if t["kind"] == "hand_over"]
    assert [(t["account_id"], t["cause"], t["rule"]) for t in handed] == [
        ("n1", "qualified", "medical_question")
    ]
    assert handed[0]["headline"].endswith("A medical question was asked.")
    assert [t["hand_over_id"] for t in second] == [handed[0]["hand_over_id"]]
    assert handed[0]["due_at"] > iso(UNTIL + DAY)


def test_the_command_escalates_what_is_late_and_counts_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """For days on which nobody reads a list: a scheduler keeps the agreement too."""
    with served(tmp_path, tables_of(["k1"])) as company:
        asks(company, "k1")
        hand_overs(home=tmp_path, as_json=True)
        first = json.loads(capsys.readouterr().out)
        hand_overs(home=tmp_path)
        lines = capsys.readouterr().out.splitlines()

    assert first["escalated_now"] == 1
    (row,) = first["roles"]
    assert (row["to_role"], row["made"], row["late"]) == ("medical_liaison", 1, 1)
    assert lines[0] == "0 late hand-overs were given to a manager now."
    assert lines[1].split()[:3] == ["medical_liaison", "1", "made,"]


def test_her_own_suggestion_rests_while_the_colleague_has_it(tmp_path: Path) -> None:
    """Two colleagues on the same errand is what annoys customers; undone it comes back."""
    tables = tables_of(["a1"])
    next(one for one in tables["users"] if one["user_id"] == "ml")["timezone"] = "America/New_York"
    with served(tmp_path, tables) as company:
        company.reads_page()
        mine = company.suggestions()[0]
        body = {"to_role": "medical_liaison", "suggestion_id": mine["suggestion_id"], "rest": True}
        task = company.post("/accounts/a1/hand-overs", body)
        hidden = [s["suggestion_id"] for s in company.suggestions()]
        company.post(f"/suggestions/{mine['suggestion_id']}/undo", None)
        back = [s["suggestion_id"] for s in company.suggestions()]

    assert mine["suggestion_id"] not in hidden
    assert mine["suggestion_id"] in back
    # 16 working hours of 9 to 17 in New York, from one in the morning there.
    assert task["due_at"] == "2026-01-02T22:00:00Z"
