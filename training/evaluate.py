"""What policies would have earned on accounts that nobody learned from, with intervals and verdicts.

Rewards are net of the cost of the treatment. The reference policies are always there: as logged, no contact
to anybody, and the best fixed action.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from engine.clusters import BySigns, Uncertainty, WildBootstrap, stretch
from engine.estimation import (
    Interval,
    Logged,
    Resamples,
    Terms,
    Verdict,
    direct_terms,
    doubly_robust_terms,
    effective_clusters,
    effective_sample_size,
    ips_terms,
    logged_terms,
    shrunk_terms,
    snips_terms,
    verdict,
)
from engine.records import Bools, Floats, Ints
from engine.sensitivity import LARGEST, Contrast, LeftOut, overturning_strength
from training.balance import LEAST_IN_ARM, Overlap, overlap
from training.behaviour import Assignment
from training.boosting import Boosting
from training.cases import Cases
from training.errors import TooFewCasesError
from training.gains import Gains, gains_of
from training.learners import LEARNERS, Fitted
from training.persons import clusters_of_persons
from training.select import choosable, greedy, logged_of, net_model
from training.splits import clusters_of
from training.support import Support, learn_support

AS_LOGGED, NO_CONTACT_POLICY = "as logged", "no contact"
LEAST_IN_TIME_SPLIT = 100
SENSITIVITY_RESAMPLES = 100
"""Each is sorted through for every strength that is tried."""


@dataclass(frozen=True)
class PolicyValue:
    """What one policy would have earned per decision, net of cost, in currency.

    Attributes:
        policy: "as logged", "no contact" or a learner's name.
        snips, doubly_robust: The two estimates that count, with their intervals.
        direct, ips, shrunk: Three more, to see whether they agree: of the model alone, of the weights alone,
            and doubly robust with shrunk weights. Of those that lean on the model resampling decisions
            would give intervals much too narrow, so they have none.
        versus_logged: Doubly robust difference to what was logged, on the same resamples.
        versus_fixed: The same to the best fixed action; None where there is none to compare with.
        versus_nobody: The same to contacting nobody.
        few_persons: Where 2 to 5 persons serve the accounts: "as logged", "best fixed" and "no contact" ->
            what these persons show of the difference to it; else empty.
        strength: By which factor something unseen would have to change the odds of what was chosen, so that
            the policy is no longer better than both references beyond chance; 1 = it is not even without;
            `LARGEST` = that much or more; None = probabilities were logged, or it is a reference.
        effective: Effective sample size of its weights.
        supported: Share of its choices with comparable decisions in the log.
        verdict: On the evidence.
        mix: Treatment -> share of decisions.
        between: Accounts that were given what it or the best fixed action does where the two differ; None =
            there is nothing to differ from.
    """

    policy: str
    snips: Interval
    doubly_robust: Interval
    versus_logged: Interval
    versus_fixed: Interval | None
    versus_nobody: Interval
    few_persons: Mapping[str, BySigns]
    direct: float
    ips: Interval
    shrunk: float
    strength: float | None
    effective: float
    supported: float
    verdict: Verdict
    mix: Mapping[str, float]
    between: int | None

    def as_json(self) -> dict[str, Any]:
        """For the manifest; figures that are not numbers become null."""
        plain: dict[str, Any] = finite(asdict(self))
        return plain


@dataclass(frozen=True)
class Evaluation:
    """The policies' values on one set of held-out cases.

    Attributes:
        name: How it was held out: "accounts" or "time".
        sentence: The same in words.
        decisions, accounts: How many were held out.
        persons: How many persons serve these accounts; None = the system does, or it is not known.
        policies: Best known reference first, then the learners.
    """

    name: str
    sentence: str
    decisions: int
    accounts: int
    persons: int | None
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
        overlap: What the log can say of each treatment.
        gains: Learner -> its gain beyond contacting nobody.
    """

    evaluation: Evaluation
    cases: Cases
    assignment: Assignment
    targets: Mapping[str, Floats]
    predicted: Mapping[str, Floats]
    model: Floats
    overlap: tuple[Overlap, ...]
    gains: Mapping[str, Gains]


