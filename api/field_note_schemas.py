"""What is heard in the field, as it comes in and goes out over HTTP."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from api.field_notes import NoteCount
from data.times import to_datetime
from engine.playbook import Playbook
from engine.shared_answers import SharedAnswer, answers_to

Words = Annotated[str, Field(min_length=1, max_length=1000)]
_TOPIC = Field(None, min_length=1, max_length=200, description="A topic of the playbook; else the contact's.")


class _Heard(BaseModel):
    model_config = ConfigDict(extra="forbid")


class QuestionIn(_Heard):
    """What the customer asked."""

    topic: str | None = _TOPIC
    text: Words | None = None


class ObjectionIn(_Heard):
    """What the customer has against it."""

    kind: Literal["price", "timing", "features", "fit", "other"]
    topic: str | None = _TOPIC
    text: Words | None = None


class CompetitorIn(_Heard):
    """Whom the customer named."""

    name: Annotated[str, Field(min_length=1, max_length=100)]
    topic: str | None = _TOPIC
    text: Words | None = None


class HeardIn(BaseModel):
    """What was heard on a contact, each recorded with one tap; words are optional."""

    questions: list[QuestionIn] = Field(default_factory=list, max_length=20)
    objections: list[ObjectionIn] = Field(default_factory=list, max_length=20)
    competitors: list[CompetitorIn] = Field(default_factory=list, max_length=20)

    def heard(self) -> dict[str, Any]:
        """As details of the touchpoint, without what was not said."""
        parts: dict[str, Sequence[BaseModel]] = {
            "questions": self.questions, "objections": self.objections, "competitors": self.competitors,
        }  # fmt: skip
        return {name: [one.model_dump(exclude_none=True) for one in part]
                for name, part in parts.items() if part}  # fmt: skip


class SharedAnswerOut(BaseModel):
    """What may be said to a question or an objection that was heard."""

    answer_id: str
    topic: str | None
    objection: str | None
    owner: str
    text: str


class NoteCountOut(BaseModel):
    """How often something was heard."""

    period: str | None = Field(description="First day of the week or month; empty = all together.")
    kind: Literal["question", "objection", "competitor"]
    topic: str | None
    what: str | None = Field(description="What an objection is about, or the competitor.")
    times: int
    accounts: int
    latest: datetime
    answers: list[str] = Field(description="Ids of the shared answers; empty = nobody has written one.")


def answer_out(answer: SharedAnswer, language: str) -> SharedAnswerOut:
    """An answer in the reader's language."""
    return SharedAnswerOut(
        answer_id=answer.id,
        topic=answer.topic or None,
        objection=answer.objection or None,
        owner=answer.owner,
        text=answer.text[language],
    )


def note_count_out(count: NoteCount, playbook: Playbook) -> NoteCountOut:
    """A count as it is shown."""
    return NoteCountOut(
        period=count.period or None,
        kind=count.kind,  # type: ignore[arg-type]
        topic=count.topic or None,
        what=count.what or None,
        times=count.times,
        accounts=count.accounts,
        latest=to_datetime(count.latest),
        answers=[one.id for one in answers_to(playbook.answers, count.kind, count.topic, count.what)],
    )
