"""`nextbest nightly` of a large history, beside LightGBM predicting alone with the same forests.

The history is loaded (or taken from a folder), a release of forests is grown on a small history of the same
kind, and the night is run as the command does. Processor time of all processes is compared, since the machine
may be shared: LightGBM's is measured on some accounts and extrapolated to all pairs.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np

from api.nightly import run_night
from benchmarks.harness import Comparison
from benchmarks.scale.history import AS_OF, write_history
from benchmarks.scale.load import Stages, measure_load
from benchmarks.scale.measure import size_of, watched
from data.artifacts import Release, write_release
from data.history import HistoryStore
from data.home import Home
from data.ingest import ingest
from data.ledger.ledger import Ledger
from data.playbooks import read_playbook
from data.settings import Settings
from engine.features import FeatureSet, features_as_of
from engine.records import Moments
from training.boosting import Boosting
from training.cases import Cases, build_cases
from training.learners import LEARNERS
from training.release import manifest_of, parts_of, release_id

TREES, LEAVES = 300, 31
SMALL_ACCOUNTS = 4_000
PREDICTED_ACCOUNTS = 500
_LATER = 1_000_000
"""The night is a second after the history ends; microseconds."""


@dataclass(frozen=True)
class NightFigures:
    """One night as measured; seconds are of the wall unless said otherwise."""

    accounts: int
    touchpoints: int
    treatments: int
    processes: int
    seconds: float
    stages: dict[str, float]
    processor: float
    predict_processor: float
    memory: int
    files: int
    ledger: int

    def comparison(self) -> Comparison:
        """The night as one row of the table of speeds: once, not in pairs."""
        return Comparison(
            f"night, {self.accounts:,} accounts x {self.treatments} treatments, {self.touchpoints:,} "
            f"touchpoints, to Parquet and SQLite; {self.memory / 1e9:.2f} GB (PSS)",
            f"LightGBM predict alone, extrapolated from {PREDICTED_ACCOUNTS} accounts",
            self.processor, self.predict_processor, (self.predict_processor / self.processor,),
        )  # fmt: skip

    def lines(self) -> list[str]:
        """As rows of a table."""
        stages = ", ".join(f"{stage} {seconds:,.0f} s" for stage, seconds in self.stages.items())
        return [
            f"| accounts; touchpoints; treatments | {self.accounts:,}; {self.touchpoints:,}; "
            f"{self.treatments} |",
            f"| time with {self.processes} processes; accounts/s | {self.seconds:,.0f} s; "
            f"{self.accounts / self.seconds:,.0f} |",
            f"| of it | {stages} |",
            f"| processor time of all processes | {self.processor:,.0f} s |",
            f"| LightGBM predict alone, same forests, all pairs (extrapolated) | "
            f"{self.predict_processor:,.0f} s |",
            f"| night / predict | {self.processor / self.predict_processor:.2f} |",
            f"| memory at most, all processes (PSS) | {self.memory / 1e9:.2f} GB |",
            f"| the night's Parquet; ledger | {self.files / 1e9:.2f} GB; {self.ledger / 1e9:.2f} GB |",
        ]


def measure_night(
    home: Path, accounts: int, processes: int, loaded: Callable[[str], None] = print
) -> NightFigures:
    """Run a night in a home, which is made where it is not there; `loaded` gets the lines of its load."""
    if not (home / "history").is_dir():
        for line in measure_load(home, accounts).lines():
            loaded(line)
    settings = Settings(home=home, models=home / "models", processes=processes, playbook="pharma")
    place = settings.as_home()
    release, cases = grown_release(place)
    snapshot = HistoryStore(place.history).current()
    assert snapshot is not None
    stages, begun = Stages(), time.perf_counter()
    with watched(home) as peak:
        run_night(
            settings, as_of=AS_OF + _LATER, ignore_freshness=True, report=stages, clock=lambda: AS_OF + _LATER
        )
    ledger = sum(path.stat().st_blocks * 512 for path in home.glob("ledger.sqlite*"))
    return NightFigures(
        snapshot.accounts, snapshot.rows["touchpoints"], len(cases.treatments), processes,
        time.perf_counter() - begun, stages.seconds, peak.processor,
        predicted(place, release) * snapshot.accounts, peak.memory, size_of(place.nights), ledger,
    )  # fmt: skip


def measure_alone(home: Path, accounts: int, processes: int) -> NightFigures:
    """The same in a process of its own, whose memory is the night's alone; lines of the load go to stderr."""
    with ProcessPoolExecutor(1, get_context("spawn")) as alone:
        return alone.submit(measure_night, home, accounts, processes, _beside).result()


def _beside(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def grown_release(place: Home) -> tuple[Release, Cases]:
    """A release of one shared forest and a response forest in use, whatever they are worth."""
    with tempfile.TemporaryDirectory() as folder:
        write_history(Path(folder) / "export", accounts=SMALL_ACCOUNTS)
        small = Home.at(Path(folder) / "home")
        ingest(Path(folder) / "export", small, loaded_at=AS_OF)
        snapshot = HistoryStore(small.history).current()
        assert snapshot is not None
        cases = build_cases(snapshot, read_playbook("pharma"))
    boosting = Boosting(rounds=TREES, leaves=LEAVES)
    even = np.full(len(cases), 1.0 / len(cases.treatments))
    fitted = LEARNERS["s_learner"].learn(cases, even, boosting)
    parts = parts_of(fitted, cases, boosting)
    identity = release_id(AS_OF, parts)
    manifest = manifest_of("s_learner", fitted, cases, identity, {"made_at": AS_OF})
    release = write_release(place.models, identity, parts.files(), manifest)
    ledger = Ledger.open(place)
    try:
        ledger.put_release_in_use(identity, release.manifest_hash, now=AS_OF, by="benchmark")
    finally:
        ledger.close()
    return release, cases


def predicted(place: Home, release: Release) -> float:
    """Processor seconds that LightGBM takes for all pairs of one account, of every forest of a release."""
    snapshot = HistoryStore(place.history).current()
    assert snapshot is not None
    playbook = read_playbook("pharma")
    ids = snapshot.account_ids(0)[:PREDICTED_ACCOUNTS]
    features = FeatureSet.of(playbook, snapshot.attributes)
    known = features_as_of(snapshot.read(0), Moments.at(ids, AS_OF), playbook=playbook, features=features)
    rows: list[Any] = [known.row_matrix(np.full(len(ids), t)) for t in range(len(features.treatments))]
    boosters = [lightgbm.Booster(model_str=text) for text in release.texts.values()]
    begun = time.process_time()
    for booster in boosters:
        for each in rows:
            booster.predict(each, raw_score=True)
    return (time.process_time() - begun) / len(ids)
