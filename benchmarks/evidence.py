"""Whether what the engine says of its own certainty is true: two measurements with known truth.

python -m benchmarks.evidence zero --seeds 10        effects found where contacts cause nothing
python -m benchmarks.evidence coverage --worlds 4    how often 95 % intervals hold the truth
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from scipy.stats import binom

from data.home import Home
from data.ingest import ingest
from data.playbooks import read_playbook
from data.world import Truth, World, WorldSettings, simulate
from engine.clusters import Uncertainty
from engine.estimation import (
    Interval,
    Logged,
    Terms,
    doubly_robust_terms,
    ips_terms,
    shrunk_terms,
    snips_terms,
)
from engine.records import DAY_MICROS, Bools, Floats, Ints
from training.balance import Overlap, overlap
from training.behaviour import Assignment, assignment_of
from training.boosting import Boosting
from training.cases import Cases, build_cases
from training.evaluate import uncertainty_of
from training.learners import LEARNERS
from training.maturing import matured
from training.select import cross_fitted, net_model
from training.splits import folds_of

ZERO = {"effect": 0.0, "assignment": "targeted", "trigger": 1.0, "inbound_per_year": 24.0}
"""Nothing has an effect, and whoever visits the website is contacted and prescribes more anyway."""
MODEL = Boosting(rounds=60, threads=1)


def cases_of(world: World) -> Cases:
    """The matured cases of a world, through loading and the one feature path."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        world.write(folder / "world")
        loaded = ingest(folder / "world", Home.at(folder / "home"), loaded_at=world.settings.until_micros)
        return matured(build_cases(loaded.snapshot, read_playbook("pharma")))


def found_effects(cases: Cases, *, seed: int = 0) -> tuple[tuple[Overlap, ...], Interval]:
    """What each treatment, and any contact, seems to cause: behaviour model, cross-fitted forest, both."""
    assignment = assignment_of(cases, MODEL, seed=seed)
    folds = folds_of(cases.account_ids, 3, seed=seed)
    learner = {"s_learner": LEARNERS["s_learner"]}
    values = cross_fitted(learner, cases, assignment, folds, MODEL)["s_learner"].values
    model, sure = net_model(values, cases.cost), uncertainty_of(cases, seed=seed)
    return overlap(cases, assignment, model, sure), sure.interval(any_contact(cases, assignment, model))


def any_contact(cases: Cases, assignment: Assignment, model: Floats) -> Terms:
    """Mean effect of a contact as they were made, weighted by overlap with no contact (Li et al. 2018)."""
    if assignment.estimates is None:
        raise SystemExit("Every probability was logged here; this is for logs without them.")
    none = assignment.estimates[:, 0]
    mix = assignment.estimates[:, 1:] / np.maximum(1.0 - none, 1e-12)[:, None]
    gain = (mix * (model + cases.cost)[:, 1:]).sum(axis=1) - model[:, 0]
    contacted = cases.action > 0
    error = cases.reward - cases.cost[cases.action] - model[np.arange(len(cases)), cases.action]
    weight = none * (1.0 - none)
    return Terms(weight * gain + np.where(contacted, none, none - 1.0) * error, weight)


def naive(cases: Cases) -> float:
    """Mean outcome with a contact minus that without: what a plain table would show."""
    return float(cases.reward[cases.action > 0].mean() - cases.reward[cases.action == 0].mean())


def zero(seeds: int, accounts: int, changes: Mapping[str, object]) -> None:
    """A line per seed: plain differences of means beside adjusted effects where the truth is nothing."""
    print("| seed | cases | plain difference | adjusted, any contact | intervals without 0 | largest z |")
    print("|---|---|---|---|---|---|", flush=True)
    outside = judged = 0
    for seed in range(1, seeds + 1):
        cases = cases_of(
            simulate(WorldSettings.named(**(ZERO | {"accounts": accounts, "seed": seed} | changes)))
        )
        found, contact = found_effects(cases)
        effects = [row.effect for row in found if row.effect is not None]
        wrong = sum(not e.low <= 0.0 <= e.high for e in effects)
        largest = max((e.estimate / e.standard_error for e in effects), key=abs)
        outside, judged = outside + wrong, judged + len(effects)
        print(
            f"| {seed} | {len(cases):,} | {naive(cases):+.1f} | {contact.estimate:+.1f} "
            f"({contact.low:+.1f} to {contact.high:+.1f}) | {wrong} of {len(effects)} | {largest:+.1f} |",
            flush=True,
        )
    print(f"\n{outside} of {judged} intervals do not hold 0 ({outside / judged:.1%}).")


@dataclass(frozen=True)
class Sample:
    """A part of a world's accounts as a log of its own."""

    logged: Logged
    target: Floats
    model: Floats


def samples(truth: Truth, reward: Floats, mature: Bools, target: Floats, size: int) -> Iterator[Sample]:
    """Disjoint random parts of so many accounts each; the model is the mean of the part's other half."""
    code = np.unique(truth.account_ids.to_numpy(), return_inverse=True)[1].reshape(-1)
    order = np.random.default_rng(0).permutation(code.max() + 1)
    for start in range(0, len(order) - size + 1, size):
        rows = np.flatnonzero(np.isin(code, order[start : start + size]) & mature)
        account = code[rows].astype(np.int64)
        choice = truth.choice[rows]
        net = reward[rows] - truth.cost[choice]
        logged = Logged(net, choice.astype(np.int64), truth.probability[rows], account)
        yield Sample(logged, target[rows], _means(net, choice, account % 2 == 0, target.shape[1]))


