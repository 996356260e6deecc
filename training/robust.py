"""The doubly robust learner: mean effects corrected by what was logged, and a forest of what accounts add.

A correction by 1 / p of single accounts is mostly noise where there are many treatments: of 25, one case in
25 speaks of a given one, with 25 times the weight. On average over accounts it is not, so the mean effect of
each treatment is doubly robust (`training.constants`): right if either the probabilities or the prognosis
are. How accounts differ from that mean rests on the prognosis: what would be expected given all that was
known is deducted, and the treated cases speak of the rest. An error of the prognosis counts as far as those
who were treated have it more than others, so it is made twice, the second time on outcomes less the effects
so far.

Source:
    Robins, Rotnitzky and Zhao (1994) for the means; Künzel, Sekhon, Bickel and Yu (2019), Metalearners for
    estimating heterogeneous treatment effects, whose X-learner regresses what the treated have beyond what
    they would have had.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from engine.linear import INTEGERS, Basis, Linear
from engine.readers import EFFECT_FOREST, WITHOUT_FOREST, Effects
from engine.records import Floats, Ints
from training.boosting import Boosting, Columns, check_names, each_pair, grow, raw_scores
from training.cases import Cases
from training.constants import Constants, constants
from training.effects import EffectLayers
from training.model_rows import ModelRows
from training.prognosis import Prognosis, without_later_luck
from training.registry import Fitted, learner

PASSES = 2
LOOKED_AT = 50_000
"""Cases at most, for the usual score of a treatment."""
LEAST_IN_LEAF, MOST_IN_LEAF = 20, 300


@learner("doubly_robust", complexity=3)
def learn_robust(cases: Cases, assignment: Floats, boosting: Boosting) -> Fitted:
    """A forest of effects beyond each treatment's mean; the value without contact by a forest of its own."""
    known = constants(cases, assignment, boosting)
    own = cases.take(np.isin(cases.action, known.learned))
    check_names(own.features.set)
    mean = known.uplift[np.searchsorted(known.learned, own.action)]
    forest, effect, outcome = _effects(own, mean, boosting)
    nobody = ModelRows.of(own.features, 0)
    without = grow(nobody, outcome - effect, own.features.set, boosting)
    boosters = {WITHOUT_FOREST: without, EFFECT_FOREST: forest}
    effects = _unscaled(known, own.features.set.names, _mean_scores(own, known, forest))
    return EffectLayers(known, len(cases.treatments), boosters, effects=effects)


def _effects(own: Cases, mean: Floats, boosting: Boosting) -> tuple[Any, Floats, Floats]:
    """The forest, the effect of what was chosen, and what followed less later luck; shapes (n,).

    Args:
        own: Cases of learned treatments.
        mean: Mean effect of what was chosen; shape (n,).
        boosting: Size and seed.
    """
    prognosis = Prognosis.of(own, boosting)
    treated = np.flatnonzero(own.action > 0)
    columns = _columns(own, treated)
    forest, noise, effect, outcome = None, None, mean, own.reward
    for _ in range(PASSES):
        expected = prognosis.expected(own.reward - effect, noise)
        rest = own.reward - effect - expected
        if noise is None:
            noise = prognosis.noise(rest)
        else:
            outcome = without_later_luck(own, effect, rest, prognosis)
        label = (outcome - expected - mean)[treated]
        forest = columns.grow(
            np.arange(len(treated)), label, _size(boosting, len(treated)), 2 * boosting.rounds,
            1.0 / noise[treated] ** 2,
        )  # fmt: skip
        effect = mean.copy()
        effect[treated] += raw_scores(forest, columns.rows)
    return forest, effect, outcome


def _mean_scores(own: Cases, known: Constants, forest: Any) -> Floats:
    """Of each treatment among those who could have had it, evenly spread; they are deducted; 0 where nobody
    could, by today's policies; shape (m,)."""
    some = own.take(np.arange(0, len(own), max(1, len(own) // LOOKED_AT)))
    scores = each_pair(forest, some.features, known.learned)
    could = some.eligible[:, known.learned] & (known.learned > 0)
    found: Floats = (scores * could).sum(axis=0) / np.maximum(could.sum(axis=0), 1)
    return found


def _columns(own: Cases, treated: Ints) -> Columns:
    features = own.features.set
    return Columns(ModelRows.of(own.features, own.action, treated), features.names, features.levels)


def _size(boosting: Boosting, n: int) -> dict[str, Any]:
    """Larger trees than for outcomes: what differs between accounts anyway has been deducted."""
    return boosting.parameters("regression", n) | {
        "num_leaves": 2 * boosting.leaves + 1,
        "feature_fraction": 0.5,
        "min_data_in_leaf": int(np.clip(n / 200, LEAST_IN_LEAF, MOST_IN_LEAF)),
    }


def _unscaled(known: Constants, names: tuple[str, ...], usual: Floats) -> Effects:
    """Effects that are the treatment's mean plus the forest's score beyond its usual one, in currency."""
    count = len(known.learned)
    empty: dict[str, Any] = {
        name: np.zeros(0, dtype=np.int64 if name in INTEGERS else np.float64) for name in Basis._fields
    }
    linear = Linear(names, Basis(**empty), np.zeros(count), np.zeros((0, count)))
    return Effects(linear, known.uplift - usual, np.ones(count), np.zeros(count, dtype=np.bool_))
