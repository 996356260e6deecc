"""One account: who it is, what happened, what is suggested; and what a colleague adds by herself."""

from __future__ import annotations

from typing import Annotated
from uuid import uuid4

from fastapi import Form, Query, Request, Response

from api.access import ReadableAccount, Serving, SignedIn, may, may_report, roles_seen
from api.contact_schemas import ContactIn
from api.hand_over_schemas import AdverseEventIn, HandOverIn
from api.own_schemas import IdeaIn
from api.page.days import at_morning, working_days
from api.page.forms import Short, Text, day_of
from api.page.heard import Heard, answers_of, heard_choices
from api.page.picture import picture
from api.page.rendering import show, words_for
from api.page.routing import back, page_router
from api.page.suggestion import hand_to
from api.reading import zone_of
from api.routes import accounts, contacts, explanations, hand_overs, suggestions, twins
from api.service import Service
from api.stream import place_now
from data.ledger.types import User
from engine.playbook import Treatment

router = page_router()

_TIMELINE = 200
_FOUND = 60


@router.get("/accounts", dependencies=[may("accounts")])
def find(
    request: Request, user: SignedIn, service: Serving, q: Annotated[str, Query(max_length=200)] = ""
) -> Response:
    """Accounts that she serves, by name."""
    found = accounts.accounts_found(user, service, q)[:_FOUND]
    return show(request, user, service, "accounts.html", found=found, q=q)


@router.get("/accounts/{account_id}", dependencies=[may("accounts", "suggestions", "hand_overs")])
def one(request: Request, account: ReadableAccount, user: SignedIn, service: Serving) -> Response:
    """Everything that she may know of it, on one page."""
    place, words, playbook = place_now(service), words_for(user, service), service.decider().playbook
    about = accounts.about(account, user, service)
    timeline = accounts.timeline_of(account, user, service, limit=_TIMELINE)
    found, own = suggestions.best_of(account, user, service, limit=20), own_treatments(user, service)
    return show(
        request, user, service, "account.html",
        place=place,
        about=about,
        names={one.user_id: one.name for one in service.ledger.users()},
        suggestions=found,
        shared_answers=answers_of(found),
        heard=heard_choices(user, service, roles_seen(service, user, account)) if own else None,
        hand_overs=hand_overs.shown_hand_overs(
            hand_overs.seen_of_account(account, user, service), user, service
        ),
        timeline=timeline,
        picture=picture(timeline, about.outcomes, words),
        twins=twins.twins(account, user, service) if playbook.twins else None,
        askable=[t for t in playbook.treatments
                 if t.kind != "none" and t.role in roles_seen(service, user, account)],
        own=own,
        days=working_days(words, str(about.facts.get("country", ""))),
        hand_to=hand_to(user, service),
        form_id=uuid4().hex,
        reports=bool(playbook.safety_role) and may_report(service, user, account),
    )  # fmt: skip


def own_treatments(user: User, service: Service) -> list[Treatment]:
    """What she may suggest herself."""
    found = service.decider().playbook.treatments
    return [t for t in found if t.role == user.role and t.kind == "contact"]


@router.get("/accounts/{account_id}/why-not", dependencies=[may("suggestions")])
def why_not(
    request: Request, account: ReadableAccount, user: SignedIn, service: Serving,
    treatment: Annotated[str, Query(min_length=1, max_length=200)],
) -> Response:  # fmt: skip
    """What keeps a treatment away, and what would put it first."""
    found = explanations.why_not(account, treatment, user, service)
    turning = None if found.suggested else explanations.what_would_change(account, user, service, treatment)
    name = service.ledger.account_state(account).name
    return show(request, user, service, "why_not.html", found=found, turning=turning, name=name)


@router.post("/accounts/{account_id}/plan", dependencies=[may("suggestions")])
def plan(
    request: Request, *, account: ReadableAccount, user: SignedIn, service: Serving,
    treatment: Short, on: Short = "", note: Text = "", override: Text = "", sent: Short = "",
) -> Response:  # fmt: skip
    """What she wants to do herself; `sent` names the form, so that two taps are one plan."""
    at = None if not on else at_morning(day_of(on), zone_of(user, service.decider().playbook))
    idea = IdeaIn(event_id=sent or str(uuid4()), treatment=treatment, at=at, note=note.strip() or None,
                  override=override.strip() or None)  # fmt: skip
    suggestions.suggest_own(account, idea, user, service)
    return back(request, {"did": "plan"})


@router.post("/accounts/{account_id}/record", dependencies=[may("accounts")])
def record(
    request: Request, *, account: ReadableAccount, user: SignedIn, service: Serving,
    treatment: Short, heard: Heard, note: Text = "", sent: Short = "",
) -> Response:  # fmt: skip
    """A contact of her own that nobody had planned."""
    body = ContactIn(event_id=f"page-{sent or uuid4()}", treatment=treatment, note=note.strip() or None,
                     **dict(heard))  # fmt: skip
    contacts.record(account, body, user, service)
    return back(request, {"did": "record"})


@router.post("/accounts/{account_id}/side-effect", dependencies=[may("events")])
def side_effect(
    request: Request, *, account: ReadableAccount, user: SignedIn, service: Serving,
    description: Annotated[str, Form(min_length=1, max_length=10_000)], serious: Short = "",
    product: Short = "",
) -> Response:  # fmt: skip
    """To drug safety at once, with its legal clock."""
    body = AdverseEventIn(description=description, serious=bool(serious), product=product.strip() or None)
    hand_overs.adverse_event(account, body, user, service)
    return back(request, {"did": "side_effect"})


@router.post("/accounts/{account_id}/hand-overs", dependencies=[may("hand_overs")])
def ask(
    request: Request,
    *,
    account: ReadableAccount,
    user: SignedIn,
    service: Serving,
    to_role: Short,
    note: Text = "",
) -> Response:
    """Ask a colleague to do something for the account."""
    handed = hand_overs.ask(account, HandOverIn(to_role=to_role, note=note.strip() or None), user, service)
    return back(request, {"did": "hand_over", "handed": handed.to_role})
