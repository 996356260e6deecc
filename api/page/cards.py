"""What the page shows of a suggestion beside what the API says: its time, its first reason, its evidence."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from api.hand_over_schemas import TimelineOut
from api.schemas import ReasonOut, SuggestionOut
from engine.playbook import Playbook, Treatment
from engine.reasons import TRIGGERS

EVIDENCE_ROWS = 12
_WORTH = frozenset({
    "expected_value", "expected_value_here", "inherited_value", "starting_value", "expected_saving",
    "stop_saving", "expected_response", "context_weight", "other_facts", "held_at_zero", "unproven_at_zero",
})  # fmt: skip
"""Codes of reasons that tell what it is worth and nothing that has happened."""
_NEWS = frozenset({
    "explored", "stop_no_response", "topic_interest", "channel_interest", "activity", "twins",
    "response_history", "responses", "topic_responses", "message_responses", "last_contact", "no_contact_yet",
    "similar_responded", "similar_responded_channel",
})  # fmt: skip
"""Codes of facts with which a conversation can begin; beside what the customer has just done."""
_TRIGGER, _FACT, _OTHER_FACT, _PROFILE, _WORTH_RANK, _AGAINST = range(6)


@dataclass(frozen=True)
class Lead:
    """What a card says beneath its suggestion; `worth` in currency, None where the text says it itself."""

    text: str
    worth: float | None


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


def lead(reasons: Iterable[ReasonOut], priority: float, treatment: Treatment) -> Lead | None:
    """The first fact that speaks for a suggestion, with what it is worth; without a fact the worth alone."""
    told_above = any("{trigger}" in text or "{when}" in text for text in treatment.text.values())
    ordered = facts_first(reasons)
    facts = [reason for reason in ordered if _rank(reason) < _WORTH_RANK]
    # What the customer has just done stands in the suggestion's own sentence already.
    news = [reason for reason in facts if not (told_above and reason.code in TRIGGERS)]
    if news or facts:
        return Lead((news or facts)[0].text, priority if priority > 0.0 else None)
    return Lead(ordered[0].text, None) if ordered else None


def facts_first(reasons: Iterable[ReasonOut]) -> list[ReasonOut]:
    """Reasons as a person asks for them: what happened, who it is, its worth, what speaks against it."""
    return sorted(reasons, key=_rank)


def _rank(reason: ReasonOut) -> int:
    if reason.code in _WORTH:
        return _WORTH_RANK
    if (reason.amount or 0.0) < 0.0:
        return _AGAINST
    if reason.code in TRIGGERS:
        return _TRIGGER
    if reason.code == "profile":
        return _PROFILE
    never = reason.facts.get("count") == 0 or reason.facts.get("responses") == 0
    return _FACT if reason.code in _NEWS and not never else _OTHER_FACT


def evidence(reasons: Iterable[ReasonOut], timeline: Sequence[TimelineOut], now: datetime) -> list[Evidence]:
    """Each reason with the rows behind it: those of its channel, topic or treatment, within its days."""
    return [Evidence(reason, _rows(reason.facts, timeline, now)) for reason in facts_first(reasons)]


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
