"""What the policy of another log would have earned in this one, beside what it earned there.

The proof of an estimator on real data: where two policies ran side by side, each log says what the other
policy earns, and the other log knows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.conditions import near
from engine.estimation import (
    Interval,
    Terms,
    Verdict,
    doubly_robust_terms,
    effective_clusters,
    effective_sample_size,
    ips_terms,
    logged_terms,
    shrunk_terms,
    snips_terms,
    verdict,
)
from engine.records import Floats, Ints
from training.behaviour import Assignment, assignment_of
from training.boosting import Boosting
from training.cases import Cases
from training.errors import TrainingError
from training.evaluate import uncertainty_of
from training.pooling import pooled
from training.select import logged_of
from training.splits import folds_of

FOLDS = 3
ESTIMATORS = ("inverse propensity", "self-normalised", "doubly robust")


class OtherLogError(TrainingError):
    """The other log cannot be compared with this one; says why."""

    exit_code = 2


@dataclass(frozen=True)
class OtherPolicy:
    """The policy of another log, valued in this one; per decision, net of cost, in currency.

    Attributes:
        decisions: Of this log.
        logged: What this log's own policy earned.
        there: What the other policy earned in its own log.
        estimates: Estimator -> what it would have earned here, from this log alone.
        shrunk: Doubly robust with shrunk weights; without an interval, see `engine.estimation`.
        gap: Estimator -> estimate here minus what it earned there; the logs are independent.
        effective: Effective sample size of the weights.
        largest: Largest weight; no unit.
        supported: Share of what it does with comparable decisions in this log.
        verdict: On the evidence of both logs: the accounts and persons of the one that has fewer.
    """

    decisions: int
    logged: Interval
    there: Interval
    estimates: dict[str, Interval]
    shrunk: float
    gap: dict[str, Interval]
    effective: float
    largest: float
    supported: float
    verdict: Verdict

    def holds(self, estimator: str) -> bool:
        """Whether the interval from this log holds what the policy earned in its own."""
        found = self.estimates[estimator]
        return found.low <= self.there.estimate <= found.high


def value_other(cases: Cases, other: Cases, *, by: tuple[str, ...], seed: int) -> OtherPolicy:
    """Value the policy that was logged elsewhere.

    Args:
        cases: Matured cases of this log.
        other: Matured cases of the other one, under the same playbook.
        by: Attributes of accounts on which that policy may depend; it is taken as the share of each treatment
            within each combination of their values, and as known: shares of few decisions add noise that
            the intervals do not hold.
        seed: Of folds and resamples.

    Raises:
        OtherLogError: An attribute is not there, or the playbooks differ.
    """
    if cases.treatments != other.treatments:
        raise OtherLogError("The two logs were read under different playbooks; give both the same.")
    assignment = assignment_of(cases, Boosting(seed=seed), seed=seed)
    target = shares_of(cases, other, by)
    logged, model = logged_of(cases, assignment), _model(cases, seed)
    sure, sure_there = (uncertainty_of(each, seed=seed) for each in (cases, other))
    there = sure_there.interval(_earned(other))
    terms = dict(
        zip(
            ESTIMATORS,
            (
                ips_terms(logged, target),
                snips_terms(logged, target),
                doubly_robust_terms(logged, target, model),
            ),
            strict=True,
        )
    )
    found = {name: sure.interval(each) for name, each in terms.items()}
    weights = logged.weights(target)
    accounts = [(weights, sure.accounts.cluster), (np.ones(len(other)), sure_there.accounts.cluster)]
    served_by = [each.served_by for each in (sure, sure_there) if each.served_by is not None]
    effective, supported = effective_sample_size(weights), _supported(target, assignment)
    own = logged_terms(logged)
    return OtherPolicy(
        decisions=len(cases),
        logged=sure.interval(own),
        there=there,
        estimates=found,
        shrunk=shrunk_terms(logged, target, model).value,
        gap={name: difference(each, there) for name, each in found.items()},
        effective=effective,
        largest=float(weights.max()),
        supported=supported,
        verdict=verdict(
            found["doubly robust"],
            effective=effective,
            clusters=min(effective_clusters(*each) for each in accounts),
            supported=supported,
            logged_probabilities=assignment.logged,
            scale=own.value,
            persons=min(served_by, default=None),
        ),
    )


def difference(one: Interval, other: Interval) -> Interval:
    """Of two independent estimates, with a 95 % interval made of both: each end is as far from the difference
    as the root of the squares of what the two intervals reach there. So what makes them wider or lopsided,
    few persons or large outcomes, stays.

    Source:
        Zou and Donner (2008), Construction of confidence limits about effect measures: a general approach.
    """
    apart = one.estimate - other.estimate
    below = float(np.hypot(one.estimate - one.low, other.high - other.estimate))
    above = float(np.hypot(one.high - one.estimate, other.estimate - other.low))
    error = float(np.hypot(one.standard_error, other.standard_error))
    return Interval(apart, apart - below, apart + above, error)


def shares_of(cases: Cases, other: Cases, by: tuple[str, ...]) -> Floats:
    """Share of each treatment in the other log, among decisions like each of ours; shape (n, T).

    Combinations of values that the other log does not have get the shares over all of it.
    """
    ours, theirs = _strata(cases, other, by)
    count = int(max(ours.max(), theirs.max())) + 1
    seen = np.zeros((count, len(other.treatments)))
    np.add.at(seen, (theirs, other.action), 1.0)
    seen[seen.sum(axis=1) == 0.0] = other.counts
    shares: Floats = seen / seen.sum(axis=1, keepdims=True)
    return shares[ours]


def _strata(cases: Cases, other: Cases, by: tuple[str, ...]) -> tuple[Ints, Ints]:
    """Combination of values of each case and of each other one, as numbers."""
    columns = []
    for name in by:
        values = [_values(each, name) for each in (cases, other)]
        columns.append(np.unique(np.concatenate(values), return_inverse=True)[1].reshape(-1))
    if not columns:
        return np.zeros(len(cases), dtype=np.int64), np.zeros(len(other), dtype=np.int64)
    codes = np.unique(np.stack(columns, axis=1), axis=0, return_inverse=True)[1].reshape(-1).astype(np.int64)
    return codes[: len(cases)], codes[len(cases) :]


def _values(cases: Cases, name: str) -> Floats | np.ndarray[tuple[int], np.dtype[np.str_]]:
    """An attribute of the account of each case, texts as texts: levels are numbered by log."""
    known = [attribute.name for attribute in cases.features.set.attributes]
    if name not in known:
        hint = near(name, known) or "."
        raise OtherLogError(f"Accounts have no attribute {name!r}{hint} Known: {', '.join(known) or 'none'}.")
    values = cases.features.account[:, cases.features.set.account.index(name)]
    levels = cases.features.set.levels.get(name)
    if levels is None:
        return values
    texts = np.array(["", *levels])  # an unknown text is a group of its own
    return texts[np.where(values >= 0, values + 1, 0).astype(np.int64)]


def _model(cases: Cases, seed: int) -> Floats:
    """Reward net of cost by treatment, drawn towards that of all, from other accounts; shape (n, T)."""
    net = cases.reward - cases.cost[cases.action]
    folds, model = (
        folds_of(cases.account_ids, FOLDS, seed=seed),
        np.empty((len(cases), len(cases.treatments))),
    )
    alike = [""] * len(cases.treatments)
    for fold in np.unique(folds):
        own, others = folds == fold, folds != fold
        others = others if others.any() else own
        counts = np.bincount(cases.action[others], minlength=len(alike))
        sums = np.bincount(cases.action[others], weights=net[others], minlength=len(alike))
        some = np.maximum(counts, 1)
        variance = np.where(counts > 0, net[others].var() / some, np.inf)
        model[own] = pooled(sums / some, variance, alike, alike).effect
    return model


def _supported(target: Floats, assignment: Assignment) -> float:
    return float((target * assignment.comparable).sum() / len(target))


def _earned(other: Cases) -> Terms:
    return Terms(other.reward - other.cost[other.action], np.ones(len(other)))
