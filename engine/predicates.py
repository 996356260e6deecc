"""The compiled form of a condition: a small tree that is evaluated elementwise over columns of facts.

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
from itertools import chain
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from engine.records import Bools, EngineError, Floats


@dataclass(frozen=True)
class FactColumn:
    """The values of a fact for some pairs: numbers with NaN for unknown, or codes into `levels` with -1.

    `values` may have any shape that broadcasts with those of the other facts, such as (n, 1) and (1, t).
    """

    values: npt.NDArray[np.float64]
    levels: tuple[str, ...] | None = None


Columns = Mapping[str, FactColumn]
Comparison = Literal["=", "<>", "<", "<=", ">", ">="]
Operation = Literal["+", "-", "*", "/", "%"]


class FactTypeError(EngineError):
    """A fact is text where the rule was written for a number, or the other way round."""


@dataclass(frozen=True)
class Logic:
    """Truth of three values (Kleene) as two masks; where neither holds it is unknown."""

    true: Bools
    false: Bools

    @classmethod
    def where_known(cls, holds: Bools, known: Bools) -> Logic:
        """True or false where `known`, else unknown."""
        return cls(holds & known, ~holds & known)

    def negated(self) -> Logic:
        """Not."""
        return Logic(self.false, self.true)

    def both(self, other: Logic) -> Logic:
        """And."""
        return Logic(self.true & other.true, self.false | other.false)

    def either(self, other: Logic) -> Logic:
        """Or."""
        return Logic(self.true | other.true, self.false & other.false)


class Numbers(ABC):
    """A node whose values are numbers; NaN = unknown."""

    @abstractmethod
    def numbers(self, columns: Columns) -> Floats:
        """Values over the broadcast shape of what it reads."""


class Words(ABC):
    """A node whose values are texts."""

    @abstractmethod
    def words(self, columns: Columns) -> FactColumn:
        """Codes and their levels over the broadcast shape of what it reads."""


class Predicate(ABC):
    """A node that holds, does not hold, or is unknown."""

    @abstractmethod
    def test(self, columns: Columns) -> Logic:
        """Truth over the broadcast shape of what it reads."""


@dataclass(frozen=True)
class Number(Numbers):
    """A number as written."""

    value: float

    def numbers(self, columns: Columns) -> Floats:
        """Shape ()."""
        return np.asarray(self.value, dtype=np.float64)


@dataclass(frozen=True)
class NumberFact(Numbers):
    """A fact that is a number."""

    name: str

    def numbers(self, columns: Columns) -> Floats:
        """Raises FactTypeError: the column holds text."""
        column = columns[self.name]
        if column.levels is not None:
            raise FactTypeError(
                f"{self.name!r} is text in the accounts, but the playbook says it is a number."
            )
        return column.values


_ARITHMETIC: Mapping[str, Callable[[Floats, Floats], Floats]] = {
    "+": np.add, "-": np.subtract, "*": np.multiply, "/": np.divide, "%": np.fmod,
}  # fmt: skip


@dataclass(frozen=True)
class Arithmetic(Numbers):
    """Two numbers into one; what has no finite result (a division by zero) is unknown."""

    operation: Operation
    left: Numbers
    right: Numbers

    def numbers(self, columns: Columns) -> Floats:
        """Elementwise."""
        with np.errstate(all="ignore"):
            result = _ARITHMETIC[self.operation](self.left.numbers(columns), self.right.numbers(columns))
        return np.where(np.isfinite(result), result, np.nan)


@dataclass(frozen=True)
class FirstNumber(Numbers):
    """coalesce: the first that is known."""

    parts: tuple[Numbers, ...]

    def numbers(self, columns: Columns) -> Floats:
        """Elementwise."""
        result = self.parts[0].numbers(columns)
        for part in self.parts[1:]:
            result = np.where(np.isnan(result), part.numbers(columns), result)
        return result


@dataclass(frozen=True)
class Word(Words):
    """A text as written."""

    value: str

    def words(self, columns: Columns) -> FactColumn:
        """Shape ()."""
        return FactColumn(np.asarray(0.0), (self.value,))


@dataclass(frozen=True)
class WordFact(Words):
    """A fact that is text."""

    name: str

    def words(self, columns: Columns) -> FactColumn:
        """Raises FactTypeError: the column holds numbers."""
        column = columns[self.name]
        if column.levels is None:
            raise FactTypeError(
                f"{self.name!r} is a number in the accounts, but the playbook says it is text."
            )
        return column


@dataclass(frozen=True)
class FirstWord(Words):
    """coalesce: the first that is known."""

    parts: tuple[Words, ...]

    def words(self, columns: Columns) -> FactColumn:
        """Elementwise; the levels of all parts side by side."""
        columns_of_parts = [part.words(columns) for part in self.parts]
        levels = tuple(chain.from_iterable(column.levels or () for column in columns_of_parts))
        result, start = np.asarray(-1.0), 0
        for column in columns_of_parts:
            shifted = np.where(column.values >= 0, column.values + start, -1.0)
            result = np.where(result >= 0, result, shifted)
            start += len(column.levels or ())
        return FactColumn(result, levels)


@dataclass(frozen=True)
class Always(Predicate):
    """true or false as written."""

    value: bool

    def test(self, columns: Columns) -> Logic:
        """Shape ()."""
        return Logic(np.asarray(self.value), np.asarray(not self.value))


# Any: these operators compare floats elementwise and texts one by one alike.
_COMPARE: Mapping[str, Callable[[Any, Any], Any]] = {
    "=": operator.eq, "<>": operator.ne, "<": operator.lt,
    "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip


@dataclass(frozen=True)
class CompareNumbers(Predicate):
    """Unknown where either side is."""

    comparison: Comparison
    left: Numbers
    right: Numbers

    def test(self, columns: Columns) -> Logic:
        """Elementwise."""
        left, right = self.left.numbers(columns), self.right.numbers(columns)
        holds = _COMPARE[self.comparison](left, right)
        return Logic.where_known(np.asarray(holds), ~(np.isnan(left) | np.isnan(right)))


@dataclass(frozen=True)
class CompareWords(Predicate):
    """By code points, as SQL's binary order; unknown where either side is."""

    comparison: Comparison
    left: Words
    right: Words

    def test(self, columns: Columns) -> Logic:
        """Elementwise."""
        left, right = self.left.words(columns), self.right.words(columns)
        table = _comparison_table(self.comparison, left.levels or (), right.levels or ())
        known = (left.values >= 0) & (right.values >= 0)
        return Logic.where_known(table[_codes(left), _codes(right)], known)


