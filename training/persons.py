"""Who serves an account: whose decisions hang together, so that intervals by person know of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from engine.contract import Direction, Status
from engine.playbook import Playbook
from engine.records import History, Ints
from training.occasions import known

Names = np.ndarray[tuple[int], np.dtype[np.object_]]


def served_by(history: History, occasions: pl.DataFrame, playbook: Playbook, *, at: int) -> Names:
    """The person behind each occasion's account, the same for all occasions of an account; shape (n,).

    The colleague of its team in the first role of the playbook that a person fills; without a team the
    person who contacted it most, else its territory; "" where none of these is known.

    Args:
        history: Facts of at least these accounts.
        occasions: Column account_id.
        playbook: Its roles, in their order.
        at: What was stored strictly before it is known, microseconds UTC.
    """
    found = occasions.select("account_id")
    for place, table in enumerate((_team(history, playbook, at), _busiest(history, at), _area(history, at))):
        found = found.join(
            table.rename({"person": f"person_{place}"}), on="account_id", how="left", maintain_order="left"
        )
    person = found.select(pl.coalesce("^person_.*$").fill_null(""))
    return np.asarray(person.to_series().to_numpy(), dtype=np.object_)


def clusters_of_persons(person: Names, account_ids: tuple[str, ...]) -> Ints:
    """Persons as numbers from 0; an account that nobody serves stands for itself, below 0; shape (n,)."""
    codes = np.unique(person.astype(str), return_inverse=True)[1].reshape(-1).astype(np.int64)
    own = np.unique(np.array(account_ids), return_inverse=True)[1].reshape(-1).astype(np.int64)
    found: Ints = np.where(person == "", -1 - own, codes)
    return found


def _team(history: History, playbook: Playbook, at: int) -> pl.DataFrame:
    order = {role.id: place for place, role in enumerate(playbook.roles) if not role.system}
    team = known(history, "account_team", at).filter(pl.col("role").is_in(list(order)))
    ranked = team.with_columns(
        pl.col("role").replace_strict(order, return_dtype=pl.Int64).alias("order")
    ).sort("account_id", "order", "user_id")
    return _first(ranked, "user_id")


def _busiest(history: History, at: int) -> pl.DataFrame:
    done = (pl.col("direction") == Direction.OUTBOUND) & (pl.col("status") == Status.DONE)
    contacts = known(history, "touchpoints", at).filter(done & pl.col("user_id").is_not_null())
    counted = contacts.group_by("account_id", "user_id").len()
    return _first(counted.sort(["account_id", "len", "user_id"], descending=[False, True, False]), "user_id")


def _area(history: History, at: int) -> pl.DataFrame:
    accounts = known(history, "accounts", at)
    if "territory" not in accounts.columns:
        return pl.DataFrame(schema={"account_id": pl.String, "person": pl.String})
    areas = accounts.filter(pl.col("territory").is_not_null()).sort(
        "account_id", "stored_at", descending=True
    )
    return _first(areas.with_columns(pl.lit("area ") + pl.col("territory").cast(pl.String)), "literal")


def _first(rows: pl.DataFrame, column: str) -> pl.DataFrame:
    named = rows.unique("account_id", keep="first", maintain_order=True)
    person: Any = pl.col(column).cast(pl.String).alias("person")
    return named.select("account_id", person)
