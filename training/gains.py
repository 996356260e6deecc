"""What a learner's policy gains beyond contacting nobody: whom first, and whether as much as it expects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from engine.clusters import Uncertainty
from engine.curves import UpliftCurve, calibration_terms, qini_terms, uplift_curve
from engine.estimation import Interval, Terms
from engine.records import Floats, Ints

TENTHS = 10


@dataclass(frozen=True)
class Decile:
    """Expected beside observed gain for a tenth of the policy's own choices, by what was expected of them.

    Attributes:
        expected: Mean predicted gain beyond no contact, net of cost, in currency.
        observed: Doubly robust mean of the gain that came, with its 95 % interval.
        decisions: How many.
    """

    expected: float
    observed: Interval
    decisions: int


@dataclass(frozen=True)
class Gains:
    """Gains of one policy on held-out decisions, in currency per decision.

    Attributes:
        curve: When those with the highest expected gain are contacted first.
        area: Between that curve and random order (Qini).
        slope: Of the gain that came over the gain expected, on decisions that it would treat; None = it
            expects the same of all of them.
        tenths: Calibration on the policy's own choices; one group where it expects the same of all of them.
    """

    curve: UpliftCurve
    area: Interval
    slope: Interval | None
    tenths: tuple[Decile, ...]

    def as_json(self) -> dict[str, Any]:
        """For the manifest."""
        return {
            "area": asdict(self.area),
            "slope": None if self.slope is None else asdict(self.slope),
            "shares": self.curve.share.tolist(),
            "gain": self.curve.gain.tolist(),
            "tenths": [asdict(tenth) for tenth in self.tenths],
        }


def gains_of(expected: Floats, gain: Floats, treated: Ints, uncertainty: Uncertainty) -> Gains:
    """Gains of a policy.

    Args:
        expected: Predicted gain of its choices, 0 where it leaves alone; shape (n,).
        gain: Doubly robust score of the policy minus that of no contact; shape (n,).
        treated: The rows in which it contacts somebody.
        uncertainty: Of these decisions.
    """
    slope, groups = None, 1
    if len(treated) and np.ptp(expected[treated]) > 0.0:
        own = calibration_terms(expected[treated], gain[treated])
        slope, groups = uncertainty.interval(_at(treated, own, len(gain))), TENTHS
    order = treated[np.argsort(expected[treated], kind="stable")]
    tenths = tuple(
        Decile(float(expected[part].mean()), uncertainty.interval(_mean(part, gain)), len(part))
        for part in np.array_split(order, groups)
        if len(part)
    )
    area = uncertainty.interval(qini_terms(expected, gain))
    return Gains(uplift_curve(expected, gain), area, slope, tenths)


def _mean(rows: Ints, gain: Floats) -> Terms:
    return _at(rows, Terms(gain[rows], np.ones(len(rows))), len(gain))


def _at(rows: Ints, own: Terms, n: int) -> Terms:
    """Terms of some rows as terms of all n."""
    numerator, denominator = np.zeros(n), np.zeros(n)
    numerator[rows], denominator[rows] = own.numerator, own.denominator
    return Terms(numerator, denominator)


def all_json(gains: Mapping[str, Gains]) -> dict[str, Any]:
    """Learner -> its gains, for the manifest."""
    return {name: each.as_json() for name, each in gains.items()}
