"""What was tried on accounts, in which order, and whether a larger purchase followed.

An approach is one to three outbound contacts told apart by channel or group, several of the same in a row
being one step: visit, then e-mail. It begins with a contact, gathers those that follow while it lasts, and
ends

- as a success with the first larger purchase within some days of its last contact,
- as a failure when those days pass without one, when it has lasted too long, or when a fourth step would
  follow.

Each account counts once for each approach: the first time that it was tried. What has neither succeeded nor
had its time is left out. Counting failures on the same accounts keeps the survivors from speaking for all;
still these are counts of what followed, not effects: whoever was chosen for a visit may have been about to
buy.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import polars as pl

from engine.contract import TIME
from engine.numerics import compiled
from engine.playbook import Playbook
from engine.records import Floats, History, Ints, Micros, known_rows
from engine.tallies import micros
from engine.twin_settings import TwinSettings

MOST_STEPS = 3
SEPARATOR = "|"
"""Between the steps of an approach where it is written as text."""

EPISODES: dict[str, pl.DataType] = {
    "account_id": pl.String(),
    "steps": pl.String(),
    "worked": pl.Boolean(),
    "touchpoint_ids": pl.String(),
    "outcome_id": pl.String(),
    "began_at": TIME,
}
"""A row per account and approach that was tried on it: the last contact of each step opens the row."""


class _Contacts(NamedTuple):
    """Outbound contacts that were done, by account and time; `step` is the place of its step, from 1."""

    start: Ints
    time: Micros
    step: Ints


class _Purchases(NamedTuple):
    """Outcomes by account and time; `amount` in currency."""

    start: Ints
    time: Micros
    amount: Floats


class _Spans(NamedTuple):
    """Lengths in microseconds, how many times the largest purchase before a larger one is worth, and the
    base of the codes of approaches."""

    sequence: int
    success: int
    year: int
    growth: float
    base: int


class _Chance(NamedTuple):
    """When a larger purchase would be an approach's success, and what the largest before it was worth."""

    after: int
    until: int
    largest: float


def purchases_at(history: History, as_of: int, playbook: Playbook, settings: TwinSettings) -> pl.DataFrame:
    """Outcomes that count as purchases and occurred before a moment.

    Columns: account_id, outcome_id, time (microseconds), item (the product, else the kind), amount
    (currency).
    """
    worth = {
        kind: rate for kind, rate in playbook.outcome_worth.items()
        if rate > 0.0 and (not settings.outcomes or kind in settings.outcomes)
    }  # fmt: skip
    rows = known_rows(history["outcomes"], as_of).filter(
        pl.col("kind").is_in(list(worth)) & (pl.col("occurred_at") < pl.lit(as_of).cast(TIME))
    )
    rate = pl.col("kind").replace_strict(
        list(worth), list(worth.values()), default=0.0, return_dtype=pl.Float64
    ) if worth else pl.lit(0.0)  # fmt: skip
    return rows.select(
        "account_id",
        "outcome_id",
        pl.col("occurred_at").cast(pl.Int64).alias("time"),
        pl.coalesce("product", "kind").alias("item"),
        (pl.col("value").fill_null(0.0) * rate).alias("amount"),
    ).sort("account_id", "time", "outcome_id")


def episodes_of(
    history: History, purchases: pl.DataFrame, account_ids: tuple[str, ...], as_of: int, *,
    playbook: Playbook, settings: TwinSettings,
) -> pl.DataFrame:  # fmt: skip
    """The approaches tried on some accounts, as known at a moment.

    Args:
        history: Facts of these accounts.
        purchases: `purchases_at` that moment.
        account_ids: Sorted.
        as_of: Microseconds UTC.

    Returns:
        A frame of `EPISODES`; ids of touchpoints are separated by |, outcome_id is null after a failure.
    """
    contacts = _contacts_at(history, as_of, playbook, settings)
    places = pl.DataFrame({"account_id": account_ids, "place": np.arange(len(account_ids))},
                          schema={"account_id": pl.String(), "place": pl.Int64()})  # fmt: skip
    met = contacts.join(places, on="account_id").sort("place", "time", "touchpoint_id")
    bought = purchases.join(places, on="account_id").sort("place", "time", "outcome_id")
    spans = _Spans(
        micros(settings.sequence_days), micros(settings.success_days), micros(365.0), settings.growth,
        len(playbook.twin_steps) + 1,
    )  # fmt: skip
    rows = np.zeros((met.height, 3 + MOST_STEPS), dtype=np.int64)
    found = _tell_episodes(
        _Contacts(starts_of(met, len(account_ids)), whole(met, "time"), whole(met, "step")),
        _Purchases(starts_of(bought, len(account_ids)), whole(bought, "time"),
                   np.array(bought["amount"], dtype=np.float64)),
        spans, as_of, rows,
    )  # fmt: skip
    return _as_frame(rows[:found], met, bought, playbook.twin_steps)


def steps_of(code: int, steps: tuple[str, ...]) -> str:
    """An approach's code as text: its steps, separated by |."""
    names = []
    while code:
        code, step = divmod(code, len(steps) + 1)
        names.append(steps[step - 1])
    return SEPARATOR.join(reversed(names))


def code_of(text: str, steps: tuple[str, ...]) -> int:
    """The reverse of `steps_of`."""
    code = 0
    for name in text.split(SEPARATOR):
        code = code * (len(steps) + 1) + steps.index(name) + 1
    return code


