"""The live stream: what changes on the lists that somebody may see, as server-sent events.

Every process polls the ledger while anybody watches, so that it does not matter which process made a change,
and a pooler in transaction mode is no obstacle. An event's id is its place in the ledger's order: who comes
back with the last one (Last-Event-ID) goes on from there, and a page that was made at a place (`place_now`)
begins there.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Callable

from fastapi.concurrency import run_in_threadpool

from api.access import may_see_change
from api.service import Service
from data.home import DataError
from data.ledger.changes import KEPT_MICROS, Change, Position
from data.ledger.types import User

_log = logging.getLogger("nextbest.api")

POLL_SECONDS = 0.1
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
    """One per process: reads changes while anybody watches, and hands them to all who may see them.

    Who may see what is asked once for everybody, by the thread that has read the changes: a stream costs
    little more than what is sent over it.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self._watching: dict[asyncio.Queue[Change | None], User] = {}
        self._task: asyncio.Task[None] | None = None
        self._visible: dict[tuple[str, str | None, str | None], tuple[float, bool]] = {}

    async def watch(self, user: User, position: Position, ends: float) -> AsyncIterator[Change | None]:
        """Changes after a position that the user may see; None when nothing came for a while, or by the time
        of the loop at which it `ends`. Ends sooner for who is too slow, to be continued from the last one."""
        queue: asyncio.Queue[Change | None] = asyncio.Queue(_WAITING)
        self._watching[queue] = user
        self._start(position)
        try:
            while earlier := await run_in_threadpool(self._after, position, lambda: [user]):
                for change, viewers in earlier:
                    position = change.position
                    if viewers:
                        yield change
            now = asyncio.get_running_loop().time
            while not queue.full() and now() < ends:
                try:
                    async with asyncio.timeout_at(min(now() + QUIET_SECONDS, ends)):
                        news = await queue.get()
                except TimeoutError:
                    yield None
                    continue
                if news is None:
                    return
                if news.position > position:
                    position = news.position
                    yield news
        finally:
            del self._watching[queue]

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
            try:
                news = await run_in_threadpool(self._after, position, lambda: list(self._watching.values()))
            except DataError as error:
                _log.warning("stream: %s", error)
                news = []
            for change, viewers in news:
                position = change.position
                for queue, user in self._watching.items():
                    if user in viewers and not queue.full():
                        queue.put_nowait(change)
            await asyncio.sleep(POLL_SECONDS)

    def _after(
        self, position: Position, watching: Callable[[], list[User]]
    ) -> list[tuple[Change, set[User]]]:
        """Changes after a position, each with those who watch and may see it.

        Who watches is asked once the changes are read: whoever begins later finds them in the ledger herself.
        """
        changes = self._service.ledger.changes.after(position)
        users, service = set(watching()), self._service.for_one_request()
        return [(one, {user for user in users if self._shows(service, user, one)}) for one in changes]

    def _shows(self, service: Service, user: User, change: Change) -> bool:
        """Whether the user may see a change; who serves which account is looked up every few seconds."""
        if change.kind == "hand_over":
            return may_see_change(service, user, change)
        now, key = time.monotonic(), (user.user_id, change.account_id, change.role)
        found = self._visible.get(key)
        if found is None or found[0] < now:
            if len(self._visible) > _REMEMBERED:
                self._visible.clear()
            found = self._visible[key] = (now + VISIBLE_SECONDS, may_see_change(service, user, change))
        return found[1]


async def events(feed: Feed, service: Service, user: User, after: str | None) -> AsyncIterator[str]:
    """What a user may see of the changes after an event's id, as text of server-sent events; not for longer
    than a provider's word for her holds."""
    lasts = OPEN_SECONDS if user.until is None else min(OPEN_SECONDS, (user.until - service.clock()) / 1e6)
    ends = asyncio.get_running_loop().time() + lasts
    position = read_id(after, service.clock())
    start = position if position is not None else await run_in_threadpool(service.ledger.changes.end)
    begins = "ready" if position or not after else RESYNC
    yield "retry: 1000\n" + _event(begins, {}, _id(start, service.clock()))
    async for change in feed.watch(user, start, ends):
        if change is None:
            yield ": still here\n\n"
        else:
            yield _event(change.kind, _said(change), _id(change.position, change.at))
        if asyncio.get_running_loop().time() >= ends:
            return


def place_now(service: Service) -> str:
    """The id to go on from for whoever reads lists after asking for it: nothing falls in between."""
    return _id(service.ledger.changes.end(), service.clock())


def read_id(text: str | None, now: int) -> Position | None:
    """The position of an event's id; None for none, one that is no id, or one that is too old."""
    try:
        tx, seq, at = (int(part) for part in (text or "").split("."))
    except ValueError:
        return None
    return Position(tx, seq) if at > now - KEPT_MICROS and max(tx, seq) < 2**63 else None


def _id(position: Position, at: int) -> str:
    return f"{position.tx}.{position.seq}.{at}"


def _event(kind: str, said: dict[str, str | None], name: str) -> str:
    return f"id: {name}\nevent: {kind}\ndata: {json.dumps(said)}\n\n"


def _said(change: Change) -> dict[str, str | None]:
    what = {"hand_over": "hand_over_id", "lists": "cause"}.get(change.kind, "suggestion_id")
    return {what: change.subject, "account_id": change.account_id, "trigger": change.trigger}
