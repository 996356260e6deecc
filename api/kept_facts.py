"""What a live decision keeps of its facts: one row of `Features.known`, without the cost of a frame.

Left out is what was not known, and counts and sums of zero: what a record does not name of these was 0.
Attributes of the account are kept, zero included.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.facts import SCOPES, STATISTICS, definitions
from engine.features import Features, FeatureSet, Layout
from engine.records import Bools

_ZERO_IS_NOTHING = frozenset(s.name for s in STATISTICS if s.unit in ("count", "currency"))


@dataclass(frozen=True)
class FactLayout:
    """How a live decision reads its facts.

    Attributes:
        layout: Names and places.
        levels: Of those that are codes, by name.
        additive: Whether zero says nothing; shape (len(names),).
    """

    layout: Layout
    levels: dict[str, tuple[str, ...]]
    additive: Bools

    @classmethod
    def of(cls, features: FeatureSet) -> FactLayout:
        """The layout of that set of features."""
        layout, empty = features.layout, _columns_where_zero_is_nothing()
        named = zip(layout.names, layout.columns, strict=True)
        return cls(
            layout,
            {name: features.levels[column] for name, column in named if column in features.levels},
            np.array([column in empty for column in layout.columns], dtype=np.bool_),
        )

    def kept(self, features: Features, row: int) -> dict[str, str | float]:
        """Fact -> value of one moment."""
        values = features.flat(slice(row, row + 1))[0, self.layout.places]
        said = np.flatnonzero(~np.isnan(values) & ~(self.additive & (values == 0.0)))
        named = zip((self.layout.names[i] for i in said), values[said].tolist(), strict=True)
        return {n: self.levels[n][int(value)] if n in self.levels else value for n, value in named}


def _columns_where_zero_is_nothing() -> frozenset[str]:
    return frozenset(d.name for g in SCOPES for d in definitions(g) if d.statistic in _ZERO_IS_NOTHING)
