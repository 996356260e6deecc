"""Whether stops of e-mails lie where e-mails tire, and whether what they are said to save is true.

python -m benchmarks.stopping --seeds 5                  e-mails tire in segment C alone
python -m benchmarks.stopping --seeds 5 --set fatigue=0  they tire nobody

A world is simulated with its future. A release is learned from what was stored before a moment, decides for
everybody at that moment under the shipped playbook, and what it says of a stop is held against the mean of
many ways in which the world may go on from there. Seeds from 2000 on were used to find the settings.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.account_errors import account_errors_of
from data.history import Snapshot
from data.home import Home
from data.ingest import ingest
from data.playbooks import read_playbook
from data.world import WorldSettings, simulate
from data.world.stopping import StopTruth, value_of_stopping
from engine.decide import decide
from engine.features import FeatureSet
from engine.playbook import Playbook
from engine.records import DAY_MICROS, Bools, Floats, Moments
from engine.scoring import LearnedScorer, learned_scorer
from training.behaviour import assignment_of
from training.boosting import Boosting
from training.cases import build_cases
from training.learners import LEARNERS
from training.maturing import matured
from training.release import manifest_of, parts_of, with_account_errors, with_stopping
from training.stopping import learn_stopping

MAILING = {"every_days": 7, "days": 420, "fatigue": 3.0, "fatigue_segment": "C"}
"""Decisions every week for more than a year; e-mails tire the half of the accounts that buy least."""
STOP = "stop_marketing_email"
BEFORE_THE_END = 80.0
"""Days from the moment asked about to the end of the world."""


@dataclass(frozen=True)
class Said:
    """What one world's stops are said to be worth and are, where rules allow one; shapes (n,), in currency.

    Whoever has opted out already has nothing to stop, whatever is said.

    Attributes:
        accounts: Of the world.
        listed: Whether the stop stands on the account's list.
        tired: Whether the account tires.
        worth, low, high: As said.
        truth, error: As it is, and its standard error.
    """

    accounts: int
    listed: Bools
    tired: Bools
    worth: Floats
    low: Floats
    high: Floats
    truth: Floats
    error: Floats

    def among(self, rows: Bools) -> Said:
        """Some of them."""
        return Said(self.accounts, *(part[rows] for part in self._parts))

    def by_group(self) -> Mapping[str, Said]:
        """Those on lists, those that may come onto one, and all, also where going on is worth more."""
        return {
            "on a list": self.among(self.listed),
            "lower end above 0": self.among(self.low > 0.0),
            "all": self,
        }

    @property
    def share(self) -> float:
        """Of the world's accounts."""
        return len(self.worth) / self.accounts

    @property
    def covered(self) -> Floats:
        """Whether each interval, widened by what is not known of the truth, holds the truth."""
        slack = 1.645 * self.error
        return ((self.low - slack <= self.truth) & (self.truth <= self.high + slack)).astype(np.float64)

    @property
    def _parts(self) -> tuple[Any, ...]:
        return self.listed, self.tired, self.worth, self.low, self.high, self.truth, self.error

    def line(self, name: str) -> str:
        """A row of the table."""
        if not len(self.worth):
            return f"| {name} | {self.accounts:,} | 0 (0.0 %) | - | - | - | - | - |"
        begin = f"| {name} | {self.accounts:,} | {len(self.worth):,} ({self.share:.1%}) |"
        return (
            f"{begin} {self.tired.mean():.0%} | "
            f"{self.worth.mean():.0f} ({self.low.mean():.0f} to {self.high.mean():.0f}) | "
            f"{self.truth.mean():.0f} | {self.covered.mean():.0%} | {(self.truth > 0).mean():.0%} |"
        )


def said_of(settings: WorldSettings, learner: str, boosting: Boosting, *, draws: int = 40) -> Said:
    """Learn, decide and compare in one world."""
    playbook, at = read_playbook("pharma"), settings.until_micros - round(BEFORE_THE_END * DAY_MICROS)
    with tempfile.TemporaryDirectory() as scratch:
        simulate(settings).write(Path(scratch) / "world")
        home = Home.at(Path(scratch) / "home")
        snapshot = ingest(Path(scratch) / "world", home, loaded_at=settings.until_micros).snapshot
        scorer = learned(snapshot, playbook, learner, boosting, at=at)
        stops = _stops(snapshot, playbook, scorer, at=at, seed=settings.seed)
    days = playbook.horizon("")
    truth = value_of_stopping(settings, since=at, days=days, loss=playbook.optout_loss, draws=draws)
    return _compared(stops, truth)


