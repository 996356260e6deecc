"""What is heard in the field: counted for those who make content, and answered on the next suggestion."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from api.timeline import may_read
from data.ledger.types import FieldNote, Suggestion
from data.times import to_datetime
from engine.conditions import near
from engine.playbook import Playbook
from engine.records import DAY_MICROS, EngineError
from engine.shared_answers import SharedAnswer, answers_to

ANSWER_DAYS = 90.0
"""How long what was heard of an account brings answers to its suggestions."""
Period = Literal["all", "week", "month"]


class FieldNoteError(EngineError):
    """What was heard names something that the playbook does not have; nothing was stored."""


@dataclass(frozen=True)
class NoteCount:
    """How often something was heard, of how many accounts, and when last; `period` = its first day or ""."""

    period: str
    kind: str
    topic: str
    what: str
    times: int
    accounts: int
    latest: int


def check_heard(heard: Mapping[str, Any], playbook: Playbook) -> None:
    """Raises FieldNoteError: no such topic; a side effect is reported and not noted."""
    known = {topic.id: topic for topic in playbook.topics}
    entries = [entry for part in heard.values() for entry in part]
    for topic in {entry["topic"] for entry in entries if entry.get("topic")}:
        if topic not in known:
            raise FieldNoteError(f"There is no topic {topic!r}{near(topic, known) or '.'}")
        if known[topic].safety:
            raise FieldNoteError(f"{topic!r} is a safety report: send it as an adverse event.")


def counted(
    notes: Iterable[FieldNote], roles: Collection[str], playbook: Playbook, *, period: Period
) -> list[NoteCount]:
    """What was heard, by period, topic and what it was; the latest period first, then the most frequent.

    Only what the roles may read of. Names of competitors are the same in capitals and small letters; the
    latest way of writing is shown.
    """
    groups: dict[tuple[str, str, str, str], list[FieldNote]] = {}
    for note in notes:
        if may_read(note.topic or None, note.role or None, roles, playbook):
            key = (_period_of(note.noted_at, period), note.kind, note.topic, note.what.casefold())
            groups.setdefault(key, []).append(note)
    found = [
        NoteCount(
            key[0], key[1], key[2], max(group, key=lambda n: n.noted_at).what, len(group),
            len({note.account_id for note in group}), max(note.noted_at for note in group),
        )
        for key, group in groups.items()
    ]  # fmt: skip
    found.sort(key=lambda one: (-one.times, one.kind, one.topic, one.what))
    return sorted(found, key=lambda one: one.period, reverse=True)


def _period_of(moment: int, period: Period) -> str:
    """The first day (UTC) of the week or month; "" = all together."""
    if period == "all":
        return ""
    day: datetime = to_datetime(moment).astimezone(UTC)
    first = day.replace(day=1) if period == "month" else day - timedelta(days=day.weekday())
    return first.date().isoformat()


def answers_for(
    suggestion: Suggestion, notes: Sequence[FieldNote], roles: Collection[str], playbook: Playbook
) -> list[SharedAnswer]:
    """The shared answers to what was heard of the account, for a person who is to contact it."""
    treatment = playbook.treatment(suggestion.treatment)
    system = {role.id for role in playbook.roles if role.system}
    if treatment.kind != "contact" or treatment.role in system:
        return []
    heard = [note for note in notes if note.account_id == suggestion.account_id]
    found = {
        answer.id: answer
        for note in heard
        if may_read(note.topic or None, note.role or None, roles, playbook)
        for answer in answers_to(playbook.answers, note.kind, note.topic, note.what)
        if may_read(answer.topic or None, None, roles, playbook)
    }
    return list(found.values())


def notes_since(now: int) -> int:
    """The moment after which what was heard brings answers."""
    return now - round(ANSWER_DAYS * DAY_MICROS)
