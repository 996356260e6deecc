"""What goes in and out over HTTP. Times go in and out as ISO 8601 with a zone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from api.consent import Sent
from api.feedback import Answer, Wish
from api.field_note_schemas import HeardIn, SharedAnswerOut, answer_out
from api.service import Answered
from api.tags import tag_of
from api.timeline import details_of
from data.ledger.types import Suggestion, Told
from data.times import micros, to_datetime
from engine.explanation import Reason, headline, words
from engine.shared_answers import SharedAnswer
from engine.wording import Reader, clock, say

Identifier = Annotated[str, Field(min_length=1, max_length=200)]


class Strict(BaseModel):
    """What comes in: an unknown field is an error."""

    model_config = ConfigDict(extra="forbid")


class ReasonOut(BaseModel):
    """One reason: its sentence as of now, and what it quotes."""

    code: str
    text: str
    facts: dict[str, Any]
    amount: float | None = Field(description="What it adds to the priority in currency, where known.")


class FormAnswersOut(BaseModel):
    """What an account told us, such as the fields of a form."""

    touchpoint_id: str
    at: datetime
    channel: str | None
    topic: str | None
    details: dict[str, Any]


class MessageOut(BaseModel):
    """A text ready to send, in the account's language."""

    language: str = Field(description="ISO 639-1; English where the playbook does not have the account's.")
    subject: str
    text: str


class SuggestionOut(BaseModel):
    """A suggestion as it is shown."""

    kind: Literal["suggestion"] = "suggestion"
    suggestion_id: str
    account_id: str
    account_name: str
    treatment: str
    channel: str
    role: str
    state: str
    rank: int = Field(description="Place on the account's list, 1 = first.")
    headline: str
    note: str
    reasons: list[ReasonOut]
    priority: float = Field(description="In the currency beside it.")
    currency: str
    own: bool = Field(description="Suggested by a colleague herself, not by the engine.")
    new: bool = Field(description="First listed by the last night, or live since.")
    posted_at: datetime
    expires_at: datetime
    not_before: datetime | None = Field(
        description="First moment outside quiet hours and days off; empty = at any time."
    )
    snoozed_until: datetime | None
    decision_id: str
    etag: str = Field(
        description="Of its state, for If-Match: changes when somebody answers or reassigns it."
    )
    form_answers: list[FormAnswersOut] = Field(
        default_factory=list, description="What the account told us lately on the topic, the latest first."
    )
    answers: list[SharedAnswerOut] = Field(
        default_factory=list, description="What may be said to what was asked or objected lately."
    )
    message: MessageOut | None = Field(
        default=None,
        description="Of a single suggestion, where the playbook has a text to send; in lists empty.",
    )


class EventIn(Strict):
    """A fact that has just come to be known: a row of the data contract with an id of its own."""

    event_id: Identifier
    table: Identifier = Field(description="touchpoints, responses, outcomes, preferences or offers.")
    account_id: Identifier
    row: dict[str, Any] = Field(
        max_length=40, description="Columns of the contract; times ISO 8601 with zone."
    )


Events = Annotated[list[EventIn], Field(min_length=1)]


class StoredOut(BaseModel):
    """An event as stored; one sent before keeps its first moment."""

    event_id: str
    account_id: str
    stored_at: datetime
    decision_id: str


class EventsOut(BaseModel):
    """All events of the request."""

    stored: list[StoredOut]


class PreferenceIn(Strict):
    """What the customer said about contact."""

    channel: Identifier = Field(description="A channel of the playbook, or * for all.")
    purpose: Literal["marketing", "service", "web_behaviour"] = "marketing"
    status: Literal["opt_in", "opt_out"]


def _said_once(preferences: list[PreferenceIn]) -> list[PreferenceIn]:
    said: dict[tuple[str, str], str] = {}
    for one in preferences:
        if said.setdefault((one.channel, one.purpose), one.status) != one.status:
            raise ValueError(f"opt_in and opt_out are both said for {one.channel}, {one.purpose}: say one")
    return preferences


Preferences = Annotated[list[PreferenceIn], Field(max_length=20), AfterValidator(_said_once)]
"""What the customer said about contact, one thing for each channel and purpose."""


class FeedbackIn(Strict, HeardIn):
    """A person's answer to a suggestion."""

    verb: Literal["accept", "dismiss", "snooze", "complete"]
    reason: Identifier | None = Field(default=None, description="Of a dismissal; typed.")
    until: AwareDatetime | None = Field(default=None, description="End of a snooze.")
    at: AwareDatetime | None = Field(
        default=None, description="accept: planned for; complete: done at. Default: tomorrow; now."
    )
    result: Literal["replied", "attended", "accepted", "rejected"] | None = None
    preferences: Preferences = Field(default_factory=list)
    note: Annotated[str, Field(max_length=4000)] | None = None

    def answer(self) -> Answer:
        """The answer in the service's words."""
        return Answer(
            verb=self.verb,
            reason=self.reason,
            until=None if self.until is None else micros(self.until),
            at=None if self.at is None else micros(self.at),
            result=self.result,
            wishes=tuple(Wish(p.channel, p.purpose, p.status) for p in self.preferences),
            note=self.note,
            heard=self.heard(),
        )


