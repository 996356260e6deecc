"""Whether a condition can hold at all: facts cut into cells, every combination of which is tried.

A comparison of a fact with a number changes its answer at that number alone. So one value between each two
numbers of a fact, the numbers themselves, and "unknown" stand for all values that there are; their product
is all that an account can be like, as far as the conditions can tell. Where that does not hold (arithmetic
of facts, facts compared with each other) or the product is too large, nothing is said: no proof, no finding.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from functools import reduce
from itertools import pairwise
from operator import mul

import numpy as np

from engine import predicates as p
from engine.conditions import Condition, Truth
from engine.facts import (
    NUMERIC_TREATMENT_FACTS,
    OWNS_STAGE,
    SCOPES,
    STAGE_FACTS,
    STATISTICS,
    TREATMENT_FACTS,
    TWIN_STEPS,
    Group,
    Statistic,
    definitions,
    fact_sources,
)
from engine.playbook import Playbook, Treatment
from engine.predicates import FactColumn
from engine.records import Bools, Floats
from engine.tallies import UNKNOWN_UNTIL_SEEN

MOST_PAIRS = 2_000_000
"""Combinations of cells and treatments that are tried at most."""

OTHER_WORD = "\U0010fffd"
"""Stands for every text that no condition names, where the levels of a fact are not declared."""

_WINDOW = re.compile(r"_(\d+)d$")


@dataclass(frozen=True)
class Cells:
    """All that accounts can be like; `columns` broadcast to shape (cells, treatments), "none" left out.

    Attributes:
        treatments: The candidates, in the playbook's order.
        shape: (cells, treatments).
    """

    columns: Mapping[str, FactColumn]
    treatments: tuple[Treatment, ...]
    shape: tuple[int, int]

    def truth(self, condition: Condition | None) -> Truth:
        """Of a condition in every cell for every treatment; None = true."""
        value = np.int8(1) if condition is None else condition.evaluate(self.columns)
        return np.broadcast_to(np.asarray(value, dtype=np.int8), self.shape)

    def unknown(self, name: str) -> Bools:
        """Where a fact is not known; shape as of `truth`."""
        column = self.columns[name]
        missing = np.isnan(column.values) if column.levels is None else column.values < 0
        return np.broadcast_to(missing, self.shape)

    def with_most_days(self, name: str) -> Cells:
        """The same where days that are not known are as many as can be."""
        column = self.columns[name]
        most = np.where(np.isnan(column.values), np.nanmax(column.values) + 1.0, column.values)
        return replace(self, columns={**self.columns, name: FactColumn(most)})


def cells_of(playbook: Playbook, conditions: Iterable[Condition | None]) -> Cells | None:
    """All that matters to these conditions; None = it cannot be told by trying."""
    trees = [condition.tree for condition in conditions if condition is not None]
    names = tuple(dict.fromkeys(name for tree in trees for name in _facts_in(tree)))
    cuts = _cuts(trees, playbook)
    if cuts is None:
        return None
    axes = {name: _axis(name, cuts, playbook) for name in names if name not in _joint(playbook)}
    if any(name in (*STAGE_FACTS, OWNS_STAGE) for name in names):
        axes["stage"] = np.array([*range(len(playbook.journey.stages)), np.nan])
    own = tuple(playbook.treatments[1:])
    if reduce(mul, (len(values) for values in axes.values()), max(len(own), 1)) > MOST_PAIRS:
        return None
    table = _product(axes)
    count = len(next(iter(table.values()))) if table else 1
    columns = {name: _column(name, table, own, cuts, playbook) for name in names}
    return Cells(columns, own, (count, len(own)))


def nullable(name: str, playbook: Playbook) -> bool:
    """Whether a fact of an account can be unknown, as the days since a contact that never was."""
    statistic = _statistic(name, playbook)
    if statistic is not None:
        return statistic.name in UNKNOWN_UNTIL_SEEN
    return name not in TREATMENT_FACTS


def words_compared(condition: Condition) -> Iterator[tuple[str, str]]:
    """Facts and the texts that a condition asks them to be, or not to be."""
    yield from _words_compared(condition.tree)


def _words_compared(node: object) -> Iterator[tuple[str, str]]:
    if isinstance(node, p.CompareWords) and node.comparison in ("=", "<>"):
        for fact, word in ((node.left, node.right), (node.right, node.left)):
            if isinstance(fact, p.WordFact) and isinstance(word, p.Word):
                yield fact.name, word.value
    for child in _children(node):
        yield from _words_compared(child)


def _facts_in(node: object) -> Iterator[str]:
    if isinstance(node, p.NumberFact | p.WordFact):
        yield node.name
    for child in _children(node):
        yield from _facts_in(child)


def _children(node: object) -> Iterator[object]:
    for each in fields(node):  # type: ignore[arg-type]  # every node is a dataclass
        value = getattr(node, each.name)
        for part in value if isinstance(value, tuple) else (value,):
            if isinstance(part, p.Numbers | p.Words | p.Predicate):
                yield part


@dataclass
class _Cuts:
    """What facts are compared with: numbers, and texts where no levels are declared."""

    numbers: dict[str, set[float]]
    words: dict[str, set[str]]


def _cuts(trees: Iterable[p.Predicate], playbook: Playbook) -> _Cuts | None:
    cuts = _Cuts({}, {})
    return cuts if all(_collect(tree, cuts, playbook) for tree in trees) else None


def _collect(node: object, cuts: _Cuts, playbook: Playbook) -> bool:
    """Add what a node compares; False = trying cells would prove nothing."""
    if isinstance(node, p.CompareNumbers):
        return _collect_numbers(node, cuts)
    if isinstance(node, p.CompareWords | p.Like):
        return _collect_words(node, cuts, playbook)
    if isinstance(node, p.NumberUnknown):
        return _plain(node.operand)
    return all(_collect(child, cuts, playbook) for child in _children(node))


def _collect_numbers(node: p.CompareNumbers, cuts: _Cuts) -> bool:
    for side, other in ((node.left, node.right), (node.right, node.left)):
        if not any(_facts_in(other)):
            limit = p.number_of(other)
            for name in _facts_in(side):
                cuts.numbers.setdefault(name, set()).add(limit)
            return _plain(side) and math.isfinite(limit)
    return False


def _plain(node: p.Numbers) -> bool:
    """A fact, a constant, or the first known of these: nothing that computes with facts."""
    if isinstance(node, p.FirstNumber):
        return all(_plain(part) for part in node.parts)
    return isinstance(node, p.NumberFact) or not any(_facts_in(node))


def _collect_words(node: p.CompareWords | p.Like, cuts: _Cuts, playbook: Playbook) -> bool:
    open_ended = [name for name in _facts_in(node) if not _levels(name, playbook)]
    if not open_ended:
        return True
    if isinstance(node, p.Like) or node.comparison not in ("=", "<>") or len(set(_facts_in(node))) > 1:
        return False
    for name in open_ended:
        cuts.words.setdefault(name, set()).update(_words_in(node))
    return True


def _words_in(node: object) -> Iterator[str]:
    if isinstance(node, p.Word):
        yield node.value
    for child in _children(node):
        yield from _words_in(child)


def _levels(name: str, playbook: Playbook) -> tuple[str, ...]:
    """The levels that a text has, of those that are declared; () = any."""
    if name in TREATMENT_FACTS or name in STAGE_FACTS:
        return ("",)
    return next((a.levels or () for a in playbook.attributes if a.name == name), ())


def _joint(playbook: Playbook) -> frozenset[str]:
    """Facts that are no axis of their own: those of the treatment, and those of the stage."""
    return frozenset((*TREATMENT_FACTS, *(STAGE_FACTS if playbook.journey.stages else ()), OWNS_STAGE))


def _statistic(name: str, playbook: Playbook) -> Statistic | None:
    sources = fact_sources([c.id for c in playbook.channels], [t.id for t in playbook.topics], ())
    if name not in sources:
        return None
    groups: tuple[Group, ...] = ("account", "channel", "topic", "message")
    named = {d.name: d.statistic for group in groups for d in definitions(group)}
    known = named.get(sources[name].column)
    return next((s for s in STATISTICS if s.name == known), None)


def _axis(name: str, cuts: _Cuts, playbook: Playbook) -> Floats:
    """The values of a fact that stand for all: numbers, or codes of texts; "unknown" last where it can be."""
    if _is_text(name, cuts, playbook):
        return np.arange(-1.0, len(_all_levels(name, cuts, playbook)))
    statistic = _statistic(name, playbook)
    limits = sorted(cuts.numbers.get(name, set()))
    values = _between(limits, None if statistic is None else statistic.unit)
    return np.array([*values, np.nan] if nullable(name, playbook) else values)


def _between(limits: list[float], unit: str | None) -> list[float]:
    """The limits, a value between each two, and one beyond each end, of those that the unit allows."""
    if unit == "count":
        steps = {max(math.floor(limit) + step, 0) for limit in limits for step in (-1, 0, 1)}
        return [float(step) for step in sorted(steps | {0, 1})]
    ends = [limits[0] - 1.0, limits[-1] + 1.0] if limits else [1.0]
    values = {*ends, *limits, *((low + high) / 2.0 for low, high in pairwise(limits))}
    lowest, highest = (
        (0.0 if unit in ("days", "share") else -math.inf),
        (1.0 if unit == "share" else math.inf),
    )
    return sorted({min(max(value, lowest), highest) for value in values})


def _is_text(name: str, cuts: _Cuts, playbook: Playbook) -> bool:
    declared = {a.name: a.levels is not None for a in playbook.attributes}
    return declared.get(name, name in TWIN_STEPS or name in cuts.words)


def _all_levels(name: str, cuts: _Cuts, playbook: Playbook) -> tuple[str, ...]:
    return _levels(name, playbook) or (*sorted(cuts.words.get(name, set())), OTHER_WORD)


def _product(axes: Mapping[str, Floats]) -> dict[str, Floats]:
    """All combinations, without those in which a shorter window counts more than a longer one."""
    if not axes:
        return {}
    meshed = np.meshgrid(*axes.values(), indexing="ij")
    table = {name: values.ravel() for name, values in zip(axes, meshed, strict=True)}
    possible = np.ones(len(next(iter(table.values()))), dtype=np.bool_)
    for short, long in _nested(axes):
        possible &= table[short] <= table[long]
    return {name: values[possible] for name, values in table.items()}


def _nested(names: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Counts of the same over a shorter and a longer window."""
    windows = [(name, match) for name in names if (match := _WINDOW.search(name))]
    for short, of_short in windows:
        for long, of_long in windows:
            same = short[: of_short.start()] == long[: of_long.start()]
            counted = not short.startswith(("response_rate", "outcome_value"))
            if same and counted and int(of_short[1]) < int(of_long[1]):
                yield short, long


