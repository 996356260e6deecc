"""The live stream of what changes on my lists."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import StreamingResponse

from api.access import Serving, SignedIn, may
from api.problems import Problem
from api.stream import Feed, events

router = APIRouter(
    prefix="/v1",
    tags=["stream"],
    dependencies=[may("suggestions")],
    responses={s: {"model": Problem} for s in (401, 403, 422)},
)

LastEventId = Annotated[str | None, Header(max_length=100, description="Go on after this event.")]
After = Annotated[str | None, Query(max_length=100, description="The same, where there is no such header.")]


@router.get(
    "/stream",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}},
)
async def stream(
    request: Request, user: SignedIn, service: Serving, last_event_id: LastEventId = None, after: After = None
) -> StreamingResponse:
    """Server-sent events: posted, changed, gone, hand_over and lists, each for what I may see. The first is
    `ready`, or `resync` where the event to go on after is too old: then read the lists anew."""
    feed: Feed = request.app.state.feed
    told = events(feed, request.app.state.service, user, last_event_id or after)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(told, media_type="text/event-stream", headers=headers)
