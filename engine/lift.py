"""What the arms of a standing test differ by, with intervals by unit, and what a test can see before it runs.

A unit is what was assigned as a whole: an account, or all accounts of a person or a territory. Everything
is counted by unit, so what the accounts of one person share is no evidence twice.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine import numerics
from engine.estimation import Interval
from engine.numerics import compiled
from engine.records import Bools, EngineError, Floats, Ints

FEW_UNITS = 30
"""With fewer units in an arm, what chance alone would do is counted out instead of assumed to be normal."""
DRAWS = 999
"""Assignments that are drawn for that, beside the one that was."""
LEAST_WAYS = 25
"""Of assigning units anew; with fewer the chance of even the largest difference is not surely below 5 %."""
POWER = 0.8
"""Share of tests that find what is planned for."""
LARGEST_EFFECT = 1e3
"""Beyond it a lift counts as never seen."""


@dataclass(frozen=True)
class Units:
    """Units of a test, G of them.

    Attributes:
        worth: Of their outcomes in the time that is looked at, in currency; shape (G,).
        accounts: How many each has, at least 1; shape (G,).
        arm: Index into `ARMS`, or -1; shape (G,).
    """

    worth: Floats
    accounts: Ints
    arm: Ints

    def of(self, arm: int) -> Units:
        """Those of one arm."""
        rows = self.arm == arm
        return Units(self.worth[rows], self.accounts[rows], self.arm[rows])

    def __len__(self) -> int:
        return len(self.worth)


@dataclass(frozen=True)
class Mean:
    """Worth per account of some units, in currency.

    Attributes:
        value: The ratio of their totals.
        rest: Sum over units of (worth - value x accounts)^2, in currency squared.
        per: What the variance of one such rest is multiplied by to be that of the value, linearised by unit:
            units / accounts^2.
        units: How many.

    Source:
        Cochran (1977), Sampling Techniques, section 6.3: the ratio estimator of cluster samples.
    """

    value: float
    rest: float
    per: float
    units: int

    @classmethod
    def of(cls, units: Units) -> Mean:
        """Of at least one unit."""
        accounts = float(units.accounts.sum())  # counts
        value = numerics.total(units.worth) / accounts
        rest = units.worth - value * units.accounts
        return cls(value, numerics.total(rest * rest), len(units) / accounts**2, len(units))


@dataclass(frozen=True)
class Lift:
    """One arm beside another.

    Attributes:
        mean, against: Worth per account of each.
        difference: mean - against, in currency per account.
        relative: The lift, (mean - against) / against; no unit; NaN where `against` is not positive.
        chance: Probability of such a difference, or a larger one, if the arms did the same.
        randomised: Whether interval and chance come from drawn assignments (few units).
    """

    mean: Mean
    against: Mean
    difference: Interval
    relative: Interval
    chance: float
    randomised: bool


def lift(units: Units, arm: int, against: int, *, beyond: float = 0.05, seed: int = 0) -> Lift:
    """Hold one arm against another, with intervals of all that chance explains.

    From 30 units in both arms on: Student's t with what varies between the units of both arms taken together,
    as drawing the arms anew would vary it. Each arm's own spread would not do: of amounts with heavy tails a
    small arm that drew no large one has a low mean and a small error at once, and the other seems to bring
    more in a fifth of all tests without an effect. With fewer: by all differences that, taken away again,
    leave a result that drawing the arms anew gives in more than 5 % of draws; an end that no draw bounds is
    infinite.

    Args:
        beyond: Chance up to which a difference is taken for one: 1 less the level of the intervals.

    Raises:
        EngineError: An arm has fewer than two units.

    Source:
        Pitman (1937), Significance Tests Which May Be Applied to Samples from Any Populations; Fieller
        (1954), Some Problems in Interval Estimation, for the ratio; Fisher (1935), The Design of Experiments,
        and Ho and Imai (2006), Randomization Inference with Natural Experiments, for few units.
    """
    own, other = units.of(arm), units.of(against)
    if min(len(own), len(other)) < 2:
        raise EngineError("An arm has fewer than two units: nothing can be compared.")
    mean, base = Mean.of(own), Mean.of(other)
    freedom = float(mean.units + base.units - 2)
    apart = mean.value - base.value
    error = math.sqrt((mean.rest + base.rest) / freedom * (mean.per + base.per))
    level = 1.0 - beyond
    if min(len(own), len(other)) < FEW_UNITS:
        low, high, chance = _drawn(own, other, apart, error, beyond=beyond, seed=seed)
        difference = Interval(apart, low, high, error, level)
        return Lift(mean, base, difference, _in_shares(difference, base), chance, randomised=True)
    t = _student(freedom, _normal_quantile(beyond / 2.0))
    difference = Interval(apart, apart - t * error, apart + t * error, error, level)
    chance = min(1.0, 2.0 * float(numerics.normal_tail_one(_as_normal(apart, error, freedom))))
    return Lift(mean, base, difference, _ratio(mean, base, freedom, t, level), chance, randomised=False)


def _ratio(mean: Mean, base: Mean, freedom: float, t: float, level: float) -> Interval:
    """The lifts that, divided out of the arm again, leave no more than chance explains: what is worth more
    also varies more. It holds 0 where the interval of the difference does; an end that nothing bounds,
    because the other arm's mean may be nothing, is infinite."""
    if not base.value > 0.0:
        return Interval(math.nan, math.nan, math.nan, math.nan, level)
    share, scale = mean.value / base.value, (mean.per + base.per) / freedom
    error = math.sqrt(scale * (mean.rest + share * share * base.rest)) / base.value
    bounds = base.value**2 - t * t * scale * base.rest
    above, both = mean.value**2 - t * t * scale * mean.rest, mean.value * base.value
    root = both * both - bounds * above
    if not root >= 0.0 or (bounds <= 0.0 and both <= 0.0):
        return Interval(share - 1.0, -math.inf, math.inf, error, level)
    reach = math.sqrt(root)
    low = (both - reach) / bounds if bounds > 0.0 else above / (both + reach)
    high = (both + reach) / bounds if bounds > 0.0 else math.inf
    return Interval(share - 1.0, low - 1.0, high - 1.0, error, level)


