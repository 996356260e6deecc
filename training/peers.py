"""How many similar accounts were contacted and how many responded: counted from the tables for a release."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import polars as pl

from data.history import Snapshot
from engine.contract import POSITIVE_RESPONSES, Direction, Status
from engine.peers import PEER_DAYS, SIMILAR_BY, Peers
from engine.records import DAY_MICROS, History
from training.occasions import known

_WHAT = ("treatment", "channel")


def count_peers(snapshot: Snapshot, at: int) -> Peers:
    """Accounts contacted in the `PEER_DAYS` before `at` (microseconds UTC), and those that responded to such
    a contact before it, by treatment and by channel, within segments; only what was stored before `at`."""
    totals: dict[str, Any] = {what: defaultdict(lambda: defaultdict(lambda: (0, 0))) for what in _WHAT}
    for _, history in snapshot.histories():
        for what in _WHAT:
            for name, segment, contacted, responded in counted(history, what, at).iter_rows():
                before = totals[what][name][segment]
                totals[what][name][segment] = (before[0] + contacted, before[1] + responded)
    plain = {what: {name: dict(found) for name, found in sorted(totals[what].items())} for what in _WHAT}
    return Peers(at, plain["treatment"], plain["channel"])


def counted(history: History, what: str, at: int) -> pl.DataFrame:
    """Columns: treatment or channel, segment ("" = none), accounts contacted, accounts that responded."""
    occurred = pl.col("occurred_at").to_physical()
    done = known(history, "touchpoints", at).filter(
        (pl.col("direction") == Direction.OUTBOUND)
        & (pl.col("status") == Status.DONE)
        & (occurred < at)
        & (occurred >= at - PEER_DAYS * DAY_MICROS)
        & (pl.col(what).fill_null("") != "")
    )
    answered = (
        known(history, "responses", at)
        .filter(
            pl.col("response").is_in(list(POSITIVE_RESPONSES)) & (pl.col("responded_at").to_physical() < at)
        )
        .select("account_id", "touchpoint_id", pl.lit(True).alias("responded"))
        .unique()
    )
    own = known(history, "accounts", at)
    named = pl.col(SIMILAR_BY).cast(pl.String).fill_null("") if SIMILAR_BY in own.columns else pl.lit("")
    return (
        done.join(answered, on=["account_id", "touchpoint_id"], how="left")
        .group_by("account_id", what)
        .agg(pl.col("responded").fill_null(value=False).any())
        .join(own.select("account_id", named.alias("segment")), on="account_id")
        .group_by(what, "segment")
        .agg(pl.len().alias("contacted"), pl.col("responded").sum().alias("answered"))
        .sort(what, "segment")
    )
