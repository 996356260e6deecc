"""The engine's own decisions as rows of the contract's table `decisions`, so that training knows their
probabilities.

Live decisions are taken over one and all, those of nights for each account every `DAYS_APART` days, on a
weekday that depends on its id alone: what a night proposes is mostly what the night before proposed, and
whose turn it is has nothing to do with what is drawn.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from data.ledger.ledger import Ledger
from data.ledger.types import LoggedDecision
from engine.contract import TABLES, TIME
from engine.numerics import bits
from engine.records import DAY_MICROS

OWN_POLICY = "nextbest"
"""The `policy` of the engine's own decisions."""
DAYS_APART = 7
AGAIN = 2 * DAY_MICROS
PAGE = 5_000
Until = tuple[int, str]
"""Moment and id of the last decision that was taken over."""
NOTHING_YET: Until = (-1, "")


def own_decisions(ledger: Ledger, after: Until, *, now: int) -> tuple[pl.DataFrame, Until]:
    """Decisions behind `after` and before `now` (microseconds UTC) as facts, and how far that went.

    Those of the `AGAIN` before `after` come once more: a night that was interrupted posts decisions of the
    moment at which it began. What was taken over before is found unchanged.
    """
    found, behind = [_frame([])], (max(after[0] - AGAIN, -1), "")
    while page := ledger.logged.every(after=behind, until=now, limit=PAGE):
        found.append(_frame([_row(each) for each in page if _taken(each)]))
        behind = (page[-1].decided_at, page[-1].decision_id)
    return pl.concat(found), max(after, behind)


def _taken(decision: LoggedDecision) -> bool:
    if "night" not in decision.record:
        return True
    turn = bits(0, "taken over", decision.account_id) % DAYS_APART
    return decision.decided_at // DAY_MICROS % DAYS_APART == turn


def _row(decision: LoggedDecision) -> dict[str, Any]:
    return {
        "decision_id": decision.decision_id, "account_id": decision.account_id,
        "decided_at": decision.decided_at, "treatment": decision.treatment, "place": 1,
        "probability": decision.probability, "eligible": _eligible(decision.record), "policy": OWN_POLICY,
        "followed": None, "stored_at": decision.decided_at, "deleted": False,
    }  # fmt: skip


def _eligible(record: Mapping[str, Any]) -> str | None:
    """As the contract writes lists; None = the record of an older version does not say."""
    if "eligible" in record:
        return str(record["eligible"])
    if "stage" not in record:
        return None
    pairs = zip(record["treatment"], record["stage"], strict=True)
    return "|".join(treatment for treatment, stage in pairs if stage is None)


def _frame(rows: list[dict[str, Any]]) -> pl.DataFrame:
    schema = TABLES["decisions"].schema
    given = {name: pl.Int64() if dtype == TIME else dtype for name, dtype in schema.items()}
    return pl.DataFrame(rows, schema=given, orient="row").cast(dict(schema))  # type: ignore[arg-type]


def read_until(path: Path, ledger_name: str) -> Until:
    """How far decisions of this ledger were taken over; nothing yet where the file does not say."""
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        return (int(kept["moment"]), str(kept["decision"])) if kept["ledger"] == ledger_name else NOTHING_YET
    except (OSError, ValueError, KeyError, TypeError):
        return NOTHING_YET


def write_until(path: Path, ledger_name: str, until: Until) -> None:
    """Note it, complete or not at all. Where it is lost, decisions come again and are found unchanged."""
    beside = path.with_suffix(".new")
    beside.write_text(json.dumps({"ledger": ledger_name, "moment": until[0], "decision": until[1]}), "utf-8")
    beside.rename(path)