def uncertainty_of(cases: Cases, *, seed: int) -> Uncertainty:
    """Resamples by account, and by person where people carry out and it is known who serves whom."""
    system = {role.id for role in cases.playbook.roles if role.system}
    by_person = np.array([t.kind == "contact" and t.role not in system for t in cases.playbook.treatments])
    account = clusters_of(cases.account_ids)
    if not by_person[cases.action].any() or not (cases.person != "").any():
        return Uncertainty.of(account, None, seed=seed)
    return Uncertainty.of(account, clusters_of_persons(cases.person, cases.account_ids), seed=seed)


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
    support: Support | None = None,
    name: str = "accounts",
    sentence: str = "",
) -> Judged:
    """Value policies on cases that none of the models saw.

    Args:
        cases: Held-out cases.
        assignment: Of those cases.
        fitted: Learners by name, "best_fixed" among them.
        seed: Of the resamples.
        support: What a release of these learners would take for comparable; None = what the log is.
        name: How they were held out.
        sentence: The same in words.
    """
    predicted = {key: learned.predict(cases.features) for key, learned in fitted.items()}
    targets = reference_targets(cases)
    may = choosable(cases, assignment, support)
    targets |= {key: greedy(values, cases.cost, may) for key, values in predicted.items()}
    model = net_model(predicted[_richest(fitted)], cases.cost)
    logged = logged_of(cases, assignment)
    judge = _Judge(cases, assignment, logged, model, uncertainty_of(cases, seed=seed), targets)
    policies = (judge.logging(), *(judge.policy(key) for key in targets))
    sure = judge.uncertainty
    evaluation = Evaluation(name, sentence, len(cases), sure.accounts.clusters, sure.served_by, policies)
    gains = {key: judge.gains(key, values) for key, values in predicted.items()}
    found = overlap(cases, assignment, model, sure)
    return Judged(evaluation, cases, assignment, targets, predicted, model, found, gains)


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
    uncertainty: Uncertainty
    targets: Mapping[str, Floats]

    def logging(self) -> PolicyValue:
        terms = logged_terms(self.logged)
        interval = self.uncertainty.interval(terms)
        counts = self.cases.counts / len(self.cases)
        return PolicyValue(
            policy=AS_LOGGED,
            snips=interval,
            doubly_robust=interval,
            versus_logged=self.uncertainty.difference(terms, terms),
            versus_fixed=None,
            versus_nobody=self.uncertainty.difference(terms, self._robust(NO_CONTACT_POLICY)),
            few_persons=self._few_persons(terms),
            direct=interval.estimate,
            ips=interval,
            shrunk=interval.estimate,
            strength=None,
            effective=float(len(self.cases)),
            supported=1.0,
            verdict=self._verdict(interval, np.ones(len(self.cases)), 1.0, estimated=False),
            between=None,
            mix=self._mix(counts),
        )

    def policy(self, name: str) -> PolicyValue:
        target, sure = self.targets[name], self.uncertainty
        terms = self._robust(name)
        interval = sure.interval(terms)
        weights = self.logged.weights(target)
        supported = float((target * self.assignment.comparable).sum() / len(target))
        fixed = sure.difference(terms, self._robust("best_fixed")) if "best_fixed" in self.targets else None
        return PolicyValue(
            policy=name,
            snips=sure.interval(snips_terms(self.logged, target)),
            doubly_robust=interval,
            versus_logged=sure.difference(terms, logged_terms(self.logged)),
            versus_fixed=fixed,
            versus_nobody=sure.difference(terms, self._robust(NO_CONTACT_POLICY)),
            few_persons=self._few_persons(terms),
            direct=direct_terms(target, self.model).value,
            ips=sure.interval(ips_terms(self.logged, target)),
            shrunk=shrunk_terms(self.logged, target, self.model).value,
            strength=self._strength(name),
            effective=effective_sample_size(weights),
            supported=supported,
            verdict=self._verdict(interval, weights, supported, estimated=not self.assignment.logged),
            between=self._between(name),
            mix=self._mix(target.mean(axis=0)),
        )

    def gains(self, name: str, predicted: Floats) -> Gains:
        """Beyond contacting nobody."""
        choice = self.targets[name].argmax(axis=1)
        net = net_model(predicted, self.cases.cost)
        expected = net[np.arange(len(choice)), choice] - net[:, 0]
        gain = self._robust(name).numerator - self._robust(NO_CONTACT_POLICY).numerator
        return gains_of(expected, gain, np.flatnonzero(choice), self.uncertainty)

    def _few_persons(self, terms: Terms) -> dict[str, BySigns]:
        others = {AS_LOGGED: logged_terms(self.logged), NO_CONTACT_POLICY: self._robust(NO_CONTACT_POLICY)}
        others |= {"best fixed": self._robust("best_fixed")} if "best_fixed" in self.targets else {}
        found = {name: self.uncertainty.by_signs(terms, other) for name, other in others.items()}
        return {name: each for name, each in found.items() if each is not None}

    def _robust(self, name: str) -> Terms:
        return doubly_robust_terms(self.logged, self.targets[name], self.model)

    def _strength(self, name: str) -> float | None:
        references = {NO_CONTACT_POLICY, "best_fixed"} & set(self.targets) - {name}
        if self.assignment.logged or name == NO_CONTACT_POLICY:
            return None
        return min(
            strength_beside(
                self.logged, self.targets[name], self.targets[other], self.model,
                known=self.assignment.known, uncertainty=self.uncertainty,
            )
            for other in sorted(references)
        )  # fmt: skip

    def _between(self, name: str) -> int | None:
        ours, fixed = self.targets[name], self.targets.get("best_fixed")
        if fixed is None or np.array_equal(ours, fixed):
            return None
        return accounts_between(self.cases, self.uncertainty.accounts.cluster, ours, fixed)

    def _verdict(self, interval: Interval, weights: Floats, supported: float, *, estimated: bool) -> Verdict:
        return verdict(
            interval,
            effective=effective_sample_size(weights),
            clusters=effective_clusters(weights, self.uncertainty.accounts.cluster),
            supported=supported,
            logged_probabilities=not estimated,
            scale=logged_terms(self.logged).value,
            persons=self.uncertainty.served_by,
        )

    def _mix(self, shares: Floats) -> dict[str, float]:
        named = zip(self.cases.treatments, shares, strict=True)
        return {treatment: float(share) for treatment, share in named if share > 0}


