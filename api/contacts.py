"""A contact that a colleague made without a suggestion, recorded by the same short form."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Literal

from api.consent import Sent, already_sent, cancellations, ended_by
from api.feedback import Answer, Wish, details_text, wish_rows
from api.field_notes import check_heard
from api.problems import HttpProblem
from api.service import Service, after_all
from data.ledger.types import Act, ConflictError, Suggestion, TailRow, User
from data.live import history_of
from engine.conditions import near
from engine.playbook import Playbook, PlaybookError, Treatment


@dataclass(frozen=True)
class Contact:
    """What a colleague did or heard; `at` in microseconds UTC, None = now.

    Attributes:
        event_id: Hers; the same id again is the same contact.
        treatment: Of her role; or else
        channel: through which it was, and the topic.
        direction: "inbound" = the customer turned to her, or she just heard something.
    """

    event_id: str
    account_id: str
    treatment: str | None = None
    channel: str | None = None
    topic: str | None = None
    direction: Literal["outbound", "inbound"] = "outbound"
    at: int | None = None
    result: str | None = None
    wishes: tuple[Wish, ...] = ()
    note: str | None = None
    heard: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Recorded:
    """A contact as it is kept.

    Attributes:
        suggestion: Of her list, which it completed; None = there was none.
        withdrawn, cancelled, already_sent: As in `Answered`.
    """

    touchpoint_id: str
    act: Act
    suggestion: Suggestion | None
    withdrawn: int
    cancelled: int
    already_sent: Sequence[Sent]


def record_contact(contact: Contact, user: User, service: Service) -> Recorded:
    """Store it, or complete what stands on her list of the same treatment, then decide again.

    Raises HttpProblem: not hers, ahead of now, nothing said; ConflictError: the id was another contact.
    """
    playbook, now = service.decider().playbook, service.clock()
    treatment = _checked(contact, user, playbook, now)
    touchpoint = _id_of(contact, user)
    if (known := _known(touchpoint, service)) is not None:
        return known
    listed = None if treatment is None else _listed(contact, treatment, user, service, now)
    if listed is not None:
        return _completed(listed, touchpoint, contact, user, service)
    rows = _rows(contact, touchpoint, treatment, user, now)
    history = history_of(service.ledger.account_state(contact.account_id))
    ended, known_at = ended_by(rows, playbook), after_all(history, now)
    cancelled = cancellations(history, ended, playbook, known_at)
    act = service.ledger.record_contact(
        touchpoint, [*rows, *cancelled], account_id=contact.account_id, user_id=user.user_id, now=now
    )
    service.decide({contact.account_id: f"contact:{touchpoint}"})
    withdrawn = service.withdrawn(contact.account_id, ended, after=now - 1, by=touchpoint)
    sent = already_sent(history, ended, playbook, known_at)
    return Recorded(touchpoint, act, None, withdrawn, len(cancelled), sent)


def _checked(contact: Contact, user: User, playbook: Playbook, now: int) -> Treatment | None:
    people = [role.id for role in playbook.roles if not role.system]
    if user.role not in people:
        raise HttpProblem(HTTPStatus.FORBIDDEN, f"Your role {user.role!r} has no contacts to record.")
    if contact.at is not None and contact.at > now:
        raise _wrong("What was done lies in the past; what is planned, a suggestion of your own.")
    check_heard(contact.heard, playbook)
    channels = ["*", *(channel.id for channel in playbook.channels)]
    if unknown := [wish.channel for wish in contact.wishes if wish.channel not in channels]:
        raise _wrong(f"Unknown channel {unknown[0]!r}; known are {', '.join(channels)}.")
    if contact.treatment is not None:
        return _treatment(contact, user, playbook)
    outbound = [channel.id for channel in playbook.channels if channel.outbound and not channel.automated]
    if contact.channel not in outbound:
        hint = near(contact.channel or "", outbound) or f"; there are {', '.join(outbound)}."
        raise _wrong(f"Say which treatment it was, or the channel; got {contact.channel!r}{hint}")
    topics = {topic.id: topic for topic in playbook.topics}
    if contact.topic is not None and contact.topic not in topics:
        raise _wrong(f"There is no topic {contact.topic!r}{near(contact.topic, topics) or '.'}")
    if contact.topic is not None and topics[contact.topic].safety:
        raise _wrong(f"{contact.topic!r} is a safety report: send it as an adverse event.")
    return None


def _treatment(contact: Contact, user: User, playbook: Playbook) -> Treatment:
    try:
        treatment = playbook.treatment(contact.treatment or "")
    except PlaybookError as error:
        raise _wrong(str(error)) from None
    if treatment.role != user.role:
        detail = f"{treatment.id!r} is for the role {treatment.role or 'none'}; you are {user.role}."
        raise HttpProblem(HTTPStatus.FORBIDDEN, detail)
    if treatment.kind != "contact" or contact.direction != "outbound":
        raise _wrong(f"{treatment.id!r} is no contact that you made.")
    if contact.channel is not None or contact.topic is not None:
        raise _wrong("A treatment has its channel and topic; leave them out.")
    return treatment


def _wrong(detail: str) -> HttpProblem:
    return HttpProblem(HTTPStatus.UNPROCESSABLE_ENTITY, detail)


def _known(touchpoint: str, service: Service) -> Recorded | None:
    """The same contact, if it was recorded before."""
    act = service.ledger.latest_act(touchpoint)
    if act is None and service.ledger.was_taken_back(touchpoint):
        raise ConflictError("This contact was taken back; record it again under a new event_id.")
    if act is None:
        return None
    suggestion = None if act.before is None else service.ledger.suggestion(act.before["suggestion_id"])
    contacts = [f.content["touchpoint_id"] for f in act.facts if f.content.get("status") == "done"]
    return Recorded(contacts[0], act, suggestion, 0, 0, [])


def _listed(
    contact: Contact, treatment: Treatment, user: User, service: Service, now: int
) -> Suggestion | None:
    """What stands on the account's list for her role with that treatment."""
    found = service.ledger.suggestions(contact.account_id, now=now, roles=[user.role])
    return next((one for one in found if one.treatment == treatment.id), None)