class SentOut(BaseModel):
    """What went out already and cannot be taken back."""

    channel: str
    treatment: str | None
    at: datetime


class FeedbackOut(BaseModel):
    """What an answer did, said honestly."""

    suggestion_id: str
    state: str
    withdrawn: int = Field(description="Open suggestions and plans that a withdrawn consent ended.")
    withdrawn_suggestions: int
    withdrawn_plans: int
    already_sent: list[SentOut]
    said: str = Field("", description="The same in a sentence; empty where no consent was withdrawn.")
    undo_until: datetime | None = Field(
        None, description="Until when it can be taken back; empty = it cannot."
    )


class UndoneOut(BaseModel):
    """What became of a suggestion whose last answer was taken back."""

    suggestion_id: str
    state: str


class AliveOut(BaseModel):
    """The process answers."""

    status: Literal["ok"] = "ok"


class ReadyOut(BaseModel):
    """Whether the service can do its work, and with what."""

    status: Literal["ok", "unavailable"]
    ledger: Literal["ok", "unavailable"]
    release: str
    learned: bool = Field(description="False = the playbook's starting values decide.")
    playbook: str
    playbook_version: str
    playbook_waiting: bool = Field(
        description="Whether the playbook's file was changed to something that cannot be used: the one "
        "before decides on, and the log says what is wrong."
    )
    night: str | None = Field(description="The last complete run.")


def reason_out(reason: Reason, reader: Reader) -> ReasonOut:
    """A reason with its sentence."""
    text = words(reason, reader)
    return ReasonOut(code=reason.code, text=text, facts=dict(reason.facts), amount=reason.amount)


def form_answers_out(told: Told) -> FormAnswersOut:
    """What an account told us."""
    return FormAnswersOut(
        touchpoint_id=told.touchpoint_id,
        at=to_datetime(told.occurred_at),
        channel=told.channel,
        topic=told.topic,
        details=details_of(told.details),
    )


def suggestion_out(
    suggestion: Suggestion, reader: Reader, *, told: Iterable[Told] = (), answers: Iterable[SharedAnswer] = ()
) -> SuggestionOut:
    """A suggestion in the reader's language, its sentences aged to her moment."""
    language, playbook = reader.language, reader.playbook
    reasons = tuple(Reason(r["code"], r["facts"], r.get("amount")) for r in suggestion.reasons)
    note = playbook.treatment(suggestion.treatment).note
    return SuggestionOut(
        suggestion_id=suggestion.suggestion_id,
        account_id=suggestion.account_id,
        account_name=suggestion.account_name,
        treatment=suggestion.treatment,
        channel=suggestion.channel,
        role=suggestion.role,
        state=suggestion.state,
        rank=suggestion.rank,
        headline=headline(suggestion.treatment, reasons, suggestion.account_name, reader),
        note=note.get(language, note.get(playbook.languages[0], "")),
        reasons=[reason_out(reason, reader) for reason in reasons],
        priority=suggestion.priority,
        currency=playbook.currency,
        own=suggestion.source == "person",
        new=suggestion.new,
        posted_at=to_datetime(suggestion.posted_at),
        expires_at=to_datetime(suggestion.expires_at),
        not_before=None if suggestion.not_before is None else to_datetime(suggestion.not_before),
        snoozed_until=None if suggestion.snoozed_until is None else to_datetime(suggestion.snoozed_until),
        decision_id=suggestion.decision_id,
        etag=suggestion_tag(suggestion),
        form_answers=[form_answers_out(one) for one in told],
        answers=[answer_out(one, language) for one in answers],
    )


def suggestion_tag(suggestion: Suggestion) -> str:
    """ETag of what two people may change of a suggestion; what the engine says of it may move on."""
    return tag_of(suggestion.suggestion_id, suggestion.state, suggestion.user_id, suggestion.snoozed_until)


def feedback_out(answered: Answered, undo_until: int | None, reader: Reader) -> FeedbackOut:
    """What an answer did, and until when it can be taken back (microseconds UTC)."""
    return FeedbackOut(
        suggestion_id=answered.suggestion.suggestion_id,
        state=answered.suggestion.state,
        withdrawn=answered.withdrawn + answered.cancelled,
        withdrawn_suggestions=answered.withdrawn,
        withdrawn_plans=answered.cancelled,
        already_sent=[sent_out(sent) for sent in answered.already_sent],
        said=ended_words(answered.withdrawn + answered.cancelled, answered.already_sent, reader),
        undo_until=None if undo_until is None else to_datetime(undo_until),
    )


def ended_words(withdrawn: int, sent: Sequence[Sent], reader: Reader) -> str:
    """What a withdrawn consent could still stop, and what not: "1 withdrawn, 1 already sent at 10:02."."""
    if not withdrawn and not sent:
        return ""
    times = ", ".join(clock(one.at, reader) for one in sent)
    code = "ended_some_sent" if sent else "ended"
    return say(code, {"withdrawn": withdrawn, "sent": len(sent), "at": times}, reader)


def sent_out(sent: Sent) -> SentOut:
    """What went out already."""
    return SentOut(channel=sent.channel, treatment=sent.treatment, at=to_datetime(sent.at))
