"""When something was decided, and what: logged decisions, or landmarks where only touchpoints exist.

An occasion is an account at a moment with the treatment that followed. Landmarks give every arm the same
clock (design: as_of = start of the period, action = the first outbound contact within the grace window or
"none"), so that "none" is not the arm of those who lived long enough not to be contacted:

- the grid: the same moments for all accounts, a period apart;
- a contact begun by the account opens an occasion of its own, just after we knew of it; of a burst of them
  only the last one, after which none follows within the grace window;
- grid moments that have such a contact within the grace window before or after are left out.

Both are left out whatever was done: what is done after another enquiry answers that one, and its interest
buys more anyway. Whoever enquires again within the window is contacted more and buys more, whatever contacts
do; the earlier moment would take that for the contact's effect.

What came between the moment and the contact was not caused by it, and may be why there was one: a call that
follows a purchase. So outcomes are counted from the contact on; for those left alone after delays like those
of the contacts, whatever they did.

Here everything known at the time of training may be used; what was known at the occasion is the business of
`engine.features.features_as_of` alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from data.own_decisions import OWN_POLICY
from engine.contract import Direction, Status
from engine.records import DAY_MICROS, NO_CONTACT, History

COLUMNS = (
    "account_id", "as_of", "counted_from", "treatment", "probability", "eligible", "followed", "decision_id",
)  # fmt: skip
"""as_of and counted_from, from when outcomes count, in microseconds UTC; probability, eligible, followed and
decision_id are null where they were not logged, treatment for a contact that names none."""
EVENLY = (np.sqrt(5.0) - 1.0) / 2.0
"""The golden section: its multiples, less whole numbers, lie evenly however many there are."""


@dataclass(frozen=True)
class LandmarkSettings:
    """How landmarks are laid.

    Attributes:
        period_days: From one moment of the grid to the next.
        grace_days: Within which the first outbound contact is taken as the action.
    """

    period_days: float = 14.0
    grace_days: float = 7.0


def known(history: History, table: str, at: int) -> pl.DataFrame:
    """The versions of a table's facts that hold as known strictly before `at` (microseconds UTC)."""
    moment = pl.lit(at, dtype=pl.Int64)
    stored = pl.col("stored_at").to_physical()
    superseded = pl.col("superseded_at").to_physical()
    holds = (stored < moment) & (superseded.is_null() | (superseded >= moment))
    return history[table].filter(holds & ~pl.col("deleted").fill_null(value=False))


def decided(history: History, at: int) -> pl.DataFrame:
    """Occasions that were logged as decisions; only place 1, which alone has a probability.

    A night that was done again for the same moment decided an account twice: one of the two is an occasion,
    whichever, because their ids know nothing of what was drawn. Elsewhere times may be whole days, and two
    decisions at one time are two.
    """
    rows = known(history, "decisions", at).filter(pl.col("place").fill_null(1) == 1)
    nightly = pl.col("policy") == OWN_POLICY
    again = rows.sort("decision_id").select(pl.struct("account_id", "decided_at").is_first_distinct())
    rows = rows.sort("decision_id").filter(~nightly | again.to_series())
    decided_at = pl.col("decided_at").to_physical()
    timed = rows.with_columns(as_of=decided_at, counted_from=decided_at)
    return timed.select(COLUMNS).sort("account_id", "as_of")


def landmarks(
    history: History,
    account_ids: tuple[str, ...],
    *,
    start: int,
    until: int,
    at: int,
    settings: LandmarkSettings,
    reports: tuple[str, ...] = (),
) -> pl.DataFrame:
    """Occasions laid over the touchpoints of some accounts.

    Args:
        history: Facts of at least these accounts.
        account_ids: Whose.
        start: First moment of the grid, microseconds UTC.
        until: No moment of the grid lies at or after it.
        at: When the training takes place, microseconds UTC; later facts are not known.
        settings: Period and grace.
        reports: Topics of safety reports, which are no signal and open no occasion.
    """
    grace = int(settings.grace_days * DAY_MICROS)
    touchpoints = known(history, "touchpoints", at).filter(pl.col("status") == Status.DONE)
    touchpoints = touchpoints.with_columns(pl.col("occurred_at").to_physical().alias("at"))
    signals = touchpoints.filter(~pl.col("topic").is_in(reports).fill_null(value=False))
    enquiries = _enquiries(signals, account_ids)
    triggers = _triggers(enquiries, grace)
    grid = _grid(account_ids, start, until, int(settings.period_days * DAY_MICROS))
    near = pl.concat([enquiries.select("account_id", "as_of"), enquiries.select("account_id", as_of="at")])
    laid = [_far_from(grid, near, grace).with_columns(asked=pl.lit(value=False)),
            triggers.with_columns(asked=pl.lit(value=True))]  # fmt: skip
    moments = pl.concat(laid).sort("as_of", "account_id")
    return _counted(_with_action(moments, touchpoints, grace)).select(COLUMNS)


