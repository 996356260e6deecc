"""What followed each occasion through each channel: contacts that came, and whether the account opted out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
import polars as pl

from data.history import Snapshot
from engine.contract import OPT_OUT_RESPONSES, Direction, Status
from engine.records import DAY_MICROS, Bools, Floats, History, Ints, Micros
from training.cases import Cases
from training.occasions import known

OWN_STOP = "stop:"
"""With it begins the source of a preference that followed from a stop of ours: no account asked for it."""
_OURS = pl.col("source").fill_null("").str.starts_with(OWN_STOP)
_ENDS = pl.col("response").is_in(list(OPT_OUT_RESPONSES))


@dataclass(frozen=True)
class Followed:
    """What followed the occasions through one channel; shapes (n,).

    Attributes:
        contacts: Done within the horizon.
        left: Whether the account then asked for no more of them.
        open: Whether it had not done so before.
        event: Which opt-out it was, a number; -1 = none.
    """

    contacts: Floats
    left: Bools
    open: Bools
    event: Ints

    @classmethod
    def nothing(cls, n: int) -> Followed:
        """After n occasions."""
        none = np.zeros(n, dtype=np.bool_)
        return cls(np.zeros(n), none.copy(), none.copy(), np.full(n, -1, dtype=np.int64))

    def put(self, rows: Ints, found: Followed) -> None:
        """Set what followed some of the occasions."""
        for field in fields(Followed):
            getattr(self, field.name)[rows] = getattr(found, field.name)

    @property
    def exposed(self) -> float:
        """Contacts after occasions that could have them."""
        return float(self.contacts[self.open].sum())

    @property
    def optouts(self) -> int:
        """Different ones."""
        return len(np.unique(self.event[self.left & self.open]))


def followed_through(
    snapshot: Snapshot, cases: Cases, channels: Sequence[str], *, at: int
) -> Mapping[str, Followed]:
    """Channel -> what followed all cases through it, as known at the time of training (microseconds UTC)."""
    whole = {channel: Followed.nothing(len(cases)) for channel in channels}
    asked = pl.DataFrame({"account_id": cases.account_ids, "as_of": cases.as_of}).with_row_index("row")
    numbered = 0
    for _, history in snapshot.histories():
        accounts = history["accounts"].select("account_id").unique(maintain_order=True).with_row_index("code")
        own = asked.join(accounts, on="account_id")
        moments = _Moments(
            own["code"].to_numpy().astype(np.int64), own["as_of"].to_numpy(),
            int(cases.horizon_days * DAY_MICROS),
        )  # fmt: skip
        contacts, wishes = _contacts(history, accounts, at), _wishes(history, accounts, at)
        for channel, found in whole.items():
            sent = contacts.filter(pl.col("channel") == channel)
            asks = wishes.filter(pl.col("channel").is_in([channel, "*"]))
            found.put(own["row"].to_numpy(), _one_channel(sent, asks, moments, numbered))
        numbered += wishes.height
    return whole


def recorded(snapshot: Snapshot, *, at: int) -> bool:
    """Whether any account ever asked for less, of whatever purpose, as known at the time of training
    (microseconds UTC): a history in which nobody did hardly records it."""
    for _, history in snapshot.histories():
        said = known(history, "preferences", at).filter(pl.col("status") == "opt_out", ~_OURS)
        answered = known(history, "responses", at).filter(_ENDS)
        if said.height or answered.height:
            return True
    return False


@dataclass(frozen=True)
class _Moments:
    """Accounts by number, moments, and the horizon after them; microseconds."""

    code: Ints
    at: Micros
    horizon: int


def _one_channel(sent: pl.DataFrame, asks: pl.DataFrame, moments: _Moments, numbered: int) -> Followed:
    """What followed some moments; opt-outs are numbered from `numbered`."""
    contacts, said, ends = _Line(sent), _Line(asks), _Line(asks.filter(pl.col("out")))
    code, end = moments.code, moments.at + moments.horizon
    last = said.before(code, moments.at)
    refused = np.append(said.flags("out"), np.False_)[last - 1]
    place = ends.before(code, moments.at)
    theirs = np.append(~ends.flags("ours"), np.False_)
    left = (ends.before(code, end) > place) & theirs[np.minimum(place, len(theirs) - 1)]
    return Followed(
        (contacts.before(code, end) - contacts.before(code, moments.at)).astype(np.float64),
        left,
        ~((last > said.first(code)) & refused),
        np.where(left, place + numbered, -1),
    )


class _Line:
    """Events of accounts in order, to be counted up to a moment."""

    def __init__(self, events: pl.DataFrame) -> None:
        self._events = events.sort("code", "time", maintain_order=True)
        time = self._events["time"].to_numpy()
        self._times = np.unique(time)
        self._key = self._keys(self._events["code"].to_numpy().astype(np.int64), time)

    def before(self, code: Ints, at: Micros) -> Ints:
        """How many events, of the account and all with a lower number, lie before a moment; shape (n,)."""
        return np.searchsorted(self._key, self._keys(code, at)).astype(np.int64)

    def first(self, code: Ints) -> Ints:
        """How many events accounts with a lower number have; shape (n,)."""
        return np.searchsorted(self._key, code * (len(self._times) + 1)).astype(np.int64)

    def flags(self, name: str) -> Bools:
        """A column of the events."""
        return np.asarray(self._events[name].to_numpy(), dtype=np.bool_)

    def _keys(self, code: Ints, at: Micros) -> Ints:
        """Account and moment as one number; moments count by the events' times, so that it stays small."""
        return np.asarray(code * (len(self._times) + 1) + np.searchsorted(self._times, at), dtype=np.int64)


def _contacts(history: History, accounts: pl.DataFrame, at: int) -> pl.DataFrame:
    done = (pl.col("direction") == Direction.OUTBOUND) & (pl.col("status") == Status.DONE)
    rows = known(history, "touchpoints", at).filter(done)
    return _timed(rows, "occurred_at", accounts).select("code", "time", "channel")


def _wishes(history: History, accounts: pl.DataFrame, at: int) -> pl.DataFrame:
    """When accounts permitted or refused marketing through a channel: code, time, channel, out, ours."""
    stated = known(history, "preferences", at).filter(
        (pl.col("purpose") == "marketing") & (pl.col("kind") == "permission")
    )
    said = _timed(stated, "since", accounts).select(
        "code", "time", "channel", (pl.col("status") == "opt_out").alias("out"),
        _OURS.alias("ours"),
    )  # fmt: skip
    touched = known(history, "touchpoints", at).select("touchpoint_id", "channel")
    ended = known(history, "responses", at).filter(_ENDS)
    clicked = _timed(ended.join(touched, on="touchpoint_id"), "responded_at", accounts).select(
        "code", "time", "channel", pl.lit(value=True).alias("out"), pl.lit(value=False).alias("ours")
    )
    return pl.concat([said, clicked])


def _timed(rows: pl.DataFrame, column: str, accounts: pl.DataFrame) -> pl.DataFrame:
    """With the account's number, and the time in microseconds."""
    return rows.with_columns(pl.col(column).to_physical().alias("time")).join(accounts, on="account_id")
