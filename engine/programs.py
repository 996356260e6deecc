"""Conditions as steps that one compiled loop runs, for many accounts or for one.

A step reads a column of facts or what earlier steps said, and writes a row of a register, one value per
treatment. Numbers are floats (NaN = unknown), words are codes into levels (below 0 = unknown), truth is 1, 0
or -1 (unknown; Kleene's logic). What does not depend on the account is worked out once for all of them, and
what does not depend on the treatment once for all of those.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from engine.holding import Held, hold
from engine.numerics import compiled
from engine.records import Bools, Floats, Ints

Truth = npt.NDArray[np.int8]
"""1 = true, 0 = false, -1 = unknown."""

(CONSTANT, ACCOUNT, CHANNEL, TOPIC, MESSAGE, TREATMENT, JOURNEY, TWINS, OWNED, GATE, PICK, EACH) = range(12)
"""Steps that read: a number as written, or a column of a group of facts. PICK reads the gate that a table
names for each treatment, EACH a number as written for each treatment."""
(ADD, SUBTRACT, MULTIPLY, DIVIDE, REMAINDER, FIRST_NUMBER, FIRST_WORD) = range(12, 19)
"""Steps from numbers, or words, to such."""
(EQUAL, UNEQUAL, LESS, AT_MOST, MORE, AT_LEAST, NO_NUMBER, NO_WORD, WORDS, ALWAYS, FLAGS) = range(19, 30)
"""Steps from numbers, or words, to truth; ALWAYS = true or false as written, FLAGS for each treatment."""
(NOT, BOTH, EITHER, OBJECTS, SAID) = range(30, 35)
"""Steps from truth to truth. OBJECTS and SAID: 0 = does not object, 1 = does, UNKNOWN = does because a fact
is not known. OBJECTS is made of whether a rule applies and whether what it asks for is so, SAID of whether it
objects and whether something is not known."""
UNKNOWN = 2
_OP, _A, _B, _AT, _SIZE, _WIDE, _FIXED = range(7)
"""Columns of a step; a, b: registers, or column and member (-1 = each treatment's own) of a group."""
_LANES = 32
"""Registers are as long as a multiple of this: what is left over of a loop would be done one by one."""
_BLOCK = 64
"""Moments whose facts are fetched together."""


class Source(NamedTuple):
    """Where a fact is read: a step, the column and the member of its group, and levels where it is text."""

    step: int
    column: int = 0
    member: int = -1
    levels: tuple[str, ...] | None = None
    value: float = math.nan


class Register(NamedTuple):
    """What a step said: its place, whether treatments differ, whether accounts are alike, levels of words."""

    place: int
    wide: bool
    fixed: bool
    levels: tuple[str, ...] | None = None


class Code(NamedTuple):
    """Steps, what does not depend on the account first.

    Attributes:
        steps: Shape (R, 7).
        values: The number that each step writes where it is a constant; shape (R,).
        tables: Which words, or pairs of words, are so; one after another.
        each: Numbers, or places of gates, for each treatment, as wide as registers; shape (E, lanes).
        parts: Where each kind of steps ends: those that read and that work with what is the same for all
            accounts; with what is the same for all treatments; and reading what is not; shape (5,).
        spread: What is the same for all treatments, and needed for each of them; shape (R,).
        asked: Steps whose truth is asked for; shape (K,).
    """

    steps: Ints
    values: Floats
    tables: Bools
    each: Floats
    parts: Ints
    spread: Bools
    asked: Ints


@dataclass(frozen=True, eq=False)
class Program:
    """What was collected, put in order once to be run again and again."""

    code: Code

    @cached_property
    def held(self) -> Held:
        """As the compiled loop has it."""
        return hold(self.code)


class Columns(NamedTuple):
    """Groups of facts as `engine.features` has them: account (n, A), channel (n, C, F), topic (n, P, F),
    message (n, T, F), treatment (T, F), journey (n, J), twins (n, W), owned (stages + 1, T); channel and
    topic of each treatment, -1 = none, (T,); and gates (n, G), what only rules read of a moment."""

    account: Floats
    channel: Floats
    topic: Floats
    message: Floats
    treatment: Floats
    journey: Floats
    twins: Floats
    owned: Floats
    channel_of: Ints
    topic_of: Ints
    gates: Floats


class Assembler:
    """Collects steps; the same step is written once, however many conditions need it."""

    def __init__(self, sources: Mapping[str, Source]) -> None:
        self._sources = sources
        self._rows: dict[tuple[float, ...], Register] = {}
        self._tables: list[bool] = []
        self._each: list[Floats] = []

    def fact(self, name: str) -> Register:
        """Reads a fact. Raises KeyError: there is no such fact."""
        step, column, member, levels, value = self._sources[name]
        own = step in (MESSAGE, TREATMENT, OWNED) or (step in (CHANNEL, TOPIC) and member < 0)
        fixed = step in (CONSTANT, TREATMENT)
        return self._row((step, column, member, 0, 0, own, fixed), value, levels)

    def constant(self, value: float, levels: tuple[str, ...] | None = None) -> Register:
        """A number, or the code of a word."""
        return self._row((CONSTANT, 0, 0, 0, 0, False, True), value, levels)

    def always(self, holds: bool) -> Register:
        """True or false."""
        return self._row((ALWAYS, 0, 0, int(holds), 0, False, True), 0.0, None)

    def gate(self, column: int) -> Register:
        """Reads a gate, the same one for all treatments."""
        return self._row((GATE, column, 0, 0, 0, False, False), 0.0, None)

    def pick(self, columns: Ints) -> Register:
        """Reads a gate for each treatment, -1 = unknown; shape (T,)."""
        return self._row((PICK, self._kept(columns, -1.0), 0, 0, 0, True, False), 0.0, None)

    def each(self, values: Floats | Ints) -> Register:
        """A number for each treatment; shape (T,)."""
        return self._row((EACH, self._kept(values, math.nan), 0, 0, 0, True, True), 0.0, None)

    def flags(self, holds: Bools) -> Register:
        """True or false for each treatment; shape (T,)."""
        at = len(self._tables)
        self._tables.extend(_padded(holds, 0.0).astype(np.bool_).tolist())
        return self._row((FLAGS, 0, 0, at, 0, True, True), 0.0, None)

    def step(
        self, op: int, a: Register, b: Register | None = None, *, at: int = 0, size: int = 0,
        levels: tuple[str, ...] | None = None,
    ) -> Register:  # fmt: skip
        """Works on one or two registers."""
        other = b or a
        wide, fixed = a.wide or other.wide, a.fixed and other.fixed
        return self._row((op, a.place, other.place, at, size, wide, fixed), 0.0, levels)

    def table(self, a: Register, b: Register | None, holds: Bools) -> Register:
        """Looks a word up, or two words in rows and columns; `holds` has shape (levels, levels of b or 1)."""
        at = len(self._tables)
        self._tables.extend(holds.ravel().tolist())
        return self.step(WORDS, a, b or self.constant(0.0), at=at, size=holds.shape[1])

    def program(self, results: Iterable[Register]) -> Program:
        """What was collected."""
        rows = np.array([row[1:] for row in self._rows], dtype=np.int64).reshape(-1, _FIXED + 1)
        moving, wide, works = rows[:, _FIXED] == 0, rows[:, _WIDE] == 1, rows[:, _OP] > EACH
        part = 2 * moving + 2 * (moving & wide) + works
        order = np.argsort(part, kind="stable")
        place = np.argsort(order)
        rows[works, _A], rows[works, _B] = place[rows[works, _A]], place[rows[works, _B]]
        asked = place[[register.place for register in results]].astype(np.int64)
        spread = np.zeros(len(rows), dtype=np.bool_)
        spread[[*rows[works & wide, _A], *rows[works & wide, _B], *asked]] = True
        return Program(Code(
            rows[order],
            np.array([row[0] for row in self._rows], dtype=np.float64)[order],
            np.array(self._tables or [False], dtype=np.bool_),
            np.array(self._each or [np.zeros(0)], dtype=np.float64),
            np.searchsorted(part[order], np.arange(1, 6)).astype(np.int64),
            spread & (np.sort(part) >> 1 == 1),
            asked,
        ))  # fmt: skip

    def _kept(self, values: Floats | Ints, missing: float) -> int:
        self._each.append(_padded(values, missing))
        return len(self._each) - 1

    def _row(self, row: tuple[int, ...], value: float, levels: tuple[str, ...] | None) -> Register:
        # Not a number is equal to nothing: one object of it is.
        key = (math.nan if math.isnan(value) else value, *row)
        found = self._rows.get(key) or Register(len(self._rows), bool(row[_WIDE]), bool(row[_FIXED]))
        self._rows[key] = found
        return found._replace(levels=levels)


def _padded(values: Floats | Ints | Bools, missing: float) -> Floats:
    """As wide as a register."""
    wide = np.full((len(values) + _LANES - 1) // _LANES * _LANES, missing)
    wide[: len(values)] = values
    return wide


def run(program: Program, columns: Columns) -> Truth:
    """What was asked for, of each moment and treatment; shape (K, n, T)."""
    shape = (len(program.code.asked), len(columns.account), len(columns.treatment))
    truths = np.empty(shape, dtype=np.int8)
    _run(program.held, columns, truths)
    return truths


def constant(program: Program) -> float:
    """The first number that is asked for of a program that reads no fact."""
    code = program.code
    numbers = code.values.copy()
    for place, (op, a, b, at, *_) in enumerate(code.steps.tolist()):
        if op != CONSTANT:
            numbers[place] = _number(op, numbers[a], numbers[b], at)
    return float(numbers[code.asked[0]])


@compiled
def _run(program: Held, columns: Columns, truths: Truth) -> None:
    """What is the same for all treatments is worked out for a block of accounts at a time, the rest for all
    treatments of an account. A step writes a row of numbers or of truth."""
    parts, spread, asked, last = program.parts, program.spread, program.asked, program.steps.shape[0]
    lanes = (truths.shape[2] + _LANES - 1) // _LANES * _LANES
    numbers, truth = np.zeros((last, lanes)), np.zeros((last, lanes), dtype=np.int8)
    _read_each(program, columns, (np.int64(0), np.int64(0), parts[0]), numbers)
    _work(program, parts[0], parts[1], numbers, truth)
    count = min(truths.shape[1], _BLOCK)
    facts, said = np.zeros((parts[3], count)), np.zeros((parts[3], count), dtype=np.int8)
    for r in range(parts[1]):
        facts[r, :], said[r, :] = numbers[r, 0], truth[r, 0]
    for i in range(truths.shape[1]):
        if i % _BLOCK == 0:
            _read(program, columns, i, facts)
            _work(program, parts[2], parts[3], facts, said)
        for r in range(parts[1], parts[3]):
            if spread[r]:
                for t in range(lanes):
                    numbers[r, t], truth[r, t] = facts[r, i % _BLOCK], said[r, i % _BLOCK]
        if parts[4] > parts[3]:
            _read_each(program, columns, (i, parts[3], parts[4]), numbers)
        _work(program, parts[4], last, numbers, truth)
        for k in range(asked.size):
            for t in range(truths.shape[2]):
                truths[k, i, t] = truth[asked[k], t]


# Arrays are taken out of tuples once, and not cut into rows: both cost more than most steps.
@compiled
def _read(program: Held, columns: Columns, start: int, facts: Floats) -> None:
    """Facts of a block of moments that are the same for all treatments: column after column, since a
    processor fetches what lies at even distances ahead of time."""
    steps, channel, topic = program.steps, columns.channel, columns.topic
    account, journey, twins, gates = columns.account, columns.journey, columns.twins, columns.gates
    count = min(facts.shape[1], account.shape[0] - start)
    for r in range(program.parts[1], program.parts[2]):
        op, column, member = steps[r, _OP], steps[r, _A], steps[r, _B]
        if op == CHANNEL:
            for i in range(count):
                facts[r, i] = channel[start + i, member, column]
        elif op == TOPIC:
            for i in range(count):
                facts[r, i] = topic[start + i, member, column]
        else:
            block = account
            if op != ACCOUNT:
                block = gates if op == GATE else (journey if op == JOURNEY else twins)
            for i in range(count):
                facts[r, i] = block[start + i, column]


@compiled
def _read_each(
    program: Held, columns: Columns, which: tuple[np.int64 | int, np.int64 | int, int], numbers: Floats
) -> None:
    """One value for each treatment: of moment i, by the steps from first to last."""
    (i, first, last), treatment, message = which, columns.treatment, columns.message
    for r in range(first, last):
        op, column = program.steps[r, _OP], program.steps[r, _A]
        if op == CONSTANT:
            for t in range(numbers.shape[1]):
                numbers[r, t] = program.values[r]
        elif op == TREATMENT:
            for t in range(treatment.shape[0]):
                numbers[r, t] = treatment[t, column]
        elif op == MESSAGE:
            for t in range(treatment.shape[0]):
                numbers[r, t] = message[i, t, column]
        elif op == EACH:
            for t in range(numbers.shape[1]):
                numbers[r, t] = program.each[column, t]
        elif op in (PICK, OWNED):
            _look_up(program, columns, i, r, numbers)
        else:
            block = columns.channel if op == CHANNEL else columns.topic
            of = columns.channel_of if op == CHANNEL else columns.topic_of
            for t in range(treatment.shape[0]):
                numbers[r, t] = block[i, of[t], column] if of[t] >= 0 else np.nan


@compiled
def _look_up(program: Held, columns: Columns, i: int | np.int64, r: int, numbers: Floats) -> None:
    """What a table has for each treatment: the place of a gate, or a row for each stage."""
    op, column, treatments = program.steps[r, _OP], program.steps[r, _A], columns.treatment.shape[0]
    if op == PICK:
        each, gates = program.each, columns.gates
        for t in range(treatments):
            place = np.int64(each[column, t])
            numbers[r, t] = gates[i, place] if place >= 0 else np.nan
    else:
        stage, owned = columns.journey[i, column], columns.owned
        own = owned.shape[0] - 1 if np.isnan(stage) else np.int64(stage)
        for t in range(treatments):
            numbers[r, t] = owned[own, t]


@compiled
def _work(program: Held, first: int, last: int, numbers: Floats, truth: Truth) -> None:
    """The steps from first to last, for all that stands side by side in the registers."""
    steps, tables, count = program.steps, program.tables, numbers.shape[1]
    for r in range(first, last):
        op, a, b, at, size = steps[r, _OP], steps[r, _A], steps[r, _B], steps[r, _AT], steps[r, _SIZE]
        if op >= NOT:
            _reason(op, (r, a, b), truth)
        elif op == ALWAYS:
            for t in range(count):
                truth[r, t] = at
        elif op == FLAGS:
            for t in range(count):
                truth[r, t] = tables[at + t]
        elif op == WORDS:
            for t in range(count):
                x, y = numbers[a, t], numbers[b, t]
                known = x >= 0.0 and y >= 0.0
                truth[r, t] = tables[at + np.int64(x) * size + np.int64(y)] if known else -1
        elif op >= EQUAL:
            for t in range(count):
                truth[r, t] = _compare(op, numbers[a, t], numbers[b, t])
        else:
            for t in range(count):
                numbers[r, t] = _number(op, numbers[a, t], numbers[b, t], at)


@compiled
def _compare(op: int, x: float, y: float) -> int:
    """Two numbers, unknown where either is; or whether a number or a word is not known."""
    if op == NO_NUMBER:
        return 1 if np.isnan(x) else 0
    if op == NO_WORD:
        return 0 if x >= 0.0 else 1
    if np.isnan(x) or np.isnan(y):
        return -1
    less, equal = x < y, x == y
    holds = less or equal
    if op <= UNEQUAL:
        holds = equal
    elif op in (LESS, AT_LEAST):
        holds = less
    return 1 if holds != (op in (UNEQUAL, AT_LEAST, MORE)) else 0


@compiled
def _number(op: int, x: float, y: float, at: int) -> float:
    """Two numbers, or words, into one; what has no finite result (a division by zero) is unknown."""
    if op == FIRST_NUMBER:
        return y if np.isnan(x) else x
    if op == FIRST_WORD:
        return x if x >= 0.0 else (y + at if y >= 0.0 else -1.0)
    result = np.nan
    if op == ADD:
        result = x + y
    elif op == SUBTRACT:
        result = x - y
    elif op == MULTIPLY:
        result = x * y
    elif y != 0.0:
        result = x / y if op == DIVIDE else np.fmod(x, y)
    return result if np.isfinite(result) else np.nan


@compiled
def _reason(op: int, places: tuple[int, int, int], truth: Truth) -> None:
    """Truth of three values; a loop per kind, so that many treatments are done at a time."""
    (r, a, b), count = places, truth.shape[1]
    if op == OBJECTS:
        # A policy objects where it may apply and what it demands is not known to hold.
        for t in range(count):
            x, y = truth[a, t], truth[b, t]
            truth[r, t] = 0 if x == 0 or y == 1 else (UNKNOWN if x < 0 or y < 0 else 1)
    elif op == BOTH:
        for t in range(count):
            x, y = truth[a, t], truth[b, t]
            truth[r, t] = 0 if x == 0 or y == 0 else (-1 if x < 0 or y < 0 else 1)
    elif op == SAID:
        for t in range(count):
            x, y = truth[a, t], truth[b, t]
            truth[r, t] = 0 if x != 1 else (UNKNOWN if y == 1 else 1)
    elif op == EITHER:
        for t in range(count):
            x, y = truth[a, t], truth[b, t]
            truth[r, t] = 1 if x == 1 or y == 1 else (-1 if x < 0 or y < 0 else 0)
    else:
        for t in range(count):
            truth[r, t] = truth[a, t] if truth[a, t] < 0 else 1 - truth[a, t]
