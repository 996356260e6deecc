"""What was said with an account, for a colleague who is to go on: only what her role may see."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from data.ledger.types import Suggestion, Told
from data.times import micros
from engine.playbook import Playbook
from engine.playbook_rules import apart
from engine.records import DAY_MICROS, History, known_rows

FORM_DAYS = 30.0
"""How long what a form said travels with suggestions."""


@dataclass(frozen=True)
class Entry:
    """One touchpoint of a timeline; `at` in microseconds UTC."""

    touchpoint_id: str
    at: int
    direction: str
    status: str
    channel: str
    topic: str | None
    treatment: str | None
    role: str | None
    user_id: str | None
    responses: tuple[str, ...]
    details: Mapping[str, Any]


def may_read(topic: str | None, role: str | None, roles: Collection[str], playbook: Playbook) -> bool:
    """Whether who sees these roles' work may read of a touchpoint.

    Not where a role that she does not see carried it out (medical and commercial are apart), nor a safety
    report or a question that belongs to others.
    """
    if role in {r.id for r in playbook.roles} and role not in roles:
        return False
    found = next((t for t in playbook.topics if t.id == topic), None)
    if found is None:
        return True
    if found.safety:
        return playbook.safety_role in roles
    people = {r.id: r.side for r in playbook.roles if not r.system}
    sides = [side for own, side in people.items() if own in roles]
    if found.side != "both" and all(apart(found.side, side) for side in sides):
        return False
    owners = set(found.owners) & people.keys()
    return not owners or not owners.isdisjoint(roles)


def timeline(
    history: History, told: Iterable[Told], roles: Collection[str], playbook: Playbook, now: int, *,
    limit: int,
) -> list[Entry]:  # fmt: skip
    """The touchpoints of one account that she may read of, the latest first, plans among them."""
    details = {one.touchpoint_id: details_of(one.details) for one in told}
    answers: dict[str, list[str]] = {}
    for row in known_rows(history["responses"], now).sort("responded_at", "response").iter_rows(named=True):
        answers.setdefault(row["touchpoint_id"], []).append(row["response"])
    rows = known_rows(history["touchpoints"], now).sort(
        pl.col("occurred_at"), "touchpoint_id", descending=[True, False]
    )
    readable = (
        row for row in rows.iter_rows(named=True) if may_read(row["topic"], row["role"], roles, playbook)
    )
    names = ("touchpoint_id", "direction", "status", "channel", "topic", "treatment", "role", "user_id")
    return [
        Entry(
            **{name: row[name] for name in names},
            at=micros(row["occurred_at"]),
            responses=tuple(answers.get(row["touchpoint_id"], ())),
            details=details.get(row["touchpoint_id"], {}),
        )
        for row, _ in zip(readable, range(limit), strict=False)
    ]


def details_of(text: str | None) -> dict[str, Any]:
    """Details as a table; a text that is no JSON object stands under "text"."""
    try:
        found = json.loads(text or "{}")
    except ValueError:
        return {"text": text}
    return found if isinstance(found, dict) else {"text": text}


def forms_for(
    suggestion: Suggestion, told: Sequence[Told], roles: Collection[str], playbook: Playbook
) -> list[Told]:
    """What the account told that a person needs who follows the suggestion: on its topic, or on none."""
    treatment = playbook.treatment(suggestion.treatment)
    system = {role.id for role in playbook.roles if role.system}
    if treatment.kind != "contact" or treatment.role in system:
        return []
    return [
        one
        for one in told
        if one.account_id == suggestion.account_id
        and one.direction == "inbound"
        and one.details is not None
        and (not one.topic or not treatment.topic or one.topic == treatment.topic)
        and may_read(one.topic, one.role, roles, playbook)
    ]


def forms_since(now: int) -> int:
    """The moment after which what a form said travels with suggestions."""
    return now - round(FORM_DAYS * DAY_MICROS)
