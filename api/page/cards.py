"""What the page shows of a suggestion beside what the API says: its time, its colleague, its evidence."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from api.hand_over_schemas import TimelineOut
from api.schemas import ReasonOut, SuggestionOut
from engine.playbook import Playbook, Treatment

EVIDENCE_ROWS = 12


@dataclass(frozen=True)
class Evidence:
    """A reason with the touchpoints that it counts."""

    reason: ReasonOut
    rows: Sequence[TimelineOut]


def treatment_of(suggestion: SuggestionOut, playbook: Playbook) -> Treatment:
    """What is suggested."""
    return playbook.treatment(suggestion.treatment)


def minutes_of(suggestions: Iterable[SuggestionOut], playbook: Playbook) -> float:
    """Time that suggestions to people take together."""
    whole = [round(treatment_of(one, playbook).minutes) for one in suggestions]
    return float(sum(whole))


def evidence(reasons: Iterable[ReasonOut], timeline: Sequence[TimelineOut], now: datetime) -> list[Evidence]:
    """Each reason with the rows behind it: those of its channel, topic or treatment, within its days."""
    return [Evidence(reason, _rows(reason.facts, timeline, now)) for reason in reasons]


def _rows(facts: dict[str, Any], timeline: Sequence[TimelineOut], now: datetime) -> list[TimelineOut]:
    named = {name: facts[name] for name in ("channel", "topic", "treatment") if facts.get(name)}
    if not named:
        return []
    days = facts.get("days")
    since = now - timedelta(days=float(days)) if isinstance(days, int | float) else None
    found = [
        row
        for row in timeline
        if all(getattr(row, name) == value for name, value in named.items())
        and (since is None or row.at >= since)
        and row.status == "done"
    ]
    return found[:EVIDENCE_ROWS]
