"""What a person answers to a suggestion, and the facts that follow from it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from data.ledger.types import Suggestion, TailRow, User, Verb
from engine.contract import DISMISS_REASONS
from engine.playbook import Playbook, Treatment
from engine.records import DAY_MICROS, EngineError

MAX_SNOOZE_DAYS = 90.0
PLAN_AHEAD_DAYS = 1.0
"""An accepted suggestion without a date is planned for the next day."""


class AnswerError(EngineError):
    """An answer lacks something or contradicts itself; nothing was stored."""


@dataclass(frozen=True)
class Wish:
    """What the customer said about contact: a permission by channel ("*" = all) and purpose."""

    channel: str
    purpose: Literal["marketing", "service", "web_behaviour"]
    status: Literal["opt_in", "opt_out"]


@dataclass(frozen=True)
class Answer:
    """A person's answer.

    Attributes:
        reason: Of a dismissal, one of `DISMISS_REASONS`.
        until: End of a snooze, microseconds UTC.
        at: When it was done (complete) or is planned for (accept), microseconds UTC.
        result: The customer's response, for complete.
        wishes: What the customer said about contact, for complete.
        note: Free text, for complete; kept apart as personal.
        heard: Questions, objections and competitors, for complete; kept with the note.
    """

    verb: Verb
    reason: str | None = None
    until: int | None = None
    at: int | None = None
    result: str | None = None
    wishes: tuple[Wish, ...] = ()
    note: str | None = None
    heard: Mapping[str, Any] = field(default_factory=dict)


def check_answer(answer: Answer, now: int) -> None:
    """Raises AnswerError where a verb lacks what it needs or is given what it cannot use."""
    if answer.verb == "dismiss" and answer.reason not in DISMISS_REASONS:
        raise AnswerError(
            f"A dismissal needs a reason, one of {', '.join(DISMISS_REASONS)}; got {answer.reason!r}."
        )
    if answer.verb != "dismiss" and answer.reason is not None:
        raise AnswerError("A reason belongs to `dismiss`.")
    latest = now + MAX_SNOOZE_DAYS * DAY_MICROS
    if answer.verb == "snooze" and not now < (answer.until or now) <= latest:
        raise AnswerError(f"A snooze needs `until`, a time ahead of now by at most {MAX_SNOOZE_DAYS:g} days.")
    if answer.verb == "complete" and answer.at is not None and answer.at > now:
        raise AnswerError("What is completed lies in the past; leave `at` out for now.")
    if answer.verb == "accept" and answer.at is not None and answer.at <= now:
        raise AnswerError("What is accepted lies ahead; leave `at` out for tomorrow.")
    if answer.verb != "complete" and (answer.result or answer.wishes or answer.note or answer.heard):
        raise AnswerError("A result, preferences, a note and what was heard belong to `complete`.")


def as_meant(answer: Answer, treatment: Treatment) -> Answer:
    """Who accepts a stop has done it: there is nothing left to carry out."""
    if treatment.kind == "stop" and answer.verb == "accept":
        return replace(answer, verb="complete", at=None)
    return answer


def ends_at(answer: Answer, treatment: Treatment, playbook: Playbook, now: int) -> int | None:
    """Until when the treatment is kept away, and what an account then rests from; None = not at all."""
    if answer.verb == "complete" and treatment.days is not None:
        return now + round(treatment.days * DAY_MICROS)
    if answer.verb == "snooze":
        return answer.until
    if answer.verb == "dismiss" and answer.reason is not None:
        return now + round(playbook.dismissals[answer.reason].cool_down_days * DAY_MICROS)
    return None


def facts_of(
    answer: Answer, suggestion: Suggestion, user: User, playbook: Playbook, now: int, *, attempt: int
) -> list[TailRow]:
    """The rows that an answer leaves: feedback, and the touchpoint, response and preferences that follow.

    Args:
        attempt: Another number for each answer to the suggestion: who accepts, puts off and accepts again
            leaves three rows. (The same answer sent twice is known by the suggestion's state.)
    """
    treatment = playbook.treatment(suggestion.treatment)
    records = playbook.dismissals[answer.reason].records if answer.reason is not None else ""
    until = ends_at(answer, treatment, playbook, now)
    rows = [_feedback(answer, suggestion, user, now, until=until, attempt=attempt)]
    if treatment.kind == "stop":
        # What rests comes back by itself, so no permission is taken away.
        if answer.verb == "complete" and treatment.days is None:
            wishes = tuple(Wish(channel, purpose, "opt_out") for channel, purpose in treatment.stops)
            rows += wish_rows(
                wishes, suggestion.account_id, f"stop:{suggestion.suggestion_id}:{attempt}", now
            )
    elif answer.verb == "accept":
        at = planned_for(answer, now)
        rows.append(_touchpoint("planned", at, suggestion, treatment, user, attempt=attempt))
    elif answer.verb == "complete" or records == "contact":
        at = answer.at if answer.at is not None else now
        details = details_text(answer.note, answer.heard)
        rows.append(_touchpoint("done", at, suggestion, treatment, user, attempt=attempt, details=details))
        if answer.result is not None:
            rows.append(_response(answer.result, suggestion, now, attempt=attempt))
    elif suggestion.state == "accepted":
        rows.append(_touchpoint("cancelled", now, suggestion, treatment, user, attempt=attempt))
    if records == "opt_out":
        rows += wish_rows((Wish(treatment.channel, treatment.purpose, "opt_out"),), suggestion.account_id,
                          f"dismissal:{suggestion.suggestion_id}:{attempt}", now)  # fmt: skip
    source = f"result:{suggestion.suggestion_id}:{attempt}"
    return rows + wish_rows(answer.wishes, suggestion.account_id, source, now)


def _feedback(
    answer: Answer, suggestion: Suggestion, user: User, now: int, *, until: int | None, attempt: int
) -> TailRow:
    feedback_id = f"{suggestion.suggestion_id}:{attempt}:{answer.verb}"
    if answer.verb == "snooze":
        feedback_id += f":{answer.until}"
    content = {
        "feedback_id": feedback_id,
        "account_id": suggestion.account_id,
        "suggestion_id": suggestion.suggestion_id,
        "treatment": suggestion.treatment,
        "role": user.role,
        "user_id": user.user_id,
        "occurred_at": now,
        "verb": answer.verb,
        "reason": answer.reason,
        "until": until,
    }
    return TailRow(feedback_id, "feedback", suggestion.account_id, content)


def _touchpoint(status: str, at: int, suggestion: Suggestion, treatment: Treatment, user: User,
                *, attempt: int, details: str | None = None) -> TailRow:  # fmt: skip
    """The contact that the suggestion led to: planned when accepted, done when completed; one id for both."""
    content = {
        "touchpoint_id": _touchpoint_id(suggestion),
        "account_id": suggestion.account_id,
        **_contact(treatment, user, at, status),
        "decision_id": suggestion.decision_id or None,
    }
    if details is not None:
        content["details"] = details
    event_id = f"{_touchpoint_id(suggestion)}:{attempt}:{status}"
    return TailRow(event_id, "touchpoints", suggestion.account_id, content)


def _contact(treatment: Treatment, user: User, at: int, status: str) -> dict[str, Any]:
    """What a touchpoint says of a contact by a colleague."""
    return {
        "occurred_at": at,
        "direction": "outbound",
        "channel": treatment.channel,
        "treatment": treatment.id,
        "topic": treatment.topic or None,
        "role": treatment.role,
        "user_id": user.user_id,
        "status": status,
    }


def details_text(note: str | None, heard: Mapping[str, Any]) -> str | None:
    """Details of a touchpoint as JSON text; None = there is nothing to tell."""
    details = {**({} if note is None else {"note": note}), **heard}
    return json.dumps(details, ensure_ascii=False) if details else None


def planned_touchpoint(
    suggestion_id: str, account_id: str, treatment: Treatment, user: User, at: int
) -> TailRow:
    """The contact that a colleague plans of her own: it follows no decision."""
    content = {
        "touchpoint_id": f"of-{suggestion_id}",
        "account_id": account_id,
        **_contact(treatment, user, at, "planned"),
    }
    return TailRow(f"of-{suggestion_id}:own:planned", "touchpoints", account_id, content)


def planned_again(
    suggestion: Suggestion, treatment: Treatment, user: User, at: int, *, attempt: int
) -> TailRow:
    """The contact of an accepted suggestion, planned for another moment (microseconds UTC)."""
    return _touchpoint("planned", at, suggestion, treatment, user, attempt=attempt)


def planned_for(answer: Answer, now: int) -> int:
    """When what is accepted is to be done; microseconds UTC."""
    return answer.at if answer.at is not None else now + round(PLAN_AHEAD_DAYS * DAY_MICROS)


def cancelled_plan(suggestion: Suggestion, treatment: Treatment, now: int, *, why: str) -> TailRow:
    """The contact that was planned when the suggestion was accepted, cancelled by somebody else than her."""
    who = User(suggestion.user_id or "", "", suggestion.role)
    row = _touchpoint("cancelled", now, suggestion, treatment, who, attempt=0)
    return replace(row, event_id=f"{_touchpoint_id(suggestion)}:{why}:cancelled")


def _touchpoint_id(suggestion: Suggestion) -> str:
    return f"of-{suggestion.suggestion_id}"


def _response(result: str, suggestion: Suggestion, now: int, *, attempt: int) -> TailRow:
    touchpoint_id = _touchpoint_id(suggestion)
    content = {"touchpoint_id": touchpoint_id, "responded_at": now, "response": result}
    return TailRow(f"{touchpoint_id}:{attempt}:{result}", "responses", suggestion.account_id, content)


def wish_rows(wishes: Iterable[Wish], account_id: str, source: str, now: int) -> list[TailRow]:
    """What the customer said about contact, as preferences."""
    return [
        TailRow(
            f"{source}:{wish.channel}:{wish.purpose}:{wish.status}",
            "preferences",
            account_id,
            {
                "account_id": account_id,
                "channel": wish.channel,
                "purpose": wish.purpose,
                "kind": "permission",
                "status": wish.status,
                "since": now,
                "source": source,
            },
        )
        for wish in wishes
    ]
