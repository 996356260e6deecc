"""`python -m benchmarks.load`: open streams while events come in. How soon is it told, and is anything lost?

A served world of its own; half of the streams are cut again and again and go on from their last event. What
every stream got is compared with what its user may see of all changes that the ledger has.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from api.access import may_see_change
from api.decider import LiveDecider
from api.service import Service
from benchmarks.serving.generator import BenchError, Line, message, opened, percentile
from benchmarks.serving.processes import Server, nextbest
from data.ingest import ingest
from data.ledger.changes import Position
from data.ledger.ledger import Ledger
from data.ledger.types import User
from data.settings import Settings
from data.times import now_micros, to_datetime
from data.world import WorldSettings, write_world
from engine.records import DAY_MICROS

TOPICS = ("side_effects", "dosing", "efficacy", "guidelines")
CUT_SECONDS = 3.0
SETTLE_SECONDS = 3.0


@dataclass
class Watcher:
    """One stream: what it got.

    Attributes:
        got: Ids of changes in the order in which they came.
        delays: After how many seconds each was told, counted from when it was decided.
        heard: Event -> when a suggestion that it caused was first told, by `time.time`.
        id: The one read last, to go on from.
    """

    user: User
    token: str
    port: int
    cut: bool
    got: list[str] = field(default_factory=list)
    delays: list[float] = field(default_factory=list)
    heard: dict[str, float] = field(default_factory=dict)
    id: str = ""

    async def watch(self, stopped: asyncio.Event) -> None:
        """Read until stopped; after every end go on from the last event."""
        while not stopped.is_set():
            try:
                async with asyncio.timeout(CUT_SECONDS if self.cut and self.got else None):
                    await self._read(stopped)
            except (TimeoutError, OSError):
                continue

    async def _read(self, stopped: asyncio.Event) -> None:
        last = f"last-event-id: {self.id}\r\n" if self.id else ""
        asked = message("GET", "/v1/stream", token=self.token)
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(asked[:-2] + last.encode() + b"\r\n")
            while (line := await reader.readline()) not in (b"", b"0\r\n") and not stopped.is_set():
                self._take(line, time.time())
        finally:
            writer.close()

    def _take(self, line: bytes, now: float) -> None:
        if line.startswith(b"id: "):
            self.id = line[4:].decode().strip()
        elif line.startswith(b"event: ") and line.strip() not in (b"event: ready", b"event: resync"):
            self.got.append(self.id)
            self.delays.append(now - int(self.id.rpartition(".")[2]) / 1e6)
        elif line.startswith(b"data: "):
            kind, _, event = str(json.loads(line[6:]).get("trigger")).partition(":")
            if kind == "event":
                self.heard.setdefault(event, now)


def prepared(settings: Settings, accounts: int) -> tuple[list[User], dict[str, str], dict[str, str]]:
    """A world, loaded: colleagues with accounts, a token for each, and accounts with who serves them."""
    until = to_datetime(now_micros() // DAY_MICROS * DAY_MICROS)
    write_world(WorldSettings(accounts=accounts, until=until), settings.home / "world")
    ingest(settings.home / "world", settings.as_home(), loaded_at=now_micros())
    ledger, now = Ledger.open(settings.as_home()), now_micros()
    served: dict[str, str] = {}
    users = []
    for user in ledger.users():
        own = ledger.accounts_served(user.user_id) if user.role == "account_manager" else []
        if own:
            users.append(user)
            served |= {account: user.user_id for account, _ in own}
    tokens = {u.user_id: ledger.issue_token(u.user_id, now=now, expires_at=now + DAY_MICROS) for u in users}
    ledger.close()
    return users, tokens, served


@dataclass
class Sent:
    """Events on their way: when each was sent, by `time.time`, and after how many seconds it was answered."""

    at: dict[str, float] = field(default_factory=dict)
    answered: list[float] = field(default_factory=list)


async def run(
    servers: Sequence[Server], watchers: list[Watcher], served: Mapping[str, str], tokens: Mapping[str, str],
    *, rate: float, seconds: float,
) -> Sent:  # fmt: skip
    """Send events at a rate, to each server in turn, while all watch."""
    stopped, sent = asyncio.Event(), Sent()
    tasks = [asyncio.create_task(one.watch(stopped)) for one in watchers]
    await asyncio.sleep(2)
    began, sending = time.perf_counter(), []
    for number in range(int(rate * seconds)):
        await asyncio.sleep(max(0.0, began + number / rate - time.perf_counter()))
        port = servers[number % len(servers)].port
        account = list(served)[number * 7919 % len(served)]
        sending.append(asyncio.create_task(_send(number, port, account, tokens[served[account]], sent)))
    await asyncio.gather(*sending)
    told = -1
    while told != (told := sum(len(one.got) for one in watchers)):
        await asyncio.sleep(SETTLE_SECONDS)
    stopped.set()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return sent


async def _send(number: int, port: int, account: str, token: str, sent: Sent) -> None:
    """Raises BenchError where it is not taken."""
    row = {"direction": "inbound", "channel": "website", "topic": TOPICS[number % 4], "status": "done"}
    event_id = f"load-{number}"
    event = {"event_id": event_id, "table": "touchpoints", "account_id": account, "row": row}
    line: Line
    (line,) = await opened((port,), 1)
    sent.at[event_id], began = time.time(), time.perf_counter()
    await line.ask(message("POST", "/v1/events", json.dumps(event).encode(), token))
    sent.answered.append(time.perf_counter() - began)
    line.close()


def visible(settings: Settings, users: Sequence[User], start: Position) -> dict[str, list[str]]:
    """User -> ids of all changes after a position that she may see, in order."""
    home = settings.as_home()
    ledger = Ledger.open(home)
    service = Service(ledger, LiveDecider(home, ledger, settings.playbook, settings.seed), now_micros)
    found, position = [], start
    while more := ledger.changes.after(position):
        found += more
        position = more[-1].position
    seen = {
        u.user_id: [
            f"{c.position.tx}.{c.position.seq}.{c.at}" for c in found if may_see_change(service, u, c)
        ]
        for u in users
    }
    ledger.close()
    return seen


def main() -> None:
    """Print the figures; exit code 1 where anything was lost or told twice."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load", description=__doc__)
    parser.add_argument("--streams", type=int, default=50)
    parser.add_argument("--rate", type=float, default=20.0, help="events a second")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--accounts", type=int, default=500)
    parser.add_argument("--workers", type=int, default=1, help="processes on one ledger")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # whoever ends it ends its servers, too
    with TemporaryDirectory(prefix="nextbest-load-") as folder:
        home = Path(folder)
        wrong = measure(
            Settings(home=home, models=home / "models"), streams=given.streams, rate=given.rate,
            seconds=given.seconds, accounts=given.accounts, workers=given.workers,
        )  # fmt: skip
    sys.exit(1 if wrong else 0)


