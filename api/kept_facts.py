"""What a live decision keeps of its facts: one row of `Features.known`, without the cost of a frame.

Left out is what was not known, and counts and sums of zero: what a record does not name of these was 0.
Attributes of the account are kept, zero included.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from engine.facts import SCOPES, STATISTICS, definitions
from engine.features import Features, FeatureSet
from engine.records import Bools, Ints

_ZERO_IS_NOTHING = frozenset(s.name for s in STATISTICS if s.unit in ("count", "currency"))


@dataclass(frozen=True)
class FactLayout:
    """Where each fact stands among an account's features, laid one after the other.

    Attributes:
        names: As `Features.known` names them.
        places: Position of each; shape (len(names),).
        levels: Of those that are codes, by name.
        additive: Whether zero says nothing; shape (len(names),).
    """

    names: tuple[str, ...]
    places: Ints
    levels: dict[str, tuple[str, ...]]
    additive: Bools

    @classmethod
    def of(cls, features: FeatureSet) -> FactLayout:
        """The layout of that set of features."""
        rows = list(_placed(features))
        empty = _columns_where_zero_is_nothing()
        return cls(
            tuple(name for name, _, _ in rows),
            np.array([place for _, _, place in rows], dtype=np.int64),
            {name: features.levels[column] for name, column, _ in rows if column in features.levels},
            np.array([column in empty for _, column, _ in rows], dtype=np.bool_),
        )

    def kept(self, features: Features, row: int) -> dict[str, str | float]:
        """Fact -> value of one moment."""
        blocks = (features.account, features.channel, features.topic, features.message)
        values = np.concatenate([block[row].ravel() for block in blocks])[self.places]
        said = np.flatnonzero(~np.isnan(values) & ~(self.additive & (values == 0.0)))
        named = zip((self.names[i] for i in said), values[said].tolist(), strict=True)
        return {n: self.levels[n][int(value)] if n in self.levels else value for n, value in named}


def _columns_where_zero_is_nothing() -> frozenset[str]:
    return frozenset(d.name for g in SCOPES for d in definitions(g) if d.statistic in _ZERO_IS_NOTHING)


def _placed(features: FeatureSet) -> Iterator[tuple[str, str, int]]:
    """Name, column and position of every fact that does not belong to the candidate alone."""
    of_channel = len(features.account)
    of_topic = of_channel + len(features.channels) * len(features.channel)
    of_message = of_topic + len(features.topics) * len(features.topic)
    for name, source in features.sources.items():
        column = source.column
        if source.group == "account":
            yield name, column, features.account.index(column)
        elif source.group == "channel" and source.member:
            member = features.channels.index(source.member)
            yield name, column, of_channel + member * len(features.channel) + features.channel.index(column)
        elif source.group == "topic" and source.member:
            member = features.topics.index(source.member)
            yield name, column, of_topic + member * len(features.topic) + features.topic.index(column)
    for place, column in enumerate(features.message):
        for member, treatment in enumerate(features.treatments[1:], start=1):
            yield f"{column}:{treatment}", column, of_message + member * len(features.message) + place
