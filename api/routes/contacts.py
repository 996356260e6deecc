"""Contacts that colleagues made without a suggestion, and what is heard in the field."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query

from api.access import ReadableAccount, Serving, SignedIn, may, people_seen
from api.contact_schemas import ContactIn, ContactOut, HeardOnlyIn, TakenBackOut, contact_out
from api.contacts import record_contact
from api.field_note_schemas import NoteCountOut, note_count_out
from api.field_notes import Period, counted
from api.once import ONCE
from api.problems import Problem
from api.reading import reader_of
from api.refused import refused_in_words
from api.taking_back import take_back
from engine.records import DAY_MICROS

router = APIRouter(
    prefix="/v1", tags=["contacts"], responses={s: {"model": Problem} for s in (401, 403, 404, 409, 422)}
)

Days = Annotated[float, Query(gt=0, le=3660, description="Of the last so many days.")]


@router.post("/accounts/{account_id}/contacts", dependencies=[may("accounts"), ONCE])
def record(account: ReadableAccount, body: ContactIn, user: SignedIn, service: Serving) -> ContactOut:
    """A contact that I made without a suggestion; the same treatment on my list is completed by it."""
    return contact_out(record_contact(body.contact(account), user, service), reader_of(user, service))


@router.post("/accounts/{account_id}/field-notes", dependencies=[may("accounts"), ONCE])
def hear(account: ReadableAccount, body: HeardOnlyIn, user: SignedIn, service: Serving) -> ContactOut:
    """What I heard of an account, without a contact of mine: kept as one of theirs."""
    contact = body.contact(account, service.decider().playbook)
    return contact_out(record_contact(contact, user, service), reader_of(user, service))


@router.post("/contacts/{touchpoint_id}/undo", dependencies=[may("accounts"), ONCE])
def undo(
    touchpoint_id: Annotated[str, Path(min_length=1, max_length=200, description="As it was answered.")],
    user: SignedIn,
    service: Serving,
) -> TakenBackOut:
    """Take back what I have just recorded, while it is fresh."""
    with refused_in_words(user, service):
        take_back(service, touchpoint_id, user)
    return TakenBackOut(contact_id=touchpoint_id)


@router.get("/field-notes", dependencies=[may("notes")])
def count_field_notes(
    user: SignedIn, service: Serving, days: Days = 90.0, period: Period = "all"
) -> list[NoteCountOut]:
    """Questions, objections and competitors by topic, the most frequent first, as far as my role may read."""
    playbook = service.decider().playbook
    notes = service.ledger.field_notes(after=service.clock() - round(days * DAY_MICROS))
    found = counted(notes, people_seen(service, user)[1], playbook, period=period)
    return [note_count_out(one, playbook) for one in found]
