"""Finished cells as lines of JSONL files: whatever was interrupted goes on where it stopped, elsewhere too.

New lines go into a file of this checkout (`var/quality`); what the tables were made from is tracked
(`measured.jsonl`), so that another machine measures only what is missing.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from pathlib import Path

from benchmarks.quality.peers import PEERS
from benchmarks.quality.worlds import known_of_worlds

ROOT = Path(__file__).parents[2]
CERTAINTY = "certainty"
"""Who claims and coverage are asked of, where others are learners and peers."""
TRACKED = Path(__file__).with_name("measured.jsonl")
LEARNING = ("training/*.py", "engine/estimation.py", "engine/numerics.py", "benchmarks/quality/ours.py")
NOT_LEARNING = frozenset(
    {
        "account_errors.py", "advice_effects.py", "balance.py", "board.py", "case_file.py", "cli.py",
        "effects_beside.py", "errors.py", "evaluate.py", "evaluate_commands.py", "gate.py", "gate_parts.py",
        "leaks.py", "optouts.py", "other_policy.py", "own_learners.py", "pictures.py", "ranking.py",
        "ranking_again.py", "release.py", "report.py", "run.py", "segments.py", "stopping.py", "tracking.py",
    }
)  # fmt: skip
"""Of `training`, what no choice of a learner depends on."""
JUDGING = ("engine/clusters.py", "engine/sensitivity.py", "training/balance.py", "training/evaluate.py")
"""What claims and coverage depend on besides."""
OF_PEERS = ("benchmarks/quality/handover.py", "benchmarks/quality/peers/*.py", "training/behaviour.py")


@dataclass(frozen=True, order=True)
class Cell:
    """What is measured once: who learns from how many cases of which world."""

    world: str
    cases: int
    seed: int
    who: str


@dataclass(frozen=True)
class Result:
    """A finished cell.

    Attributes:
        cell: What was measured.
        value: What its choices truly earn per decision beyond no contact, net of cost, in currency; None =
            there is no answer, and `note` says why.
        oracle, best_fixed, logged: The same of knowing everything, of the best treatment for all (chosen by
            the truth) and of what was decided.
        seconds: Processor time of learning and choosing.
        note: Which learner was chosen, or what went wrong.
        code: Of the files that the figure depends on.
        commit: At which it was measured.
        versions: Of the packages that matter.
    """

    cell: Cell
    value: float | None
    oracle: float
    best_fixed: float
    logged: float
    seconds: float
    note: str
    code: str
    commit: str
    versions: dict[str, str] = field(default_factory=dict)

    @property
    def of_today(self) -> bool:
        """Whether the files that the figure depends on are those of this checkout."""
        return self.code == code_of(self.cell.who)

    @property
    def figures(self) -> tuple[object, ...]:
        """All that was measured but the time."""
        return self.value, self.oracle, self.best_fixed, self.logged, self.note

    @property
    def gain(self) -> float:
        """The oracle's gain over the best fixed action, in currency per decision."""
        return self.oracle - self.best_fixed

    @property
    def share(self) -> float:
        """Of the oracle's gain over the best fixed action; NaN where there is none or no answer."""
        if self.value is None or self.gain <= 0.0:
            return float("nan")
        return (self.value - self.best_fixed) / self.gain


_Figure = tuple[str, int, str, str]
"""World, number of cases, who learned, and the code."""


def _last(cell: Cell, code: str, now: Mapping[_Figure, str]) -> str:
    """The newest code that what was measured with `code` counts as measured with."""
    seen = set[str]()
    while code not in seen and (newer := now.get((cell.world, cell.cases, cell.who, code))):
        seen.add(code)
        code = newer
    return code


def _joined(code: str, now: str, pairs: Mapping[tuple[str, str], bool]) -> set[str]:
    """The codes that gave the same as this one, by way of any but `now`; pairs: whether two did."""
    alike = [set(pair) for pair, same in pairs.items() if same and now not in pair]
    codes, size = {code}, 0
    while len(codes) > size:
        size = len(codes)
        codes = codes.union(*(pair for pair in alike if codes & pair))
    return codes


