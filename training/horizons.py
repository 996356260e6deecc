"""Horizons by issue on one clock: what a slow and a quick treatment caused, comparable with each other.

Education works slower than an offer, so outcomes count within the horizon of a treatment's issue. But the
outcomes of 90 days after one contact and of 30 days after another are not comparable: an account buys in 60
days more whatever was done. What is comparable is each effect beside no contact *within its own horizon*.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from engine.playbook import Playbook
from engine.records import Bools, Floats, Ints
from training.behaviour import Assignment
from training.boosting import Boosting, grow, raw_scores
from training.cases import Cases
from training.learners import LEAST_CASES
from training.model_rows import ModelRows
from training.splits import folds_of

FOLDS = 3
SMALL = {"rounds": 80, "leaves": 7, "learning_rate": 0.05}


def own_window(playbook: Playbook, windows: tuple[float, ...]) -> Ints:
    """Place of each treatment's horizon among the windows; 0, the general one, for no contact and stops."""
    return np.array(
        [windows.index(playbook.horizon(t.issue)) if t.kind == "contact" else 0 for t in playbook.treatments],
        dtype=np.int64,
    )


def on_one_clock(cases: Cases, assignment: Assignment, boosting: Boosting, *, seed: int) -> Cases:
    """The cases with rewards that compare over horizons.

    A case of a treatment with horizon h has as its reward the worth Y_h within h, plus what no contact would
    bring between h and the general horizon H: Y_h + E[Y_H - Y_h | no contact, what was known]. Its
    expectation is then E[Y_H | no contact] + (E[Y_h | treatment] - E[Y_h | no contact]): the general level
    without contact and the effect within the treatment's own horizon, so that differences between arms are
    the effects, each on its own clock. Cases without contact keep Y_H.

    The expectation is a forest over the cases left alone, cross-fitted by account, shifted so that its error
    averages to zero over them with weights 1 / p: right on average if either the forest or p is.

    Args:
        cases: With the worth within every window.
        assignment: Of those cases.
        boosting: Seed and threads.
        seed: Of the folds.
    """
    if len(cases.windows) == 1:
        return cases
    own = own_window(cases.playbook, cases.windows)[cases.action]
    reward = cases.within[np.arange(len(cases)), own]
    for place in range(1, len(cases.windows)):
        mine = own == place
        if mine.any():
            gap = cases.within[:, 0] - cases.within[:, place]
            reward[mine] += _left_alone(cases, gap, assignment.probability, mine, boosting, seed)[mine]
    return replace(cases, reward=reward)


def _left_alone(  # noqa: PLR0917 - one step of the above
    cases: Cases, gap: Floats, probability: Floats, mine: Bools, boosting: Boosting, seed: int
) -> Floats:
    """E[gap | no contact, what was known] for the cases without contact and those asked for; else 0."""
    alone, folds = cases.action == 0, folds_of(cases.account_ids, FOLDS, seed=seed)
    expected = np.zeros(len(cases))
    for fold in np.unique(folds):
        learned, asked = alone & (folds != fold), (alone | mine) & (folds == fold)
        if learned.sum() < LEAST_CASES:
            learned = alone
        if not asked.any() or not learned.any():
            continue
        rows = ModelRows.of(cases.features, 0, np.flatnonzero(learned))
        size = replace(boosting, **SMALL)  # type: ignore[arg-type]
        booster = grow(rows, gap[learned], cases.features.set, size)
        expected[asked] = raw_scores(booster, ModelRows.of(cases.features, 0, np.flatnonzero(asked)))
    weight = alone / probability
    shift = float(((gap - expected) * weight).sum() / max(weight.sum(), 1e-12))
    found: Floats = expected + shift
    return found