def learned(
    snapshot: Snapshot, playbook: Playbook, learner: str, boosting: Boosting, *, at: int
) -> LearnedScorer:
    """A release by one learner from what was stored before a moment, with opt-outs."""
    cases = matured(build_cases(snapshot, playbook, at=at))
    assignment = assignment_of(cases, boosting, seed=boosting.seed)
    fitted = LEARNERS[learner].learn(cases, assignment.probability, boosting)
    stopping = learn_stopping(snapshot, cases, fitted, boosting, at=at, seed=boosting.seed)
    parts = with_stopping(parts_of(fitted, cases, boosting), stopping)
    parts = with_account_errors(parts, account_errors_of(cases, assignment, learner, fitted, boosting))
    facts = {} if stopping is None else {"stopping": stopping.as_json()}
    manifest = manifest_of(learner, fitted, cases, "measured", facts)
    return learned_scorer(manifest, parts.texts, {"values": parts.arrays}, playbook)


def _stops(
    snapshot: Snapshot, playbook: Playbook, scorer: LearnedScorer, *, at: int, seed: int
) -> Mapping[str, tuple[float, float, float, bool]]:
    """Account -> worth and interval of a stop that rules allow, and whether it is listed, unless explored."""
    stop = [treatment.id for treatment in playbook.treatments].index(STOP)
    features, found = FeatureSet.of(playbook, snapshot.attributes), {}
    for bucket, history in snapshot.histories():
        moments = Moments.at(snapshot.account_ids(bucket), at)
        if not len(moments):
            continue
        made = decide(history, moments, playbook=playbook, features=features, scorer=scorer, seed=seed)
        worth = scorer.stop_worth(made.features, made.scores, stop)
        listed = (made.ranking.places == stop).any(axis=1) & (made.priority.priority[:, stop] > 0.0)
        for row in np.flatnonzero(made.objections.eligible[:, stop]) if worth is not None else ():
            said = (worth.worth, worth.low, worth.high)
            figures = (float(part[row]) for part in said)
            found[moments.account_ids[row]] = (*figures, bool(listed[row]))
    return found


def _compared(stops: Mapping[str, tuple[float, float, float, bool]], truth: StopTruth) -> Said:
    place = {account: row for row, account in enumerate(truth.account_ids)}
    rows = np.array([place[account] for account in stops], dtype=np.int64)
    worth, low, high, listed = np.array(list(stops.values()), dtype=np.float64).reshape(len(stops), 4).T
    return Said(
        len(place), listed > 0.0, truth.tires[rows], worth, low, high, truth.worth[rows], truth.error[rows]
    )


def together(found: list[Said]) -> Said:
    """Several worlds as if they were one."""
    parts = zip(*(each._parts for each in found), strict=True)
    return Said(sum(each.accounts for each in found), *map(np.concatenate, parts))


def main() -> None:
    """Print a row per seed, and one of all."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.stopping", description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument("--accounts", type=int, default=2_000)
    parser.add_argument("--learner", default="linear", choices=sorted(LEARNERS))
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="of the world")
    given = parser.parse_args()
    print(
        "| seed, stops | accounts | stops | in the tired segment | said to save | saves | held | right sign |"
    )
    print("|---|---|---|---|---|---|---|---|", flush=True)
    found = []
    for seed in range(given.first, given.first + given.seeds):
        values = MAILING | {"accounts": given.accounts, "seed": seed}
        settings = WorldSettings.written(given.set, **values)
        found.append(said_of(settings, given.learner, Boosting(seed=seed, threads=1)))
        _print(f"{seed}", found[-1])
    _print("together", together(found))


def _print(name: str, said: Said) -> None:
    for group, some in said.by_group().items():
        print(some.line(f"{name}, {group}"), flush=True)


if __name__ == "__main__":
    main()
