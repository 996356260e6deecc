"""Tasks between colleagues: hand over, answer, read with the context; report a side effect."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query

from api.access import (
    PageSize,
    ReadableAccount,
    ReportableAccount,
    Serving,
    SignedIn,
    gave,
    gets,
    may,
    may_see_hand_over,
    people_seen,
    roles_seen,
)
from api.hand_over_schemas import (
    AdverseEventIn,
    FiguresOut,
    HandOverDetailOut,
    HandOverIn,
    HandOverOut,
    ReplyIn,
    hand_over_out,
    timeline_out,
)  # fmt: skip
from api.hand_overs import figures, hand_over, reply, report_adverse_event
from api.once import ONCE
from api.paging import LINK, Pages
from api.problems import HttpProblem, Problem
from api.reading import language_of, zone_of
from api.refused import refused_in_words
from api.schemas import form_answers_out
from api.service import Service
from api.timeline import may_read, timeline
from data.ledger.hand_over_types import HandOver
from data.ledger.types import UnknownError, User
from data.live import history_of, newest_stored
from data.times import micros

router = APIRouter(
    prefix="/v1", tags=["hand-overs"], responses={s: {"model": Problem} for s in (401, 403, 404, 409, 422)}
)

TIMELINE = 200
"""Touchpoints of a hand-over's context at most."""


def _readable(
    hand_over_id: Annotated[str, Path(min_length=1, max_length=200, description="The hand-over.")],
    user: SignedIn,
    service: Serving,
) -> HandOver:
    service.ledger.hand_overs.escalate_late(now=service.clock())
    missing = HttpProblem(HTTPStatus.NOT_FOUND, f"There is no hand-over {hand_over_id!r} for you.")
    try:
        found = service.ledger.hand_overs.find(hand_over_id)
    except UnknownError:
        raise missing from None
    if not may_see_hand_over(found, user, service):
        raise missing
    return found


ReadableHandOver = Annotated[HandOver, Depends(_readable)]


@router.post("/accounts/{account_id}/hand-overs", dependencies=[may("hand_overs"), ONCE])
def ask(account: ReadableAccount, body: HandOverIn, user: SignedIn, service: Serving) -> HandOverOut:
    """Ask a colleague to do something for an account, with a note."""
    if user.role not in {role.id for role in service.decider().playbook.roles}:
        raise HttpProblem(HTTPStatus.FORBIDDEN, f"Your role {user.role!r} is not in the playbook.")
    if body.suggestion_id is not None:
        _check_suggestion(body.suggestion_id, account, user, service)
    return shown_hand_overs([hand_over(service, account, body.wanted(), user)], user, service)[0]


def _check_suggestion(suggestion_id: str, account: str, user: User, service: Service) -> None:
    missing = HttpProblem(HTTPStatus.NOT_FOUND, f"There is no suggestion {suggestion_id!r} for you.")
    try:
        found = service.ledger.suggestion(suggestion_id)
    except UnknownError:
        raise missing from None
    if found.account_id != account or found.role not in roles_seen(service, user, account):
        raise missing


@router.get("/accounts/{account_id}/hand-overs", dependencies=[may("hand_overs")], responses=LINK)
def of_account(
    account: ReadableAccount, user: SignedIn, service: Serving, pages: Pages, limit: PageSize
) -> list[HandOverOut]:
    """All hand-overs of an account that I may see, the latest first; 100 a page unless asked for more."""
    found = seen_of_account(account, user, service)
    return shown_hand_overs(pages.of(found, _latest_first, limit or 100), user, service)


@router.get("/hand-overs", dependencies=[may("hand_overs")], responses=LINK)
def mine(
    user: SignedIn, service: Serving, pages: Pages, limit: PageSize,
    box: Annotated[Literal["received", "sent"], Query()] = "received",
) -> list[HandOverOut]:  # fmt: skip
    """What waits for me, the first that is due on top; or what I asked others for and is not closed. 100 a
    page unless asked for more."""
    if box == "received":
        found = _waiting_for(user, service)
    else:
        service.ledger.hand_overs.escalate_late(now=service.clock())
        found = service.ledger.hand_overs.asked_by(user.user_id)
    return shown_hand_overs(pages.of(found, _first_due_first, limit or 100), user, service)


def seen_of_account(account_id: str, user: User, service: Service) -> list[HandOver]:
    """All hand-overs of an account that the user may see, the latest first."""
    service.ledger.hand_overs.escalate_late(now=service.clock())
    return [
        one
        for one in service.ledger.hand_overs.of_account(account_id)
        if may_see_hand_over(one, user, service)
    ]


