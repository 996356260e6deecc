"""Small companies on the shipped playbooks: who works there, and accounts as a test describes them."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from data.ledger.types import Suggestion
from tests.api.company import Company, random_name, served
from tests.data.files import account, days_before, preference, team_member, touchpoint, user
from tests.scenarios.playbooks import shipped

TEAMS: dict[str, dict[str, str]] = {
    "telecom": {"account_manager": "am", "technical_sales": "ts"},
    "b2b_software": {"field_sales": "fs", "inside_sales": "is", "marketer": "mk"},
    "small_company": {"owner": "ow"},
    "ecommerce": {},
}
"""Role and user; `head` is above them all, `job` sends events."""
ALWAYS = {"country": "DE", "language": "en", "automated": False, "potential_value": 20_000}
Rows = dict[str, list[dict[str, Any]]]


def tables(playbook: str, accounts: Mapping[str, Mapping[str, Any]], **more: list[dict[str, Any]]) -> Rows:
    """Accounts with their columns; everybody serves all of them, and everything is permitted."""
    people = TEAMS[playbook]
    rows: Rows = {
        "accounts": [
            account(a, name=random_name(i), **(ALWAYS | dict(columns)))
            for i, (a, columns) in enumerate(accounts.items())
        ],
        "users": [
            user("head", name="Head", role="head_of_sales"),
            user("job", name="Events", role="job"),
            *(user(id, name=f"Colleague {id}", role=role, manager_id="head") for role, id in people.items()),
        ],
        "account_team": [
            team_member(a, role=role, user_id=id) for a in accounts for role, id in people.items()
        ],
        "touchpoints": [
            touchpoint(f"old-{a}", a, occurred_at=days_before(300), direction="inbound", channel="website")
            for a in accounts
        ],
        "responses": [], "outcomes": [], "offers": [],
        "preferences": [
            preference(a, channel="*", purpose=purpose, since=days_before(400))
            for a in accounts for purpose in ("marketing", "service", "web_behaviour")
        ],
    }  # fmt: skip
    return {name: table + more.get(name, []) for name, table in rows.items()}


def rules(folder: Path, playbook: str, *changes: tuple[str, str]) -> str:
    """The shipped playbook as a file, without exploration, with parts of its text exchanged."""
    text = shipped(playbook)
    for old, new in (
        *changes,
        *((f"exploration_share = {s}", "exploration_share = 0") for s in ("0.02", "0.05")),
    ):
        assert old in text or old.startswith("exploration_share"), old
        text = text.replace(old, new)
    file = folder / f"{playbook}.toml"
    file.write_text(text, encoding="utf-8")
    return str(file)


@contextmanager
def house(folder: Path, playbook: str, rows: Rows, text: str | None = None) -> Iterator[Company]:
    """The company, served; `text` = path of another playbook than the shipped one without exploration."""
    with served(folder, rows, playbook=text or rules(folder, playbook)) as company:
        yield company


def event(company: Company, table: str, account_id: str, user_id: str = "job", **row: Any) -> Any:
    """Something happens now; a minute later it is past."""
    event_id = f"{table}-{account_id}-{company.clock()}"
    body = {"event_id": event_id, "table": table, "account_id": account_id, "row": row}
    found = company.post("/events", body, user_id)
    company.clock.pass_time(minutes=1)
    return found


def asks(company: Company, account_id: str, topic: str, channel: str = "website", **details: Any) -> None:
    """The account looks something up, or fills in a form."""
    row = {"direction": "inbound", "channel": channel, "topic": topic, "status": "done"}
    event(company, "touchpoints", account_id, **row, **({"details": details} if details else {}))


def listed(company: Company, account_id: str) -> list[Suggestion]:
    """Everything that anybody, or the system, is to do for the account."""
    with company.ledger() as ledger:
        return ledger.suggestions(account_id, now=company.clock())


def treatments(company: Company, account_id: str) -> set[str]:
    return {one.treatment for one in listed(company, account_id)}


def objections(company: Company, account_id: str, treatment: str, user_id: str) -> set[str]:
    """Rules that speak against a treatment now."""
    why = company.get(f"/accounts/{account_id}/why-not/{treatment}", user_id)
    return {objection["rule"] for objection in why["objections"]}


def named(letter: str, count: int, seed: int) -> Sequence[str]:
    """Account ids that nobody can hard-code."""
    draw = random.Random(seed) if seed else random.SystemRandom()
    return [f"{letter}{number}" for number in draw.sample(range(10**8), count)]
