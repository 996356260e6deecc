"""Rows of a table as arrays: what the encoding of facts reads of a frame.

An operation on a frame costs as much for one row as for thousands, and a live decision has few rows: columns
leave the frame at once, and only texts of many rows are coded by Polars.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar, cast

import numpy as np
import polars as pl

from engine.contract import TIME
from engine.numerics import compiled
from engine.records import FEW, Bools, Floats, Ints, Micros

ALWAYS = np.iinfo(np.int64).min
"""Also how NumPy writes a time that is not given."""
NEVER = np.iinfo(np.int64).max
Words = np.ndarray[Any, np.dtype[np.uint64]]
Values = TypeVar("Values", bound=np.ndarray[Any, Any])


class Rows:
    """The rows of a table that belong to some accounts; every array has an entry for each.

    Attributes:
        account: Code of the account.
        valid_from, valid_to: A version is known at t when valid_from < t <= valid_to; microseconds UTC.
        deleted: Whether it is a tombstone.
    """

    def __init__(self, frame: pl.DataFrame, accounts: Mapping[str, int], *, tombstones: bool = False) -> None:
        self._frame = frame
        self._names = frozenset(frame.columns)
        self._kept: Ints | None = None
        account, deleted = _owners(frame["account_id"], accounts), self._flags("deleted")
        wanted = account >= 0 if tombstones else (account >= 0) & ~deleted
        if not wanted.all():
            self._kept = np.flatnonzero(wanted)
        self.account, self.deleted = self._of_kept(account), self._of_kept(deleted)
        self.valid_from, self.valid_to = self.moments("stored_at"), self.moments("superseded_at", NEVER)

    def __len__(self) -> int:
        return len(self.account)

    def moments(self, name: str, missing: int = ALWAYS) -> Micros:
        """A column of times, microseconds UTC."""
        if name not in self._names:
            return np.full(len(self), missing, dtype=np.int64)
        found = self._frame[name].to_numpy()
        if found.dtype != _MICROSECONDS:
            found = self._frame[name].cast(TIME).to_numpy()
        times = self._of_kept(found.view(np.int64))
        return times if missing == ALWAYS else np.where(times == ALWAYS, missing, times)

    def coded(self, name: str, codes: Mapping[str, int]) -> Ints:
        """A column of texts as codes, -1 = another text or none."""
        if name not in self._names:
            return np.full(len(self), -1, dtype=np.int64)
        return self._of_kept(coded(self._frame[name], codes))

    def known(self, name: str) -> Bools:
        """Whether a column is given."""
        if name not in self._names:
            return np.zeros(len(self), dtype=np.bool_)
        values = self._frame[name]
        if not values.null_count():
            return np.ones(len(self), dtype=np.bool_)
        if len(values) <= FEW:
            return self._of_kept(np.array([value is not None for value in values.to_list()], dtype=np.bool_))
        return self._of_kept(np.array(values.is_not_null(), dtype=np.bool_))

    def numbers(self, name: str, missing: float = np.nan) -> Floats:
        """A column of numbers; a text that is none counts as missing."""
        if name not in self._names:
            return np.full(len(self), missing)
        values = self._frame[name]
        found = values.to_numpy()
        if found.dtype.kind in "iub":
            found = found.astype(np.float64)
        elif found.dtype != np.float64:
            found = values.cast(pl.Float64, strict=False).to_numpy()
        # NumPy has NaN for null; one that was given stays, as a null becomes what is missing.
        given = self._of_kept(found)
        if np.isnan(missing) or not values.null_count():
            return given
        return np.where(self.known(name), given, missing)

    def texts(self, name: str) -> list[str | None]:
        """A column of texts one by one."""
        if name not in self._names:
            return [None] * len(self)
        values = self._frame[name]
        found: list[str | None] = (values if values.dtype == pl.String else values.cast(pl.String)).to_list()
        return found if self._kept is None else [found[place] for place in self._kept.tolist()]

    def levels(self, name: str, codes: Mapping[str, int]) -> Floats:
        """A column of texts as places among levels, NaN = another text or none."""
        places = self.coded(name, codes)
        return np.where(places < 0, np.nan, places)

    def column(self, name: str) -> pl.Series:
        """A column as it is in the frame."""
        if name not in self._names:
            return pl.Series(name, [None] * len(self), dtype=pl.String)
        return self._frame[name] if self._kept is None else self._frame[name].gather(self._kept)

    def ordered(self, time: Micros, text: str, *rest: Ints | Floats) -> Ints | None:
        """Places of the rows by account, time, a text and the rest; what is equal in all of them once.

        None = they are in order as they stand.
        """
        return in_order(
            self.account, time, lambda rows: (self._ranked(text, rows), *(key[rows] for key in rest))
        )

    def versions(self, names: Sequence[str]) -> Ints:
        """Places of versions of accounts in the order in which they were stored, ties by what they say."""
        keys: tuple[Any, ...] = (self.account, self.valid_from, self.valid_to, self.deleted)
        order = np.lexsort(keys[::-1])
        if not _as_before([key[order] for key in keys]).any():
            return order
        said = [np.array(self.column(name).rank("dense").fill_null(0), dtype=np.int64) for name in names]
        return np.lexsort((*said[::-1], *keys[::-1]))

    def pairs(self, one: str, other: str) -> tuple[Ints, tuple[str, ...]]:
        """Two columns of texts together, "one|other", as places into what there is, and what there is."""
        if len(self) <= FEW:
            texts = [f"{a or ''}|{b or ''}" for a, b in zip(self.texts(one), self.texts(other), strict=True)]
            levels = numbered(sorted(set(texts)))
            return np.array([levels[text] for text in texts], dtype=np.int64), tuple(levels)
        parts = [self.column(name).cast(pl.String).fill_null("") for name in (one, other)]
        both = parts[0] + "|" + parts[1]
        found = both.unique().sort()
        return np.array(both.cast(pl.Enum(found)).to_physical(), dtype=np.int64), tuple(found)

    def _ranked(self, name: str, rows: Ints) -> Ints:
        """The texts of some rows as numbers in the order of texts."""
        if len(rows) <= FEW and len(self) <= FEW:
            texts = self.texts(name)
            own = [texts[row] or "" for row in rows.tolist()]
            places = {text: place for place, text in enumerate(sorted(set(own)))}
            return np.array([places[text] for text in own], dtype=np.int64)
        return np.array(self.column(name).gather(rows).fill_null("").rank("dense"), dtype=np.int64)

    def matches(self, name: str, other: Rows, order: Ints | None) -> tuple[Ints, Ints]:
        """Rows of both tables with the same account and text: places here and places in the other's order."""
        places = np.arange(len(other)) if order is None else order
        if not len(self):
            return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
        if len(self) <= FEW and len(other) <= FEW:
            return _matched(
                list(zip(self.account.tolist(), self.texts(name), strict=True)),
                list(zip(other.account.tolist(), other.texts(name), strict=True)),
                places.tolist(),
            )
        mine = pl.DataFrame({"account": self.account, "text": self.column(name)}).with_row_index("mine")
        theirs = pl.DataFrame(
            {"account": other.account[places], "text": other.column(name).gather(places)}
        ).with_row_index("theirs")
        both = mine.join(theirs, on=("account", "text"))
        return np.array(both["mine"], dtype=np.int64), np.array(both["theirs"], dtype=np.int64)

    def _flags(self, name: str) -> Bools:
        if name not in self._names:
            return np.zeros(self._frame.height, dtype=np.bool_)
        values = self._frame[name]
        if values.null_count() == len(values):
            return np.zeros(len(values), dtype=np.bool_)
        given = values.cast(pl.Boolean).fill_null(value=False) if values.null_count() else values
        return given.to_numpy()

    def _of_kept(self, values: Values) -> Values:
        """A copy, since what a frame lends may not be written and is another type to compiled loops."""
        return cast(Values, values.copy() if self._kept is None else values[self._kept])


