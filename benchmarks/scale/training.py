"""Growing a forest from many cases: time and memory by size, rows made some at a time."""

from __future__ import annotations

import time
from dataclasses import dataclass

import lightgbm
import numpy as np

from benchmarks.scale.measure import watched
from training.boosting import Boosting, grow_named
from training.model_rows import AT_ONCE

COLUMNS = 100
SIZES = (50_000, 500_000, 5_000_000)


@dataclass(frozen=True)
class Grown:
    """One forest as grown; bytes and seconds."""

    cases: int
    seconds: float
    processor: float
    memory: int

    def line(self) -> str:
        """One row of the table."""
        return (
            f"| {self.cases:,} x {COLUMNS} | {self.seconds:,.0f} s | {self.processor:,.0f} s "
            f"| {self.memory / 1e9:.2f} GB |"
        )


class Cases(lightgbm.Sequence):
    """Held as 32-bit numbers, given as 64 bits some at a time: what a training does with what it keeps."""

    batch_size = AT_ONCE

    def __init__(self, values: np.ndarray) -> None:
        self.values = values

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, asked):  # noqa: ANN001, ANN204
        return self.values[asked].astype(np.float64)


def measure_training(cases: int, threads: int) -> Grown:
    """Grow the forest that a training grows by default."""
    draw = np.random.default_rng(7)
    values = np.empty((cases, COLUMNS), dtype=np.float32)
    for start in range(0, cases, AT_ONCE):
        part = values[start : start + AT_ONCE]
        part[:] = draw.standard_normal(part.shape, dtype=np.float32)
        part[:, 50:] = np.floor(np.abs(part[:, 50:]) * 3)
        part[:, 90:][part[:, 90:] > 2] = np.nan
    label = values[:, 0] + values[:, 60] + draw.standard_normal(cases)
    boosting = Boosting(threads=threads)
    begun = time.perf_counter()
    with watched(None) as peak:
        grow_named(
            Cases(values), label, names=[f"c{i}" for i in range(COLUMNS)], categories=(),
            parameters=boosting.parameters("regression", cases), rounds=boosting.rounds,
        )  # fmt: skip
    return Grown(cases, time.perf_counter() - begun, peak.processor, peak.memory)
