"""The ranking of somebody who learns again as outcomes come in, and bends its probabilities to the newest.

One split says how well an old model foretells; who is likely to buy drifts, and nobody keeps a model for a
year. Here every tenth of the later cases is foretold by what was known when it began and by nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from engine.records import Bools, Floats, Ints
from training.boosting import Boosting, grow
from training.cases import Cases
from training.evaluate import time_split
from training.ranking import LEAST_OF_EACH, Ranking, came_of, judged, log_odds

BLOCKS = 10
"""Parts of the later cases, each foretold by a model of its own."""
BENT_ON = 3
"""Parts before it, foretold in the same way, whose outcomes say how its probabilities are bent."""
LEARNED_FROM = 30_000
"""Of the cases known at most, each time; the newest are taken."""
LEAST_TO_BEND = 20
"""With fewer outcomes, or fewer cases without one, probabilities stay as they are."""
SLOPE_PRIOR = 20.0
"""Precision of the slope around 1 before anything was seen: a standard deviation of 0.22."""
NEWTON_STEPS, LONGEST_STEP = 60, 1.0


def rank_again(cases: Cases, boosting: Boosting, *, seed: int) -> Ranking | None:
    """Learn P(an outcome within the horizon) again before every tenth of the later cases, and bend it.

    Args:
        cases: Matured cases.
        boosting: Size of the forests.
        seed: Of the resamples.

    Returns:
        Figures of the later cases, `learned` being those known before the last tenth; None = too few cases
        with or without an outcome before the first.

    Source:
        Learned anew before each part: Dawid (1984), Statistical theory: the prequential approach. Bent: Platt
        (1999), Probabilistic outputs for support vector machines, with a prior around no change.
    """
    before, after = time_split(cases)
    later = _in_time(cases, after)
    if len(later) < BLOCKS:
        return None
    earlier = _in_time(cases, before)[-BENT_ON * (len(later) // BLOCKS) :]
    blocks = [*np.array_split(earlier, BENT_ON), *np.array_split(later, BLOCKS)]
    found = _Foretold(cases, came_of(cases), boosting, np.full(len(cases), np.nan))
    if any(not found.foretell(block) for block in blocks):
        return None
    expected = np.concatenate(
        [found.bent(blocks[place], blocks[place - BENT_ON : place]) for place in range(BENT_ON, len(blocks))]
    )
    last = found.known_before(blocks[-1])
    ids = tuple(cases.account_ids[row] for row in later)
    return judged(expected, found.came[later], ids, learned=found.came[last], seed=seed)


def _in_time(cases: Cases, among: Bools) -> Ints:
    rows = np.flatnonzero(among)
    ordered: Ints = rows[np.argsort(cases.as_of[rows], kind="stable")]
    return ordered


@dataclass(frozen=True)
class _Foretold:
    """What has been foretold so far: log odds of every case, NaN = not yet; shape (n,), filled in place."""

    cases: Cases
    came: Bools
    boosting: Boosting
    odds: Floats

    def known_before(self, block: Ints) -> Ints:
        """Cases whose outcomes were all known when the block began, the newest ones, in time."""
        return _in_time(self.cases, self.cases.over(self.cases.as_of[block].min()))[-LEARNED_FROM:]

    def foretell(self, block: Ints) -> bool:
        """By a forest of what was known before; False = that was too little."""
        known = self.known_before(block) if len(block) else block
        if min(self.came[known].sum(), (~self.came[known]).sum()) < LEAST_OF_EACH:
            return False
        learned, asked = self.cases.take(known), self.cases.take(block)
        forest = grow(
            learned.features.row_matrix(learned.action), self.came[known].astype(np.float64),
            learned.features.set, self.boosting, objective="binary",
        )  # fmt: skip
        self.odds[block] = log_odds(np.asarray(forest.predict(asked.features.row_matrix(asked.action))))
        return True

    def bent(self, block: Ints, earlier: Sequence[Ints]) -> Floats:
        """Probabilities of a block, bent by what came of the blocks before it; shape (len(block),)."""
        seen = np.concatenate(earlier)
        seen = seen[self.cases.over(self.cases.as_of[block].min())[seen]]
        shift, slope = 0.0, 1.0
        if min(self.came[seen].sum(), (~self.came[seen]).sum()) >= LEAST_TO_BEND:
            shift, slope = bend(self.odds[seen], self.came[seen])
        likely: Floats = 1.0 / (1.0 + np.exp(-(shift + slope * self.odds[block])))
        return likely


def bend(odds: Floats, came: Bools) -> tuple[float, float]:
    """Shift and slope of log odds that agree best with what came, the slope drawn towards 1.

    Args:
        odds: Log odds expected of cases that were not learned from; shape (n,).
        came: Whether there was an outcome; shape (n,).
    """
    known = np.stack([np.ones(len(odds)), odds], axis=1)
    prior, drawn = np.array([0.0, 1.0]), np.array([0.0, SLOPE_PRIOR])
    bent = prior.copy()
    for _ in range(NEWTON_STEPS):
        likely = 1.0 / (1.0 + np.exp(-np.clip(known @ bent, -30.0, 30.0)))
        uphill = known.T @ (came - likely) - drawn * (bent - prior)
        curve = (known * (likely * (1.0 - likely))[:, None]).T @ known + np.diag(drawn + 1e-9)
        bent = bent + np.clip(np.linalg.solve(curve, uphill), -LONGEST_STEP, LONGEST_STEP)
    return float(bent[0]), float(bent[1])
