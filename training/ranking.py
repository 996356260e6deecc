"""How well it can be foretold of whom something will come: learned from earlier cases, seen in later ones.

A ranking by response propensity says who is likely to buy, not whom a contact makes buy; it never enters a
value. What it is worth shows on later cases only: the same cases drawn at random look like the ones learned
from, and every season, campaign and shortage of theirs is known already.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from engine.estimation import Interval
from engine.records import Bools, Floats, Ints
from training.boosting import Boosting, grow
from training.cases import Cases
from training.evaluate import finite, time_split

LEAST_OF_EACH = 50
"""Cases with and without an outcome that both sides of the split need."""
LEARNED_FROM = 100_000
"""Of the earlier cases at most; the newest are taken."""
TENTHS = 10
RESAMPLES = 200
NEWTON_STEPS = 6


@dataclass(frozen=True)
class Tenth:
    """A tenth of the later cases by what was expected: the share expected, the share that came, cases."""

    expected: float
    came: float
    cases: int


@dataclass(frozen=True)
class Ranking:
    """How later cases came out that were ranked by what earlier ones taught.

    Attributes:
        learned, judged: How many earlier and later cases.
        share_before, share_after: Of them, with an outcome.
        area: Area under the ROC curve: how often a case with an outcome is ranked above one without.
        slope: Of log odds: what came over what was expected; 1 is right, below 1 the ranking exaggerates.
        error: Expected calibration error: mean over tenths of |expected - came|, a share. Chance makes one
            where all probabilities are true; its interval reaches 0 where it is no larger than that.
        tenths: Least expected first.
    """

    learned: int
    judged: int
    share_before: float
    share_after: float
    area: Interval
    slope: Interval
    error: Interval
    tenths: tuple[Tenth, ...]

    @property
    def sentence(self) -> str:
        """For the report and the command."""
        return (
            f"Learned from {self.learned:,} earlier cases, {self.share_before:.1%} with an outcome, seen in "
            f"{self.judged:,} later ones, {self.share_after:.1%}: {self.figures}."
        )

    @property
    def figures(self) -> str:
        """Area, slope and error in words."""
        return (
            f"area under the curve {_text(self.area)}; calibration slope {_text(self.slope)}, mean error of "
            f"a tenth {_text(self.error)}"
        )

    def as_json(self) -> dict[str, Any]:
        """For the manifest; figures that are not numbers become null."""
        plain: dict[str, Any] = finite(asdict(self))
        return plain


def rank_by_time(cases: Cases, boosting: Boosting, *, seed: int) -> Ranking | None:
    """Learn P(an outcome within the horizon) from the earlier cases, and look at it on the later.

    Args:
        cases: Matured cases.
        boosting: Size of the forest.
        seed: Of the resamples.

    Returns:
        None = too few cases with or without an outcome on either side.
    """
    before, after = time_split(cases)
    before, came = before & cases.over(cases.as_of[after].min()), came_of(cases)
    if min(min(came[side].sum(), (~came[side]).sum()) for side in (before, after)) < LEAST_OF_EACH:
        return None
    earlier = np.flatnonzero(before)
    newest = earlier[np.argsort(cases.as_of[earlier], kind="stable")][-LEARNED_FROM:]
    learned = cases.take(newest)
    forest = grow(
        learned.features.row_matrix(learned.action), came[newest].astype(np.float64), cases.features.set,
        boosting, objective="binary",
    )  # fmt: skip
    later = cases.take(after)
    expected = np.asarray(forest.predict(later.features.row_matrix(later.action)))
    return judged(expected, came[after], later.account_ids, learned=came[newest], seed=seed)


def came_of(cases: Cases) -> Bools:
    """Whether anything came within the horizon; shape (n,)."""
    came: Bools = cases.within[:, 0] > 0.0  # the reward may hold what is expected of later days
    return came


def log_odds(probability: Floats) -> Floats:
    """Of probabilities, none of them certain; shape (n,)."""
    inside = np.clip(probability, 1e-6, 1.0 - 1e-6)
    odds: Floats = np.log(inside / (1.0 - inside))
    return odds


def judged(
    expected: Floats, came: Bools, account_ids: tuple[str, ...], *, learned: Bools, seed: int
) -> Ranking:
    """The figures of a ranking, with intervals by resampling whole accounts.

    Args:
        expected: Probability of an outcome, of cases that were not learned from; shape (n,).
        came: Whether there was one; shape (n,).
        account_ids: Whose case each is; n of them.
        learned: Whether there was one in each case learned from.
        seed: Of the resamples.

    Source:
        Area: Hanley and McNeil (1982), The meaning and use of the area under a receiver operating
        characteristic curve. Slope: Cox (1958), Two further applications of a model for binary regression.
        Error by tenths: Naeini, Cooper and Hauskrecht (2015), Obtaining Well Calibrated Probabilities Using
        Bayesian Binning. Resampling: Field and Welsh (2007), Bootstrapping Clustered Data. What chance makes
        of true probabilities: the idea of Bröcker and Smith (2007), Increasing the Reliability of Reliability
        Diagrams.
    """
    known, account = np.unique(np.array(account_ids, dtype=object).astype(str), return_inverse=True)
    looked = _Looked.at(expected, came)
    whole = looked.figures(np.ones(len(came)))
    draw = np.random.Generator(np.random.PCG64(seed))
    drawn = []
    for _ in range(RESAMPLES):
        times = np.bincount(draw.integers(0, len(known), len(known)), minlength=len(known))[account]
        drawn.append(looked.figures(times.astype(np.float64)))
    areas, slopes, aparts = zip(*drawn, strict=True)
    area, slope = _interval(whole[0], np.array(areas)), _interval(whole[1], np.array(slopes))
    error = _error(whole[2], np.array(aparts))
    tenth = looked.tenth
    tenths = tuple(
        Tenth(float(expected[own].mean()), float(came[own].mean()), int(own.sum()))
        for own in (tenth == number for number in range(TENTHS))
    )
    return Ranking(
        len(learned), len(came), float(learned.mean()), float(came.mean()), area, slope, error, tenths
    )


@dataclass(frozen=True)
class _Looked:
    """Later cases, laid out once for all resamples; shapes (n,).

    Attributes:
        expected, came: As given.
        place: Rank of what was expected, ties alike.
        tenth: Of the cases, by what was expected.
        odds: Log odds expected.
    """

    expected: Floats
    came: Bools
    place: Ints
    tenth: Ints
    odds: Floats

    @classmethod
    def at(cls, expected: Floats, came: Bools) -> _Looked:
        place = np.unique(expected, return_inverse=True)[1].reshape(-1).astype(np.int64)
        tenth = np.empty(len(expected), dtype=np.int64)
        tenth[np.argsort(expected, kind="stable")] = np.arange(len(expected)) * TENTHS // len(expected)
        return cls(expected, came, place, tenth, log_odds(expected))

    def figures(self, times: Floats) -> tuple[float, float, Floats]:
        """Area, slope, and what was expected less what came by tenth as a share of all cases, each case
        counted so many times."""
        return self._area(times), self._slope(times), self._apart(times)

    def _area(self, times: Floats) -> float:
        with_one = np.bincount(self.place, weights=times * self.came)
        without = np.bincount(self.place, weights=times * ~self.came)
        below = np.cumsum(without) - without
        pairs = with_one.sum() * without.sum()
        return float((with_one * (below + 0.5 * without)).sum() / pairs) if pairs > 0.0 else float("nan")

    def _slope(self, times: Floats) -> float:
        """Slope of the logistic regression of what came on the log odds expected, by Newton's method."""
        known = np.stack([np.ones(len(self.odds)), self.odds], axis=1)
        bent = np.array([0.0, 1.0])
        for _ in range(NEWTON_STEPS):
            likely = 1.0 / (1.0 + np.exp(-np.clip(known @ bent, -30.0, 30.0)))
            curve = (known * (times * likely * (1.0 - likely))[:, None]).T @ known
            if np.linalg.cond(curve) > 1e12:  # all was expected alike
                return float("nan")
            bent = bent + np.linalg.solve(curve, known.T @ (times * (self.came - likely)))
        return float(bent[1])

    def _apart(self, times: Floats) -> Floats:
        apart = np.bincount(self.tenth, weights=times * (self.expected - self.came), minlength=TENTHS)
        found: Floats = apart / times.sum()
        return found