def _means(net: Floats, choice: Ints, half: Bools, treatments: int) -> Floats:
    model = np.empty((len(net), treatments))
    for own in (half, ~half):
        overall = net[~own].mean()
        for t in range(treatments):
            there = ~own & (choice == t)
            model[own, t] = net[there].mean() if there.any() else overall
    return model


def outcomes_within(world: World) -> tuple[Floats, Bools]:
    """Worth of what followed each decision of the truth within the horizon, and whether that is over."""
    truth, horizon = world.truth, round(world.settings.horizon_days * DAY_MICROS)
    outcomes = world.tables["outcomes"].select(
        "account_id", pl.col("occurred_at").to_physical().alias("at"), "value"
    )
    asked = pl.DataFrame({"account_id": truth.account_ids, "from": truth.decided_at}).with_row_index("row")
    pairs = outcomes.join(asked, on="account_id").filter(
        (pl.col("at") >= pl.col("from")) & (pl.col("at") < pl.col("from") + horizon)
    )
    sums = pairs.group_by("row").agg(pl.col("value").sum())
    reward = np.zeros(len(truth))
    reward[sums["row"].to_numpy()] = sums["value"].to_numpy()
    return reward, truth.decided_at + horizon <= world.settings.until_micros


def fixed_policy(truth: Truth) -> Floats:
    """A policy made without looking at outcomes: a treatment by the account's number; shape (n, T)."""
    number = truth.account_ids.str.slice(-3).cast(pl.Int64).to_numpy()
    choice = number % len(truth.treatments)
    rows = np.arange(len(truth))
    target = np.zeros(truth.expected.shape)
    target[rows, np.where(truth.eligible[rows, choice], choice, 0)] = 1.0
    return target


def covered(world: World, size: int) -> dict[str, tuple[int, int]]:
    """How often each estimator's interval holds the true value of a fixed policy, of how many samples."""
    truth = world.truth
    target = fixed_policy(truth)
    reward, mature = outcomes_within(world)
    worth = truth.baseline + (target * (truth.expected - truth.cost)).sum(axis=1)
    true = float(worth[mature].mean())
    hits: dict[str, tuple[int, int]] = {}
    for number, sample in enumerate(samples(truth, reward, mature, target, size)):
        logged, chosen, model = sample.logged, sample.target, sample.model
        terms = {
            "ips": ips_terms(logged, chosen),
            "snips": snips_terms(logged, chosen),
            "doubly robust": doubly_robust_terms(logged, chosen, model),
            "shrunk": shrunk_terms(logged, chosen, model),
        }
        sure = Uncertainty.of(logged.cluster, None, seed=number)
        for name, each in terms.items():
            interval = sure.interval(each)
            inside, of = hits.get(name, (0, 0))
            hits[name] = (inside + (interval.low <= true <= interval.high), of + 1)
    return hits


def exact_interval(inside: int, of: int, level: float = 0.99) -> tuple[float, float]:
    """Exact binomial interval of a share (Clopper and Pearson 1934)."""
    shares = np.linspace(0.0, 1.0, 20_001)
    tail = (1.0 - level) / 2.0
    likely = shares[(binom.sf(inside - 1, of, shares) >= tail) & (binom.cdf(inside, of, shares) >= tail)]
    return float(likely.min()), float(likely.max())


def coverage(worlds: int, accounts: int, size: int, changes: Mapping[str, object]) -> None:
    """A line per estimator: share of intervals that hold the truth, and its exact 99 % interval."""
    total: dict[str, tuple[int, int]] = {}
    for seed in range(1, worlds + 1):
        settings = {"accounts": accounts, "seed": seed, "assignment": "randomised", **changes}
        for name, (inside, of) in covered(simulate(WorldSettings.named(**settings)), size).items():
            before = total.get(name, (0, 0))
            total[name] = (before[0] + inside, before[1] + of)
    print(
        "| estimator | samples | hold the truth | exact 99 % interval | 95 % in it |\n|---|---|---|---|---|"
    )
    for name, (inside, of) in total.items():
        low, high = exact_interval(inside, of)
        print(f"| {name} | {of} | {inside / of:.1%} | {low:.1%} to {high:.1%} | {low <= 0.95 <= high} |")


def main() -> None:
    """Print the table that was asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.evidence", description=__doc__)
    parser.add_argument("what", choices=("zero", "coverage"))
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--worlds", type=int, default=4)
    parser.add_argument("--accounts", type=int, default=2_000)
    parser.add_argument("--size", type=int, default=300, help="accounts of a sample")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", dest="changes")
    given = parser.parse_args()
    written = WorldSettings.written(given.changes)
    names = [change.partition("=")[0].strip() for change in given.changes]
    changes = {name: getattr(written, name) for name in names}
    if given.what == "zero":
        zero(given.seeds, given.accounts, changes)
    else:
        coverage(given.worlds, given.accounts, given.size, changes)


if __name__ == "__main__":
    main()
