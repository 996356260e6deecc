"""What a withdrawn consent ends at once: plans that are ahead; and what it comes too late for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from data.ledger.types import TailRow
from data.times import micros
from engine.contract import TABLES, TIME, Kind, Status
from engine.decide import Decisions
from engine.playbook import Playbook
from engine.records import DAY_MICROS, FEW, History, known_rows

PURPOSES = ("marketing", "service")
"""In the order of `Features.consent`."""

Ended = frozenset[tuple[str, str]]
"""(channel, purpose) through which, and for which, no contact is allowed any more."""


@dataclass(frozen=True)
class Sent:
    """A contact that cannot be taken back: its channel, treatment and time (microseconds UTC)."""

    channel: str
    treatment: str | None
    at: int


def ended_by(rows: Iterable[TailRow], playbook: Playbook) -> Ended:
    """What these new preferences end, and for a while these rests."""
    channels = [channel.id for channel in playbook.channels]
    rests = {t.id: t.stops for t in playbook.treatments if t.days is not None}
    resting = (
        ended
        for row in rows
        if row.table == "feedback" and row.content["verb"] == "complete"
        for ended in rests.get(row.content["treatment"], ())
    )
    return frozenset(resting) | frozenset(
        (channel, str(row.content["purpose"]))
        for row in rows
        if row.table == "preferences"
        and (row.content.get("kind"), row.content.get("status")) == ("permission", "opt_out")
        for channel in (channels if row.content["channel"] == "*" else [row.content["channel"]])
    )


def ended_in(decisions: Decisions, row: int, playbook: Playbook) -> Ended:
    """What is ended for an account, for good or for a while, as a decision knew it."""
    resting = np.flatnonzero(decisions.features.resting[row] > 0.0)
    own = [playbook.treatments[place] for place in resting]
    rested = frozenset((t.channel, t.purpose) for t in own if t.kind == "contact")
    consent = decisions.features.consent[row]
    if not (consent < 0).any():
        return rested
    return rested | frozenset(
        (channel, purpose)
        for c, channel in enumerate(decisions.features.set.channels)
        for p, purpose in enumerate(PURPOSES)
        if consent[c, p] < 0
    )


def ended_treatments(ended: Ended, playbook: Playbook) -> list[str]:
    """The contacts of the playbook that are not allowed any more."""
    contacts = [t for t in playbook.treatments if t.kind == "contact"] if ended else []
    return [t.id for t in contacts if (t.channel, t.purpose) in ended]


def cancellations(
    history: History, ended: Ended, playbook: Playbook, now: int, *, said: Sequence[TailRow] = ()
) -> list[TailRow]:
    """A cancelled version of every plan that is ahead of `now` and not allowed any more.

    Args:
        said: What is stored with them. A plan of which it says what became of it is left as said there: a
            visit at which no more visits were asked for took place.
    """
    if not ended:
        return []
    ahead = pl.col("occurred_at") >= pl.lit(now).cast(TIME)
    plans = _outbound(history, Status.PLANNED, now)
    plans = plans.filter(ahead) if len(plans) else plans
    told = {row.content["touchpoint_id"] for row in said if row.table == "touchpoints"}
    rows = [
        plan for plan in plans.iter_rows(named=True)
        if plan["touchpoint_id"] not in told and _is_ended(plan, ended, playbook)
    ]  # fmt: skip
    return [
        TailRow(
            event_id=f"cancel:{plan['touchpoint_id']}:{micros(plan['stored_at'])}",
            table="touchpoints",
            account_id=plan["account_id"],
            content=content_of("touchpoints", plan) | {"status": Status.CANCELLED.value},
        )
        for plan in rows
    ]


def already_sent(history: History, ended: Ended, playbook: Playbook, now: int) -> list[Sent]:
    """What went out in the day before `now` and cannot be taken back, oldest first."""
    recent = pl.col("occurred_at").is_between(
        pl.lit(now - DAY_MICROS).cast(TIME), pl.lit(now).cast(TIME), closed="left"
    )
    done = _outbound(history, Status.DONE, now).filter(recent).sort("occurred_at", "touchpoint_id")
    return [
        Sent(row["channel"], row["treatment"], micros(row["occurred_at"]))
        for row in done.iter_rows(named=True)
        if _is_ended(row, ended, playbook)
    ]


def _outbound(history: History, status: Status, now: int) -> pl.DataFrame:
    rows = known_rows(history["touchpoints"], now)
    if len(rows) <= FEW:
        pairs = zip(rows["direction"].to_list(), rows["status"].to_list(), strict=True)
        return rows[[place for place, pair in enumerate(pairs) if pair == ("outbound", status.value)]]
    return rows.filter((pl.col("direction") == "outbound") & (pl.col("status") == status.value))


def purpose_of(touchpoint: Mapping[str, Any], playbook: Playbook) -> str:
    """What a contact is for, by its treatment; without one by its role, where all that the role does through
    the channel is for the same. Else it counts as marketing: fail closed."""
    known = {t.id: t.purpose for t in playbook.treatments}
    if touchpoint["treatment"] is not None:
        return known.get(touchpoint["treatment"], "marketing")
    place = touchpoint["channel"], touchpoint["role"]
    own = {t.purpose for t in playbook.treatments if t.kind == "contact" and (t.channel, t.role) == place}
    return own.pop() if len(own) == 1 else "marketing"


def _is_ended(touchpoint: Mapping[str, Any], ended: Ended, playbook: Playbook) -> bool:
    return (touchpoint["channel"], purpose_of(touchpoint, playbook)) in ended


def content_of(table: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """A stored row as the content of another version of it; times in microseconds UTC."""
    columns = [c for c in TABLES[table].columns if not c.personal]
    return {c.name: micros(row[c.name]) if c.kind is Kind.TIME and row[c.name] is not None else row[c.name]
            for c in columns}  # fmt: skip
