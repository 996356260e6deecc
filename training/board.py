"""One page for a board: money a month, what it costs, what was not proven, who followed, the next test.

It says no more than the report, only in money and months, and nothing is on it that the report does not hold.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from engine.estimation import Interval, effective_sample_size
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

BETWEEN = (
    "No decisions were logged, so moments were laid over the contacts, 14 days apart and after each enquiry. "
    "Money and costs are of the first contact within a week after each: what else was done is in neither, so "
    "all contacts together cost more than this."
)
"""Of landmarks, whose contacts are not all that were made."""


@dataclass(frozen=True)
class Line:
    """A sum a month with its interval, and whether it is more than chance explains.

    Attributes:
        month: In currency.
        certain: Whether neither interval nor verdict leaves a doubt about the sign: never more than the
            page's verdict says.
    """

    label: str
    month: Interval
    certain: bool

    @property
    def word(self) -> str:
        """The same in words."""
        if self.certain:
            return "more than chance"
        if self.month.low == self.month.high == 0.0:
            return "the same"
        return "chance may explain it" if self.month.low <= 0.0 <= self.month.high else "not proven"


@dataclass(frozen=True)
class Cost:
    """What contacts cost a month: currency and hours of people."""

    label: str
    money: float
    hours: float


@dataclass(frozen=True)
class Followers:
    """How many of the suggestions to a role were carried out, of those of which it is known.

    Attributes:
        automatic: Whether nobody has to follow: the system carries out what is decided.
    """

    role: str
    automatic: bool
    followed: int
    known: int

    @property
    def share(self) -> float:
        """Of those that are known."""
        return self.followed / self.known


@dataclass(frozen=True)
class Power:
    """With no suggestions for this share of the accounts, the least difference that would be seen.

    Attributes:
        control: Accounts in the control group.
        detectable: As a share of what an account brings.
    """

    share: float
    control: int
    detectable: float


@dataclass(frozen=True)
class Board:
    """Everything on the page.

    Attributes:
        counted: What the figures are sums over, in words.
        costs_note: What the costs leave out; empty = nothing.
        followers: None where nothing was suggested: only deeds are known.
    """

    verdict: str
    counted: str
    decisions_a_month: float
    money: tuple[Line, ...]
    costs: tuple[Cost, ...]
    costs_note: str
    followers: tuple[Followers, ...] | None
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
        "past decisions" if cases.basis == "decisions" else "past moments",
        monthly,
        _money(evaluation, chosen, monthly),
        _costs(cases, evaluation.of(AS_LOGGED), value, monthly),
        "" if cases.basis == "decisions" else BETWEEN,
        followers(cases) if cases.basis == "decisions" else None,
        (*_unproven(cases, evaluation, chosen), *warnings),
        reached,
        _test(cases, evaluation, value, reached),
    )


def decisions_a_month(cases: Cases) -> float:
    """How many decisions fell due in a month of the time that was learned from.

    Those of an account on one day (UTC) are one: the engine draws once a day for an account, so each of them
    has the effect of all, and what is suggested five times is done once. k moments a fortnight apart stand
    for k fortnights, though from the first to the last it is one less: time counts k / (k - 1) fold, with k
    the effective number of moments, so that many different ones count as they are.
    """
    days = cases.as_of // DAY_MICROS
    first = {key: place for place, key in enumerate(zip(cases.account_ids, days.tolist(), strict=True))}
    as_of = cases.as_of[np.array(list(first.values()), dtype=np.int64)]
    took = float(np.ptp(as_of)) / DAY_MICROS if len(as_of) else 0.0
    at_once = np.unique(as_of, return_counts=True)[1].astype(np.float64)
    moments = max(effective_sample_size(at_once), 2.0)
    return len(as_of) / max(took * moments / (moments - 1.0), MONTH_DAYS) * MONTH_DAYS


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
            found.append(Followers(role.id, role.system, int(cases.followed[own].sum()), int(own.sum())))
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
    """What each account brought after its newest occasion of which all is known: what has come so far of a
    later one is no horizon's worth."""
    order = np.argsort(cases.as_of, kind="stable")
    last = {cases.account_ids[row]: row for row in order[cases.matured[order]]}
    return cases.reward[np.array(sorted(last.values()), dtype=np.int64)]


