"""How far a long command has come: a bar on a terminal, a line per stage elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import typer

Report = Callable[[str, int, int], None]
"""Called with (stage, done, of); `of` 0 = not known."""


def silent(stage: str, done: int, of: int) -> None:
    """Report nothing."""


@contextmanager
def reporting() -> Iterator[Report]:
    """A report that suits where standard error goes."""
    if not sys.stderr.isatty():
        yield _lines()
        return
    from rich.console import Console  # noqa: PLC0415 - a bar is not worth its import to every command
    from rich.progress import Progress, TaskID  # noqa: PLC0415

    with Progress(console=Console(stderr=True), transient=True) as progress:
        bars: dict[str, TaskID] = {}

        def report(stage: str, done: int, of: int) -> None:
            if stage not in bars:
                bars[stage] = progress.add_task(stage, total=of or None)
            progress.update(bars[stage], completed=done, total=of or None)

        yield report


def _lines() -> Report:
    """A line when a stage begins and when it ends, so that a log stays readable."""
    seen: dict[str, bool] = {}

    def report(stage: str, done: int, of: int) -> None:
        finished = of > 0 and done >= of
        if stage not in seen or (finished and not seen[stage]):
            seen[stage] = finished
            typer.echo(f"{stage}: {done:,} of {of:,}" if of else stage, err=True)

    return report
