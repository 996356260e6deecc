"""What the product would do with some cases, and what each of its learners would do alone.

The product: select on the accounts that training does not hold out, then learn once more from all cases, as a
training run does; it chooses what is worth most net of cost among what is eligible and, where past assignment
was estimated, comparable. Policies of the playbook, plans and exploration are left out: they are the same
whoever learned.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from importlib.metadata import version

import numpy as np

from benchmarks.quality.worlds import Asked
from data.progress import Progress, quiet
from engine.records import Bools, Floats, Ints
from training.behaviour import Assignment, assignment_of
from training.boosting import Boosting, grow_named, raw_scores
from training.cases import Cases
from training.learners import LEARNERS, LEAST_CASES
from training.select import greedy, select
from training.splits import HELD_OUT, held_out
from training.support import learn_support

PRODUCT = "product"
PLAIN = "lightgbm_t"
"""LightGBM with its defaults, a regression per treatment: the yardstick of the worlds."""


@dataclass(frozen=True)
class Choice:
    """What somebody chose at the moments asked; shape (n,)."""

    who: str
    choice: Ints
    seconds: float
    note: str = ""


def names() -> tuple[str, ...]:
    """Everybody that `choices` answers for."""
    return (PRODUCT, *LEARNERS, PLAIN)


def versions() -> dict[str, str]:
    """Of what ours rests on."""
    return {name: version(name) for name in ("lightgbm", "numpy", "numba", "polars")}


def assigned(cases: Cases, seed: int) -> Assignment:
    """Probabilities as logged or estimated, with one thread."""
    return assignment_of(cases, Boosting(seed=seed, threads=1), seed=seed)


def choices(
    cases: Cases,
    assignment: Assignment,
    asked: Asked,
    who: Collection[str],
    *,
    seed: int,
    progress: Progress = quiet,
) -> Iterator[Choice]:
    """The choices of learners, of the product and of the yardstick.

    Args:
        cases: To learn from.
        assignment: Of those cases.
        asked: Moments at which to choose.
        who: Of `names()`; nothing is learned for anybody else. The product selects among all learners and
            costs several times what they do.
        seed: Of splits, forests and resamples.
        progress: Called with (stage, done, of).
    """
    boosting, learned = Boosting(seed=seed, threads=1), {}
    may = promoted(cases, assignment, asked, seed=seed)

    def of_learner(name: str) -> Choice:
        started = time.process_time()
        fitted = LEARNERS[name].learn(cases, assignment.probability, boosting)
        values = np.where(may, fitted.predict(asked.features), np.nan)
        return Choice(name, _best(values, cases, asked), time.process_time() - started)

    mine = [name for name in LEARNERS if name in who]
    for done, name in enumerate(mine):
        progress("learning", done, len(mine))
        learned[name] = of_learner(name)
        yield learned[name]
    progress("learning", len(mine), len(mine))
    if PRODUCT in who:
        started = time.process_time()
        kept = ~held_out(cases.account_ids, HELD_OUT, seed=seed)
        found = select(cases.take(kept), assignment.take(kept), boosting, seed=seed, progress=progress)
        seconds = time.process_time() - started
        chosen = learned.get(found.chosen) or of_learner(found.chosen)
        yield replace(chosen, who=PRODUCT, seconds=seconds + chosen.seconds, note=found.chosen)
    if PLAIN in who:
        started = time.process_time()
        values = plain_t_learner(cases, asked)
        yield Choice(PLAIN, _best(values, cases, asked), time.process_time() - started)


def promoted(cases: Cases, assignment: Assignment, asked: Asked, *, seed: int) -> Bools:
    """What a release would promote of what is eligible: all, or what such accounts were given; (n, T)."""
    support = learn_support(cases, assignment, Boosting(seed=seed, threads=1), seed=seed)
    if support is None:
        return np.ones(asked.eligible.shape, dtype=np.bool_)
    return support.comparable(asked.features, asked.eligible.shape[1])


def plain_t_learner(cases: Cases, asked: Asked) -> Floats:
    """Worth of every treatment by LightGBM's defaults: 100 trees of 31 leaves, rate 0.1, for each alone."""
    columns = cases.features.set
    values = np.full(asked.eligible.shape, np.nan)
    for index in np.flatnonzero(cases.counts >= LEAST_CASES):
        mine = cases.take(cases.action == index)
        forest = grow_named(
            mine.features.row_matrix(mine.action), mine.reward,
            names=[f"column_{place}" for place in range(len(columns.names))],
            categories={f"column_{p}" for p, name in enumerate(columns.names) if name in columns.levels},
            parameters={"num_threads": 1, "verbosity": -1, "seed": 1}, rounds=100,
        )  # fmt: skip
        everyone = np.full(len(values), index, dtype=np.int64)
        values[:, index] = raw_scores(forest, asked.features.row_matrix(everyone))
    return values


def _best(values: Floats, cases: Cases, asked: Asked) -> Ints:
    best: Ints = greedy(values, cases.cost, asked.eligible).argmax(axis=1)
    return best
