"""From what is known at one moment to the suggestions for that moment.

`decide` is the only way to a suggestion: the nightly run calls it with many accounts, a live event
with one, a replay with past ones. It reads no clock, file, database or global random state: the
same arguments give the same suggestions, and n accounts together give the same as n calls.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from engine.arbitration import Priority, Ranking
from engine.features import Features, FeatureSet
from engine.playbook import Playbook
from engine.policies import Objections
from engine.records import History, Moments
from engine.scoring import Scorer, Scores


@dataclass(frozen=True)
class Decisions:
    """One decision per moment, with all that is needed to explain and recompute it."""

    moments: Moments
    playbook: str
    release: str
    seed: int
    treatments: tuple[str, ...]
    features: Features
    objections: Objections
    scores: Scores
    priority: Priority
    ranking: Ranking

    def funnel(self) -> pl.DataFrame:
        """Columns stage, rule, removed (pairs first removed there), remaining; adds up to the last candidate."""
        raise NotImplementedError

    def record(self) -> pl.DataFrame:
        """The full record, a row per (moment, treatment): what is stored of the night, to recompute it.

        Columns: account_id, decided_at, treatment, place (null = none), probability, explored, stage and
        rules that removed it, value, response, optout, followed, caused, cost, fatigue, weight, lever,
        priority, target, playbook, release, seed.
        """
        raise NotImplementedError


def decide(history: History, moments: Moments, *, playbook: Playbook, features: FeatureSet,
           scorer: Scorer, seed: int) -> Decisions:  # fmt: skip
    """Decide for each account at its moment.

    Args:
        history: Facts of at least these accounts.
        moments: One decision each.
        playbook: Rules and values.
        features: The features under that playbook for the store's attributes.
        scorer: A release or the starting values.
        seed: Of exploration; draws are derived from (seed, account, day).

    Raises:
        EngineError: An account is asked for that the history does not have.
    """
    raise NotImplementedError
