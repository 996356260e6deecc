"""Builders of small folders of the data contract, as somebody would export them."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from data.home import Home
from data.tables import read_table
from engine.contract import TABLES, TIME

DAY = timedelta(days=1)
UNTIL = datetime(2026, 1, 1, tzinfo=UTC)
"""End of the history that the builders write."""

Row = Mapping[str, Any]


def micros(moment: datetime) -> int:
    """Microseconds since 1970 UTC."""
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def iso(moment: datetime) -> str:
    """As the contract wants times."""
    return moment.isoformat().replace("+00:00", "Z")


def days_before(days: float) -> str:
    """A moment of the history, counted back from its end."""
    return iso(UNTIL - days * DAY)


def account(account_id: str = "a1", **others: Any) -> dict[str, Any]:
    return {"account_id": account_id, "name": f"Dr {account_id}", "segment": "A"} | others


def user(user_id: str = "u1", **others: Any) -> dict[str, Any]:
    return {"user_id": user_id, "name": "Lena Sommer", "role": "account_manager"} | others


def team_member(account_id: str = "a1", **others: Any) -> dict[str, Any]:
    return {"account_id": account_id, "role": "account_manager", "user_id": "u1"} | others


def touchpoint(touchpoint_id: str = "t1", account_id: str = "a1", **others: Any) -> dict[str, Any]:
    return {
        "touchpoint_id": touchpoint_id, "account_id": account_id, "occurred_at": days_before(10),
        "direction": "outbound", "channel": "visit", "status": "done",
    } | others  # fmt: skip


def response(touchpoint_id: str = "t1", **others: Any) -> dict[str, Any]:
    return {"touchpoint_id": touchpoint_id, "responded_at": days_before(9), "response": "attended"} | others


def outcome(outcome_id: str = "o1", account_id: str = "a1", **others: Any) -> dict[str, Any]:
    return {
        "outcome_id": outcome_id, "account_id": account_id, "occurred_at": days_before(5),
        "kind": "prescription", "value": 120.0,
    } | others  # fmt: skip


def preference(account_id: str = "a1", **others: Any) -> dict[str, Any]:
    return {
        "account_id": account_id, "channel": "email", "purpose": "marketing", "kind": "permission",
        "status": "opt_in", "since": days_before(300),
    } | others  # fmt: skip


def decision(decision_id: str = "d1", account_id: str = "a1", **others: Any) -> dict[str, Any]:
    return {
        "decision_id": decision_id, "account_id": account_id, "decided_at": days_before(20),
        "treatment": "none", "place": 1, "probability": 0.25, "policy": "logged",
    } | others  # fmt: skip


def small_world(accounts: int = 3) -> dict[str, list[Row]]:
    """Some accounts with one of everything that a first load needs."""
    ids = [f"a{n}" for n in range(1, accounts + 1)]
    return {
        "accounts": [account(a, segment="AB"[n % 2]) for n, a in enumerate(ids)],
        "users": [user()],
        "account_team": [team_member(a) for a in ids],
        "touchpoints": [touchpoint(f"t-{a}", a) for a in ids],
        "responses": [response(f"t-{a}") for a in ids],
        "outcomes": [outcome(f"o-{a}", a) for a in ids],
        "preferences": [preference(a) for a in ids],
    }


def write_csv(folder: Path, tables: Mapping[str, Iterable[Row]]) -> Path:
    """Each table as CSV with the columns that its rows have; a table without rows gets its required ones."""
    folder.mkdir(parents=True, exist_ok=True)
    for table, given in tables.items():
        rows = list(given)
        required = [c.name for c in TABLES[table].columns if c.required] if table in TABLES else []
        columns = list(dict.fromkeys([*required, *(c for row in rows for c in row)]))
        with (folder / f"{table}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(rows)
    return folder


def write_parquet(folder: Path, tables: Mapping[str, Iterable[Row]]) -> Path:
    """The same as Parquet with the contract's types."""
    folder.mkdir(parents=True, exist_ok=True)
    for table, rows in tables.items():
        frame = pl.DataFrame(list(rows), infer_schema_length=None)
        times = [c for c, dtype in TABLES[table].schema.items() if dtype == TIME and c in frame.columns]
        frame = frame.with_columns(pl.col(times).str.to_datetime("%+", time_unit="us", time_zone="UTC"))
        frame.write_parquet(folder / f"{table}.parquet")
    return folder


def home_at(folder: Path) -> Home:
    """A state directory for a test."""
    return Home.at(folder / "home", models=folder / "models")


def check_import(folder: Path) -> None:
    """The tables that every import of a public log makes are there, and the loader rejects no row of them."""
    found = {name: checked for name in TABLES if (checked := read_table(folder, name)) is not None}

    assert set(found) == {
        "accounts", "users", "account_team", "touchpoints", "responses", "outcomes", "decisions",
    }  # fmt: skip
    assert [name for name, checked in found.items() if not checked.rejects.is_empty()] == []