def measure(
    settings: Settings, *, streams: int, rate: float, seconds: float, accounts: int, workers: int
) -> int:
    """How many changes were lost or told twice; prints the figures. Raises BenchError."""
    users, tokens, served = prepared(settings, accounts)
    ledger = Ledger.open(settings.as_home())
    start = ledger.changes.end()
    ledger.close()
    with ExitStack() as running:
        servers = [running.enter_context(nextbest(settings)) for _ in range(workers)]
        watchers = [
            Watcher(user, tokens[user.user_id], servers[number % workers].port, cut=number % 4 >= 2)
            for number in range(streams)
            for user in [users[number % len(users)]]
        ]
        sent = asyncio.run(run(servers, watchers, served, tokens, rate=rate, seconds=seconds))
        processor = sum(server.processor_seconds() for server in servers)
    return report(watchers, visible(settings, users, start), sent, processor)


def report(
    watchers: Sequence[Watcher], expected: Mapping[str, list[str]], sent: Sent, processor: float
) -> int:
    """Print what was measured; how many changes were lost or told twice."""
    if not any(expected.values()):
        raise BenchError("Nothing has changed on any list: there was nothing to tell.")
    lost = sum(len(set(expected[one.user.user_id]) - set(one.got)) for one in watchers)
    twice = sum(len(one.got) - len(set(one.got)) for one in watchers)
    steady = [one for one in watchers if not one.cut]
    heard = [told - sent.at[event] for one in steady for event, told in one.heard.items()]
    decided = [delay for one in steady for delay in one.delays]
    told, cut = sum(len(one.got) for one in watchers), sum(one.cut for one in watchers)
    print(f"{len(sent.answered):,} events; answered {_shown(sent.answered)}; "
          f"{processor:.1f} s of the servers' processor time in all")  # fmt: skip
    print(f"{told:,} changes told on {len(watchers)} streams, {cut} of them cut every {CUT_SECONDS:g} s; on "
          f"the others {_shown(decided)} after the decision, {_shown(heard)} after the event")  # fmt: skip
    print(f"lost: {lost}, told twice: {twice}")
    return lost + twice


def _shown(seconds: Sequence[float]) -> str:
    return f"p50 {percentile(seconds, 0.5) * 1000:.0f} ms, p99 {percentile(seconds, 0.99) * 1000:.0f} ms"


if __name__ == "__main__":
    main()
