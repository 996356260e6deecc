"""`nextbest ingest` of a made-up history: rows per second, memory of all processes, disk."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.scale.history import AS_OF, write_history
from benchmarks.scale.measure import size_of, watched
from data.home import Home
from data.ingest import ingest


@dataclass(frozen=True)
class Load:
    """One load as measured; bytes and seconds."""

    accounts: int
    rows: int
    seconds: dict[str, float]
    processor: float
    memory: int
    input: int
    disk_peak: int
    history: int
    ledger: int

    def lines(self) -> list[str]:
        """As rows of a table."""
        total = sum(self.seconds.values())
        stages = ", ".join(f"{stage} {seconds:,.0f} s" for stage, seconds in self.seconds.items())
        return [
            f"| accounts; rows of all tables | {self.accounts:,}; {self.rows:,} |",
            f"| time; rows/s | {total:,.0f} s; {self.rows / total:,.0f} |",
            f"| of it | {stages} |",
            f"| processor time of all processes | {self.processor:,.0f} s |",
            f"| memory at most, all processes (PSS) | {self.memory / 1e9:.2f} GB |",
            f"| given as Parquet | {self.input / 1e9:.2f} GB |",
            f"| disk at most; kept: history, ledger | {self.disk_peak / 1e9:.2f} GB; "
            f"{self.history / 1e9:.2f} GB, {self.ledger / 1e9:.2f} GB |",
        ]


class Stages:
    """Wall time between the reports of a load, by stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def __call__(self, stage: str, done: int, of: int) -> None:
        now = time.perf_counter()
        self.seconds[stage] = self.seconds.get(stage, 0.0) + now - self._last
        self._last = now


def measure_load(home: Path, accounts: int, per_account: int = 50) -> Load:
    """Make a history, load it into a home, and say what that took."""
    with tempfile.TemporaryDirectory(dir=home.parent) as folder:
        export = Path(folder) / "export"
        rows = write_history(export, accounts=accounts, per_account=per_account)
        given, place, stages = size_of(export), Home.at(home), Stages()
        with watched(home) as peak:
            ingest(export, place, loaded_at=AS_OF, progress=stages)
    ledger = sum(path.stat().st_blocks * 512 for path in home.glob("ledger.sqlite*"))
    return Load(
        accounts,
        rows,
        stages.seconds,
        peak.processor,
        peak.memory,
        given,
        peak.disk,
        size_of(place.history),
        ledger,
    )