def _column(name: str, table: Mapping[str, Floats], own: tuple[Treatment, ...], cuts: _Cuts,
            playbook: Playbook) -> FactColumn:  # fmt: skip
    if name in TREATMENT_FACTS:
        return _of_treatments(name, own)
    if name in _joint(playbook):
        return _of_stage(name, table["stage"], own, playbook)
    values = table[name][:, None]
    if _of_own(name, playbook):
        return FactColumn(np.where(_has_scope(name, own)[None, :], values, np.nan))
    if _is_text(name, cuts, playbook):
        return FactColumn(values, _all_levels(name, cuts, playbook))
    return FactColumn(values)


def _of_own(name: str, playbook: Playbook) -> bool:
    """Whether it is a fact of the candidate's own channel or topic."""
    own = (SCOPES["channel"], SCOPES["topic"])
    return _statistic(name, playbook) is not None and any(f"_{scope}" in name for scope in own)


def _has_scope(name: str, own: tuple[Treatment, ...]) -> Bools:
    """What has no topic has no facts of "its topic": they are unknown."""
    of_topic = SCOPES["topic"] in name
    return np.array([bool(t.topic if of_topic else t.channel) for t in own], dtype=np.bool_)


def _of_treatments(name: str, own: tuple[Treatment, ...]) -> FactColumn:
    attribute = {"action_group": "group", "treatment": "id"}.get(name, name)
    values = [getattr(treatment, attribute) for treatment in own]
    if name in NUMERIC_TREATMENT_FACTS:
        return FactColumn(np.array([values], dtype=np.float64))
    levels = tuple(sorted(set(values)))
    return FactColumn(np.array([[levels.index(value) for value in values]], dtype=np.float64), levels)


def _of_stage(name: str, stage: Floats, own: tuple[Treatment, ...], playbook: Playbook) -> FactColumn:
    journey = playbook.journey
    if name == OWNS_STAGE:
        owned = journey.owned([treatment.role for treatment in own])
        place = np.where(np.isnan(stage), len(journey.stages), stage).astype(np.int64)
        return FactColumn(owned[place])
    values = journey.facts_of(stage)[:, STAGE_FACTS.index(name)][:, None]
    levels = {"stage": journey.ids, "stage_owner": journey.owners}.get(name)
    return FactColumn(values if levels is None else np.where(np.isnan(values), -1.0, values), levels)
