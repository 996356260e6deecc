"""The facts known of accounts, and the moments that are asked about, as types.

The tables that the facts stand in are defined in `engine.contract`. Nothing here opens a file or knows a
clock.

Times are microseconds since 1970-01-01 UTC wherever they are numbers (`Micros`) and
`Datetime("us", "UTC")` wherever they are columns of a frame.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache, cached_property
from typing import Any, TypeVar, cast

import numpy as np
import numpy.typing as npt
import polars as pl

from engine.contract import DERIVED_TABLES, HISTORY_TABLES, TABLES, TIME

Floats = npt.NDArray[np.float64]
Micros = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]

DAY_MICROS = 86_400_000_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
"""From which times as numbers count, and days as numbers."""
Owner = TypeVar("Owner")
Other = TypeVar("Other")
Result = TypeVar("Result")
FEW = 1_000
"""Up to so many rows a loop in Python is faster than an operation on a frame."""
NO_CONTACT = "none"
"""The treatment that is always a candidate: leave the account alone this time."""


def kept_with(work: Callable[[Owner], Result]) -> Callable[[Owner], Result]:
    """Worked out once for each frozen object and kept with it, as `cached_property` keeps what is its own.

    A playbook says the same of every decision: what follows from it alone is not worked out again for each.
    The result may not be written to. An object made from it with other fields begins anew.
    """
    name = f"{work.__module__}.{work.__qualname__}"

    def kept(owner: Owner) -> Result:
        memory: dict[str, Any] = vars(owner)
        if name not in memory:
            memory[name] = work(owner)
        return cast(Result, memory[name])

    return kept


def kept_for(work: Callable[[Owner, Other], Result]) -> Callable[[Owner, Other], Result]:
    """As `kept_with`, for what also follows from another frozen object: the result for the latest is kept."""
    name = f"{work.__module__}.{work.__qualname__}"

    def kept(owner: Owner, other: Other) -> Result:
        memory: dict[str, Any] = vars(owner)
        if name not in memory or memory[name][0] is not other:
            memory[name] = (other, work(owner, other))
        return cast(Result, memory[name][1])

    return kept


@cache
def empty_frame(table: str) -> pl.DataFrame:
    """A frame of that table without rows, with the types of the contract.

    Every frame of `HISTORY_TABLES` carries account_id (responses get theirs from the touchpoint) and the
    bookkeeping columns.
    """
    schema = dict((TABLES.get(table) or DERIVED_TABLES[table]).schema)
    if "account_id" not in schema:
        schema = {"account_id": pl.String()} | schema
    return pl.DataFrame(schema=schema)


@dataclass(frozen=True)
class History:
    """All facts of some accounts, every version of each, as frames of the contract.

    What was derived from facts (`DERIVED_TABLES`) stands beside them.

    Personal columns are absent (they live in the ledger under a subject key). Rows of accounts beyond
    those asked for do no harm; order of rows does not matter.
    """

    frames: Mapping[str, pl.DataFrame] = field(default_factory=dict)

    def __getitem__(self, table: str) -> pl.DataFrame:
        """The frame of a table of the history or of what is derived, without rows where none was given."""
        if table not in HISTORY_TABLES and table not in DERIVED_TABLES:
            raise KeyError(table)
        frame = self.frames.get(table)
        return empty_frame(table) if frame is None else frame

    def append(self, later: History) -> History:
        """These facts and later ones, with `superseded_at` brought up to date.

        A row of `later` with the key of an earlier one is its next version. The same row twice counts
        once.
        """
        tables = [name for name in HISTORY_TABLES if name in self.frames or name in later.frames]
        derived = {n: f for part in (self, later) for n, f in part.frames.items() if n in DERIVED_TABLES}
        both = {name: _versioned(name, [self[name], later[name]]) for name in tables} | derived
        return self.with_frames(both)

    def with_frames(self, frames: Mapping[str, pl.DataFrame]) -> History:
        """Other frames; what was coded of tables that are still the same is not coded again."""
        found = History(frames)
        vars(found)["coded"] = self.coded
        return found

    @cached_property
    def coded(self) -> dict[str, Any]:
        """What is kept of single tables, beside the frame that it is of."""
        return {}

    def of_table(self, table: str, work: Callable[[pl.DataFrame], Result]) -> Result:
        """What follows from one table alone: worked out once, and kept while the table is the same frame."""
        frame, name = self[table], f"{table}:{work.__qualname__}"
        held = self.coded.get(name)
        if held is None or held[0] is not frame:
            held = self.coded[name] = frame, work(frame)
        found: Result = held[1]
        return found


def join(histories: Iterable[History]) -> History:
    """Facts of different accounts side by side. No account may occur in two of them."""
    parts = list(histories)
    if len(parts) == 1:
        return parts[0]
    known = (*HISTORY_TABLES, *DERIVED_TABLES)
    tables = [name for name in known if any(name in part.frames for part in parts)]
    return History(
        {name: pl.concat([part[name] for part in parts], how="diagonal_relaxed") for name in tables}
    )


def micros_of(times: pl.Series) -> pl.Series:
    """Times as microseconds UTC. (`to_physical` is worked out by Polars' threads, and waits for one.)"""
    return times.cast(TIME).cast(pl.Int64)


def known_rows(frame: pl.DataFrame, as_of: int) -> pl.DataFrame:
    """The versions of facts that are known at a moment, tombstones left out; `as_of` in microseconds UTC."""
    if len(frame) <= FEW:
        return _known_few(frame, as_of)
    moment = pl.lit(as_of).cast(TIME)
    stored = pl.col("stored_at").is_null() | (pl.col("stored_at") < moment)
    holds = pl.col("superseded_at").is_null() | (pl.col("superseded_at") >= moment)
    return frame.filter(stored & holds & ~pl.col("deleted").fill_null(value=False))


def _known_few(frame: pl.DataFrame, as_of: int) -> pl.DataFrame:
    begins, ends = (micros_of(frame[name]).to_list() for name in ("stored_at", "superseded_at"))
    rows = [
        row
        for row, (begin, end, deleted) in enumerate(
            zip(begins, ends, frame["deleted"].to_list(), strict=True)
        )
        if (begin is None or begin < as_of) and (end is None or end >= as_of) and not deleted
    ]
    return frame if len(rows) == len(frame) else frame[rows]


def _versioned(table: str, parts: list[pl.DataFrame]) -> pl.DataFrame:
    old, new = parts
    if new.is_empty():
        return old
    key = list(TABLES[table].key)
    if _all_first(old, new, key):
        given, names = {*new.columns}, old.columns
        missing = [pl.Series(n, [None] * len(new), dtype=old[n].dtype) for n in names if n not in given]
        if given <= {*names} and (alike := new.hstack(missing)[names]).dtypes == old.dtypes:
            return old.vstack(alike)
        return pl.concat([old, new], how="diagonal_relaxed")
    touched = old.join(new.select(key).unique(), on=key, how="semi", nulls_equal=True)
    rest = old.join(new.select(key).unique(), on=key, how="anti", nulls_equal=True)
    chain = pl.concat([touched, new], how="diagonal_relaxed")
    return pl.concat([rest, with_superseded(table, chain)], how="diagonal_relaxed")


def _all_first(old: pl.DataFrame, new: pl.DataFrame, key: list[str]) -> bool:
    """Whether a few later rows are the only version of their fact each: they are added as they stand, since
    an operation on frames costs more than to look."""
    if len(new) > FEW or len(old) > FEW or "superseded_at" not in new.columns:
        return False
    if new["superseded_at"].null_count() < len(new):
        return False
    keys = set(zip(*(new[name].to_list() for name in key), strict=True))
    known = zip(*(old[name].to_list() for name in key), strict=True)
    return len(keys) == len(new) and keys.isdisjoint(known)


def with_superseded(table: str, rows: pl.DataFrame) -> pl.DataFrame:
    """Rows of a table, all versions of each fact among them, with `superseded_at` filled in.

    Of two versions stored at the same moment the one given later holds; equal rows count once.
    """
    key = list((TABLES.get(table) or DERIVED_TABLES[table]).key)
    content = [name for name in rows.columns if name != "superseded_at"]
    return (
        rows.unique(subset=content, keep="first", maintain_order=True)
        .sort("stored_at", maintain_order=True)
        .with_columns(pl.col("stored_at").shift(-1).over(key).alias("superseded_at"))
    )


@dataclass(frozen=True)
class ContactStop:
    """People have stopped some contacts, for all accounts, until they resume them.

    Attributes:
        stop_id: Names the order, so that a decision can say under which it was taken.
        level: "all", or what `of` names: "channel", "issue", "group", "action", "topic" or "treatment".
        of: Its id; "" = everything.
    """

    stop_id: str
    level: str
    of: str


@dataclass(frozen=True)
class Moments:
    """For which accounts, and as of when, something is asked; one row a question.

    Attributes:
        account_ids: One per question; an account may occur several times.
        as_of: Shape (n,); what occurred and was stored strictly before it is known.
        stops: What people have stopped, for all of them, when it is asked.
    """

    account_ids: tuple[str, ...]
    as_of: Micros
    stops: tuple[ContactStop, ...] = ()

    def __post_init__(self) -> None:
        if len(self.account_ids) != len(self.as_of):
            raise ValueError(
                f"Got {len(self.account_ids)} accounts and {len(self.as_of)} times, need one time each."
            )

    @classmethod
    def at(cls, account_ids: Iterable[str], as_of: int, stops: tuple[ContactStop, ...] = ()) -> Moments:
        """The same moment for all accounts."""
        ids = tuple(account_ids)
        return cls(ids, np.full(len(ids), as_of, dtype=np.int64), stops)

    def __len__(self) -> int:
        return len(self.account_ids)


class EngineError(ValueError):
    """Something given to the engine is wrong; the message is one line for the person who gave it."""
