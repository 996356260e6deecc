"""Predicates of the playbook: SQL over declared facts, parsed, typed and compiled to columns.

Allowed (an allow-list over sqlglot's nodes): columns, literals, and/or/not, comparisons, in, between, is
[not] null, like, arithmetic, coalesce. Nothing that aggregates, reads a clock or names another table.
Logic has three values; unknown is not satisfied.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import lru_cache, reduce

import numpy as np
from sqlglot import exp
from sqlglot.dialects.dialect import Dialect
from sqlglot.errors import ParseError, SqlglotError

from engine import predicates as p
from engine import programs
from engine.facts import Fact
from engine.predicates import FactColumn
from engine.programs import Assembler, Program, Source, Truth
from engine.records import EngineError, Floats

__all__ = ["Condition", "ConditionError", "FactColumn", "Truth", "canonical", "parse_condition"]

MAX_CHARACTERS = 4_000
"""A longer rule is none that a person can read."""

_DIALECT = Dialect.get_or_raise("duckdb")
_LONGEST_QUOTE = 60


class ConditionError(EngineError):
    """A condition is not one: what was got, what is near it, where it stands."""


@dataclass(frozen=True)
class Condition:
    """A parsed predicate. `facts` are the names it reads; `text` is the canonical SQL."""

    text: str
    facts: tuple[str, ...]
    _test: p.Predicate = field(repr=False, compare=False)

    @property
    def tree(self) -> p.Predicate:
        """The compiled form, for reasoning about it."""
        return self._test

    def evaluate(self, columns: Mapping[str, FactColumn]) -> Truth:
        """Whether it holds, elementwise over the broadcast shape of the columns it reads.

        Raises KeyError: a fact that it reads is not there. Raises FactTypeError: a fact is text where the
        rule was written for a number, or the other way round.
        """
        read = {name: columns[name] for name in self.facts}
        shape = np.broadcast_shapes(*(column.values.shape for column in read.values()))
        moments, treatments = shape if len(shape) == 2 else (math.prod(shape), 1)  # counts
        blocks = {
            name: column.values if len(shape) == 2 == column.values.ndim
            else np.broadcast_to(column.values, shape).reshape(moments, treatments)
            for name, column in read.items()
        }  # fmt: skip
        sources, given = _laid_out(read, blocks, moments, treatments)
        truth: Truth = programs.run(_program(self, sources), given)[0].reshape(shape)
        return truth


def _laid_out(
    read: Mapping[str, FactColumn], blocks: Mapping[str, Floats], moments: int, treatments: int
) -> tuple[tuple[tuple[str, Source], ...], programs.Columns]:
    """Columns of shape (n, 1) as the accounts', (1, T) as the treatments', (n, T) as of each pair."""
    groups: dict[int, list[Floats]] = {programs.ACCOUNT: [], programs.TREATMENT: [], programs.MESSAGE: []}
    sources = []
    for name, values in blocks.items():
        alike = values.shape[1] == 1
        step = programs.ACCOUNT if alike else programs.TREATMENT if len(values) == 1 else programs.MESSAGE
        sources.append((name, Source(step, len(groups[step]), levels=read[name].levels)))
        groups[step].append(np.broadcast_to(values, (moments if alike else len(values), values.shape[1])))

    def stacked(step: int, shape: tuple[int, ...]) -> Floats:
        columns = [values.reshape(shape) for values in groups[step]]
        return np.stack(columns, axis=-1) if columns else np.zeros((*shape, 0))

    nothing, none = np.zeros((moments, 0)), np.zeros(0, dtype=np.int64)
    given = programs.Columns(
        stacked(programs.ACCOUNT, (moments,)), nothing[:, :, None], nothing[:, :, None],
        stacked(programs.MESSAGE, (moments, treatments)), stacked(programs.TREATMENT, (treatments,)),
        nothing, nothing, nothing, none, none, nothing,
    )  # fmt: skip
    return tuple(sources), given


@lru_cache(maxsize=1024)
def _program(condition: Condition, sources: tuple[tuple[str, Source], ...]) -> Program:
    code = Assembler(dict(sources))
    return code.program([condition.tree.emit(code)])


def parse_condition(text: str, facts: Mapping[str, Fact], *, where: str) -> Condition:
    """Parse and type a predicate. `where` says for the message in which rule it stands.

    Raises ConditionError: not SQL, a node that is not allowed (aggregate, clock, subquery), an unknown fact
    (with the nearest), a comparison of text with a number, or a result that is not true or false.
    """
    try:
        tree = _tree(text)
        compiler = _Compiler(facts)
        test = compiler.test(tree)
        return Condition(_sql(tree), tuple(compiler.read), test)
    except ConditionError as error:
        raise ConditionError(f"{where}: {error}") from None
    except RecursionError:
        raise ConditionError(f"{where}: the condition is nested too deeply; write several rules.") from None


def canonical(text: str) -> str:
    """The same condition written in one way. Raises ConditionError: it is none."""
    return _sql(_tree(text))


def _tree(text: str) -> exp.Expr:
    if not text.strip():
        raise ConditionError("the condition is empty; write one such as days_since_visit > 14.")
    if len(text) > MAX_CHARACTERS:
        raise ConditionError(f"the condition has {len(text)} characters, at most {MAX_CHARACTERS} are read.")
    try:
        trees = _DIALECT.parse_into(exp.Condition, text)
    except SqlglotError as error:
        raise ConditionError(f"{_shorten(text)} is not a condition: {_syntax(error)}.") from None
    if len(trees) != 1 or trees[0] is None:
        raise ConditionError(f"got {len(trees)} statements, need one condition; join them with and.")
    return trees[0]


def _syntax(error: SqlglotError) -> str:
    details = error.errors[0] if isinstance(error, ParseError) and error.errors else {}
    near = details.get("highlight")
    return (
        f"it cannot be read at {near!r} (character {details.get('col')})" if near else "a quote is not closed"
    )


def _sql(node: exp.Expr) -> str:
    return node.sql(dialect=_DIALECT, comments=False)


def _shorten(text: str) -> str:
    line = " ".join(text.split())
    return repr(line if len(line) <= _LONGEST_QUOTE else line[: _LONGEST_QUOTE - 3] + "...")


def near(name: str, known: Iterable[str]) -> str:
    """ ", did you mean ...?" where something known is near, else ""."""
    by_folded = {candidate.casefold(): candidate for candidate in sorted(known)}
    close = get_close_matches(name.casefold(), list(by_folded), n=1)
    return f", did you mean {by_folded[close[0]]!r}?" if close else ""


_COMPARISONS: Mapping[type[exp.Expr], p.Comparison] = {
    exp.EQ: "=", exp.NEQ: "<>", exp.LT: "<", exp.LTE: "<=", exp.GT: ">", exp.GTE: ">=",
}  # fmt: skip
_OPERATIONS: Mapping[type[exp.Expr], p.Operation] = {
    exp.Add: "+", exp.Sub: "-", exp.Mul: "*", exp.Div: "/", exp.Mod: "%",
}  # fmt: skip

_PARTS = frozenset({"this", "expression", "expressions", "low", "high", "is_string", "quoted", "negate"})
_FLAGS = frozenset({"typed", "safe", "is_nvl", "is_null"})
"""What a node may carry; anything else (a table before a column, a subquery in IN) is not allowed."""

_REFUSED: tuple[tuple[tuple[type[exp.Expr], ...], str], ...] = (
    ((exp.CurrentDate, exp.CurrentTime, exp.CurrentTimestamp),
     "a rule reads no clock; use facts such as days_since_visit"),
    ((exp.AggFunc, exp.Window), "a rule does not aggregate; the facts are counted already"),
    ((exp.Query, exp.Subquery, exp.Exists), "a rule reads no table, only facts"),
    ((exp.Cast,), "facts have their type already"),
    ((exp.Star,), "name the fact"),
    ((exp.Null,), "compare with null by writing: is null"),
    ((exp.Column,), "write the fact's name alone"),
    ((exp.Func,), "coalesce is the only function"),
)  # fmt: skip
_ALLOWED = "allowed are and, or, not, comparisons, in, between, is null, like, + - * / % and coalesce"


def _refuse(node: exp.Expr) -> ConditionError:
    why = next((reason for types, reason in _REFUSED if isinstance(node, types)), _ALLOWED)
    return ConditionError(f"{_shorten(_sql(node))} is not allowed: {why}.")


_Node = p.Numbers | p.Words | p.Predicate


class _Compiler:
    """From sqlglot's tree to a typed one; `read` collects the facts in the order of their first use."""

    def __init__(self, facts: Mapping[str, Fact]) -> None:
        self.facts = facts
        self.read: dict[str, None] = {}

    def test(self, node: exp.Expr) -> p.Predicate:
        """A node that must be true or false."""
        compiled = self.compile(node)
        if isinstance(compiled, p.Predicate):
            return compiled
        kind = "a number" if isinstance(compiled, p.Numbers) else "text"
        raise ConditionError(
            f"{_shorten(_sql(node))} is {kind}, need something true or false{_example(compiled)}."
        )

    def compile(self, node: exp.Expr) -> _Node:
        """Any node. Raises ConditionError for one that is not in the allow-list."""
        handler = _HANDLERS.get(type(node))
        given = {name for name, value in node.args.items() if value}
        for extra in sorted(given - _PARTS - _FLAGS):
            part = node.args[extra]
            raise _refuse(part if isinstance(part, exp.Query | exp.Subquery) else node)
        if handler is None:
            raise _refuse(node)
        compiled = handler(self, node)
        if node.args.get("negate") and isinstance(compiled, p.Predicate):
            return p.Not(compiled)
        return compiled

    def operand(self, node: exp.Expr) -> p.Numbers | p.Words:
        """A node that must be a number or a text."""
        compiled = self.compile(node)
        if isinstance(compiled, p.Predicate):
            raise ConditionError(
                f"{_shorten(_sql(node))} is true or false, need a number or a text; flags are 0 or 1."
            )
        return compiled

    def number(self, node: exp.Expr) -> p.Numbers:
        """A node that must be a number."""
        compiled = self.operand(node)
        if isinstance(compiled, p.Words):
            raise ConditionError(f"{_shorten(_sql(node))} is text, need a number.")
        return compiled

    def column(self, node: exp.Expr) -> _Node:
        """A fact by its name."""
        if not isinstance(node.this, exp.Identifier):
            raise _refuse(node.this)
        name = node.name
        if name not in self.facts:
            raise ConditionError(f"unknown fact {name!r}{near(name, self.facts) or '.'}")
        self.read[name] = None
        return p.NumberFact(name) if self.facts[name].levels is None else p.WordFact(name)

    def literal(self, node: exp.Expr) -> _Node:
        """A number or a text as written."""
        if node.args["is_string"]:
            return p.Word(node.name)
        value = float(node.name)
        if not math.isfinite(value):
            raise ConditionError(f"the number {node.name} is too large.")
        return p.Number(value)

    def comparison(self, node: exp.Expr) -> p.Predicate:
        """= <> < <= > >=."""
        return self.compare(_COMPARISONS[type(node)], node.this, node.expression)

    def compare(self, comparison: p.Comparison, left: exp.Expr, right: exp.Expr) -> p.Predicate:
        """Two numbers or two texts."""
        a, b = self.operand(left), self.operand(right)
        if isinstance(a, p.Numbers) and isinstance(b, p.Numbers):
            return p.CompareNumbers(comparison, a, b)
        if isinstance(a, p.Words) and isinstance(b, p.Words):
            if comparison in {"=", "<>"}:
                self.check_level(a, b)
                self.check_level(b, a)
            return p.CompareWords(comparison, a, b)
        text, number = (left, right) if isinstance(a, p.Words) else (right, left)
        raise ConditionError(
            f"{_shorten(_sql(text))} is text and {_shorten(_sql(number))} a number: they cannot be compared."
        )

    def check_level(self, fact: p.Words, word: p.Words) -> None:
        """A text that the fact can never have is a slip of the pen."""
        if not (isinstance(fact, p.WordFact) and isinstance(word, p.Word)):
            return
        levels = self.facts[fact.name].levels
        if levels and word.value not in levels:
            known = ", ".join(repr(level) for level in levels if level)
            hint = (
                near(word.value, levels) or f"; it has {known if len(known) < 200 else known[:197] + '...'}."
            )
            raise ConditionError(f"{fact.name} is never {word.value!r}{hint}")

    def arithmetic(self, node: exp.Expr) -> p.Numbers:
        """+ - * / %."""
        return p.Arithmetic(_OPERATIONS[type(node)], self.number(node.this), self.number(node.expression))

    def negative(self, node: exp.Expr) -> p.Numbers:
        """Unary minus."""
        return p.Arithmetic("-", p.Number(0.0), self.number(node.this))

    def coalesce(self, node: exp.Expr) -> _Node:
        """The first known of numbers or of texts."""
        parts = [self.operand(part) for part in (node.this, *node.expressions)]
        numbers = tuple(part for part in parts if isinstance(part, p.Numbers))
        words = tuple(part for part in parts if isinstance(part, p.Words))
        if numbers and words:
            raise ConditionError(f"{_shorten(_sql(node))} mixes numbers and texts.")
        return p.FirstNumber(numbers) if numbers else p.FirstWord(words)

    def one_of(self, node: exp.Expr) -> p.Predicate:
        """In a list."""
        if not node.expressions:
            raise ConditionError(f"{_shorten(_sql(node))} needs a list in parentheses, such as ('A', 'B').")
        tests = [self.compare("=", node.this, choice) for choice in node.expressions]
        return reduce(p.Either, tests)

    def between(self, node: exp.Expr) -> p.Predicate:
        """Both ends included."""
        low = self.compare(">=", node.this, node.args["low"])
        return p.Both(low, self.compare("<=", node.this, node.args["high"]))

    def like(self, node: exp.Expr) -> p.Predicate:
        """A text and a pattern as written."""
        text, pattern = self.operand(node.this), self.compile(node.expression)
        if not isinstance(text, p.Words) or not isinstance(pattern, p.Word):
            raise ConditionError(f"{_shorten(_sql(node))}: like needs a text and a pattern in quotes.")
        return p.Like(text, pattern.value)

    def is_unknown(self, node: exp.Expr) -> p.Predicate:
        """Is null."""
        if not isinstance(node.expression, exp.Null):
            raise ConditionError(f"{_shorten(_sql(node))}: after is only null or not null may stand.")
        operand = self.operand(node.this)
        return p.WordUnknown(operand) if isinstance(operand, p.Words) else p.NumberUnknown(operand)


