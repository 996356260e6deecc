"""Worlds x sizes x seeds x learners and peers: each finished cell is a line, and is not done again."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from benchmarks.quality import ours
from benchmarks.quality.handover import ask, hand_over
from benchmarks.quality.peers import PEERS
from benchmarks.quality.results import Cell, Result, Results, code_of, commit
from benchmarks.quality.worlds import REPORT_SEEDS, Asked, Material, material, presets
from data.progress import Progress
from engine.records import Ints
from training.behaviour import Assignment
from training.cases import Cases

CURVES = ("randomised", "unlogged", "hidden")
"""Worlds that are measured at every size."""
EVERY_SIZE = (20_000, 50_000, 100_000, 200_000, 500_000)
CURVE_SEEDS = range(1, 6)
GOALS = ("randomised", "logged", "unlogged", "hidden")
"""Worlds for which a share of the oracle's gain is wanted, or a curve."""
LARGE = ("best_fixed", "linear", "s_learner", ours.PLAIN)
"""Who is measured alone with 200,000 cases where time is short."""
SLOW = ("causalml_dr", "econml_dr")
"""Peers that need many minutes where the others need one or two."""


@dataclass(frozen=True)
class Plan:
    """What to measure.

    Attributes:
        cells: In any order.
        python: An interpreter that has the peers; None = without peers.
    """

    cells: frozenset[Cell]
    python: Path | None


def cells(worlds: Iterable[str], sizes: Iterable[int], seeds: Iterable[int], who: Iterable[str]) -> set[Cell]:
    """Every combination."""
    everybody = tuple(who)
    return {Cell(w, n, s, name) for w in worlds for n in sizes for s in seeds for name in everybody}


def full(who: tuple[str, ...]) -> set[Cell]:
    """Every world with 20,000 and 200,000 cases and 20 seeds, and three worlds at every size with five.

    Peers have 20 seeds with 20,000 cases and five with more; the slowest two are left out of the curves.
    """
    mine = tuple(name for name in who if name not in PEERS)
    theirs = tuple(name for name in who if name in PEERS)
    quick = tuple(name for name in theirs if name not in SLOW)
    return (
        cells(presets(), (20_000, 200_000), REPORT_SEEDS, mine)
        | cells(presets(), (20_000,), REPORT_SEEDS, theirs)
        | cells(presets(), (200_000,), CURVE_SEEDS, theirs)
        | cells(CURVES, EVERY_SIZE, CURVE_SEEDS, mine + quick)
    )


def affordable(who: tuple[str, ...]) -> set[Cell]:
    """About two and a half hours of one core without peers: the worlds of the goals with three seeds at both
    sizes, the others with one seed and 20,000 cases. With 200,000 cases learners are measured one by one and
    not the product, which selects among all of them for a quarter of an hour.
    """
    alone = tuple(name for name in who if name in LARGE)
    return (
        cells(GOALS, (20_000,), range(1, 4), who)
        | cells(GOALS, (200_000,), range(1, 4), alone)
        | cells(presets(), (20_000,), (1,), who)
    )


def small(who: tuple[str, ...]) -> set[Cell]:
    """A few minutes: two worlds with 20,000 cases."""
    quick = tuple(name for name in who if name not in PEERS or name == "linucb")
    return cells(("randomised", "zero"), (20_000,), (1,), quick)


def run(plan: Plan, results: Results, progress: Progress) -> None:
    """Measure what is missing, world by world and seed by seed, so that a world is simulated once."""
    everybody = {cell.who for cell in plan.cells if plan.python or cell.who not in PEERS}
    code = {who: code_of(who) for who in everybody}
    wanted = sorted(cell for cell in plan.cells if cell.who in everybody)
    left = results.missing(wanted, code)
    done = len(wanted) - len(left)
    for (world, seed), mine in _by_world(left).items():
        progress("cells", done, len(wanted))
        progress(f"{world}, seed {seed}", 0, 1)
        given = material(world, seed, max(cell.cases for cell in mine))
        for result in _measured(given, mine, plan.python, code):
            results.add_cell(result)
            done += 1
            progress("cells", done, len(wanted))
        progress(f"{world}, seed {seed}", 1, 1)


def _by_world(left: Iterable[Cell]) -> dict[tuple[str, int], list[Cell]]:
    found: dict[tuple[str, int], list[Cell]] = {}
    for cell in left:
        found.setdefault((cell.world, cell.seed), []).append(cell)
    return found


def _measured(
    given: Material, mine: list[Cell], python: Path | None, code: dict[str, str]
) -> Iterator[Result]:
    """Results of the cells of one world and seed."""
    for size, group in groupby(sorted(mine), key=lambda cell: cell.cases):
        who = {cell.who for cell in group}
        cases = given.first(size)
        assignment = ours.assigned(cases, given.seed)
        about = _About(given, size, code)
        own = who - set(PEERS)
        for choice in ours.choices(cases, assignment, given.asked, own, seed=given.seed) if own else ():
            yield about.result(choice.who, choice.choice, choice.seconds, choice.note, ours.versions())
        if python and who & set(PEERS):
            yield from _by_peers(about, sorted(who & set(PEERS)), cases, assignment, python)


def _by_peers(
    about: _About, peers: list[str], cases: Cases, assignment: Assignment, python: Path
) -> Iterator[Result]:
    with tempfile.TemporaryDirectory() as folder:
        hand_over(cases, assignment, about.given.asked, about.given.seed, Path(folder))
        for peer in peers:
            answer = ask(peer, Path(folder), python)
            yield about.result(peer, answer.choice, answer.seconds, answer.note, answer.versions)


@dataclass(frozen=True)
class _About:
    """What all results of one world, seed and size share."""

    given: Material
    size: int
    code: dict[str, str]

    def result(
        self, who: str, choice: Ints | None, seconds: float, note: str, versions: dict[str, str]
    ) -> Result:
        asked: Asked = self.given.asked
        return Result(
            cell=Cell(self.given.preset.name, self.size, self.given.seed, who),
            value=None if choice is None else asked.value(choice),
            oracle=asked.oracle, best_fixed=asked.best_fixed, logged=asked.value(asked.logged),
            seconds=round(seconds, 2), note=note, code=self.code[who], commit=commit(), versions=versions,
        )  # fmt: skip
