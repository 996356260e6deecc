"""Which learner deserves to be used: doubly robust value under cross-fitting, ties to the simpler one.

Only accounts of the training part are looked at. The held-out figures (`training.evaluate`) are reported
and never choose.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from data.progress import Progress, quiet
from engine.estimation import Interval, Logged, Resamples, Terms, doubly_robust_terms
from engine.records import Bools, Floats, Ints
from training.behaviour import Assignment, least_probability
from training.boosting import Boosting
from training.cases import Cases
from training.learners import LEARNERS, Fitted, Learner, reader_of
from training.splits import clusters_of, folds_of
from training.support import Support

FOLDS = 3


class CrossFitted(NamedTuple):
    """What a learner says of cases that it has not seen.

    Attributes:
        values: Expected worth, in currency; NaN = not learned; shape (n, T).
        models: What it learned without each of the folds.
    """

    values: Floats
    models: tuple[Fitted, ...]


@dataclass(frozen=True)
class Selection:
    """What was chosen and why.

    Attributes:
        chosen: Name of the learner.
        best: Name of the one with the highest value, before ties went to the simpler.
        values: Learner -> cross-fitted doubly robust value net of cost, per decision, weighted by `overlap`.
        behind: Learner -> its difference to the best.
        sentence: For the report.
        models: What the chosen learner learned without each of the folds.
    """

    chosen: str
    best: str
    values: Mapping[str, Interval]
    behind: Mapping[str, Interval]
    sentence: str
    models: tuple[Fitted, ...] = ()

    @property
    def shown(self) -> tuple[str, ...]:
        """The learner that was chosen, and the personalising one that earned most: what was passed over."""
        personal = [name for name in self.values if name != "best_fixed"]
        best = max(personal, key=lambda name: self.values[name].estimate, default=self.chosen)
        return tuple(dict.fromkeys((self.chosen, best)))


def greedy(values: Floats, cost: Floats, eligible: Bools) -> Floats:
    """The policy that takes the eligible treatment worth most net of cost; ties to the first.

    Args:
        values: Expected worth; NaN = not learned, not taken; shape (n, T).
        cost: Shape (T,).
        eligible: Shape (n, T).

    Returns:
        Probabilities 0 and 1; shape (n, T).
    """
    usable = eligible & ~np.isnan(values)
    net = np.where(usable, np.nan_to_num(values) - cost, -np.inf)
    target = np.zeros(values.shape)
    target[np.arange(len(values)), net.argmax(axis=1)] = 1.0
    return target


def choosable(cases: Cases, assignment: Assignment, support: Support | None = None) -> Bools:
    """What a policy may choose: eligible, and with decisions like it in the log; shape (n, T).

    What such accounts hardly ever got cannot be judged, so it is neither valued nor promoted. With `support`
    that is what a release would say, not knowing how the case was assigned.
    """
    may = cases.eligible & assignment.comparable
    if support is not None:
        may = cases.eligible & support.comparable(cases.features, len(cases.treatments))
    may[:, 0] = True
    return may


def logged_of(cases: Cases, assignment: Assignment) -> Logged:
    """The cases as logged decisions with rewards net of cost, resampled by account."""
    net = cases.reward - cases.cost[cases.action]
    return Logged(net, cases.action, assignment.probability, clusters_of(cases.account_ids))


def net_model(values: Floats, cost: Floats) -> Floats:
    """Expected worth net of cost, treatments not learned as no contact; shape (n, T)."""
    return np.where(np.isnan(values), values[:, :1], values) - cost


def cross_fitted(
    learners: Mapping[str, Learner],
    cases: Cases,
    assignment: Assignment,
    folds: Ints,
    boosting: Boosting,
    *,
    progress: Progress = quiet,
) -> dict[str, CrossFitted]:
    """What learners say of every case by models that have not seen its account.

    Fold by fold, since learners of the same cases share some of what they work out.

    Raises:
        TrainingError: The engine could not read a release of a learner.
    """
    found = {name: np.full((len(cases), len(cases.treatments)), np.nan) for name in learners}
    models: dict[str, list[Fitted]] = {name: [] for name in learners}
    every = np.unique(folds)
    for turn, fold in enumerate(every):
        own = folds == fold
        others, asked = cases.take(~own), cases.take(own).features
        for place, (name, learner) in enumerate(learners.items()):
            progress("comparing learners", turn * len(learners) + place, len(every) * len(learners))
            fitted = learner.learn(others, assignment.probability[~own], boosting)
            reader_of(name, fitted)
            found[name][own] = fitted.predict(asked)
            models[name].append(fitted)
    progress("comparing learners", len(every) * len(learners), len(every) * len(learners))
    return {name: CrossFitted(values, tuple(models[name])) for name, values in found.items()}


def select(
    cases: Cases,
    assignment: Assignment,
    boosting: Boosting,
    *,
    seed: int,
    learners: Mapping[str, Learner] = LEARNERS,
    progress: Progress = quiet,
) -> Selection:
    """Choose among learners by their greedy policies' value on accounts that they have not seen.

    All are judged with the same model of the reward: the one with the least squared error on what was
    logged, and by `overlap`. The simplest learner within one standard error of the best wins.

    Source:
        The one standard error rule: Breiman, Friedman, Olshen and Stone (1984), Classification and
        Regression Trees.
    """
    folds = folds_of(cases.account_ids, FOLDS, seed=seed)
    fitted = cross_fitted(learners, cases, assignment, folds, boosting, progress=progress)
    logged = logged_of(cases, assignment)
    rewards = min((own.values for own in fitted.values()), key=lambda values: _squared_error(values, cases))
    model = net_model(rewards, cases.cost)
    may = choosable(cases, assignment)
    targets = {name: greedy(own.values, cases.cost, may) for name, own in fitted.items()}
    weight = overlap(cases, assignment, targets.values())
    terms = {
        name: _weighted(doubly_robust_terms(logged, target, model), weight)
        for name, target in targets.items()
    }
    resamples = Resamples.of(logged.cluster, seed=seed)
    intervals = {name: resamples.interval(term) for name, term in terms.items()}
    simplest_first = sorted(intervals, key=lambda name: learners[name].complexity)
    best = max(simplest_first, key=lambda name: intervals[name].estimate)
    behind = {name: resamples.difference(term, terms[best]) for name, term in terms.items()}
    near = [name for name, gap in behind.items() if gap.estimate >= -gap.standard_error]
    chosen = min(near, key=lambda name: learners[name].complexity)
    sentence = _sentence(chosen, best, behind[chosen])
    return Selection(chosen, best, intervals, behind, sentence, fitted[chosen].models)


def overlap(cases: Cases, assignment: Assignment, targets: Iterable[Floats]) -> Floats:
    """For how much each case counts where policies are compared; shape (n,).

    1 where all probabilities were logged. Estimated ones are near 0 for much of what learners would choose,
    and a few cases with 1 / p would then decide which learner is best. So a case counts by 1 / (sum of 1 / p
    over all that any of the policies would choose there): none weighs more than 1, and the policies are
    compared where the log shows what each of them would do.

    Args:
        cases: As logged.
        assignment: Of those cases.
        targets: P(treatment) of each policy; shape (n, T) each.

    Source:
        Li and Li (2019), Propensity score weighting for causal inference with multiple treatments.
    """
    if assignment.logged or assignment.estimates is None:
        return np.ones(len(cases))
    likely = np.maximum(assignment.estimates, least_probability(cases.eligible)[:, None])
    likely[np.arange(len(cases)), cases.action] = assignment.probability
    chosen_by_any = np.any([target > 0.0 for target in targets], axis=0)
    weight: Floats = 1.0 / (chosen_by_any / likely).sum(axis=1)
    return weight


def _weighted(terms: Terms, weight: Floats) -> Terms:
    return Terms(terms.numerator * weight, terms.denominator * weight)


def _squared_error(values: Floats, cases: Cases) -> float:
    predicted = np.where(np.isnan(values), values[:, :1], values)[np.arange(len(cases)), cases.action]
    return float(np.mean((cases.reward - predicted) ** 2))


def _sentence(chosen: str, best: str, gap: Interval) -> str:
    """Of those held out nothing is said: they are what the evaluation speaks of, and may say otherwise."""
    among = "cross-fitted on the accounts that are learned from"
    if chosen == "best_fixed" and best == chosen:
        return (
            f"Personalisation is not shown to pay on these data: {among}, no learner earned more than the "
            "best fixed action. Selection takes the best fixed action."
        )
    if chosen == "best_fixed":
        return (
            f"Personalisation is not shown to pay on these data: {among}, {best} earned {-gap.estimate:,.2f} "
            f"more per decision, within one standard error ({gap.standard_error:,.2f}) of nothing. Selection "
            "takes the best fixed action."
        )
    if chosen == best:
        return f"{chosen} earned most per decision, {among}."
    return (
        f"{chosen} is the simplest learner within one standard error ({gap.standard_error:,.2f}) of the "
        f"best, {best}, {among}."
    )
