"""One page for a board: money a month, what it costs, what was not proven, who followed, the next test.

It says no more than the report, only in money and months, and nothing is on it that the report does not hold.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from engine.estimation import Interval
from engine.experiments import OUTSIDE
from engine.lift import Units, power
from engine.records import DAY_MICROS, Floats
from training.cases import Cases
from training.evaluate import (
    AS_LOGGED,
    Evaluation,
    PolicyValue,
    claims_gain,
    nobody_judged,
    strength_sentence,
)

MONTH_DAYS = 30.4375
SHARES = (0.05, 0.1, 0.2, 0.5)
"""Of accounts in a control group that the next test is reckoned for."""


@dataclass(frozen=True)
class Line:
    """A sum a month with its interval, and whether it is more than chance explains."""

    label: str
    month: Interval

    @property
    def certain(self) -> bool:
        """Whether the interval leaves no doubt about the sign."""
        return self.month.low > 0.0 or self.month.high < 0.0


@dataclass(frozen=True)
class Cost:
    """What contacts cost a month: currency and hours of people."""

    label: str
    money: float
    hours: float


@dataclass(frozen=True)
class Followers:
    """How many of the suggestions to a role were carried out, of those of which it is known."""

    role: str
    followed: int
    known: int

    @property
    def share(self) -> float:
        """Of those that are known."""
        return self.followed / self.known


@dataclass(frozen=True)
class Power:
    """With this share of the accounts left to themselves, the least difference that would be seen.

    Attributes:
        control: Accounts in the control group.
        detectable: As a share of what an account brings.
    """

    share: float
    control: int
    detectable: float


@dataclass(frozen=True)
class Board:
    """Everything on the page."""

    verdict: str
    decisions_a_month: float
    money: tuple[Line, ...]
    costs: tuple[Cost, ...]
    followers: tuple[Followers, ...]
    unproven: tuple[str, ...]
    power: tuple[Power, ...]
    test: str


def board_of(cases: Cases, evaluation: Evaluation, chosen: str, *, warnings: Sequence[str] = ()) -> Board:
    """The page of a training run.

    Args:
        cases: All that was learned from.
        evaluation: On held-out accounts.
        chosen: The learner of the release.
        warnings: What else a board must know: failed checks and warnings of the gate, columns like leaks.
    """
    value, monthly = evaluation.of(chosen), decisions_a_month(cases)
    reached = powers(cases)
    return Board(
        _verdict(evaluation, chosen, monthly, cases.playbook.currency),
        monthly,
        _money(evaluation, value, monthly),
        _costs(cases, evaluation.of(AS_LOGGED), value, monthly),
        followers(cases),
        (*_unproven(cases, evaluation, chosen), *warnings),
        reached,
        _test(evaluation, value, reached),
    )


def decisions_a_month(cases: Cases) -> float:
    """How many decisions fell due in a month of the time that was learned from."""
    days = float(np.ptp(cases.as_of)) / DAY_MICROS if len(cases) else 0.0
    return len(cases) / max(days, MONTH_DAYS) * MONTH_DAYS


def followers(cases: Cases) -> tuple[Followers, ...]:
    """By role in the playbook's order; roles of which nothing is known are left out."""
    carried = np.array([treatment.role for treatment in cases.playbook.treatments], dtype=object)[
        cases.action
    ]
    known = ~np.isnan(cases.followed)
    found = []
    for role in cases.playbook.roles:
        own = known & (carried == role.id)
        if own.any():
            found.append(Followers(role.id, int(cases.followed[own].sum()), int(own.sum())))
    return tuple(found)


def powers(cases: Cases) -> tuple[Power, ...]:
    """The least differences that tests on these accounts would show, by the size of the control group.

    The figure of `nextbest experiment power`, with accounts as units and what an account brings within one
    horizon. What it brings in several horizons is taken to hang together fully, so a longer test counts for
    no more: a careful figure.

    Source:
        See `engine.lift.power`.
    """
    brought = _newest(cases)
    if len(brought) < 2:
        return ()
    ones = np.ones(len(brought), dtype=np.int64)
    units = Units(brought, ones, np.full(len(brought), OUTSIDE, dtype=np.int64))
    rest = brought - brought.mean()
    found = [(share, power(units, 1.0 - share, share, float((rest * rest).sum()))) for share in SHARES]
    return tuple(
        Power(share, round(each.units[1]), each.effect) for share, each in found if math.isfinite(each.effect)
    )


