"""Contacts without a suggestion, as they come in and go out over HTTP."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, Field

from api.contacts import Contact, Recorded
from api.feedback import Wish
from api.field_note_schemas import HeardIn
from api.schemas import Identifier, Preferences, SentOut, Strict, ended_words, sent_out
from api.taking_back import undo_until
from data.times import micros, to_datetime
from engine.playbook import Playbook
from engine.wording import Reader

Note = Annotated[str, Field(max_length=4000)]


class ContactIn(Strict, HeardIn):
    """What I did: the short form."""

    event_id: Identifier = Field(description="Mine; sent twice, it is one contact.")
    treatment: Identifier | None = Field(
        default=None, description="Of my role; or else say channel and topic."
    )
    channel: Identifier | None = None
    topic: Identifier | None = None
    direction: Literal["outbound", "inbound"] = Field(
        default="outbound", description="inbound = they turned to me."
    )
    at: AwareDatetime | None = Field(default=None, description="When it was; default: now.")
    result: Literal["replied", "attended", "accepted", "rejected"] | None = None
    preferences: Preferences = Field(default_factory=list)
    note: Note | None = None

    def contact(self, account_id: str) -> Contact:
        """In the service's words."""
        return Contact(
            self.event_id, account_id, self.treatment, self.channel, self.topic, self.direction,
            None if self.at is None else micros(self.at), self.result,
            tuple(Wish(p.channel, p.purpose, p.status) for p in self.preferences), self.note, self.heard(),
        )  # fmt: skip


class HeardOnlyIn(Strict, HeardIn):
    """What I heard."""

    event_id: Identifier = Field(description="Mine; sent twice, it is one.")
    topic: Identifier | None = None
    channel: Identifier | None = Field(default=None, description="Where; default: the first that people use.")
    at: AwareDatetime | None = Field(default=None, description="When it was; default: now.")
    note: Note | None = None

    def contact(self, account_id: str, playbook: Playbook) -> Contact:
        """As a contact of the account's."""
        spoken = next((c.id for c in playbook.channels if c.outbound and not c.automated), None)
        at = None if self.at is None else micros(self.at)
        return Contact(
            self.event_id, account_id, channel=self.channel or spoken, topic=self.topic, direction="inbound",
            at=at, note=self.note, heard=self.heard(),
        )  # fmt: skip


class ContactOut(BaseModel):
    """A contact as it was recorded, and what a withdrawn consent ended with it."""

    contact_id: str = Field(description="Takes it back: POST /v1/contacts/{contact_id}/undo.")
    touchpoint_id: str
    suggestion_id: str | None = Field(description="What it completed of the list; empty = it was not there.")
    withdrawn: int
    withdrawn_suggestions: int
    withdrawn_plans: int
    already_sent: list[SentOut]
    said: str = Field(description="The same in a sentence; empty where no consent was withdrawn.")
    undo_until: datetime | None


class TakenBackOut(BaseModel):
    """A contact that was taken back."""

    contact_id: str
    state: Literal["taken_back"] = "taken_back"


def contact_out(recorded: Recorded, reader: Reader) -> ContactOut:
    """A contact as it was recorded."""
    until = undo_until(recorded.act, reader.playbook)
    return ContactOut(
        contact_id=recorded.act.subject,
        touchpoint_id=recorded.touchpoint_id,
        suggestion_id=None if recorded.suggestion is None else recorded.suggestion.suggestion_id,
        withdrawn=recorded.withdrawn + recorded.cancelled,
        withdrawn_suggestions=recorded.withdrawn,
        withdrawn_plans=recorded.cancelled,
        already_sent=[sent_out(one) for one in recorded.already_sent],
        said=ended_words(recorded.withdrawn + recorded.cancelled, recorded.already_sent, reader),
        undo_until=None if until is None else to_datetime(until),
    )
