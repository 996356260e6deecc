"""Learners: from cases to what every treatment is expected to be worth, and to the files of a release.

One place to add a learner: a function decorated with `learner`. The contract tests run over the registry.
Complexity orders them: where two are equally good within the noise, the simpler one is chosen.

- best_fixed: every treatment is worth the same for all accounts. The bar that personalisation must pass.
- s_learner: one forest over account and treatment together; new messages inherit from channel and topic.
- t_learner: one forest per treatment with enough cases.

Source of the names: Kuenzel, Sekhon, Bickel and Yu (2019), Metalearners for Estimating Heterogeneous
Treatment Effects.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from engine.features import Features
from engine.pooling import Pool
from engine.records import Bools, Floats, Ints
from training.boosting import Boosting, each_pair, grow
from training.cases import Cases
from training.errors import TooFewCasesError
from training.pooling import pooled

LEAST_CASES = 50
"""A treatment with fewer cases is not learned: the playbook's starting values speak for it."""
LEAST_FOR_FOREST = 300
"""A treatment with fewer cases has no forest of its own in the T-learner, but a constant effect."""
LEAVES_APART = 7
"""Of a tree in the T-learner at most: each of its forests has only a part of the cases."""


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


@dataclass(frozen=True)
class Fitted(ABC):
    """What a learner has learned.

    Attributes:
        constants: What holds for all accounts alike.
        treatments: T, how many treatments the playbook has.
        boosters: File name in the release -> forest (`lightgbm.Booster`).
    """

    constants: Constants
    treatments: int
    boosters: Mapping[str, Any] = field(default_factory=dict)

    def predict(self, features: Features) -> Floats:
        """Expected worth of outcomes within the horizon, in currency; shape (n, T); NaN = not learned."""
        values = np.full((len(features.moments), self.treatments), np.nan)
        values[:, self.constants.learned] = self._learned_values(features)
        return values

    def texts(self) -> Mapping[str, str]:
        """File name -> forest text, for the release."""
        return {name: booster.model_to_string() for name, booster in self.boosters.items()}

    def importance(self) -> Mapping[str, float]:
        """Feature -> gain, summed over forests; empty where there is none."""
        gains: dict[str, float] = {}
        for booster in self.boosters.values():
            gain = booster.feature_importance(importance_type="gain")
            for name, added in zip(booster.feature_name(), gain, strict=True):
                gains[name] = gains.get(name, 0.0) + float(added)
        return gains

    @abstractmethod
    def _learned_values(self, features: Features) -> Floats:
        """Columns of `predict` for the treatments learned; shape (n, len(learned)), or one row for all."""


Learn = Callable[[Cases, Floats, Boosting], Fitted]
"""cases, assignment probabilities (n,), size of forests -> what was learned."""


@dataclass(frozen=True)
class Learner:
    """An entry of the registry. `complexity` grows: ties go to the simpler one."""

    name: str
    complexity: int
    learn: Learn


LEARNERS: dict[str, Learner] = {}


def learner(name: str, *, complexity: int) -> Callable[[Learn], Learn]:
    """Register a function as a learner."""

    def register(learn: Learn) -> Learn:
        LEARNERS[name] = Learner(name, complexity, learn)
        return learn

    return register


