"""The lines "HTTP, one worker": ours beside a peer, the same requests, in turn on the same machine."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import mlflow.lightgbm
import numpy as np
import pandas as pd

from benchmarks.serving import questions as q
from benchmarks.serving.agree import asked_fastapi, asked_mlflow, check_events, check_what_if
from benchmarks.serving.company import Served
from benchmarks.serving.generator import Run, at_rate, peak, percentile, undisturbed
from benchmarks.serving.processes import Server, Together, free_port, nextbest, started
from data.ledger.ledger import Ledger

LINES_AT_PEAK, LINES_AT_HALF = 8, 64
FASTAPI, MLFLOW = "FastAPI + LightGBM", "mlflow models serve"


@dataclass(frozen=True)
class Side:
    """One server, or several that share the work, with what is asked of it."""

    name: str
    server: Server | Together
    requests: Iterator[bytes]


@dataclass(frozen=True)
class Measured:
    """One server under one kind of request.

    Attributes:
        rates: Answers a second at the peak, one for each turn.
        processor: Of the server's processes for a request at the peak, in seconds, one for each turn.
        half: At half of the peak.
        generator: Share of one core that the generator took at the peak.
    """

    name: str
    rates: list[float]
    processor: list[float]
    half: Run
    generator: float

    @property
    def rate(self) -> float:
        """Requests a second: the median of the turns."""
        return median(self.rates)

    def delay(self, share: float) -> float:
        """At half of the peak, in milliseconds."""
        return percentile(self.half.delays, share) * 1_000


@dataclass(frozen=True)
class HttpLine:
    """What was measured of a kind of request: ours, then the peers."""

    what: str
    sides: tuple[Measured, ...]

    def lines(self) -> Iterator[str]:
        """Rows of the table."""
        ours = self.sides[0]
        for side in self.sides:
            ratios = [mine / its for mine, its in zip(ours.rates, side.rates, strict=True)]
            costs = [its / mine for mine, its in zip(ours.processor, side.processor, strict=True)]
            of = (
                ""
                if side is ours
                else f"{_times(median(ratios))}x ({_times(min(ratios))} to {_times(max(ratios))})"
            )
            cost = "" if side is ours else f"{_times(median(costs))}x"
            yield (
                f"| {self.what} | {side.name} | {side.rate:,.0f} | {of} | {side.delay(0.5):.1f} / "
                f"{side.delay(0.99):.1f} ms | {median(side.processor) * 1_000:.2f} ms | {cost} "
                f"| {side.generator:.0%} |"
            )


def _times(ratio: float) -> str:
    """To two digits that say something, also where ours is the slower one."""
    return f"{ratio:.1f}" if ratio >= 1 else f"{ratio:.2f}"


HEAD = (
    "| request | server | requests/s | ours / its | p50 / p99 at half of the peak | processor time a request "
    "| its / ours | generator |\n|---|---|---|---|---|---|---|---|"
)


def http_lines(served: Served, *, accounts: int, seconds: float, turns: int) -> Iterator[HttpLine]:
    """All three. Raises BenchError where the servers answer differently."""
    folder = served.settings.home
    ledger = Ledger.open(served.settings.as_home())
    asked = q.questions(served, ledger, accounts=accounts)
    names = served.booster.feature_name()
    q.fill_peer(folder / "peer", asked, served)
    with ExitStack() as running:
        running.callback(ledger.close)
        ours = running.enter_context(nextbest(served.settings))
        fastapi = running.enter_context(_fastapi(folder / "peer"))
        mlflow_server = running.enter_context(_mlflow(served, asked[0], folder))
        peers = (asked_fastapi(fastapi, names), asked_mlflow(mlflow_server, names))
        check_what_if(served, ledger, asked[:5], ours, peers)
        rows = [q.invocation(question.supposed, names) for question in asked]
        yield measured(
            "GET stored suggestions", seconds, turns,
            Side("nextbest", ours, q.get_ours(asked)), Side(FASTAPI, fastapi, q.get_peer(asked)),
        )  # fmt: skip
        yield measured(
            "POST what-if", seconds, turns, Side("nextbest", ours, q.what_if_ours(asked)),
            Side(MLFLOW, mlflow_server, _endless(rows)),
            Side(FASTAPI, fastapi, q.what_if_peer(asked, names)),
        )  # fmt: skip
        check_events(served, ledger, asked[:5], ours, peers)
        yield measured(
            "POST event", seconds, turns, Side("nextbest", ours, q.events_ours(asked, "bench")),
            Side(FASTAPI, fastapi, q.events_peer(asked, names, "bench")),
        )  # fmt: skip


@undisturbed()
def measured(what: str, seconds: float, turns: int, *sides: Side) -> HttpLine:
    """Every side at its peak, in turn; then each at half of its own."""
    for side in sides:
        asyncio.run(peak(side.server.ports, side.requests, seconds=seconds / 4, lines=LINES_AT_PEAK))
    found: dict[str, list[tuple[Run, float]]] = {side.name: [] for side in sides}
    for _ in range(turns):
        for side in sides:
            before = side.server.processor_seconds()
            run = asyncio.run(peak(side.server.ports, side.requests, seconds=seconds, lines=LINES_AT_PEAK))
            found[side.name].append((run, (side.server.processor_seconds() - before) / len(run.delays)))
    return HttpLine(what, tuple(_at_half(side, found[side.name], seconds * turns) for side in sides))


def _at_half(side: Side, runs: Sequence[tuple[Run, float]], seconds: float) -> Measured:
    rates, processor = [run.rate for run, _ in runs], [cost for _, cost in runs]
    half = asyncio.run(
        at_rate(
            side.server.ports, side.requests, rate=median(rates) / 2, seconds=seconds, lines=LINES_AT_HALF
        )
    )
    own = median(run.own_seconds / run.seconds for run, _ in runs)
    return Measured(side.name, rates, processor, half, own)


def _endless(messages: Sequence[bytes]) -> Iterator[bytes]:
    while True:
        yield from messages


def _fastapi(folder: Path) -> AbstractContextManager[Server]:
    port = free_port()
    program = [sys.executable, "-m", "uvicorn", "--port", str(port), "--log-level", "warning",
               "--no-access-log", "benchmarks.serving.peer_app:app"]  # fmt: skip
    environment = {"PEER_FOLDER": str(folder), "PYTHONPATH": os.pathsep.join(sys.path)}
    return started(program, port=port, ready="/health", environment=environment, log=folder / "log")


def _mlflow(served: Served, example: q.Question, folder: Path) -> AbstractContextManager[Server]:
    """The model logged with its signature, served by this environment's own uvicorn."""
    names, model = served.booster.feature_name(), folder / "mlflow"
    rows = pd.DataFrame(np.nan_to_num(example.rows), columns=names)
    signature = mlflow.models.infer_signature(rows, served.booster.predict(rows))
    mlflow.lightgbm.save_model(served.booster, str(model), signature=signature)
    port = free_port()
    program = [sys.executable, "-m", "mlflow", "models", "serve", "--model-uri", str(model),
               "--host", "127.0.0.1", "--port", str(port), "--env-manager", "local"]  # fmt: skip
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {"PATH": path, "MLFLOW_DISABLE_TELEMETRY": "true"}
    return started(program, port=port, ready="/ping", environment=environment, log=folder / "mlflow.log")