def _example(compiled: p.Numbers | p.Words) -> str:
    if isinstance(compiled, p.NumberFact):
        return f", such as {compiled.name} = 1"
    return f", such as {compiled.name} = '...'" if isinstance(compiled, p.WordFact) else ""


_Handler = Callable[[_Compiler, exp.Expr], _Node]
_HANDLERS: Mapping[type[exp.Expr], _Handler] = {
    exp.Column: _Compiler.column,
    exp.Literal: _Compiler.literal,
    exp.Boolean: lambda _, node: p.Always(bool(node.this)),
    exp.Paren: lambda compiler, node: compiler.compile(node.this),
    exp.And: lambda compiler, node: p.Both(compiler.test(node.this), compiler.test(node.expression)),
    exp.Or: lambda compiler, node: p.Either(compiler.test(node.this), compiler.test(node.expression)),
    exp.Not: lambda compiler, node: p.Not(compiler.test(node.this)),
    exp.Neg: _Compiler.negative,
    exp.Coalesce: _Compiler.coalesce,
    exp.In: _Compiler.one_of,
    exp.Between: _Compiler.between,
    exp.Like: _Compiler.like,
    exp.Is: _Compiler.is_unknown,
    **dict.fromkeys(_COMPARISONS, _Compiler.comparison),
    **dict.fromkeys(_OPERATIONS, _Compiler.arithmetic),
}
"""The allow-list: a node that is not here is refused."""
