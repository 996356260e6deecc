"""The worlds of the bench, and what learners and truth need of one: cases to learn from, moments to judge at.

Accounts are divided before anything is learned: `Material.cases` are of other accounts than `Material.asked`.
What is asked are moments of the truth (every third decision of an account), so that a world without logged
decisions is judged like the others. Whoever learns sees the tables only.
"""

from __future__ import annotations

import tempfile
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from pathlib import Path

import joblib
import numpy as np
import polars as pl

from data.history import HistoryStore, Snapshot
from data.playbooks import read_playbook
from data.world import Truth, World, WorldError, WorldSettings, simulate
from engine.contract import HISTORY_TABLES
from engine.features import Features, FeatureSet, features_as_of
from engine.playbook import Playbook
from engine.records import DAY_MICROS, Bools, Floats, Ints, Moments
from training.cases import Cases, build_cases, lean, stack
from training.errors import TooFewCasesError
from training.splits import clusters_of

WORLDS_FILE = Path(__file__).with_name("worlds.toml")
REPORT_SEEDS = range(1, 21)
JUDGED_ACCOUNTS = 2_000
EVERY_ASKED = 3
"""Of an account's decisions every so-manieth is asked: neighbouring ones tell the same."""
PROBED_ACCOUNTS = 30
CASES_PER_ACCOUNT = 15
"""At least so many of a simulated year are mature, logged or not."""


@dataclass(frozen=True)
class WorldPreset:
    """A world of the bench."""

    name: str
    says: str
    settings: Mapping[str, object]

    @property
    def zero(self) -> bool:
        """Whether contacts cause nothing, so that there is no gain to have a share of."""
        return self.settings.get("effect") == 0


@cache
def presets() -> dict[str, WorldPreset]:
    """The worlds by name, in the file's order."""
    found = tomllib.loads(WORLDS_FILE.read_text(encoding="utf-8"))
    return {name: WorldPreset(name, entry["says"], entry["settings"]) for name, entry in found.items()}


def preset(name: str) -> WorldPreset:
    """A world by name. Raises WorldError."""
    if name not in presets():
        close = get_close_matches(name, presets(), n=1)
        hint = f" Did you mean {close[0]!r}?" if close else f" Known are {', '.join(presets())}."
        raise WorldError(f"The bench has no world {name!r}.{hint}")
    return presets()[name]


@dataclass(frozen=True)
class Asked:
    """Moments at which policies are judged by the truth; n rows, columns as in the playbook's treatments.

    Attributes:
        features: What was known; n moments.
        eligible: What could be decided; shape (n, T).
        worth: Truly caused within the horizon, net of cost; 0 for no contact; shape (n, T).
        logged: What was decided; shape (n,).
    """

    features: Features
    eligible: Bools
    worth: Floats
    logged: Ints

    def value(self, choice: Ints) -> float:
        """What a choice (n,) would truly earn per decision, net of cost, beyond no contact.

        Raises:
            WorldError: A choice was not eligible.
        """
        rows = np.arange(len(self.worth))
        if not self.eligible[rows, choice].all():
            raise WorldError("A policy chose a treatment that was not eligible.")
        return float(self.worth[rows, choice].mean())

    @property
    def oracle(self) -> float:
        """What knowing everything would earn."""
        return self.value(np.where(self.eligible, self.worth, -np.inf).argmax(axis=1))

    @property
    def best_fixed(self) -> float:
        """What the best treatment for all would earn, chosen by the truth; no contact where it cannot be."""
        return float(np.where(self.eligible, self.worth, 0.0).mean(axis=0).max())


@dataclass(frozen=True)
class Material:
    """One simulated world, ready to learn from and to be judged on; the cases are mature."""

    preset: WorldPreset
    seed: int
    playbook: Playbook
    cases: Cases
    asked: Asked

    def first(self, count: int) -> Cases:
        """Cases of as many accounts as it takes to have `count`; a smaller number is part of a larger one.

        Raises:
            TooFewCasesError: There are not so many.
        """
        if len(self.cases) < count:
            raise TooFewCasesError(f"The world has {len(self.cases):,} mature cases, need {count:,}.")
        cluster = clusters_of(self.cases.account_ids)
        order = _shuffled(int(cluster.max()) + 1, self.seed)
        rank = np.empty_like(order)
        rank[order] = np.arange(len(order))
        place = rank[cluster]
        last = np.sort(place)[count - 1]
        return self.cases.take(place <= last)


