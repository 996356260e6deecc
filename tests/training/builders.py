"""Small randomised logs with known effects, through the real store and the one feature path.

Accounts of segment A gain 40 by a visit and lose by an e-mail; those of B the reverse, scaled by `effect`;
so treating each segment its own way is worth more than any fixed action.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl

from data.history import HistoryStore, Snapshot
from engine.contract import TABLES
from engine.features import Features
from engine.playbook import Playbook
from engine.records import DAY_MICROS, empty_frame
from tests.engine.builders import NOW, playbook, treatment
from training.boosting import Boosting
from training.cases import Cases, build_cases

QUICK = Boosting(rounds=20, leaves=7, learning_rate=0.2, threads=1)
"""Small forests: tests ask whether things fit together, not how good they are."""

ARMS = ("none", "email_news", "visit_news")
SMALL: Playbook = playbook(
    treatments=(
        treatment("none", "", kind="none", role="", issue="", group="", action="none", value=0.0,
                  starting_uplift=0.0, cost=0.0, minutes=0.0),
        treatment("email_news", "email", "news", role="system", cost=1.0),
        treatment("email_safety", "email", "safety", role="system", cost=1.0),
        treatment("stop_email", "email", kind="stop", starting_uplift=0.05, stops=(("email", "marketing"),)),
        treatment("visit_news", "visit", "news", cost=10.0),
    ),
    horizon_days={"": 30.0},
)  # fmt: skip
EFFECT = np.array([[0.0, -5.0, 40.0], [0.0, 30.0, -10.0]])
"""Worth caused by each arm in segment A and B, before costs."""


@dataclass(frozen=True)
class LogSettings:
    """What the log is like.

    Attributes:
        accounts, decisions: How many, and how many each has, 20 days apart.
        effect: Scale of what treatments cause.
        personal: Whether the segments differ; else both are as A.
        logged: Whether decisions with probabilities are written, or touchpoints only.
        until_days: Outcomes are known until so many days after the last decision's window.
    """

    accounts: int = 300
    decisions: int = 3
    effect: float = 1.0
    personal: bool = True
    seed: int = 0
    logged: bool = True
    until_days: float = 1.0


def tables(settings: LogSettings | None = None) -> dict[str, pl.DataFrame]:
    """The tables of a randomised log: none 50 %, e-mail 25 %, visit 25 %; a decision every 40 days."""
    log = settings or LogSettings()
    draw = np.random.default_rng(log.seed)
    n = log.accounts * log.decisions
    account, turn = np.divmod(np.arange(n), log.decisions)
    segment = np.arange(log.accounts) % 2
    arm = draw.choice(3, n, p=[0.5, 0.25, 0.25])
    at = NOW - (log.decisions - turn) * 40 * DAY_MICROS
    amount = 100.0 + log.effect * EFFECT[segment[account] * log.personal, arm] + draw.normal(0.0, 10.0, n)
    ids = np.array([f"a{number:05}" for number in range(log.accounts)])
    contact = arm > 0
    known = {
        "accounts": {
            "account_id": ids, "segment": np.array(["A", "B"])[segment],
            "potential_value": draw.uniform(0, 1000, log.accounts), "stored_at": np.zeros(log.accounts, int),
        },
        "touchpoints": {
            "touchpoint_id": np.char.add("t", np.arange(n).astype(str))[contact],
            "account_id": ids[account][contact],
            "occurred_at": at[contact], "direction": ["outbound"] * contact.sum(),
            "channel": np.array(["", "email", "visit"])[arm][contact],
            "treatment": np.array(ARMS)[arm][contact],
            "status": ["done"] * contact.sum(),
        },
        "outcomes": {
            "outcome_id": np.char.add("o", np.arange(n + 2).astype(str)),
            "account_id": np.append(ids[account], [ids[0], ids[0]]),
            "occurred_at": np.append(
                at + draw.integers(0, 30 * DAY_MICROS, n),
                [NOW - 200 * DAY_MICROS, NOW - int((10 - log.until_days) * DAY_MICROS)],
            ),
            "kind": ["prescription"] * (n + 2), "value": np.append(amount, [1.0, 0.0]),
        },
        "responses": {
            "touchpoint_id": np.char.add("t", np.arange(n).astype(str))[contact][::3],
            "account_id": ids[account][contact][::3], "responded_at": (at + DAY_MICROS)[contact][::3],
            "response": ["clicked"] * len(range(0, contact.sum(), 3)),
        },
        "decisions": {
            "decision_id": np.char.add("d", np.arange(n).astype(str)), "account_id": ids[account],
            "decided_at": at, "treatment": np.array(ARMS)[arm],
            "probability": np.array([0.5, 0.25, 0.25])[arm], "eligible": ["|".join(ARMS)] * n,
            "policy": ["random"] * n,
        },
    }  # fmt: skip
    if not log.logged:
        del known["decisions"]
    return {table: frame(table, columns) for table, columns in known.items()}


def refusal(log: dict[str, pl.DataFrame]) -> pl.DataFrame:
    """Preferences of one account that refused cookies before any contact: refusals reach such a history."""
    return frame("preferences", {
        "account_id": log["accounts"]["account_id"][:1], "channel": ["*"], "purpose": ["web_behaviour"],
        "kind": ["permission"], "status": ["opt_out"], "since": [0], "source": ["cookie banner"],
        "stored_at": [0],
    })  # fmt: skip


def frame(table: str, columns: dict) -> pl.DataFrame:
    """Rows of a table of the contract as the store takes them; stored when they occurred."""
    time = TABLES[table].time
    rows = pl.DataFrame(columns)
    if "stored_at" not in rows.columns and time is not None:
        rows = rows.with_columns(pl.col(time).alias("stored_at"))
    types = {name: kind for name, kind in empty_frame(table).schema.items() if name in rows.columns}
    return rows.with_columns(pl.col(name).cast(kind) for name, kind in types.items()).with_columns(
        pl.lit(value=False).alias("deleted")
    )


def stored(folder: Path, rows: dict[str, pl.DataFrame] | None = None) -> Snapshot:
    """A history of these rows."""
    snapshot, _, _ = HistoryStore(folder / "history", buckets=2).add(tables() if rows is None else rows)
    return snapshot


def cases_of(folder: Path, settings: LogSettings | None = None) -> Cases:
    """The cases of a log."""
    return build_cases(stored(folder, tables(settings)), SMALL)


def manned() -> Playbook:
    """The small playbook with visits by the representative."""
    return playbook(treatments=SMALL.treatments, horizon_days={"": 30.0})


def segment_a(cases: Cases) -> np.ndarray:
    return cases.features.account[:, cases.features.set.account.index("segment")] == 0.0


def unlogged(cases: Cases) -> Cases:
    """The same log without its probabilities."""
    return replace(cases, probability=np.full(len(cases), np.nan))


def targeted(cases: Cases) -> Cases:
    """Of the random log such a part that accounts of A are visited six times as often; nothing logged."""
    visited, rich = cases.action == 4, segment_a(cases)
    kept = np.random.default_rng(0).random(len(cases)) < np.where(visited & ~rich, 1 / 6, 1.0)
    return replace(cases, probability=np.full(len(cases), np.nan)).take(kept)


class EverythingComparable:
    """Takes whatever is eligible for comparable, as nobody should."""

    def comparable(self, features: Features, treatments: int) -> np.ndarray:
        return np.ones((len(features.moments), treatments), dtype=bool)
