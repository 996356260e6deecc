"""Whether the product's own certainty can be believed: gains claimed where there are none, and coverage.

Zero worlds: a whole training run, and whether it claims a gain. Coverage: policies fixed beforehand are
valued from logs of a few hundred accounts: does the interval hold what they are truly worth among
thousands of accounts like those.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.quality.ours import assigned
from benchmarks.quality.results import CERTAINTY, Results, code_of, commit
from benchmarks.quality.worlds import preset, stored
from data.playbooks import read_playbook
from data.progress import Progress
from data.world import World, WorldSettings, simulate
from engine.clusters import Uncertainty
from engine.estimation import Interval, doubly_robust_terms, snips_terms
from engine.records import DAY_MICROS, Bools, Floats
from training.boosting import Boosting
from training.cases import Cases, build_cases
from training.evaluate import claims_gain, evaluate, uncertainty_of
from training.learners import LEARNERS
from training.maturing import matured
from training.select import logged_of, net_model, select
from training.splits import HELD_OUT, held_out
from training.support import learn_support

ZERO_WORLDS = ("zero", "zero_logged", "zero_unlogged")
ZERO_ACCOUNTS = 600
COVERED_WORLDS = ("randomised", "logged")
LOGGED_ACCOUNTS, ALL_ACCOUNTS = 600, 8_000
"""Of whom there is a log, and who there are: half of the log serves the model of the reward."""
AS_SHOWN = ", as shown"
"""Intervals that may hold the truth more often than 95 %: that persons are alike is not known beforehand."""
EMAIL, VISIT, CALL = "email_efficacy", "visit_efficacy", "call_dosing"


def claimed(name: str, seed: int) -> dict[str, object]:
    """Whether a training run in a world claims a gain by personalisation, and which learner it chose.

    Also what a claim needs: the verdict, and whether the lower bounds of its gain beyond the best fixed
    action and beyond contacting nobody lie above zero. Where evidence is limited nothing is claimed whatever
    the bounds say, so a rate of claims alone would not show that the bounds are right. The gain beyond nobody
    tells whether another code has measured the same.
    """
    settings = WorldSettings.named(**{"accounts": ZERO_ACCOUNTS, "seed": seed} | dict(preset(name).settings))
    cases = _cases(simulate(settings))
    boosting, assignment = Boosting(seed=seed, threads=1), assigned(cases, seed)
    held = held_out(cases.account_ids, HELD_OUT, seed=seed)
    mine, likely = cases.take(~held), assignment.take(~held)
    chosen = select(mine, likely, boosting, seed=seed).chosen
    needed = {chosen, "best_fixed", "s_learner"}  # the last is the reward model of every value
    fitted = {key: LEARNERS[key].learn(mine, likely.probability, boosting) for key in sorted(needed)}
    support = learn_support(mine, likely, boosting, seed=seed)
    judged = evaluate(cases.take(held), assignment.take(held), fitted, seed=seed, support=support)
    value = judged.evaluation.of(chosen)
    gap = value.versus_fixed if chosen != "best_fixed" else None
    return {
        "claimed": claims_gain(judged.evaluation, chosen), "chosen": chosen, "cases": len(cases),
        "verdict": value.verdict.level, "above_fixed": gap is not None and gap.low > 0.0,
        "above_nobody": value.versus_nobody.low > 0.0, "gain": value.versus_nobody.estimate,
    }  # fmt: skip


def covered(name: str, seed: int) -> dict[str, object]:
    """Which intervals of fixed policies' values hold the truth, by policy and estimator.

    By account, as where the system carries everything out; and as the product shows it here: the wider of
    that and the one by person, of whom eight serve these accounts with the same skill.
    """
    settings = WorldSettings.named(**{"accounts": ALL_ACCOUNTS, "seed": seed} | dict(preset(name).settings))
    world = simulate(settings)
    cases = _cases(_some(world, LOGGED_ACCOUNTS))
    assignment = assigned(cases, seed)
    half = held_out(cases.account_ids, 0.5, seed=seed)
    learned = LEARNERS["s_learner"].learn(
        cases.take(~half), assignment.probability[~half], Boosting(seed=seed, threads=1)
    )
    mine = cases.take(half)
    logged, model = (
        logged_of(mine, assignment.take(half)), net_model(learned.predict(mine.features), mine.cost),
    )  # fmt: skip
    by_account = Uncertainty.of(logged.cluster, None, seed=seed)
    shown, truly = uncertainty_of(mine, seed=seed), _truly(world)
    held = {}
    for policy, target in _policies(mine).items():
        doubly, own = doubly_robust_terms(logged, target, model), snips_terms(logged, target)
        held[f"{policy}, doubly robust"] = _holds(by_account.interval(doubly), truly[policy])
        held[f"{policy}, SNIPS"] = _holds(by_account.interval(own), truly[policy])
        held[f"{policy}{AS_SHOWN}"] = _holds(shown.interval(doubly), truly[policy])
    return {"covered": held}


def measure(
    what: str, worlds: Iterable[str], seeds: Iterable[int], results: Results, progress: Progress
) -> None:
    """Append what is missing of "claim" or "coverage" to the results."""
    code = code_of(CERTAINTY)
    wanted = [(world, seed) for seed in seeds for world in worlds]
    for done, (world, seed) in enumerate(wanted):
        progress(what, done, len(wanted))
        there = {(line["world"], line["seed"]) for line in results.certainty(what) if line["code"] == code}
        if (world, seed) not in there:
            found = claimed(world, seed) if what == "claim" else covered(world, seed)
            line = {"world": world, "seed": seed, "code": code, "commit": commit(), **found}
            results.add_certainty(what, line)
    progress(what, len(wanted), len(wanted))


@dataclass(frozen=True)
class _Rules:
    """The fixed policies, from what is known of every account and every world alike; see `_policies`."""

    segment_a: Bools
    eligible: Floats
    index: Mapping[str, int]

    def targets(self) -> dict[str, Floats]:
        """Policy -> P(treatment); shape (n, T)."""
        everyone = np.ones(len(self.segment_a), dtype=np.bool_)
        uniform = self.eligible / self.eligible.sum(axis=1, keepdims=True)
        return {
            "a call to everybody": self._to(everyone, CALL),
            "visits to segment A, else e-mail": self._to(self.segment_a, VISIT)
            + self._to(~self.segment_a, EMAIL),
            "anything eligible alike": uniform,
        }

    def _to(self, whom: Bools, treatment: str) -> Floats:
        target, place = np.zeros(self.eligible.shape), self.index[treatment]
        may = self.eligible[:, place] > 0
        target[whom & may, place] = 1.0
        target[whom & ~may, self.index["none"]] = 1.0
        return target


def _policies(cases: Cases) -> dict[str, Floats]:
    features = cases.features
    codes = features.account[:, features.set.account.index("segment")]
    segment_a = codes == features.set.levels["segment"].index("A")
    index = {name: place for place, name in enumerate(cases.treatments)}
    return _Rules(segment_a, cases.eligible.astype(np.float64), index).targets()


def _truly(world: World) -> dict[str, float]:
    """What the same policies are worth among all accounts, at decisions that are mature; net of cost."""
    truth, settings = world.truth, world.settings
    mature = truth.decided_at + round(settings.horizon_days * DAY_MICROS) <= settings.until_micros
    segment = world.tables["accounts"].select("account_id", "segment")
    ids = truth.account_ids.to_frame("account_id").join(segment, on="account_id", how="left")
    segment_a = (ids["segment"] == "A").to_numpy()[mature]
    index = {name: place for place, name in enumerate(truth.treatments)}
    worth = (truth.expected - truth.cost)[mature]
    rules = _Rules(segment_a, truth.eligible[mature].astype(np.float64), index)
    before = float(truth.baseline[mature].mean())
    return {
        name: before + float((target * worth).sum(axis=1).mean()) for name, target in rules.targets().items()
    }


def _holds(interval: Interval, truth: float) -> bool:
    return interval.low <= truth <= interval.high


def _cases(world: World) -> Cases:
    with tempfile.TemporaryDirectory() as folder:
        return matured(build_cases(stored(world, Path(folder)), read_playbook("pharma")))


def _some(world: World, accounts: int) -> World:
    """The world as far as it is known of its first accounts; they are no other than the rest."""
    known = world.tables["accounts"]["account_id"].sort().head(accounts)
    tables = {
        name: rows.filter(pl.col("account_id").is_in(known.to_list()))
        if "account_id" in rows.columns
        else rows
        for name, rows in world.tables.items()
    }
    touchpoints = tables["touchpoints"]["touchpoint_id"].to_list()
    tables["responses"] = tables["responses"].filter(pl.col("touchpoint_id").is_in(touchpoints))
    return World(world.settings, tables, world.truth, world.traits)
