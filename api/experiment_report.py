"""A standing test as its history shows it: units in their arms, compared; and what a test could see."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from data.home import DataError
from data.progress import Progress
from data.rewards import rewards
from data.snapshot import Snapshot
from data.times import to_iso
from engine.arms import units_at
from engine.experiments import ARMS, CONTROL, ENGINE, Experiment
from engine.lift import Lift, Units, lift, mismatch, power
from engine.playbook import Playbook
from engine.records import DAY_MICROS, Floats, Moments, known_rows

WEEK = 7 * DAY_MICROS
MISMATCH = 0.001
AT_THE_END, BEFORE = 0.05, 0.001
"""Chance up to which a difference is taken for one, at the planned end and before it: so who looks every week
hardly ever finds an effect that is none, and the one look at the end keeps its level (Haybittle 1971; Peto et
al. 1976)."""
_KEPT = "experiment.json"


class ExperimentError(DataError):
    """There is nothing to report on; says what to do."""

    exit_code = 2


def standing_test(playbook: Playbook) -> Experiment:
    """The playbook's standing test. Raises ExperimentError: it has none."""
    if playbook.experiment is None:
        raise ExperimentError(
            f"The playbook {playbook.id} has no standing test; give it a table [experiment]."
        )
    return playbook.experiment


def report(snapshot: Snapshot, playbook: Playbook, *, as_of: int, progress: Progress) -> dict[str, Any]:
    """The arms compared on the worth of all outcomes since the start, whatever was suggested or done.

    Who is compared was settled at the start: accounts that were known then, in the arm of their unit at that
    time. Later ones, and what happens after the planned end, do not count.

    Raises ExperimentError: there is no test, or it has not begun.
    """
    test = standing_test(playbook)
    if as_of <= test.starts:
        raise ExperimentError(f"The test begins at {to_iso(test.starts)}: there is nothing to compare yet.")
    planned_end = test.starts + test.weeks * WEEK
    until = min(as_of, planned_end)
    spans = [(test.starts, until)]
    rows = accounts_of(snapshot, playbook, test, at=test.starts, known=as_of, spans=spans, progress=progress)
    known = rows.filter(pl.col("unit").is_not_null())
    units, provisional = _units(known, test), as_of < planned_end
    beyond = BEFORE if provisional else AT_THE_END
    shares = {arm: test.share(arm) for arm in range(len(ARMS)) if test.share(arm) > 0.0}
    chance = mismatch(units, shares)
    return {
        "playbook": playbook.id, "currency": playbook.currency, "unit": test.unit,
        "starts": to_iso(test.starts), "until": to_iso(until), "planned_end": to_iso(planned_end),
        "provisional": provisional, "level": 1.0 - beyond,
        "outside": len(rows) - len(known),
        "assignment": {"chance": chance, "as_planned": chance >= MISMATCH},
        "arms": [_arm(units, arm, share) for arm, share in shares.items()],
        "comparisons": [_compared(units, arm, beyond) for arm in shares if arm != ENGINE],
    }  # fmt: skip


def keep(home: Path, playbook: Playbook, found: Mapping[str, Any]) -> None:
    """Put a report where the page finds it."""
    text = json.dumps({"salt": standing_test(playbook).salt, **found})
    building = home / f".{_KEPT}"
    building.write_text(text, encoding="utf-8")
    building.replace(home / _KEPT)