class Results:
    """Lines of a file, newest last, after those of a tracked one; safe to append to from several processes.

    Args:
        path: Where new lines go.
        tracked: Read before it, written by `keep` alone; None = there is no such file.
    """

    def __init__(self, path: Path, tracked: Path | None = None) -> None:
        self.path, self.tracked = path, tracked

    def add(self, kind: str, line: dict[str, object]) -> None:
        """Append a line at once."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps({"kind": kind, **line}, sort_keys=True) + "\n"
        place = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            os.write(place, text.encode())
        finally:
            os.close(place)

    def lines(self, kind: str) -> Iterator[dict[str, object]]:
        """Lines of a kind; one that was cut short by a crash is not one."""
        for path in (self.tracked, self.path):
            if path is None or not path.exists():
                continue
            for text in path.read_text(encoding="utf-8").splitlines():
                try:
                    line = json.loads(text)
                except json.JSONDecodeError:
                    continue
                if line.pop("kind") == kind:
                    yield line

    def add_cell(self, result: Result) -> None:
        """Append a finished cell and, where other code had measured it, whether its figures are the same."""
        before = self._newest().get(result.cell)
        if before is not None and before.code != result.code and result.of_today:
            same = before.figures == result.figures
            codes = {"code": before.code, "now": result.code}
            self.add("again", {"cell": asdict(result.cell), **codes, "same": same})
        self.add("cell", asdict(result))

    def cells(self) -> dict[Cell, Result]:
        """The newest result of every cell, one of today's code before any other.

        A figure is a world, a number of cases and who learned. Where seeds of a figure were measured again
        with newer code and all gave the same to the bit, its other seeds count as measured with that code.
        """
        now = self._same_as()
        newest = self._newest()
        return {cell: replace(result, code=_last(cell, result.code, now)) for cell, result in newest.items()}

    def taken(self) -> list[Cell]:
        """Cells that count as measured with newer code than they were."""
        now = self._same_as()
        newest = self._newest()
        return [cell for cell, result in newest.items() if _last(cell, result.code, now) != result.code]

    def _newest(self) -> dict[Cell, Result]:
        now = self._same_as()
        lines = [Result(**{**line, "cell": Cell(**line["cell"])}) for line in self.lines("cell")]  # type: ignore[arg-type]
        lines.sort(key=lambda one: _last(one.cell, one.code, now) == code_of(one.cell.who))
        return {result.cell: result for result in lines}

    def _same_as(self) -> dict[_Figure, str]:
        """Figure and code -> newer code that gave the same wherever it was tried.

        Codes that gave the same are one: where one of them and the newer code differ in any seed, the others
        do not count as the newer one either, though a seed of theirs happened to come out the same.
        """
        found: dict[tuple[_Figure, str], bool] = {}
        for line in self.lines("again"):
            cell = Cell(**line["cell"])  # type: ignore[arg-type]
            both = (cell.world, cell.cases, cell.who, str(line["code"])), str(line["now"])
            found[both] = found.get(both, True) and bool(line["same"])
        by_figure: dict[tuple[str, int, str], dict[tuple[str, str], bool]] = {}
        for ((world, cases, who, code), now), same in found.items():
            by_figure.setdefault((world, cases, who), {})[code, now] = same
        return {
            (*figure, code): now
            for figure, pairs in by_figure.items()
            for (code, now), same in pairs.items()
            if same and all(pairs.get((other, now), True) for other in _joined(code, now, pairs))
        }

    def add_certainty(self, what: str, line: dict[str, object]) -> None:
        """Append a "claim" or "coverage" and, where other code had measured it, whether it is the same."""
        cell = _of_certainty(what, line)
        before = next((old for old in self._certainty(what) if _of_certainty(what, old) == cell), None)
        if before is not None and before["code"] != line["code"]:
            same = all(before.get(name) == line[name] for name in line.keys() - {"code", "commit"})
            codes = {"code": before["code"], "now": line["code"]}
            self.add("again", {"cell": asdict(cell), **codes, "same": same})
        self.add(what, line)

    def certainty(self, what: str) -> list[dict[str, object]]:
        """The newest "claim" or "coverage" of every world and seed, one of today's code before any other;
        each with the newest code that it counts as measured with, as of `cells`."""
        now = self._same_as()
        return [
            line | {"code": _last(_of_certainty(what, line), str(line["code"]), now)}
            for line in self._certainty(what)
        ]

    def _certainty(self, what: str) -> list[dict[str, object]]:
        now, today = self._same_as(), code_of(CERTAINTY)
        lines = list(self.lines(what))
        lines.sort(key=lambda line: _last(_of_certainty(what, line), str(line["code"]), now) == today)
        return list({_of_certainty(what, line): line for line in lines}.values())

    def missing(self, wanted: Iterable[Cell], code: dict[str, str]) -> list[Cell]:
        """Cells that nobody has measured with this code."""
        there = self.cells()
        return [cell for cell in wanted if cell not in there or there[cell].code != code[cell.who]]

    def keep(self) -> None:
        """Write what is newest of everything into the tracked file, in an order that makes small changes."""
        assert self.tracked is not None
        cells = [{"kind": "cell", **asdict(result)} for _, result in sorted(self._newest().items())]
        again = sorted(
            {json.dumps({"kind": "again", **line}, sort_keys=True) for line in self.lines("again")}
        )
        others = [
            {"kind": what, **line}
            for what in ("claim", "coverage")
            for line in sorted(self._certainty(what), key=lambda line: (str(line["world"]), line["seed"]))
        ]
        lines = [*(json.dumps(line, sort_keys=True) for line in cells + others), *again]
        text = "".join(line + "\n" for line in lines)
        beside = self.tracked.with_suffix(".new")
        beside.write_text(text, encoding="utf-8")
        beside.replace(self.tracked)


def _of_certainty(what: str, line: Mapping[str, object]) -> Cell:
    """Whose figure a line is: all seeds of a "claim" or of "coverage" in a world are one."""
    return Cell(str(line["world"]), 0, int(str(line["seed"])), what)


@cache
def code_of(who: str) -> str:
    """Fingerprint of what a figure of ours, or of a peer, depends on: the files that learn, and what is known
    in the worlds, however it is worked out.
    """
    peer = who in PEERS
    judging = {ROOT / name for name in JUDGING} if who == CERTAINTY else set()
    found = {path for pattern in (OF_PEERS if peer else LEARNING) for path in ROOT.glob(pattern)}
    digest = hashlib.sha256((who if peer else "").encode() + known_of_worlds().encode())
    for path in sorted(found | judging):
        if path in judging or path.name not in NOT_LEARNING or path.parent.name != "training":
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


@cache
def commit() -> str:
    """The commit of the checkout, "+" = with changes; "" outside a repository."""
    found = subprocess.run(
        ["git", "describe", "--always", "--dirty=+", "--exclude=*"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return found.stdout.strip()
