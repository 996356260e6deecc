"""What is measured on: a simulated world loaded into a temporary home, and a forest trained on it."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import lightgbm
import numpy as np

from data.history import HistoryStore, Snapshot
from data.home import Home
from data.ingest import ingest
from data.playbooks import read_playbook
from data.world import WorldSettings, write_world
from engine.features import Features, FeatureSet, features_as_of
from engine.playbook import Playbook
from engine.records import History, Moments, join

AS_OF = 1_767_225_600_000_000
"""2026-01-01T00:00:00Z, where the simulated history ends; microseconds."""


@dataclass(frozen=True)
class Material:
    """A world as the engine meets it."""

    playbook: Playbook
    history: History
    moments: Moments
    features: FeatureSet

    def known(self) -> Features:
        """What is known of every account at the end of the history."""
        return features_as_of(self.history, self.moments, playbook=self.playbook, features=self.features)


@lru_cache(maxsize=1)
def world(accounts: int) -> Material:
    """A pharma world of that many accounts, simulated and ingested."""
    with tempfile.TemporaryDirectory() as folder:
        write_world(WorldSettings(accounts=accounts, seed=7), Path(folder) / "world")
        ingest(Path(folder) / "world", Home.at(Path(folder) / "home"), loaded_at=AS_OF)
        snapshot = HistoryStore(Home.at(Path(folder) / "home").history).current()
        assert snapshot is not None
        return _material(snapshot)


def _material(snapshot: Snapshot) -> Material:
    playbook = read_playbook("pharma")
    parts = [snapshot.read(bucket) for bucket in range(snapshot.buckets)]
    ids = [account for bucket in range(snapshot.buckets) for account in snapshot.account_ids(bucket)]
    return Material(
        playbook, join(parts), Moments.at(sorted(ids), AS_OF), FeatureSet.of(playbook, snapshot.attributes)
    )


def forest(known: Features, *, trees: int, leaves: int, seed: int = 7) -> lightgbm.Booster:
    """A regression forest on the world's own features and a made-up target that uses all groups."""
    rng = np.random.Generator(np.random.PCG64(seed))
    n, t = len(known.moments), len(known.set.treatments)
    rows = np.concatenate([known.row_matrix(rng.integers(0, t, n)) for _ in range(20)])
    filled = np.nan_to_num(rows)
    weights = rng.normal(size=filled.shape[1]) / (filled.std(axis=0) + 1e-9)
    target = filled @ weights + rng.normal(size=len(filled))
    names = list(known.set.names)
    codes = [names.index(name) for name in known.set.levels if name in names]
    parameters = {
        "objective": "regression", "num_leaves": leaves, "min_data_in_leaf": 5, "verbose": -1, "seed": 7,
        "num_threads": 2, "deterministic": True, "force_row_wise": True,
    }  # fmt: skip
    data = lightgbm.Dataset(rows, target, feature_name=names, categorical_feature=codes)
    return lightgbm.train(parameters, data, num_boost_round=trees)