def _completed(listed: Suggestion, subject: str, contact: Contact, user: User, service: Service) -> Recorded:
    answer = Answer("complete", at=contact.at, result=contact.result, wishes=contact.wishes,
                    note=contact.note, heard=contact.heard)  # fmt: skip
    done = service.answer(listed, answer, user, subject=subject)
    act = service.ledger.latest_act(subject)
    if act is None:
        raise ConflictError("Somebody has just completed the same; look at the list again.")
    touchpoint = f"of-{listed.suggestion_id}"
    return Recorded(touchpoint, act, done.suggestion, done.withdrawn, done.cancelled, done.already_sent)


def _rows(
    contact: Contact, touchpoint: str, treatment: Treatment | None, user: User, now: int
) -> list[TailRow]:
    account = contact.account_id
    content = {
        "touchpoint_id": touchpoint,
        "account_id": account,
        "occurred_at": now if contact.at is None else contact.at,
        "direction": contact.direction,
        "channel": treatment.channel if treatment else contact.channel,
        "treatment": treatment.id if treatment else None,
        "topic": (treatment.topic or None) if treatment else contact.topic,
        "role": user.role,
        "user_id": user.user_id,
        "status": "done",
    }
    if (details := details_text(contact.note, contact.heard)) is not None:
        content["details"] = details
    rows = [TailRow(f"{touchpoint}:done", "touchpoints", account, content)]
    if contact.result is not None:
        said = {"touchpoint_id": touchpoint, "responded_at": now, "response": contact.result}
        rows.append(TailRow(f"{touchpoint}:{contact.result}", "responses", account, said))
    return rows + wish_rows(contact.wishes, account, f"contact:{touchpoint}", now)


def _id_of(contact: Contact, user: User) -> str:
    text = json.dumps(["contact", user.user_id, contact.account_id, contact.event_id])
    return "own-" + hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