def _times(interval: Interval, factor: float) -> Interval:
    return Interval(
        interval.estimate * factor, interval.low * factor, interval.high * factor,
        interval.standard_error * factor, interval.level,
    )  # fmt: skip


def _money(evaluation: Evaluation, chosen: str, monthly: float) -> tuple[Line, ...]:
    value = evaluation.of(chosen)
    judged = nobody_judged(evaluation)
    gaps = [
        ("beyond what was done", value.versus_logged, True),
        ("beyond the best single action for all", value.versus_fixed, claims_gain(evaluation, chosen)),
        ("beyond contacting nobody", value.versus_nobody if judged else None, True),
    ]
    believed = carries(value)
    return tuple(
        Line(label, _times(gap, monthly), believed and (gap.high < 0.0 or (gap.low > 0.0 and claimed)))
        for label, gap, claimed in gaps
        if gap is not None
    )


def carries(value: PolicyValue) -> bool:
    """Whether the evidence behind a value carries any claim."""
    return value.verdict.level not in ("outside scope", "limited evidence")


def _costs(cases: Cases, logged: PolicyValue, value: PolicyValue, monthly: float) -> tuple[Cost, ...]:
    by_id = {treatment.id: treatment for treatment in cases.playbook.treatments}
    found = []
    for label, policy in (("what was done", logged), ("what it would do", value)):
        minutes = sum(share * by_id[name].minutes for name, share in policy.mix.items())
        found.append(Cost(label, _mean_cost(cases, policy) * monthly, minutes * monthly / 60.0))
    return tuple(found)


def _verdict(evaluation: Evaluation, chosen: str, monthly: float, currency: str) -> str:
    value = evaluation.of(chosen)
    gain = _times(value.versus_logged, monthly)
    figures = (
        f"{currency} {gain.estimate:+,.0f} a month (95 % interval {gain.low:+,.0f} to {gain.high:+,.0f})"
    )
    if not carries(value) or gain.low <= 0.0:
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
        "control group shows the whole.",
        "That all of it can be done: the best is taken for each account alone, at each occasion. Limits of "
        "contacts, people's hours and which account goes first are not in money and hours above; plans keep "
        "them, so what is done will be less, or cost other things.",
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


def _test(cases: Cases, evaluation: Evaluation, value: PolicyValue, reached: Sequence[Power]) -> str:
    """The least control group that would show what one decision for each account brings within a horizon.

    In the unit of `powers`: worth of outcomes, costs not deducted, as a share of what an account brings. The
    control group gets no suggestions. Where decisions were logged, that is beside contacting nobody; where
    deeds are known, people did them as they saw fit, and go on so: beside what was done.
    """
    if not reached:
        return "What accounts bring is too little, or too few accounts are known, to plan a test."
    suggested = cases.basis == "decisions"
    if value.verdict.level == "outside scope" or (suggested and not nobody_judged(evaluation)):
        return "How much a test must show cannot be told from what was logged; below is what it could see."
    gap = value.versus_nobody if suggested else value.versus_logged
    control = 0.0 if suggested else _mean_cost(cases, evaluation.of(AS_LOGGED))
    gain = gap.estimate + _mean_cost(cases, value) - control
    wanted = gain / float(_newest(cases).mean())
    if wanted <= 0.0:
        return "No gain is expected, so there is none to test; a control group would still show harm."
    beside = (
        "no contact; people who work as they see fit do some of that anyway, so less may show"
        if suggested
        else "what people did without it"
    )
    expected = (
        f"One decision for each account is estimated to bring {wanted:+.1%} of what an account brings, "
        f"before cost, beside {beside}."
    )
    seen = [each for each in reached if each.detectable <= wanted]
    if not seen:
        return (
            f"{expected} Even a control group of half of the accounts would show no less than "
            f"{reached[-1].detectable:.1%}: more accounts are needed, or more decisions for each."
        )
    return (
        f"{expected} A control group of {seen[0].share:.0%} ({seen[0].control:,} accounts) would show it in "
        "4 of 5 tests."
    )


def _mean_cost(cases: Cases, value: PolicyValue) -> float:
    """Of a decision by a policy, in currency."""
    by_id = {treatment.id: treatment.cost for treatment in cases.playbook.treatments}
    return sum(share * by_id[name] for name, share in value.mix.items())
