"""Which treatments accounts like this one were given at all, in a form that serving can ask.

The behaviour model says it for the cases that were learned from. A forest over account and treatment repeats
its answer for any account at any moment, so that a release promotes what could be judged and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from engine.features import Features
from engine.records import Bools, Floats, Ints
from training.behaviour import Assignment, assignment_of, least_probability
from training.boosting import Boosting, each_pair, grow
from training.cases import Cases
from training.constants import LEAST_CASES
from training.splits import folds_of

PAIRS_OF_ONE = 4_000
"""Cases of a treatment that the forest looks at, at most."""
LEAVES, ROUNDS = 31, 80
RIGHT = 0.98
"""Share of the pairs called comparable that are, on accounts not seen; the bar is put where that holds."""
_FLOOR = 1e-4


@dataclass(frozen=True)
class Support:
    """What is comparable.

    Attributes:
        booster: Forest over account and treatment (`lightgbm.Booster`).
        least: Score from which on a pair is comparable.
        contacts: Treatments that it speaks of; all others are as eligible as they are.
    """

    booster: Any
    least: float
    contacts: Ints

    def comparable(self, features: Features, treatments: int) -> Bools:
        """Shape (n, treatments)."""
        found = np.ones((len(features.moments), treatments), dtype=np.bool_)
        found[:, self.contacts] = each_pair(self.booster, features, self.contacts) >= self.least
        return found

    def text(self) -> str:
        """The forest's text, for the release."""
        text: str = self.booster.model_to_string()
        return text


def learn_support(cases: Cases, assignment: Assignment, boosting: Boosting, *, seed: int) -> Support | None:
    """Repeat what a behaviour model without the day says is comparable; None = everything eligible is.

    A regression of the logarithm of the estimated probability, relative to the least that is believed, on
    account and treatment; where the probability was logged, all that there is to repeat is whether the pair
    is comparable. The bar is the lowest with which, on accounts not seen, at least `RIGHT` of what is called
    comparable is.

    Args:
        cases: What is learned from.
        assignment: Of those cases, with estimated probabilities.
        boosting: Seed and threads.
        seed: Of the split of accounts.
    """
    contacts = np.flatnonzero(cases.counts >= LEAST_CASES)
    contacts = contacts[contacts > 0]
    if assignment.estimates is None or not len(contacts):
        return None
    # What such accounts were given at any time: a release is asked later. Of part of a log in which all
    # probabilities can be true none is estimated; then what was found of the whole counts.
    undated = assignment_of(cases, boosting, seed=seed, dated=False)
    usual = assignment if undated.estimates is None else undated
    estimates = assignment.estimates if undated.estimates is None else undated.estimates
    rows, treatment = _pairs(cases, contacts)
    true = usual.comparable[rows, treatment]
    if not len(rows) or true.mean() >= RIGHT:
        return None
    least, known = np.log(least_probability(cases.eligible)[rows]), usual.known[rows]
    label = np.log(np.maximum(estimates[rows, treatment], _FLOOR)) - least
    label[known] = np.where(true, 0.0, np.log(_FLOOR) - least)[known]
    features = cases.take(rows).features.row_matrix(treatment)
    size = replace(boosting, rounds=ROUNDS, leaves=LEAVES, learning_rate=0.1)
    half = folds_of(cases.account_ids, 2, seed=seed)[rows] == 0
    trial = grow(features[half], label[half], cases.features.set, size)
    bar = _bar(trial.predict(features[~half]), true[~half])
    return Support(grow(features, label, cases.features.set, size), bar, contacts)


def _pairs(cases: Cases, contacts: Ints) -> tuple[Ints, Ints]:
    """Cases and treatments that were eligible there, evenly spread over the cases."""
    found = []
    for index in contacts:
        could = np.flatnonzero(cases.eligible[:, index])
        found.append(could[:: max(1, len(could) // PAIRS_OF_ONE)])
    return np.concatenate(found), np.repeat(contacts, [len(each) for each in found])


def _bar(score: Floats, true: Bools) -> float:
    """The lowest score from which on enough is comparable; above all scores where there is none."""
    order = np.argsort(-score, kind="stable")
    right = np.cumsum(true[order]) / np.arange(1, len(order) + 1)
    enough = np.flatnonzero(right >= RIGHT)
    return float(score[order[enough[-1]]]) if len(enough) else float(score.max(initial=0.0)) + 1.0
