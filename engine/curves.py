"""What a policy gains by contacting first those of whom it expects most, and whether it expects rightly.

With many treatments a policy says two things of every decision: which treatment, and what it is expected to
gain beyond no contact. The gain itself is seen only in expectation: `gain` is the doubly robust score of the
policy minus that of no contact, one number per decision, right on average and noisy for each.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine import numerics
from engine.estimation import EstimationError, Terms
from engine.records import Floats, Ints

POINTS = 21


@dataclass(frozen=True)
class UpliftCurve:
    """Gain per decision when the share with the highest expected gain is treated as the policy says.

    Attributes:
        share: Treated share, from 0 to 1; shape (k,).
        gain: Of the policy beyond contacting nobody, per decision of all, in currency; shape (k,).
        random: The same when as many are treated in random order: a straight line; shape (k,).
    """

    share: Floats
    gain: Floats
    random: Floats


def uplift_curve(expected: Floats, gain: Floats, *, points: int = POINTS) -> UpliftCurve:
    """The uplift curve for many treatments.

    gain(s) = 1/n sum over the s n decisions with the highest expected gain of `gain`; ties share theirs
    equally, between points it is linear.

    Args:
        expected: Of the policy's choice beyond no contact, net of cost, in currency; shape (n,).
        gain: Doubly robust score of the policy minus that of no contact; shape (n,).
        points: On the curve.

    Source:
        Radcliffe (2007), Using control groups to target on predicted lift; Zhao, Fang and Simchi-Levi (2017),
        Uplift modeling with multiple treatments and general response types.
    """
    n = _checked(expected, gain)
    order = np.argsort(-expected, kind="stable")
    evened = _shared_by_ties(expected, gain)[order]
    running = np.empty(n + 1)
    running[0] = 0.0
    for place in range(n):
        running[place + 1] = running[place] + evened[place]
    share = np.linspace(0.0, 1.0, points)
    curve = np.interp(share * n, np.arange(n + 1), running) / n
    return UpliftCurve(share, curve, share * float(curve[-1]))


def qini_terms(expected: Floats, gain: Floats) -> Terms:
    """Area between the uplift curve and the straight line of random order, per decision, in currency.

    1/n sum of (1/2 - rank) x (gain - mean gain), rank in (0, 1) being the middle rank of the expected
    gain, highest first: a rank-weighted average effect. 0 where all are expected to gain alike; at most
    half the gain of treating the better half.

    Args:
        expected, gain: As for `uplift_curve`.

    Source:
        Radcliffe (2007); Yadlowsky, Fleming, Shah, Brunskill and Wager (2025), Evaluating Treatment
        Prioritization Rules via Rank-Weighted Average Treatment Effects.
    """
    n = _checked(expected, gain)
    apart = gain - numerics.mean(gain)  # adds nothing to the sum, but to what resampling takes for noise
    return Terms((0.5 - _middle_ranks(expected)) * apart, np.ones(n))


def calibration_terms(expected: Floats, gain: Floats) -> Terms:
    """Slope of the gain that came over the gain that was expected, on the policy's own choices.

    sum (e - mean e) (gain - mean gain) / sum (e - mean e)^2: 1 = differences are as large as expected, below
    1 = they are exaggerated, 0 = they mean nothing. NaN where all are expected to gain alike.

    Args:
        expected, gain: As for `uplift_curve`, of the decisions that the policy would treat.

    Source:
        Chernozhukov, Demirer, Duflo and Fernandez-Val (2018), Generic Machine Learning Inference on
        Heterogeneous Treatment Effects (best linear predictor).
    """
    _checked(expected, gain)
    apart = expected - numerics.mean(expected)
    return Terms(apart * (gain - numerics.mean(gain)), apart * apart)


def _checked(expected: Floats, gain: Floats) -> int:
    if len(expected) != len(gain) or not len(gain):
        raise EstimationError(f"Got {len(expected)} expected gains and {len(gain)} gains, need one each.")
    return len(gain)


def _ties(expected: Floats) -> tuple[Ints, Ints]:
    """Number of each decision's group of equal expectations, highest first, and the sizes of the groups."""
    _, group, sizes = np.unique(-expected, return_inverse=True, return_counts=True)
    return group.astype(np.int64).reshape(-1), sizes.astype(np.int64)


def _middle_ranks(expected: Floats) -> Floats:
    group, sizes = _ties(expected)
    ends = np.empty(len(sizes))
    reached = 0
    for place, size in enumerate(sizes):
        ends[place] = reached + size / 2.0
        reached += int(size)
    return ends[group] / len(expected)


def _shared_by_ties(expected: Floats, gain: Floats) -> Floats:
    group, sizes = _ties(expected)
    together = np.zeros(len(sizes))
    for row, place in enumerate(group):
        together[place] = together[place] + gain[row]
    return (together / sizes)[group]
