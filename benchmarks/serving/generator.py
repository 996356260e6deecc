"""Sends requests over connections that stay open, with as little work of its own as Python allows.

`peak` keeps so many requests under way; `at_rate` sends them at even distances whether the earlier ones are
answered or not, and counts from when a request was due, so that a server that stands still is seen to.
"""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

WAIT_SECONDS = 30.0


class BenchError(Exception):
    """What is compared cannot be: an answer was missing, an error, or another one."""


@dataclass(frozen=True)
class Run:
    """What was measured of one server.

    Attributes:
        seconds: From the first request to the last answer.
        delays: Of each answer, in seconds.
        own_seconds: Processor time of the generator.
    """

    seconds: float
    delays: list[float]
    own_seconds: float

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.delays) / self.seconds


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which that share lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")


def message(method: str, path: str, body: bytes = b"", token: str = "") -> bytes:
    """A request as it goes over the line."""
    lines = [f"{method} {path} HTTP/1.1", "host: 127.0.0.1", f"content-length: {len(body)}"]
    if body:
        lines.append("content-type: application/json")
    if token:
        lines.append(f"authorization: Bearer {token}")
    return "\r\n".join([*lines, "", ""]).encode() + body


class Line(asyncio.Protocol):
    """A connection: one request at a time."""

    def __init__(self) -> None:
        self._received = b""
        self._answer: asyncio.Future[bytes] | None = None
        self._transport: asyncio.Transport | None = None
        self.closed = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, rest = self._received.partition(b"\r\n\r\n")
        if not found or len(rest) < _length(head):
            return
        self._received = b""
        if self._answer is not None and not self._answer.done():
            if head[9:12] == b"200":
                self._answer.set_result(rest)
            else:
                self._answer.set_exception(BenchError(f"{head[:60]!r} {rest[:300]!r}"))

    def connection_lost(self, error: Exception | None) -> None:
        self.closed = True
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(BenchError("The server has closed the connection."))

    async def ask(self, request: bytes) -> bytes:
        """The body of the answer. Raises BenchError where it is not a 200 or does not come."""
        assert self._transport is not None
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await asyncio.wait_for(self._answer, WAIT_SECONDS)

    def close(self) -> None:
        """End it."""
        if self._transport is not None:
            self._transport.close()


def _length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line[15:])
    raise BenchError(f"An answer without a length: {head!r}")


async def opened(ports: Sequence[int], count: int) -> list[Line]:
    """So many connections, to one port after the other."""
    loop, to = asyncio.get_running_loop(), [ports[number % len(ports)] for number in range(count)]
    return [(await loop.create_connection(Line, "127.0.0.1", port))[1] for port in to]


async def ask_once(port: int, request: bytes) -> bytes:
    """One answer over a connection of its own."""
    (line,) = await opened((port,), 1)
    try:
        return await line.ask(request)
    finally:
        line.close()


@contextmanager
def undisturbed() -> Iterator[None]:
    """Without Python's collector in this process: with all that a benchmark holds it takes a fifth of a
    second at a time, which would count as the server's delay."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


async def peak(ports: Sequence[int], requests: Iterator[bytes], *, seconds: float, lines: int) -> Run:
    """As many as it takes, so many at once."""
    open_lines, delays = await opened(ports, lines), list[float]()
    began, own = time.perf_counter(), time.process_time()

    async def keep_asking(line: Line) -> None:
        while (sent := time.perf_counter()) < began + seconds:
            await line.ask(next(requests))
            delays.append(time.perf_counter() - sent)

    await asyncio.gather(*(keep_asking(line) for line in open_lines))
    run = Run(time.perf_counter() - began, delays, time.process_time() - own)
    for line in open_lines:
        line.close()
    return run


async def at_rate(
    ports: Sequence[int], requests: Iterator[bytes], *, rate: float, seconds: float, lines: int
) -> Run:
    """So many a second, evenly; a request that finds all connections taken waits, and its time counts."""
    open_lines, delays = await opened(ports, lines), list[float]()
    # Several processes are asked in turn; of one, the connection that was used last.
    free: asyncio.Queue[Line] = asyncio.LifoQueue() if len(ports) == 1 else asyncio.Queue()
    for line in open_lines:
        free.put_nowait(line)
    began, own = time.perf_counter(), time.process_time()

    async def ask(due: float) -> None:
        line = await free.get()
        if line.closed:  # idle for so long that the server has ended it
            (line,) = await opened((ports[len(open_lines) % len(ports)],), 1)
            open_lines.append(line)
        await line.ask(next(requests))
        delays.append(time.perf_counter() - due)
        free.put_nowait(line)

    sending = []
    for number in range(max(1, round(rate * seconds))):
        due = began + number / rate
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        sending.append(asyncio.create_task(ask(due)))
    await asyncio.gather(*sending)
    run = Run(time.perf_counter() - began, delays, time.process_time() - own)
    for line in open_lines:
        line.close()
    return run
