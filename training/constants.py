"""What holds for all accounts alike: means and effects by treatment, pooled over channels and topics."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.pooling import Pool
from engine.records import Bools, Floats, Ints
from training.boosting import Boosting
from training.cases import Cases
from training.errors import TooFewCasesError
from training.pooling import pooled
from training.prognosis import ROUGH_ROUNDS, Prognosis

LEAST_CASES = 50
"""A treatment with fewer cases is not learned: its channel and topic speak for it."""


@dataclass(frozen=True)
class Constants:
    """What holds for all accounts alike, for the treatments learned; shapes (len(learned),).

    Attributes:
        learned: Indices of the treatments learned, "none" first, in the playbook's order.
        value: Expected worth of outcomes, in currency.
        uplift: The same beyond no contact, among the cases for which the treatment was eligible; drawn
            towards those of its channel and topic by as much as it is noise.
        error: Standard error of the uplift.
        response: P(positive response), smoothed.
        evidence: Cases behind it.
        pool: What treatments without cases are worth beyond no contact, by channel and topic.
    """

    learned: Ints
    value: Floats
    uplift: Floats
    response: Floats
    evidence: Ints
    error: Floats
    pool: Pool


def learnable(cases: Cases) -> Ints:
    """Indices of "none" and the contacts with enough cases.

    Raises:
        TooFewCasesError: There is one action only, nobody was ever left alone, or the policies allow no
            contact in any case.
    """
    counts = cases.counts
    kinds = np.array([treatment.kind for treatment in cases.playbook.treatments])
    learned = np.flatnonzero((counts >= LEAST_CASES) & (kinds != "stop"))
    if 0 not in learned:
        raise TooFewCasesError(
            f"Got {counts[0]:,} cases without contact, need at least {LEAST_CASES}: what a contact causes "
            "shows only beside accounts that were left alone."
        )
    if len(learned) < 2:
        raise TooFewCasesError(
            f"Only one action, {cases.treatments[learned[0]]!r}, has {LEAST_CASES} cases or more: there is "
            "nothing to choose between."
        )
    if not cases.eligible[:, learned[1:]].any():
        raise TooFewCasesError(
            f"The policies allow none of {len(learned) - 1} contacts in any of {len(cases):,} cases, so that "
            "there is nothing to choose between: see what removes them with `nextbest playbook check`; "
            "accounts without a time zone get no contact."
        )
    return learned


def constants(cases: Cases, assignment: Floats, boosting: Boosting) -> Constants:
    """Means by treatment, weighted by inverse assignment probabilities, effects pooled over treatments.

    A treatment is compared with no contact among the cases for which it was eligible, because those for
    which it was not may be another kind of account. What was to be expected without contact is deducted
    first, by models that have not seen the account. Where probabilities were logged these need not be right:
    what accounts differ by anyway is then less of the noise. Where they were estimated, weights take away a
    part of the difference between those contacted and those left alone only; an error of the one counts only
    times an error of the other.

    Args:
        cases: To learn from.
        assignment: Probability of what was chosen, logged or estimated; shape (n,).
        boosting: Size and seed of the forest of what follows without contact.

    Source:
        Robins, Rotnitzky and Zhao (1994), Estimation of Regression Coefficients When Some Regressors Are Not
        Always Observed, with one model of the outcome for all treatments.
    """
    kept = cases.memory.get("constants")
    if kept is None or kept[1] != boosting or not np.array_equal(kept[0], assignment):
        found = _constants(cases, assignment, boosting)
        kept = cases.memory["constants"] = (assignment.copy(), boosting, found)
    known: Constants = kept[2]
    return known


def _constants(cases: Cases, assignment: Floats, boosting: Boosting) -> Constants:
    learned = learnable(cases)
    weight = 1.0 / assignment
    none, _ = _weighted_mean(cases.reward, weight, cases.action == 0)
    followed = cases.reward - _without_contact(cases, boosting)
    effect, own_variance, shared = np.array(
        [_uplift(cases, followed, weight, index) for index in learned[1:]]
    ).T
    own = [cases.playbook.treatments[index] for index in learned[1:]]
    channels, topics = [t.channel for t in own], [t.topic for t in own]
    found = pooled(effect, own_variance, channels, topics, shared=shared)
    uplift, error = np.append(0.0, found.effect), np.append(0.0, found.error)
    error = np.where(np.isinf(error), cases.reward.std(), error)  # nothing to compare with
    ripe = [(cases.action == index) & cases.matured for index in learned]
    positive = np.array([cases.responded[own].sum() for own in ripe])
    asked = np.array([own.sum() for own in ripe])
    evidence = cases.counts[learned]
    response = np.where(learned == 0, 0.0, (positive + 1.0) / (asked + 20.0))
    return Constants(learned, none + uplift, uplift, response, evidence, error, found.pool)


def _without_contact(cases: Cases, boosting: Boosting) -> Floats:
    """What would have followed without contact, by models that have not seen the account; shape (n,)."""
    only_alone = np.where(cases.action == 0, 1.0, np.inf)
    return Prognosis.of(cases, boosting).expected(cases.reward, only_alone, rounds=ROUGH_ROUNDS)


def _uplift(cases: Cases, followed: Floats, weight: Floats, index: int) -> tuple[float, float, float]:
    """Effect of a treatment beside no contact, and its variance by those treated and by those left alone."""
    among = cases.eligible[:, index]
    left_alone = among & (cases.action == 0)
    if not left_alone.any():
        return 0.0, np.inf, np.inf  # nobody to compare with: no effect of its own can be claimed
    treated, of_treated = _weighted_mean(followed, weight, among & (cases.action == index))
    alone, of_alone = _weighted_mean(followed, weight, left_alone)
    return treated - alone, of_treated, of_alone


def _weighted_mean(reward: Floats, weight: Floats, among: Bools) -> tuple[float, float]:
    """Self-normalised mean and the variance of it."""
    own, shares = reward[among], weight[among] / weight[among].sum()
    mean = float((own * shares).sum())
    return mean, float((shares**2 * (own - mean) ** 2).sum())
