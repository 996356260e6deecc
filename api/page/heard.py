"""What was heard on a contact, one tap each: questions, objections and competitors of a form."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import Depends, Form
from pydantic import Field

from api.field_note_schemas import (
    CompetitorIn,
    HeardIn,
    NoteCountOut,
    ObjectionIn,
    QuestionIn,
    SharedAnswerOut,
)
from api.routes.contacts import count_field_notes
from api.schemas import SuggestionOut
from api.service import Service
from api.timeline import may_read
from data.ledger.types import User
from engine.shared_answers import OBJECTIONS

_COMPETITORS = 6
_Name = Annotated[str, Field(min_length=1, max_length=100)]
_Kind = Literal["price", "timing", "features", "fit", "other"]


@dataclass(frozen=True)
class HeardChoices:
    """What a form offers to tap: ids of topics, kinds of objections, names that colleagues heard lately."""

    topics: list[str]
    competitors: list[str]
    objections: tuple[str, ...] = OBJECTIONS


def heard_choices(user: User, service: Service, roles: tuple[str, ...], topic: str = "") -> HeardChoices:
    """What she may note; the topic of the contact itself comes first."""
    playbook = service.decider().playbook
    topics = [t.id for t in playbook.topics if not t.safety and may_read(t.id, None, roles, playbook)]
    noted: list[NoteCountOut] = count_field_notes(user, service)
    names = {(one.what or "").casefold(): one.what or "" for one in noted if one.kind == "competitor"}
    return HeardChoices(sorted(topics, key=lambda each: each != topic), list(names.values())[:_COMPETITORS])


def _form(
    asked: Annotated[list[_Name] | None, Form(max_length=20)] = None,
    objection: Annotated[list[_Kind] | None, Form(max_length=5)] = None,
    competitor: Annotated[list[_Name] | None, Form(max_length=19)] = None,
    other_competitor: Annotated[str, Form(max_length=100)] = "",
) -> HeardIn:
    names = [*(competitor or []), other_competitor.strip()]
    return HeardIn(
        questions=[QuestionIn(topic=topic) for topic in asked or []],
        objections=[ObjectionIn(kind=kind) for kind in objection or []],
        competitors=[CompetitorIn(name=name) for name in dict.fromkeys(names) if name],
    )


Heard = Annotated[HeardIn, Depends(_form)]
"""What a form says that was heard."""


def answers_of(suggestions: Iterable[SuggestionOut]) -> list[SharedAnswerOut]:
    """The shared answers that suggestions carry, each once."""
    return list({answer.answer_id: answer for one in suggestions for answer in one.answers}.values())
