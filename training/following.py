"""Whether people did what was suggested: labels for P(followed), from what they answered.

A dismissal is a decision that was not followed, with its reason; what was completed, or done within the
horizon, was. Putting off and accepting alone say neither.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from engine.contract import Direction, Status
from engine.records import Floats, History
from training.occasions import known
from training.persons import Names


def followed(history: History, occasions: pl.DataFrame, *, at: int, horizon: int) -> tuple[Floats, Names]:
    """Whether each occasion's treatment was carried out, as known at the time of training.

    What was answered counts more than what was done ("already done" was not done because of it), and a later
    answer more than an earlier one. What the log says of a decision counts more than a deed, which may have
    had another reason; a deed that names another of the decisions belongs to that one alone.

    Args:
        occasions: account_id, as_of, treatment, and where they were logged `followed` and `decision_id` (null
            elsewhere).
        at: Microseconds UTC.
        horizon: Microseconds after the occasion within which an answer or a deed belongs to it.

    Returns:
        1 = done, 0 = not, NaN = not known; and the reason of the dismissal, "" = none; shapes (n,).
    """
    asked = occasions.select("account_id", "treatment", "as_of", "followed", "decision_id")
    asked = asked.with_row_index("row")
    said = asked.join(_answers(history, at), on=["account_id", "treatment"], how="left")
    after = pl.col("time") >= pl.col("as_of")
    within = said.filter(after & (pl.col("time") < pl.col("as_of") + horizon))
    answered, named = pl.col("weight") == 1, pl.col("of_decision")
    of_another = (named != pl.col("decision_id")) & named.is_in(asked["decision_id"].drop_nulls().implode())
    counts = pl.col("followed").is_null() & ~of_another.fill_null(value=False)
    within = within.filter(answered | counts)
    last = within.sort("row", "weight", "time").group_by("row", maintain_order=True).last()
    found = asked.join(last.select("row", "done", "reason"), on="row", how="left").sort("row")
    label = pl.coalesce("done", pl.col("followed").cast(pl.Float64), pl.lit(float("nan")))
    labels = found.select(label=label.fill_null(float("nan")))["label"].to_numpy()
    reasons = found["reason"].fill_null("").to_list()
    return labels, np.array(reasons, dtype=object)


def _answers(history: History, at: int) -> pl.DataFrame:
    """Deeds and answers: account, treatment, time, done (0 or 1), reason; weight 1 = an answer; of_decision,
    the one that a deed names."""
    rows = known(history, "feedback", at).filter(pl.col("verb").is_in(["dismiss", "complete"]))
    spoken = rows.select(
        "account_id", "treatment", pl.col("occurred_at").to_physical().alias("time"),
        (pl.col("verb") == "complete").cast(pl.Float64).alias("done"), "reason",
        pl.lit(None, pl.String).alias("of_decision"), pl.lit(1).alias("weight"),
    )  # fmt: skip
    touchpoints = known(history, "touchpoints", at).filter(
        (pl.col("direction") == Direction.OUTBOUND)
        & (pl.col("status") == Status.DONE)
        & pl.col("treatment").is_not_null()
    )
    deeds = touchpoints.select(
        "account_id", "treatment", pl.col("occurred_at").to_physical().alias("time"),
        pl.lit(1.0).alias("done"), pl.lit(None, pl.String).alias("reason"),
        pl.col("decision_id").alias("of_decision"), pl.lit(0).alias("weight"),
    )  # fmt: skip
    return pl.concat([spoken, deeds], how="vertical_relaxed")
