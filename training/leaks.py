"""Columns of accounts that look like leaks: facts that were known only after the outcome, found and named.

What the engine counts itself knows only what was stored before the decision. A column that somebody loads
may not: "closed_reason" is filled when the deal is closed, and a model that reads it predicts the past.
Nobody can prove that from the data; four signs say where to look. A column that is one belongs into
`[learning] refuse` of the playbook.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import polars as pl
from scipy.special import ndtri

from data.history import Snapshot
from data.ingest import BEGINNING
from engine.records import DAY_MICROS, Floats, Ints
from training.amounts import steady
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
STARTS = (0.05, 0.5, 0.75)
"""Quantiles of the moments of cases from which on a column is asked what it knows of what came."""
PARTS = np.array([0, 1, 1, 0, 1, 0, 0, 1])
"""Half that each eighth of the time since then belongs to: neither a slope nor a bend sets them apart."""
APART, APART_ERRORS = 0.25, 4.0
"""A column that knows accidents turns the halves against each other by so much and so many errors."""
BY_THE_CLOCK, BY_THE_CLOCK_ERRORS = -0.05, -1.5
"""Below both the halves are against each other without any column: a purchase puts off the next."""
MOST_ACCOUNTS = 20_000
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
    knowing = knows_accidents(cases, snapshot, at=at)
    found = []
    for name in columns:
        others = max((size for other, size in strong.items() if other != name), default=0.0)
        signs = [
            *_by_strength(strong.get(name, 0.0), others, dated=name not in undated),
            *knowing.get(name, ()),
            *following.get(name, ()),
            *(_by_name(name, cases) if name in undated else ()),
        ]
        if signs:
            found.append(Leak(name, strong.get(name, 0.0), tuple(signs)))
    return tuple(sorted(found, key=lambda leak: (-leak.strength, leak.column)))


def strengths(cases: Cases) -> dict[str, float]:
    """Feature of accounts -> how well it alone tells outcomes apart, on accounts that it was not fitted on.

    The mean by bin (levels, or twentieths; not known is a bin of its own) of one half of the accounts
    predicts the other half's: R2 of the reward, wild outcomes cut (`training.amounts`), or 2 AUC - 1 for
    whether anything came, whichever is larger. Many levels that tell nothing about other accounts are no
    sign.
    """
    half, reward = held_out(cases.account_ids, 0.5, seed=0), steady(cases).reward
    came = (cases.reward > 0.0).astype(np.float64)
    found: dict[str, float] = {}
    if half.all() or not half.any():
        return found
    for place, name in enumerate(cases.features.set.account):
        values = cases.features.account[:, place]
        bins = _bins(values, coded=name in cases.features.set.levels)
        if bins.max() > 0:
            worth, any_came = (
                _bin_means(bins[half], what[half], int(bins.max()) + 1)[bins[~half]]
                for what in (reward, came)
            )
            found[name] = max(_explained(reward[~half], worth), _area(came[~half], any_came))
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


def knows_accidents(cases: Cases, snapshot: Snapshot, *, at: int) -> dict[str, tuple[str, ...]]:
    """Columns that know more of an account's outcomes than its level -> the sign in words.

    What an account brings in two halves of a time (A, B; alternating eighths) agrees because of its level L
    alone. Of a column X and facts Z from before, Cov(A, B | X, Z) = Var(E[A | L] | X, Z) >= 0, however much X
    says of L. A column that contains A + B makes it negative: of two accounts with the same total, the one
    with more in A has less in B.

    Source:
        Berkson (1946), Limitations of the Application of Fourfold Table Analysis; Pearl (2009), Causality,
        section 1.2.3, for what a common effect does to its causes.
    """
    seen = [found for found in _halves(cases, snapshot, at) if found is not None]
    before = [(each, _apart(each.halves, each.past)) for each in seen]
    if any(r < BY_THE_CLOCK and errors < BY_THE_CLOCK_ERRORS for _, (r, errors) in before):
        return {}
    signs: dict[str, tuple[str, ...]] = {}
    for attribute in cases.features.set.attributes:
        place = cases.features.set.account.index(attribute.name)
        coded = attribute.name in cases.features.set.levels
        worst, without = 0.0, 0.0
        for each, (r, _) in before:
            columns = _spread(cases.features.account[each.rows, place], coded=coded)
            given, errors = _apart(each.halves, each.past, columns)
            if errors <= -APART_ERRORS and given <= min(worst, -APART, r - APART):
                worst, without = given, r
        if worst:
            signs[attribute.name] = (
                "Of accounts alike in it, those that brought more in some months brought less in the others "
                f"(correlation {worst:+.2f}, without it {without:+.2f}): it knows what came later.",
            )
    return signs


@dataclass(frozen=True)
class _Halves:
    """What n accounts brought in two halves of the time since a start, by rank.

    Attributes:
        rows: The last case of each account before the start; shape (n,).
        halves: Normal scores of A and B; shape (n, 2).
        past: Orthonormal columns of what the engine counted before the start, and a constant; shape (n, p).
    """

    rows: Ints
    halves: Floats
    past: Floats


def _halves(cases: Cases, snapshot: Snapshot, at: int) -> list[_Halves | None]:
    """For each start and by worth and number of outcomes; None where too little came."""
    moments, until = np.asarray(cases.as_of), cases.known_until
    starts = [int(np.quantile(moments, share)) for share in STARTS] if len(cases) else []
    return [
        made
        for start in starts if start < until
        for made in _halves_since(cases, _brought(cases, snapshot, start, at), start)
    ]  # fmt: skip


def _halves_since(cases: Cases, brought: pl.DataFrame, start: int) -> list[_Halves | None]:
    newest = (
        pl.DataFrame({"account_id": list(cases.account_ids), "as_of": cases.as_of})
        .with_row_index("row")
        .filter(pl.col("as_of") <= start)
        .sort("account_id", "as_of", "row")
        .unique("account_id", keep="last", maintain_order=True)
    )
    newest = newest.gather_every(-(-len(newest) // MOST_ACCOUNTS) or 1)
    table = newest.join(brought, on="account_id", how="left", maintain_order="left").fill_null(0.0)
    rows = table["row"].to_numpy().astype(np.int64)
    counted = cases.features.account[rows][:, : -len(cases.features.set.attributes) or None]
    worth = table["worth_before"].to_numpy(), table["count_before"].to_numpy()
    columns = [_scores(_filled(values)) for values in (*counted.T, *worth)]
    past = _orthonormal(np.column_stack([np.ones(len(rows)), *columns, *worth]))
    return [
        _Halves(rows, np.column_stack([_scores(half) for half in halves]), past)
        if min(np.count_nonzero(half) for half in halves) >= LEAST_BOTH else None
        for halves in (
            [table[f"{what}_{half}"].to_numpy() for half in (0, 1)] for what in ("worth", "count")
        )
    ]  # fmt: skip


def _brought(cases: Cases, snapshot: Snapshot, start: int, at: int) -> pl.DataFrame:
    """Worth and number of outcomes of each account before a start and in the two halves of the time since."""
    worth = pl.col("kind").replace_strict(
        dict(cases.playbook.outcome_worth), default=0.0, return_dtype=pl.Float64
    )
    step = -(-(cases.known_until + 1 - start) // len(PARTS))
    halves = pl.Series("half", PARTS)
    found = []
    for bucket in range(snapshot.buckets):
        outcomes = known(snapshot.read(bucket, ("outcomes",)), "outcomes", at).select(
            "account_id", time=pl.col("occurred_at").to_physical(), worth=worth * pl.col("value")
        )
        since = outcomes.filter((pl.col("time") >= start) & (pl.col("time") <= cases.known_until))
        since = since.with_columns(half=pl.lit(halves).gather((pl.col("time") - start) // step))
        parts = {"before": outcomes.filter(pl.col("time") < start)}
        parts |= {str(half): since.filter(pl.col("half") == half) for half in (0, 1)}
        tables = [
            part.group_by("account_id").agg(
                pl.col("worth").sum().alias(f"worth_{name}"), pl.len().cast(pl.Float64).alias(f"count_{name}")
            )
            for name, part in parts.items()
        ]
        found.append(pl.concat(tables, how="align_full"))
    return pl.concat(found)


def _apart(halves: Floats, past: Floats, columns: Floats | None = None) -> tuple[float, float]:
    """Correlation of the halves given the past and the columns of a feature, and it in standard errors.

    The first is 0 where too few accounts are left over or the columns say nothing.
    """
    rest, count = halves - past @ (past.T @ halves), past.shape[1]
    before = (rest**2).sum(axis=0)
    if columns is not None:
        own = _orthonormal(columns - past @ (past.T @ columns))
        rest, count = rest - own @ (own.T @ rest), count + own.shape[1]
    freedom, sizes = len(halves) - count - 1, (rest**2).sum(axis=0)
    if freedom < max(count, LEAST_BOTH) or (sizes <= 1e-6 * before).any() or not before.all():
        return 0.0, 0.0
    r = float(rest[:, 0] @ rest[:, 1] / np.sqrt(sizes[0] * sizes[1]))
    return r, r * float(np.sqrt(freedom / max(1.0 - r * r, 1e-12)))


def _spread(values: Floats, *, coded: bool) -> Floats:
    """A column of accounts so that weighted sums follow it closely: levels or bins, amounts and ranks."""
    bins = _bins(values, coded=coded)
    common = np.argsort(-np.bincount(bins), kind="stable")[: BINS + 1]
    parts = [(bins == each).astype(np.float64) for each in common]
    if not coded and not np.isnan(values).all():
        filled = _filled(values)
        parts += [filled - filled.mean(), _scores(filled)]
    return np.column_stack(parts)


def _filled(values: Floats) -> Floats:
    known_values = values[~np.isnan(values)]
    return np.where(np.isnan(values), np.median(known_values) if len(known_values) else 0.0, values)


def _scores(values: Floats) -> Floats:
    """Normal scores of ranks, ties in their middle: amounts are wild. Source: van der Waerden (1952)."""
    ranks = pl.Series(values).rank("average").to_numpy()
    return np.asarray(ndtri((ranks - 0.5) / len(values)), dtype=np.float64)


def _orthonormal(columns: Floats) -> Floats:
    """A basis of what weighted sums of columns reach; shape (n, rank)."""
    size = np.sqrt((columns**2).sum(axis=0))
    left, singular, _ = np.linalg.svd(columns / np.where(size > 1e-9, size, np.inf), full_matrices=False)
    return np.asarray(left[:, singular > 1e-6])


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


def _bin_means(bins: np.ndarray[Any, np.dtype[np.int64]], values: Floats, count: int) -> Floats:
    """Mean by bin, drawn towards that of all as by ten cases more."""
    sums = np.bincount(bins, weights=values, minlength=count)
    return np.asarray((sums + 10.0 * values.mean()) / (np.bincount(bins, minlength=count) + 10.0))


def _explained(reward: Floats, predicted: Floats) -> float:
    """R2, at least 0."""
    spread = float(((reward - reward.mean()) ** 2).sum())
    return max(1.0 - float(((reward - predicted) ** 2).sum()) / spread, 0.0) if spread > 0.0 else 0.0


def _area(came: Floats, predicted: Floats) -> float:
    """2 AUC - 1, at least 0; 0 where too few had an outcome, or none."""
    some = came > 0.0
    with_some, without = int(some.sum()), int((~some).sum())
    if min(with_some, without) < LEAST_BOTH:
        return 0.0
    ranks = pl.Series(predicted).rank("average").to_numpy()
    area = (ranks[some].sum() - with_some * (with_some + 1) / 2.0) / (with_some * without)
    return max(2.0 * float(area) - 1.0, 0.0)


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
