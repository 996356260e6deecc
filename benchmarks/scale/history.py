"""A made-up folder of the contract of any size, written in parts: numbers without a story, quickly.

As exports are: a file of touchpoints holds a stretch of time and contacts of all accounts, not the history of
some accounts.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from data.playbooks import read_playbook
from engine.contract import TIME
from engine.playbook import Playbook
from engine.records import DAY_MICROS, Ints

AS_OF = 1_767_225_600_000_000
"""2026-01-01T00:00:00Z, where the history ends; microseconds."""
DAYS = 400
ROWS_AT_ONCE = 1_000_000
PEOPLE_PER_ROLE = 1_000
"""Accounts that one colleague of a role serves."""
_ANSWERED, _BOUGHT = 0.3, 0.1


def write_history(folder: Path, *, accounts: int, per_account: int = 50, seed: int = 7) -> int:
    """Write tables for so many accounts with so many touchpoints each on average.

    Returns how many rows were written in all tables.
    """
    playbook, draw = read_playbook("pharma"), np.random.default_rng(seed)
    folder.mkdir(parents=True)
    roles = [role.id for role in playbook.roles if not role.system]
    ids = _ids("a", np.arange(accounts))
    standing = {
        "accounts": _accounts(ids, draw),
        "users": _users(roles, accounts),
        "account_team": pl.concat([_team(ids, role) for role in roles]),
        "preferences": _permissions(ids, playbook, draw),
    }
    for name, frame in standing.items():
        frame.write_parquet(folder / f"{name}.parquet")
    written = sum(frame.height for frame in standing.values())
    touchpoints = accounts * per_account
    parts = -(-touchpoints // ROWS_AT_ONCE)
    for part in range(parts):
        numbers = np.arange(part * touchpoints // parts, (part + 1) * touchpoints // parts)
        stretch = AS_OF - DAYS * DAY_MICROS * (parts - part) // parts, DAYS * DAY_MICROS // parts
        contacts = _touchpoints(playbook, accounts, numbers=numbers, stretch=stretch, draw=draw)
        for name, frame in _with_what_follows(contacts, draw).items():
            (folder / name).mkdir(exist_ok=True)
            frame.write_parquet(folder / name / f"part-{part:05d}.parquet")
            written += frame.height
    return written


def _ids(letter: str, numbers: Any) -> pl.Series:
    return letter + pl.Series(np.asarray(numbers)).cast(pl.String).str.zfill(9)


def _named(names: list[Any], codes: Any) -> pl.Series:
    return pl.Series(names, dtype=pl.String).gather(codes)


def _accounts(ids: pl.Series, draw: np.random.Generator) -> pl.DataFrame:
    n = len(ids)
    return pl.DataFrame({
        "account_id": ids,
        "name": "Dr " + ids,
        "territory": _named([f"t{i:02d}" for i in range(40)], draw.integers(0, 40, n)),
        "segment": _named(["A", "B", "C"], draw.integers(0, 3, n)),
        "size": _named(["small", "medium", "large"], draw.integers(0, 3, n)),
        "industry": _named([f"speciality {i}" for i in range(12)], draw.integers(0, 12, n)),
        "language": _named(["en", "ar", "fa"], draw.integers(0, 3, n)),
        "timezone": pl.Series(["Europe/Berlin"]).extend_constant("Europe/Berlin", n - 1),
        "potential_value": draw.gamma(2.0, 500.0, n).round(2),
        "latitude": draw.uniform(47.0, 54.0, n).round(4),
        "longitude": draw.uniform(6.0, 14.0, n).round(4),
    })  # fmt: skip


def _user_of(role: str, number: Any) -> pl.Series:
    return role + "-" + pl.Series(np.asarray(number)).cast(pl.String).str.zfill(5)


def _users(roles: list[str], accounts: int) -> pl.DataFrame:
    numbers = np.arange(-(-accounts // PEOPLE_PER_ROLE))
    parts = [pl.DataFrame({"user_id": _user_of(role, numbers), "role": role}) for role in roles]
    return pl.concat(parts).with_columns(name=pl.col("user_id"))


def _team(ids: pl.Series, role: str) -> pl.DataFrame:
    people = np.arange(len(ids)) // PEOPLE_PER_ROLE
    return pl.DataFrame({"account_id": ids, "user_id": _user_of(role, people)}).with_columns(
        role=pl.lit(role)
    )


def _permissions(ids: pl.Series, playbook: Playbook, draw: np.random.Generator) -> pl.DataFrame:
    channels = sorted({treatment.channel for treatment in playbook.treatments if treatment.channel})
    who, channel = np.nonzero(draw.random((len(ids), len(channels))) < 0.7)
    since = AS_OF - draw.integers(DAYS, 3 * DAYS, len(who)) * DAY_MICROS
    return pl.DataFrame({
        "account_id": ids.gather(who),
        "channel": _named(channels, channel),
        "purpose": "marketing",
        "kind": "permission",
        "status": "opt_in",
        "since": pl.Series(since).cast(TIME),
    })  # fmt: skip


def _touchpoints(playbook: Playbook, accounts: int, *, numbers: Ints, stretch: tuple[int, int],
                 draw: np.random.Generator) -> pl.DataFrame:  # fmt: skip
    """Contacts of these numbers, anybody's, within a stretch (begin, length) of microseconds."""
    made = [treatment for treatment in playbook.treatments if treatment.kind == "contact"]
    n = len(numbers)
    chosen, inbound = draw.integers(0, len(made), n), draw.random(n) < 0.3
    return pl.DataFrame({
        "touchpoint_id": _ids("t", numbers),
        "account_id": _ids("a", draw.integers(0, accounts, n)),
        "occurred_at": pl.Series(np.sort(stretch[0] + draw.integers(0, stretch[1], n))).cast(TIME),
        "direction": _named(["outbound", "inbound"], inbound.astype(np.int64)),
        "channel": _named([t.channel for t in made], chosen),
        "treatment": _named([*(t.id for t in made), None], np.where(inbound, len(made), chosen)),
        "topic": _named([t.topic or None for t in made], chosen),
        "status": "done",
    })  # fmt: skip


def _with_what_follows(contacts: pl.DataFrame, draw: np.random.Generator) -> dict[str, pl.DataFrame]:
    """Touchpoints, and the responses and outcomes that come soon after some of them."""
    answered = contacts.filter(pl.Series(draw.random(contacts.height) < _ANSWERED))
    bought = contacts.filter(pl.Series(draw.random(contacts.height) < _BOUGHT))
    return {
        "touchpoints": contacts,
        "responses": answered.select(
            "touchpoint_id",
            responded_at=pl.col("occurred_at") + pl.duration(minutes=30),
            response=_named(["viewed", "clicked"], draw.integers(0, 2, answered.height)),
        ),
        "outcomes": bought.select(
            "account_id",
            outcome_id=pl.col("touchpoint_id").str.replace("t", "o", literal=True),
            occurred_at=pl.col("occurred_at") + pl.duration(minutes=45),
            kind=pl.lit("prescription"),
            value=pl.Series(draw.gamma(2.0, 50.0, bought.height).round(2)),
        ),
    }