def material(name: str, seed: int, cases: int) -> Material:
    """Simulate a world with at least so many mature cases of accounts that nobody is judged on.

    Raises:
        WorldError: There is no such world.
        TooFewCasesError: The world gave fewer cases.
    """
    chosen, playbook = preset(name), read_playbook("pharma")
    accounts = -(-cases // CASES_PER_ACCOUNT) + JUDGED_ACCOUNTS
    world = simulate(WorldSettings.named(**{"accounts": accounts, "seed": seed} | dict(chosen.settings)))
    judged = _judged(world, seed)
    with tempfile.TemporaryDirectory() as folder:
        snapshot = stored(world, Path(folder))
        found = build_cases(snapshot, playbook)
        theirs = pl.Series(found.account_ids).is_in(judged.to_list()).to_numpy()
        asked = _asked(world, snapshot, playbook, judged)
    return Material(chosen, seed, playbook, found.take(found.matured & ~theirs), asked)


@cache
def known_of_worlds() -> str:
    """Fingerprint of all worlds of the bench. Code that works out the same faster leaves it as it is, so that
    figures that took hours outlive it.
    """
    few = {"accounts": PROBED_ACCOUNTS, "seed": 1}
    every = [known_of(WorldSettings.named(**few | dict(each.settings))) for each in presets().values()]
    return str(joblib.hash(every))


def known_of(settings: WorldSettings) -> str:
    """Fingerprint of the cases and the truth of a world: of the numbers, whatever holds them."""
    world = simulate(settings)
    with tempfile.TemporaryDirectory() as folder:
        cases = build_cases(stored(world, Path(folder)), read_playbook("pharma"))
    parts = (vars(part) for part in (cases, cases.features, world.truth))
    return str(joblib.hash([{k: v for k, v in part.items() if isinstance(v, np.ndarray)} for part in parts]))


def stored(world: World, folder: Path) -> Snapshot:
    """The world's tables as a history, the same that loading them gives."""
    owner = world.tables["touchpoints"].select("touchpoint_id", "account_id").unique("touchpoint_id")
    rows = {name: table for name, table in world.tables.items() if name in HISTORY_TABLES}
    rows["responses"] = rows["responses"].join(owner, on="touchpoint_id", maintain_order="left")
    marked = {name: table.with_columns(deleted=pl.lit(value=False)) for name, table in rows.items()}
    snapshot, _, _ = HistoryStore(folder / "history").add(marked)
    return snapshot


def _judged(world: World, seed: int) -> pl.Series:
    """The accounts that policies are judged on."""
    ids = world.tables["accounts"]["account_id"]
    return ids.gather(_shuffled(len(ids), seed)[:JUDGED_ACCOUNTS]).sort()


def _shuffled(count: int, seed: int) -> Ints:
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, 20_261]))).permutation(count)


def _asked(world: World, snapshot: Snapshot, playbook: Playbook, judged: pl.Series) -> Asked:
    truth = world.truth
    rows = _asked_rows(truth, world.settings, judged)
    order, features = _features(snapshot, playbook, truth, rows)
    rows = rows[order]
    ids = [treatment.id for treatment in playbook.treatments]
    places = np.array([ids.index(name) for name in truth.treatments])
    eligible, worth = np.zeros((len(rows), len(ids)), dtype=np.bool_), np.zeros((len(rows), len(ids)))
    eligible[:, places] = truth.eligible[rows]
    worth[:, places] = (truth.expected - truth.cost)[rows]
    return Asked(features, eligible, worth, places[truth.choice[rows]])


def _asked_rows(truth: Truth, settings: WorldSettings, judged: pl.Series) -> Ints:
    """Rows of the truth that are asked: of the accounts judged, mature, since there is a new message."""
    newest = settings.until_micros - round(settings.horizon_days * DAY_MICROS)
    frame = pl.DataFrame({"account": truth.account_ids, "at": truth.decided_at}).with_row_index("row")
    frame = frame.filter(pl.col("account").is_in(judged.to_list()), pl.col("at") <= newest)
    if settings.new_treatment:
        since = settings.until_micros - round(settings.new_treatment_days * DAY_MICROS)
        return frame.filter(pl.col("at") >= since)["row"].to_numpy().astype(np.int64)
    turn = pl.int_range(pl.len()).over("account")
    return frame.filter(turn % EVERY_ASKED == 0)["row"].to_numpy().astype(np.int64)


def _features(snapshot: Snapshot, playbook: Playbook, truth: Truth, rows: Ints) -> tuple[Ints, Features]:
    """Features at those moments, bucket by bucket, and in which order of `rows` they come."""
    features = FeatureSet.of(playbook, snapshot.attributes)
    asked = pl.DataFrame({
        "account": truth.account_ids.gather(rows), "at": truth.decided_at[rows],
        "place": np.arange(len(rows)),
    })  # fmt: skip
    order, parts = [], []
    for bucket, history in snapshot.histories():
        mine = asked.filter(pl.col("account").is_in(list(snapshot.account_ids(bucket)))).sort("account", "at")
        if mine.height:
            moments = Moments(tuple(mine["account"]), mine["at"].to_numpy())
            known = features_as_of(history, moments, playbook=playbook, features=features)
            parts.append(lean(known))
            order.append(mine["place"].to_numpy())
    return np.concatenate(order), stack(parts)
