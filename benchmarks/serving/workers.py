"""Several processes on one ledger beside one: whether they answer as many times as much."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from statistics import median

from benchmarks.serving import questions as q
from benchmarks.serving.company import Served
from benchmarks.serving.lines import HttpLine, Side, measured
from benchmarks.serving.processes import Together, nextbest
from data.ledger.ledger import Ledger

HEAD = (
    "| request | processes | requests/s | as many as one | p50 / p99 at half of the peak "
    "| processor time a request | generator |\n|---|---|---|---|---|---|---|"
)


def worker_lines(
    served: Served, *, workers: int, accounts: int, seconds: float, turns: int
) -> Iterator[HttpLine]:
    """The three requests, asked of one process and of several in turn; all are on the same ledger."""
    ledger = Ledger.open(served.settings.as_home())
    with ExitStack() as running:
        running.callback(ledger.close)
        asked = q.questions(served, ledger, accounts=accounts)
        one = running.enter_context(nextbest(served.settings))
        several = Together(tuple(running.enter_context(nextbest(served.settings)) for _ in range(workers)))
        for what, made in (
            ("GET stored suggestions", lambda _: q.get_ours(asked)),
            ("POST what-if", lambda _: q.what_if_ours(asked)),
            ("POST event", lambda name: q.events_ours(asked, name)),
        ):
            sides = Side("1", one, made("one")), Side(str(workers), several, made("several"))
            yield measured(what, seconds, turns, *sides)


def rows_of(line: HttpLine) -> Iterator[str]:
    """Rows of the table: one process, then several."""
    one = line.sides[0]
    for side in line.sides:
        ratios = [its / ones for its, ones in zip(side.rates, one.rates, strict=True)]
        found = f"{median(ratios):.2f}x ({min(ratios):.2f} to {max(ratios):.2f})"
        yield (
            f"| {line.what} | {side.name} | {side.rate:,.0f} | {'' if side is one else found} "
            f"| {side.delay(0.5):.1f} / {side.delay(0.99):.1f} ms | {median(side.processor) * 1_000:.2f} ms "
            f"| {side.generator:.0%} |"
        )
