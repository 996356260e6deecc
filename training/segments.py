"""What works for whom: the effect of treatments in each category of accounts, drawn towards their mean.

Whoever looks at many small groups finds some in which chance was kind. So every group of a treatment is told,
none is picked for its size, each is drawn towards the treatment's mean by as much as it is noise, and it is
said how many were compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from engine.estimation import Interval, Terms
from engine.records import Bools, Floats, Ints
from training.balance import effect_terms
from training.cases import Cases
from training.evaluate import Judged
from training.persons import clusters_of_persons
from training.splits import clusters_of

MOST_TREATMENTS = 4
MOST_LEVELS = 8
LEAST_ACCOUNTS = 30
_SURE = 1.959964


@dataclass(frozen=True)
class SegmentEffect:
    """What a treatment causes in one category of accounts, in currency per contact before cost.

    Attributes:
        accounts: In this category, among those that could have had the treatment or no contact.
        own: Mean and standard error of this category alone.
        shrunk: The same drawn towards the treatment's mean, with its 95 % interval.
    """

    treatment: str
    attribute: str
    level: str
    accounts: int
    own: tuple[float, float]
    shrunk: Interval


def segment_effects(judged: Judged, chosen: str) -> tuple[SegmentEffect, ...]:
    """Of the treatments that the chosen policy uses most, in all categories with enough accounts.

    Args:
        judged: The policies on held-out accounts.
        chosen: The learner of the release.
    """
    cases, used = judged.cases, judged.targets[chosen].mean(axis=0)
    order = [int(place) for place in np.argsort(-used, kind="stable") if place > 0 and used[place] > 0.0]
    found: list[SegmentEffect] = []
    for place in order[:MOST_TREATMENTS]:
        terms = effect_terms(cases, judged.assignment, judged.model, place)
        if terms is not None:
            found += _of_treatment(cases, terms, cases.treatments[place])
    return tuple(found)


def _of_treatment(cases: Cases, terms: Terms, treatment: str) -> list[SegmentEffect]:
    clusters = [clusters_of(cases.account_ids)]
    if (cases.person != "").any():
        clusters.append(clusters_of_persons(cases.person, cases.account_ids))
    overall = _estimate(terms, np.ones(len(cases), dtype=np.bool_), clusters)
    found = []
    for attribute in cases.features.set.attributes:
        levels = attribute.levels
        if levels is None or not 2 <= len(levels) <= MOST_LEVELS:
            continue
        codes = cases.features.account[:, cases.features.set.account.index(attribute.name)]
        rows = [(codes == code) & (terms.denominator > 0.0) for code in range(len(levels))]
        sizes = [len(set(clusters[0][own])) for own in rows]
        kept = [place for place, size in enumerate(sizes) if size >= LEAST_ACCOUNTS]
        own = [_estimate(terms, rows[place], clusters) for place in kept]
        for place, alone, drawn in zip(kept, own, shrink(own, overall), strict=True):
            found.append(SegmentEffect(treatment, attribute.name, levels[place], sizes[place], alone, drawn))
    return found


def _estimate(terms: Terms, rows: Bools, clusters: Sequence[Ints]) -> tuple[float, float]:
    """Ratio of sums over these rows and its standard error, by account or person, the larger one.

    Source:
        Liang and Zeger (1986), Longitudinal data analysis using generalized linear models (sandwich).
    """
    above, below = terms.numerator[rows], terms.denominator[rows]
    value = float(above.sum() / below.sum())
    influence = (above - value * below) / below.sum()
    errors = [float(np.sqrt((np.bincount(each[rows], weights=influence) ** 2).sum())) for each in clusters]
    return value, max(errors)


def shrink(own: Sequence[tuple[float, float]], overall: tuple[float, float]) -> list[Interval]:
    """Estimates drawn towards the overall mean by as much as they are noise.

    With variance v_g within and t between groups (method of moments, 0 where groups differ no more than
    chance makes them), a group keeps the share b = t / (t + v_g) of its own; the variance is b v_g plus
    (1 - b)^2 times that of the mean.

    Args:
        own: (estimate, standard error) of each group.
        overall: The same of all.

    Source:
        DerSimonian and Laird (1986), Meta-analysis in clinical trials; Efron and Morris (1975).
    """
    if not own:
        return []
    values, errors = np.array(own).T
    between = _between(values, np.maximum(errors, 1e-12))
    keeps = between / (between + np.maximum(errors, 1e-12) ** 2)
    mean, error = overall
    drawn = keeps * values + (1.0 - keeps) * mean
    spread = np.sqrt(keeps * errors**2 + (1.0 - keeps) ** 2 * error**2)
    return [
        Interval(float(d), float(d - _SURE * s), float(d + _SURE * s), float(s))
        for d, s in zip(drawn, spread, strict=True)
    ]


def _between(values: Floats, errors: Floats) -> float:
    """Variance between groups by the method of moments, not below 0."""
    weights = 1.0 / errors**2
    mean = float((weights * values).sum() / weights.sum())
    scale = float(weights.sum() - (weights**2).sum() / weights.sum())
    excess = float((weights * (values - mean) ** 2).sum()) - (len(values) - 1)
    return max(excess / scale, 0.0) if scale > 0.0 else 0.0
