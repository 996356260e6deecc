"""A software house with a marketer and a seller, on the funnel of eight stages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.api.company import Company, random_name, served
from tests.data.files import account, days_before, team_member, touchpoint, user
from tests.engine import funnel

LEADS = """
[hand_overs.ready_to_buy]
qualified_when = "stage = 'purchase_intention'"
by = "marketer"
to = "seller"
text.en = "Asked about prices twice within a month."

[service_levels.seller]
hours = 4

[topics.doubts]
name.en = "Doubts"
owners = ["marketing"]
""" + funnel.treatment("answer_doubts", "email", "system", topic='"doubts"')
TEAM = {"marketer": "mk", "seller": "se"}


def text(**parts: str) -> str:
    return funnel.text(rest=LEADS, **parts)


def tables(accounts: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    people = [user(id, name=f"Colleague {id}", role=role, manager_id="head") for role, id in TEAM.items()]
    return {
        "accounts": [account(a, name=random_name(i), potential_value=5_000) for i, a in enumerate(accounts)],
        "users": [*people, user("head", name="Head of sales", role="seller")],
        "account_team": [team_member(a, role=r, user_id=u) for a in accounts for r, u in TEAM.items()],
        "touchpoints": [
            touchpoint(f"t-{a}", a, occurred_at=days_before(200), channel="email", treatment="guide")
            for a in accounts
        ],
        "responses": [],
        "outcomes": [],
        "preferences": [],
    }


@contextmanager
def house(home: Path, accounts: Sequence[str], playbook: str | None = None, **more: Any) -> Iterator[Company]:
    path = home / "funnel.toml"
    path.write_text(playbook or text(), encoding="utf-8")
    with served(home, tables(accounts), playbook=str(path), **more) as company:
        yield company


def asks_about(company: Company, account_id: str, topic: str, **details: Any) -> None:
    """The account fills in a form."""
    row: dict[str, Any] = {"direction": "inbound", "channel": "form", "topic": topic, "status": "done"}
    row |= {"details": details} if details else {}
    event_id = f"{account_id}-{topic}-{company.clock()}"
    event = {"event_id": event_id, "table": "touchpoints", "account_id": account_id, "row": row}
    company.post("/events", event, "mk")
    company.clock.pass_time(minutes=1)


def buys(company: Company, account_id: str) -> None:
    row = {"kind": "order", "value": 100.0}
    event_id = f"{account_id}-order-{company.clock()}"
    event = {"event_id": event_id, "table": "outcomes", "account_id": account_id, "row": row}
    company.post("/events", event, "mk")
    company.clock.pass_time(minutes=1)
