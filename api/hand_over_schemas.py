"""What goes in and out over HTTP about hand-overs."""

from __future__ import annotations

from datetime import datetime, tzinfo
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, Field

from api.hand_overs import Reply, Wanted
from api.schemas import FormAnswersOut, Identifier, Strict
from api.timeline import Entry
from data.ledger.hand_over_types import HandOver
from data.times import micros, to_datetime
from engine.playbook import Playbook
from engine.wording import Reader, say, text_in

Note = Annotated[str, Field(max_length=4000)]


class HandOverIn(Strict):
    """Ask a colleague to do something for an account."""

    to_role: Identifier
    to_user: Identifier | None = Field(default=None, description="Else who serves the account in the role.")
    treatment: Identifier | None = None
    topic: Identifier | None = None
    suggestion_id: Identifier | None = Field(default=None, description="The suggestion that it comes from.")
    note: Note | None = None
    rest: Annotated[bool, Field(description="My own suggestion rests until the colleague is due.")] = False

    def wanted(self) -> Wanted:
        """In the service's words."""
        return Wanted(**self.model_dump())


class ReplyIn(Strict):
    """An answer to a hand-over."""

    verb: Literal["accept", "done", "reject", "close", "ask_again"]
    reason: Identifier | None = Field(default=None, description="Why it is sent back; typed.")
    note: Note | None = None
    at: AwareDatetime | None = Field(default=None, description="accept: planned for; done: done at.")
    channel: Identifier | None = Field(
        default=None, description="How it was done, where no treatment says so."
    )
    result: Literal["replied", "attended", "accepted", "rejected"] | None = None

    def reply(self) -> Reply:
        """In the service's words."""
        at = None if self.at is None else micros(self.at)
        return Reply(self.verb, self.reason, self.note, at, self.channel, self.result)


class AdverseEventIn(Strict):
    """A side effect that was reported."""

    description: Annotated[str, Field(min_length=1, max_length=10_000)]
    product: Identifier | None = None
    serious: bool | None = None
    channel: Identifier | None = Field(default=None, description="Where it was heard.")
    at: AwareDatetime | None = Field(default=None, description="When it was heard; default now.")

    def report(self) -> dict[str, Any]:
        """What the safety role reads."""
        return self.model_dump(include={"description", "product", "serious"}, exclude_none=True)


class HandOverOut(BaseModel):
    """A hand-over as it stands."""

    kind: Literal["hand_over"] = "hand_over"
    hand_over_id: str
    account_id: str
    account_name: str
    cause: str = Field(description="asked, qualified (by a rule) or safety.")
    headline: str
    rule: str | None
    suggestion_id: str | None
    treatment: str | None
    topic: str | None
    stage: str | None = Field(description="Of the account when it was handed over, where known.")
    by_role: str
    by_user: str | None
    by_name: str | None
    to_role: str
    to_user: str | None
    to_name: str | None
    state: str
    reason: str | None
    note: str | None
    answer: str | None = Field(description="For those who may see the receiving role's work.")
    comment: str | None = Field(description="Likewise.")
    asked_at: datetime
    due_at: datetime | None
    late: bool
    closed_at: datetime | None
    escalated_at: datetime | None
    escalated_to: str | None


class TimelineOut(BaseModel):
    """One touchpoint."""

    touchpoint_id: str
    at: datetime
    direction: str
    status: str
    channel: str
    topic: str | None
    treatment: str | None
    role: str | None
    user_id: str | None
    responses: list[str]
    details: dict[str, Any]


class HandOverDetailOut(HandOverOut):
    """A hand-over with its context."""

    form_answers: list[FormAnswersOut]
    timeline: list[TimelineOut] = Field(description="The latest first.")


class FiguresOut(BaseModel):
    """How a role keeps what was agreed."""

    to_role: str
    made: int
    waiting: int
    done: int
    sent_back: int
    late: int
    escalated: int
    in_time: float | None = Field(description="Share of those with a service level; null without any.")
    median_hours: float | None = Field(description="By the clock, from asked to done.")


def timeline_out(entry: Entry) -> TimelineOut:
    """One touchpoint."""
    values = vars(entry) | {"at": to_datetime(entry.at), "responses": list(entry.responses)}
    return TimelineOut(**values)


def hand_over_out(
    found: HandOver, *, names: dict[str, str], sees_answer: bool, language: str, zone: tzinfo, now: int,
    playbook: Playbook,
) -> HandOverOut:  # fmt: skip
    """A hand-over in the reader's language.

    Args:
        names: user_id -> name.
        sees_answer: Whether the reader may see what the receiving role writes.
    """
    reader = Reader(language, now, zone, playbook)
    values = {name: getattr(found, name) for name in _SAME}
    times = {name: None if (at := getattr(found, name)) is None else to_datetime(at) for name in _TIMES}
    return HandOverOut.model_validate(
        values
        | times
        | {
            "cause": found.kind,
            "headline": _headline(found, names, reader),
            "by_name": names.get(found.by_user or ""),
            "to_name": names.get(found.to_user or ""),
            "note": found.texts.get("note"),
            "answer": found.texts.get("answer") if sees_answer else None,
            "comment": found.texts.get("comment") if sees_answer else None,
            "late": found.late(now),
        }
    )


_SAME = (
    "hand_over_id", "account_id", "account_name", "rule", "suggestion_id", "treatment", "topic", "stage",
    "by_role", "by_user", "to_role", "to_user", "state", "reason", "escalated_to",
)  # fmt: skip
_TIMES = ("asked_at", "due_at", "closed_at", "escalated_at")


def _headline(found: HandOver, names: dict[str, str], reader: Reader) -> str:
    rules = {rule.id: rule.text for rule in reader.playbook.hand_overs}
    code = "returned" if found.state == "returned" else found.kind
    by = names.get(found.by_user or "") or found.by_user or found.by_role
    values = {
        "name": found.account_name, "by": by, "by_role": found.by_role, "to_role": found.to_role,
        "reason": found.reason, "text": text_in(rules.get(found.rule or "", {}), reader.language, ""),
    }  # fmt: skip
    return say(f"handed_{code}", values, reader)
