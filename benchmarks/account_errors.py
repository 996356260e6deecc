"""How often an interval for the effect on one account holds the truth, with and without the account's error.

python -m benchmarks.account_errors --worlds randomised,hidden --learners linear,s_learner --seeds 3

A learner learns from 20,000 cases of a world of the quality bench. At moments of accounts that it has not
seen, each eligible contact's effect is told as 90 % intervals: with the standard error of the treatment's
mean effect alone, and with how far an account may be from it. A second row tells the same of accounts whose
attributes are all unknown. The truth is the world's.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import numpy as np

from benchmarks.quality.ours import assigned
from benchmarks.quality.worlds import Material, material
from engine.features import Features
from engine.readers import LEAST_SHARE
from engine.records import Floats
from training.account_errors import AccountErrors, hiding, learn_account_errors
from training.behaviour import Assignment
from training.boosting import Boosting, each_pair
from training.cases import Cases
from training.learners import LEARNERS, Fitted
from training.select import FOLDS, cross_fitted
from training.splits import HELD_OUT, folds_of, held_out

CASES = 20_000
WIDTH = 1.645


@dataclass(frozen=True)
class Told:
    """Of all eligible pairs of one world and learner.

    Attributes:
        learner: Its name.
        known: of attributes: "seen", or "unknown" where all were hidden.
        distance: Root mean square of what was said less the truth, in currency.
        mean_error, account_error: Standard errors on average: of the mean effect, and with the account's.
        holds_by_mean, holds: Share of the 90 % intervals with either that hold the truth.
        ranks: Correlation of the standard error with the distance, in the mean of the treatments: whether it
            knows which accounts it knows less of.
    """

    learner: str
    known: str
    distance: float
    mean_error: float
    account_error: float
    holds_by_mean: float
    holds: float
    ranks: float


def account_errors_of(
    cases: Cases, assignment: Assignment, learner: str, fitted: Fitted, boosting: Boosting
) -> AccountErrors | None:
    """As a training run learns them for the learner that it chose."""
    held = held_out(cases.account_ids, HELD_OUT, seed=boosting.seed)
    mine = cases.take(~held)
    folds = folds_of(mine.account_ids, FOLDS, seed=boosting.seed)
    of_it = {learner: LEARNERS[learner]}
    models = cross_fitted(of_it, mine, assignment.take(~held), folds, boosting)[learner].models
    return learn_account_errors(
        cases.take(held), models, fitted.constants.learned, boosting,
        share=1.0 - HELD_OUT, seed=boosting.seed,
    )  # fmt: skip


def told(world: str, learner: str, seed: int) -> tuple[Told, ...]:
    """Learn and compare in one world."""
    boosting, found = Boosting(seed=seed, threads=1), material(world, seed, CASES)
    cases = found.first(CASES)
    assignment = assigned(cases, seed)
    fitted = LEARNERS[learner].learn(cases, assignment.probability, boosting)
    errors = account_errors_of(cases, assignment, learner, fitted, boosting)
    seen = found.asked.features
    return tuple(
        Told(learner, known, *_compared(found, fitted, errors, features))
        for known, features in (("seen", seen), ("unknown", hiding(seen, np.True_)))
    )


def _compared(
    found: Material, fitted: Fitted, errors: AccountErrors | None, features: Features
) -> tuple[float, ...]:
    """The figures of `Told`."""
    contacts = fitted.constants.learned[1:]
    said = fitted.predict(features)
    eligible = found.asked.eligible[:, contacts]
    distance = np.abs((said[:, contacts] - said[:, :1]) - (found.asked.worth + found.cases.cost)[:, contacts])
    mean = np.broadcast_to(fitted.constants.error[1:], distance.shape)
    own = np.zeros(distance.shape)
    if errors is not None:
        own = errors.usual[1:] * np.maximum(each_pair(errors.booster, features, contacts), LEAST_SHARE)
    both = np.hypot(mean, own)
    return (
        float(np.sqrt((distance[eligible] ** 2).mean())),
        float(mean[eligible].mean()),
        float(both[eligible].mean()),
        float((distance <= WIDTH * mean)[eligible].mean()),
        float((distance <= WIDTH * both)[eligible].mean()),
        _correlation(both, distance, eligible),
    )


def _correlation(error: Floats, distance: Floats, eligible: Floats) -> float:
    columns = [np.flatnonzero(own) for own in eligible.T]
    pairs = [(error[rows, t], distance[rows, t]) for t, rows in enumerate(columns) if len(rows) > 1]
    found = [np.corrcoef(one, other)[0, 1] for one, other in pairs if min(one.std(), other.std()) > 0.0]
    return float(np.mean(found)) if found else float("nan")


def main() -> None:
    """Print a row per world, learner and what is known: means over seeds."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.account_errors", description=__doc__)
    parser.add_argument("--worlds", default="randomised,hidden")
    parser.add_argument("--learners", default="linear,s_learner")
    parser.add_argument("--seeds", type=int, default=3)
    given = parser.parse_args()
    print(
        "| world | learner | attributes | off by | mean's error | account's | held by mean's | held | ranks |"
    )
    print("|---|---|---|---|---|---|---|---|---|", flush=True)
    for world in given.worlds.split(","):
        for learner in given.learners.split(","):
            rows = [told(world, learner, seed) for seed in range(1, given.seeds + 1)]
            for same in zip(*rows, strict=True):
                print(_line(world, same), flush=True)


def _line(world: str, same: tuple[Told, ...]) -> str:
    def mean(name: str) -> float:
        return float(np.mean([getattr(each, name) for each in same]))

    return (
        f"| `{world}` | `{same[0].learner}` | {same[0].known} | {mean('distance'):.0f} | "
        f"{mean('mean_error'):.0f} | {mean('account_error'):.0f} | {mean('holds_by_mean'):.0%} | "
        f"{mean('holds'):.0%} | {mean('ranks'):.2f} |"
    )


if __name__ == "__main__":
    main()
