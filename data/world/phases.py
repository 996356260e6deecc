"""Phases in the life of accounts: what an account asks about, and what works on it, changes - also back.

Phases come and go whatever the company does, so that the truth stays exact.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from data.world.business import Business, Phase
from data.world.catalogue import Catalogue
from data.world.settings import WorldSettings
from engine.contract import TIME
from engine.records import DAY_MICROS, Floats, Ints, Micros

_BEFORE = 2
"""Phases begin so many times the sum of their lengths before the history, so that all occur at its start."""


@dataclass(frozen=True)
class Phases:
    """Phases of n accounts, flat, by account and time.

    Attributes:
        account, since: Whose, and from when, microseconds UTC; shape (phases,).
        phase: Code of the phase; shape (phases,).
        names: Of the phases, by code.
        visits: How often accounts ask, relative to the average, by code.
        topics: Weight of each topic, by code; shape (codes, topics).
        works: Factor on the effect of each treatment, by code; shape (codes, T).
        span: More than the length of all time, microseconds.
    """

    account: Ints
    since: Micros
    phase: Ints
    names: tuple[str, ...]
    visits: Floats
    topics: Floats
    works: Floats
    span: int

    def at(self, account: Ints, at: Micros) -> Ints:
        """Code of the phase in which accounts are at a time, one each; shape (len(account),)."""
        begin = self.since.min()
        key = self.account * self.span + (self.since - begin)
        return np.asarray(
            self.phase[np.searchsorted(key, account * self.span + (at - begin), side="right") - 1]
        )

    def table(self, account_ids: list[str]) -> pl.DataFrame:
        """One row for each phase: account_id, since, stage."""
        return pl.DataFrame({
            "account_id": pl.Series(account_ids).gather(self.account),
            "since": pl.Series(self.since).cast(TIME),
            "stage": pl.Series(self.names).gather(self.phase),
        })  # fmt: skip


def draw_phases(settings: WorldSettings, catalogue: Catalogue) -> Phases | None:
    """Draw the phases of all accounts; None where the business knows none."""
    kind = settings.business
    if not kind.phases:
        return None
    days = np.array([phase.days for phase in kind.phases])
    begin = settings.start_micros - round(_BEFORE * days.sum() * DAY_MICROS)
    account, since, phase = _walk(settings, kind, days, begin)
    order = np.lexsort((since, account))
    return Phases(
        account[order],
        since[order],
        phase[order],
        names=tuple(phase.name for phase in kind.phases),
        visits=np.array([phase.visits for phase in kind.phases]),
        topics=np.array([[_weight(phase, topic) for topic in catalogue.topics] for phase in kind.phases]),
        works=np.array(
            [[phase.works.get(issue, 1.0) for issue in catalogue.issues] for phase in kind.phases]
        ),
        span=2 * (settings.until_micros - begin) + DAY_MICROS,
    )


def _weight(phase: Phase, topic: str) -> float:
    return phase.topics.get(topic, 0.0) if phase.topics else 1.0


def _walk(settings: WorldSettings, kind: Business, days: Floats, begin: int) -> tuple[Ints, Micros, Ints]:
    """Phase after phase for all accounts at once, until the last has reached the end."""
    rng, n = settings.generator("phases"), settings.accounts
    cumulative = _transitions(kind).cumsum(axis=1)
    phase, at = np.zeros(n, dtype=np.int64), np.full(n, begin, dtype=np.int64)
    steps: list[tuple[Ints, Micros, Ints]] = []
    while (at < settings.until_micros).any():
        here = np.flatnonzero(at < settings.until_micros)
        steps.append((here, at[here], phase[here]))
        stay = np.maximum(rng.exponential(days[phase]) * DAY_MICROS, DAY_MICROS)
        at = at + stay.astype(np.int64)
        following = (cumulative[phase] <= rng.random((n, 1))).sum(axis=1)
        phase = np.minimum(following, len(days) - 1).astype(np.int64)
    account, since, phases = (np.concatenate(parts) for parts in zip(*steps, strict=True))
    return account, since, phases


def _transitions(kind: Business) -> Floats:
    """Probability of each phase after each; shape (codes, codes)."""
    names = [phase.name for phase in kind.phases]
    table = np.zeros((len(names), len(names)))
    for row, phase in zip(table, kind.phases, strict=True):
        for name, share in phase.next.items():
            row[names.index(name)] = share
        row[0] += 1.0 - row.sum()
    return table
