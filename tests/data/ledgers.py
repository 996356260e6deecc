"""Builders for tests of the ledger: small worlds with defaults."""

from __future__ import annotations

from typing import Any

import polars as pl

from data.ledger.ledger import Ledger
from data.ledger.types import LoggedDecision, Proposal, Suggestion, TailRow

DAY = 86_400_000_000
NOON = 20_000 * DAY + DAY // 2
"""A moment to begin with, microseconds UTC."""
LATER = NOON + 7 * DAY
"""When a suggestion of these builders expires."""


def accounts(*account_ids: str, names: dict[str, str] | None = None) -> pl.DataFrame:
    """Accounts as ingest gives them; each is called after its id."""
    return pl.DataFrame(
        {
            "account_id": list(account_ids),
            "name": [(names or {}).get(a, f"Dr {a}") for a in account_ids],
            "language": ["de"] * len(account_ids),
            "timezone": ["Europe/Berlin"] * len(account_ids),
            "territory": ["north"] * len(account_ids),
        }
    )


def users(**managers: str | None) -> pl.DataFrame:
    """Colleagues and to whom they report."""
    ids = list(managers)
    return pl.DataFrame(
        {
            "user_id": ids,
            "name": [u.title() for u in ids],
            "role": ["account_manager"] * len(ids),
            "manager_id": list(managers.values()),
        },
        schema_overrides={"manager_id": pl.String()},
    )


def team(**members: str) -> pl.DataFrame:
    """Account -> the account manager who serves it."""
    return pl.DataFrame(
        {
            "account_id": list(members),
            "role": ["account_manager"] * len(members),
            "user_id": list(members.values()),
        }
    )


def touch(event_id: str, account_id: str = "a", **content: Any) -> TailRow:
    """A visit to the website, as it arrives."""
    row = {
        "touchpoint_id": event_id,
        "account_id": account_id,
        "occurred_at": NOON,
        "channel": "website",
        **content,
    }
    return TailRow(event_id, "touchpoints", account_id, row)


def proposal(treatment: str = "visit", **changes: Any) -> Proposal:
    """A proposal for user u, worth 10."""
    values: dict[str, Any] = {
        "role": "account_manager",
        "user_id": "u",
        "channel": "visit",
        "rank": 1,
        "priority": 10.0,
        "expires_at": LATER,
        "reasons": [{"code": "read_topic", "topic": "dosing"}],
    }
    return Proposal(treatment=treatment, **(values | changes))


def decision(decision_id: str, account_id: str = "a", **changes: Any) -> LoggedDecision:
    """A logged decision to visit."""
    values: dict[str, Any] = {
        "decided_at": NOON,
        "treatment": "visit",
        "probability": 0.98,
        "explored": False,
        "playbook": "p1",
        "release": "r1",
        "seed": 7,
        "trigger": "event:e1",
    }
    return LoggedDecision(decision_id=decision_id, account_id=account_id, **(values | changes))


def post(
    ledger: Ledger, decision_id: str, *proposals: Proposal, account_id: str = "a", now: int = NOON
) -> list[Suggestion]:
    """Post a list decided on the account's present version; what is shown then."""
    version = ledger.account_state(account_id).version
    ledger.post(decision(decision_id, account_id), proposals, version=version, now=now)
    return ledger.suggestions(account_id, now=now)


def night(
    ledger: Ledger, run_id: str, lists: dict[str, list[Proposal]], *, now: int = NOON, complete: bool = True
) -> None:
    """A whole night: these lists for these accounts."""
    ledger.begin_run(run_id, now, now=now)
    versions = ledger.versions()
    rows = [(decision(f"{run_id}:{a}", a), proposals, versions[a]) for a, proposals in lists.items()]
    ledger.stage(run_id, rows, now=now)
    if complete:
        ledger.complete_run(run_id, summary={}, now=now)
