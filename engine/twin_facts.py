"""What a night found about an account's twins: facts that are known from the moment they were stored on."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl

from engine.facts import TWIN_FACTS, TWIN_STEPS
from engine.kernels import Questions, Standing, latest_known
from engine.records import Floats, History, Moments

_ALWAYS, _NEVER = np.iinfo(np.int64).min, np.iinfo(np.int64).max
_NUMBERS: Mapping[str, str] = {
    "twins_found": "twins_found", "unrealised_value": "unrealised_value", "unrealised_low": "unrealised_low",
    "unrealised_high": "unrealised_high", "twins_worked": "worked", "twins_tried": "tried",
}  # fmt: skip
"""Fact -> column of the derived table."""


def twin_facts(history: History, moments: Moments, levels: Mapping[str, tuple[str, ...]]) -> Floats:
    """The facts of `TWIN_FACTS` at some moments; NaN = no night had looked; shape (n, len(TWIN_FACTS)).

    Args:
        history: With its derived table of twins, where there is one.
        levels: Of the facts that name steps; a step that the playbook no longer has is not known.
    """
    accounts = sorted(set(moments.account_ids))
    places = {account: place for place, account in enumerate(accounts)}
    rows = history["twins"]
    if rows.height != 1 or rows.item(0, "account_id") not in places:
        rows = rows.filter(pl.col("account_id").is_in(accounts)).sort("account_id", "stored_at")
    owners = np.array([places[account] for account in rows["account_id"]], dtype=np.int64)
    standing = Standing(
        np.searchsorted(owners, np.arange(len(accounts) + 1)).astype(np.int64),
        _micros(rows, "stored_at", _ALWAYS),
        _micros(rows, "superseded_at", _NEVER),
        owners,
    )
    asked = Questions(
        np.array([places[account] for account in moments.account_ids], dtype=np.int64),
        np.array(moments.as_of, dtype=np.int64),
    )
    return _values(rows, levels)[latest_known(asked, standing)]


def _values(rows: pl.DataFrame, levels: Mapping[str, tuple[str, ...]]) -> Floats:
    """The facts of each row, and a last one of which nothing is known; shape (rows + 1, len(TWIN_FACTS))."""
    values = np.full((rows.height + 1, len(TWIN_FACTS)), np.nan)
    for column, fact in enumerate(TWIN_FACTS):
        if fact in _NUMBERS:
            values[:-1, column] = rows[_NUMBERS[fact]].cast(pl.Float64).fill_null(np.nan)
            continue
        place = TWIN_STEPS.index(fact)
        known = {level: float(code) for code, level in enumerate(levels[fact])}
        steps = [(text or "").split("|") for text in rows["approach"]]
        values[:-1, column] = [known.get(s[place] if place < len(s) else "", np.nan) for s in steps]
    return values


def _micros(rows: pl.DataFrame, column: str, missing: int) -> np.typing.NDArray[np.int64]:
    return np.array(rows[column].cast(pl.Int64).fill_null(missing), dtype=np.int64)
