"""Intervals where decisions of one person hang together: by account, and by person; the wider one counts.

Accounts of one representative share her hours, her habits and her way of talking. Intervals by account alone
take them for independent and are too narrow. With 6 persons or more there is a wild cluster bootstrap; with
fewer no 95 % interval exists, and what each person's own decisions show is turned round in every way instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise, product

import numpy as np
import numpy.typing as npt

from engine import numerics
from engine.estimation import EstimationError, Interval, Resamples, Terms, effective_clusters
from engine.records import Bools, Floats, Ints

FEWEST_CLUSTERS = 6
"""With fewer persons than this no interval by person is worth its name."""
PRIOR_CLUSTERS = 2.0
"""For how many clusters the spread of all counts beside that of those an estimate rests on; see `stretch`."""
WEBB = np.array([-(1.5**0.5), -1.0, -(0.5**0.5), 0.5**0.5, 1.0, 1.5**0.5])
"""Equally likely, mean 0 and variance 1."""
LARGEST_SHARE = 0.999
"""A cluster that holds more is not left out: nothing would remain."""


@dataclass(frozen=True)
class WildBootstrap:
    """The wild cluster bootstrap of a t-statistic, for clusters few or many, alike in size or not.

    An estimate total(a) / total(b) moves by s_g = (sum of a - estimate x b in g) / (total(b) - that of g)
    when cluster g is left out, and has the standard error root of G / (G - 1) x sum of s_g^2 by these: a
    cluster that holds much of total(b) draws the estimate towards itself, and seems to differ little from it
    where it is not left out. Each draw multiplies the sums by Webb's six-point weights and forms its own t:
    the estimate moves by what they add up to, and each sum less by its share of total(b). The interval is the
    estimate plus and minus the 95th percentile of |t| times the standard error.

    Attributes:
        drawn: Which of Webb's weights, which have mean 0 and variance 1; shape (B, G).
        cluster: Cluster number 0..G-1 of each decision; shape (n,).

    Source:
        Cameron, Gelbach and Miller (2008), Bootstrap-Based Improvements for Inference with Clustered Errors;
        Webb (2023), Reworking wild bootstrap-based inference for clustered errors; MacKinnon, Nielsen and
        Webb (2023), Fast and reliable jackknife and bootstrap methods for cluster-robust inference.
    """

    drawn: npt.NDArray[np.int8]
    cluster: Ints

    @classmethod
    def of(cls, cluster: Ints, *, seed: int, resamples: int = 999) -> WildBootstrap:
        """Draw the weights. Raises EstimationError: fewer than two clusters."""
        known, codes = np.unique(cluster, return_inverse=True)
        if len(known) < 2:
            raise EstimationError(f"Got {len(known)} cluster, need at least 2 for an interval by cluster.")
        generator = np.random.Generator(np.random.PCG64(seed))
        drawn = generator.integers(0, len(WEBB), size=(resamples, len(known)), dtype=np.int8)
        return cls(drawn, codes.astype(np.int64).reshape(-1))

    @property
    def clusters(self) -> int:
        """G, how many clusters there are."""
        return int(self.drawn.shape[1])

    def interval(self, terms: Terms, *, level: float = 0.95) -> Interval:
        """Symmetric interval of an estimate."""
        return self._symmetric(terms.value, [self._sums(terms)], level)

    def difference(self, terms: Terms, reference: Terms, *, level: float = 0.95) -> Interval:
        """Symmetric interval of (estimate - reference)."""
        (ours, share), (theirs, their_share) = self._sums(terms), self._sums(reference)
        return self._symmetric(terms.value - reference.value, [(ours, share), (-theirs, their_share)], level)

    def _sums(self, terms: Terms) -> tuple[Floats, Floats]:
        """How leaving out each cluster moves an estimate, and shares of its denominator; shapes (G,)."""
        share = terms.denominator / numerics.total(terms.denominator)
        found, shares = (
            _by_cluster(each, self.cluster, self.clusters) for each in (_influence(terms), share)
        )
        return found / (1.0 - np.minimum(shares, LARGEST_SHARE)), shares

    def _symmetric(self, estimate: float, parts: Sequence[tuple[Floats, Floats]], level: float) -> Interval:
        sums = parts[0][0] if len(parts) == 1 else parts[0][0] + parts[1][0]
        error = _standard_error(sums)
        found = np.empty(len(self.drawn))
        for b, chosen in enumerate(self.drawn):
            weights = WEBB[chosen]
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
class Accounts:
    """Intervals by account that reach as far as either of two ways makes them.

    Percentiles of resamples know to which side an estimate is skewed, and take the spread of the clusters for
    known; a t-statistic knows that a few large orders tell their own spread badly, and is symmetric.
    Percentiles alone hold the truth in 93 % where 95 % are asked for.

    Attributes:
        resamples: Of accounts.
        spread: Of t-statistics by account; None = there is one account.
    """

    resamples: Resamples
    spread: WildBootstrap | None

    @classmethod
    def of(cls, cluster: Ints, *, seed: int, resamples: int = 400) -> Accounts:
        """Draw both: cluster of shape (n,)."""
        drawn = Resamples.of(cluster, seed=seed, resamples=resamples)
        several = drawn.clusters > 1
        return cls(drawn, WildBootstrap.of(cluster, seed=seed, resamples=resamples - 1) if several else None)

    @property
    def cluster(self) -> Ints:
        """Number 0..C-1 of each decision's account; shape (n,)."""
        return self.resamples.cluster

    @property
    def clusters(self) -> int:
        """How many accounts there are."""
        return self.resamples.clusters

    def interval(self, terms: Terms) -> Interval:
        """95 % interval of an estimate."""
        own = self.resamples.interval(terms)
        if self.spread is None or not np.isfinite(own.estimate):
            return own
        return _both(own, self.spread.interval(terms))

    def difference(self, terms: Terms, reference: Terms) -> Interval:
        """95 % interval of (estimate - reference)."""
        own = self.resamples.difference(terms, reference)
        if self.spread is None or not np.isfinite(own.estimate):
            return own
        return _both(own, self.spread.difference(terms, reference))


