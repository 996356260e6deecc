"""Calls of representatives on physicians and their prescriptions, as tables of the contract.

1,000 physicians over 23 months: how often each was called on, and how often he prescribed.
Calls went to those who prescribe much. docs/howto/detailing.md explains the choices.

Source:
    Manchanda, Rossi and Chintagunta (2004), Response Modeling with Nonrandom Marketing-Mix Variables.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from data.datasets import DatasetError
from data.datasets.files import (
    SYSTEM,
    convert_to,
    find,
    read_csv,
    system_tables,
    with_numbers,
)
from data.progress import Progress, quiet
from engine.records import NO_CONTACT

FIRST_MONTH = datetime(2000, 1, 1, tzinfo=UTC)
"""The publisher gives months in their order and no dates."""
MOST = 3
"""Calls of a month from which on they are one treatment, "three or more"."""
_PRESCRIBED_AFTER_DAYS = 20
_CALLED_AFTER_DAYS = 2
_NAME = "detailing"
_COUNTS = ("id", "scripts", "detailing", "lagged_scripts")
_DEMO = ("id", "generalphys", "specialist")


def convert(source: Path, out: Path, progress: Progress = quiet) -> None:
    """Map the publisher's two tables to a folder of the contract.

    Args:
        source: Folder with counts.csv and demo.csv, zipped (.gz) or not.
        out: Folder for the tables; made where it does not exist.
        progress: Called with (stage, done, of).

    Raises:
        OccupiedFolderError: `out` holds something else.
        DatasetError: A file is missing, unreadable or not of this data set, or `out` cannot be written.
    """

    def tables() -> dict[str, pl.DataFrame]:
        months, physicians = _months(source), _physicians(source)
        strange = months.join(physicians, on="account_id", how="anti")
        if len(strange):
            raise DatasetError(f"demo.csv has no physician {strange['account_id'][0]!r} of counts.csv.")
        return _tables(months, physicians)

    convert_to(out, tables, progress)


def _months(source: Path) -> pl.DataFrame:
    """A row per physician and month: its first moment, calls, prescriptions, those of the month before."""
    path = find(source, ("counts.csv",))
    rows = with_numbers(read_csv(path, _COUNTS, what=_NAME), _COUNTS, path)
    for column in ("scripts", "detailing", "lagged_scripts"):
        wrong = rows.filter((pl.col(column) < 0) | (pl.col(column) % 1 != 0))
        if len(wrong):
            raise DatasetError(f"{path}, column {column!r}: got {wrong[column][0]:g}, need a whole number.")
    start = pl.lit(FIRST_MONTH).dt.cast_time_unit("us")
    month = pl.int_range(pl.len()).over("id")
    return rows.select(
        account_id=_account(),
        month=month,
        at=start.dt.offset_by(pl.format("{}mo", month)),
        calls=pl.col("detailing").cast(pl.Int64),
        scripts="scripts",
        before="lagged_scripts",
    )


def _account() -> pl.Expr:
    return pl.format("p{}", pl.col("id").cast(pl.Int64).cast(pl.String).str.zfill(5))


def _physicians(source: Path) -> pl.DataFrame:
    path = find(source, ("demo.csv",))
    rows = with_numbers(read_csv(path, _DEMO, what=_NAME), _DEMO, path)
    general, specialist = pl.col("generalphys") > 0, pl.col("specialist") > 0
    kind = pl.when(general).then(pl.lit("general")).when(specialist).then(pl.lit("specialist"))
    first = pl.lit(FIRST_MONTH).dt.cast_time_unit("us")
    return rows.select(
        account_id=_account(),
        name=_account(),
        language=pl.lit("en"),
        automated=pl.lit(True),
        speciality=kind.otherwise(pl.lit("other")),
        stored_at=first.dt.offset_by("-2mo"),
    )


def _tables(months: pl.DataFrame, physicians: pl.DataFrame) -> dict[str, pl.DataFrame]:
    key = pl.format("{}-{}", "account_id", pl.col("month").cast(pl.String).str.zfill(2))
    dose = pl.min_horizontal("calls", pl.lit(MOST))
    chosen = months.with_columns(
        key=key,
        treatment=pl.when(dose > 0).then(pl.format("visits_{}", dose)).otherwise(pl.lit(NO_CONTACT)),
    )
    return {
        "accounts": physicians,
        **system_tables(physicians, "Representatives"),
        "touchpoints": _calls(chosen),
        "responses": pl.DataFrame(
            schema={
                "touchpoint_id": pl.String,
                "responded_at": pl.Datetime("us", "UTC"),
                "response": pl.String,
            }
        ),
        "outcomes": _prescriptions(chosen),
        "decisions": chosen.select(
            "account_id",
            "treatment",
            decision_id=pl.lit("d-") + pl.col("key"),
            decided_at="at",
            place=pl.lit(1, pl.Int64),
            eligible=pl.lit("|".join([NO_CONTACT, *(f"visits_{number}" for number in range(1, MOST + 1))])),
            policy=pl.lit("representatives"),
            followed=pl.lit(True),
        ),
    }


def _calls(chosen: pl.DataFrame) -> pl.DataFrame:
    """Each call of its own, two days apart from the third of the month on."""
    each = chosen.filter(pl.col("calls") > 0).with_columns(number=pl.int_ranges("calls")).explode("number")
    day = pl.duration(days=_CALLED_AFTER_DAYS + pl.col("number") % 13 * 2)
    return each.select(
        "account_id",
        "treatment",
        touchpoint_id=pl.format("t-{}-{}", "key", "number"),
        occurred_at=pl.col("at") + day,
        direction=pl.lit("outbound"),
        channel=pl.lit("visit"),
        role=pl.lit(SYSTEM),
        user_id=pl.lit(SYSTEM),
        status=pl.lit("done"),
        decision_id=pl.lit("d-") + pl.col("key"),
    )


def _prescriptions(chosen: pl.DataFrame) -> pl.DataFrame:
    """Those of each month, and those of the month before the first."""
    days = pl.duration(days=_PRESCRIBED_AFTER_DAYS)
    own = chosen.select(
        "account_id",
        outcome_id=pl.lit("o-") + pl.col("key"),
        occurred_at=pl.col("at") + days,
        value="scripts",
    )
    earlier = chosen.filter(pl.col("month") == 0).select(
        "account_id",
        outcome_id=pl.lit("b-") + pl.col("key"),
        occurred_at=pl.col("at").dt.offset_by("-1mo") + days,
        value="before",
    )
    return pl.concat([earlier, own]).with_columns(kind=pl.lit("prescription"))
