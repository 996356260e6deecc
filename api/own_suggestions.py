"""What a colleague suggests herself: it enters the list as accepted, if what binds everybody allows it."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass, replace
from http import HTTPStatus

from api.allowed import require_allowed
from api.decider import LiveDecision
from api.feedback import PLAN_AHEAD_DAYS, planned_touchpoint
from api.problems import HttpProblem
from api.service import ATTEMPTS, Service
from data.ledger.types import ConflictError, OwnSuggestion, Proposal, Suggestion, User
from engine.explanation import why
from engine.playbook import Playbook, PlaybookError, Treatment
from engine.records import DAY_MICROS
from engine.timing import expires_at


@dataclass(frozen=True)
class Idea:
    """What a colleague wants to do with an account.

    Attributes:
        event_id: Hers; the same id again is the same idea.
        at: When, microseconds UTC; None = tomorrow.
        note: Free text; kept apart as personal.
        override: Why an engagement policy of the playbook is not to hold her back, where that is allowed.
    """

    event_id: str
    account_id: str
    treatment: str
    at: int | None = None
    note: str | None = None
    override: str | None = None


def suggest(idea: Idea, user: User, service: Service) -> Suggestion:
    """Put it on the list as accepted and planned; the engine's own choice is neither asked nor logged.

    Raises HttpProblem: not hers, no contact, or in the past; NotAllowedError; ConflictError: it is
    planned already.
    """
    playbook, now = service.decider().playbook, service.clock()
    treatment = _hers(idea, user, playbook)
    if idea.at is not None and idea.at <= now:
        raise HttpProblem(
            HTTPStatus.UNPROCESSABLE_ENTITY, "What is planned lies ahead; what is done, an event."
        )
    suggestion_id = _id_of(idea, user)
    for _ in range(ATTEMPTS):
        known = service.ledger.own_suggestion(suggestion_id)
        if known is not None:
            return _the_same(known, idea)
        live, version = service.fresh({idea.account_id: f"own:{suggestion_id}"}, not_before=now)[0]
        overridden = bool(playbook.own_override and idea.override)
        require_allowed(live, idea.treatment, playbook, spared=("policy",) if overridden else ())
        own = _own(live, idea, treatment, user=user, suggestion_id=suggestion_id, playbook=playbook)
        try:
            found = service.ledger.suggest_own(own, live.logged, version=version, now=live.logged.decided_at)
        except ConflictError:
            if service.ledger.account_state(idea.account_id).version == version:
                raise
            continue
        service.decide({idea.account_id: f"own:{suggestion_id}"})
        return found
    raise ConflictError(f"{idea.account_id} changes too fast to be decided; send it again.")


def _hers(idea: Idea, user: User, playbook: Playbook) -> Treatment:
    try:
        treatment = playbook.treatment(idea.treatment)
    except PlaybookError as error:
        raise HttpProblem(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from None
    if treatment.role != user.role:
        detail = f"{treatment.id!r} is for the role {treatment.role or 'none'}; you are {user.role}."
        raise HttpProblem(HTTPStatus.FORBIDDEN, detail)
    if treatment.kind != "contact":
        raise HttpProblem(HTTPStatus.UNPROCESSABLE_ENTITY, f"{treatment.id!r} is no contact to be planned.")
    return treatment


def _own(
    live: LiveDecision, idea: Idea, treatment: Treatment, *, user: User, suggestion_id: str,
    playbook: Playbook,
) -> OwnSuggestion:  # fmt: skip
    decisions, row = live.decisions, live.row
    index = decisions.treatments.index(treatment.id)
    priority = float(decisions.priority.priority[row, index])
    proposal = Proposal(
        treatment=treatment.id,
        role=treatment.role,
        user_id=user.user_id,
        channel=treatment.channel,
        rank=len(live.proposals) + 1,
        priority=priority if math.isfinite(priority) else 0.0,
        expires_at=int(expires_at(playbook, decisions.moments.as_of[row : row + 1])[0][index]),
        reasons=[{"code": reason.code, "facts": dict(reason.facts), "amount": reason.amount}
                 for reason in why(decisions, row, index, playbook)],
    )  # fmt: skip
    tomorrow = live.logged.decided_at + round(PLAN_AHEAD_DAYS * DAY_MICROS)
    at = tomorrow if idea.at is None else idea.at
    said = {"note": idea.note, "override": idea.override}
    details = {name: text for name, text in said.items() if text}
    plan = planned_touchpoint(suggestion_id, idea.account_id, treatment, user, at)
    if details:
        plan = replace(plan, content={**plan.content, "details": json.dumps(details, ensure_ascii=False)})
    return OwnSuggestion(suggestion_id, idea.account_id, proposal, user.user_id, plan)


def _id_of(idea: Idea, user: User) -> str:
    text = json.dumps(["own", user.user_id, idea.event_id])
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _the_same(known: Suggestion, idea: Idea) -> Suggestion:
    if (known.account_id, known.treatment) != (idea.account_id, idea.treatment):
        raise ConflictError(f"Event {idea.event_id!r} was another suggestion before; use a new id.")
    return known
