"""How far a long command has come, on standard error: a bar on a terminal, a line per stage elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

Progress = Callable[[str, int, int], None]
"""Called with (stage, done, of) as often as a stage gets further; `of` 0 = not known."""

_EVERY_SECONDS = 60.0


def quiet(stage: str, done: int, of: int) -> None:
    """Show nothing."""


@contextmanager
def reporting() -> Iterator[Progress]:
    """What shows progress in the way that suits where standard error goes."""
    if not sys.stderr.isatty():
        yield _lines(time.monotonic)
        return
    from rich import progress as bars  # noqa: PLC0415 - a bar is not worth its import to every command
    from rich.console import Console  # noqa: PLC0415

    columns = (
        *bars.Progress.get_default_columns()[:-1],
        bars.MofNCompleteColumn(),
        bars.TimeRemainingColumn(),
    )
    with bars.Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        known: dict[str, bars.TaskID] = {}

        def report(stage: str, done: int, of: int) -> None:
            if stage not in known:
                known[stage] = shown.add_task(stage, total=of or None)
            shown.update(known[stage], completed=done, total=of or None)

        yield report


@dataclass
class _Stage:
    """How a stage goes on; moments in seconds."""

    begun: float
    done_at_first: int
    told: float
    ended: bool = False


def _lines(clock: Callable[[], float]) -> Progress:
    """A line when a stage begins, one a minute while it lasts, with its rate and the time left, and one when
    the last of several steps ends, so that a log stays readable."""
    stages: dict[str, _Stage] = {}

    def report(stage: str, done: int, of: int) -> None:
        now, end = clock(), of > 1 and done >= of
        known = stages.get(stage)
        if known is None:
            stages[stage] = _Stage(now, done, now, end)
            _tell(f"{stage}: {done:,} of {of:,}" if of > 1 else stage)
        elif end and not known.ended:
            known.ended = True
            _tell(f"{stage}: {done:,} of {of:,}")
        elif not known.ended and of > 1 and now - known.told >= _EVERY_SECONDS and done > known.done_at_first:
            known.told = now
            rate = (done - known.done_at_first) / (now - known.begun)
            pace = f"{rate:,.3g} a second" if rate >= 1.0 else f"{_shown(1.0 / rate)} each"
            _tell(f"{stage}: {done:,} of {of:,}, {pace}, {_shown((of - done) / rate)} left")

    return report


def _shown(seconds: float) -> str:
    minutes = round(seconds / 60)
    return (
        f"{seconds:.0f} s" if seconds < 90 else f"{minutes} min" if minutes < 120 else f"{minutes / 60:.1f} h"
    )


def _tell(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