def _newest(cases: Cases) -> Floats:
    """What each account brought after its newest occasion."""
    order = np.argsort(cases.as_of, kind="stable")
    last = {cases.account_ids[row]: row for row in order}
    return cases.reward[np.array(sorted(last.values()), dtype=np.int64)]


def _times(interval: Interval, factor: float) -> Interval:
    return Interval(
        interval.estimate * factor, interval.low * factor, interval.high * factor,
        interval.standard_error * factor, interval.level,
    )  # fmt: skip


def _money(evaluation: Evaluation, value: PolicyValue, monthly: float) -> tuple[Line, ...]:
    gaps = [
        ("beyond what was done", value.versus_logged),
        ("beyond the best single action for all", value.versus_fixed),
        ("beyond contacting nobody", value.versus_nobody if nobody_judged(evaluation) else None),
    ]
    return tuple(Line(label, _times(gap, monthly)) for label, gap in gaps if gap is not None)


def _costs(cases: Cases, logged: PolicyValue, value: PolicyValue, monthly: float) -> tuple[Cost, ...]:
    by_id = {treatment.id: treatment for treatment in cases.playbook.treatments}
    found = []
    for label, mix in (("what was done", logged.mix), ("what it would do", value.mix)):
        money = sum(share * by_id[name].cost for name, share in mix.items())
        minutes = sum(share * by_id[name].minutes for name, share in mix.items())
        found.append(Cost(label, money * monthly, minutes * monthly / 60.0))
    return tuple(found)


def _verdict(evaluation: Evaluation, chosen: str, monthly: float, currency: str) -> str:
    value = evaluation.of(chosen)
    gain = _times(value.versus_logged, monthly)
    figures = (
        f"{currency} {gain.estimate:+,.0f} a month (95 % interval {gain.low:+,.0f} to {gain.high:+,.0f})"
    )
    if value.verdict.level in ("outside scope", "limited evidence") or gain.low <= 0.0:
        return f"Not proven: beyond what was done, it is estimated to bring {figures}."
    own = (
        "" if claims_gain(evaluation, chosen) else " That choosing for each account adds to it is not proven."
    )
    word = "Shown on past decisions" if value.verdict.level == "reliable" else "Indicated, not proven"
    return f"{word}: beyond what was done, it brings {figures}.{own}"


def _unproven(cases: Cases, evaluation: Evaluation, chosen: str) -> list[str]:
    value = evaluation.of(chosen)
    said = [
        "What following it for a year brings: every figure is for one decision, all else as it was. Only a "
        "control group shows the whole."
    ]
    if not claims_gain(evaluation, chosen):
        said.append("That choosing for each account earns more than one action for all.")
    if not nobody_judged(evaluation):
        said.append(
            "That it earns more than contacting nobody: accounts like these were hardly ever left alone."
        )
    if value.verdict.level != "reliable":
        said.append(f"The evidence is called {value.verdict.level}: {value.verdict.sentence}")
    if value.strength is not None or np.isnan(cases.probability).any():
        hidden = strength_sentence(value)
        said.append(
            "That nothing unrecorded explains part of it: how past contacts were chosen was estimated. "
            + hidden
        )
    rare = [name for name, n in zip(cases.treatments, cases.counts, strict=True) if 0 < n < 50]
    if rare:
        said.append(f"What these do, tried fewer than 50 times: {', '.join(rare)}.")
    return [sentence.strip() for sentence in said]


def _test(evaluation: Evaluation, value: PolicyValue, reached: Sequence[Power]) -> str:
    logged = evaluation.of(AS_LOGGED).doubly_robust.estimate
    if not reached or logged <= 0.0:
        return "What accounts bring is too little, or too few accounts are known, to plan a test."
    wanted = value.versus_logged.estimate / logged
    seen = [each for each in reached if each.detectable <= wanted]
    if wanted <= 0.0:
        return "No gain is expected, so there is none to test; a control group would still show harm."
    if not seen:
        return (
            f"The gain expected is {wanted:+.1%} of what an account brings. Even with half of the accounts "
            f"in a control group only {reached[-1].detectable:.1%} would be seen: more accounts are needed."
        )
    return (
        f"The gain expected is {wanted:+.1%} of what an account brings. A control group of "
        f"{seen[0].share:.0%} ({seen[0].control:,} accounts) would show it in 4 of 5 tests."
    )
