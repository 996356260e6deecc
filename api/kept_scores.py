"""Scores of a bucket as a frame and back, so that a night places accounts twice and scores them once."""

from __future__ import annotations

import numpy as np
import polars as pl

from engine.records import Floats
from engine.scores import Scores

_FLOATS = ("value", "response", "optout", "followed", "uncertainty")


def scores_to_keep(scores: Scores) -> pl.DataFrame:
    """A row per account and treatment; floats are exact."""
    columns = {name: np.ascontiguousarray(getattr(scores, name)).ravel() for name in _FLOATS}
    comparable = None if scores.comparable is None else scores.comparable.ravel()
    return pl.DataFrame(columns).with_columns(
        pl.Series("evidence", np.tile(scores.evidence, len(scores.value)), dtype=pl.Int64),
        pl.Series("comparable", comparable, dtype=pl.Boolean)
        if comparable is not None
        else pl.lit(None, pl.Boolean).alias("comparable"),
    )


def kept_scores(frame: pl.DataFrame, accounts: int) -> Scores:
    """The scores that were kept, of that many accounts."""
    shape = (accounts, len(frame) // accounts)
    floats: dict[str, Floats] = {name: frame[name].to_numpy().reshape(shape).copy() for name in _FLOATS}
    comparable = frame["comparable"]
    judged = None if comparable.null_count() else comparable.to_numpy().reshape(shape).copy()
    evidence = frame["evidence"].to_numpy()[: shape[1]].copy()
    return Scores(**floats, evidence=evidence, comparable=judged)
