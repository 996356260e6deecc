"""Whether one outcome, or one account, holds most of all worth: then a release is about it alone."""

from __future__ import annotations

import polars as pl

from data.snapshot import Snapshot
from data.versions import live
from engine.playbook import Playbook

MOST = 0.5
"""Share of all worth from which on it is said."""


def concentrated(snapshot: Snapshot, playbook: Playbook) -> tuple[str, ...]:
    """A sentence where one outcome, or else one account, holds more than half of all worth, sizes counted."""
    worth = pl.col("kind").replace_strict(dict(playbook.outcome_worth), default=0.0, return_dtype=pl.Float64)
    total, rows, largest, most = 0.0, 0, (0.0, ""), 0.0
    for bucket in range(snapshot.buckets):
        held = live(snapshot.table(bucket, "outcomes", ["account_id", "kind", "value"]))
        sized = held.select("account_id", "kind", size=(worth * pl.col("value")).abs()).sort("size")
        if sized.height:
            by_account = sized.group_by("account_id").agg(pl.col("size").sum())
            total, rows = total + float(sized["size"].sum()), rows + sized.height
            largest = max(largest, sized.select("size", "kind").row(-1))
            most = max(most, float(by_account["size"].to_numpy().max()))
    size, kind = largest
    if most <= MOST * total:
        return ()
    what, size = (f"One outcome of kind {kind!r}", size) if size > MOST * total else ("One account", most)
    return (
        f"{what} holds {size:,.0f} {playbook.currency}, {size / total:.1%} of the worth of all {rows:,} "
        "outcomes: what is learned is about it and hardly holds for others. If it is a slip, load it with "
        "the right value, or with deleted = true, and train again.",
    )
