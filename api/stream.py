"""The live stream: what changes on the lists that somebody may see, as server-sent events.

Every process polls the ledger while anybody watches, so that it does not matter which process made a change,
and a pooler in transaction mode is no obstacle. An event's id is its place in the ledger's order: who comes
back with the last one (Last-Event-ID) goes on from there.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator

from fastapi.concurrency import run_in_threadpool

from api.access import may_see_change
from api.service import Service
from data.home import DataError
from data.ledger.changes import KEPT_MICROS, Change, Position
from data.ledger.types import User

_log = logging.getLogger("nextbest.api")

POLL_SECONDS = 0.25
QUIET_SECONDS = 15.0
"""After so long without news a comment says that the line still stands."""
OPEN_SECONDS = 120.0
"""After so long a stream ends and the client comes back: whoever has left the company does not."""
VISIBLE_SECONDS = 2.0
"""So long it is taken for granted who may see what of an account."""
_WAITING = 2_000
_REMEMBERED = 100_000
RESYNC = "resync"


class Feed:
    """One per process: reads changes while anybody watches, and hands them to all who do."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._watching: set[asyncio.Queue[Change | None]] = set()
        self._task: asyncio.Task[None] | None = None
        self._visible: dict[tuple[str, str | None, str | None], tuple[float, bool]] = {}

    async def shows(self, user: User, change: Change) -> bool:
        """Whether the user may see a change; who serves which account is looked up every few seconds."""
        if change.kind == "hand_over":
            return await run_in_threadpool(may_see_change, self._service, user, change)
        now, key = asyncio.get_running_loop().time(), (user.user_id, change.account_id, change.role)
        found = self._visible.get(key)
        if found is None or found[0] < now:
            if len(self._visible) > _REMEMBERED:
                self._visible.clear()
            seen = await run_in_threadpool(may_see_change, self._service, user, change)
            found = self._visible[key] = (now + VISIBLE_SECONDS, seen)
        return found[1]

    async def watch(self, position: Position, ends: float) -> AsyncIterator[Change | None]:
        """Changes after a position; None when nothing came for a while, or by the time of the loop at which
        it `ends`. Ends sooner for who is too slow, to be continued from the last one."""
        queue: asyncio.Queue[Change | None] = asyncio.Queue(_WAITING)
        self._watching.add(queue)
        self._start(position)
        try:
            while earlier := await run_in_threadpool(self._service.ledger.changes.after, position):
                for change in earlier:
                    position = change.position
                    yield change
            time = asyncio.get_running_loop().time
            while not queue.full() and time() < ends:
                try:
                    news = await asyncio.wait_for(queue.get(), min(QUIET_SECONDS, ends - time()))
                except TimeoutError:
                    yield None
                    continue
                if news is None:
                    return
                if news.position > position:
                    position = news.position
                    yield news
        finally:
            self._watching.discard(queue)

    def stop(self) -> None:
        """End every stream now: the process stops, and who watches comes back to another one."""
        for queue in self._watching:
            if not queue.full():
                queue.put_nowait(None)

    def _start(self, position: Position) -> None:
        """From where the first who watches has read, so that nothing falls between her reading and ours."""
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._poll(position))

    async def _poll(self, position: Position) -> None:
        while self._watching:
            for change in await self._after(position):
                position = change.position
                for queue in self._watching:
                    if not queue.full():
                        queue.put_nowait(change)
            await asyncio.sleep(POLL_SECONDS)

    async def _after(self, position: Position) -> list[Change]:
        try:
            return await run_in_threadpool(self._service.ledger.changes.after, position)
        except DataError as error:
            _log.warning("stream: %s", error)
            return []


async def events(feed: Feed, service: Service, user: User, last_event_id: str | None) -> AsyncIterator[str]:
    """What a user may see of the changes, as text of server-sent events; not for longer than a provider's
    word for her holds."""
    lasts = OPEN_SECONDS if user.until is None else min(OPEN_SECONDS, (user.until - service.clock()) / 1e6)
    ends = asyncio.get_running_loop().time() + lasts
    position = read_id(last_event_id, service.clock())
    start = position if position is not None else await run_in_threadpool(service.ledger.changes.end)
    yield "retry: 1000\n" + _event("ready" if position or not last_event_id else RESYNC, {})
    async for change in feed.watch(start, ends):
        if change is None:
            yield ": still here\n\n"
        elif await feed.shows(user, change):
            yield _event(change.kind, _said(change), change)
        if asyncio.get_running_loop().time() >= ends:
            return


def read_id(text: str | None, now: int) -> Position | None:
    """The position of an event's id; None for none, one that is no id, or one that is too old."""
    try:
        tx, seq, at = (int(part) for part in (text or "").split("."))
    except ValueError:
        return None
    return Position(tx, seq) if at > now - KEPT_MICROS and max(tx, seq) < 2**63 else None


def _event(kind: str, said: dict[str, str | None], change: Change | None = None) -> str:
    name = f"id: {change.position.tx}.{change.position.seq}.{change.at}\n" if change else ""
    return f"{name}event: {kind}\ndata: {json.dumps(said)}\n\n"


def _said(change: Change) -> dict[str, str | None]:
    what = {"hand_over": "hand_over_id", "lists": "cause"}.get(change.kind, "suggestion_id")
    return {what: change.subject, "account_id": change.account_id, "trigger": change.trigger}
