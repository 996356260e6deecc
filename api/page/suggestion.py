"""One suggestion: what, why, with which evidence, and every verb as a form."""

from __future__ import annotations

from datetime import timedelta
from http import HTTPStatus
from typing import Annotated, Any, Literal

from fastapi import Form, Request, Response

from api.access import AnswerableSuggestion, ReadableSuggestion, Serving, SignedIn, may, roles_seen
from api.account_schemas import about_out
from api.accounts import about_account, touchpoints_of
from api.hand_over_schemas import HandOverIn, timeline_out
from api.messages import mail_address, message_for
from api.page.cards import evidence
from api.page.days import at_morning, working_days
from api.page.forms import Short, Text, day_of
from api.page.heard import Heard, heard_choices
from api.page.plan import moves_of
from api.page.rendering import show, words_for
from api.page.routing import back, page_router
from api.problems import HttpProblem
from api.reading import zone_of
from api.routes import hand_overs, suggestions
from api.routes.suggestions import shown_to
from api.schemas import FeedbackIn, FeedbackOut, PreferenceIn
from api.service import Service
from data.ledger.types import Suggestion, User
from data.times import to_datetime
from engine.contract import DISMISS_REASONS

router = page_router()

_TIMELINE = 200


@router.get("/suggestions/{suggestion_id}", dependencies=[may("suggestions", "accounts")])
def one(request: Request, suggestion: ReadableSuggestion, user: SignedIn, service: Serving) -> Response:
    """What is suggested, why, and what may be answered."""
    playbook, account = service.decider().playbook, suggestion.account_id
    found = shown_to([suggestion], user, service)
    if not found:
        raise HttpProblem(HTTPStatus.NOT_FOUND, "The playbook does not have this treatment any more.")
    treatment, roles = playbook.treatment(suggestion.treatment), roles_seen(service, user, account)
    timeline = [timeline_out(e) for e in touchpoints_of(service, account, roles, limit=_TIMELINE)]
    words = words_for(user, service)
    about = about_out(about_account(service, account), {})
    is_over = over(suggestion, service.clock())
    answers, message = may_answer(suggestion, user, service), message_for(suggestion, user, service)
    return show(
        request, user, service, "suggestion.html",
        one=found[0],
        treatment=treatment,
        about=about,
        evidence=evidence(found[0].reasons, timeline, words.now),
        answers=answers,
        message=message,
        mailto=mail_address(message, treatment, playbook) if message else None,
        heard=heard_choices(user, service, roles, treatment.topic) if answers else None,
        is_over=is_over,
        moves=None if is_over else moves_of(suggestion, user, service, words.now.date()),
        days=working_days(words, str(about.facts.get("country", ""))),
        snoozes=(1, 3, 7, 14),
        dismiss_reasons=DISMISS_REASONS,
        channels=wish_channels(service),
        hand_to=hand_to(user, service),
    )  # fmt: skip


def may_answer(suggestion: Suggestion, user: User, service: Service) -> bool:
    """Whether the buttons would work: the same rule as `AnswerableSuggestion`, and it is not over."""
    system = {role.id for role in service.decider().playbook.roles if role.system}
    hers = user.role in {role.id for role in service.decider().playbook.roles}
    for_her = suggestion.role == user.role or (hers and suggestion.role in system)
    return for_her and not over(suggestion, service.clock())


def over(suggestion: Suggestion, now: int) -> bool:
    """Whether there is nothing left to answer: somebody has, or its time has run out."""
    expired = suggestion.state != "accepted" and suggestion.expires_at <= now
    return expired or suggestion.state not in ("open", "accepted", "snoozed")


def wish_channels(service: Service) -> list[str]:
    """Channels of which a customer may want less: those that advertise, automatic ones first."""
    playbook = service.decider().playbook
    used = {t.channel for t in playbook.treatments if t.kind == "contact" and t.purpose == "marketing"}
    found = [channel for channel in playbook.channels if channel.id in used]
    return [channel.id for channel in sorted(found, key=lambda channel: not channel.automated)]


def hand_to(user: User, service: Service) -> list[str]:
    """Roles that may be asked to do something."""
    roles = service.decider().playbook.roles
    return [r.id for r in roles if not r.system and r.id != user.role] if _in(user, service) else []


def _in(user: User, service: Service) -> bool:
    return user.role in {role.id for role in service.decider().playbook.roles}


