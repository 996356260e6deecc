"""Servers as processes of their own, started and ended by whoever measures them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from api.server import hold_port
from benchmarks.serving.generator import BenchError
from data.settings import Settings

START_SECONDS = 120.0
END_SECONDS = 30.0
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Server:
    """A group of processes that answers on a port of this machine."""

    group: int
    port: int

    @property
    def ports(self) -> tuple[int, ...]:
        """Where it answers."""
        return (self.port,)

    def processor_seconds(self) -> float:
        """Processor time that the group has taken so far."""
        return (
            sum(_ticks(path) for path in Path("/proc").glob("[0-9]*") if _group(path) == self.group) / TICKS
        )


@dataclass(frozen=True)
class Together:
    """Servers that share the work."""

    servers: tuple[Server, ...]

    @property
    def ports(self) -> tuple[int, ...]:
        """Where they answer."""
        return tuple(server.port for server in self.servers)

    def processor_seconds(self) -> float:
        """Processor time that all have taken so far."""
        return sum(server.processor_seconds() for server in self.servers)


def free_port() -> int:
    """A port that nobody listens on just now."""
    held = hold_port("127.0.0.1", 0)
    try:
        return int(held.getsockname()[1])
    finally:
        held.close()


@contextmanager
def started(
    program: Sequence[str], *, port: int, ready: str, environment: Mapping[str, str], log: Path
) -> Iterator[Server]:
    """A program in a process group of its own, once it answers at the path `ready`, until the block ends.

    Raises:
        BenchError: It ended, or did not answer in time; with the end of what it logged.
    """
    with log.open("w") as said:
        process = subprocess.Popen(
            program, env=os.environ | environment, stdout=said, stderr=said, start_new_session=True
        )
    try:
        _wait_for(process, f"http://127.0.0.1:{port}{ready}", log)
        yield Server(process.pid, port)
    finally:
        _end(process)


@contextmanager
def nextbest(settings: Settings) -> Iterator[Server]:
    """`nextbest serve` on a home, one worker, without a limit of requests a minute."""
    port = free_port()
    program = [sys.executable, "-c", "from api.cli import main; main()", "serve", "--port", str(port)]
    environment = {
        "NEXTBEST_HOME": str(settings.home), "NEXTBEST_MODELS": str(settings.models),
        "NEXTBEST_REQUESTS_PER_MINUTE": "0",
    }  # fmt: skip
    if settings.ledger_url is not None:
        environment["NEXTBEST_LEDGER_URL"] = settings.ledger_url
    log = settings.home / f"serve-{port}.log"
    with started(program, port=port, ready="/v1/health", environment=environment, log=log) as server:
        yield server


def _wait_for(process: subprocess.Popen[bytes], address: str, log: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        try:
            if httpx.get(address, timeout=5.0).status_code == httpx.codes.OK:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    last = " ".join(log.read_text(errors="replace").splitlines()[-3:])
    raise BenchError(f"{process.args!r} does not answer at {address}: {last}")


def _end(process: subprocess.Popen[bytes]) -> None:
    """All of its group: first asked, then made to."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            return
        try:
            process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            continue


def _stat(process: Path) -> list[str]:
    try:
        return (process / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _group(process: Path) -> int:
    found = _stat(process)
    return int(found[2]) if found else -1


def _ticks(process: Path) -> int:
    found = _stat(process)
    return int(found[11]) + int(found[12]) if found else 0
