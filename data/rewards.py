"""What outcomes after a moment are worth by the playbook: the reward of a decision, counted in one place."""

from __future__ import annotations

import numpy as np
import polars as pl

from engine.playbook import Playbook
from engine.records import Floats, History, known_rows


def rewards(
    history: History, occasions: pl.DataFrame, playbook: Playbook, *, at: int, horizon: int
) -> Floats:
    """Worth of the outcomes in [as_of, as_of + horizon) of each occasion, in currency; shape (n,).

    An outcome at the very moment of the decision follows it. Kinds that the playbook does not name are worth
    nothing.

    Args:
        occasions: Columns account_id and as_of (microseconds UTC).
        at: What was stored strictly before it is known, microseconds UTC.
        horizon: Microseconds.
    """
    worth = pl.col("kind").replace_strict(dict(playbook.outcome_worth), default=0.0, return_dtype=pl.Float64)
    running = (
        known_rows(history["outcomes"], at)
        .select("account_id", pl.col("occurred_at").to_physical().alias("time"), worth * pl.col("value"))
        .rename({"kind": "worth"})
        .sort("account_id", "time")
        .with_columns(
            pl.col("worth").cum_sum().over("account_id"),
            pl.int_range(pl.len()).over("account_id").alias("count"),
        )
        .sort("time", maintain_order=True)
    )
    before, until = (_last(occasions, running, shift) for shift in (-1, horizon - 1))
    some = until["count"].to_numpy() > before["count"].to_numpy()
    return np.where(some, until["worth"].to_numpy() - before["worth"].to_numpy(), 0.0)


def _last(occasions: pl.DataFrame, running: pl.DataFrame, shift: int) -> pl.DataFrame:
    """The running totals of each occasion's account at as_of + shift, in the order of the occasions."""
    asked = occasions.select("account_id", (pl.col("as_of") + shift).alias("time")).with_row_index("row")
    joined = asked.sort("time").join_asof(
        running, on="time", by="account_id", strategy="backward", check_sortedness=False
    )
    return joined.sort("row").with_columns(pl.col("worth").fill_null(0.0), pl.col("count").fill_null(-1))
