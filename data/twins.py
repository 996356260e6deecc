"""What nights found about twins: <home>/twins/<set>/, one folder a night, complete or absent, never changed.

A finding is known to whoever decides after it was stored. It is no fact of the history, since it follows from
facts of all accounts: it stands beside it and goes with the nights that used it.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from data.home import DataError, Home
from data.ledger.types import TwinsKnown
from data.snapshot import sync
from engine.contract import TIME, TWINS
from engine.records import empty_frame

_META = "twins.json"
_CLAIMS = "claims.parquet"
_BUILDING = ".building"

_SCHEMA = empty_frame("twins").schema
_ZERO_WITHOUT_CLAIM = ("twins_found", "unrealised_value", "unrealised_low", "unrealised_high")

CLAIM_SCHEMA: dict[str, pl.DataType] = {column.name: column.kind.dtype for column in TWINS.columns}
"""A row per account for which something is claimed."""


@dataclass(frozen=True)
class TwinSet:
    """What one night found.

    Attributes:
        id: Name of its folder.
        as_of: Microseconds UTC: what was stored before it was compared.
        stored_at: From when on it is known.
    """

    path: Path
    as_of: int
    stored_at: int

    @property
    def id(self) -> str:
        """Name of its folder."""
        return self.path.name

    def claims(self) -> pl.DataFrame:
        """A frame of `CLAIM_SCHEMA`, by account."""
        try:
            return pl.read_parquet(self.path / _CLAIMS, glob=False)
        except (pl.exceptions.PolarsError, OSError):
            raise _damaged(self.path) from None


class TwinsBeingWritten:
    """A set that nobody reads yet; one that was left behind by a night that was killed is thrown away."""

    def __init__(self, home: Home, as_of: int) -> None:
        self.as_of = as_of
        self.path = home.twins / f"{as_of:020d}{_BUILDING}"
        for leftover in home.twins.glob(f"*{_BUILDING}"):
            shutil.rmtree(leftover)
        self.path.mkdir(parents=True)

    def write_episodes(self, bucket: int, episodes: pl.DataFrame) -> None:
        """What was tried on the accounts of a bucket."""
        episodes.write_parquet(self.path / f"episodes_{bucket:04d}.parquet")

    def episodes(self) -> pl.LazyFrame:
        """As written so far."""
        return pl.scan_parquet(self.path / "episodes_*.parquet")

    def finish(self, claims: pl.DataFrame, *, stored_at: int) -> TwinSet:
        """Make it the set that is known from `stored_at` on."""
        claims.select(pl.col(name).cast(dtype) for name, dtype in CLAIM_SCHEMA.items()).write_parquet(
            self.path / _CLAIMS
        )
        content = {"as_of": self.as_of, "stored_at": stored_at}
        (self.path / _META).write_text(json.dumps(content), encoding="utf-8")
        for file in (*self.path.iterdir(), self.path):
            sync(file)
        path = self.path.with_suffix("")
        self.path.rename(path)
        sync(path.parent)
        return TwinSet(path, self.as_of, stored_at)


def twin_sets(home: Home) -> list[TwinSet]:
    """All sets, oldest first. Raises DataError when one is damaged."""
    paths = sorted(home.twins.iterdir()) if home.twins.is_dir() else []
    return [_read(path) for path in paths if path.is_dir() and path.suffix != _BUILDING]


def found_before(home: Home, moment: int) -> TwinSet | None:
    """What is known at a moment (microseconds UTC): the set stored last before it."""
    return next((found for found in reversed(twin_sets(home)) if found.stored_at < moment), None)


def twins_known(found: TwinSet | None, account_ids: Sequence[str]) -> pl.DataFrame:
    """The derived table of some accounts: a row each, zeros where nothing is claimed; none without a set."""
    if found is None:
        return empty_frame("twins")
    asked = pl.DataFrame({"account_id": account_ids}, schema={"account_id": pl.String()})
    rows = asked.join(found.claims(), on="account_id", how="left")
    bookkeeping = {
        "stored_at": pl.lit(found.stored_at).cast(TIME), "deleted": pl.lit(value=False),
        "superseded_at": pl.lit(None).cast(TIME),
    }  # fmt: skip
    full = rows.with_columns(pl.col(_ZERO_WITHOUT_CLAIM).fill_null(0), **bookkeeping)
    return full.select(pl.col(name).cast(dtype) for name, dtype in _SCHEMA.items())


def twins_row(account_id: str, known: TwinsKnown) -> pl.DataFrame:
    """The same for one account from what the ledger has; by series, which cost a live decision less."""
    values: dict[str, Any] = dict.fromkeys(_ZERO_WITHOUT_CLAIM, 0)
    if known.finding is not None:
        values = {name: getattr(known.finding, name) for name in CLAIM_SCHEMA}
    values |= {"account_id": account_id, "deleted": False, "stored_at": known.stored_at}
    return pl.DataFrame(
        [
            pl.Series(name, [values.get(name)], dtype=pl.Int64()).cast(TIME) if dtype == TIME
            else pl.Series(name, [values.get(name)], dtype=dtype)
            for name, dtype in _SCHEMA.items()
        ]
    )  # fmt: skip


def remove_twin_sets(home: Home, *, before: int) -> None:
    """Remove sets that no night younger than a moment (microseconds UTC) has read; the newest stays."""
    known = found_before(home, before)
    for found in twin_sets(home)[:-1]:
        if known is not None and found.stored_at < known.stored_at:
            # Renamed first: half a set must not be read.
            gone = found.path.with_suffix(_BUILDING)
            found.path.rename(gone)
            shutil.rmtree(gone, ignore_errors=True)


def _read(path: Path) -> TwinSet:
    try:
        content = json.loads((path / _META).read_text(encoding="utf-8"))
        return TwinSet(path, int(content["as_of"]), int(content["stored_at"]))
    except (OSError, ValueError, KeyError, TypeError):
        raise _damaged(path) from None


def _damaged(path: Path) -> DataError:
    return DataError(f"{path} is damaged; remove the folder, the next night looks for twins again.")