def _grid(account_ids: tuple[str, ...], start: int, until: int, period: int) -> pl.DataFrame:
    moments = pl.DataFrame({"as_of": range(start, until, period)}, schema={"as_of": pl.Int64})
    accounts = pl.DataFrame({"account_id": account_ids}, schema={"account_id": pl.String})
    return accounts.join(moments, how="cross")


def _enquiries(touchpoints: pl.DataFrame, account_ids: tuple[str, ...]) -> pl.DataFrame:
    """Contacts begun by accounts: when (at) and the moment just after they were known (as_of)."""
    begun = (pl.col("direction") == Direction.INBOUND) & pl.col("account_id").is_in(list(account_ids))
    seen = pl.max_horizontal("at", pl.col("stored_at").to_physical()) + 1
    return touchpoints.filter(begun).select("account_id", "at", seen.alias("as_of"))


def _triggers(enquiries: pl.DataFrame, grace: int) -> pl.DataFrame:
    """One moment for each burst of enquiries: the last, after which none is known for the grace window."""
    moments = enquiries.select("account_id", "as_of").sort("account_id", "as_of")
    pause = pl.col("as_of").shift(-1).over("account_id") - pl.col("as_of")
    return moments.filter(pause.is_null() | (pause > grace))


def _far_from(grid: pl.DataFrame, moments: pl.DataFrame, grace: int) -> pl.DataFrame:
    """Moments of the grid with none of these within the grace window before or after."""
    if moments.is_empty():
        return grid
    near = grid.sort("as_of").join_asof(
        moments.sort("as_of").with_columns(pl.col("as_of").alias("other")),
        on="as_of",
        by="account_id",
        strategy="nearest",
        check_sortedness=False,
    )
    distance = (pl.col("as_of") - pl.col("other")).abs()
    return near.filter(distance.is_null() | (distance >= grace)).select(grid.columns)


def _with_action(moments: pl.DataFrame, touchpoints: pl.DataFrame, grace: int) -> pl.DataFrame:
    outbound = touchpoints.filter(pl.col("direction") == Direction.OUTBOUND).select(
        "account_id",
        pl.col("at").alias("as_of"),
        pl.col("at").alias("contacted"),
        "treatment",
        "touchpoint_id",
    )
    first = moments.join_asof(
        outbound.sort("as_of", "touchpoint_id").unique(
            ["account_id", "as_of"], keep="first", maintain_order=True
        ),
        on="as_of",
        by="account_id",
        strategy="forward",
        check_sortedness=False,
    )
    within = (pl.col("contacted") - pl.col("as_of") < grace).fill_null(value=False)
    return first.with_columns(
        pl.when(within).then(pl.col("contacted")).alias("contacted"),
        pl.when(within).then(pl.col("treatment")).otherwise(pl.lit(NO_CONTACT)).alias("treatment"),
        pl.lit(None, dtype=pl.Float64).alias("probability"),
        pl.lit(None, dtype=pl.String).alias("eligible"),
        pl.lit(None, dtype=pl.Boolean).alias("followed"),
        pl.lit(None, dtype=pl.String).alias("decision_id"),
    )


def _counted(moments: pl.DataFrame) -> pl.DataFrame:
    """From when outcomes count. Those left alone, in the order of time and account, are given the contacts'
    delays of their kind (after an enquiry, or of the grid) by turns that spread evenly."""
    delay = (moments["contacted"] - moments["as_of"]).to_numpy().astype(np.float64)
    contacted, asked = ~np.isnan(delay), moments["asked"].to_numpy()
    for kind in (asked, ~asked):
        known, alone = np.sort(delay[kind & contacted]), np.flatnonzero(kind & ~contacted)
        turn = (np.arange(len(alone)) + 0.5) * EVENLY % 1.0
        delay[alone] = known[(turn * len(known)).astype(np.int64)] if len(known) else 0.0
    return moments.with_columns(counted_from=pl.col("as_of") + pl.Series(delay.astype(np.int64)))
