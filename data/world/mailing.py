"""Newsletters beside the decisions: they cause nothing, but each makes e-mail more tiresome."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from data.world.effects import MEMORY_DAYS
from data.world.people import People
from data.world.settings import WorldSettings
from engine.records import DAY_MICROS, Bools, Floats, Ints, Micros

LEAVING_MICROS = 1_800_000_000
"""From a newsletter to the opt-out that it brings: half an hour."""
_MONTH_DAYS = 365.0 / 12


@dataclass(frozen=True)
class Newsletters:
    """Newsletters to n accounts, flat, by account and time; those after an opt-out are never sent."""

    account: Ints
    at: Micros

    def __len__(self) -> int:
        return len(self.at)

    def before(self, now: Micros, optout_at: Micros) -> Floats:
        """How many came within the memory of each account; shape (n,)."""
        age = now[self.account] - self.at
        counted = (age > 0) & (age <= round(MEMORY_DAYS * DAY_MICROS)) & self.sent(optout_at)
        return np.bincount(self.account[counted], minlength=len(now)).astype(np.float64)

    def sent(self, optout_at: Micros) -> Bools:
        """Which were sent: nobody gets one after an opt-out; shape (newsletters,)."""
        return np.asarray(self.at < optout_at[self.account], dtype=np.bool_)

    def leave(
        self, since: Micros, now: Micros, chance: Floats, optout_at: Micros, rng: np.random.Generator
    ) -> None:
        """Some have had enough of one that came in between; `optout_at` is changed in place."""
        between = (self.at >= since[self.account]) & (self.at < now[self.account] - LEAVING_MICROS)
        enough = between & self.sent(optout_at) & (rng.random(len(self)) < chance[self.account])
        np.minimum.at(optout_at, self.account[enough], self.at[enough] + LEAVING_MICROS)

    def left(self, optout_at: Micros) -> Bools:
        """After which the account opted out; shape (newsletters,)."""
        return np.asarray(self.at + LEAVING_MICROS == optout_at[self.account], dtype=np.bool_)

    def table(self, account_ids: list[str], optout_at: Micros) -> pl.DataFrame:
        """Those that were sent: newsletter_id, account_id, at, left."""
        ids = "N" + pl.int_range(1, len(self) + 1, eager=True).cast(pl.String).str.zfill(9)
        return pl.DataFrame({
            "newsletter_id": ids, "account_id": pl.Series(account_ids).gather(self.account),
            "at": self.at, "left": self.left(optout_at),
        }).filter(pl.Series(self.sent(optout_at)))  # fmt: skip


def draw_newsletters(settings: WorldSettings, people: People) -> Newsletters:
    """To all who permit e-mail, at any time; none where the setting is 0."""
    rng = settings.generator("newsletters")
    mean = settings.emails_per_month * settings.days / _MONTH_DAYS
    count = rng.poisson(mean * people.email_consent)
    account = np.repeat(np.arange(len(people), dtype=np.int64), count)
    at = settings.start_micros + rng.integers(0, settings.days * DAY_MICROS, len(account))
    order = np.lexsort((at, account))
    return Newsletters(account[order], at[order].astype(np.int64))