def accounts_between(cases: Cases, account: Ints, one: Floats, other: Floats) -> int:
    """How many accounts were given what either of two policies does where they differ. Where there are none,
    the difference is the model's own guess, and resampling guesses makes the narrowest interval of all.

    Args:
        cases: On which both are valued.
        account: Code of each case's; shape (n,).
        one, other: P(treatment); shape (n, T).
    """
    chosen = np.arange(len(cases)), cases.action
    seen = (one != other).any(axis=1) & (one[chosen] + other[chosen] > 0.0)
    return len(np.unique(account[seen]))


def strength_beside(
    logged: Logged, target: Floats, other: Floats, model: Floats, *, known: Bools, uncertainty: Uncertainty
) -> float:
    """How strong something unseen would have to be so that one policy is no longer better than another beyond
    chance, by the interval of their difference that is shown: by account or by person, whichever is wider.

    Returns:
        1.0 = that interval holds 0 already, or so few persons carry out that there is none.
    """
    ours, theirs = (doubly_robust_terms(logged, each, model) for each in (target, other))
    shown = uncertainty.difference(ours, theirs)
    if not uncertainty.enough_persons or not shown.low > 0.0:
        return 1.0
    way = uncertainty.deciding(ours, theirs)
    contrast = Contrast.of(logged, target, other, model, known=known)
    if isinstance(way, WildBootstrap) and way.clusters <= SENSITIVITY_RESAMPLES:
        left_out = LeftOut(way.cluster, shown.half_width / shown.standard_error)
        return overturning_strength(contrast, left_out, stretch=stretch(way.cluster, ours, theirs))
    sure = Resamples.of(way.cluster, seed=uncertainty.seed, resamples=SENSITIVITY_RESAMPLES)
    own = sure.difference(ours, theirs)
    reaches = (own.estimate - shown.low) / (own.estimate - own.low)
    return overturning_strength(contrast, sure, stretch=max(reaches, 1.0))


def strength_sentence(value: PolicyValue) -> str:
    """How strong something unseen would have to be to overturn a policy's gain; "" where nothing is unseen.

    Source:
        Tan (2006); Zhao, Small and Bhattacharya (2019); see `engine.sensitivity`.
    """
    if value.strength is None or value.strength <= 1.0:
        return ""
    factor = "more than 10" if value.strength >= LARGEST else f"{value.strength:.2f}"
    return (
        "Probabilities were estimated: something that nobody recorded would have to change the odds of what "
        f"was chosen by a factor of {factor} to explain this gain away."
    )


def nobody_judged(evaluation: Evaluation) -> bool:
    """Whether enough accounts like those contacted were left alone. Else what contacting nobody would have
    earned is the model's guess, and so is every gain beyond it."""
    return evaluation.of(NO_CONTACT_POLICY).verdict.level != "outside scope"


