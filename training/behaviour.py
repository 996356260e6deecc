"""How likely each logged treatment was: as logged, or from a model of who was given what.

The model is cross-fitted by account: no case's probability comes from a model that saw its account. What
nobody recorded (a representative's hunch) it cannot know, so values that rest on it are never more than
directional.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from data.progress import Progress, quiet
from engine.estimation import effective_sample_size
from engine.records import Bools, Floats, Ints
from training.boosting import Boosting, grow_named
from training.cases import Cases
from training.learners import LEAST_CASES
from training.splits import folds_of

LEAST_PROBABILITY = 0.01
"""Estimated probabilities are not believed below this: one case would count for more than a hundred."""
ROUNDS, LEAVES, FOLDS = 60, 15, 3


@dataclass(frozen=True)
class Assignment:
    """How the logged treatments came about.

    Attributes:
        probability: Of the treatment that was chosen, in (0, 1]; shape (n,).
        comparable: Whether the treatment could have been chosen at all in such a case; shape (n, T).
        estimated: Share of cases whose probability was not logged but estimated.
    """

    probability: Floats
    comparable: Bools
    estimated: float

    @property
    def logged(self) -> bool:
        """Whether every probability was logged."""
        return self.estimated == 0.0

    def take(self, rows: Bools | Ints) -> Assignment:
        """Some of the cases."""
        return replace(self, probability=self.probability[rows], comparable=self.comparable[rows])


def assignment_of(cases: Cases, boosting: Boosting, *, seed: int, progress: Progress = quiet) -> Assignment:
    """Logged probabilities where there are any, estimated ones for the other cases."""
    missing = np.isnan(cases.probability)
    enough = cases.counts >= LEAST_CASES
    if not missing.any():
        return Assignment(cases.probability, cases.eligible & enough, 0.0)
    estimated = estimate(cases, boosting, seed=seed, progress=progress)
    chosen = estimated[np.arange(len(cases)), cases.action]
    probability = np.where(missing, np.clip(chosen, LEAST_PROBABILITY, 1.0), cases.probability)
    likely = (estimated >= LEAST_PROBABILITY) | ~missing[:, None]
    return Assignment(probability, cases.eligible & enough & likely, float(missing.mean()))


def estimate(cases: Cases, boosting: Boosting, *, seed: int, progress: Progress = quiet) -> Floats:
    """P(treatment | what was known) for every case and treatment, cross-fitted by account; shape (n, T).

    Multinomial boosting over the account's own facts and those of all channels and topics. Treatments with
    few cases share one class and its probability.
    """
    rows, names, categories = _known(cases)
    classes, labels = _classes(cases)
    folds = folds_of(cases.account_ids, FOLDS, seed=seed)
    parameters = boosting.parameters("multiclass", len(cases)) | {
        "num_class": len(classes), "num_leaves": LEAVES, "learning_rate": 0.1, "feature_fraction": 0.3,
        "max_bin": 63,
    }  # fmt: skip
    found = np.zeros((len(cases), len(cases.treatments)))
    for fold in range(FOLDS):
        progress("assignment probabilities", fold, FOLDS)
        own, other = folds == fold, folds != fold
        if not own.any():
            continue
        booster = grow_named(
            rows[other], labels[other].astype(np.float64), names=names, categories=categories,
            parameters=parameters, rounds=ROUNDS,
        )  # fmt: skip
        predicted = booster.predict(rows[own])
        for code, members in enumerate(classes):
            found[np.ix_(own, members)] = predicted[:, code : code + 1] / len(members)
    progress("assignment probabilities", FOLDS, FOLDS)
    return found


def _known(cases: Cases) -> tuple[Floats, list[str], set[str]]:
    """What was known of the account, whatever the treatment: one row a case."""
    features, n = cases.features, len(cases)
    rows = np.concatenate(
        [features.account, features.channel.reshape(n, -1), features.topic.reshape(n, -1)], axis=1
    )
    names = [f"column_{place}" for place in range(rows.shape[1])]
    coded = [name in features.set.levels for name in features.set.account]
    return rows, names, {name for name, is_code in zip(names, coded, strict=False) if is_code}


def _classes(cases: Cases) -> tuple[list[list[int]], Ints]:
    """Treatments by class, the rare ones together in the last, and each case's class."""
    counts = cases.counts
    classes = [[int(index)] for index in np.flatnonzero(counts >= LEAST_CASES)]
    rare = [int(index) for index in np.flatnonzero((counts > 0) & (counts < LEAST_CASES))]
    classes += [rare] if rare else []
    label = np.zeros(len(counts), dtype=np.int64)
    for code, members in enumerate(classes):
        label[members] = code
    return classes, label[cases.action]


def overlap_by_treatment(cases: Cases, assignment: Assignment) -> list[tuple[str, int, float, float]]:
    """For each treatment with cases: id, cases, effective sample size of them, smallest probability."""
    table = []
    for index in np.flatnonzero(cases.counts):
        own = assignment.probability[cases.action == index]
        table.append(
            (
                cases.treatments[index],
                int(cases.counts[index]),
                effective_sample_size(1.0 / own),
                float(own.min()),
            )
        )
    return table
