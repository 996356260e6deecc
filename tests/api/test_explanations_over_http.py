"""Why not something else, and what would change it, over HTTP."""

from __future__ import annotations

from tests.api.company import Company


def test_why_not_begins_with_one_sentence_and_ends_with_every_rule(company: Company) -> None:
    """Who is in a hurry reads one line; who doubts reads all of them, the satisfied ones too."""
    found = company.get("/accounts/a21/why-not/email_new_data")
    row = {"channel": "email", "purpose": "marketing", "kind": "permission", "status": "opt_out"}
    company.post("/events", {"event_id": "p21", "table": "preferences", "account_id": "a21", "row": row})

    after = company.get("/accounts/a21/why-not/email_new_data")

    assert after["suggested"] is False
    assert after["summary"] == "Not suggested: Opted out of marketing messages (E-mail)."
    assert [rule["rule"] for rule in after["rules"] if not rule["passed"]] == [
        objection["rule"] for objection in after["objections"]
    ]
    satisfied = {rule["rule"]: rule for rule in after["rules"] if rule["passed"]}
    assert "approval_expired" in satisfied
    assert any(rule.startswith("limit:") for rule in satisfied)
    assert all(rule["text"] for rule in after["rules"])
    assert next(r for r in found["rules"] if r["rule"] == "consent")["passed"]


def test_what_is_suggested_has_reasons_that_add_up_and_no_summary(company: Company) -> None:
    """The amounts of all reasons are the priority, also of what people are shown."""
    company.reads_page("side_effects", "a22")
    first = company.suggestions("a22")[0]

    found = company.get(f"/accounts/a22/why-not/{first['treatment']}")

    assert (found["suggested"], found["summary"]) == (True, "")
    assert found["rules"][-1] | {"text": ""} == {
        "stage": "arbitration", "rule": "placed", "unknown": False, "passed": True, "text": "", "facts": {},
    }  # fmt: skip
    amounts = [reason["amount"] for reason in first["reasons"] if reason["amount"] is not None]
    assert abs(sum(amounts) - first["priority"]) < 1e-9 * abs(first["priority"])


def test_what_would_change_it_is_true_when_it_happens(company: Company) -> None:
    """The answer names an interest that would change the first choice; it happens, and it does."""
    before = company.get("/accounts/a23/what-would-change")
    change = next(c for c in before["changes"] if c["code"] == "change_interest")

    row = {"direction": "inbound", "status": "done", **change["facts"]}
    company.post("/events", {"event_id": "i23", "table": "touchpoints", "account_id": "a23", "row": row})

    after = company.get("/accounts/a23/what-would-change")
    assert before["first"] != change["first"] == after["first"]
    assert before["tried"] > 20
    assert change["text"] in before["text"]
    distances = [c["distance_days"] for c in before["changes"]]
    assert distances == sorted(distances)


def test_a_treatment_can_be_asked_for_and_an_unknown_one_is_named(company: Company) -> None:
    """What would it take to visit her about dosing?"""
    asked = company.get("/accounts/a24/what-would-change", treatment="visit_dosing")
    wrong = company.client.get(
        "/v1/accounts/a24/what-would-change", params={"treatment": "visit_dosig"}, headers=company.as_("am")
    )

    assert asked["changes"] == [] or {c["first"] for c in asked["changes"]} == {"visit_dosing"}
    assert asked["text"]
    assert wrong.status_code == 404
    assert "visit_dosing" in wrong.json()["detail"]


def test_the_wall_between_roles_holds_for_what_would_change(company: Company) -> None:
    """A commercial role may not learn from a hypothesis what medical colleagues would be told."""
    refused = company.client.get(
        "/v1/accounts/a25/what-would-change",
        params={"treatment": "medical_call_new_data"},
        headers=company.as_("am"),
    )
    found = company.get("/accounts/a25/what-would-change")

    assert refused.status_code == 403
    assert not any(c["first"].startswith("medical") for c in found["changes"])
    assert not (found["first"] or "").startswith("medical")
