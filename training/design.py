"""Which columns a linear score has: traits of accounts, what was lately said to them, pairs that matter."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from engine.features import FeatureSet
from engine.linear import BEND, INTEGERS, MISSING, RANGE, RANGE_OF_TWO, WIDEST, Basis, columns_of
from engine.records import Bools, Floats, Ints

LEAST_ROWS = 50
"""Of cases in a level, a range or a pair of them, to have a column."""
MOST_LEVELS = 12
"""Texts with more levels (territories) are left to the forests."""
KNOTS = (-WIDEST, 0.0)
"""Where a number's line may bend, in standard deviations; the first makes it a line."""
RECENT_DAYS = (7.0, 14.0, 30.0)
PARTS = 4
"""Ranges of a number, of equal size, that a pair is made of."""


MEASURED_ON = 40_000
"""Rows that means and spreads are taken from, about."""


@dataclass(frozen=True)
class Trait:
    """A column of rows cut into ranges [low, high), for pairs."""

    place: int
    ranges: tuple[tuple[float, float], ...]

    def codes(self, rows: Floats) -> Ints:
        """The range of each row, -1 = none; shape (n,)."""
        found = np.full(len(rows), -1, dtype=np.int64)
        for code, (low, high) in enumerate(self.ranges):
            found[(rows[:, self.place] >= low) & (rows[:, self.place] < high)] = code
        return found


@dataclass(frozen=True)
class Design:
    """Columns, and where they may add something of their own; shapes (B,).

    Attributes:
        basis: The columns.
        common, by_channel, by_topic: Whether a column adds the same to all treatments; to those of a channel;
            to those of a topic.
        paired: Whether it is a pair's.
        traits: What pairs can be made of.
    """

    basis: Basis
    common: Bools
    by_channel: Bools
    by_topic: Bools
    paired: Bools
    traits: tuple[Trait, ...]

    def with_pair(self, first: Trait, second: Trait, family: str, rows: Floats) -> Design:
        """The same with the pair's columns, which add to "common", "by_channel" or "by_topic"."""
        added = []
        for low, high in first.ranges:
            for other_low, other_high in second.ranges:
                column = _column(RANGE_OF_TWO, first.place, low, high)
                column |= {"second": second.place, "low_of_second": other_low, "high_of_second": other_high}
                added.append(column)
        basis = _measured(added, rows)
        flags = {
            name: np.full(len(basis.kind), name == family) for name in ("common", "by_channel", "by_topic")
        }
        flags["paired"] = np.ones(len(basis.kind), dtype=np.bool_)
        joined = Basis(*(np.concatenate(both) for both in zip(self.basis, basis, strict=True)))
        changed: dict[str, Any] = {
            name: np.concatenate([getattr(self, name), flag]) for name, flag in flags.items()
        }
        return replace(self, basis=joined, **changed)


def design_of(features: FeatureSet, rows: Floats) -> Design:
    """Attributes of accounts add to all treatments, to channels and to topics; what was lately done or read
    in the same channel, on the same topic or with the same message adds to all.

    Args:
        features: Of the rows.
        rows: Of treated cases; shape (n, len(features.names)).
    """
    attributes = [features.names.index(attribute.name) for attribute in features.attributes]
    recent = [features.names.index(name) for name in features.channel + features.topic + features.message]
    own, traits = [], []
    for place in attributes:
        levels = features.levels.get(features.names[place])
        columns, trait = _text(place, rows) if levels is not None else _number(place, rows)
        own += columns
        traits += [trait] if len(trait.ranges) > 1 else []
    others = [column for place in recent for column in _lately(place, features.names[place], rows)]
    basis = _measured([*own, *others], rows)
    interacts = np.isin(basis.first, attributes)
    everywhere = np.ones(len(interacts), dtype=np.bool_)
    return Design(basis, everywhere, interacts, interacts, np.zeros(len(interacts), np.bool_), tuple(traits))


