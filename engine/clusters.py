"""Intervals where decisions of one person hang together: by account, and by person; the wider one counts.

Accounts of one representative share her hours, her habits and her way of talking. Resampling accounts alone
takes them for independent and makes intervals too narrow. With 30 persons or more whole persons are
resampled; with fewer the wild cluster bootstrap stands in; with hardly any nothing can be said.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from engine import numerics
from engine.estimation import EstimationError, Interval, Resamples, Terms
from engine.records import Floats, Ints

MANY_CLUSTERS = 30
"""From so many clusters on, whole clusters are resampled."""
FEWEST_CLUSTERS = 6
"""With fewer persons than this no interval by person is worth its name."""
_WEBB = (-(1.5**0.5), -1.0, -(0.5**0.5), 0.5**0.5, 1.0, 1.5**0.5)


@dataclass(frozen=True)
class WildBootstrap:
    """The wild cluster bootstrap of a t-statistic, for few clusters.

    An estimate total(a) / total(b) has the cluster sums s_g = (sum of a - estimate x b in g) / total(b) and
    the standard error root of G / (G - 1) x sum of s_g^2. Each draw multiplies the sums by Webb's six-point
    weights and forms its own t; the interval is the estimate plus and minus the 95th percentile of |t| times
    the standard error.

    Attributes:
        weights: Mean 0 and variance 1; shape (B, G).
        cluster: Cluster number 0..G-1 of each decision; shape (n,).

    Source:
        Cameron, Gelbach and Miller (2008), Bootstrap-Based Improvements for Inference with Clustered Errors;
        Webb (2023), Reworking wild bootstrap-based inference for clustered errors.
    """

    weights: Floats
    cluster: Ints

    @classmethod
    def of(cls, cluster: Ints, *, seed: int, resamples: int = 999) -> WildBootstrap:
        """Draw the weights. Raises EstimationError: fewer than two clusters."""
        known, codes = np.unique(cluster, return_inverse=True)
        if len(known) < 2:
            raise EstimationError(f"Got {len(known)} cluster, need at least 2 for an interval by cluster.")
        generator = np.random.Generator(np.random.PCG64(seed))
        draws = generator.integers(0, len(_WEBB), size=(resamples, len(known)))
        return cls(np.array(_WEBB)[draws], codes.astype(np.int64).reshape(-1))

    @property
    def clusters(self) -> int:
        """G, how many clusters there are."""
        return int(self.weights.shape[1])

    def interval(self, terms: Terms, *, level: float = 0.95) -> Interval:
        """Symmetric interval of an estimate."""
        return self._symmetric(terms.value, self._sums(terms), level)

    def difference(self, terms: Terms, reference: Terms, *, level: float = 0.95) -> Interval:
        """Symmetric interval of (estimate - reference)."""
        sums = self._sums(terms) - self._sums(reference)
        return self._symmetric(terms.value - reference.value, sums, level)

    def _sums(self, terms: Terms) -> Floats:
        influence = (terms.numerator - terms.value * terms.denominator) / numerics.total(terms.denominator)
        return _by_cluster(influence, self.cluster, self.clusters)

    def _symmetric(self, estimate: float, sums: Floats, level: float) -> Interval:
        error = _standard_error(sums)
        sizes = _by_cluster(np.ones(len(self.cluster)), self.cluster, self.clusters) / len(self.cluster)
        found = np.empty(len(self.weights))
        for b, weights in enumerate(self.weights):
            drawn = weights * sums
            moved = numerics.total(drawn)
            spread = _standard_error(drawn - moved * sizes)
            found[b] = abs(moved) / spread if spread > 0.0 else 0.0
        ordered = np.sort(found)
        reach = error * float(ordered[min(int(level * len(ordered)), len(ordered) - 1)])
        return Interval(estimate, estimate - reach, estimate + reach, error, level)


@dataclass(frozen=True)
class Uncertainty:
    """Intervals by account and, where people carry out, by person.

    Attributes:
        accounts: Resamples of accounts.
        persons: By person; None = the system carries everything out, or there are too few persons.
        served_by: How many persons there are; None = the system carries everything out.
    """

    accounts: Resamples
    persons: Resamples | WildBootstrap | None
    served_by: int | None

    @classmethod
    def of(cls, account: Ints, person: Ints | None, *, seed: int, resamples: int = 400) -> Uncertainty:
        """Draw what is needed.

        Args:
            account: Code of each decision's account; shape (n,).
            person: Code of who serves it; None = nobody carries anything out; shape (n,).
            seed: The only source of randomness.
            resamples: Of accounts and persons.
        """
        by_account = Resamples.of(account, seed=seed, resamples=resamples)
        if person is None:
            return cls(by_account, None, None)
        count = len(np.unique(person))
        if count >= MANY_CLUSTERS:
            return cls(by_account, Resamples.of(person, seed=seed, resamples=resamples), count)
        if count >= FEWEST_CLUSTERS:
            return cls(by_account, WildBootstrap.of(person, seed=seed), count)
        return cls(by_account, None, count)

    @property
    def enough_persons(self) -> bool:
        """Whether an interval by person exists, or none is needed."""
        return self.served_by is None or self.persons is not None

    def interval(self, terms: Terms) -> Interval:
        """The wider of the two 95 % intervals of an estimate."""
        own = self.accounts.interval(terms)
        return own if self.persons is None else wider(own, self.persons.interval(terms))

    def difference(self, terms: Terms, reference: Terms) -> Interval:
        """The wider of the two 95 % intervals of (estimate - reference)."""
        own = self.accounts.difference(terms, reference)
        return own if self.persons is None else wider(own, self.persons.difference(terms, reference))


def wider(one: Interval, other: Interval) -> Interval:
    """The interval that reaches further; the first where they are equal or the other is none."""
    return other if other.half_width > one.half_width else one


def _standard_error(sums: Floats) -> float:
    clusters = len(sums)
    return float(np.sqrt(clusters / (clusters - 1) * numerics.total(sums * sums)))


def _by_cluster(values: Floats, cluster: Ints, clusters: int) -> Floats:
    order = np.argsort(cluster, kind="stable")
    ends = np.searchsorted(cluster[order], np.arange(clusters + 1))
    ordered = values[order]
    return np.array([numerics.total(ordered[start:end]) for start, end in pairwise(ends)])