@dataclass(frozen=True)
class Like(Predicate):
    """% stands for any text, _ for one character; upper and lower case differ."""

    text: Words
    pattern: str

    def test(self, columns: Columns) -> Logic:
        """Elementwise."""
        column = self.text.words(columns)
        table = _like_table(self.pattern, column.levels or ())
        return Logic.where_known(table[_codes(column)], column.values >= 0)


@dataclass(frozen=True)
class NumberUnknown(Predicate):
    """is null, for a number."""

    operand: Numbers

    def test(self, columns: Columns) -> Logic:
        """Elementwise; never unknown."""
        unknown = np.isnan(self.operand.numbers(columns))
        return Logic(unknown, ~unknown)


@dataclass(frozen=True)
class WordUnknown(Predicate):
    """is null, for a text."""

    operand: Words

    def test(self, columns: Columns) -> Logic:
        """Elementwise; never unknown."""
        known = self.operand.words(columns).values >= 0
        return Logic(~known, known)


@dataclass(frozen=True)
class Not(Predicate):
    """The opposite; unknown stays unknown."""

    operand: Predicate

    def test(self, columns: Columns) -> Logic:
        """Elementwise."""
        return self.operand.test(columns).negated()


@dataclass(frozen=True)
class Both(Predicate):
    """And."""

    left: Predicate
    right: Predicate

    def test(self, columns: Columns) -> Logic:
        """Elementwise."""
        return self.left.test(columns).both(self.right.test(columns))


@dataclass(frozen=True)
class Either(Predicate):
    """Or."""

    left: Predicate
    right: Predicate

    def test(self, columns: Columns) -> Logic:
        """Elementwise."""
        return self.left.test(columns).either(self.right.test(columns))


def _codes(column: FactColumn) -> npt.NDArray[np.intp]:
    # Unknown is looked up as code 0 and masked afterwards; NaN counts as unknown too.
    return np.where(column.values >= 0, column.values, 0.0).astype(np.intp)


@lru_cache(maxsize=1024)
def _comparison_table(comparison: Comparison, left: tuple[str, ...], right: tuple[str, ...]) -> Bools:
    compare = _COMPARE[comparison]
    rows = [[compare(a, b) for b in right or ("",)] for a in left or ("",)]
    return np.array(rows, dtype=np.bool_)


@lru_cache(maxsize=1024)
def _like_table(pattern: str, levels: tuple[str, ...]) -> Bools:
    wildcards = {"%": ".*", "_": "."}
    regex = re.compile("".join(wildcards.get(c, re.escape(c)) for c in pattern), re.DOTALL)
    return np.array([regex.fullmatch(level) is not None for level in levels or ("",)], dtype=np.bool_)
