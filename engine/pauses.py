"""Treatments that the dismissal of another one keeps away: those of its topic, or of its channel."""

from __future__ import annotations

import polars as pl

from engine.dismissals import PauseScope
from engine.playbook import Playbook, Treatment

_SCHEMA = {"reason": pl.String, "treatment": pl.Int64, "other": pl.Int64}


def widened(feedback: pl.DataFrame, playbook: Playbook) -> pl.DataFrame:
    """A row for each treatment that a dismissal of another one keeps away; its own treatment has none.

    Args:
        feedback: Answers with verb, reason, until and the code of their treatment.

    Returns:
        Rows of `feedback` with the other treatment in place of their own, in the order of account and time.
    """
    pairs = pl.DataFrame(_pairs(playbook), schema=_SCHEMA, orient="row")
    typed = [pl.col("reason").cast(pl.String), pl.col("treatment").cast(pl.Int64)]
    dismissed = feedback.filter(pl.col("verb") == "dismiss").with_columns(typed)
    found = dismissed.join(pairs, on=("reason", "treatment")).with_columns(treatment="other")
    return found.sort("account", "time", "id", "valid_from", "valid_to", "treatment", "until")


def _pairs(playbook: Playbook) -> list[tuple[str, int, int]]:
    own = list(enumerate(playbook.treatments))
    return [
        (reason, index, other)
        for reason, dismissal in sorted(playbook.dismissals.items())
        for index, one in own
        for other, theirs in own
        if other != index and _kept_away(one, theirs, dismissal.scope)
    ]


def _kept_away(one: Treatment, other: Treatment, scope: PauseScope) -> bool:
    """Whether dismissing one keeps the other away: of the same role alone, and contacts alone, so that
    nothing keeps anybody from stopping contacts."""
    if scope == "treatment" or one.role != other.role or not one.kind == other.kind == "contact":
        return False
    return bool(getattr(one, scope)) and getattr(one, scope) == getattr(other, scope)
