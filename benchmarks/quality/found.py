"""The results read for tables and pictures: means over seeds, and how figures are written."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from benchmarks.quality.ours import PLAIN, PRODUCT
from benchmarks.quality.peers import PEERS
from benchmarks.quality.results import CERTAINTY, Cell, Result, Results, code_of
from benchmarks.quality.statistics import Mean

T = TypeVar("T")
TITLES = {PRODUCT: "**product**", PLAIN: "LightGBM T-learner"} | {
    name: peer.title for name, peer in PEERS.items()
}


@dataclass(frozen=True)
class Found:
    """What the tables show, and who and what is among it in the order of the tables.

    A figure over seeds is of one code: this checkout's where any seed was measured with it, else the most
    frequent.

    Attributes:
        cells: What is shown.
        older: Cells that are not, because others of their figure are of newer code.
        taken: Cells of older code that count as of newer code, because what was measured again was the same.
        claims, coverage: Lines of `certainty`, of each world those of one code.
    """

    cells: Mapping[Cell, Result]
    claims: Sequence[Mapping[str, object]]
    coverage: Sequence[Mapping[str, object]]
    older: Sequence[Cell] = ()
    taken: Sequence[Cell] = ()

    @classmethod
    def of(cls, results: Results) -> Found:
        """Of everything that was measured."""
        every = list(results.cells().values())
        today = {result.code for result in every if result.of_today}
        cells = _of_one_code(
            every, lambda r: (r.cell.world, r.cell.cases, r.cell.who), lambda r: r.code, today
        )
        certainty = [
            _of_one_code(
                results.certainty(what), lambda line: line["world"], lambda line: str(line["code"]),
                {code_of(CERTAINTY)},
            )
            for what in ("claim", "coverage")
        ]  # fmt: skip
        shown = {result.cell: result for result in cells}
        older = [result.cell for result in every if result.cell not in shown]
        return cls(shown, *certainty, older, [cell for cell in results.taken() if cell in shown])

    @property
    def who(self) -> list[str]:
        """The product first, its learners, the yardstick, the peers."""
        there = {cell.who for cell in self.cells}
        learners = sorted(there - {PRODUCT, PLAIN} - set(PEERS))
        ordered = [PRODUCT, *learners, PLAIN, *PEERS]
        return [name for name in ordered if name in there]

    @property
    def sizes(self) -> list[int]:
        """Numbers of cases, ascending."""
        return sorted({cell.cases for cell in self.cells})

    def of_cell(self, world: str, size: int, who: str) -> list[Result]:
        """Results over seeds."""
        return [
            result for cell, result in sorted(self.cells.items())
            if (cell.world, cell.cases, cell.who) == (world, size, who)
        ]  # fmt: skip

    def shares(self, world: str, size: int, who: str) -> Mean | None:
        """Mean share of the oracle's gain; None where nobody answered."""
        found = [r.share for r in self.of_cell(world, size, who) if np.isfinite(r.share)]
        return Mean.of(found) if found else None

    def apart(self, world: str, size: int, one: str, other: str) -> Mean | None:
        """Mean of (one - other) over the seeds that both have, as a share of the oracle's gain."""
        first, second = ({r.cell.seed: r for r in self.of_cell(world, size, who)} for who in (one, other))
        gaps = [
            first[seed].share - second[seed].share for seed in sorted(first.keys() & second.keys())
            if np.isfinite(first[seed].share - second[seed].share)
        ]  # fmt: skip
        return Mean.of(gaps) if gaps else None


def _of_one_code(
    given: Sequence[T], figure: Callable[[T], object], code: Callable[[T], str], today: Container[str]
) -> list[T]:
    """Of each figure those of today's code, or of the code that most of it was measured with."""
    found: dict[object, list[T]] = defaultdict(list)
    for each in given:
        found[figure(each)].append(each)
    kept = []
    for group in found.values():
        counts = Counter(code(each) for each in group)
        best = max(counts, key=lambda one: (one in today, counts[one], one))
        kept += [each for each in group if code(each) == best]
    return kept


def title(who: str) -> str:
    """For the head of a column."""
    return TITLES.get(who, f"`{who}`")


def percent(mean: Mean) -> str:
    """A share with its standard error, without the sign."""
    return f"{100 * mean.estimate:.1f}" + (f" ± {100 * mean.error:.1f}" if mean.count > 1 else "")


def plain(mean: Mean) -> str:
    """A figure with its standard error."""
    return f"{mean.estimate:.1f}" + (f" ± {mean.error:.1f}" if mean.count > 1 else "")


def ranges(numbers: Iterable[int]) -> str:
    """Numbers as in "1 to 5, 7"."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(f"{run[0]} to {run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """In Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
