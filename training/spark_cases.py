"""Cases of buckets made by Spark: the builder goes to the executors, a bucket's cases come back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from data.snapshot import Snapshot
from data.spark import Input, Spark
from engine.records import History

Part_co = TypeVar("Part_co", covariant=True)
_HISTORY = "history"


class Builder(Protocol[Part_co]):
    """Makes something of a bucket's accounts and counts what it leaves out."""

    left_out: Counter[str]

    def of_bucket(self, history: History, account_ids: tuple[str, ...]) -> Part_co | None:
        """What the bucket's accounts give; None = nothing."""


def parts_on_spark(
    spark: Spark, builder: Builder[Part_co], snapshot: Snapshot
) -> Iterator[tuple[Part_co | None, Counter[str]]]:
    """What each bucket with accounts gives, and what was left out of it, in the order of the buckets."""
    buckets = [bucket for bucket in range(snapshot.buckets) if snapshot.account_ids(bucket)]
    work = _OnExecutor(builder, replace(snapshot, path=Path()))
    return spark.values(work, buckets, [Input(snapshot.path, "{bucket}/*.parquet", _HISTORY)], {})


@dataclass(frozen=True)
class _OnExecutor(Generic[Part_co]):
    builder: Builder[Part_co]
    snapshot: Snapshot

    def __call__(self, root: Path, bucket: int) -> tuple[Part_co | None, Counter[str]]:
        snapshot = replace(self.snapshot, path=root / _HISTORY)
        self.builder.left_out = Counter()
        part = self.builder.of_bucket(snapshot.read(bucket), snapshot.account_ids(bucket))
        return part, self.builder.left_out
