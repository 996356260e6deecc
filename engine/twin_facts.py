"""What a night found about an account's twins: facts that are known from the moment they were stored on."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from engine.facts import TWIN_FACTS, TWIN_STEPS
from engine.kernels import Questions, Standing, latest_known
from engine.records import Floats, History, Ints, Moments
from engine.rows import Rows, numbered, starts

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
    places, unknown = numbered(sorted(set(moments.account_ids))), (len(moments), len(TWIN_FACTS))
    if history["twins"].is_empty():
        return np.full(unknown, np.nan)
    rows = Rows(history["twins"], places)
    if not len(rows):
        return np.full(unknown, np.nan)
    order = np.lexsort((rows.valid_from, rows.account))
    owners = rows.account[order]
    standing = Standing(starts(owners, len(places)), rows.valid_from[order], rows.valid_to[order], owners)
    asked = Questions(
        np.array([places[account] for account in moments.account_ids], dtype=np.int64),
        np.array(moments.as_of, dtype=np.int64),
    )
    return _values(rows, order, levels)[latest_known(asked, standing)]


def _values(rows: Rows, order: Ints, levels: Mapping[str, tuple[str, ...]]) -> Floats:
    """The facts of each row, and a last one of which nothing is known; shape (rows + 1, len(TWIN_FACTS))."""
    values = np.full((len(rows) + 1, len(TWIN_FACTS)), np.nan)
    steps = [(text or "").split("|") for text in rows.texts("approach")]
    for column, fact in enumerate(TWIN_FACTS):
        if fact in _NUMBERS:
            values[:-1, column] = rows.numbers(_NUMBERS[fact])[order]
            continue
        place = TWIN_STEPS.index(fact)
        known = {level: float(code) for code, level in enumerate(levels[fact])}
        found = [known.get(each[place] if place < len(each) else "", np.nan) for each in steps]
        values[:-1, column] = np.array(found)[order]
    return values
