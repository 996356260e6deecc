"""What followed each occasion besides outcomes in money: positive responses, counted alike for all arms."""

from __future__ import annotations

import polars as pl

from engine.contract import POSITIVE_RESPONSES, Direction, Status
from engine.records import DAY_MICROS, Bools, History
from training.occasions import known

RESPONSE_DAYS = 7.0
"""A treatment carried out later than this after the occasion is not counted as its consequence."""


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
