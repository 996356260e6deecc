"""How sure the bench's own figures are: exact binomial intervals, paired differences, Holm's correction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats


def exact_interval(successes: int, trials: int, *, level: float) -> tuple[float, float]:
    """Interval of a share that covers at least `level`, whatever the share is.

    Source:
        Clopper and Pearson (1934), The Use of Confidence or Fiducial Limits Illustrated in the Case of the
        Binomial.
    """
    tail = (1.0 - level) / 2.0
    low = stats.beta.ppf(tail, successes, trials - successes + 1) if successes else 0.0
    high = stats.beta.ppf(1.0 - tail, successes + 1, trials - successes) if successes < trials else 1.0
    return float(low), float(high)


@dataclass(frozen=True)
class Mean:
    """A mean over seeds with its standard error (NaN for a single seed)."""

    estimate: float
    error: float
    count: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Mean:
        """Of one value per seed, at least one."""
        array = np.asarray(values, dtype=np.float64)
        error = array.std(ddof=1) / np.sqrt(len(array)) if len(array) > 1 else np.nan
        return cls(float(array.mean()), float(error), len(array))

    def bound(self, level: float) -> float:
        """Upper bound at a one-sided level, by Student's t; infinite for a single seed."""
        if self.count < 2:
            return float("inf")
        return self.estimate + float(stats.t.ppf(level, self.count - 1)) * self.error

    def below(self, limit: float) -> float:
        """P of a mean so low, or lower, were the true one at the limit; 1 for a single seed."""
        if self.count < 2:
            return 1.0
        if self.error == 0.0:
            return 0.0 if self.estimate < limit else 1.0
        return float(stats.t.cdf((self.estimate - limit) / self.error, self.count - 1))


@dataclass(frozen=True)
class Held:
    """One of several claims of the form "the mean is below the limit".

    Attributes:
        mean: Of the paired differences.
        bound: Its upper bound at the level that Holm's procedure asks of it.
        passed: Whether the claim holds, all claims together being wrong with 5 % at most.
    """

    mean: Mean
    bound: float
    passed: bool


def holm(means: Sequence[Mean], limit: float, *, wrong: float = 0.05) -> list[Held]:
    """Which means are below a limit, corrected for asking about several.

    Args:
        means: Of paired differences, one per claim.
        limit: In their unit.
        wrong: Chance that any claim that passes is wrong, at most.

    Source:
        Holm (1979), A Simple Sequentially Rejective Multiple Test Procedure.
    """
    order = sorted(range(len(means)), key=lambda place: means[place].below(limit))
    found: dict[int, Held] = {}
    so_far = True
    for rank, place in enumerate(order):
        level = wrong / (len(means) - rank)
        so_far = so_far and means[place].below(limit) <= level
        found[place] = Held(means[place], means[place].bound(1.0 - level), so_far)
    return [found[place] for place in range(len(means))]
