"""How strong something that nobody recorded would have to be to overturn a difference between two policies.

Where assignment probabilities were estimated, a representative may have known what no column says. The
marginal sensitivity model bounds it by one number, the strength L: the true odds of what was chosen lie
within a factor of L of the estimated ones, for every decision. L = 1 is "nothing unseen".
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from engine import numerics
from engine.estimation import EstimationError, Logged, Resamples
from engine.numerics import compiled, total
from engine.records import Bools, Floats, Ints

LARGEST = 10.0
"""Strengths beyond this are reported as this: nobody overlooks a tenfold of the odds."""
_STEPS = 12


@dataclass(frozen=True)
class LeftOut:
    """How far a difference may be off where a few persons carry out, by leaving out one after the other.

    Attributes:
        cluster: Number 0..G-1 of each decision's person; shape (n,).
        reach: Of the interval by person that is shown, half its width in its plain standard errors.
    """

    cluster: Ints
    reach: float

    def counts(self) -> Iterator[Floats]:
        """For each person, 0 for her decisions and 1 for those of the others; shape (n,) each."""
        for person in range(int(self.cluster.max()) + 1):
            yield (self.cluster != person).astype(np.float64)


@dataclass(frozen=True)
class _Side:
    """Decisions that one of the two policies would rather take, sorted by what the model did not expect.

    `lift` is by how much more likely it takes what was chosen; `error` the reward beyond the model's; all
    shape (k,), `row` the place in the log.
    """

    row: Ints
    lift: Floats
    error: Floats
    probability: Floats
    known: Bools


@dataclass(frozen=True)
class Contrast:
    """The difference in value of two policies on a log, as far as it depends on the probabilities.

    value(target) - value(reference) = base + mass x (m+ - m-), with m+ and m- the self-normalised weighted
    means of the model's errors where the target (the reference) is more likely to do what was done.

    Attributes:
        base: What the model expects of the difference, per decision; shape (n,).
        mass: How much the policies differ at each decision: sum of positive differences; shape (n,).
    """

    base: Floats
    mass: Floats
    ahead: _Side
    behind: _Side

    @classmethod
    def of(
        cls, logged: Logged, target: Floats, reference: Floats, model: Floats, *, known: Bools | None = None
    ) -> Contrast:
        """Make it.

        Args:
            logged: n decisions.
            target, reference: P(treatment) under each policy; shape (n, T); rows sum to 1.
            model: Expected reward of every treatment, from a model not trained on these rows; shape (n, T).
            known: Whether the probability was logged, so that nothing unseen can change it; shape (n,).

        Raises:
            EstimationError: Shapes differ.
        """
        if not target.shape == reference.shape == model.shape or len(target) != len(logged):
            raise EstimationError(
                f"Got {len(logged)} decisions, policies of shape {target.shape} and {reference.shape} and a "
                f"model of shape {model.shape}, need the same shape for all."
            )
        base, mass = np.zeros(len(logged)), np.zeros(len(logged))
        for column in range(target.shape[1]):  # in the order of the treatments, so that the bits are fixed
            lift = target[:, column] - reference[:, column]
            base = base + lift * model[:, column]
            mass = mass + np.maximum(lift, 0.0)
        rows = np.arange(len(logged))
        chosen = target[rows, logged.action] - reference[rows, logged.action]
        error = logged.reward - model[rows, logged.action]
        sure = np.zeros(len(logged), dtype=np.bool_) if known is None else known
        ahead = _side(chosen, error, logged.assignment, sure)
        return cls(base, mass, ahead, _side(-chosen, error, logged.assignment, sure))

    def bounds(self, strength: float) -> tuple[float, float]:
        """Least and largest difference for unseen confounding up to that strength (at least 1).

        Each weight 1 / p may lie anywhere between 1 + (1/p - 1) / L and 1 + (1/p - 1) L. NaN where one of
        the policies has no decision to speak for it.

        Source:
            Tan (2006), A Distributional Approach for Causal Inference Using Propensity Scores; Zhao, Small
            and Bhattacharya (2019), Sensitivity analysis for inverse probability weighting estimators via
            the percentile bootstrap (also for weights of the model's errors).
        """
        once = np.ones(len(self.base))
        return self._lower(strength, once), -self._flipped()._lower(strength, once)

    def lower_limit(
        self, strength: float, sure: Resamples | LeftOut, *, level: float = 0.95, stretch: float = 1.0
    ) -> float:
        """Lower end of the interval of the least difference: by percentiles, resampling whole clusters, or by
        the standard error of leaving out persons, whose reach has a level already; so many times as far from
        the least difference as `engine.clusters.stretch` says. NaN where one of the policies has too few
        decisions to speak for it.

        Source:
            Efron and Stein (1981), The Jackknife Estimate of Variance, for leaving out.
        """
        found = np.array([self._lower(strength, times) for times in sure.counts()])
        if isinstance(sure, LeftOut):
            apart = found - numerics.mean(found)
            error = math.sqrt((len(found) - 1) / len(found) * total(apart * apart))
            return self._lower(strength, np.ones(len(self.base))) - stretch * sure.reach * error
        found = np.sort(found)
        usable = found[np.isfinite(found)]
        if len(usable) < 2:
            return float("nan")
        low = float(usable[int((1.0 - level) / 2.0 * len(usable))])
        if stretch == 1.0:
            return low
        least = self._lower(strength, np.ones(len(self.base)))
        return least - stretch * (least - low)

    def _lower(self, strength: float, times: Floats) -> float:
        decisions = total(times)
        base = total(times * self.base) / decisions
        mass = total(times * self.mass) / decisions
        if mass == 0.0:
            return base
        ahead = _least_mean(*_weighted(self.ahead, strength, times))
        lift, error, low, high = _weighted(self.behind, strength, times)
        behind = -_least_mean(lift[::-1], -error[::-1], low[::-1], high[::-1])
        return base + mass * (ahead - behind)

    def _flipped(self) -> Contrast:
        return Contrast(-self.base, self.mass, self.behind, self.ahead)


def overturning_strength(contrast: Contrast, sure: Resamples | LeftOut, *, stretch: float = 1.0) -> float:
    """The smallest strength at which the lower limit of the difference is no longer above zero.

    Found to about one per cent by bisection; the lower limit falls with the strength.

    Returns:
        1.0 = it is not above zero even with nothing unseen; LARGEST = not overturned up to there.
    """

    def holds(strength: float) -> bool:
        return contrast.lower_limit(strength, sure, stretch=stretch) > 0.0

    if not holds(1.0):
        return 1.0
    if holds(LARGEST):
        return LARGEST
    low, high = 1.0, LARGEST
    for _ in range(_STEPS):
        middle = float(np.sqrt(low * high))
        low, high = (middle, high) if holds(middle) else (low, middle)
    return high


def _side(lift: Floats, error: Floats, probability: Floats, known: Bools) -> _Side:
    rows = np.flatnonzero(lift > 0.0)
    rows = rows[np.argsort(error[rows], kind="stable")]
    return _Side(rows, lift[rows], error[rows], probability[rows], known[rows])


def _weighted(side: _Side, strength: float, times: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Lift times how often drawn, error, and the least and largest weight of each decision."""
    odds = 1.0 / side.probability - 1.0
    low = 1.0 + np.where(side.known, odds, odds / strength)
    high = 1.0 + np.where(side.known, odds, odds * strength)
    return side.lift * times[side.row], side.error, low, high


@compiled
def _least_mean(lift: Floats, value: Floats, low: Floats, high: Floats) -> float:
    """Least of sum(w lift value) / sum(w lift) over low <= w <= high; values ascending; NaN for none.

    The least has the largest weights on the smallest values, so that only the place of the change is tried.
    """
    above, below = 0.0, 0.0
    for i in range(value.size):
        above += low[i] * lift[i] * value[i]
        below += low[i] * lift[i]
    if below <= 0.0:
        return np.nan
    least = above / below
    for i in range(value.size):
        more = (high[i] - low[i]) * lift[i]
        above += more * value[i]
        below += more
        least = min(least, above / below)
    return least