def _unclaimed(evaluation: Evaluation, chosen: str) -> str:
    """Why no gain can be claimed, whatever the interval says; "" = nothing stands in the way."""
    value = evaluation.of(chosen)
    if chosen == "best_fixed" or value.versus_fixed is None:
        return "No gain by personalisation is claimed."
    if value.verdict.level in ("outside scope", "limited evidence"):
        return f"No gain by personalisation is claimed ({value.verdict.level}): {value.verdict.sentence}"
    if not nobody_judged(evaluation):
        share = evaluation.of(NO_CONTACT_POLICY).supported
        return (
            "No gain by personalisation is claimed: what contacts cause cannot be judged, because in only "
            f"{share:.0%} of the held-out decisions were accounts like these ever left alone."
        )
    if value.between is not None and value.between < LEAST_IN_ARM:
        return (
            f"No gain by personalisation is claimed: only {value.between} accounts were given what {chosen} "
            f"or the best fixed action does where the two differ; at least {LEAST_IN_ARM} are needed."
        )
    return ""


def claims_gain(evaluation: Evaluation, chosen: str) -> bool:
    """Whether a gain by personalisation is claimed; see `claim`."""
    value = evaluation.of(chosen)
    gap = value.versus_fixed
    if gap is None or _unclaimed(evaluation, chosen):
        return False
    return gap.low > 0.0 and value.versus_nobody.low > 0.0


def claim(evaluation: Evaluation, chosen: str) -> str:
    """What may be said of the chosen learner beside the best fixed action, by interval and verdict.

    Contacting nobody is a fixed action too: whoever earns more than a bad contact for all, but not more than
    that, has shown nothing.
    """
    value = evaluation.of(chosen)
    gap = value.versus_fixed
    if gap is None or (why := _unclaimed(evaluation, chosen)):
        return "No gain by personalisation is claimed." if gap is None else why
    figures = f"{gap.estimate:+,.2f} per decision ({gap.low:+,.2f} to {gap.high:+,.2f})"
    if gap.low > 0.0 >= value.versus_nobody.low:
        return (
            f"On held-out accounts {chosen} earns {figures} beyond the best fixed action, but no more than "
            "chance explains beyond contacting nobody: no gain by personalisation is claimed."
        )
    if claims_gain(evaluation, chosen):
        said = (
            f"On held-out accounts {chosen} earns {figures} beyond the best fixed action: more than chance."
        )
        return f"{said} {strength_sentence(value)}".strip()
    return (
        f"On held-out accounts {chosen} earns {figures} beyond the best fixed action: no more than chance "
        "explains, so no gain by personalisation is claimed."
    )


def time_split(cases: Cases, *, share: float = 0.7) -> tuple[Bools, Bools]:
    """Cases whose outcomes were all known at a cut in time, and cases after it; each shape (n,).

    The cut lies at the given share of the occasions.
    """
    cut = np.quantile(cases.as_of, share, method="higher")
    return cases.over(int(cut)), cases.as_of >= cut


def evaluate_by_time(
    cases: Cases, assignment: Assignment, learners: Collection[str], boosting: Boosting, *, seed: int
) -> Evaluation | None:
    """Learn from the earlier cases, value on the later; None = too few on either side.

    Args:
        learners: Names of those that are valued beside the best fixed action.
    """
    before, after = time_split(cases)
    names = dict.fromkeys(("best_fixed", *learners))
    if min(before.sum(), after.sum()) < LEAST_IN_TIME_SPLIT or len(np.unique(cases.action[before])) < 2:
        return None
    earlier, known = cases.take(before), assignment.take(before)
    try:
        fitted = {name: LEARNERS[name].learn(earlier, known.probability, boosting) for name in names}
    except TooFewCasesError:
        return None
    sentence = "Learned from the earlier occasions, valued on the later ones (accounts overlap)."
    support = learn_support(earlier, known, boosting, seed=seed)
    later, likely = cases.take(after), assignment.take(after)
    judged = evaluate(later, likely, fitted, seed=seed, support=support, name="time", sentence=sentence)
    return judged.evaluation


def finite(value: Any) -> Any:
    """The same with null for figures that are not numbers, which JSON cannot say."""
    if isinstance(value, dict):
        return {key: finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [finite(inner) for inner in value]
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value