_MICROSECONDS = np.dtype("datetime64[us]")


def coded(values: pl.Series, codes: Mapping[str, int]) -> Ints:
    """Texts as codes, -1 = another text or none."""
    texts = values if values.dtype == pl.String else values.cast(pl.String)
    if len(texts) <= FEW:
        return np.array([codes.get(text, -1) for text in texts.to_list()], dtype=np.int64)
    missing = texts.is_null().to_numpy() if texts.null_count() else np.zeros(0, dtype=np.bool_)
    places, firsts = np.empty(len(texts), dtype=np.int64), np.empty(_MOST_WRITTEN, dtype=np.int64)
    different = _told_apart(_written(texts), missing, places, firsts)
    if different >= 0:
        own = [codes.get(text, -1) for text in texts.gather(firsts[:different]).to_list()]
        return np.take(np.array([*own, -1], dtype=np.int64), places, out=places, mode="clip")
    # Long texts of which each row has a copy of its own.
    found = texts.cast(pl.Enum(list(codes)), strict=False).to_physical().fill_null(len(codes))
    return np.array([*codes.values(), -1], dtype=np.int64)[np.array(found, dtype=np.int64)]


def numbered(ids: Iterable[str]) -> dict[str, int]:
    """Ids -> their places."""
    return {name: place for place, name in enumerate(ids)}


def starts(owners: Ints, count: int) -> Ints:
    """Where the rows of each owner begin, one more entry for the end; owners are sorted."""
    if count == 1:
        return np.array([0, len(owners)], dtype=np.int64)
    return np.searchsorted(owners, np.arange(count + 1)).astype(np.int64)