def _contacts_at(history: History, as_of: int, playbook: Playbook, settings: TwinSettings) -> pl.DataFrame:
    """Outbound contacts that are steps, done before a moment and within the time looked back."""
    medical = [role.id for role in playbook.roles if role.side == "medical"]
    named = {t.id: t.group if settings.steps == "group" else t.channel for t in playbook.treatments}
    treatment = pl.col("treatment").replace_strict(
        list(named), list(named.values()), default=None, return_dtype=pl.String
    )
    said = treatment if settings.steps == "group" else pl.coalesce("channel", treatment)
    step = said.replace_strict(
        list(playbook.twin_steps), list(range(1, len(playbook.twin_steps) + 1)), default=0,
        return_dtype=pl.Int64,
    ) if playbook.twin_steps else pl.lit(0, pl.Int64)  # fmt: skip
    moment, since = pl.lit(as_of).cast(TIME), pl.lit(as_of - micros(settings.lookback_days)).cast(TIME)
    return (
        known_rows(history["touchpoints"], as_of)
        .filter(
            (pl.col("direction") == "outbound") & (pl.col("status") == "done")
            & (pl.col("occurred_at") < moment) & (pl.col("occurred_at") >= since)
            & ~pl.col("role").is_in(medical).fill_null(value=False)
        )
        .select("account_id", "touchpoint_id", pl.col("occurred_at").cast(pl.Int64).alias("time"),
                step.alias("step"))
        .filter(pl.col("step") > 0)
    )  # fmt: skip


@compiled
def _largest_before(purchases: _Purchases, account: int, at: int, year: int) -> float:
    largest = 0.0
    for row in range(purchases.start[account], purchases.start[account + 1]):
        if at - year <= purchases.time[row] < at:
            largest = max(largest, purchases.amount[row])
    return largest


@compiled
def _first_larger(purchases: _Purchases, account: int, chance: _Chance, growth: float) -> int:
    """The first purchase of an account that is a larger one; -1 = none."""
    for row in range(purchases.start[account], purchases.start[account + 1]):
        in_time = chance.after < purchases.time[row] <= chance.until
        if in_time and purchases.amount[row] > 0.0 and purchases.amount[row] >= growth * chance.largest:
            return row
    return -1


@compiled
def _tell_episodes(contacts: _Contacts, purchases: _Purchases, spans: _Spans, as_of: int, rows: Ints) -> int:
    """Fill rows of account, code, row of the purchase (-1 = failed), last contact of each step; how many."""
    count = 0
    ended = np.empty(MOST_STEPS, dtype=np.int64)
    for account in range(contacts.start.size - 1):
        told, contact, end = count, contacts.start[account], contacts.start[account + 1]
        while contact < end:
            began = contacts.time[contact]
            largest = _largest_before(purchases, account, began, spans.year)
            code, steps, last_step, success = 0, 0, 0, -1
            following, until = as_of, as_of
            ended[:] = -1
            while contact < end:
                step, time = contacts.step[contact], contacts.time[contact]
                if time - began > spans.sequence or (steps == MOST_STEPS and step != last_step):
                    break
                if step != last_step:
                    code, steps, last_step = code * spans.base + step, steps + 1, step
                ended[steps - 1] = contact
                until = time + spans.success
                following = contacts.time[contact + 1] if contact + 1 < end else as_of
                contact += 1
                chance = _Chance(time, min(until, following), largest)
                success = _first_larger(purchases, account, chance, spans.growth)
                if success >= 0 or following > until:
                    break
            # What nothing followed yet has had its chance only when its time is over.
            mature = success >= 0 or contact < end or following > until
            if mature and not np.any(rows[told:count, 1] == code):
                rows[count, 0], rows[count, 1], rows[count, 2] = account, code, success
                rows[count, 3:] = ended
                count += 1
    return count


def _as_frame(
    rows: Ints, contacts: pl.DataFrame, purchases: pl.DataFrame, steps: tuple[str, ...]
) -> pl.DataFrame:
    ids = [_named(contacts, "touchpoint_id", rows[:, 3 + step]) for step in range(MOST_STEPS)]
    codes, place = np.unique(rows[:, 1], return_inverse=True)
    texts = pl.Series([steps_of(int(code), steps) for code in codes], dtype=pl.String)
    return pl.DataFrame(
        {
            "account_id": _named(contacts, "account_id", rows[:, 3]),
            "steps": texts.gather(place.reshape(-1)),
            "worked": rows[:, 2] >= 0,
            "touchpoint_ids": pl.select(
                pl.concat_str(ids, separator=SEPARATOR, ignore_nulls=True)
            ).to_series(),
            "outcome_id": _named(purchases, "outcome_id", rows[:, 2]),
            "began_at": contacts["time"].gather(rows[:, 3]).cast(TIME),
        },
        schema=EPISODES,
    )


def _named(frame: pl.DataFrame, column: str, rows: Ints) -> pl.Series:
    """A column's texts at some rows; null for -1."""
    places = pl.Series(np.where(rows < 0, 0, rows))
    if frame.is_empty():
        return pl.Series([None] * len(rows), dtype=pl.String)
    return frame[column].gather(places).zip_with(
        pl.Series(rows >= 0), pl.Series([None], dtype=pl.String).new_from_index(0, len(rows))
    )  # fmt: skip


def starts_of(rows: pl.DataFrame, accounts: int) -> Ints:
    """Where the rows of each account begin, in order of its `place`; shape (accounts + 1,)."""
    return np.searchsorted(whole(rows, "place"), np.arange(accounts + 1)).astype(np.int64)


def whole(rows: pl.DataFrame, column: str) -> Ints:
    """A column of whole numbers."""
    return np.array(rows[column], dtype=np.int64)