@router.post("/suggestions/{suggestion_id}/accept", dependencies=[may("suggestions")])
def accept(
    request: Request, *, suggestion: AnswerableSuggestion, user: SignedIn, service: Serving, on: Short = ""
) -> Response:
    """Planned for a day, or for tomorrow."""
    at = None if not on else at_morning(day_of(on), zone_of(user, service.decider().playbook))
    return _answered(request, suggestion, user, service, FeedbackIn(verb="accept", at=at))


@router.post("/suggestions/{suggestion_id}/dismiss", dependencies=[may("suggestions")])
def dismiss(
    request: Request,
    *,
    suggestion: AnswerableSuggestion,
    user: SignedIn,
    service: Serving,
    reason: Short = "",
) -> Response:
    """With one of the reasons."""
    body = FeedbackIn(verb="dismiss", reason=reason or None)
    return _answered(request, suggestion, user, service, body, to="/day")


@router.post("/suggestions/{suggestion_id}/snooze", dependencies=[may("suggestions")])
def snooze(
    request: Request, *, suggestion: AnswerableSuggestion, user: SignedIn, service: Serving,
    days: Annotated[int, Form(ge=1, le=89)],
) -> Response:  # fmt: skip
    """Back in the morning of a later day."""
    zone = zone_of(user, service.decider().playbook)
    today = to_datetime(service.clock()).astimezone(zone).date()
    until = at_morning(today + timedelta(days=days), zone).replace(hour=5)
    body = FeedbackIn(verb="snooze", until=until)
    return _answered(request, suggestion, user, service, body, to="/day", until=until.isoformat())


@router.post("/suggestions/{suggestion_id}/complete", dependencies=[may("suggestions", "hand_overs")])
def complete(
    request: Request, *, suggestion: AnswerableSuggestion, user: SignedIn, service: Serving,
    result: Annotated[Literal["", "replied", "attended", "accepted", "rejected"], Form()] = "",
    stop: Annotated[list[str] | None, Form(max_length=50)] = None,
    heard: Heard, note: Text = "", to_role: Short = "", question: Text = "",
) -> Response:  # fmt: skip
    """What came of it, what the customer wants, and what a colleague is asked for, in one form."""
    wishes = [PreferenceIn(channel=c, purpose="marketing", status="opt_out") for c in stop or []]
    body = FeedbackIn(verb="complete", result=result or None, preferences=wishes, note=note.strip() or None,
                      **dict(heard))  # fmt: skip
    done = suggestions.answer(suggestion, body, user, service)
    handed = ""
    if to_role:
        asked = HandOverIn(
            to_role=to_role, suggestion_id=suggestion.suggestion_id, note=question.strip() or None,
            topic=service.decider().playbook.treatment(suggestion.treatment).topic or None,
        )  # fmt: skip
        handed = hand_overs.ask(suggestion.account_id, asked, user, service).to_role
    return back(request, _told(done, "complete") | {"handed": handed}, to="/day")


@router.post("/suggestions/{suggestion_id}/hand-over", dependencies=[may("suggestions", "hand_overs")])
def hand_over(
    request: Request, *, suggestion: ReadableSuggestion, user: SignedIn, service: Serving,
    to_role: Short, note: Text = "",
) -> Response:  # fmt: skip
    """Ask a colleague of another role to take it on."""
    body = HandOverIn(to_role=to_role, suggestion_id=suggestion.suggestion_id, note=note.strip() or None)
    handed = hand_overs.ask(suggestion.account_id, body, user, service)
    return back(request, {"did": "hand_over", "handed": handed.to_role})


@router.post("/suggestions/{suggestion_id}/undo", dependencies=[may("suggestions")])
def undo(request: Request, suggestion: ReadableSuggestion, user: SignedIn, service: Serving) -> Response:
    """As it was before her last answer."""
    suggestions.undo(suggestion, user, service)
    return back(request, {"did": "undo"})


def _answered(
    request: Request, suggestion: Suggestion, user: User, service: Service, body: FeedbackIn, *,
    to: str = "", **said: Any,
) -> Response:  # fmt: skip
    done = suggestions.answer(suggestion, body, user, service)
    return back(request, _told(done, body.verb) | said, to=to)


def _told(done: FeedbackOut, verb: str) -> dict[str, Any]:
    """What the next page says: what was done, and honestly what a withdrawn consent could still stop."""
    sent = [{"channel": one.channel, "at": one.at.isoformat()} for one in done.already_sent]
    return {"did": verb, "state": done.state, "withdrawn": done.withdrawn, "sent": sent,
            "undo": done.suggestion_id if done.undo_until else ""}  # fmt: skip