def in_order(account: Ints, time: Micros, rest: Callable[[Ints], Sequence[Ints | Floats]]) -> Ints | None:
    """Places of rows by account, time and the rest; what is equal in all of them once. None = as they stand.

    Args:
        rest: Further keys of some rows; asked of those alone that share account and time with another.
    """
    ties = _ties(account, time)
    if ties == 0:
        return None
    order = np.lexsort((time, account)) if ties < 0 else np.arange(len(account))
    tied = _as_before([account[order], time[order]])
    if not tied.any():
        return order
    places = np.flatnonzero(np.append(tied, np.False_) | np.append(np.False_, tied))
    rows = order[places]
    keys = (account[rows], time[rows], *rest(rows))
    again = np.lexsort(keys[::-1])
    order[places] = rows[again]
    return np.delete(order, places[1:][_as_before([key[again] for key in keys])])


def _owners(ids: pl.Series, accounts: Mapping[str, int]) -> Ints:
    if len(ids) <= FEW or ids.dtype != pl.String:
        return coded(ids, accounts)
    # Rows of an account mostly stand together: each run is looked up once.
    begins = _begins(_written(ids))
    if ids.null_count() or 4 * len(begins) > len(ids):
        # Long texts of which each row has a copy of its own.
        lengths = np.array(ids.rle().struct.field("len"), dtype=np.int64)
        begins = np.cumsum(lengths) - lengths  # counts
    own = [accounts.get(text, -1) for text in ids.gather(begins).to_list()]
    return np.repeat(np.array(own, dtype=np.int64), np.diff(begins, append=len(ids)))


def _written(texts: pl.Series) -> Words:
    """How the texts stand in memory: equal words are the same text; shape (n, 2).

    Arrow writes a short text itself in two words, and of a long one where it stands; what is written of no
    text means nothing.
    """
    array = texts.to_arrow(compat_level=pl.CompatLevel.newest())
    words = np.frombuffer(array.buffers()[1], dtype=np.uint64).reshape(-1, 2)
    return words[array.offset : array.offset + len(array)]


_MOST_WRITTEN = 512
"""More different texts than any column has that is coded by names of a playbook."""
_SLOTS = 4 * _MOST_WRITTEN


@compiled
def _told_apart(words: Words, missing: Bools, places: Ints, firsts: Ints) -> int:
    """Number the different texts; -1 = there are more than `firsts` has room for.

    Filled are the number of each row's text, beyond all where it is `missing` (empty = nowhere), and the row
    in which each text stands first.
    """
    slots = np.empty(_SLOTS, dtype=np.int64)
    for empty in range(_SLOTS):
        slots[empty] = -1
    found = 0
    for row in range(words.shape[0]):
        if missing.size and missing[row]:
            places[row] = firsts.size
            continue
        one, other = words[row, 0], words[row, 1]
        mixed = (one ^ (other * _MIX)) * _MIX
        slot = np.int64(mixed >> _SHIFT) % _SLOTS
        while slots[slot] >= 0:
            first = firsts[slots[slot]]
            if words[first, 0] == one and words[first, 1] == other:
                break
            slot = (slot + 1) % _SLOTS
        if slots[slot] < 0:
            if found == firsts.size:
                return -1
            slots[slot] = found
            firsts[found] = row
            found += 1
        places[row] = slots[slot]
    return found


_MIX, _SHIFT = np.uint64(0x9E3779B97F4A7C15), np.uint64(40)


@compiled
def _begins(words: Words) -> Ints:
    """Rows whose text is another one than that of the row before."""
    count = 1
    for row in range(1, words.shape[0]):
        count += words[row, 0] != words[row - 1, 0] or words[row, 1] != words[row - 1, 1]
    begins = np.empty(count, dtype=np.int64)
    begins[0], count = 0, 1
    for row in range(1, words.shape[0]):
        if words[row, 0] != words[row - 1, 0] or words[row, 1] != words[row - 1, 1]:
            begins[count] = row
            count += 1
    return begins


def _matched(
    mine: Sequence[tuple[int, str | None]], theirs: Sequence[tuple[int, str | None]], order: Sequence[int]
) -> tuple[Ints, Ints]:
    places: dict[tuple[int, str | None], list[int]] = {}
    for place, row in enumerate(order):
        places.setdefault(theirs[row], []).append(place)
    pairs = [(row, place) for row, key in enumerate(mine) if key[1] is not None
             for place in places.get(key, ())]  # fmt: skip
    found = np.array(pairs, dtype=np.int64).reshape(len(pairs), 2)
    return found[:, 0].copy(), found[:, 1].copy()


def _as_before(keys: Sequence[Ints | Floats]) -> Bools:
    """Whether each row but the first is equal to the one before it."""
    same = np.ones(max(len(keys[0]) - 1, 0), dtype=np.bool_)
    for key in keys:
        same &= key[1:] == key[:-1]
    return same


@compiled
def _ties(account: Ints, time: Micros) -> int:
    """How many rows have account and time of the one before; -1 = they are not in order."""
    ties = 0
    for i in range(1, account.size):
        if account[i] < account[i - 1] or (account[i] == account[i - 1] and time[i] < time[i - 1]):
            return -1
        if account[i] == account[i - 1] and time[i] == time[i - 1]:
            ties += 1
    return ties
