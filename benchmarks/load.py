"""`python -m benchmarks.load`: open streams while events come in. How soon is it told, and is anything lost?

A served world of its own; half of the streams are cut again and again and go on from their last event. What
every stream got is compared with what its user may see of all changes that the ledger has.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx

from api.access import may_see_change
from api.decider import LiveDecider
from api.server import hold_port
from api.service import Service
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
SETTLE_SECONDS = 5.0


@dataclass
class Watcher:
    """One stream: what it got, and how long after it had happened, in seconds."""

    user: User
    headers: dict[str, str]
    cut: bool
    got: list[str] = field(default_factory=list)
    delays: list[float] = field(default_factory=list)

    async def watch(self, client: httpx.AsyncClient, stopped: asyncio.Event) -> None:
        """Read until stopped; after every end go on from the last event."""
        while not stopped.is_set():
            last = {"Last-Event-ID": self.got[-1]} if self.got else {}
            try:
                async with asyncio.timeout(CUT_SECONDS if self.cut and self.got else None):
                    await self._read(client, last, stopped)
            except (TimeoutError, httpx.TransportError):
                continue

    async def _read(self, client: httpx.AsyncClient, last: dict[str, str], stopped: asyncio.Event) -> None:
        async with client.stream("GET", "/v1/stream", headers=self.headers | last) as response:
            async for line in response.aiter_lines():
                if line.startswith("id: "):
                    self.got.append(line[4:])
                    self.delays.append(time.time() - int(line.rpartition(".")[2]) / 1e6)
                if stopped.is_set():
                    return


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which that share lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")


def prepared(
    settings: Settings, accounts: int
) -> tuple[list[User], dict[str, dict[str, str]], dict[str, str]]:
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
    tokens = {
        u.user_id: {
            "Authorization": f"Bearer {ledger.issue_token(u.user_id, now=now, expires_at=now + DAY_MICROS)}"
        }
        for u in users
    }
    ledger.close()
    return users, tokens, served


async def run(
    address: str, watchers: list[Watcher], served: dict[str, str], tokens: dict[str, dict[str, str]], *,
    rate: float, seconds: float,
) -> list[float]:  # fmt: skip
    """Send events at a rate while all watch; seconds until each was answered."""
    stopped, answered = asyncio.Event(), []
    limits = httpx.Limits(max_connections=len(watchers) + 100)
    async with httpx.AsyncClient(base_url=address, timeout=None, limits=limits) as client:
        tasks = [asyncio.create_task(one.watch(client, stopped)) for one in watchers]
        await asyncio.sleep(2)

        async def send(number: int) -> None:
            account = list(served)[number * 7919 % len(served)]
            row = {
                "direction": "inbound",
                "channel": "website",
                "topic": TOPICS[number % 4],
                "status": "done",
            }
            event = {"event_id": f"load-{number}", "table": "touchpoints", "account_id": account, "row": row}
            began = time.perf_counter()
            answer = await client.post("/v1/events", json=event, headers=tokens[served[account]])
            answered.append(time.perf_counter() - began)
            assert answer.status_code == 200, answer.text

        sending = []
        for number in range(int(rate * seconds)):
            sending.append(asyncio.create_task(send(number)))
            await asyncio.sleep(1 / rate)
        await asyncio.gather(*sending)
        told = -1
        while told != (told := sum(len(one.got) for one in watchers)):
            await asyncio.sleep(SETTLE_SECONDS)
        stopped.set()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return answered


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
    given = parser.parse_args()
    with TemporaryDirectory(prefix="nextbest-load-") as folder:
        home = Path(folder)
        settings = Settings(home=home, models=home / "models")
        users, tokens, served = prepared(settings, given.accounts)
        held = hold_port("127.0.0.1", 0)
        port = held.getsockname()[1]
        held.close()
        program = [sys.executable, "-c", "from api.cli import main; main()", "serve", "--port", str(port)]
        places = {"NEXTBEST_HOME": str(home), "NEXTBEST_MODELS": str(home / "models")}
        server = subprocess.Popen(program, env=os.environ | places)
        try:
            address = f"http://127.0.0.1:{port}"
            wait_for(address)
            ledger = Ledger.open(settings.as_home())
            start = ledger.changes.end()
            ledger.close()
            watchers = [
                Watcher(u, tokens[u.user_id], cut=n % 2 == 1)
                for n, u in ((n, users[n % len(users)]) for n in range(given.streams))
            ]
            answered = asyncio.run(
                run(address, watchers, served, tokens, rate=given.rate, seconds=given.seconds)
            )
        finally:
            server.terminate()
            server.wait()
        expected = visible(settings, users, start)
    wrong = report(watchers, expected, answered)
    sys.exit(1 if wrong else 0)


def wait_for(address: str) -> None:
    """Until the server answers."""
    while True:
        try:
            httpx.get(f"{address}/v1/health")
        except httpx.TransportError:
            time.sleep(0.1)
        else:
            return


def report(watchers: Sequence[Watcher], expected: dict[str, list[str]], answered: Sequence[float]) -> int:
    """Print what was measured; how many changes were lost or told twice."""
    lost = sum(len(set(expected[one.user.user_id]) - set(one.got)) for one in watchers)
    twice = sum(len(one.got) - len(set(one.got)) for one in watchers)
    steady = [delay for one in watchers if not one.cut for delay in one.delays]
    told = sum(len(one.got) for one in watchers)
    print(f"{len(answered):,} events answered: p50 {percentile(answered, 0.5) * 1000:.0f} ms, "
          f"p99 {percentile(answered, 0.99) * 1000:.0f} ms")  # fmt: skip
    cut = sum(one.cut for one in watchers)
    print(f"{told:,} changes told on {len(watchers)} streams, {cut} of them cut every "
          f"{CUT_SECONDS:g} s; on the others p50 {percentile(steady, 0.5) * 1000:.0f} ms, "
          f"p99 {percentile(steady, 0.99) * 1000:.0f} ms after the decision")  # fmt: skip
    print(f"lost: {lost}, told twice: {twice}")
    return lost + twice


if __name__ == "__main__":
    main()
