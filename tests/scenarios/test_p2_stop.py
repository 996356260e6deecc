"""P2: "no more marketing e-mails" holds from that moment, for everybody, in real time and in the night."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from data.playbooks import read_playbook
from tests.api.company import Company, served, tables_of
from tests.data.files import DAY, UNTIL, days_before, iso, touchpoint

ACCOUNTS = [f"dr{n}" for n in random.SystemRandom().sample(range(10**8), 3)]
STOPPED, OTHER, _ = ACCOUNTS
NO_MORE = [{"channel": "email", "purpose": "marketing", "status": "opt_out"}]


def tables() -> dict[str, list[dict[str, Any]]]:
    """Each account has an e-mail planned for tomorrow and was sent one an hour before midnight."""
    rows = []
    for account in ACCOUNTS:
        mail = {"channel": "email", "treatment": "email_guidelines", "topic": "guidelines"}
        sent = {"occurred_at": days_before(1 / 24)}
        plan = {"occurred_at": iso(UNTIL + 2 * DAY), "status": "planned", "stored_at": days_before(1)}
        rows += [touchpoint(f"sent-{account}", account, **mail, **sent)]
        rows += [touchpoint(f"plan-{account}", account, **mail, **plan)]
    return tables_of(ACCOUNTS, touchpoints=rows)


def emails() -> list[str]:
    playbook = read_playbook("pharma")
    return [
        t.id
        for t in playbook.treatments
        if t.kind == "contact" and (t.channel, t.purpose) == ("email", "marketing")
    ]


def why_not_rules(company: Company, account: str, treatment: str) -> list[str]:
    found = company.get(f"/accounts/{account}/why-not/{treatment}")
    return [objection["rule"] for objection in found["objections"]]


def plan_status(company: Company, account: str) -> list[str]:
    with company.ledger() as ledger:
        tail = ledger.account_state(account).tail
    return [row.content["status"] for row in tail if row.content.get("touchpoint_id") == f"plan-{account}"]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Company, dict[str, Any]]]:
    """The visit was suggested, made and completed with the customer's wish."""
    with served(tmp_path_factory.mktemp("stop"), tables()) as company:
        company.night()
        company.reads_page("side_effects", STOPPED)
        # The first may be one that is explored.
        visit = next(s for s in company.suggestions(STOPPED) if s["channel"] == "visit")
        company.clock.pass_time(minutes=1)
        yield company, company.answers(visit, "complete", result="attended", preferences=NO_MORE)


def test_from_that_moment_no_live_decision_offers_a_marketing_email(
    told: tuple[Company, dict[str, Any]],
) -> None:
    """Whoever asks, whatever happens: her page visits included."""
    company, _ = told
    for page in ("side_effects", "new_data", "guidelines"):
        company.clock.pass_time(minutes=1)
        company.reads_page(page, STOPPED)
        shown = [s for user in ("am", "ml", "rs") for s in company.suggestions(STOPPED, user)]
        assert not [s for s in shown if s["channel"] == "email"]

    for treatment in emails():
        assert "consent" in why_not_rules(company, STOPPED, treatment)


def test_others_still_may_be_written_to(told: tuple[Company, dict[str, Any]]) -> None:
    """A stop for one is not a stop for all; else the rule would be an off switch."""
    company, _ = told

    assert not [t for t in emails() if "consent" in why_not_rules(company, OTHER, t)]


def test_the_withdrawal_is_honest(told: tuple[Company, dict[str, Any]]) -> None:
    """What is planned is withdrawn; what went out is admitted, with its time."""
    company, answer = told

    assert (answer["withdrawn"], answer["withdrawn_plans"]) == (1, 1)
    assert [(sent["channel"], sent["at"]) for sent in answer["already_sent"]] == [
        ("email", "2025-12-31T23:00:00Z")
    ]
    assert answer["said"] == "1 withdrawn, 1 already sent at 00:00."
    assert plan_status(company, STOPPED) == ["cancelled"]
    assert plan_status(company, OTHER) == []


def test_no_night_offers_a_marketing_email_any_more(told: tuple[Company, dict[str, Any]]) -> None:
    """The night decides on history, not on the live rows: it must know as well."""
    company, _ = told
    for _night in range(2):
        company.clock.pass_time(days=1)
        company.night()
        shown = [s for user in ("am", "ml", "rs") for s in company.suggestions(STOPPED, user)]
        assert not [s for s in shown if s["channel"] == "email"]
        assert "consent" in why_not_rules(company, STOPPED, "email_new_data")


def test_an_unsubscription_that_comes_as_an_event_stops_as_well(tmp_path: Path) -> None:
    """The link at the foot of the e-mail is the way most people say it; plans go too."""
    with served(tmp_path, tables()) as company:
        row = {"touchpoint_id": f"sent-{OTHER}", "response": "unsubscribed"}
        event = {"event_id": "foot", "table": "responses", "account_id": OTHER, "row": row}
        company.post("/events", event)

        assert "consent" in why_not_rules(company, OTHER, "email_efficacy")
        assert plan_status(company, OTHER) == ["cancelled"]
