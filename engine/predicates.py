"""The parsed form of a condition: a small typed tree that writes the steps of a program (`engine.programs`).

Three kinds of nodes: numbers (NaN = unknown), words (codes into levels, -1 = unknown) and tests (true,
false or unknown). Words are compared through tables over their levels, so the work with text does not
grow with the number of accounts. Trees come from `engine.conditions`, typed; nothing is checked twice.
"""

from __future__ import annotations

import operator
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
import numpy.typing as npt

from engine import programs
from engine.programs import Assembler, Register
from engine.records import Bools, EngineError


@dataclass(frozen=True)
class FactColumn:
    """The values of a fact for some pairs: numbers with NaN for unknown, or codes into `levels` with -1.

    `values` may have any shape that broadcasts with those of the other facts, such as (n, 1) and (1, t).
    """

    values: npt.NDArray[np.float64]
    levels: tuple[str, ...] | None = None


Comparison = Literal["=", "<>", "<", "<=", ">", ">="]
Operation = Literal["+", "-", "*", "/", "%"]


class FactTypeError(EngineError):
    """A fact is text where the rule was written for a number, or the other way round."""


class Numbers(ABC):
    """A node whose values are numbers; NaN = unknown."""

    @abstractmethod
    def emit(self, code: Assembler) -> Register:
        """The steps that give its values."""


class Words(ABC):
    """A node whose values are texts."""

    @abstractmethod
    def emit(self, code: Assembler) -> Register:
        """The steps that give its codes; the register has their levels."""


class Predicate(ABC):
    """A node that holds, does not hold, or is unknown."""

    @abstractmethod
    def emit(self, code: Assembler) -> Register:
        """The steps that give its truth."""


@dataclass(frozen=True)
class Number(Numbers):
    """A number as written."""

    value: float

    def emit(self, code: Assembler) -> Register:
        """One step."""
        return code.constant(self.value)


@dataclass(frozen=True)
class NumberFact(Numbers):
    """A fact that is a number."""

    name: str

    def emit(self, code: Assembler) -> Register:
        """Raises FactTypeError: the column holds text."""
        column = code.fact(self.name)
        if column.levels is not None:
            raise FactTypeError(
                f"{self.name!r} is text in the accounts, but the playbook says it is a number."
            )
        return column


_ARITHMETIC: Mapping[str, int] = {
    "+": programs.ADD, "-": programs.SUBTRACT, "*": programs.MULTIPLY, "/": programs.DIVIDE,
    "%": programs.REMAINDER,
}  # fmt: skip


@dataclass(frozen=True)
class Arithmetic(Numbers):
    """Two numbers into one; what has no finite result (a division by zero) is unknown."""

    operation: Operation
    left: Numbers
    right: Numbers

    def emit(self, code: Assembler) -> Register:
        """Both sides, then one step."""
        return code.step(_ARITHMETIC[self.operation], self.left.emit(code), self.right.emit(code))


@dataclass(frozen=True)
class FirstNumber(Numbers):
    """coalesce: the first that is known."""

    parts: tuple[Numbers, ...]

    def emit(self, code: Assembler) -> Register:
        """A step for each part after the first."""
        result = self.parts[0].emit(code)
        for part in self.parts[1:]:
            result = code.step(programs.FIRST_NUMBER, result, part.emit(code))
        return result


@dataclass(frozen=True)
class Word(Words):
    """A text as written."""

    value: str

    def emit(self, code: Assembler) -> Register:
        """One step."""
        return code.constant(0.0, (self.value,))


@dataclass(frozen=True)
class WordFact(Words):
    """A fact that is text."""

    name: str

    def emit(self, code: Assembler) -> Register:
        """Raises FactTypeError: the column holds numbers."""
        column = code.fact(self.name)
        if column.levels is None:
            raise FactTypeError(
                f"{self.name!r} is a number in the accounts, but the playbook says it is text."
            )
        return column


@dataclass(frozen=True)
class FirstWord(Words):
    """coalesce: the first that is known."""

    parts: tuple[Words, ...]

    def emit(self, code: Assembler) -> Register:
        """A step for each part after the first; the levels of all parts side by side."""
        result = self.parts[0].emit(code)
        for part in self.parts[1:]:
            other, levels = part.emit(code), _levels(result)
            both = levels + _levels(other)
            result = code.step(programs.FIRST_WORD, result, other, at=len(levels), levels=both)
        return result


