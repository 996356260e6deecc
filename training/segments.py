"""What works for whom: the effect of treatments in each category of accounts, drawn towards their mean.

Whoever looks at many small groups finds some in which chance was kind. So every group of a treatment is told,
none is picked for its size, each is drawn towards the treatment's mean by as much as it is noise, and it is
said how many were compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from engine.clusters import Uncertainty
from engine.estimation import Interval, Terms
from engine.records import Floats
from training.balance import LEAST_IN_ARM, effect_terms
from training.cases import Cases
from training.evaluate import Judged

MOST_TREATMENTS = 4
MOST_LEVELS = 8
LEAST_ACCOUNTS = 30


@dataclass(frozen=True)
class SegmentEffect:
    """What a treatment causes in one category of accounts, in currency per contact before cost.

    Attributes:
        accounts: In this category, among those that could have had the treatment or no contact.
        own: Mean and standard error of this category alone.
        shrunk: The same drawn towards the treatment's mean, with its 95 % interval.
        enough_persons: Whether those who serve this category, and those of it who were given the treatment,
            are enough for an interval by person, or none is needed. Else nothing can be told from chance:
            intervals by account are too narrow.
    """

    treatment: str
    attribute: str
    level: str
    accounts: int
    own: tuple[float, float]
    shrunk: Interval
    enough_persons: bool = True

    @property
    def certain(self) -> bool:
        """Whether it is more, or less, than chance explains."""
        return self.enough_persons and (self.shrunk.low > 0.0 or self.shrunk.high < 0.0)


def segment_effects(judged: Judged, chosen: str, uncertainty: Uncertainty) -> tuple[SegmentEffect, ...]:
    """Of the treatments that the chosen policy uses most, in all categories with enough accounts, enough of
    them given it and enough left alone.

    Args:
        judged: The policies on held-out accounts.
        chosen: The learner of the release.
        uncertainty: Of the same cases.
    """
    cases, used = judged.cases, judged.targets[chosen].mean(axis=0)
    order = [int(place) for place in np.argsort(-used, kind="stable") if place > 0 and used[place] > 0.0]
    found: list[SegmentEffect] = []
    for place in order[:MOST_TREATMENTS]:
        terms = effect_terms(cases, judged.assignment, judged.model, place)
        if terms is not None:
            found += _of_treatment(cases, terms, place, uncertainty)
    return tuple(found)


def _of_treatment(cases: Cases, terms: Terms, index: int, uncertainty: Uncertainty) -> list[SegmentEffect]:
    overall, account = uncertainty.interval(terms), uncertainty.accounts.cluster
    counted, found = terms.denominator > 0.0, []
    arms = [counted & (cases.action == arm) for arm in (0, index)]
    for attribute in cases.features.set.attributes:
        levels = attribute.levels
        if levels is None or not 2 <= len(levels) <= MOST_LEVELS:
            continue
        codes = cases.features.account[:, cases.features.set.account.index(attribute.name)]
        rows = [(codes == code) & counted for code in range(len(levels))]
        sizes = [len(np.unique(account[own])) for own in rows]
        kept = [
            place
            for place, size in enumerate(sizes)
            if size >= LEAST_ACCOUNTS
            and all(len(np.unique(account[rows[place] & arm])) >= LEAST_IN_ARM for arm in arms)
        ]
        sure = [uncertainty.among(rows[place]) for place in kept]
        own = [each.interval(terms.among(rows[place])) for each, place in zip(sure, kept, strict=True)]
        for place, each, alone, drawn in zip(kept, sure, own, shrink(own, overall), strict=True):
            found.append(
                SegmentEffect(
                    cases.treatments[index], attribute.name, levels[place], sizes[place],
                    (alone.estimate, alone.standard_error), drawn,
                    each.enough_persons and uncertainty.enough_for(rows[place] & arms[1]),
                )
            )  # fmt: skip
    return found


def shrink(own: Sequence[Interval], overall: Interval) -> list[Interval]:
    """Estimates drawn towards the overall mean by as much as they are noise.

    With variance v_g within and t between groups (method of moments, 0 where groups differ no more than
    chance makes them; of one group, by how far it is from the mean of all), a group keeps the share
    b = t / (t + v_g) of its own; the variance is b v_g plus (1 - b)^2 times that of the mean, plus what is
    not known of b where it is told from few groups: 2 / (groups - 1) times the square of how far the group
    was drawn. Half widths of intervals go the same way, so that what few accounts or persons make them wider
    by stays.

    Args:
        own: Of each group.
        overall: Of all.

    Source:
        DerSimonian and Laird (1986), Meta-analysis in clinical trials; Efron and Morris (1975); the last part
        Morris (1983), Parametric Empirical Bayes Inference: Theory and Applications.
    """
    if not own:
        return []
    values = np.array([each.estimate for each in own])
    errors = np.maximum([each.standard_error for each in own], 1e-12)
    between = _between(values, errors) if len(own) > 1 else _beyond(own[0], overall)
    keeps = between / (between + errors**2)
    drawn = keeps * values + (1.0 - keeps) * overall.estimate
    moved, halves = drawn - values, np.array([each.half_width for each in own])
    spread = _mixed(keeps, errors, overall.standard_error, moved)
    reach = _mixed(keeps, halves, overall.half_width, moved * halves / errors)
    return [
        Interval(float(d), float(d - half), float(d + half), float(s))
        for d, half, s in zip(drawn, reach, spread, strict=True)
    ]


def _mixed(keeps: Floats, own: Floats, overall: float, moved: Floats) -> Floats:
    unknown = 2.0 / max(len(own) - 1, 1) * moved**2
    mixed: Floats = np.sqrt(keeps * own**2 + (1.0 - keeps) ** 2 * overall**2 + unknown)
    return mixed


def _beyond(one: Interval, overall: Interval) -> float:
    """The same of one group beside all: the square of what sets them apart beyond both errors."""
    noise = one.standard_error**2 + overall.standard_error**2
    return max((one.estimate - overall.estimate) ** 2 - noise, 0.0)


def _between(values: Floats, errors: Floats) -> float:
    """Variance between groups by the method of moments, not below 0."""
    weights = 1.0 / errors**2
    mean = float((weights * values).sum() / weights.sum())
    scale = float(weights.sum() - (weights**2).sum() / weights.sum())
    excess = float((weights * (values - mean) ** 2).sum()) - (len(values) - 1)
    return max(excess / scale, 0.0) if scale > 0.0 else 0.0
