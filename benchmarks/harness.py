"""Two ways to the same result, timed in turn in one process: only their ratio means anything.

The machine is shared and its clock drifts, so both sides run alternately (A B A B ...) and the median of the
paired ratios is reported with its extremes. A comparison whose outputs differ fails.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from time import process_time
from typing import Any


@dataclass(frozen=True)
class Comparison:
    """What was measured; seconds are processor time of the whole process, all threads."""

    what: str
    peer: str
    ours_seconds: float
    peer_seconds: float
    ratios: tuple[float, ...]

    @property
    def ratio(self) -> float:
        """How many times less processor time ours takes: the median over the pairs."""
        return median(self.ratios)

    def line(self) -> str:
        """One row of the table."""
        low, high = min(self.ratios), max(self.ratios)
        extremes = f" ({low:.1f} to {high:.1f})" if len(self.ratios) > 1 else ", once"
        return (
            f"| {self.what} | {self.peer} | {shown(self.ours_seconds)} | {shown(self.peer_seconds)} "
            f"| {self.ratio:.1f}x{extremes} |"
        )


@dataclass(frozen=True)
class Alone:
    """What no peer does: its time, and what stands in for the peer."""

    what: str
    instead: str
    ours_seconds: float

    def line(self) -> str:
        """One row of the table."""
        return f"| {self.what} | {self.instead} | {shown(self.ours_seconds)} | | |"


def shown(seconds: float) -> str:
    """A time in the unit in which it is read best."""
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            return f"{seconds / size:.2f} {unit}"
    return f"{seconds * 1e6:.0f} us"


def compare(
    what: str,
    peer: str,
    ours: Callable[[], Any],
    theirs: Callable[[], Any],
    *,
    same: Callable[[Any, Any], bool],
    repeats: int = 5,
    times: int = 1,
    part: float = 1.0,
) -> Comparison:
    """Time both sides `repeats` times in turn, after one run each that is checked and not counted.

    What is too short for the clock is run `times` times each time; a time is then that of one. A peer that
    does a `part` of the work alone, in (0, 1], is counted as if it went on like that.

    Raises:
        AssertionError: The outputs differ.
    """
    if not same(ours(), theirs()):
        raise AssertionError(f"{what}: the result differs from that of {peer}.")
    pairs = [(_seconds(ours, times), _seconds(theirs, times) / part) for _ in range(repeats)]
    return Comparison(
        what,
        peer,
        median(a for a, _ in pairs),
        median(b for _, b in pairs),
        tuple(b / a for a, b in pairs),
    )


def _seconds(run: Callable[[], Any], times: int) -> float:
    start = process_time()
    for _ in range(times):
        run()
    return (process_time() - start) / times
