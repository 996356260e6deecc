"""Feedback: what each answer does to the list and to the facts."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from data.ledger.types import TailRow
from engine.contract import DISMISS_REASONS
from engine.dismissals import DISMISSALS
from engine.records import DAY_MICROS
from tests.api.company import Company


def visit_for(company: Company, account_id: str) -> dict[str, Any]:
    """A visit suggested to the account manager a moment ago."""
    company.reads_page("side_effects", account_id)
    company.clock.pass_time(minutes=1)
    visit = company.suggestions(account_id)[0]
    assert visit["treatment"] == "visit_side_effects"
    return visit


def rows_of(company: Company, account_id: str, table: str) -> list[dict[str, Any]]:
    with company.ledger() as ledger:
        return [dict(row.content) for row in ledger.account_state(account_id).tail if row.table == table]


def treatments(company: Company, account_id: str) -> list[str]:
    return [s["treatment"] for s in company.suggestions(account_id)]


def refused(company: Company, suggestion: dict[str, Any], status: int = 422, **body: Any) -> str:
    path = f"/v1/suggestions/{suggestion['suggestion_id']}/feedback"
    answer = company.client.post(path, headers=company.as_("am"), json=body)
    assert answer.status_code == status, answer.text
    detail: str = answer.json()["detail"]
    return detail


def test_accepting_plans_the_visit_and_keeps_it_on_the_list(company: Company) -> None:
    """Accepted = reserved: caps count it, colleagues see it, no second visit is offered."""
    visit = visit_for(company, "a1")

    company.answers(visit, "accept")

    plan = [row for row in rows_of(company, "a1", "touchpoints") if row["status"] == "planned"]
    assert [(row["treatment"], row["decision_id"]) for row in plan] == [
        ("visit_side_effects", visit["decision_id"])
    ]
    own = [(s["suggestion_id"], s["state"]) for s in company.suggestions("a1") if s["channel"] == "visit"]
    assert own == [(visit["suggestion_id"], "accepted")]
    assert company.get("/worklist")[0]["suggestion_id"] == visit["suggestion_id"]


def test_completing_makes_the_visit_a_fact_with_its_result(company: Company) -> None:
    """The plan becomes the deed under the same id; the next decision knows it."""
    visit = visit_for(company, "a2")
    company.answers(visit, "accept")
    company.clock.pass_time(hours=1)

    company.answers(visit, "complete", result="attended", note="Asked about nausea.")

    done = [row for row in rows_of(company, "a2", "touchpoints") if row["channel"] == "visit"]
    assert [row["status"] for row in done] == ["planned", "done"]
    assert len({row["touchpoint_id"] for row in done}) == 1
    assert [row["response"] for row in rows_of(company, "a2", "responses")] == ["attended"]
    assert "visit_side_effects" not in treatments(company, "a2")
    assert "nausea" not in str(done), "Free text is personal and lives apart."


@pytest.mark.parametrize("reason", DISMISS_REASONS)
def test_a_dismissal_acts_by_its_reason(company: Company, reason: str) -> None:
    """Reasons that are stored and forgotten are why people stop giving them."""
    account = f"a{3 + DISMISS_REASONS.index(reason)}"
    visit = visit_for(company, account)

    company.answers(visit, "dismiss", reason=reason)

    feedback = rows_of(company, account, "feedback")[0]
    days = (feedback["until"] - feedback["occurred_at"]) / 86_400e6
    assert days == DISMISSALS[reason].cool_down_days
    assert "visit_side_effects" not in treatments(company, account)
    done = [row for row in rows_of(company, account, "touchpoints") if row["status"] == "done"]
    assert ("visit" in [row["channel"] for row in done]) == (reason == "already_done")
    stops = [(row["channel"], row["status"]) for row in rows_of(company, account, "preferences")]
    assert stops == ([("visit", "opt_out")] if reason == "customer_asked_to_stop" else [])


def test_what_is_dismissed_after_it_was_accepted_is_planned_no_more(company: Company) -> None:
    """Else the caps would count a visit that nobody makes."""
    visit = visit_for(company, "a11")
    company.answers(visit, "accept")

    company.answers(visit, "dismiss", reason="no_access")

    plans = [r["status"] for r in rows_of(company, "a11", "touchpoints") if r["channel"] == "visit"]
    assert plans == ["planned", "cancelled"]


def test_a_snooze_hides_until_it_is_over_and_outlives_the_night(company: Company) -> None:
    """Later means later: neither live decisions nor a night bring it back before."""
    visit = visit_for(company, "a12")
    company.answers(visit, "snooze", until=company.clock.iso(days=2))
    hidden = treatments(company, "a12")
    company.clock.pass_time(days=1)
    company.night()
    after_night = treatments(company, "a12")
    company.clock.pass_time(days=1, hours=1)
    back = company.suggestions("a12")

    assert "visit_side_effects" not in hidden + after_night
    assert visit["suggestion_id"] in [s["suggestion_id"] for s in back]


def test_the_same_answer_twice_is_one_and_another_is_a_conflict(company: Company) -> None:
    """A tablet without a net sends again; two colleagues may press at once."""
    visit = visit_for(company, "a13")
    company.answers(visit, "complete")
    company.answers(visit, "complete")

    said = refused(company, visit, 409, verb="dismiss", reason="other")

    assert "completed" in said
    done = [row for row in rows_of(company, "a13", "touchpoints") if row["channel"] == "visit"]
    assert len(done) == 1


def test_who_changes_her_mind_is_taken_at_her_last_word(company: Company) -> None:
    """Accept, later, accept after all: each is an answer of its own, and each sent twice is one."""
    visit = visit_for(company, "a24")
    until = company.clock.iso(hours=2)
    said = []
    for answer in [{"verb": "accept"}, {"verb": "snooze", "until": until}, {"verb": "accept"}] * 2:
        for _ in range(2):
            said.append(company.answers(visit, **answer)["state"])
        company.clock.pass_time(minutes=1)

    assert said == ["accepted"] * 2 + ["snoozed"] * 2 + ["accepted"] * 4 + ["snoozed"] * 2 + ["accepted"] * 2
    verbs = [row["verb"] for row in rows_of(company, "a24", "feedback")]
    assert verbs == ["accept", "snooze", "accept", "snooze", "accept"]
    plans = [row for row in rows_of(company, "a24", "touchpoints") if row["channel"] == "visit"]
    assert [row["status"] for row in plans] == ["planned", "cancelled"] * 2 + ["planned"]
    assert len({row["touchpoint_id"] for row in plans}) == 1


def test_who_takes_what_she_put_off_ends_her_own_pause_and_no_other(company: Company) -> None:
    """Another visit was dismissed meanwhile, as nobody gets in: that holds for this one too."""
    visit = visit_for(company, "a30")
    company.answers(visit, "snooze", until=company.clock.iso(days=1))
    company.clock.pass_time(minutes=1)
    now = company.clock()
    no_access = {
        "feedback_id": "f", "account_id": "a30", "suggestion_id": "earlier", "treatment": "visit_dosing",
        "role": "account_manager", "user_id": "am", "occurred_at": now, "verb": "dismiss",
        "reason": "no_access", "until": now + 10 * DAY_MICROS,
    }  # fmt: skip
    with company.ledger() as ledger:
        ledger.append([TailRow("f", "feedback", "a30", no_access)], now=now)
    company.clock.pass_time(minutes=1)

    said = refused(company, visit, 409, verb="accept")

    assert "the pause still lasts" in said
    assert "visit" not in [row["channel"] for row in rows_of(company, "a30", "touchpoints")]


def test_a_visit_that_she_no_longer_wants_leaves_colleagues_lists_too(company: Company) -> None:
    """An accepted visit is withdrawn as well when visits are not wanted any more."""
    visit = visit_for(company, "a14")
    company.answers(visit, "accept")
    call = next(s for s in company.suggestions("a14") if s["channel"] == "remote_call")
    no_visits = [{"channel": "visit", "purpose": "marketing", "status": "opt_out"}]

    said = company.answers(call, "complete", preferences=no_visits)

    assert (said["withdrawn_suggestions"], said["withdrawn_plans"]) == (1, 1)
    assert "visit" not in [s["channel"] for s in company.suggestions("a14")]


WAYS = ("preference", "unsubscription", "night")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("verb", ["accept", "snooze"])
def test_what_consent_no_longer_allows_goes_however_it_was_answered(
    company: Company, verb: str, way: str
) -> None:
    """A colleague at the door after "no more visits" is the worst thing this program could do."""
    account = f"a{18 + 2 * WAYS.index(way) + (verb == 'snooze')}"
    visit = visit_for(company, account)
    until = {"until": company.clock.iso(days=1)} if verb == "snooze" else {}
    company.answers(visit, verb, **until)

    withdraw(company, account, way)

    company.clock.pass_time(days=1, hours=1)
    with company.ledger() as ledger:
        assert ledger.suggestion(visit["suggestion_id"]).state == "withdrawn"
    assert "visit" not in [s["channel"] for s in company.suggestions(account)]
    planned = {r["touchpoint_id"]: r["status"] for r in rows_of(company, account, "touchpoints")
               if r["channel"] == "visit" and r["direction"] == "outbound"}  # fmt: skip
    assert "planned" not in planned.values()


def withdraw(company: Company, account_id: str, way: str) -> None:
    """No more visits: told to us live, said after a visit, or found by the night."""
    wish = {"channel": "visit", "purpose": "marketing", "status": "opt_out"}
    if way == "preference":
        company.post("/events", {"event_id": f"no-{account_id}", "table": "preferences",
                                 "account_id": account_id, "row": wish})  # fmt: skip
    elif way == "unsubscription":
        done = {"direction": "outbound", "channel": "visit", "status": "done"}
        company.post("/events", [
            {"event_id": f"m-{account_id}", "table": "touchpoints", "account_id": account_id, "row": done},
            {"event_id": f"u-{account_id}", "table": "responses", "account_id": account_id,
             "row": {"touchpoint_id": f"m-{account_id}", "response": "unsubscribed"}},
        ])  # fmt: skip
    else:
        content = wish | {"account_id": account_id, "kind": "permission", "since": company.clock()}
        with company.ledger() as ledger:
            # Stored, and never decided live: as a load leaves it.
            ledger.append(
                [TailRow(f"n-{account_id}", "preferences", account_id, content)], now=company.clock()
            )
        company.clock.pass_time(minutes=1)
        company.night(ignore_freshness=True)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"verb": "dismiss"}, "needs a reason"),
        ({"verb": "dismiss", "reason": "bored"}, "already_done"),
        ({"verb": "accept", "reason": "other"}, "belongs to"),
        ({"verb": "snooze"}, "until"),
        ({"verb": "snooze", "until": "2020-01-01T00:00:00Z"}, "until"),
        ({"verb": "snooze", "until": "2026-01-09T00:00:00"}, "timezone"),
        ({"verb": "accept", "result": "accepted"}, "complete"),
        ({"verb": "complete", "at": "2031-01-01T00:00:00Z"}, "past"),
        ({"verb": "accept", "at": "2021-01-01T00:00:00Z"}, "ahead"),
        ({"verb": "complete", "preferences": [{"channel": "fax", "status": "opt_out"}]}, "fax"),
        ({"verb": "applaud"}, "accept"),
        ({"verb": "accept", "colour": "red"}, "colour"),
    ],
)
def test_an_answer_that_lacks_something_is_refused_in_one_line(
    company: Company, body: dict[str, Any], said: str
) -> None:
    """Nothing is guessed and nothing stored."""
    visit = visit_for(company, "a15")

    assert said in refused(company, visit, **body)
    assert rows_of(company, "a15", "feedback") == []


def test_a_suggestion_that_has_expired_takes_no_answer(company: Company) -> None:
    """A three-day-old visit suggestion quotes a page read long ago."""
    visit = visit_for(company, "a16")
    company.clock.pass_time(days=4)

    assert "expired" in refused(company, visit, 409, verb="accept")


def test_times_are_given_with_their_zone(company: Company) -> None:
    """A tablet in Tehran and a server in Frankfurt must mean the same moment."""
    visit = visit_for(company, "a17")

    assert datetime.fromisoformat(visit["expires_at"]).tzinfo is not None