@dataclass(frozen=True)
class Uncertainty:
    """Intervals by account and, where people carry out, by person.

    Attributes:
        accounts: By account.
        persons: By person; None = the system carries everything out, or there are too few persons.
        served_by: How many persons there are; None = the system carries everything out.
        person: Code of each decision's; None = the system carries everything out; shape (n,).
        seed: What was drawn with.
    """

    accounts: Accounts
    persons: WildBootstrap | None
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
            resamples: Of accounts.
        """
        by_account = Accounts.of(account, seed=seed, resamples=resamples)
        if person is None:
            return cls(by_account, None, None, None, seed)
        count = len(_persons(person))
        by_person = None
        if count >= FEWEST_CLUSTERS:
            by_person = WildBootstrap.of(person, seed=seed, resamples=999 if count < 100 else 399)
        return cls(by_account, by_person, count, person, seed)

    def among(self, rows: Bools) -> Uncertainty:
        """The same of some of the decisions: of the accounts and persons that are in them.

        Args:
            rows: Which; shape (n,).
        """
        person = None if self.person is None else self.person[rows]
        resamples = len(self.accounts.resamples.draws)
        return Uncertainty.of(self.accounts.cluster[rows], person, seed=self.seed, resamples=resamples)

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
        found = [stretched(way.interval(terms), stretch(way.cluster, terms)) for way in self._ways]
        return found[0] if len(found) == 1 else wider(*found)

    def difference(self, terms: Terms, reference: Terms) -> Interval:
        """The wider of the two 95 % intervals of (estimate - reference)."""
        return self._deciding(terms, reference)[0]

    def deciding(self, terms: Terms, reference: Terms) -> Accounts | WildBootstrap:
        """By which of the two the interval of (estimate - reference) is that `difference` gives."""
        return self._deciding(terms, reference)[1]

    @property
    def _ways(self) -> tuple[Accounts | WildBootstrap, ...]:
        return (self.accounts,) if self.persons is None else (self.accounts, self.persons)

    def _deciding(self, terms: Terms, reference: Terms) -> tuple[Interval, Accounts | WildBootstrap]:
        found = []
        for way in self._ways:
            times = stretch(way.cluster, terms, reference)
            found.append((stretched(way.difference(terms, reference), times), way))
        decides = len(found) > 1 and found[1][0].half_width > found[0][0].half_width
        return found[1] if decides else found[0]

    def by_signs(self, terms: Terms, reference: Terms) -> BySigns | None:
        """What a handful of persons show of (estimate - reference); None = there are more, or none."""
        if self.person is None or self.served_by is None or not 2 <= self.served_by < FEWEST_CLUSTERS:
            return None
        theirs = self.person >= 0
        return by_signs(terms.among(theirs), reference.among(theirs), self.person[theirs])


def _persons(person: Ints) -> Ints:
    """The codes of persons, without accounts that stand for themselves: a hundred of these beside three
    persons do not make a hundred and three; shape (G,)."""
    return np.unique(person[person >= 0])


def enough(persons: int | None) -> bool:
    """Whether so many persons give an interval by person; None = none is needed."""
    return persons is None or persons >= FEWEST_CLUSTERS


def stretch(cluster: Ints, terms: Terms, reference: Terms | None = None) -> float:
    """How many times as wide an interval by clusters is if what it rests on varies as everything does.

    Where few were left alone, the estimate hangs on a few errors with large weights, and what these vary by
    is told from them alone: most such handfuls hold none of the rare large orders and look far more certain
    than they are. If a contact changes nothing, their errors vary as those of all. So what the errors add to
    the variance is drawn towards what it would be with the spread of all, (k own + 2 of all) / (k + 2), where
    that is more, k being the number of clusters that it is told from: many tell it well enough.

    With c the weight of each error e in the estimate and s^2 the mean of e^2 over decisions that weigh at
    all, the spread of all is s^2 total(c^2) / total(c^2 e^2) times the own. k is the effective number of
    clusters by their c^2, times the share of clusters that the spread of all is told from (by their e^2):
    of thirty accounts of whom one in ten buys, three.

    Args:
        cluster: Number 0..G-1 of each decision; shape (n,).
        terms, reference: Of the estimate, or of the difference; without errors nothing is stretched.

    Returns:
        At least 1: the root of the variance by clusters with what is added, over that without.

    Source:
        Student (1908), whose pooled variance is exact where arms are alike, as `engine.lift` takes it; Smyth
        (2004), Linear Models and Empirical Bayes Methods, for moderated variances.
    """
    weight, error = _errors(terms)
    moved = _influence(terms)
    if reference is not None:
        theirs, other = _errors(reference)
        error, weight = np.where(weight != 0.0, error, other), weight - theirs
        moved = moved - _influence(reference)
    weighs = weight != 0.0
    own, squares, codes = weight * error, error * error * weighs, cluster[weighs]
    single, clusters = numerics.total(own * own), int(cluster.max()) + 1
    if not single > 0.0:
        return 1.0
    alike = numerics.total(squares) / len(codes) * numerics.total(weight * weight) / single
    chance, shown = (_by_cluster(each, cluster, clusters) ** 2 for each in (own, moved))
    below = numerics.total(shown)
    if alike <= 1.0 or not below > 0.0:
        return 1.0
    told = effective_clusters(squares, cluster) / len(np.unique(codes))
    evidence = told * effective_clusters(weight * weight, cluster)
    share = PRIOR_CLUSTERS / (PRIOR_CLUSTERS + evidence)
    return float(np.sqrt(1.0 + share * (alike - 1.0) * numerics.total(chance) / below))


def stretched(interval: Interval, times: float) -> Interval:
    """The interval so many times as wide, about the same estimate."""
    if times <= 1.0:
        return interval
    middle = interval.estimate
    low, high = (middle + times * (end - middle) for end in (interval.low, interval.high))
    return Interval(middle, low, high, times * interval.standard_error, interval.level)


def wider(one: Interval, other: Interval) -> Interval:
    """The interval that reaches further; the first where they are equal or the other is none."""
    return other if other.half_width > one.half_width else one


def _both(one: Interval, other: Interval) -> Interval:
    """As far as either reaches."""
    low, high = min(one.low, other.low), max(one.high, other.high)
    error = max(one.standard_error, other.standard_error)
    return Interval(one.estimate, low, high, error, one.level)


def _influence(terms: Terms) -> Floats:
    """By how much each decision moves an estimate; shape (n,)."""
    return (terms.numerator - terms.value * terms.denominator) / numerics.total(terms.denominator)


def _errors(terms: Terms) -> tuple[Floats, Floats]:
    """Weight of each decision's error in an estimate, and the error; zeros = not told; shapes (n,)."""
    if terms.error is None or terms.weight is None:
        nothing = np.zeros(len(terms.numerator))
        return nothing, nothing
    return terms.weight / numerics.total(terms.denominator), terms.error


def _standard_error(sums: Floats) -> float:
    clusters = len(sums)
    return float(np.sqrt(clusters / (clusters - 1) * numerics.total(sums * sums)))


def _by_cluster(values: Floats, cluster: Ints, clusters: int) -> Floats:
    order = np.argsort(cluster, kind="stable")
    ends = np.searchsorted(cluster[order], np.arange(clusters + 1))
    ordered = values[order]
    return np.array([numerics.total(ordered[start:end]) for start, end in pairwise(ends)])
