"""Pure estimators: what a policy would have earned, how sure that is, and a verdict on the evidence.

Everything works on logged decisions: what was chosen (an index), with which probability, what followed,
and with which probability a target policy would choose each treatment. Training, the nightly run and the
dashboard use these same functions. Every estimator is a ratio of two sums over decisions (`Terms`), so an
interval is one resampling of accounts for all of them, and two policies can be compared on the same draws.

The estimand is "this decision once, then as logged": not the effect of following a policy for a year.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np

from engine import numerics
from engine.records import Bools, EngineError, Floats, Ints

Level = Literal["reliable", "directional", "limited evidence", "outside scope"]


class EstimationError(EngineError):
    """What was logged cannot be used for an estimate; says which rows or figures are wrong."""


@dataclass(frozen=True)
class Logged:
    """Logged decisions, one a row.

    Attributes:
        reward: What followed each decision, in the playbook's currency; shape (n,).
        action: Index of the treatment that was chosen; shape (n,).
        assignment: Probability with which it was chosen, in (0, 1]; shape (n,).
        cluster: Whatever must be resampled together, usually the account, as codes; shape (n,).

    Raises:
        EstimationError: Shapes differ, there is no row, a reward is not finite or a probability is not in
            (0, 1].
    """

    reward: Floats
    action: Ints
    assignment: Floats
    cluster: Ints

    def __post_init__(self) -> None:
        n = len(self.reward)
        if n == 0:
            raise EstimationError("Got no logged decision, need at least one.")
        for name in ("action", "assignment", "cluster"):
            if len(getattr(self, name)) != n:
                raise EstimationError(
                    f"Got {n} rewards and {len(getattr(self, name))} of {name}, need one each."
                )
        if not np.isfinite(self.reward).all():
            raise EstimationError(
                f"Row {_first(~np.isfinite(self.reward))} has no finite reward; leave such rows out."
            )
        wrong = ~((self.assignment > 0.0) & (self.assignment <= 1.0))
        if wrong.any():
            row = _first(wrong)
            raise EstimationError(
                f"Row {row} has the assignment probability {self.assignment[row]!r}, need one in (0, 1]; "
                "estimate missing ones with a behaviour model first."
            )

    def __len__(self) -> int:
        return len(self.reward)

    def weights(self, target: Floats, *, max_weight: float = np.inf) -> Floats:
        """Importance weights target / assignment of what was chosen, clipped; shape (n,)."""
        checked = self._checked(target, "target")
        if ((checked < 0.0) | (checked > 1.0)).any():
            raise EstimationError("A target probability is outside [0, 1].")
        chosen = checked[np.arange(len(self)), self.action]
        return np.minimum(chosen / self.assignment, max_weight)

    def _checked(self, matrix: Floats, name: str) -> Floats:
        if matrix.ndim != 2 or len(matrix) != len(self):
            raise EstimationError(
                f"Got {name} of shape {matrix.shape}, need ({len(self)}, number of treatments)."
            )
        if int(self.action.max()) >= matrix.shape[1] or int(self.action.min()) < 0:
            raise EstimationError(f"A logged action is not a column of {name}, which has {matrix.shape[1]}.")
        return matrix


@dataclass(frozen=True)
class Terms:
    """An estimate as a ratio of sums over decisions: total(numerator) / total(denominator).

    Attributes:
        numerator, denominator: Shapes (n,).
        error: Of each decision's reward, what was not expected: what chance has brought; None = it cannot be
            told apart, and intervals know what the numerators themselves vary by, no more; shape (n,).
        weight: How often that error is in the numerator; shape (n,).
    """

    numerator: Floats
    denominator: Floats
    error: Floats | None = None
    weight: Floats | None = None

    @property
    def value(self) -> float:
        """The estimate, per decision, in the unit of the reward; NaN where the policies never agree."""
        below = numerics.total(self.denominator)
        return numerics.total(self.numerator) / below if below != 0.0 else float("nan")

    def among(self, rows: Bools) -> Terms:
        """The same of some of the decisions; shape (n,)."""
        error, weight = (None if part is None else part[rows] for part in (self.error, self.weight))
        return Terms(self.numerator[rows], self.denominator[rows], error, weight)


def mean_terms(reward: Floats, among: Bools) -> Terms:
    """The plain mean of the rewards of some of the decisions; shapes (n,)."""
    weight = among.astype(np.float64)
    found = Terms(reward * weight, weight)
    return Terms(found.numerator, weight, reward - found.value, weight)


def logged_terms(logged: Logged) -> Terms:
    """What the logging policy earned: the plain mean of the rewards."""
    return Terms(logged.reward, np.ones(len(logged)))


def direct_terms(target: Floats, model: Floats) -> Terms:
    """Direct method: what a model of the reward expects under the target policy.

    Args:
        target: P(treatment) under the target policy; shape (n, T), rows sum to 1.
        model: Expected reward of every treatment, from a model not trained on these rows; shape (n, T).

    Returns:
        Mean over rows of sum_t target[t] * model[t]. As wrong as the model is; an interval by resampling rows
        does not hold that error.
    """
    return Terms(_expected(target, model), np.ones(len(target)))


def ips_terms(logged: Logged, target: Floats, *, max_weight: float = np.inf) -> Terms:
    """Inverse propensity score: mean of weight x reward.

    Unbiased when the assignment probabilities are right and positive wherever the target's are (and
    nothing is clipped); noisy when weights are large.

    Args:
        logged: n decisions.
        target: P(treatment) under the target policy; shape (n, T).
        max_weight: Weights above it are clipped; no unit.

    Source:
        Horvitz and Thompson (1952), A Generalization of Sampling Without Replacement From a Finite
        Universe.
    """
    weights = logged.weights(target, max_weight=max_weight)
    return Terms(weights * logged.reward, np.ones(len(logged)))


def snips_terms(logged: Logged, target: Floats, *, max_weight: float = np.inf) -> Terms:
    """Self-normalised: sum of weight x reward over the sum of weights.

    Consistent, slightly biased for small n, bounded by the rewards seen, indifferent to a constant added
    to all rewards.

    Source:
        Swaminathan and Joachims (2015), The Self-Normalized Estimator for Counterfactual Learning.
    """
    weights = logged.weights(target, max_weight=max_weight)
    return Terms(weights * logged.reward, weights)


def doubly_robust_terms(
    logged: Logged, target: Floats, model: Floats, *, max_weight: float = np.inf
) -> Terms:
    """Direct method corrected by the weighted error of the model on what was logged.

    Right when either the probabilities or the model are right.

    Args:
        logged: n decisions.
        target: P(treatment) under the target policy; shape (n, T).
        model: Expected reward of every treatment, from a model not trained on these rows; shape (n, T).
        max_weight: Weights above it are clipped; no unit.

    Source:
        Dudik, Langford and Li (2011), Doubly Robust Policy Evaluation and Learning; Dudik, Erhan, Langford
        and Li (2014), Doubly Robust Policy Evaluation and Optimization.
    """
    weights = logged.weights(target, max_weight=max_weight)
    error = logged.reward - model[np.arange(len(logged)), logged.action]
    return Terms(_expected(target, model) + weights * error, np.ones(len(logged)), error, weights)


SHRINKAGES: tuple[float, ...] = (
    1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1_000.0, 3_000.0, 10_000.0, 100_000.0, np.inf,
)  # fmt: skip
"""What the shrinkage of weights is chosen from; infinite = none, which is doubly robust."""


def shrunk_terms(logged: Logged, target: Floats, model: Floats) -> Terms:
    """Doubly robust with optimistically shrunk weights: w becomes w s / (w^2 + s).

    A weight far above the root of s counts for little, so that a few decisions cannot carry the estimate;
    the price is a bias towards the model. s is chosen per half of the clusters on the other half, as the one
    with the least estimated squared error: squared mean of (shrunk w - w) (r - q) plus variance of the mean.
    No decision takes part in choosing its own. Where s is small the estimate is mostly the model's, whose own
    error no resampling of these decisions shows: intervals are then too narrow, so a verdict never rests on
    them.

    Args:
        logged: n decisions.
        target: P(treatment) under the target policy; shape (n, T).
        model: Expected reward of every treatment, from a model not trained on these rows; shape (n, T).

    Source:
        Su, Dimakopoulou, Krishnamurthy and Dudik (2020), Doubly robust off-policy evaluation with shrinkage
        (optimistic shrinkage; choice by an estimate of the squared error).
    """
    weights = logged.weights(target)
    expected = _expected(target, model)
    error = logged.reward - model[np.arange(len(logged)), logged.action]
    first = np.unique(logged.cluster, return_inverse=True)[1].reshape(-1) % 2 == 0
    shrunk = np.empty(len(logged))
    for own in (first, ~first):
        chosen = _least_squared_error(expected[~own], weights[~own], error[~own])
        shrunk[own] = shrunk_weights(weights[own], chosen)
    return Terms(expected + shrunk * error, np.ones(len(logged)))


def shrunk_weights(weights: Floats, shrinkage: float) -> Floats:
    """w s / (w^2 + s), for s infinite w itself; never above w, nor above half the root of s; shape (n,)."""
    if shrinkage == np.inf:
        return weights.copy()
    return weights * shrinkage / (weights * weights + shrinkage)


def _least_squared_error(expected: Floats, weights: Floats, error: Floats) -> float:
    """The shrinkage with the least estimated squared error; none at all where there is nothing to go by."""
    best, least = np.inf, np.inf
    for shrinkage in reversed(SHRINKAGES):
        shrunk = shrunk_weights(weights, shrinkage)
        bias = numerics.mean((shrunk - weights) * error)
        terms = expected + shrunk * error
        spread = terms - numerics.mean(terms)
        found = bias * bias + numerics.mean(spread * spread) / max(len(terms), 1)
        if found < least:
            best, least = shrinkage, found
    return best


def effective_sample_size(weights: Floats) -> float:
    """How many equally weighted decisions the weighted ones are worth: (sum w)^2 / sum w^2; 0 for none.

    Source:
        Kish (1965), Survey Sampling.
    """
    added, squares = numerics.total(weights), numerics.total(weights * weights)
    return added * added / squares if squares > 0.0 else 0.0


def effective_clusters(weights: Floats, cluster: Ints) -> float:
    """How many clusters with equal weights those of the weighted decisions are worth; 0 for none.

    Where five of sixty accounts hold most of the decisions, resampling accounts resamples five.

    Args:
        weights: Of the decisions; shape (n,).
        cluster: Code of each decision's; shape (n,).

    Source:
        The size of clusters alone in Carter, Schnepel and Steigerwald (2017), Asymptotic Behavior of a t-Test
        Robust to Cluster Heterogeneity; `effective_sample_size` of the clusters' sums.
    """
    codes = np.unique(cluster, return_inverse=True)[1].reshape(-1)
    return effective_sample_size(np.bincount(codes, weights).astype(np.float64))


@dataclass(frozen=True)
class Interval:
    """An estimate with its interval and standard error, in the unit of the reward."""

    estimate: float
    low: float
    high: float
    standard_error: float
    level: float = 0.95

    @property
    def half_width(self) -> float:
        """Half the distance from low to high."""
        return (self.high - self.low) / 2.0


@dataclass(frozen=True)
class Resamples:
    """Draws of whole clusters with replacement, the same for every estimate that is given to them.

    Attributes:
        draws: Cluster numbers 0..C-1 of each resample; shape (B, C).
        cluster: Cluster number of each decision; shape (n,).
    """

    draws: Ints
    cluster: Ints

    @classmethod
    def of(cls, cluster: Ints, *, seed: int, resamples: int = 400) -> Resamples:
        """Draw them. The seed is the only source of randomness.

        Source:
            Efron (1979), Bootstrap Methods; Field and Welsh (2007), Bootstrapping Clustered Data.
        """
        known, codes = np.unique(cluster, return_inverse=True)
        generator = np.random.Generator(np.random.PCG64(seed))
        draws = generator.integers(0, len(known), size=(resamples, len(known)), dtype=np.int64)
        return cls(draws, codes.astype(np.int64).reshape(-1))

    @property
    def clusters(self) -> int:
        """How many clusters there are."""
        return int(self.draws.shape[1])

    def values(self, terms: Terms) -> Floats:
        """The estimate on every resample; shape (B,)."""
        above = self._by_cluster(terms.numerator)
        below = self._by_cluster(terms.denominator)
        values = np.empty(len(self.draws))
        for b, drawn in enumerate(self.draws):
            denominator = numerics.total(below[drawn])
            values[b] = numerics.total(above[drawn]) / denominator if denominator != 0.0 else np.nan
        return values

    def counts(self) -> Iterator[Floats]:
        """For each resample, how often each decision is drawn; shape (n,) each."""
        for drawn in self.draws:
            yield np.bincount(drawn, minlength=self.clusters).astype(np.float64)[self.cluster]

    def interval(self, terms: Terms, *, level: float = 0.95) -> Interval:
        """Percentile interval of an estimate, by the order statistics of Davison and Hinkley (1997)."""
        return _percentiles(terms.value, self.values(terms), level)

    def difference(self, terms: Terms, reference: Terms, *, level: float = 0.95) -> Interval:
        """Percentile interval of (estimate - reference) on the same resamples: what they share cancels."""
        values = self.values(terms) - self.values(reference)
        return _percentiles(terms.value - reference.value, values, level)

    def _by_cluster(self, values: Floats) -> Floats:
        order = np.argsort(self.cluster, kind="stable")
        ends = np.searchsorted(self.cluster[order], np.arange(self.clusters + 1))
        ordered = values[order]
        return np.array([numerics.total(ordered[start:end]) for start, end in pairwise(ends)])


@dataclass(frozen=True)
class Verdict:
    """How far an estimate can be believed, with one sentence that says why."""

    level: Level
    sentence: str


@dataclass(frozen=True)
class Bars:
    """What an estimate must reach for each verdict; the defaults are conventions, not theorems.

    Attributes:
        supported: Least share of the policy's choices for which the log has comparable decisions.
        effective: Least effective sample size.
        clusters: Least effective number of accounts: with fewer, bootstrap intervals are too narrow.
        persons: Where people carry out, fewer persons than this say nothing of others.
        width: Largest half width of a reliable interval, as a share of what the logging policy earned.
    """

    supported: float = 0.95
    effective: float = 200.0
    clusters: float = 50.0
    persons: int = 6
    width: float = 0.25


def verdict(
    interval: Interval,
    *,
    effective: float,
    clusters: float,
    supported: float,
    logged_probabilities: bool,
    scale: float,
    persons: int | None = None,
    bars: Bars | None = None,
) -> Verdict:
    """A verdict on the evidence behind an estimate.

    Args:
        interval: The estimate and its interval.
        effective: Effective sample size of the policy's weights.
        clusters: Accounts behind it, as `effective_clusters` counts them.
        supported: Share of the policy's choices that the log can speak of, in [0, 1].
        logged_probabilities: Whether assignment probabilities were logged rather than estimated.
        scale: What the width is measured against, usually what the logging policy earned; same unit.
        persons: By how many persons contacts are carried out; None = by the system, or it is not known.
        bars: What is asked for.

    Returns:
        The first that applies of: outside scope (the log does not do what the policy would do), limited
        evidence (too few), directional (wide, or probabilities only estimated), reliable.
    """
    asked = bars or Bars()
    if not supported >= asked.supported:
        return Verdict(
            "outside scope",
            f"The log has decisions comparable with only {supported:.0%} of what this policy would do, "
            "so its value cannot be judged from it.",
        )
    if effective < asked.effective or clusters < asked.clusters or not np.isfinite(interval.half_width):
        return Verdict(
            "limited evidence",
            f"The evidence is worth {effective:,.0f} decisions of {clusters:,.0f} accounts; at least "
            f"{asked.effective:,.0f} and {asked.clusters:,.0f} are needed.",
        )
    if persons is not None and persons < asked.persons:
        return Verdict(
            "limited evidence",
            f"The contacts are those of {persons} {'person' if persons == 1 else 'persons'}; at least "
            f"{asked.persons} are needed to tell what contacts do from what these persons are like.",
        )
    if interval.half_width > asked.width * abs(scale):
        return Verdict(
            "directional",
            f"The interval is wide: it reaches {interval.half_width:,.2f} to either side of the estimate.",
        )
    if not logged_probabilities:
        return Verdict(
            "directional",
            "Assignment probabilities were not logged but estimated: what nobody recorded may explain part "
            "of it.",
        )
    return Verdict(
        "reliable",
        f"Logged probabilities, evidence worth {effective:,.0f} decisions, and a narrow interval.",
    )


def _expected(target: Floats, model: Floats) -> Floats:
    if target.shape != model.shape:
        raise EstimationError(
            f"Got target of shape {target.shape} and model of shape {model.shape}, need the same."
        )
    expected = np.zeros(len(target))
    for column in range(target.shape[1]):  # in the order of the treatments, so that the bits are fixed
        expected = expected + target[:, column] * model[:, column]
    return expected


def _percentiles(estimate: float, values: Floats, level: float) -> Interval:
    usable = np.sort(values[np.isfinite(values)])
    if len(usable) < 2:
        return Interval(estimate, float("nan"), float("nan"), float("nan"), level)
    cut = max(int((1.0 - level) / 2.0 * (len(usable) + 1)) - 1, 0)
    spread = usable - numerics.mean(usable)
    error = float(np.sqrt(numerics.total(spread * spread) / (len(usable) - 1)))
    return Interval(estimate, float(usable[cut]), float(usable[len(usable) - 1 - cut]), error, level)


def _first(wrong: Bools) -> int:
    return int(np.flatnonzero(wrong)[0])
