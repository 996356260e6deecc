"""Decisions computed again from what was kept of them, and what differs.

From the stored scores a decision comes out to the bit on every machine: what follows from them is added and
multiplied one by one. From the facts it does where the same program runs on a like processor; else how far
the numbers lie apart, and every rank that changed, is what can be said.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from engine.arbitration import limited, placed_at, rank, shares
from engine.contract import TIME
from engine.decide import Judged
from engine.experiments import ARMS, OUTSIDE
from engine.playbook import Playbook
from engine.priority import weigh
from engine.records import DAY_MICROS, Bools, EngineError, Floats, Ints
from engine.scores import Scores

FOLLOWING = ("place", "probability", "explored", "caused", "cost", "fatigue", "lever", "priority", "target")
"""Columns of `Decisions.record` that follow from its scores."""

JUDGED = ("stage", "rules", "room", "value", "response", "optout", "followed", "comparable", "weight",
          "uncertainty", "due", "arm")  # fmt: skip
"""Columns that follow from the facts."""

RECORD_TYPES: dict[str, type[pl.DataType] | pl.DataType] = {
    "account_id": pl.String, "decided_at": TIME, "treatment": pl.String, "place": pl.Int64,
    "probability": pl.Float64, "explored": pl.Boolean, "stage": pl.String, "rules": pl.String,
    "comparable": pl.Boolean, "value": pl.Float64, "response": pl.Float64, "optout": pl.Float64,
    "followed": pl.Float64, "caused": pl.Float64, "cost": pl.Float64, "fatigue": pl.Float64,
    "weight": pl.Float64, "lever": pl.Float64, "priority": pl.Float64, "target": pl.Float64,
    "uncertainty": pl.Float64, "due": pl.Float64, "charge": pl.Float64, "room": pl.String,
    "playbook": pl.String, "release": pl.String, "seed": pl.Int64,
    "arm": pl.String,
}  # fmt: skip
"""What `Decisions.record` has, for records that are kept in a form without types."""


class RecordError(EngineError):
    """What was kept of a decision cannot be computed again; says what it lacks."""


@dataclass(frozen=True)
class RankChange:
    """A place that came out otherwise: decision (its row among those compared), treatment, place before and
    after, None = not listed."""

    decision: int
    treatment: str
    before: int | None
    after: int | None


@dataclass(frozen=True)
class Comparison:
    """What differs between decisions as kept and computed again; n decisions.

    Attributes:
        differs: Whether anything does, to the bit; shape (n,).
        columns: Which columns do, in any decision.
        largest: The largest difference between two numbers, in the unit of its column; 0 = none.
        ranks: Every place that changed.
    """

    differs: Bools
    columns: tuple[str, ...]
    largest: float
    ranks: tuple[RankChange, ...]


def from_scores(record: pl.DataFrame, playbook: Playbook) -> pl.DataFrame:
    """What follows from the scores of decisions: the columns of `FOLLOWING`, row by row as in `record`.

    Args:
        record: As `Decisions.record` gives it, of n decisions under this playbook and one seed each.
        playbook: Under which they were taken.

    Raises:
        RecordError: The treatments are not those of the playbook, or a column is missing.
    """
    moments = _moments(record, playbook)
    size = len(playbook.treatments)

    def matrix(name: str) -> Floats:
        return np.ascontiguousarray(record[name].to_numpy().reshape(moments, size))

    scores = Scores(
        matrix("value"), matrix("response"), matrix("optout"), matrix("followed"),
        np.zeros(size, dtype=np.int64), matrix("uncertainty"),
        np.asarray(matrix("comparable"), dtype=np.bool_),
    )  # fmt: skip
    nothing = np.zeros((moments, size, 0), dtype=np.bool_)
    heads = record.gather_every(size)
    arm = heads["arm"].replace_strict({name: i for i, name in enumerate(ARMS)}, return_dtype=pl.Int64)
    arms = arm.fill_null(OUTSIDE).to_numpy()
    priority = replace(
        weigh(scores, matrix("weight"), nothing, playbook, arms), due=matrix("due"), charge=matrix("charge")
    )
    ranking = rank(
        priority.ranked,
        record["stage"].is_null().to_numpy().reshape(moments, size),
        tuple(heads["account_id"]),
        heads["decided_at"].to_physical().to_numpy() // DAY_MICROS,
        treatments=tuple(treatment.id for treatment in playbook.treatments),
        share=shares(playbook, arms),
        places=playbook.places,
        seed=int(heads["seed"][0]),
        together=limited(_room(heads["room"]), playbook),
        uncertainty=priority.uncertainty if playbook.exploration == "thompson" else None,
        draws=playbook.posterior_draws,
    )
    floats = {name: getattr(priority, name) for name in ("caused", "cost", "fatigue", "lever", "priority")}
    return pl.DataFrame(
        {
            "place": pl.Series(placed_at(ranking, size).ravel()).replace(0, None),
            "probability": np.repeat(ranking.probability, size),
            "explored": np.repeat(ranking.explored, size),
            **{name: np.ascontiguousarray(values).ravel() for name, values in floats.items()},
            "target": np.ascontiguousarray(ranking.target).ravel(),
        }
    )


def charged(judged: Judged, record: pl.DataFrame, playbook: Playbook) -> Judged:
    """The same decisions judged again, charged for time and quotas what they were: prices are not kept, what
    they came to is. Raises RecordError as `from_scores`."""
    shape = _moments(record, playbook), len(playbook.treatments)
    charge = np.ascontiguousarray(record["charge"].to_numpy().reshape(shape))
    return replace(judged, priority=replace(judged.priority, charge=charge))


def compare(
    record: pl.DataFrame, again: pl.DataFrame, size: int, names: Sequence[str] = (*JUDGED, *FOLLOWING)
) -> Comparison:
    """Hold decisions as kept against the same computed again.

    Args:
        record, again: Rows in the same order, `size` a decision.
        names: Columns that are compared.
    """
    unequal = np.zeros(record.height, dtype=np.bool_)
    columns, largest = [], 0.0
    for name in names:
        own = _unequal(record[name], again[name])
        if own.any():
            columns.append(name)
            unequal |= own
            largest = max(largest, _largest(record[name], again[name]))
    places = _unequal(record["place"], again["place"])
    ranks = tuple(
        RankChange(row // size, record["treatment"][row], record["place"][row], again["place"][row])
        for row in np.flatnonzero(places).tolist()
    )
    differs = np.asarray(unequal.reshape(-1, size).any(axis=1), dtype=np.bool_)
    return Comparison(differs, tuple(columns), largest, ranks)


def _moments(record: pl.DataFrame, playbook: Playbook) -> int:
    """How many decisions these rows are, each with the playbook's treatments in its order."""
    missing = [name for name in RECORD_TYPES if name not in record.columns or record[name].dtype == pl.Null]
    if missing or record["room"].has_nulls():
        raise RecordError(f"The record lacks {', '.join(missing) or 'room'}; an earlier version kept it.")
    own = [treatment.id for treatment in playbook.treatments]
    moments, left = divmod(record.height, len(own))
    expected = pl.Series(own * moments, dtype=pl.String)
    if left or not (record["treatment"] == expected).all():
        raise RecordError("The treatments of the record are not those of its playbook.")
    return moments


def _room(texts: pl.Series) -> Ints:
    rows = [[int(part) for part in text.split(",") if part] for text in texts]
    return np.array(rows, dtype=np.int64).reshape(len(rows), len(rows[0]) if rows else 0)


def _unequal(one: pl.Series, other: pl.Series) -> Bools:
    """Which values are not the same, for floats to the bit; two unknown ones are."""
    if one.dtype == pl.Float64:
        pair = (np.ascontiguousarray(each.to_numpy()).view(np.int64) for each in (one, other))
        first, second = pair
        found: Bools = first != second
        return found
    return one.ne_missing(other).to_numpy()


def _largest(one: pl.Series, other: pl.Series) -> float:
    if one.dtype != pl.Float64:
        return 0.0
    apart = (one - other).abs().fill_nan(None).max()
    return float(apart) if isinstance(apart, float) else 0.0
