"""What follows whatever is done, and how much of it is the luck of later decisions.

Most of what differs between accounts is not caused by contacts, and part of what is caused within the window
is caused by later ones. Both are noise to whoever asks what this decision does. Neither is removed from the
estimand: what is deducted has, given what was known, the same expectation whatever was decided.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.records import DAY_MICROS, Floats, Ints
from training.boosting import Boosting, Columns
from training.cases import Cases
from training.splits import clusters_of, folds_of

FOLDS = 2
BINS = 6
"""Of the window, by when the later decision was taken: an effect that begins late has less time to arrive."""
ROUGH_ROUNDS = 40
"""Trees where the answer is only a weight, or has no noise of its own."""
LEAST_NOISE = 0.1
"""Of the mean variance: no case is believed to be more certain."""
LEAST_DECISIONS = 500
"""Fewer later decisions do not say how much of their effect falls into the window."""


@dataclass(frozen=True)
class Prognosis:
    """Expectations given everything that was known at an occasion, its time included, and no treatment.

    Attributes:
        columns: What was known.
        folds: Of each case, by account; shape (n,).
        boosting: Size and seed of its forests.
    """

    columns: Columns
    folds: Ints
    boosting: Boosting

    @classmethod
    def of(cls, cases: Cases, boosting: Boosting) -> Prognosis:
        """For the occasions of some cases."""
        rows, names, categories = everything_known(cases)
        folds = folds_of(cases.account_ids, FOLDS, seed=boosting.seed)
        return cls(Columns(rows, names, categories), folds, boosting)

    def expected(self, followed: Floats, noise: Floats | None = None, *, rounds: int = 0) -> Floats:
        """E(what followed | what was known), from models that have not seen the account; shape (n,).

        With the standard deviation of the noise of each case, quiet ones count for more. Where a rough
        answer does, it is found in fewer `rounds`.
        """
        weight = None if noise is None else 1.0 / noise**2
        found = np.full(len(followed), float(followed.mean()))
        parameters = self.boosting.parameters("regression", len(followed)) | {
            "num_leaves": 2 * self.boosting.leaves + 1, "learning_rate": 2 * self.boosting.learning_rate,
            "feature_fraction": 0.5, "min_data_in_leaf": int(min(max(len(followed) / 1000, 20), 100)),
        }  # fmt: skip
        most = self.boosting.rounds
        for fold in range(FOLDS):
            own, others = np.flatnonzero(self.folds == fold), np.flatnonzero(self.folds != fold)
            if len(own) and len(others):
                forest = self.columns.grow(
                    others, followed[others], parameters, min(rounds or most, most), weight
                )
                found[own] = forest.predict(self.columns.rows[own])
        return found

    def noise(self, rest: Floats) -> Floats:
        """Standard deviation of what is left of outcomes, given what was known; shape (n,).

        Of large accounts everything is larger, its chance too; without this they would decide alone.
        """
        mean = float((rest**2).mean())
        return np.sqrt(
            np.maximum(self.expected(rest**2, rounds=ROUGH_ROUNDS), max(LEAST_NOISE * mean, 1e-12))
        )


def everything_known(cases: Cases) -> tuple[Any, list[str], set[str]]:
    """One row a case: the account's facts, those of all channels and topics, and last the day; 32 bits do."""
    features, n = cases.features, len(cases)
    day = (cases.as_of / DAY_MICROS)[:, None]
    blocks = (features.account, features.channel.reshape(n, -1), features.topic.reshape(n, -1), day)
    rows = np.concatenate([block.astype(np.float32) for block in blocks], axis=1)
    names = [f"column_{place}" for place in range(rows.shape[1])]
    texts = {
        name for name, own in zip(names, features.set.account, strict=False) if own in features.set.levels
    }
    return rows, names, texts


def without_later_luck(cases: Cases, effect: Floats, followed: Floats, prognosis: Prognosis) -> Floats:
    """What followed, less what later decisions of the account within the window happened to cause.

    A later decision caused more or less than decisions at such an occasion do on average. That difference has
    expectation 0 given everything known then, and so given this decision: to deduct it, times anything, adds
    no bias to the effect of deciding now and then as logged. How much of it falls into this window is
    estimated by regression, by the days in between.

    Args:
        cases: All occasions of their accounts, matured or not, that are known; later ones that are missing
            have no luck to deduct.
        effect: Estimated worth caused by what was chosen; shape (n,).
        followed: What followed, less `effect`, less its expectation; shape (n,).
        prognosis: Of those cases.

    Returns:
        `cases.reward` less the estimated luck; shape (n,).

    Source:
        Jiang and Li (2016), Doubly Robust Off-policy Value Evaluation for Reinforcement Learning, whose
        estimate under the logging policy itself this is; the idea of a control variate is older.
    """
    luck = _later(cases, effect - prognosis.expected(effect, rounds=ROUGH_ROUNDS))
    if (luck != 0.0).any(axis=1).sum() < LEAST_DECISIONS:
        return cases.reward
    centred = luck - luck.mean(axis=0)
    share, *_ = np.linalg.lstsq(centred, followed, rcond=None)
    less: Floats = cases.reward - centred @ np.clip(share, 0.0, 1.0)
    return less


def _later(cases: Cases, luck: Floats) -> Floats:
    """Sum of the luck of later occasions of the same account, by days in between; shape (n, BINS)."""
    account = clusters_of(cases.account_ids)
    order = np.lexsort((cases.as_of, account))
    account, at, ordered = account[order], cases.as_of[order], luck[order]
    window = int(cases.horizon_days * DAY_MICROS)
    found = np.zeros((len(luck), BINS))
    for step in range(1, len(luck)):
        between = at[step:] - at[:-step]
        rows = np.flatnonzero((account[step:] == account[:-step]) & (between < window))
        if not len(rows):
            break
        bins = between[rows] * BINS // window
        found[order[rows], bins] += ordered[rows + step]
    return found
