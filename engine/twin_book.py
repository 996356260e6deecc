"""What the search for twins reads of each account, as known at one moment: traits, purchases, approaches.

Alike is who has the same standing traits. What an account buys is no trait: accounts that are alike in what
they buy cannot show that one of them could buy more. Contacts are no trait either: accounts that were treated
alike cannot show which approach worked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import polars as pl

from engine import kernels, numerics, tallies
from engine.approaches import code_of, episodes_of, purchases_at, starts_of, whole
from engine.encoding import encode_history
from engine.facts import Attribute
from engine.kernels import Standing
from engine.numerics import compiled
from engine.playbook import Playbook
from engine.records import Bools, EngineError, Floats, History, Ints
from engine.twin_settings import TwinSettings

PERIODS = 12
"""The window is cut into so many periods: twins are chosen on every second one and compared on the others."""


@dataclass(frozen=True)
class BookPart:
    """Some accounts as the search reads them; an account that is closed or too new is not there.

    Attributes:
        account_ids: Sorted.
        traits: As `features_as_of` codes attributes; shape (n, A).
        periods: Purchases by period, the latest first, in currency; shape (n, PERIODS).
        bought: A row per account_id and item (product or kind): amount and times it was bought in the window.
        episodes: A frame of `EPISODES`.
    """

    account_ids: tuple[str, ...]
    traits: Floats
    periods: Floats
    bought: pl.DataFrame
    episodes: pl.DataFrame


class Bought(NamedTuple):
    """What accounts bought, one after the other: `start[a]` to `start[a + 1]` are those of account a."""

    start: Ints
    item: Ints
    amount: Floats


class Tried(NamedTuple):
    """The approaches tried on accounts, by account; `code` as in `engine.approaches`."""

    start: Ints
    code: Ints
    worked: Bools


@dataclass(frozen=True)
class Book:
    """All accounts, side by side.

    Attributes:
        account_ids: In the order of all other columns.
        items: What the codes in `bought` mean.
        season: What one unit of the purchases of the odd periods stands for in the window.
    """

    account_ids: pl.Series
    traits: Floats
    periods: Floats
    bought: Bought
    items: tuple[str, ...]
    tried: Tried
    season: float

    def __len__(self) -> int:
        return len(self.account_ids)


def traits_used(attributes: tuple[Attribute, ...], settings: TwinSettings) -> tuple[Attribute, ...]:
    """The attributes by which accounts are compared. Raises EngineError where none is left."""
    used = tuple(
        a for a in attributes
        if a.name not in settings.without and (not settings.traits or a.name in settings.traits)
    )  # fmt: skip
    if not used:
        known = ", ".join(a.name for a in attributes) or "none"
        raise EngineError(
            f"twins: no attribute is left to tell who is alike; the accounts have {known}. Name other traits."
        )
    return used


def read_part(
    history: History, account_ids: Sequence[str], as_of: int, *, playbook: Playbook, settings: TwinSettings,
    traits: tuple[Attribute, ...],
) -> BookPart:  # fmt: skip
    """What is known of some accounts at a moment.

    Left out is who was closed by then, and who has been known for less than the window: a new account buys
    little because it is new.

    Args:
        history: Facts of these accounts.
        as_of: Microseconds UTC.
        traits: `traits_used`.
    """
    facts = encode_history(History({"accounts": history["accounts"]}), account_ids, playbook, traits)
    asked = kernels.Questions(
        np.arange(len(facts.accounts)), np.full(len(facts.accounts), as_of, dtype=np.int64)
    )
    standing, window = facts.attributes.standing, tallies.micros(settings.window_days)
    known = kernels.latest_known(asked, standing)
    old = _first_stored(standing) < as_of - window
    kept = np.flatnonzero((known >= 0) & ~tallies.closed(asked, facts) & old)
    ids = tuple(facts.accounts[place] for place in kept)
    places = _places(ids)
    purchases = purchases_at(history, as_of, playbook, settings)
    recent = purchases.filter(pl.col("time") >= as_of - window).join(places, on="account_id")
    periods = np.zeros((len(ids), PERIODS))
    _add_periods(
        whole(recent, "place"),
        as_of - 1 - whole(recent, "time"),
        _floats(recent, "amount"),
        window,
        periods,
    )
    return BookPart(
        ids,
        facts.attributes.values[known[kept]],
        periods,
        _bought(recent.sort("place", "item", "time", "outcome_id")),
        episodes_of(history, purchases, ids, as_of, playbook=playbook, settings=settings),
    )


def join_parts(parts: Sequence[BookPart], playbook: Playbook) -> Book:
    """All accounts side by side, in the order given."""
    account_ids = pl.concat([pl.Series("account_id", part.account_ids, dtype=pl.String) for part in parts])
    places = _places(account_ids)
    bought = pl.concat([part.bought for part in parts]).join(places, on="account_id").sort("place", "item")
    items = bought["item"].unique().sort()
    coded = bought["item"].replace_strict(items, np.arange(len(items)), return_dtype=pl.Int64)
    tried = pl.concat([part.episodes for part in parts]).join(places, on="account_id").sort("place", "steps")
    texts = tried["steps"].unique().sort()
    codes = [code_of(text, playbook.twin_steps) for text in texts]
    periods = np.concatenate([part.periods for part in parts])
    return Book(
        account_ids,
        np.concatenate([part.traits for part in parts]),
        periods,
        Bought(starts_of(bought, len(places)), np.array(coded, dtype=np.int64), _floats(bought, "amount")),
        tuple(items),
        Tried(
            starts_of(tried, len(places)),
            np.array(tried["steps"].replace_strict(texts, codes, return_dtype=pl.Int64), dtype=np.int64),
            np.array(tried["worked"], dtype=np.bool_),
        ),
        season_of(periods),
    )  # fmt: skip


def season_of(periods: Floats) -> float:
    """What purchases of the odd periods are multiplied by for the whole window; 0.0 where there are none.

    The even periods may hold the high season: over all accounts together it is known what the odd ones are.
    """
    every, odd = numerics.total(periods.ravel()), numerics.total(periods[:, 1::2].ravel())
    return every / odd if odd > 0.0 else 0.0


def _bought(recent: pl.DataFrame) -> pl.DataFrame:
    """Purchases by account and item, added up in their order."""
    run = recent.select(pl.struct("place", "item").rle_id().cast(pl.Int64).alias("run"))["run"]
    first = recent.with_columns(run).unique("run", keep="first", maintain_order=True)
    amount, times = np.zeros(first.height), np.zeros(first.height, dtype=np.int64)
    _add_runs(np.array(run, dtype=np.int64), _floats(recent, "amount"), amount, times)
    return first.select("account_id", "item").with_columns(
        pl.Series("amount", amount, dtype=pl.Float64), pl.Series("times", times, dtype=pl.Int64)
    )


@compiled
def _add_runs(run: Ints, amount: Floats, added: Floats, times: Ints) -> None:
    for row in range(run.size):
        added[run[row]] += amount[row]
        times[run[row]] += 1


@compiled
def _add_periods(place: Ints, age: Ints, amount: Floats, window: int, periods: Floats) -> None:
    for row in range(place.size):
        periods[place[row], age[row] * periods.shape[1] // window] += amount[row]


@compiled
def _first_stored(standing: Standing) -> Ints:
    """When each account became known."""
    first = np.empty(standing.start.size - 1, dtype=np.int64)
    for account in range(first.size):
        first[account] = np.iinfo(np.int64).max
        for row in range(standing.start[account], standing.start[account + 1]):
            first[account] = min(first[account], standing.valid_from[row])
    return first


def _places(account_ids: Sequence[str] | pl.Series) -> pl.DataFrame:
    count = np.arange(len(account_ids), dtype=np.int64)
    return pl.DataFrame(
        {"account_id": account_ids, "place": count}, schema_overrides={"account_id": pl.String()}
    )


def _floats(rows: pl.DataFrame, column: str) -> Floats:
    return np.array(rows[column], dtype=np.float64)
