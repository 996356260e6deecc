"""Undo of what was completed: list, facts, plan and counts are as if nobody had said that it was done."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
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


def settled(company: Company, account: str) -> list[tuple[str, str]]:
    """Day and state of what has a settled day."""
    return [
        (day["date"], one["suggestion"]["state"])
        for day in company.get("/plan")["days"]
        for one in day["planned"]
        if one["settled"] and one["suggestion"]["account_id"] == account
    ]


def test_what_is_taken_back_stands_on_the_day_that_was_settled_for_it(company: Company) -> None:
    """An appointment that she ticked off by mistake is still an appointment; one that she gave up is none."""
    visit = visit_for(company, "a4")
    company.night()
    days = [day["date"] for day in company.get("/plan")["days"] if day["minutes"]]
    company.post("/plan/moves", {"suggestion_id": visit["suggestion_id"], "date": days[-1], "time": "10:30"})
    by_hand = settled(company, "a4")
    company.answers(visit, "accept", at=f"{days[-2]}T09:00:00Z")
    agreed = settled(company, "a4")
    company.answers(visit, "complete", **RESULT)
    ticked_off = settled(company, "a4")

    undo(company, visit)
    after_result = settled(company, "a4")
    undo(company, visit)

    assert (by_hand, agreed) == ([(days[-1], "open")], [(days[-2], "accepted")])
    assert ticked_off == []
    assert (after_result, settled(company, "a4")) == (agreed, by_hand)


def test_what_the_night_has_made_history_is_taken_back_like_any_other(company: Company) -> None:
    """It ran within two minutes: what was done is history, and the next night takes it back there."""
    visit = visit_for(company, "a5")
    company.night()
    listed, heard = shown(company, "a5"), company.get("/field-notes")
    company.answers(visit, "complete", **RESULT)
    company.night()
    with company.ledger() as ledger:
        waiting = ledger.tail()

    undo(company, visit)
    undone = shown(company, "a5")
    company.clock.pass_time(minutes=1)
    company.night()

    assert waiting == []
    assert (undone, shown(company, "a5")) == (listed, listed)
    assert company.get("/field-notes") == heard == []
    assert [each["direction"] for each in company.get("/accounts/a5/timeline")] == ["inbound", "outbound"]
    assert "nothing" in undo(company, visit, 409)["detail"]
    company.answers(visit, "complete", **RESULT)


def test_of_many_who_take_the_same_back_one_does(company: Company) -> None:
    """Tapped twice, on two tablets: what was accepted before it stays accepted, and facts are there once."""
    visit = visit_for(company, "a6")
    company.answers(visit, "accept")
    listed, facts = shown(company, "a6"), held(company, "a6")
    company.clock.pass_time(seconds=5)
    company.answers(visit, "complete", **RESULT)
    path, headers = f"/v1/suggestions/{visit['suggestion_id']}/undo", company.as_("am")
    company.clock.pass_time(seconds=118)

    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(lambda _: company.client.post(path, headers=headers), range(4)))

    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409]
    assert (shown(company, "a6"), held(company, "a6")) == (listed, facts)


def test_two_wishes_that_contradict_each_other_are_refused(company: Company) -> None:
    """The later of them held, and neither could be taken back."""
    visit = visit_for(company, "a7")
    body = {"verb": "complete", "preferences": [NO_VISITS, NO_VISITS | {"status": "opt_in"}]}

    path = f"/v1/suggestions/{visit['suggestion_id']}/feedback"
    refused = company.client.post(path, headers=company.as_("am"), json=body)

    assert (refused.status_code, "say one" in refused.text) == (422, True)
    company.answers(visit, "complete", preferences=[NO_VISITS, NO_VISITS])
    assert undo(company, visit)["state"] == "open"


def test_what_was_suggested_anew_makes_place_for_what_is_taken_back(company: Company) -> None:
    """Ticked off with last year's date: that the same is due again at once is no reason to keep it."""
    visit = visit_for(company, "a8")
    company.answers(visit, "accept")
    listed, facts = shown(company, "a8"), held(company, "a8")

    company.answers(visit, "complete", at=company.clock.iso(days=-300))
    anew = [s for s in company.suggestions("a8") if s["treatment"] == visit["treatment"]]
    undo(company, visit)

    assert [one["state"] for one in anew] == ["open"]
    assert anew[0]["suggestion_id"] != visit["suggestion_id"]
    assert (shown(company, "a8"), held(company, "a8")) == (listed, facts)
    assert company.get(f"/suggestions/{anew[0]['suggestion_id']}")["state"] == "withdrawn"
