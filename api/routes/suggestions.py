"""What to do next: for an account, for a person; what she answers; and why not something else."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from http import HTTPStatus

from fastapi import APIRouter, Response

from api.access import (
    AnswerableSuggestion,
    PageSize,
    ReadableAccount,
    ReadableSuggestion,
    Serving,
    SignedIn,
    looked_up,
    may,
    people_seen,
    roles_seen,
)
from api.day_plan import DayPlan, day_plan
from api.field_notes import answers_for, check_heard, notes_since
from api.hand_over_schemas import HandOverOut
from api.messages import message_for
from api.once import ONCE
from api.own_schemas import IdeaIn
from api.own_suggestions import suggest
from api.problems import HttpProblem, Problem
from api.reading import reader_of
from api.refused import refused_in_words
from api.routes.hand_overs import waiting_for
from api.schemas import (
    FeedbackIn,
    FeedbackOut,
    MessageOut,
    SuggestionOut,
    UndoneOut,
    feedback_out,
    suggestion_out,
    suggestion_tag,
)  # fmt: skip
from api.service import Service
from api.tags import TAGGED, IfMatch, require
from api.taking_back import state_now, take_back, undo_until
from api.timeline import forms_for, forms_since
from data.ledger.types import Suggestion, User

router = APIRouter(
    prefix="/v1",
    tags=["suggestions"],
    dependencies=[may("suggestions")],
    responses={s: {"model": Problem} for s in (401, 403, 404, 409, 422)},
)

_ALL = 5_000
"""More suggestions than a person has."""


@router.get("/accounts/{account_id}/suggestions")
async def list_suggestions(
    account: ReadableAccount, user: SignedIn, service: Serving, limit: PageSize
) -> list[SuggestionOut]:
    """The best next actions for one account, best first, each with its reasons."""
    return await looked_up(service, best_of, account, user, service, limit)


def best_of(account: str, user: User, service: Service, limit: int | None) -> list[SuggestionOut]:
    """What is shown of an account, best first; None = as many as the playbook has places."""
    playbook, now = service.decider().playbook, service.clock()
    found = service.ledger.suggestions(account, now=now, roles=roles_seen(service, user, account))
    return shown_to(found[: limit or playbook.places], user, service)


@router.post("/accounts/{account_id}/suggestions", dependencies=[ONCE])
def suggest_own(account: ReadableAccount, body: IdeaIn, user: SignedIn, service: Serving) -> SuggestionOut:
    """What I want to do with the account myself: on the list at once, accepted and planned. Consent, caps and
    approvals bind as they bind the engine; so does a policy, unless a reason may override it."""
    with refused_in_words(user, service):
        found = suggest(body.idea(account), user, service)
    return shown_to([found], user, service)[0]


@router.get("/worklist")
def my_worklist(user: SignedIn, service: Serving, limit: PageSize) -> list[HandOverOut | SuggestionOut]:
    """What is for me over all my accounts: what colleagues handed over first, then what I accepted, then
    today's plan in its order; with a limit more beyond it, by priority. Where there is no plan: by priority.
    For a manager without a role of the playbook: what is for her people, to read."""
    playbook, now = service.decider().playbook, service.clock()
    service.ledger.stand_ins.sweep(now=now)
    people, seen = people_seen(service, user)
    most = limit or playbook.per_person_per_day
    plan = day_plan(service.ledger, playbook, user.user_id, now=now) if people == (user.user_id,) else None
    if plan is None:
        found = service.ledger.worklist(*people, now=now, limit=most)
    else:
        found = _today_first(plan, service.ledger.worklist(user.user_id, now=now, limit=_ALL), limit)
    shown = shown_to([s for s in found if s.role in seen], user, service)
    return [*waiting_for(user, service), *shown]


@router.get("/suggestions/{suggestion_id}", responses=TAGGED)
def one(
    suggestion: ReadableSuggestion, user: SignedIn, service: Serving, response: Response
) -> SuggestionOut:
    """One suggestion, answered ones too."""
    shown = shown_to([suggestion], user, service)
    if not shown:
        detail = f"There is no suggestion {suggestion.suggestion_id!r} for you."
        raise HttpProblem(HTTPStatus.NOT_FOUND, detail)
    response.headers["ETag"] = shown[0].etag
    message = message_for(suggestion, user, service)
    return shown[0].model_copy(update={"message": None if message is None else MessageOut(**asdict(message))})


@router.post(
    "/suggestions/{suggestion_id}/feedback", dependencies=[ONCE], responses={412: {"model": Problem}}
)
def answer(
    suggestion: AnswerableSuggestion, body: FeedbackIn, user: SignedIn, service: Serving,
    if_match: IfMatch = None,
) -> FeedbackOut:  # fmt: skip
    """Accept, dismiss with a reason, snooze, or complete with result and preferences."""
    _check_channels(body, service)
    check_heard(body.heard(), service.decider().playbook)
    with refused_in_words(user, service):
        answered = service.answer(
            suggestion, body.answer(), user, check=lambda now: require(if_match, suggestion_tag(now))
        )
    act = service.ledger.latest_act(suggestion.suggestion_id)
    until = None if act is None else undo_until(act, service.decider().playbook)
    return feedback_out(answered, until, reader_of(user, service))


@router.post("/suggestions/{suggestion_id}/undo", dependencies=[ONCE])
def undo(suggestion: ReadableSuggestion, user: SignedIn, service: Serving) -> UndoneOut:
    """Take my last answer back with all that followed, while it is fresh and nothing has gone out."""
    with refused_in_words(user, service):
        take_back(service, suggestion.suggestion_id, user)
    return UndoneOut(
        suggestion_id=suggestion.suggestion_id, state=state_now(service, suggestion.suggestion_id)
    )


def _today_first(plan: DayPlan, listed: list[Suggestion], limit: int | None) -> list[Suggestion]:
    """What was accepted, then the plan of today (or of the next day that has one); with a limit so many, by
    priority beyond."""
    accepted = [suggestion for suggestion in listed if suggestion.state == "accepted"]
    today = [one.suggestion for one in plan.on(plan.next_day)]
    first = {s.suggestion_id: s for s in (*accepted, *today)}
    if limit is None:
        return list(first.values())
    rest = [suggestion for suggestion in listed if suggestion.suggestion_id not in first]
    return [*first.values(), *rest][:limit]


def shown_to(found: Iterable[Suggestion], user: User, service: Service) -> list[SuggestionOut]:
    """Treatments that the playbook no longer has are left out until the next night replaces them."""
    playbook, now = service.decider().playbook, service.clock()
    known = {treatment.id for treatment in playbook.treatments}
    listed = [suggestion for suggestion in found if suggestion.treatment in known]
    accounts = sorted({suggestion.account_id for suggestion in listed})
    told = service.ledger.told(accounts, after=forms_since(now)) if accounts else []
    notes = service.ledger.field_notes_of(accounts, after=notes_since(now)) if playbook.answers else []
    roles = people_seen(service, user)[1] if told or notes else ()
    reader = reader_of(user, service)
    return [
        suggestion_out(suggestion, reader, told=forms_for(suggestion, told, roles, playbook),
                       answers=answers_for(suggestion, notes, roles, playbook))
        for suggestion in listed
    ]  # fmt: skip


def _check_channels(body: FeedbackIn, service: Service) -> None:
    known = ["*", *(channel.id for channel in service.decider().playbook.channels)]
    for preference in body.preferences:
        if preference.channel not in known:
            detail = f"Unknown channel {preference.channel!r}; known are {', '.join(known)}."
            raise HttpProblem(HTTPStatus.UNPROCESSABLE_ENTITY, detail)
