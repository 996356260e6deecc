"""Columns of accounts that look like leaks: facts that were known only after the outcome, found and named.

What the engine counts itself knows only what was stored before the decision. A column that somebody loads
may not: "closed_reason" is filled when the deal is closed, and a model that reads it predicts the past.
Nobody can prove that from the data; three signs say where to look. A column that is one belongs into
`[learning] refuse` of the playbook.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import polars as pl

from data.history import Snapshot
from data.ingest import BEGINNING
from engine.records import DAY_MICROS, Floats
from training.cases import Cases
from training.occasions import known
from training.splits import held_out

BINS = 20
LEAST_BOTH = 20
"""Held-out cases with and without an outcome that an area under the curve needs."""
SUSPICIOUS, UNDATED_SUSPICIOUS = 0.5, 0.2
"""Least strength of a column that is called a leak for what it explains; less where nobody knows since when
it holds. An area under the curve of 0.75 is a strength of 0.5."""
BEYOND = 2.0
"""How many times as strong as any other feature it must be."""
AFTER_DAYS = 7.0
LEAST_CHANGES = 30
_HINTS = (
    "after", "bought", "cancelled", "churn", "churned", "closed", "converted", "future", "label", "lost",
    "next", "outcome", "purchased", "response", "result", "target", "won",
)  # fmt: skip


@dataclass(frozen=True)
class Leak:
    """A column that looks like a leak.

    Attributes:
        column: Of accounts.
        strength: How well it alone tells outcomes of accounts apart that it was not fitted on: the larger of
            R2 and 2 AUC - 1; no unit.
        signs: Why it is suspected, a sentence each.
    """

    column: str
    strength: float
    signs: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """For the report and the command."""
        return f"{self.column}: {' '.join(self.signs)}"

    def as_json(self) -> dict[str, Any]:
        """For the manifest."""
        return asdict(self)


def find_leaks(cases: Cases, snapshot: Snapshot, *, undated: Collection[str], at: int) -> tuple[Leak, ...]:
    """Columns with at least one sign, strongest first.

    Args:
        cases: Matured cases.
        snapshot: The history that they come from.
        undated: Columns of which nobody knows since when they hold.
        at: What was stored strictly before it is known, microseconds UTC.
    """
    columns = [attribute.name for attribute in cases.features.set.attributes]
    strong = strengths(cases)
    following = follows_outcomes(snapshot, columns, at=at)
    found = []
    for name in columns:
        others = max((size for other, size in strong.items() if other != name), default=0.0)
        signs = [
            *_by_strength(strong.get(name, 0.0), others, dated=name not in undated),
            *following.get(name, ()),
            *(_by_name(name, cases) if name in undated else ()),
        ]
        if signs:
            found.append(Leak(name, strong.get(name, 0.0), tuple(signs)))
    return tuple(sorted(found, key=lambda leak: (-leak.strength, leak.column)))


def strengths(cases: Cases) -> dict[str, float]:
    """Feature of accounts -> how well it alone tells outcomes apart, on accounts that it was not fitted on.

    The mean reward by bin (levels, or twentieths; not known is a bin of its own) of one half of the accounts
    predicts the other half's: R2, or 2 AUC - 1 for whether anything came, whichever is larger. Many levels
    that tell nothing about other accounts are no sign.
    """
    half = held_out(cases.account_ids, 0.5, seed=0)
    found: dict[str, float] = {}
    if half.all() or not half.any():
        return found
    for place, name in enumerate(cases.features.set.account):
        values = cases.features.account[:, place]
        bins = _bins(values, coded=name in cases.features.set.levels)
        if bins.max() > 0:
            predicted = _bin_means(bins[half], cases.reward[half], int(bins.max()) + 1)[bins[~half]]
            found[name] = _strength(cases.reward[~half], predicted)
    return found


def follows_outcomes(snapshot: Snapshot, columns: Sequence[str], *, at: int) -> dict[str, tuple[str, ...]]:
    """Columns whose values change mostly just after an outcome, hardly before one -> the sign in words."""
    counts = dict.fromkeys(columns, np.zeros(3, dtype=np.int64))
    for bucket in range(snapshot.buckets):
        history = snapshot.read(bucket, ("outcomes",))
        outcomes = known(history, "outcomes", at).select(
            "account_id", time=pl.col("occurred_at").to_physical()
        )
        accounts = snapshot.table(bucket, "accounts").with_columns(time=pl.col("stored_at").to_physical())
        for name in columns:
            changes = _changes(accounts.filter(pl.col("time") < at), name)
            counts[name] = counts[name] + _beside(changes, outcomes.sort("time"))
    return {
        name: (f"{after:,} of {n:,} changes came within {AFTER_DAYS:g} days after an outcome, {before:,} "
               "before one: it follows what happened.",)
        for name, (n, after, before) in counts.items()
        if n >= LEAST_CHANGES and after >= n / 2 and after >= 3 * before
    }  # fmt: skip


def _by_strength(own: float, others: float, *, dated: bool) -> list[str]:
    if own < (SUSPICIOUS if dated else UNDATED_SUSPICIOUS) or own < BEYOND * others:
        return []
    said = f"Alone it tells outcomes apart with strength {own:.2f}, the next feature with {others:.2f}"
    return [f"{said}." if dated else f"{said}, and nobody knows since when it holds."]


def _by_name(name: str, cases: Cases) -> list[str]:
    kinds = {part for kind in cases.playbook.outcome_worth for part in _words(kind)}
    hints = [word for word in _words(name) if word in kinds or word in _HINTS]
    if not hints:
        return []
    return [f"Its name speaks of outcomes ({', '.join(hints)}), and nobody knows since when it holds."]


def _words(name: str) -> list[str]:
    return re.findall(r"[a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower())


def _bins(values: Floats, *, coded: bool) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    known_values = values[~np.isnan(values)]
    if coded or len(np.unique(known_values)) <= BINS:
        edges = np.unique(known_values)
    else:
        edges = np.unique(np.quantile(known_values, np.linspace(0.0, 1.0, BINS + 1)[1:-1]))
    places = np.searchsorted(edges, values, side="left").astype(np.int64)
    places[np.isnan(values)] = len(edges) + 1
    found = np.unique(places, return_inverse=True)[1]
    return np.asarray(found, dtype=np.int64).reshape(-1)


def _bin_means(bins: np.ndarray[Any, np.dtype[np.int64]], reward: Floats, count: int) -> Floats:
    """Mean reward by bin, drawn towards that of all as by ten cases more."""
    sums = np.bincount(bins, weights=reward, minlength=count)
    return np.asarray((sums + 10.0 * reward.mean()) / (np.bincount(bins, minlength=count) + 10.0))


def _strength(reward: Floats, predicted: Floats) -> float:
    spread = float(((reward - reward.mean()) ** 2).sum())
    explained = 1.0 - float(((reward - predicted) ** 2).sum()) / spread if spread > 0.0 else 0.0
    came = reward > 0.0
    with_some, without = int(came.sum()), int((~came).sum())
    if min(with_some, without) < LEAST_BOTH:
        return max(explained, 0.0)
    ranks = pl.Series(predicted).rank("average").to_numpy()
    area = (ranks[came].sum() - with_some * (with_some + 1) / 2.0) / (with_some * without)
    return max(explained, 2.0 * float(area) - 1.0, 0.0)


def _changes(accounts: pl.DataFrame, name: str) -> pl.DataFrame:
    """When a column got another value than the account's version before has: account and time."""
    ordered = accounts.sort("account_id", "time").with_columns(
        before=pl.col(name).shift(1).over("account_id"), turn=pl.int_range(pl.len()).over("account_id")
    )
    other = (pl.col("turn") > 0) & pl.col(name).ne_missing(pl.col("before"))
    return ordered.filter(other & (pl.col("time") > BEGINNING)).select("account_id", "time").sort("time")


def _beside(changes: pl.DataFrame, outcomes: pl.DataFrame) -> np.ndarray[Any, np.dtype[np.int64]]:
    """How many changes, how many just after an outcome, how many just before one; shape (3,)."""
    if changes.is_empty():
        return np.zeros(3, dtype=np.int64)
    within = int(AFTER_DAYS * DAY_MICROS)
    marked = outcomes.with_columns(outcome=pl.col("time"))
    near = [
        changes.join_asof(marked, on="time", by="account_id", strategy=way, tolerance=within,
                          check_sortedness=False)["outcome"].count()
        for way in ("backward", "forward")
    ]  # fmt: skip
    return np.array([changes.height, *near], dtype=np.int64)
