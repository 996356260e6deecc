"""The tables of the plan of people's days, beside those of `data.ledger.schema`; days are numbers of days
since 1970 by the company's clock."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Double, Index, Integer, Table, Text

from data.ledger.schema import Json, metadata, of_account

# One per run; it comes on show and goes with the run's lists.
plans = Table(
    "plans",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column("first_day", Integer, nullable=False),
    Column("days", Integer, nullable=False),
    Column("value", Double, nullable=False),
    Column("bound", Double, nullable=False),
    Column("prices", Json, nullable=False),
)

# Her time and what is booked of it, by day; `stale` = something was settled since the days were planned.
plan_people = Table(
    "plan_people",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column("user_id", Text, primary_key=True),
    Column("days", Json, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("stale", Boolean, nullable=False),
)

# What could be planned: with a day what is, without one what waits. Nobody's: what only takes a quota. Not
# listed: what was not worth its price, so that no list has it.
plan_items = Table(
    "plan_items",
    metadata,
    Column("run_id", Text, primary_key=True),
    of_account(primary_key=True),
    Column("treatment", Text, primary_key=True),
    Column("role", Text, primary_key=True),
    Column("user_id", Text),
    Column("in_plan", Boolean, nullable=False),
    Column("listed", Boolean, nullable=False),
    Column("day", Integer),
    Column("place", Integer),
    Column("settled", Boolean, nullable=False),
    Column("priority", Double, nullable=False),
    Column("value", Double, nullable=False),
    Column("minutes", Integer, nullable=False),
    Column("days", BigInteger, nullable=False),
    Column("latitude", Double),
    Column("longitude", Double),
    Column("why", Json),
    Column("due", Text),
    Index("ix_plan_items_person", "run_id", "user_id"),
)

# What people settle themselves outlives the nights.
plan_moves = Table(
    "plan_moves",
    metadata,
    of_account(primary_key=True),
    Column("treatment", Text, primary_key=True),
    Column("role", Text, primary_key=True),
    Column("user_id", Text, nullable=False, index=True),
    Column("day", Integer, nullable=False),
    Column("at", BigInteger),
    Column("moved_by", Text, nullable=False),
    Column("moved_at", BigInteger, nullable=False),
)

plan_absences = Table(
    "plan_absences",
    metadata,
    Column("user_id", Text, primary_key=True),
    Column("day", Integer, primary_key=True),
    Column("set_by", Text, nullable=False),
    Column("set_at", BigInteger, nullable=False),
)