def learnable(cases: Cases) -> Ints:
    """Indices of "none" and the contacts with enough cases.

    Raises:
        TooFewCasesError: There is one action only, or nobody was ever left alone.
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
    return learned


def constants(cases: Cases, assignment: Floats) -> Constants:
    """Means by treatment, weighted by inverse assignment probabilities, effects pooled over treatments.

    A treatment is compared with no contact among the cases for which it was eligible, because those for
    which it was not may be another kind of account.
    """
    learned = learnable(cases)
    weight = 1.0 / assignment
    none, _ = _weighted_mean(cases.reward, weight, cases.action == 0)
    compared = np.array([_uplift(cases, weight, index) for index in learned])[1:]
    own = [cases.playbook.treatments[index] for index in learned[1:]]
    found = pooled(compared[:, 0], compared[:, 1], [t.channel for t in own], [t.topic for t in own])
    uplift, error = np.append(0.0, found.effect), np.append(0.0, found.error)
    error = np.where(np.isinf(error), cases.reward.std(), error)  # nothing to compare with
    positive = np.array([cases.responded[cases.action == index].sum() for index in learned])
    evidence = cases.counts[learned]
    response = np.where(learned == 0, 0.0, (positive + 1.0) / (evidence + 20.0))
    return Constants(learned, none + uplift, uplift, response, evidence, error, found.pool)


def _uplift(cases: Cases, weight: Floats, index: int) -> tuple[float, float]:
    """Effect of a treatment beside no contact, and its variance."""
    among = cases.eligible[:, index]
    left_alone = among & (cases.action == 0)
    if index == 0 or not left_alone.any():
        return 0.0, np.inf  # nobody to compare with: no effect of its own can be claimed
    treated, of_treated = _weighted_mean(cases.reward, weight, among & (cases.action == index))
    alone, of_alone = _weighted_mean(cases.reward, weight, left_alone)
    return treated - alone, of_treated + of_alone


def _weighted_mean(reward: Floats, weight: Floats, among: Bools) -> tuple[float, float]:
    """Self-normalised mean and the variance of it."""
    own, shares = reward[among], weight[among] / weight[among].sum()
    mean = float((own * shares).sum())
    return mean, float((shares**2 * (own - mean) ** 2).sum())


class FixedValues(Fitted):
    """Every treatment is worth the same for all."""

    def _learned_values(self, features: Features) -> Floats:
        return self.constants.value


@learner("best_fixed", complexity=0)
def learn_fixed(cases: Cases, assignment: Floats, boosting: Boosting) -> Fitted:
    """The mean of each treatment, its effect pooled with the others'."""
    return FixedValues(constants(cases, assignment), len(cases.treatments))


class OneForest(Fitted):
    """One forest over account and treatment together."""

    def _learned_values(self, features: Features) -> Floats:
        return each_pair(self.boosters["value.forest.txt"], features, self.constants.learned)


@learner("s_learner", complexity=1)
def learn_together(cases: Cases, assignment: Floats, boosting: Boosting) -> Fitted:
    """One regression of what followed on account and treatment."""
    known = constants(cases, assignment)
    usable = np.isin(cases.action, known.learned)
    rows = cases.features.row_matrix(cases.action)[usable]
    booster = grow(rows, cases.reward[usable], cases.features.set, boosting)
    return OneForest(known, len(cases.treatments), {"value.forest.txt": booster})


class ForestEach(Fitted):
    """A forest per treatment with enough cases; the others are no contact plus a constant effect."""

    def _learned_values(self, features: Features) -> Floats:
        columns: list[Floats] = []
        for index, uplift in zip(self.constants.learned, self.constants.uplift, strict=True):
            booster = self.boosters.get(_own_file(features.set.treatments[index]))
            own = booster is not None
            columns.append(
                each_pair(booster, features, np.array([index]))[:, 0] if own else columns[0] + uplift
            )
        return np.stack(columns, axis=1)


@learner("t_learner", complexity=2)
def learn_apart(cases: Cases, assignment: Floats, boosting: Boosting) -> Fitted:
    """A regression of what followed on the account, for each treatment alone; "none" always has one."""
    known = constants(cases, assignment)
    small = replace(boosting, leaves=min(boosting.leaves, LEAVES_APART))
    boosters = {}
    for index, evidence in zip(known.learned, known.evidence, strict=True):
        if index == 0 or evidence >= LEAST_FOR_FOREST:
            mine = cases.take(np.flatnonzero(cases.action == index))
            rows = mine.features.row_matrix(mine.action)
            boosters[_own_file(cases.treatments[index])] = grow(rows, mine.reward, cases.features.set, small)
    return ForestEach(known, len(cases.treatments), boosters)


def _own_file(treatment: str) -> str:
    return f"value.{treatment}.forest.txt"


LEAST_RESPONSES = 100
"""With fewer positive responses there is no response forest, only rates by treatment."""


def learn_response(cases: Cases, boosting: Boosting) -> str | None:
    """The text of a forest of P(positive response | account, treatment); None = too few responses."""
    contacts = (cases.action > 0) & np.isin(cases.action, learnable(cases))
    if min(cases.responded[contacts].sum(), (~cases.responded[contacts]).sum()) < LEAST_RESPONSES:
        return None
    rows = cases.features.row_matrix(cases.action)[contacts]
    label = cases.responded[contacts].astype(np.float64)
    booster = grow(rows, label, cases.features.set, boosting, objective="binary")
    text: str = booster.model_to_string()
    return text