def prognostic(features: FeatureSet, rows: Floats) -> Basis:
    """Columns of everything known of the account, for what follows whatever is done."""
    found = []
    for place, name in enumerate(features.account):
        columns, _ = _text(place, rows) if name in features.levels else _number(place, rows)
        extra = [_column(BEND, place, knot=knot) for knot in (-1.0, 1.0, 2.0)] if _bends(columns) else []
        found += columns + extra
    return _measured(found, rows)


def _bends(columns: list[dict[str, float]]) -> bool:
    return sum(column["kind"] == BEND for column in columns) == len(KNOTS)


def _text(place: int, rows: Floats) -> tuple[list[dict[str, float]], Trait]:
    """A column per level with enough rows."""
    codes, counts = np.unique(rows[~np.isnan(rows[:, place]), place], return_counts=True)
    levels = tuple((float(code), float(code) + 1.0) for code in codes[counts >= LEAST_ROWS])
    if not 1 < len(codes) <= MOST_LEVELS:
        return [], Trait(place, ())
    return [_column(RANGE, place, low, high) for low, high in levels], Trait(place, levels)


def _number(place: int, rows: Floats) -> tuple[list[dict[str, float]], Trait]:
    """A line, with a bend where there are many values; and whether it is missing."""
    values = rows[~np.isnan(rows[:, place]), place]
    different = len(np.unique(values[:5000]))
    knots = KNOTS if different > PARTS * 2 else KNOTS[:1]
    columns = [_column(BEND, place, knot=knot) for knot in knots] if different > 1 else []
    if LEAST_ROWS <= len(values) <= len(rows) - LEAST_ROWS:
        columns.append(_column(MISSING, place))
    cuts = np.unique(np.quantile(values, np.arange(1, PARTS) / PARTS)) if different > 1 else np.zeros(0)
    borders = [-np.inf, *cuts.tolist(), np.inf]
    ranges = tuple(pairwise(borders)) if len(cuts) else ()
    return columns, Trait(place, ranges)


def _lately(place: int, name: str, rows: Floats) -> list[dict[str, float]]:
    columns = [column for column in _number(place, rows)[0] if column["knot"] <= KNOTS[0] or column["kind"]]
    recent = [_column(RANGE, place, 0.0, days) for days in RECENT_DAYS] if name.startswith("days_") else []
    return columns + recent


def _column(
    kind: int, place: int, low: float = 0.0, high: float = 1.0, knot: float = 0.0
) -> dict[str, float]:
    return dict.fromkeys(Basis._fields, 0.0) | {
        "kind": kind, "first": place, "second": -1, "low": low, "high": high, "knot": knot, "spread": 1.0,
    }  # fmt: skip


def _measured(columns: list[dict[str, float]], rows: Floats) -> Basis:
    """The columns with their means and spreads among the rows; those that hardly vary are left out."""
    rows = rows[:: max(1, len(rows) // MEASURED_ON)]
    for column in columns:
        if column["kind"] == BEND:
            values = rows[~np.isnan(rows[:, int(column["first"])]), int(column["first"])]
            sizes = np.sign(values) * np.log1p(np.abs(values))
            column["low"], column["high"] = float(sizes.mean()), float(sizes.std()) or 1.0
    basis = _packed(columns)
    found = columns_of(basis, rows)
    numbers = basis.kind == BEND
    known = ~np.isnan(rows[:, basis.first]) | ~numbers
    counts = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, found, 0.0).sum(axis=0) / counts
    spread = np.sqrt(np.where(known, (found - mean) ** 2, 0.0).sum(axis=0) / counts)
    varies = np.where(numbers, spread > 1e-9, (found > 0.5).sum(axis=0) >= LEAST_ROWS)
    varies &= numbers | ((found < 0.5).sum(axis=0) >= LEAST_ROWS)
    full = basis._replace(mean=mean, spread=np.where(numbers, np.maximum(spread, 1e-9), 0.5))
    return Basis(*(values[varies] for values in full))


def _packed(columns: list[dict[str, float]]) -> Basis:
    arrays: dict[str, Any] = {
        name: np.array([c[name] for c in columns], dtype=np.int64 if name in INTEGERS else np.float64)
        for name in Basis._fields
    }
    return Basis(**arrays)
