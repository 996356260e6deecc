"""What policies would have earned on accounts that nobody learned from, with intervals and verdicts.

Rewards are net of the cost of the treatment. The reference policies are always there: as logged, no contact
to anybody, and the best fixed action.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from engine.estimation import (
    Interval,
    Logged,
    Resamples,
    Terms,
    Verdict,
    doubly_robust_terms,
    effective_sample_size,
    logged_terms,
    snips_terms,
    verdict,
)
from engine.records import DAY_MICROS, Bools, Floats
from training.behaviour import Assignment
from training.boosting import Boosting
from training.cases import Cases
from training.errors import TooFewCasesError
from training.learners import LEARNERS, Fitted
from training.select import greedy, logged_of, net_model

AS_LOGGED, NO_CONTACT_POLICY = "as logged", "no contact"
LEAST_IN_TIME_SPLIT = 100


@dataclass(frozen=True)
class PolicyValue:
    """What one policy would have earned per decision, net of cost, in currency.

    Attributes:
        policy: "as logged", "no contact" or a learner's name.
        snips, doubly_robust: The two estimates with their intervals.
        versus_logged: Doubly robust difference to what was logged, on the same resamples.
        versus_fixed: The same to the best fixed action; None where there is none to compare with.
        versus_nobody: The same to contacting nobody.
        effective: Effective sample size of its weights.
        supported: Share of its choices with comparable decisions in the log.
        verdict: On the evidence.
        mix: Treatment -> share of decisions.
    """

    policy: str
    snips: Interval
    doubly_robust: Interval
    versus_logged: Interval
    versus_fixed: Interval | None
    versus_nobody: Interval
    effective: float
    supported: float
    verdict: Verdict
    mix: Mapping[str, float]

    def as_json(self) -> dict[str, Any]:
        """For the manifest; figures that are not numbers become null."""
        plain: dict[str, Any] = _finite(asdict(self))
        return plain


@dataclass(frozen=True)
class Evaluation:
    """The policies' values on one set of held-out cases.

    Attributes:
        name: How it was held out: "accounts" or "time".
        sentence: The same in words.
        decisions, accounts: How many were held out.
        policies: Best known reference first, then the learners.
    """

    name: str
    sentence: str
    decisions: int
    accounts: int
    policies: tuple[PolicyValue, ...]

    def of(self, policy: str) -> PolicyValue:
        """The value of a policy. Raises KeyError."""
        for value in self.policies:
            if value.policy == policy:
                return value
        raise KeyError(policy)


@dataclass(frozen=True)
class Judged:
    """An evaluation with what it was made from, for comparisons on the same held-out cases.

    Attributes:
        evaluation: The policies' values.
        cases, assignment: The held-out cases.
        targets: Policy -> P(treatment); shape (n, T).
        predicted: Learner -> expected worth, NaN = not learned; shape (n, T).
        model: Reward net of cost expected by the doubly robust estimate; shape (n, T).
    """

    evaluation: Evaluation
    cases: Cases
    assignment: Assignment
    targets: Mapping[str, Floats]
    predicted: Mapping[str, Floats]
    model: Floats


def reference_targets(cases: Cases) -> dict[str, Floats]:
    """The policy that contacts nobody; shape (n, T)."""
    nobody = np.zeros((len(cases), len(cases.treatments)))
    nobody[:, 0] = 1.0
    return {NO_CONTACT_POLICY: nobody}


def evaluate(
    cases: Cases,
    assignment: Assignment,
    fitted: Mapping[str, Fitted],
    *,
    seed: int,
    name: str = "accounts",
    sentence: str = "",
) -> Judged:
    """Value policies on cases that none of the models saw.

    Args:
        cases: Held-out cases.
        assignment: Of those cases.
        fitted: Learners by name, "best_fixed" among them.
        seed: Of the resamples.
        name: How they were held out.
        sentence: The same in words.
    """
    predicted = {key: learned.predict(cases.features) for key, learned in fitted.items()}
    targets = reference_targets(cases)
    targets |= {key: greedy(values, cases.cost, cases.eligible) for key, values in predicted.items()}
    model = net_model(predicted[_richest(fitted)], cases.cost)
    logged = logged_of(cases, assignment)
    judge = _Judge(cases, assignment, logged, model, Resamples.of(logged.cluster, seed=seed))
    nobody = doubly_robust_terms(logged, targets[NO_CONTACT_POLICY], model)
    fixed = doubly_robust_terms(logged, targets["best_fixed"], model) if "best_fixed" in targets else None
    values = (judge.policy(key, target, fixed, nobody) for key, target in targets.items())
    policies = (judge.logging(nobody), *values)
    evaluation = Evaluation(name, sentence, len(cases), judge.resamples.clusters, policies)
    return Judged(evaluation, cases, assignment, targets, predicted, model)


def _richest(fitted: Mapping[str, Fitted]) -> str:
    """The model used for the doubly robust correction: the one that pools most, or what there is."""
    return "s_learner" if "s_learner" in fitted else next(reversed(list(fitted)))


@dataclass(frozen=True)
class _Judge:
    """Everything that the values of all policies on one set of cases share."""

    cases: Cases
    assignment: Assignment
    logged: Logged
    model: Floats
    resamples: Resamples

    def logging(self, nobody: Terms) -> PolicyValue:
        terms = logged_terms(self.logged)
        interval = self.resamples.interval(terms)
        counts = self.cases.counts / len(self.cases)
        return PolicyValue(
            policy=AS_LOGGED,
            snips=interval,
            doubly_robust=interval,
            versus_logged=self.resamples.difference(terms, terms),
            versus_fixed=None,
            versus_nobody=self.resamples.difference(terms, nobody),
            effective=float(len(self.cases)),
            supported=1.0,
            verdict=self._verdict(interval, float(len(self.cases)), 1.0, estimated=False),
            mix=self._mix(counts),
        )

    def policy(self, name: str, target: Floats, fixed: Terms | None, nobody: Terms) -> PolicyValue:
        weights = self.logged.weights(target)
        terms = doubly_robust_terms(self.logged, target, self.model)
        interval = self.resamples.interval(terms)
        effective = effective_sample_size(weights)
        supported = float((target * self.assignment.comparable).sum() / len(target))
        return PolicyValue(
            policy=name,
            snips=self.resamples.interval(snips_terms(self.logged, target)),
            doubly_robust=interval,
            versus_logged=self.resamples.difference(terms, logged_terms(self.logged)),
            versus_fixed=self.resamples.difference(terms, fixed) if fixed is not None else None,
            versus_nobody=self.resamples.difference(terms, nobody),
            effective=effective,
            supported=supported,
            verdict=self._verdict(interval, effective, supported, estimated=not self.assignment.logged),
            mix=self._mix(target.mean(axis=0)),
        )

    def _verdict(self, interval: Interval, effective: float, supported: float, *, estimated: bool) -> Verdict:
        return verdict(
            interval,
            effective=effective,
            clusters=self.resamples.clusters,
            supported=supported,
            logged_probabilities=not estimated,
            scale=logged_terms(self.logged).value,
        )

    def _mix(self, shares: Floats) -> dict[str, float]:
        named = zip(self.cases.treatments, shares, strict=True)
        return {treatment: float(share) for treatment, share in named if share > 0}


def claim(evaluation: Evaluation, chosen: str) -> str:
    """What may be said of the chosen learner beside the best fixed action, by interval and verdict.

    Contacting nobody is a fixed action too: whoever earns more than a bad contact for all, but not more than
    that, has shown nothing.
    """
    value = evaluation.of(chosen)
    gap = value.versus_fixed
    if chosen == "best_fixed" or gap is None:
        return "No gain by personalisation is claimed."
    if value.verdict.level in ("outside scope", "limited evidence"):
        return f"No gain by personalisation is claimed ({value.verdict.level}): {value.verdict.sentence}"
    figures = f"{gap.estimate:+,.2f} per decision ({gap.low:+,.2f} to {gap.high:+,.2f})"
    if gap.low > 0.0 >= value.versus_nobody.low:
        return (
            f"On held-out accounts {chosen} earns {figures} beyond the best fixed action, but no more than "
            "chance explains beyond contacting nobody: no gain by personalisation is claimed."
        )
    if gap.low > 0.0:
        return (
            f"On held-out accounts {chosen} earns {figures} beyond the best fixed action: more than chance."
        )
    return (
        f"On held-out accounts {chosen} earns {figures} beyond the best fixed action: no more than chance "
        "explains, so no gain by personalisation is claimed."
    )


def time_split(cases: Cases, *, share: float = 0.7) -> tuple[Bools, Bools]:
    """Cases whose outcomes were all known at a cut in time, and cases after it; each shape (n,).

    The cut lies at the given share of the occasions.
    """
    cut = np.quantile(cases.as_of, share, method="higher")
    return cases.as_of + int(cases.horizon_days * DAY_MICROS) <= cut, cases.as_of >= cut


def evaluate_by_time(
    cases: Cases, assignment: Assignment, chosen: str, boosting: Boosting, *, seed: int
) -> Evaluation | None:
    """Learn from the earlier cases, value on the later; None = too few on either side."""
    before, after = time_split(cases)
    names = dict.fromkeys(("best_fixed", chosen))
    if min(before.sum(), after.sum()) < LEAST_IN_TIME_SPLIT or len(np.unique(cases.action[before])) < 2:
        return None
    earlier, known = cases.take(before), assignment.take(before)
    try:
        fitted = {name: LEARNERS[name].learn(earlier, known.probability, boosting) for name in names}
    except TooFewCasesError:
        return None
    sentence = "Learned from the earlier occasions, valued on the later ones (accounts overlap)."
    later, likely = cases.take(after), assignment.take(after)
    return evaluate(later, likely, fitted, seed=seed, name="time", sentence=sentence).evaluation


@dataclass(frozen=True)
class Decile:
    """Expected beside observed for a tenth of the policy's own choices, by what was expected of them.

    Attributes:
        expected: Mean prediction, net of cost, in currency.
        observed: Self-normalised weighted mean of what followed where the log chose the same.
        decisions: Cases where the log chose the same.
    """

    expected: float
    observed: float
    decisions: int


def calibration(judged: Judged, learner: str) -> list[Decile]:
    """Calibration on the policy's own choices, by weighting: right on average need not be right there."""
    cases, target = judged.cases, judged.targets[learner]
    logged = logged_of(cases, judged.assignment)
    expected = net_model(judged.predicted[learner], cases.cost)[np.arange(len(cases)), target.argmax(axis=1)]
    weights = logged.weights(target)
    deciles = []
    for part in np.array_split(np.argsort(expected, kind="stable"), 10):
        if len(part) and weights[part].sum() > 0.0:
            observed = float(np.average(logged.reward[part], weights=weights[part]))
            deciles.append(Decile(float(expected[part].mean()), observed, int((weights[part] > 0).sum())))
    return deciles


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value