def _interval(value: float, drawn: Floats) -> Interval:
    usable = np.sort(drawn[np.isfinite(drawn)])
    if len(usable) < 2:
        return Interval(value, float("nan"), float("nan"), float("nan"))
    cut = int(0.025 * len(usable))
    return Interval(value, float(usable[cut]), float(usable[-1 - cut]), float(usable.std(ddof=1)))


def _error(apart: Floats, drawn: Floats) -> Interval:
    """The sum over tenths of what is apart without its sign, from resamples of shape (B, TENTHS).

    Every resample adds chance of its own to what is there already, so errors of resamples lie above the one
    they are drawn from as this does above the true one: the interval is turned round it. It begins at 0 where
    chance alone, as far as resamples move tenths, makes as much in one of twenty.

    Source:
        The basic bootstrap interval: Davison and Hinkley (1997), section 5.2.
    """
    error, usual = float(np.abs(apart).sum()), np.sort(np.abs(drawn - apart).sum(axis=1))
    turned = _interval(error, np.abs(drawn).sum(axis=1))
    low, high = 2.0 * error - turned.high, 2.0 * error - turned.low
    if error <= usual[int(0.95 * len(usual))]:
        low = 0.0
    return Interval(error, min(max(low, 0.0), error), max(high, error), turned.standard_error)


def _text(interval: Interval) -> str:
    return f"{interval.estimate:.3f} ({interval.low:.3f} to {interval.high:.3f})"
