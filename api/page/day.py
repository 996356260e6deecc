"""My day: what waits, in order, and what it takes of my time."""

from __future__ import annotations

from fastapi import Request, Response

from api.access import Serving, SignedIn, people_seen
from api.hand_over_schemas import HandOverOut
from api.page.cards import minutes_of
from api.page.rendering import show
from api.page.routing import page_router
from api.routes.suggestions import my_worklist
from api.schemas import SuggestionOut
from engine.contract import DISMISS_REASONS

router = page_router()


@router.get("/day")
def my_day(request: Request, user: SignedIn, service: Serving) -> Response:
    """Hand-overs first, then suggestions; those of her people for a manager, to read."""
    playbook = service.decider().playbook
    listed = my_worklist(user, service)
    suggestions = [one for one in listed if isinstance(one, SuggestionOut)]
    return show(
        request, user, service, "day.html",
        hand_overs=[one for one in listed if isinstance(one, HandOverOut)],
        suggestions=suggestions,
        minutes=minutes_of(suggestions, playbook),
        minutes_by={one.suggestion_id: playbook.treatment(one.treatment).minutes for one in suggestions},
        answers=user.role in {role.id for role in playbook.roles},
        reads_others=len(people_seen(service, user)[0]) > 1,
        dismiss_reasons=DISMISS_REASONS,
    )  # fmt: skip
