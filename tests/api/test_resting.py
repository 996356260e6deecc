"""An account that is left in peace: nobody is suggested what it rests from, then all is as before."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from data.playbooks import playbook_text
from tests.api.company import Company, served, tables_of
from tests.api.visitors import Visitor
from tests.data.files import DAY, UNTIL, days_before, iso, touchpoint

PLAN = {"channel": "email", "treatment": "email_guidelines", "topic": "guidelines", "status": "planned"}
MARKETING, SERVICE = "visit_efficacy", "reimbursement_coverage"


def book(folder: Path) -> Path:
    """The shipped one, in which a rest is worth suggesting to everybody."""
    text = playbook_text("pharma")
    told = text.replace("days = 60\nvalue = 0\nstarting_uplift = 0", "days = 60\nvalue = 9000")
    always = told.replace('when = "outbound_any_90d >= 4"', 'when = "outbound_any_90d >= 0"')
    assert text != told != always
    path = folder / "resting.toml"
    path.write_text(always, encoding="utf-8")
    return path


@pytest.fixture
def company(tmp_path: Path) -> Iterator[Company]:
    """Two accounts, each with an e-mail planned for the day after tomorrow."""
    ahead = {"occurred_at": iso(UNTIL + 2 * DAY), "stored_at": days_before(1)}
    plans = [touchpoint(f"plan-{a}", a, **PLAN, **ahead) for a in ("a1", "a2")]
    with served(tmp_path, tables_of(["a1", "a2"], touchpoints=plans), playbook=str(book(tmp_path))) as found:
        found.night()
        yield found


def rest(company: Company) -> dict[str, Any]:
    return next(s for s in company.suggestions("a1") if s["treatment"] == "rest_account")


def against(company: Company, treatment: str, account: str = "a1") -> dict[str, dict[str, Any]]:
    user = "rs" if treatment == SERVICE else "am"
    found = company.get(f"/accounts/{account}/why-not/{treatment}", user)
    return {each["rule"]: each for each in found["objections"]}


def test_accepting_a_rest_ends_marketing_for_its_days_and_keeps_permissions(company: Company) -> None:
    """What is accepted has been done: nothing is left to carry out, and no opt-out is invented."""
    before = company.get("/accounts/a1/preferences")
    answer = company.answers(rest(company), "accept")

    assert (answer["state"], answer["withdrawn_plans"]) == ("completed", 1)
    assert (
        against(company, MARKETING)["resting"]["text"]
        == "This account is left in peace for now; 60 days left."
    )
    assert "resting" in against(company, "rest_account")
    assert "resting" not in against(company, SERVICE)
    assert "resting" not in against(company, MARKETING, "a2")
    assert company.get("/accounts/a1/preferences") == before


def test_what_a_rest_would_end_is_neither_planned_nor_waiting(company: Company) -> None:
    """ "Leave her in peace" and "call her" beside each other would be no advice."""
    plan = company.get("/plan")
    planned = {one["suggestion"]["treatment"] for day in plan["days"] for one in day["planned"]}
    waiting = {one["treatment"] for one in plan["waiting"]}

    assert planned == {"rest_account"}
    assert not {name for name in waiting if name.startswith(("visit", "call"))}


def test_nobody_is_suggested_what_it_rests_from_live_or_at_night(company: Company) -> None:
    """A colleague's new list would else undo hers."""
    company.answers(rest(company), "accept")
    company.clock.pass_time(minutes=1)
    company.reads_page("efficacy")
    assert "resting" in against(company, MARKETING)

    company.clock.pass_time(days=1)
    company.night()
    assert "resting" in against(company, MARKETING)

    company.clock.pass_time(days=60)
    assert "resting" not in against(company, MARKETING)


def test_a_rest_can_be_taken_back(company: Company) -> None:
    """A slip of the finger must not silence an account for two months."""
    suggestion = rest(company)
    company.answers(suggestion, "accept")
    path = f"/v1/suggestions/{suggestion['suggestion_id']}/undo"
    response = company.client.post(path, headers=company.as_("am"))

    assert response.status_code == 200, response.text
    assert "resting" not in against(company, MARKETING)


def test_the_page_offers_to_confirm_a_rest_and_no_result_or_day(company: Company) -> None:
    """Nobody was met, so there is nothing to record and no day to choose."""
    visitor, alone = Visitor(company), f"/suggestions/{rest(company)['suggestion_id']}"
    day, page = (visitor.client.get(path).text for path in ("/day", alone))

    assert (
        'class="card-mark" aria-hidden="true"><svg class="icon" aria-hidden="true"><use href="#i-stop"' in day
    )
    for text in (day, page):
        assert ">Accept</button>" in text
        assert "Record the result" not in text
    assert "Choose the day" not in page
