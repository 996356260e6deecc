"""What a dismissal does besides its cool-down: counted, put right, reviewed; and what it leaves to others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from api.cli import assemble
from data.live import history_of
from engine.contract import DISMISS_REASONS
from tests.api.company import Company, served, tables_of
from tests.data.files import user

ACCOUNTS = [f"a{number}" for number in range(1, 10)]
VISIT = "visit_side_effects"
AWAY_DAYS = {"wrong_time": 7, "not_compliant": 90}


@pytest.fixture
def company(tmp_path: Path, ledger_url: str) -> Iterator[Company]:
    tables = tables_of(ACCOUNTS)
    tables["users"] = [
        row | {"manager_id": "boss"} if row["user_id"] == "am" else row for row in tables["users"]
    ] + [user("boss", name="Colleague boss", role="director")]
    with served(tmp_path, tables, ledger_url=ledger_url) as company:
        yield company


def dismissed(company: Company, account: str, reason: str) -> dict[str, Any]:
    """The visit suggested after the page was read, dismissed."""
    company.reads_page("side_effects", account)
    visit = next(s for s in company.suggestions(account) if s["treatment"] == VISIT)
    company.answers(visit, "dismiss", reason=reason)
    return visit


def objections(company: Company, account: str, treatment: str = VISIT) -> list[str]:
    return [o["rule"] for o in company.get(f"/accounts/{account}/why-not/{treatment}")["objections"]]


def test_every_reason_shows_in_the_next_decision_live_and_at_night(company: Company) -> None:
    """A reason that is stored and forgotten is why people stop giving reasons."""
    away: dict[str, Any] = {}
    for account, reason in zip(ACCOUNTS, DISMISS_REASONS, strict=False):
        dismissed(company, account, reason)
        rules = objections(company, account)
        away[reason] = ("snoozed" in rules, "consent" in rules)
    company.clock.pass_time(days=6)
    company.night(ignore_freshness=True)
    at_night = {a: [s["treatment"] for s in company.suggestions(a)] for a in ACCOUNTS}
    ends = {}
    for account, reason in zip(ACCOUNTS, DISMISS_REASONS, strict=False):
        company.clock.pass_time(seconds=1)
        ends[reason] = until(company, account)

    assert away == {r: (True, r == "customer_asked_to_stop") for r in DISMISS_REASONS}
    assert all(VISIT not in found for found in at_night.values())
    assert ends == {reason: AWAY_DAYS.get(reason, 30) for reason in DISMISS_REASONS}


def until(company: Company, account: str) -> float:
    with company.ledger() as ledger:
        state = ledger.account_state(account)
    row = history_of(state)["feedback"].row(0, named=True)
    return (row["until"] - row["occurred_at"]).total_seconds() / 86_400


def test_no_access_keeps_the_channel_away_and_leaves_the_liaison_her_own(company: Company) -> None:
    """Who cannot get through the door cannot with another leaflet either; a colleague of another role can."""
    company.reads_page("side_effects", "a1")
    before = [s["treatment"] for s in company.suggestions("a1", "ml") if s["role"] == "medical_liaison"]

    dismissed(company, "a1", "no_access")

    visits = [s["treatment"] for s in company.suggestions("a1") if s["channel"] == "visit"]
    after = [s["treatment"] for s in company.suggestions("a1", "ml") if s["role"] == "medical_liaison"]
    assert visits == []
    assert "snoozed" in objections(company, "a1", "visit_dosing")
    assert before
    assert set(before) <= set(after)


def test_a_wrong_contact_waits_until_somebody_puts_it_right(company: Company) -> None:
    """The next colleague must not knock at the same wrong door."""
    visit = dismissed(company, "a1", "wrong_contact")
    dismissed(company, "a2", "other")

    listed = company.get("/corrections", "boss")
    settled = [company.post(f"/corrections/{visit['suggestion_id']}/settle", {}, "boss") for _ in range(2)]

    assert [(c["account_id"], c["reason"], c["reported_by"]) for c in listed] == [
        ("a1", "wrong_contact", "am")
    ]
    assert settled[0] == settled[1]
    assert settled[0]["settled_by"] == "boss"
    assert company.get("/corrections", "boss") == []


def test_what_three_accounts_show_as_not_compliant_is_stopped_until_it_was_reviewed(company: Company) -> None:
    """One complaint is an opinion, three are a reason to look before the fourth customer sees it."""
    for account in ("a1", "a2"):
        dismissed(company, account, "not_compliant")
    company.reads_page("side_effects", "a4")
    none_yet = company.get("/contact-stops", "boss")

    dismissed(company, "a3", "not_compliant")

    stop = company.get("/contact-stops", "boss")[0]
    assert none_yet == []
    assert (stop["scope"], stop["stopped_by"]) == (f"treatment:{VISIT}", "playbook")
    assert VISIT not in [s["treatment"] for s in company.suggestions("a4")]
    counted = company.get("/dismissals", "boss")
    assert [(c["treatment"], c["reason"], c["times"], c["accounts"], c["stopped"]) for c in counted] == [
        (VISIT, "not_compliant", 3, 3, True)
    ]
    company.post(f"/contact-stops/{stop['stop_id']}/resume", {"reason": "text was corrected"}, "boss")
    company.clock.pass_time(minutes=1)
    dismissed(company, "a5", "not_compliant")
    assert company.get("/contact-stops", "boss") == []


def test_counts_and_corrections_are_for_those_who_lead(company: Company) -> None:
    """A list of who dismissed what is not for colleagues."""
    for path in ("/dismissals", "/corrections"):
        answer = company.client.get(f"/v1{path}", headers=company.as_("am"))
        assert answer.status_code == 403
    said = company.client.post("/v1/corrections/none/settle", headers=company.as_("boss"), json={})
    assert said.status_code == 404


def test_the_commands_show_and_settle_the_same(company: Company) -> None:
    """The data owner works at a terminal."""
    visit = dismissed(company, "a1", "wrong_contact")
    home = ["--home", str(company.settings.home)]
    env = {"NEXTBEST_LEDGER_URL": company.settings.ledger_url or ""}

    shown = CliRunner().invoke(assemble(), ["corrections", *home], env=env)
    counted = CliRunner().invoke(assemble(), ["dismissals", "--days", "36500", *home], env=env)
    settled = CliRunner().invoke(
        assemble(), ["corrections", "--settle", visit["suggestion_id"], *home], env=env
    )

    assert f"{visit['suggestion_id']}  a1" in shown.output
    assert f"{VISIT}  wrong_contact: 1 times for 1 accounts" in counted.output
    assert "Nothing waits to be put right." in settled.output
