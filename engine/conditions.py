"""Predicates of the playbook: SQL over declared facts, parsed, typed and compiled to columns.

Allowed (an allow-list over sqlglot's nodes): columns, literals, and/or/not, comparisons, in, between, is
[not] null, like, arithmetic, coalesce. Nothing that aggregates, reads a clock or names another table.
Logic has three values; unknown is not satisfied.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.facts import Fact
from engine.records import EngineError

Truth = npt.NDArray[np.int8]
"""1 = true, 0 = false, -1 = unknown."""


class ConditionError(EngineError):
    """A condition is not one: what was got, what is near it, where it stands."""


@dataclass(frozen=True)
class FactColumn:
    """The values of a fact for some pairs: numbers with NaN for unknown, or codes into `levels` with -1.

    `values` may have any shape that broadcasts with those of the other facts, such as (n, 1) and (1, t).
    """

    values: npt.NDArray[np.float64]
    levels: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Condition:
    """A parsed predicate. `facts` are the names it reads; `text` is the canonical SQL."""

    text: str
    facts: tuple[str, ...]

    def evaluate(self, columns: Mapping[str, FactColumn]) -> Truth:
        """Whether it holds, elementwise over the broadcast shape of the columns it reads."""
        raise NotImplementedError


def parse_condition(text: str, facts: Mapping[str, Fact], *, where: str) -> Condition:
    """Parse and type a predicate. `where` says for the message in which rule it stands.

    Raises ConditionError: not SQL, a node that is not allowed (aggregate, clock, subquery), an unknown fact
    (with the nearest), a comparison of text with a number, or a result that is not true or false.
    """
    raise NotImplementedError
