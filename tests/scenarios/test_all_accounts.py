"""What must hold of every single candidate, on many: the funnel loses none, and a replay finds each again.

FULL=1 (make test-all) takes 100,000 accounts through the funnel and replays 10,000 decisions.
"""

from __future__ import annotations

import os
from itertools import pairwise
from pathlib import Path

import polars as pl

from api.nightly import NightReport, run_night
from api.replay import replay
from data.ingest import ingest
from data.nights import NightFolder
from data.playbooks import read_playbook
from data.settings import Settings
from data.world import WorldSettings, write_world
from engine.records import DAY_MICROS
from tests.api.company import NOW, Clock, settings_of
from tests.data.files import UNTIL

FULL = bool(os.environ.get("FULL"))
FUNNEL_ACCOUNTS = 100_000 if FULL else 300
REPLAYED_ACCOUNTS = 10_000 if FULL else 300


def decided(folder: Path, accounts: int) -> tuple[Settings, NightReport]:
    """A simulated company of so many accounts, loaded and decided."""
    settings = settings_of(folder, playbook="pharma")
    world = WorldSettings(accounts=accounts, days=90, until=UNTIL, seed=11, assignment="randomised")
    write_world(world, folder / "world")
    ingest(folder / "world", settings.as_home(), loaded_at=NOW)
    return settings, run_night(settings, clock=Clock())


def test_the_funnel_adds_up_to_the_last_candidate(tmp_path: Path) -> None:
    """Whoever asks where the suggestions went can count: against the records of the night, pair by pair."""
    settings, night = decided(tmp_path, FUNNEL_ACCOUNTS)
    treatments = len(read_playbook("pharma").treatments)
    folder = NightFolder(settings.as_home().nights / night.run_id)

    columns = ["treatment", "place", "rules"]
    pairs = pl.concat([folder.read(bucket, "record").select(columns) for bucket in folder.finished()])
    first = pairs["rules"].str.split("|").list.first()
    removed_by = dict(first.drop_nulls().value_counts().iter_rows())
    eligible = pairs.filter(first.is_null())

    steps = night.summary["funnel"]
    rules = [step for step in steps if step["stage"] not in ("candidates", "arbitration")]
    left_out = [step for step in steps if step["stage"] == "arbitration"]
    assert steps[0]["remaining"] == pairs.height == FUNNEL_ACCOUNTS * treatments
    assert all(a["remaining"] - b["removed"] == b["remaining"] for a, b in pairwise(steps))
    assert {step["rule"]: step["removed"] for step in rules if step["removed"]} == removed_by
    assert rules[-1]["remaining"] == eligible.height
    assert sum(step["removed"] for step in left_out) == eligible.filter(pl.col("place").is_null()).height
    placed = pairs.filter(pl.col("place").is_not_null())
    assert steps[-1]["remaining"] == placed.height
    assert night.summary["suggestions"] == placed.filter(pl.col("treatment") != "none").height


def test_every_decision_of_a_night_is_found_again_from_its_facts(tmp_path: Path) -> None:
    """To the bit, from the stored scores and from the stored facts."""
    settings, _ = decided(tmp_path, REPLAYED_ACCOUNTS)

    found = replay(settings, 0, NOW + DAY_MICROS)

    assert (found.nights, found.live, found.erased, dict(found.missing)) == (REPLAYED_ACCOUNTS, 0, 0, {})
    assert (found.scores.agree, found.facts.agree) == (REPLAYED_ACCOUNTS, REPLAYED_ACCOUNTS)
    assert found.agrees