def _in_shares(difference: Interval, base: Mean) -> Interval:
    """As shares of what the other arm had; its own uncertainty is in the difference alone."""
    if not base.value > 0.0:
        return Interval(math.nan, math.nan, math.nan, math.nan)
    ends = (difference.estimate, difference.low, difference.high, difference.standard_error)
    estimate, low, high, error = (end / base.value for end in ends)
    return Interval(estimate, low, high, error, difference.level)


def _student(freedom: float, z: float) -> float:
    """The quantile of Student's t where the normal one is z; for .975 within 0.2 % from 5 degrees on.

    Source:
        Abramowitz and Stegun (1964), 26.7.5.
    """
    first = (z**3 + z) / 4.0
    second = (5.0 * z**5 + 16.0 * z**3 + 3.0 * z) / 96.0
    third = (3.0 * z**7 + 19.0 * z**5 + 17.0 * z**3 - 15.0 * z) / 384.0
    return z + first / freedom + second / freedom**2 + third / freedom**3


def _as_normal(apart: float, error: float, freedom: float) -> float:
    """A normal number as unlikely as that t value; no sign. Source: Abramowitz and Stegun (1964), 26.7.8."""
    if not error > 0.0:
        return math.inf if apart else 0.0
    t = abs(apart) / error
    return t * (1.0 - 1.0 / (4.0 * freedom)) / math.sqrt(1.0 + t * t / (2.0 * freedom))


