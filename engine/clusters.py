"""Intervals where decisions of one person hang together: by account, and by person; the wider one counts.

Accounts of one representative share her hours, her habits and her way of talking. Resampling accounts alone
takes them for independent and makes intervals too narrow. With 30 persons or more whole persons are
resampled; with fewer the wild cluster bootstrap stands in; with fewer than 6 no 95 % interval exists, and
what each person's own decisions show is turned round in every way instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise, product

import numpy as np

from engine import numerics
from engine.estimation import EstimationError, Interval, Resamples, Terms
from engine.records import Bools, Floats, Ints

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
    weights and forms its own t: the estimate moves by what they add up to, and each sum less by its share of
    total(b). The interval is the estimate plus and minus the 95th percentile of |t| times the standard error.

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
        return self._symmetric(terms.value, [self._sums(terms)], level)

    def difference(self, terms: Terms, reference: Terms, *, level: float = 0.95) -> Interval:
        """Symmetric interval of (estimate - reference)."""
        (ours, share), (theirs, their_share) = self._sums(terms), self._sums(reference)
        return self._symmetric(terms.value - reference.value, [(ours, share), (-theirs, their_share)], level)

    def _sums(self, terms: Terms) -> tuple[Floats, Floats]:
        """Cluster sums of what moves an estimate, and shares of its denominator; shapes (G,)."""
        below = numerics.total(terms.denominator)
        influence = (terms.numerator - terms.value * terms.denominator) / below
        found, shares = (
            _by_cluster(each, self.cluster, self.clusters) for each in (influence, terms.denominator / below)
        )
        return found, shares

    def _symmetric(self, estimate: float, parts: Sequence[tuple[Floats, Floats]], level: float) -> Interval:
        sums = parts[0][0] if len(parts) == 1 else parts[0][0] + parts[1][0]
        error = _standard_error(sums)
        found = np.empty(len(self.weights))
        for b, weights in enumerate(self.weights):
            drawn, moved = weights * sums, 0.0
            for own, shares in parts:
                apart = numerics.total(weights * own)
                drawn, moved = drawn - apart * shares, moved + apart
            spread = _standard_error(drawn)
            found[b] = abs(moved) / spread if spread > 0.0 else 0.0
        ordered = np.sort(found)
        reach = error * float(ordered[min(int(level * len(ordered)), len(ordered) - 1)])
        return Interval(estimate, estimate - reach, estimate + reach, error, level)


@dataclass(frozen=True)
class BySigns:
    """What a handful of persons show of a difference, each by the decisions on her own accounts.

    Attributes:
        persons: G, 2 to 5.
        low, high: The least and the largest of their own differences, in the unit of the reward.
        level: How often such a range holds the difference, 1 - 2^(1 - G).
        chance: Of the 2^G ways to turn the persons' contributions round, the share in which they add up to as
            much as they do, or more; never below 2^(1 - G).
    """

    persons: int
    low: float
    high: float
    level: float
    chance: float


def by_signs(terms: Terms, reference: Terms, person: Ints) -> BySigns:
    """The randomisation test of (estimate - reference) by the signs of persons.

    If there is no difference, and what a person's decisions show is as likely above as below it, every
    pattern of signs is as likely as the one that was seen. The differences that no test at 2^(1 - G) rejects
    are those between the least and the largest of the persons' own. With 5 persons that is a level of
    93.75 %: no 95 % interval exists, and none is made up.

    Args:
        terms, reference: Doubly robust terms of two policies on the same decisions.
        person: Code of who serves each decision's account; shape (n,).

    Raises:
        EstimationError: There are fewer than 2 persons, or `FEWEST_CLUSTERS` and more, for whom
            `WildBootstrap` gives an interval.

    Source:
        Fisher (1935), The Design of Experiments, section 21; Canay, Romano and Shaikh (2017), Randomization
        Tests Under an Approximate Symmetry Assumption, for clusters.
    """
    known, codes = np.unique(person, return_inverse=True)
    count = len(known)
    if not 2 <= count < FEWEST_CLUSTERS:
        raise EstimationError(f"Got {count} persons, need 2 to {FEWEST_CLUSTERS - 1} for a test by signs.")
    codes = codes.astype(np.int64).reshape(-1)
    own = _of_each(terms, codes, count) - _of_each(reference, codes, count)
    added = own * _by_cluster(np.ones(len(codes)), codes, count) / len(codes)
    found = abs(numerics.total(added))
    as_far = [
        abs(numerics.total(added * np.array(signs))) >= found * (1.0 - 1e-12)
        for signs in product((1.0, -1.0), repeat=count)
    ]
    level = 1.0 - 2.0 ** (1 - count)
    return BySigns(count, float(own.min()), float(own.max()), level, as_far.count(True) / len(as_far))


def _of_each(terms: Terms, cluster: Ints, clusters: int) -> Floats:
    """The estimate from the decisions of each cluster alone; shape (G,)."""
    return _by_cluster(terms.numerator, cluster, clusters) / _by_cluster(terms.denominator, cluster, clusters)


@dataclass(frozen=True)
class Uncertainty:
    """Intervals by account and, where people carry out, by person.

    Attributes:
        accounts: Resamples of accounts.
        persons: By person; None = the system carries everything out, or there are too few persons.
        served_by: How many persons there are; None = the system carries everything out.
        person: Code of each decision's; None = the system carries everything out; shape (n,).
        seed: What was drawn with.
    """

    accounts: Resamples
    persons: Resamples | WildBootstrap | None
    served_by: int | None
    person: Ints | None
    seed: int

    @classmethod
    def of(cls, account: Ints, person: Ints | None, *, seed: int, resamples: int = 400) -> Uncertainty:
        """Draw what is needed.

        Args:
            account: Code of each decision's account; shape (n,).
            person: Code of who serves it, from 0; an account that nobody is known to serve has one of its own
                below 0; None = nobody carries anything out; shape (n,).
            seed: The only source of randomness.
            resamples: Of accounts and persons.
        """
        by_account = Resamples.of(account, seed=seed, resamples=resamples)
        if person is None:
            return cls(by_account, None, None, None, seed)
        count = len(_persons(person))
        by_person: Resamples | WildBootstrap | None = None
        if count >= MANY_CLUSTERS:
            by_person = Resamples.of(person, seed=seed, resamples=resamples)
        elif count >= FEWEST_CLUSTERS:
            by_person = WildBootstrap.of(person, seed=seed)
        return cls(by_account, by_person, count, person, seed)

    def among(self, rows: Bools) -> Uncertainty:
        """The same of some of the decisions: of the accounts and persons that are in them.

        Args:
            rows: Which; shape (n,).
        """
        person = None if self.person is None else self.person[rows]
        return Uncertainty.of(
            self.accounts.cluster[rows], person, seed=self.seed, resamples=len(self.accounts.draws)
        )

    @property
    def enough_persons(self) -> bool:
        """Whether an interval by person exists, or none is needed."""
        return enough(self.served_by)

    def enough_for(self, rows: Bools) -> bool:
        """The same of those who serve some of the decisions; shape (n,)."""
        if self.person is None:
            return True
        return enough(len(_persons(self.person[rows])))

    def interval(self, terms: Terms) -> Interval:
        """The wider of the two 95 % intervals of an estimate."""
        own = self.accounts.interval(terms)
        return own if self.persons is None else wider(own, self.persons.interval(terms))

    def difference(self, terms: Terms, reference: Terms) -> Interval:
        """The wider of the two 95 % intervals of (estimate - reference)."""
        own = self.accounts.difference(terms, reference)
        return own if self.persons is None else wider(own, self.persons.difference(terms, reference))

    def deciding(self, terms: Terms, reference: Terms) -> Resamples | WildBootstrap:
        """By which of the two the interval of (estimate - reference) is that `difference` gives."""
        own = self.accounts.difference(terms, reference)
        if self.persons is None or self.persons.difference(terms, reference).half_width <= own.half_width:
            return self.accounts
        return self.persons

    def by_signs(self, terms: Terms, reference: Terms) -> BySigns | None:
        """What a handful of persons show of (estimate - reference); None = there are more, or none."""
        if self.person is None or self.served_by is None or not 2 <= self.served_by < FEWEST_CLUSTERS:
            return None
        theirs = self.person >= 0
        return by_signs(_of(terms, theirs), _of(reference, theirs), self.person[theirs])


def _persons(person: Ints) -> Ints:
    """The codes of persons, without accounts that stand for themselves: a hundred of these beside three
    persons do not make a hundred and three; shape (G,)."""
    return np.unique(person[person >= 0])


def enough(persons: int | None) -> bool:
    """Whether so many persons give an interval by person; None = none is needed."""
    return persons is None or persons >= FEWEST_CLUSTERS


def wider(one: Interval, other: Interval) -> Interval:
    """The interval that reaches further; the first where they are equal or the other is none."""
    return other if other.half_width > one.half_width else one


def _of(terms: Terms, rows: Bools) -> Terms:
    return Terms(terms.numerator[rows], terms.denominator[rows])


def _standard_error(sums: Floats) -> float:
    clusters = len(sums)
    return float(np.sqrt(clusters / (clusters - 1) * numerics.total(sums * sums)))


def _by_cluster(values: Floats, cluster: Ints, clusters: int) -> Floats:
    order = np.argsort(cluster, kind="stable")
    ends = np.searchsorted(cluster[order], np.arange(clusters + 1))
    ordered = values[order]
    return np.array([numerics.total(ordered[start:end]) for start, end in pairwise(ends)])
