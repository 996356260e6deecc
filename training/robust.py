"""The doubly robust learner: one forest of effects, from predictions corrected by what was logged.

For a case with treatment a, probability p and outcome r, and any treatment t that it could have had,

    mu(t) - mu(none) + 1[a = t] (r - mu(t)) / p - 1[a = none] (r - mu(none)) / p

has the effect of t as its expectation when either the probabilities or the predictions mu are right. mu
comes from forests that have not seen the account; t is drawn at random among what was eligible, whatever was
chosen.

Source:
    Kennedy (2023), Towards optimal doubly robust estimation of heterogeneous causal effects.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from engine.linear import INTEGERS, Basis, Linear
from engine.readers import EFFECT_FOREST, WITHOUT_FOREST, Effects
from engine.records import Floats, Ints
from training.boosting import Boosting, grow, raw_scores
from training.cases import Cases
from training.constants import Constants, constants
from training.effects import EffectLayers
from training.registry import Fitted, learner
from training.splits import folds_of

FOLDS = 2
DRAWS = 2
"""Treatments that are asked about for each case."""


@learner("doubly_robust", complexity=3)
def learn_robust(cases: Cases, assignment: Floats, boosting: Boosting) -> Fitted:
    """A forest of corrected effects over account and treatment; the value without contact by its own."""
    known = constants(cases, assignment)
    usable = np.isin(cases.action, known.learned)
    own, probability = cases.take(usable), assignment[usable]
    asked, treatment = _asked(own, known, boosting.seed)
    of_it, of_none = _predicted(own, asked, treatment, boosting)
    chosen = own.action[asked]
    weight = 1.0 / probability[asked]
    corrected = of_it - of_none
    corrected += np.where(chosen == treatment, weight * (own.reward[asked] - of_it), 0.0)
    corrected -= np.where(chosen == 0, weight * (own.reward[asked] - of_none), 0.0)
    rows = own.take(asked).features.row_matrix(treatment)
    mean = known.uplift[np.searchsorted(known.learned, treatment)]
    effect = grow(rows, corrected - mean, own.features.set, boosting)
    alone = own.take(own.action == 0)
    without = grow(alone.features.row_matrix(alone.action), alone.reward, own.features.set, boosting)
    boosters = {WITHOUT_FOREST: without, EFFECT_FOREST: effect}
    effects = _unscaled(known, own.features.set.names)
    return EffectLayers(known, len(cases.treatments), boosters, effects=effects)


def _asked(cases: Cases, known: Constants, seed: int) -> tuple[Ints, Ints]:
    """Pairs of a case and a learned contact that was eligible there, drawn at random."""
    draw = np.random.Generator(np.random.PCG64(seed))
    contacts = known.learned[1:]
    eligible = cases.eligible[:, contacts]
    among = np.flatnonzero(eligible.any(axis=1))
    places = []
    for _ in range(DRAWS):
        order = np.where(eligible[among], draw.random((len(among), len(contacts))), -1.0)
        places.append(contacts[order.argmax(axis=1)])
    return np.tile(among, DRAWS), np.concatenate(places)


def _predicted(cases: Cases, asked: Ints, treatment: Ints, boosting: Boosting) -> tuple[Floats, Floats]:
    """What is expected with the treatment asked about and without contact; shapes (len(asked),)."""
    folds = folds_of(cases.account_ids, FOLDS, seed=boosting.seed)
    of_it, of_none = np.zeros(len(asked)), np.zeros(len(asked))
    for fold in range(FOLDS):
        others, mine = np.flatnonzero(folds != fold), np.flatnonzero(folds[asked] == fold)
        if not len(others):
            others = np.arange(len(cases))
        learned = cases.take(others)
        rows = learned.features.row_matrix(learned.action)
        forest = grow(rows, learned.reward, cases.features.set, boosting)
        features = cases.take(asked[mine]).features
        of_it[mine] = raw_scores(forest, features.row_matrix(treatment[mine]))
        of_none[mine] = raw_scores(forest, features.row_matrix(np.zeros(len(mine), dtype=np.int64)))
    return of_it, of_none


def _unscaled(known: Constants, names: tuple[str, ...]) -> Effects:
    """Effects that are the treatment's mean plus the forest's score, in currency."""
    count = len(known.learned)
    empty: dict[str, Any] = {
        name: np.zeros(0, dtype=np.int64 if name in INTEGERS else np.float64) for name in Basis._fields
    }
    linear = Linear(names, Basis(**empty), np.zeros(count), np.zeros((0, count)))
    return Effects(linear, known.uplift, np.ones(count), np.zeros(count, dtype=np.bool_))
