"""Which arm of the standing test each decision falls into: its unit by what is known at its moment."""

from __future__ import annotations

import numpy as np
import polars as pl

from engine.contract import TIME
from engine.experiments import OUTSIDE, Experiment
from engine.playbook import Playbook
from engine.records import FEW, History, Ints, Moments, micros_of


def arms_at(history: History, moments: Moments, playbook: Playbook) -> Ints:
    """Index into `ARMS`, or OUTSIDE, of each decision; shape (n,).

    Outside is what no test compares: everything where the playbook has none, decisions before its start, and
    accounts whose unit is not known (nobody in the role, no territory). The engine decides those as it is.
    """
    arms = np.full(len(moments), OUTSIDE, dtype=np.int64)
    test = playbook.experiment
    if test is None:
        return arms
    for row, unit in enumerate(units_at(history, moments, test)):
        if unit is not None and moments.as_of[row] >= test.starts:
            arms[row] = test.arm_of(unit)
    return arms


def units_at(history: History, moments: Moments, test: Experiment) -> list[str | None]:
    """The unit that each account belongs to at its moment; None = it is not known."""
    if test.unit == "account":
        return list(moments.account_ids)
    if test.unit == "person":
        units = {row: user for row, role, user in members_at(history, moments) if role == test.role}
    else:
        found = known_at(history["accounts"], moments).select("row", unit="territory")
        units = dict(found.iter_rows())
    return [units.get(row) for row in range(len(moments))]


def team_members(history: History, moments: Moments) -> pl.DataFrame:
    """Who has which role for the account of each moment, as known at it: columns row, role, user_id."""
    return (
        known_at(history["account_team"], moments)
        .sort("row", "role", "user_id")
        .unique(["row", "role"], keep="last", maintain_order=True)
        .select("row", "role", "user_id")
    )


Member = tuple[int, str | None, str | None]
"""Number of a moment, role, user_id."""


def members_at(history: History, moments: Moments) -> list[Member]:
    """As `team_members`, a tuple per row; of few accounts without an operation on a frame for each."""
    team = history["account_team"]
    if len(moments) > 1 or len(team) > FEW:
        return list(team_members(history, moments).iter_rows())
    members: dict[str | None, str | None] = {}
    for account, role, user in team_known(history, int(moments.as_of[0])):
        if account == moments.account_ids[0]:
            # Of several the last by its id, and nobody before anybody.
            members[role] = max(user, members.get(role), key=lambda one: (one is not None, one or ""))
    return [(0, role, user) for role, user in members.items()]


def team_known(history: History, as_of: int) -> list[tuple[str | None, str | None, str | None]]:
    """Account, role and user_id of each row that is known at a moment (microseconds UTC); for few rows."""
    return [
        (account, role, user)
        for begin, end, account, role, user in history.of_table("account_team", _team_said)
        if (begin is None or begin < as_of) and (end is None or end >= as_of)
    ]


_Said = tuple[int | None, int | None, str | None, str | None, str | None]
"""From when until when it is known, then account, role and user_id."""


def _team_said(team: pl.DataFrame) -> list[_Said]:
    times = (micros_of(team[name]).to_list() for name in ("stored_at", "superseded_at"))
    texts = (team[name].to_list() for name in ("account_id", "role", "user_id"))
    rows = zip(*times, *texts, strict=True)
    return [row for row, deleted in zip(rows, team["deleted"].to_list(), strict=True) if not deleted]


def known_at(frame: pl.DataFrame, moments: Moments) -> pl.DataFrame:
    """Rows of a table that were known of the account of each moment, with the moment's number `row`."""
    asked = pl.DataFrame(
        {
            "account_id": pl.Series(moments.account_ids, dtype=pl.String),
            "row": np.arange(len(moments)),
            "as_of": pl.Series(moments.as_of).cast(TIME),
        }
    )
    rows = frame.join(asked, on="account_id", how="inner")
    stored = pl.col("stored_at").is_null() | (pl.col("stored_at") < pl.col("as_of"))
    holds_still = pl.col("superseded_at").is_null() | (pl.col("superseded_at") >= pl.col("as_of"))
    return rows.filter(stored & holds_still & ~pl.col("deleted").fill_null(value=False))
