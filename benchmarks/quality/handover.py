"""Cases and questions as arrays in a folder, a peer's process over them, and its answer."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.quality.peers.problem import GROUPS
from benchmarks.quality.worlds import Asked
from engine.features import Features
from engine.records import Ints
from training.behaviour import Assignment
from training.cases import Cases

ROOT = Path(__file__).parents[2]
BUDGET_SECONDS = 900
"""Processor time of a peer for one set of cases, all of learning and choosing, with one thread."""


@dataclass(frozen=True)
class Answer:
    """What a peer chose; None and why, where it did not."""

    choice: Ints | None
    seconds: float
    note: str
    versions: dict[str, str]


def ask(peer: str, folder: Path, python: Path, *, budget: int = BUDGET_SECONDS) -> Answer:
    """Let a peer choose, in its own process, within the budget.

    Args:
        peer: Name in `PEERS`.
        folder: Written by `hand_over`.
        python: Interpreter that has the peer.
        budget: Seconds of processor time; whoever needs more has not answered.
    """
    one_thread = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    environment = {**os.environ, **one_thread, "PYTHONPATH": str(ROOT)}
    command = [str(python), "-m", "benchmarks.quality.peers", peer, str(folder), str(budget)]
    with tempfile.TemporaryFile("w+") as said:
        done = subprocess.run(command, env=environment, cwd=ROOT, stdout=said, stderr=said, check=False)
        said.seek(0)
        last = (said.read().strip().splitlines() or ["no message"])[-1]
    if done.returncode in (-signal.SIGXCPU, -signal.SIGKILL):
        return Answer(None, float(budget), f"not finished within {budget} s", {})
    if done.returncode:
        return Answer(None, float("nan"), f"failed: {last[:200]}", {})
    about = json.loads((folder / "about.json").read_text(encoding="utf-8"))
    return Answer(np.load(folder / "choice.npy"), about["seconds"], "", about["versions"])


def hand_over(cases: Cases, assignment: Assignment, asked: Asked, seed: int, folder: Path) -> None:
    """Write what a peer may know; rewards net of cost."""
    columns = cases.features.set
    for name, features, eligible in (
        ("own", cases.features, cases.eligible),
        ("asked", asked.features, asked.eligible),
    ):
        _write_known(folder, name, features)
        np.save(folder / f"{name}_eligible.npy", eligible)
    np.save(folder / "action.npy", cases.action)
    np.save(folder / "probability.npy", assignment.probability)
    np.save(folder / "reward.npy", cases.reward - cases.cost[cases.action])
    facts = {
        "seed": seed,
        "codes": [len(columns.levels.get(name, ())) for name in columns.account],
        "channel_of": columns.channel_of.tolist(),
        "topic_of": columns.topic_of.tolist(),
        "names": {group: list(getattr(columns, group)) for group in GROUPS},
    }
    (folder / "facts.json").write_text(json.dumps(facts), encoding="utf-8")


def _write_known(folder: Path, name: str, features: Features) -> None:
    for group in GROUPS:
        np.save(folder / f"{name}_{group}.npy", getattr(features, group).astype(np.float32))