@dataclass(frozen=True)
class Always(Predicate):
    """true or false as written."""

    value: bool

    def emit(self, code: Assembler) -> Register:
        """One step."""
        return code.always(self.value)


_COMPARE_NUMBERS: Mapping[str, int] = {
    "=": programs.EQUAL, "<>": programs.UNEQUAL, "<": programs.LESS, "<=": programs.AT_MOST,
    ">": programs.MORE, ">=": programs.AT_LEAST,
}  # fmt: skip
_COMPARE_WORDS: Mapping[str, Callable[[str, str], bool]] = {
    "=": operator.eq, "<>": operator.ne, "<": operator.lt,
    "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip


@dataclass(frozen=True)
class CompareNumbers(Predicate):
    """Unknown where either side is."""

    comparison: Comparison
    left: Numbers
    right: Numbers

    def emit(self, code: Assembler) -> Register:
        """Both sides, then one step."""
        return code.step(_COMPARE_NUMBERS[self.comparison], self.left.emit(code), self.right.emit(code))


@dataclass(frozen=True)
class CompareWords(Predicate):
    """By code points, as SQL's binary order; unknown where either side is."""

    comparison: Comparison
    left: Words
    right: Words

    def emit(self, code: Assembler) -> Register:
        """Both sides, then their codes are looked up."""
        left, right = self.left.emit(code), self.right.emit(code)
        return code.table(left, right, _comparison_table(self.comparison, _levels(left), _levels(right)))


@dataclass(frozen=True)
class Like(Predicate):
    """% stands for any text, _ for one character; upper and lower case differ."""

    text: Words
    pattern: str

    def emit(self, code: Assembler) -> Register:
        """The text, then its code is looked up."""
        text = self.text.emit(code)
        return code.table(text, None, _like_table(self.pattern, _levels(text)))


@dataclass(frozen=True)
class NumberUnknown(Predicate):
    """is null, for a number; never unknown."""

    operand: Numbers

    def emit(self, code: Assembler) -> Register:
        """The number, then one step."""
        return code.step(programs.NO_NUMBER, self.operand.emit(code))


@dataclass(frozen=True)
class WordUnknown(Predicate):
    """is null, for a text; never unknown."""

    operand: Words

    def emit(self, code: Assembler) -> Register:
        """The text, then one step."""
        return code.step(programs.NO_WORD, self.operand.emit(code))


@dataclass(frozen=True)
class Not(Predicate):
    """The opposite; unknown stays unknown."""

    operand: Predicate

    def emit(self, code: Assembler) -> Register:
        """The test, then one step."""
        return code.step(programs.NOT, self.operand.emit(code))


@dataclass(frozen=True)
class Both(Predicate):
    """And."""

    left: Predicate
    right: Predicate

    def emit(self, code: Assembler) -> Register:
        """Both tests, then one step."""
        return code.step(programs.BOTH, self.left.emit(code), self.right.emit(code))


@dataclass(frozen=True)
class Either(Predicate):
    """Or."""

    left: Predicate
    right: Predicate

    def emit(self, code: Assembler) -> Register:
        """Both tests, then one step."""
        return code.step(programs.EITHER, self.left.emit(code), self.right.emit(code))


def number_of(node: Numbers) -> float:
    """Its value; NaN = unknown. Raises KeyError: it reads a fact."""
    code = Assembler({})
    return programs.constant(code.program([node.emit(code)]))


def _levels(words: Register) -> tuple[str, ...]:
    return words.levels or ()


@lru_cache(maxsize=1024)
def _comparison_table(comparison: Comparison, left: tuple[str, ...], right: tuple[str, ...]) -> Bools:
    compare = _COMPARE_WORDS[comparison]
    rows = [[compare(a, b) for b in right or ("",)] for a in left or ("",)]
    return np.array(rows, dtype=np.bool_)


@lru_cache(maxsize=1024)
def _like_table(pattern: str, levels: tuple[str, ...]) -> Bools:
    wildcards = {"%": ".*", "_": "."}
    regex = re.compile("".join(wildcards.get(c, re.escape(c)) for c in pattern), re.DOTALL)
    return np.array([[regex.fullmatch(level) is not None] for level in levels or ("",)], dtype=np.bool_)