def kept(home: Path, playbook: Playbook) -> dict[str, Any] | None:
    """The last report on the playbook's own test; None where there is none, or only one on another test."""
    try:
        found = json.loads((home / _KEPT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    test = playbook.experiment
    same = test and (found["playbook"], found["salt"]) == (playbook.id, test.salt)
    return dict(found) if same else None


def _arm(units: Units, arm: int, share: float) -> dict[str, Any]:
    own = units.of(arm)
    accounts = int(own.accounts.sum())
    return {"arm": ARMS[arm], "share": share, "units": len(own), "accounts": accounts,
            "per_account": float(own.worth.sum()) / accounts if accounts else None}  # fmt: skip


def _compared(units: Units, arm: int, beyond: float) -> dict[str, Any]:
    told = {"arm": "engine", "against": ARMS[arm], "programme": arm == CONTROL}
    if min(len(units.of(ENGINE)), len(units.of(arm))) < 2:
        return told | {"finding": "too_few_units"}
    found = lift(units, ENGINE, arm, beyond=beyond)
    return told | {
        "finding": _finding(found),
        "lift": _interval(found.relative),
        "difference": _interval(found.difference),
        "chance": found.chance,
        "method": "randomisation" if found.randomised else "normal",
    }


def _finding(found: Lift) -> str:
    if found.difference.low > 0.0:
        return "more"
    return "less" if found.difference.high < 0.0 else "not_shown"


def _interval(found: Any) -> dict[str, float | None]:
    ends = {"estimate": found.estimate, "low": found.low, "high": found.high, "error": found.standard_error}
    return {name: end if math.isfinite(end) else None for name, end in ends.items()}


def accounts_of(
    snapshot: Snapshot, playbook: Playbook, test: Experiment, *, at: int, known: int,
    spans: Sequence[tuple[int, int]], progress: Progress,
) -> pl.DataFrame:  # fmt: skip
    """The accounts that were known at a moment with their unit and the worth of their outcomes in each span.

    Args:
        at: Microseconds UTC; when unit and accounts are looked at.
        known: What was stored strictly before it counts.
        spans: From (included) until (not included), microseconds UTC.

    Returns:
        Columns account_id, unit (null = not known) and w0, w1 ... in currency.
    """
    parts = []
    for bucket in range(snapshot.buckets):
        progress("outcomes", bucket + 1, snapshot.buckets)
        history = snapshot.read(bucket, ("accounts", "account_team", "outcomes"))
        rows = known_rows(history["accounts"], at).filter(pl.col("merged_into").is_null())
        names = tuple(rows["account_id"].unique().sort())
        if names:
            units = units_at(history, Moments.at(names, at), test)
            part = pl.DataFrame({"account_id": names, "unit": pl.Series(units, dtype=pl.String)})
            worth = [
                rewards(history, pl.DataFrame({"account_id": names, "as_of": start}), playbook, at=known,
                        horizon=end - start)
                for start, end in spans
            ]  # fmt: skip
            parts.append(part.with_columns(pl.Series(f"w{i}", w) for i, w in enumerate(worth)))
    if not parts:
        raise ExperimentError("The history has no accounts that were known then.")
    return pl.concat(parts)


def _units(accounts: pl.DataFrame, test: Experiment) -> Units:
    """Accounts added up by unit, with the arm of each."""
    found = (
        accounts.sort("unit", "account_id")
        .group_by("unit", maintain_order=True)
        .agg(pl.col("w0").sum(), pl.len().cast(pl.Int64).alias("accounts"))
    )
    arms = [test.arm_of(unit) for unit in found["unit"]]
    return Units(found["w0"].to_numpy(), found["accounts"].to_numpy(), np.array(arms, dtype=np.int64))


def promised(
    snapshot: Snapshot, playbook: Playbook, test: Experiment, *, arm: int, effect: float, as_of: int,
    weeks: int, progress: Progress,
) -> dict[str, Any]:  # fmt: skip
    """After how many weeks a test would see an effect, from how outcomes varied in the weeks before and with
    as many units in the arms as the playbook's salt puts there: of eight, halves are seldom four and four.

    Args:
        arm: That is held against the engine.
        effect: Lift, a share.
        weeks: That are tried at most; no more than the history has.

    Raises ExperimentError: the history has no outcomes in that time.
    """
    spans = [(as_of - (week + 1) * WEEK, as_of - week * WEEK) for week in range(weeks)]
    rows = accounts_of(snapshot, playbook, test, at=as_of, known=as_of, spans=spans, progress=progress)
    rows = rows.filter(pl.col("unit").is_not_null())
    by_week = rows.select(f"w{week}" for week in range(weeks)).to_numpy().reshape(len(rows), weeks)
    filled = np.flatnonzero((by_week != 0.0).any(axis=0))
    if not len(rows) or not len(filled):
        raise ExperimentError("The history has no outcomes in these weeks: nothing says how they vary.")
    most = int(filled[-1]) + 1
    curve = [_seen(rows, by_week, week, test, arm) for week in range(1, most + 1)]
    enough = next((found["weeks"] for found in curve if found["effect"] <= effect), None)
    last = curve[-1] if enough is None else curve[enough - 1]
    return {
        "playbook": playbook.id, "unit": test.unit, "arm": ARMS[arm], "share": test.share(arm),
        "effect": effect, "weeks": enough, "history_weeks": most, "planned_weeks": test.weeks,
        "units": last["units"], "accounts": len(rows), "design_effect": last["design_effect"],
        "correlation": last["correlation"],
        "curve": [{name: found[name] if math.isfinite(found[name]) else None for name in ("weeks", "effect")}
                  for found in curve],
    }  # fmt: skip


def _seen(rows: pl.DataFrame, by_week: Floats, weeks: int, test: Experiment, arm: int) -> dict[str, Any]:
    worth = by_week[:, :weeks].sum(axis=1)
    units = _units(rows.with_columns(w0=worth), test)
    own, other = (len(units.of(each)) / len(units) for each in (ENGINE, arm))
    rest = worth - worth.mean()
    found = power(units, own, other, float((rest * rest).sum()))
    return {"weeks": weeks, "effect": found.effect, "units": [round(each) for each in found.units],
            "design_effect": found.design_effect, "correlation": found.correlation}  # fmt: skip
