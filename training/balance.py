"""Whether accounts with a treatment and without it become alike by weighting, and what each effect rests on.

Before weighting, who was given a treatment differs from who could have had it: that is why a plain
comparison of means misleads. After weighting by inverse probabilities both should look the same, in what was
recorded.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.clusters import Uncertainty
from engine.estimation import Interval, Terms, effective_sample_size, mean_terms
from engine.records import Bools, Floats, Ints
from training.behaviour import Assignment, least_probability
from training.cases import Cases
from training.select import logged_of

BALANCED = 0.1
"""A standardised difference up to this is commonly taken for balance (Austin 2009)."""
LEAST_IN_ARM = 10
"""Accounts on each side without which resampling shows next to nothing of how they differ."""
LARGEST_DIFFERENCES = 5
LOOKED_AT = 100_000
"""Cases over which differences are computed, at most."""
MANY_LEVELS = 20
"""Texts with more levels than this, such as territories, are not compared level by level."""


@dataclass(frozen=True)
class Overlap:
    """How well the log can speak of one treatment.

    Attributes:
        treatment: Its id.
        cases: How many were given it.
        effective: Effective sample size of them, weighted by inverse probabilities.
        smallest: Smallest probability among them.
        comparable: Share of the cases in which it was eligible that could have had it at all.
        before, after: Largest standardised mean difference between those given it and all comparable cases,
            over what was known of accounts; no unit. NaN = nothing to compare.
        worst: The features that differ most after weighting, with before and after, worst first.
        effect: Doubly robust mean of what it causes among cases that could have had it and no contact,
            where probabilities were estimated by how well they could; worth in currency before cost; None =
            fewer than `LEAST_IN_ARM` accounts were given it there, or none.
        plain: Mean reward of those given it minus that of those left alone, as they are, among the same
            cases: what a table of means shows. None = there are none of either.
        apart: Why the two differ: features in which those given it differ most from those left alone, with
            standardised differences before weighting, largest first.
    """

    treatment: str
    cases: int
    effective: float
    smallest: float
    comparable: float
    before: float
    after: float
    worst: tuple[tuple[str, float, float], ...]
    effect: Interval | None
    plain: Interval | None = None
    apart: tuple[tuple[str, float], ...] = ()

    @property
    def judged(self) -> bool:
        """Whether anything can be said of it at all."""
        return self.effect is not None


def overlap(
    cases: Cases, assignment: Assignment, model: Floats, uncertainty: Uncertainty
) -> tuple[Overlap, ...]:
    """A row for each treatment with cases.

    Args:
        cases, assignment: Cases of accounts that the model has not seen.
        model: Reward net of cost expected of every treatment; shape (n, T).
        uncertainty: Resamples of those cases.

    Source:
        Standardised differences: Austin (2009), Balance diagnostics for comparing the distribution of
        baseline covariates between treatment groups in propensity-score matched samples.
    """
    looked = np.arange(0, len(cases), max(1, len(cases) // LOOKED_AT))
    names, known = _covariates(cases, looked)
    scale, weight = _spread(known), 1.0 / assignment.probability
    rows = []
    for index in np.flatnonzero(cases.counts):
        given = cases.action == index
        among = assignment.comparable[:, index]
        own = (given & among)[looked]
        before = _differences(known, own, among[looked], np.ones(len(looked)), scale)
        after = _differences(known, own, among[looked], weight[looked], scale)
        eligible = cases.eligible[:, index]
        inside = among & assignment.comparable[:, 0]
        treated, alone = inside & given, inside & (cases.action == 0)
        rows.append(
            Overlap(
                treatment=cases.treatments[index],
                cases=int(given.sum()),
                effective=effective_sample_size(weight[given]),
                smallest=float(assignment.probability[given].min()),
                comparable=float(among.sum() / max(eligible.sum(), 1)),
                before=_largest(before),
                after=_largest(after),
                worst=_worst(names, before, after),
                effect=None if index == 0 else _effect(cases, assignment, model, uncertainty, int(index)),
                plain=None if index == 0 else _plain(cases, treated, alone, uncertainty),
                apart=() if index == 0 else _apart(names, known, treated[looked], alone[looked], scale),
            )
        )
    return tuple(rows)


def _effect(
    cases: Cases, assignment: Assignment, model: Floats, uncertainty: Uncertainty, index: int
) -> Interval | None:
    terms = effect_terms(cases, assignment, model, index)
    inside = assignment.comparable[:, index] & assignment.comparable[:, 0]
    arms = (inside & (cases.action == arm) for arm in (index, 0))
    account = uncertainty.accounts.cluster
    if terms is None or any(len(np.unique(account[arm])) < LEAST_IN_ARM for arm in arms):
        return None
    return uncertainty.interval(terms)


def _plain(cases: Cases, treated: Bools, alone: Bools, uncertainty: Uncertainty) -> Interval | None:
    if not treated.any() or not alone.any():
        return None
    return uncertainty.difference(mean_terms(cases.reward, treated), mean_terms(cases.reward, alone))


def _apart(
    names: tuple[str, ...], known: Floats, treated: Bools, alone: Bools, scale: Floats
) -> tuple[tuple[str, float], ...]:
    if not treated.any() or not alone.any():
        return ()
    found = _differences(known, treated, alone, np.ones(len(known)), scale)
    size = np.where(np.isfinite(found), np.abs(found), 0.0)
    order = np.argsort(-size, kind="stable")[:LARGEST_DIFFERENCES]
    return tuple((names[i], float(found[i])) for i in order if size[i] > BALANCED)


def effect_terms(cases: Cases, assignment: Assignment, model: Floats, index: int) -> Terms | None:
    """Mean effect of a treatment, before its cost, among the cases that could have had it or no contact.

    With estimated probabilities a case counts by its overlap h = p p0 / (p + p0): sum over cases of
    h (q - q0) + [treated] p0 / (p + p0) (r - q) - [alone] p / (p + p0) (r - q0), over the sum of h, doubly
    robust. No case weighs more than 1, where 1 / p0 of an account that was hardly ever left alone weighs a
    hundred. With logged ones only that of the choice is known: cases count alike, with 1 / p.

    Source:
        Li, Morgan and Zaslavsky (2018), Balancing Covariates via Propensity Score Weighting; Li and Li
        (2019), Propensity score weighting for causal inference with multiple treatments.
    """
    inside = assignment.comparable[:, index] & assignment.comparable[:, 0]
    treated, alone = inside & (cases.action == index), inside & (cases.action == 0)
    if not treated.any() or not alone.any():
        return None
    logged = logged_of(cases, assignment)
    error = logged.reward - model[np.arange(len(cases)), cases.action]
    gain = model[:, index] + cases.cost[index] - model[:, 0]
    if assignment.logged or assignment.estimates is None:
        weight = inside.astype(np.float64)
        signed = (treated.astype(np.float64) - alone) / assignment.probability
    else:
        least = least_probability(cases.eligible)
        given, left = (np.maximum(assignment.estimates[:, arm], least) for arm in (index, 0))
        weight = inside * given * left / (given + left)
        signed = (treated * left - alone * given) / (given + left)
    return Terms(weight * gain + signed * error, weight, error, signed)


def _covariates(cases: Cases, rows: Ints) -> tuple[tuple[str, ...], Floats]:
    """What is compared: numbers as they are, texts as one column per level; names, shape (len(rows), A)."""
    known, levels = cases.features.account[rows], cases.features.set.levels
    names: list[str] = []
    columns: list[Floats] = []
    for place, name in enumerate(cases.features.set.account):
        own = levels.get(name)
        if own is None:
            names.append(name)
            columns.append(known[:, place])
        elif len(own) <= MANY_LEVELS:
            names += [f"{name} = {level}" for level in own]
            columns += [(known[:, place] == code).astype(np.float64) for code in range(len(own))]
    return tuple(names), np.stack(columns, axis=1)


def _spread(known: Floats) -> Floats:
    apart = np.where(np.isfinite(known), known, np.nan) - _mean(known)
    spread: Floats = np.sqrt(np.nan_to_num(_mean(apart**2)))
    return spread


def _mean(values: Floats, weight: Floats | None = None) -> Floats:
    """Column means of what is known; NaN where nothing is."""
    there = np.isfinite(values)
    weights = there * (1.0 if weight is None else weight[:, None])
    below = weights.sum(axis=0)
    above = (np.where(there, values, 0.0) * weights).sum(axis=0)
    mean: Floats = np.where(below > 0, above / np.where(below > 0, below, 1.0), np.nan)
    return mean


def _differences(known: Floats, given: Bools, among: Bools, weight: Floats, scale: Floats) -> Floats:
    """Standardised differences of weighted means; columns that do not vary are NaN; shape (A,)."""
    if not given.any():
        return np.full(known.shape[1], np.nan)
    apart = _mean(known[given], weight[given]) - _mean(known[among])
    return np.where(scale > 0, apart / np.where(scale > 0, scale, 1.0), np.nan)


def _largest(differences: Floats) -> float:
    sizes = np.abs(differences[np.isfinite(differences)])
    return float(sizes.max()) if len(sizes) else float("nan")


def _worst(names: tuple[str, ...], before: Floats, after: Floats) -> tuple[tuple[str, float, float], ...]:
    size = np.where(np.isfinite(after), np.abs(after), -1.0)
    order = np.argsort(-size, kind="stable")[:LARGEST_DIFFERENCES]
    return tuple((names[i], float(before[i]), float(after[i])) for i in order if size[i] >= 0.0)
