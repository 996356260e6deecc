"""What followed each occasion: outcomes in money and positive responses, counted alike for all arms."""

from __future__ import annotations

import numpy as np
import polars as pl

from engine.contract import POSITIVE_RESPONSES, Direction, Status
from engine.playbook import Playbook
from engine.records import DAY_MICROS, Bools, Floats, History
from training.occasions import known

RESPONSE_DAYS = 7.0
"""A treatment carried out later than this after the occasion is not counted as its consequence."""


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
        known(history, "outcomes", at)
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


def responses(history: History, occasions: pl.DataFrame, *, at: int, horizon: int) -> Bools:
    """Whether the treatment of each occasion was answered positively within the horizon; shape (n,).

    The touchpoint that carried it out is the account's first with that treatment within `RESPONSE_DAYS`.
    """
    answered = known(history, "responses", at).filter(pl.col("response").is_in(list(POSITIVE_RESPONSES)))
    first = answered.group_by("touchpoint_id").agg(pl.col("responded_at").to_physical().min())
    done = known(history, "touchpoints", at).filter(
        (pl.col("direction") == Direction.OUTBOUND) & (pl.col("status") == Status.DONE)
    )
    carried = done.join(first, on="touchpoint_id", how="left").select(
        "account_id", "treatment", pl.col("occurred_at").to_physical().alias("as_of"),
        pl.col("occurred_at").to_physical().alias("contacted"), "responded_at", "touchpoint_id",
    )  # fmt: skip
    asked = occasions.select("account_id", "treatment", "as_of").with_row_index("row").sort("as_of")
    joined = asked.join_asof(
        carried.sort("as_of", "touchpoint_id"),
        on="as_of",
        by=["account_id", "treatment"],
        strategy="forward",
        check_sortedness=False,
    ).sort("row")
    soon = pl.col("contacted") - pl.col("as_of") < int(RESPONSE_DAYS * DAY_MICROS)
    within = pl.col("responded_at") < pl.col("as_of") + horizon
    return joined.select(flag=(soon & within).fill_null(value=False))["flag"].to_numpy()
