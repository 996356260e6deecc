"""Learners of effects: what would follow anyway is estimated apart, and what is left is the effect's.

`linear` adds up what traits do to all treatments, to a channel, to a topic. Pooling is in the columns: a new
message has its channel's and its topic's weights.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from engine.features import Features
from engine.linear import columns_of
from engine.readers import EFFECT_FOREST, WITHOUT_FOREST, Effects
from engine.records import Floats, Ints
from training.boosting import Boosting, each_pair, grow, raw_scores
from training.cases import Cases
from training.constants import Constants, constants
from training.design import design_of, prognostic
from training.interactions import (
    ROUNDS,
    STEPS,
    Fit,
    Problem,
    begin,
    effects,
    error_unseen,
    improved,
    problem_of,
    released,
    scores,
    with_likeliest_widths,
)  # fmt: skip
from training.model_rows import ModelRows
from training.pairs import with_clear_pairs
from training.prognosis import Prognosis, without_later_luck
from training.registry import Fitted, learner


@dataclass(frozen=True)
class EffectLayers(Fitted):
    """What follows without contact, by a forest, and effects by a linear score and perhaps a forest."""

    effects: Effects | None = None

    def arrays(self) -> Mapping[str, Floats | Ints]:
        """Those of the effects."""
        return {} if self.effects is None else self.effects.arrays()

    def _learned_values(self, features: Features) -> Floats:
        assert self.effects is not None
        learned = self.constants.learned
        places = np.arange(len(learned))
        nobody = features.row_matrix(np.zeros(len(features.moments), dtype=np.int64))
        without = raw_scores(self.boosters[WITHOUT_FOREST], nobody)
        score = self.effects.linear.predict_pairs(features, learned, places)
        if EFFECT_FOREST in self.boosters:
            score = score + each_pair(self.boosters[EFFECT_FOREST], features, learned)
        values = without[:, None] + self.effects.worth(score, places)
        values[:, 0] = without
        return values


@dataclass(frozen=True)
class _Found:
    """Linear effects, and what they were fitted to.

    Attributes:
        cases: Those of learned treatments.
        rows: Model rows of the treated ones.
        outcome: What followed, less the luck of later decisions; shape (n,).
        expected: Of it, without the effects; shape (n,).
    """

    cases: Cases
    known: Constants
    problem: Problem
    fit: Fit
    rows: Floats
    outcome: Floats
    expected: Floats

    def effect(self) -> Floats:
        """Of what was chosen, by the linear score; shape (n,)."""
        return _everybody(self.problem, effects(self.problem, self.fit, scores(self.problem, self.fit))[0])


@learner("linear", complexity=1)
def learn_linear(cases: Cases, assignment: Floats, boosting: Boosting) -> Fitted:
    """Traits by channel and topic, the mean effect of each treatment being that of `best_fixed`."""
    return _layers(_linear(cases, assignment, boosting), boosting)


def _linear(cases: Cases, assignment: Floats, boosting: Boosting) -> _Found:
    known = constants(cases, assignment, boosting)
    own = cases.take(np.isin(cases.action, known.learned))
    prognosis = Prognosis.of(own, boosting)
    mean = known.uplift[np.searchsorted(known.learned, own.action)]
    expected = prognosis.expected(own.reward - mean)
    rows = own.features.row_matrix(own.action)
    treated, everybody = rows[own.action > 0], prognostic(own.features.set, rows)
    nuisance = np.concatenate([np.ones((len(rows), 1)), columns_of(everybody, rows)], axis=1)
    others = (nuisance, prognosis.noise(own.reward - mean - expected))
    problem = problem_of(own, known, design_of(own.features.set, treated), treated, others)
    outcome = own.reward - expected
    tried = [_with_pairs(own, problem, treated, outcome, curved=curved) for curved in (False, True)]
    problem, fit = min(tried, key=lambda found: error_unseen(found[0], found[1], outcome))
    return _with_less_noise(_Found(own, known, problem, fit, treated, own.reward, expected), prognosis)


def _with_pairs(
    own: Cases, problem: Problem, rows: Floats, outcome: Floats, *, curved: bool
) -> tuple[Problem, Fit]:
    """Scores that are logarithms, or lines; with the pairs that are clear in what single traits leave."""
    fit = _fitted(problem, begin(problem, curved=curved), outcome)
    design = with_clear_pairs(problem, fit, outcome, rows)
    if not design.paired.any():
        return problem, fit
    wider = problem_of(own, problem.known, design, rows, (problem.nuisance, problem.noise))
    return wider, _fitted(wider, begin(wider, curved=curved), outcome)


def _fitted(problem: Problem, start: Fit, outcome: Floats) -> Fit:
    near = improved(problem, start, outcome, steps=STEPS)
    return improved(problem, with_likeliest_widths(problem, near, outcome), outcome, steps=STEPS // 2)


def _with_less_noise(found: _Found, prognosis: Prognosis) -> _Found:
    """Once more, on a better prognosis and without the luck of later decisions."""
    own, effect = found.cases, found.effect()
    expected = prognosis.expected(own.reward - effect, found.problem.noise)
    outcome = without_later_luck(own, effect, own.reward - effect - expected, prognosis)
    near = improved(found.problem, found.fit, outcome - expected, steps=STEPS // 2)
    best = with_likeliest_widths(found.problem, near, outcome - expected, rounds=2 * ROUNDS)
    fit = improved(found.problem, best, outcome - expected, steps=STEPS // 2)
    return replace(found, fit=fit, outcome=outcome, expected=expected)


def _everybody(problem: Problem, of_treated: Floats) -> Floats:
    """0 for those who were left alone; shape (n,)."""
    found = np.zeros(len(problem.fold))
    found[problem.treated] = of_treated
    return found


def _layers(found: _Found, boosting: Boosting) -> Fitted:
    """With the forest of what follows without contact, grown from everybody less the effects."""
    own, effect = found.cases, found.effect()
    nobody = ModelRows.of(own.features, 0)
    without = grow(nobody, found.outcome - effect, own.features.set, boosting)
    return EffectLayers(
        found.known, len(own.treatments), {WITHOUT_FOREST: without},
        effects=released(found.problem, found.fit),
    )  # fmt: skip
