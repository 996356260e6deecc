"""Learners that are forests of what followed: one over account and treatment, or one for each treatment.

Source:
    Kuenzel, Sekhon, Bickel and Yu (2019), Metalearners for Estimating Heterogeneous Treatment Effects.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from engine.features import Features
from engine.records import Floats
from training.boosting import Boosting, each_pair, grow
from training.cases import Cases
from training.constants import constants
from training.model_rows import ModelRows
from training.registry import Fitted, learner

LEAST_FOR_FOREST = 300
"""A treatment with fewer cases has no forest of its own in the T-learner, but a constant effect."""
LEAVES_APART = 7
"""Of a tree in the T-learner at most: each of its forests has only a part of the cases."""


class OneForest(Fitted):
    """One forest over account and treatment together."""

    def _learned_values(self, features: Features) -> Floats:
        return each_pair(self.boosters["value.forest.txt"], features, self.constants.learned)


@learner("s_learner", complexity=2)
def learn_together(cases: Cases, assignment: Floats, boosting: Boosting) -> Fitted:
    """One regression of what followed on account and treatment."""
    known = constants(cases, assignment, boosting)
    usable = np.isin(cases.action, known.learned)
    rows = ModelRows.of(cases.features, cases.action, np.flatnonzero(usable))
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


@learner("t_learner", complexity=4)
def learn_apart(cases: Cases, assignment: Floats, boosting: Boosting) -> Fitted:
    """A regression of what followed on the account, for each treatment alone; "none" always has one."""
    known = constants(cases, assignment, boosting)
    small = replace(boosting, leaves=min(boosting.leaves, LEAVES_APART))
    boosters = {}
    for index, evidence in zip(known.learned, known.evidence, strict=True):
        if index == 0 or evidence >= LEAST_FOR_FOREST:
            mine = np.flatnonzero(cases.action == index)
            rows = ModelRows.of(cases.features, cases.action, mine)
            booster = grow(rows, cases.reward[mine], cases.features.set, small)
            boosters[_own_file(cases.treatments[index])] = booster
    return ForestEach(known, len(cases.treatments), boosters)


def _own_file(treatment: str) -> str:
    return f"value.{treatment}.forest.txt"
