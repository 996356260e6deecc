"""What a treatment is worth before it has cases of its own: what its channel and topic are worth.

Never nothing, and never certain: the error says how far treatments of one channel and topic differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from engine.records import Floats


@dataclass(frozen=True)
class Pool:
    """Effects by channel and topic, in currency.

    Attributes:
        channels, topics: Those that cases speak of; "" = none.
        effect: Expected worth beyond no contact; shape (channels + 1, topics + 1), the last row and column
            being those of which no case speaks.
        error: Standard deviation of it, infinite = nothing is known; the same shape.
    """

    channels: tuple[str, ...]
    topics: tuple[str, ...]
    effect: Floats
    error: Floats

    def of(self, channels: Sequence[str], topics: Sequence[str]) -> tuple[Floats, Floats]:
        """Effect and error of treatments with these channels and topics; shapes (k,)."""
        row = [self.channels.index(c) if c in self.channels else len(self.channels) for c in channels]
        column = [self.topics.index(t) if t in self.topics else len(self.topics) for t in topics]
        return self.effect[row, column], self.error[row, column]


def combined(mean: Floats, error: Floats, other: Floats, other_error: Floats) -> tuple[Floats, Floats]:
    """Two opinions of the same amounts, weighted by their certainty; shapes (k,).

    Errors of 0 are certain (the second one wins over a first of 0), infinite ones say nothing. Where neither
    says anything, the second stands.

    Returns:
        Mean and standard deviation of the product of two normal densities.
    """
    first, second = error * error, other_error * other_error
    stands = np.isinf(first) | (other_error == 0.0)  # the other one alone
    alone = np.isinf(second) & ~stands
    weighed = ~(stands | alone)
    share = np.where(weighed, second, 0.0) / np.where(weighed, first + second, 1.0)  # of the first opinion
    found = np.where(stands, other, np.where(alone, mean, share * mean + (1.0 - share) * other))
    variance = np.where(stands, second, np.where(alone, first, share * np.where(weighed, first, 0.0)))
    return found, np.sqrt(variance)
