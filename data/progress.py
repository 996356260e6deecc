"""How far a long command has come, on standard error: a bar on a terminal, a line per stage elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Progress = Callable[[str, int, int], None]
"""Called with (stage, done, of) as often as a stage gets further; `of` 0 = not known."""


def quiet(stage: str, done: int, of: int) -> None:
    """Show nothing."""


@contextmanager
def reporting() -> Iterator[Progress]:
    """What shows progress in the way that suits where standard error goes."""
    if not sys.stderr.isatty():
        yield _lines()
        return
    from rich.console import Console  # noqa: PLC0415 - a bar is not worth its import to every command
    from rich.progress import Progress as Bars  # noqa: PLC0415
    from rich.progress import TaskID  # noqa: PLC0415

    with Bars(console=Console(stderr=True), transient=True) as shown:
        bars: dict[str, TaskID] = {}

        def report(stage: str, done: int, of: int) -> None:
            if stage not in bars:
                bars[stage] = shown.add_task(stage, total=of or None)
            shown.update(bars[stage], completed=done, total=of or None)

        yield report


def _lines() -> Progress:
    """A line when a stage begins, and when one of several steps ends, so that a log stays readable."""
    ended: dict[str, bool] = {}

    def report(stage: str, done: int, of: int) -> None:
        end = of > 1 and done >= of
        if stage not in ended or (end and not ended[stage]):
            ended[stage] = end
            text = f"{stage}: {done:,} of {of:,}" if of > 1 else stage
            sys.stderr.write(f"{text}\n")
            sys.stderr.flush()

    return report