def _drawn(
    own: Units, other: Units, apart: float, error: float, *, beyond: float, seed: int
) -> tuple[float, float, float]:
    """Interval and chance from assignments drawn anew, as many units in each arm as there are."""
    worth = np.concatenate([own.worth, other.worth])
    accounts = np.concatenate([own.accounts, other.accounts]).astype(np.float64)
    mine = np.arange(len(worth)) < len(own)
    generator = np.random.Generator(np.random.PCG64(seed))
    draws = generator.permuted(np.tile(mine, (DRAWS, 1)), axis=1)

    def chance(taken: float) -> float:
        return (1 + int(_as_far(worth - taken * accounts * mine, accounts, mine, draws))) / (DRAWS + 1)

    low, high = (_end(chance, apart, step, beyond) for step in (-error, error))
    return low, high, chance(0.0)


def _end(chance: Callable[[float], float], apart: float, error: float, beyond: float) -> float:
    """Where the chance falls to what is asked, going from the estimate into one direction."""
    outside = apart + 25.0 * error
    if not error or chance(outside) > beyond:
        return math.copysign(math.inf, error) if error else apart
    inside = apart
    for _ in range(40):
        between = (inside + outside) / 2.0
        inside, outside = (between, outside) if chance(between) > beyond else (inside, between)
    return inside


@compiled
def _ratio_apart(worth: Floats, accounts: Floats, mine: Bools) -> float:
    above, below, others, rest = 0.0, 0.0, 0.0, 0.0
    for g in range(worth.size):
        if mine[g]:
            above += worth[g]
            below += accounts[g]
        else:
            others += worth[g]
            rest += accounts[g]
    return above / below - others / rest


@compiled
def _as_far(worth: Floats, accounts: Floats, mine: Bools, draws: npt.NDArray[np.bool_]) -> int:
    """In how many draws the arms are at least as far apart as they are."""
    apart = abs(_ratio_apart(worth, accounts, mine))
    found = 0
    for b in range(draws.shape[0]):
        if abs(_ratio_apart(worth, accounts, draws[b])) >= apart * (1.0 - 1e-12):
            found += 1
    return found


def mismatch(units: Units, shares: Mapping[int, float]) -> float:
    """Probability of counts of units as far from their shares as these, if all was assigned as planned.

    A very small one (below 0.001) says that units are missing or counted twice in some arm: then no
    comparison holds, whatever its interval.

    Args:
        shares: Arm -> its share of the units, in (0, 1]; those of all arms.

    Source:
        Pearson's chi-square; Fabijan et al. (2019), Diagnosing Sample Ratio Mismatch in Online Controlled
        Experiments.
    """
    counts = {arm: len(units.of(arm)) for arm, share in shares.items() if share > 0.0}
    every = sum(counts.values())  # counts
    if not every or len(counts) < 2:
        return 1.0
    parts = [(count - every * shares[arm]) ** 2 / (every * shares[arm]) for arm, count in counts.items()]
    return _chi_square_tail(numerics.added(parts), len(counts) - 1)


def _chi_square_tail(x: float, freedom: int) -> float:
    """P(chi-square > x), at least 1 degree of freedom. Source: Abramowitz and Stegun (1964), 26.4.4-5."""
    half = x / 2.0
    if freedom % 2:
        tail = 2.0 * float(numerics.normal_tail_one(math.sqrt(x)))
        term, n = float(numerics.exp_one(-half)) * math.sqrt(half) / (math.sqrt(math.pi) / 2.0), 1
    else:
        tail = float(numerics.exp_one(-half))
        term, n = tail * half, 2
    while n < freedom:
        tail = tail + term
        n += 2
        term = term * half / (n / 2.0)
    return min(1.0, tail)