def _latest_first(found: HandOver) -> list[str | int]:
    return [-found.asked_at, found.hand_over_id]


def _first_due_first(found: HandOver) -> list[str | int]:
    return [int(found.due_at is None), found.due_at or 0, found.asked_at, found.hand_over_id]


def waiting_for(user: User, service: Service) -> list[HandOverOut]:
    """What waits for a person, for her list."""
    return shown_hand_overs(_waiting_for(user, service), user, service)


def _waiting_for(user: User, service: Service) -> list[HandOver]:
    service.ledger.stand_ins.sweep(now=service.clock())
    service.ledger.hand_overs.escalate_late(now=service.clock())
    return service.ledger.hand_overs.for_person(user.user_id, user.role)


@router.get("/hand-overs/figures", dependencies=[may("hand_overs")])
def how_it_goes(user: SignedIn, service: Serving) -> list[FiguresOut]:
    """How the roles that I see keep what was agreed, over the last 90 days."""
    now = service.clock()
    service.ledger.hand_overs.escalate_late(now=now)
    return [FiguresOut(**row) for row in figures(service.ledger, people_seen(service, user)[1], now)]


@router.get("/hand-overs/{hand_over_id}", dependencies=[may("hand_overs")])
def one(found: ReadableHandOver, user: SignedIn, service: Serving) -> HandOverDetailOut:
    """A hand-over with what was said with the account before, as far as my role may see it."""
    playbook = service.decider().playbook
    roles = _for_reports(people_seen(service, user)[1], found, user, service)
    told = service.ledger.told([found.account_id], after=0)
    history = history_of(service.ledger.account_state(found.account_id))
    # Stored times grow even while the clock stands.
    known_at = max(service.clock(), newest_stored(history)) + 1
    entries = timeline(history, told, roles, playbook, known_at, limit=TIMELINE)
    forms = [t for t in told if t.direction == "inbound" and t.details is not None
             and may_read(t.topic, t.role, roles, playbook)]  # fmt: skip
    return HandOverDetailOut(
        **shown_hand_overs([found], user, service)[0].model_dump(),
        form_answers=[form_answers_out(each) for each in forms[:TIMELINE]],
        timeline=[timeline_out(entry) for entry in entries],
    )


def _for_reports(roles: tuple[str, ...], found: HandOver, user: User, service: Service) -> tuple[str, ...]:
    """Whoever gets a report reads it, also when a colleague of another role wrote it down."""
    return (*roles, found.by_role) if found.kind == "safety" and gets(found, user, service) else roles


@router.post("/hand-overs/{hand_over_id}/answer", dependencies=[may("hand_overs"), ONCE])
def answer(found: ReadableHandOver, body: ReplyIn, user: SignedIn, service: Serving) -> HandOverOut:
    """Accept, do, send back with a reason; or, when it came back, close it or ask again."""
    takes_back = body.verb in ("close", "ask_again")
    if not (gave(found, user, service) if takes_back else gets(found, user, service)):
        whose = "the one who handed it over" if takes_back else f"{found.to_role} who has it"
        raise HttpProblem(HTTPStatus.FORBIDDEN, f"Only {whose} can answer with {body.verb!r}.")
    with refused_in_words(user, service):
        after = reply(service, found, body.reply(), user)
    return shown_hand_overs([after], user, service)[0]


@router.post("/accounts/{account_id}/adverse-events", dependencies=[may("events"), ONCE])
def adverse_event(
    account_id: ReportableAccount, body: AdverseEventIn, user: SignedIn, service: Serving
) -> HandOverOut:
    """Send a reported side effect to the safety role, with its legal clock; it is no signal for others."""
    at = None if body.at is None else micros(body.at)
    found = report_adverse_event(service, account_id, body.report(), channel=body.channel, at=at, user=user)
    return shown_hand_overs([found], user, service)[0]


def shown_hand_overs(found: Iterable[HandOver], user: User, service: Service) -> list[HandOverOut]:
    """Hand-overs as the user reads them."""
    listed, playbook = list(found), service.decider().playbook
    if not listed:
        return []
    names = {one.user_id: one.name for one in service.ledger.users()}
    seen, now = people_seen(service, user)[1], service.clock()
    language, zone = language_of(user, playbook), zone_of(user, playbook)
    return [
        hand_over_out(
            each, names=names, language=language,
            sees_answer=each.to_role in seen or gets(each, user, service),
            zone=zone, now=now, playbook=playbook,
        )
        for each in listed
    ]  # fmt: skip
