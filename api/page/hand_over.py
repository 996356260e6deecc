"""One hand-over: what is asked, with the context, and what can be answered."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Form, Request, Response

from api.access import Serving, SignedIn, gave, gets, may
from api.hand_over_schemas import ReplyIn
from api.hand_overs import REJECT_REASONS
from api.page.forms import Short, Text
from api.page.rendering import show
from api.page.routing import back, page_router
from api.routes import hand_overs

router = page_router()


@router.get("/hand-overs/{hand_over_id}", dependencies=[may("hand_overs")])
def one(request: Request, found: hand_overs.ReadableHandOver, user: SignedIn, service: Serving) -> Response:
    """What is asked, by whom, until when, and what was said before."""
    detail = hand_overs.one(found, user, service)
    return show(
        request, user, service, "hand_over.html",
        one=detail,
        receives=gets(found, user, service),
        gave=gave(found, user, service),
        serves=service.ledger.serves(user.user_id, found.account_id),
        reasons=REJECT_REASONS,
        names={one.user_id: one.name for one in service.ledger.users()},
        channels=[c.id for c in service.decider().playbook.channels if c.outbound and not c.automated],
    )  # fmt: skip


@router.post("/hand-overs/{hand_over_id}/answer", dependencies=[may("hand_overs")])
def answer(
    request: Request, *, found: hand_overs.ReadableHandOver, user: SignedIn, service: Serving,
    verb: Annotated[Literal["accept", "done", "reject", "close", "ask_again"], Form()],
    reason: Short = "", note: Text = "", channel: Short = "",
) -> Response:  # fmt: skip
    """Take it on, done, send back; or close it and ask again."""
    body = ReplyIn(
        verb=verb, reason=reason or None, note=note.strip() or None,
        channel=(channel or None) if verb == "done" else None,
    )  # fmt: skip
    hand_overs.answer(found, body, user, service)
    return back(request, {"did": f"hand_over_{verb}"})