@dataclass(frozen=True)
class Power:
    """What a test on such units can see.

    Attributes:
        effect: Smallest lift, a share of what the other arm has, that 80 % of such tests find by a 95 %
            interval; infinite where the units show nothing or are too few to.
        units: In the arm and in the one it is held against, as expected.
        design_effect: How many times as many accounts are needed because they are assigned by unit; at
            least 1, for that a few units happened to be more alike than their accounts promises nothing.
        correlation: Of the worth of two accounts of one unit (intra-class), about; 0 = none seen.
    """

    effect: float
    units: tuple[float, float]
    design_effect: float
    correlation: float


def power(units: Units, share: float, against: float, spread_within: float) -> Power:
    """What a test on units that behave as these did can see; the effect is taken to be the same share for
    all, and their worth to vary as it did.

    Args:
        units: As they were over as many weeks, without any test; arms do not matter.
        share, against: Of the units in the arm and in the one it is held against, in (0, 1].
        spread_within: Sum of (worth - mean)^2 over single accounts, in currency squared.

    Source:
        Bloom (1995), Minimum Detectable Effects, with both quantiles of Student's t; Hayes and Moulton
        (2017), Cluster Randomised Trials, chapter 7; Kish (1965) for the design effect.
    """
    count, accounts = len(units), float(units.accounts.sum())  # counts
    arms = (count * share, count * against)
    mean = numerics.total(units.worth) / accounts if accounts else 0.0
    if min(arms) < 2.0 or not mean > 0.0:
        return Power(math.inf, arms, 1.0, 0.0)
    rest = units.worth - mean * units.accounts
    spread, single = numerics.total(rest * rest) * count / (count - 1), 0.0
    if accounts > 1.0:
        single = spread_within * accounts / (accounts - 1.0)
    design = max(1.0, spread / single) if single > 0.0 else 1.0
    sizes = numerics.total((units.accounts * units.accounts).astype(np.float64)) / accounts
    correlation = (design - 1.0) / (sizes - 1.0) if sizes > 1.0 else 0.0
    of_a_unit = math.sqrt(max(spread, single) * count) / accounts / mean
    return Power(_detectable(of_a_unit, arms), arms, design, correlation)


def _level(arms: tuple[float, float]) -> float:
    """Chance up to which `lift` takes a difference for one: 5 %, of few units the step below; 1 = never."""
    if min(arms) >= FEW_UNITS:
        return 0.05
    own, other = (int(arm + 1e-9) for arm in arms)  # counts
    ways = math.comb(own + other, own) // (2 if own == other else 1)
    return (ways // 20) / ways if ways >= LEAST_WAYS else 1.0


def _normal_quantile(above: float) -> float:
    """What a normal number exceeds with this probability, below one half."""
    low, high = 0.0, 40.0
    for _ in range(60):
        middle = (low + high) / 2.0
        low, high = (middle, high) if float(numerics.normal_tail_one(middle)) > above else (low, middle)
    return high


def _detectable(spread: float, arms: tuple[float, float]) -> float:
    """The least effect that is found in 80 % of tests, as `lift` finds it: what is worth more varies more,
    and what units vary by is told from both arms together.

    Args:
        spread: Standard deviation between units, as a share of the mean.
        arms: G, H: units in the arm with the effect and in the other.
    """
    level = _level(arms)
    if level >= 1.0:
        return math.inf
    own, other = arms
    freedom = own + other - 2.0
    certain, found = (_student(freedom, _normal_quantile(each)) for each in (level / 2.0, 1.0 - POWER))

    def seen(effect: float) -> bool:
        grown = (1.0 + effect) ** 2
        together = (own * grown + other) / (own + other) * (1.0 / own + 1.0 / other)
        error = math.sqrt(grown / own + 1.0 / other)
        return effect >= spread * (certain * math.sqrt(together) + found * error)

    low, high = 0.0, 1.0
    while not seen(high):
        low, high = high, 2.0 * high
        if high > LARGEST_EFFECT:
            return math.inf
    for _ in range(60):
        middle = (low + high) / 2.0
        low, high = (low, middle) if seen(middle) else (middle, high)
    return high
