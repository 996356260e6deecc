"""The bank marketing data as tables of the contract: 41,188 phone calls that offered a term deposit.

The publisher's "additional" file, in the order of time, with month and weekday but no year: the year follows
from the order. docs/howto/bank.md explains the choices.

Source:
    Moro, Cortez and Rita (2014), A Data-Driven Approach to Predict the Success of Bank Telemarketing.
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

FIRST_YEAR = 2008
NEVER_CALLED = 999
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_NAME = "bank marketing"
_TEXTS = (
    "job", "marital", "education", "default", "housing", "loan", "month", "day_of_week", "poutcome",
)  # fmt: skip
_NUMBERS = ("age", "campaign", "pdays", "previous", "duration")
_COLUMNS = {*_TEXTS, *_NUMBERS, "contact", "y"}
_UNKNOWN = "unknown"
_FILES = ("bank-additional-full.csv", "bank-additional.csv", "bank-additional/bank-additional-full.csv")


def convert(source: Path, out: Path, progress: Progress = quiet) -> None:
    """Map the publisher's file to a folder of the contract.

    Args:
        source: Folder with bank-additional-full.csv, zipped (.gz) or not.
        out: Folder for the tables; made where it does not exist.
        progress: Called with (stage, done, of).

    Raises:
        OccupiedFolderError: `out` holds something else.
        DatasetError: The file is missing, unreadable or not of this data set, or `out` cannot be written.
    """
    convert_to(out, lambda: _tables(_calls_of(source)), progress)


def _calls_of(source: Path) -> pl.DataFrame:
    path = find(source, _FILES)
    return _calls(with_numbers(read_csv(path, _COLUMNS, what=_NAME, separator=";"), _NUMBERS, path), path)


def _calls(rows: pl.DataFrame, path: Path) -> pl.DataFrame:
    """The calls with an account, a time and whether the deposit was taken."""
    for column, choices in {
        "month": MONTHS,
        "contact": ("cellular", "telephone"),
        "y": ("yes", "no"),
    }.items():
        strange = rows.filter(~pl.col(column).is_in(choices).fill_null(value=False))
        if len(strange):
            raise DatasetError(
                f"{path}, column {column!r}: got {strange[column][0]!r}, need one of {', '.join(choices)}."
            )
    if rows["duration"].min() is not None and float(rows["duration"].min()) < 0.0:  # type: ignore[arg-type]
        raise DatasetError(f"{path}, column 'duration': got a call shorter than 0 seconds.")
    known = [pl.when(pl.col(name) != _UNKNOWN).then(pl.col(name)).alias(name) for name in _TEXTS]
    return _timed(rows).with_columns(
        *known,
        account_id=pl.format("c{}", pl.int_range(1, pl.len() + 1).cast(pl.String).str.zfill(6)),
        pdays=pl.when(pl.col("pdays") != NEVER_CALLED).then(pl.col("pdays")),
        treatment=pl.format("call_{}", pl.col("contact")),
        taken=(pl.col("y") == "yes").cast(pl.Float64),
    )


def _timed(rows: pl.DataFrame) -> pl.DataFrame:
    """`at`: calls of one month in their order, evenly over the month; a lower month begins another year."""
    number = pl.col("month").replace_strict({name: place for place, name in enumerate(MONTHS, start=1)})
    ordered = rows.with_columns(number=number.cast(pl.Int64))
    turns = (pl.col("number") < pl.col("number").shift(1)).fill_null(value=False)
    ordered = ordered.with_columns(year=FIRST_YEAR + turns.cast(pl.Int64).cum_sum())
    month = ["year", "number"]
    start = pl.datetime(pl.col("year"), pl.col("number"), 1, time_unit="us", time_zone="UTC")
    length = (start.dt.offset_by("1mo") - start).dt.total_microseconds()
    share = (pl.int_range(pl.len()).over(month) + 1) / (pl.len().over(month) + 1)
    return ordered.with_columns(at=start + pl.duration(microseconds=(length * share).cast(pl.Int64)))


def _tables(calls: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """Each row is a client of its own; what a call lasted is known when it has ended, not before."""
    traits = [name for name in (*_TEXTS, *_NUMBERS) if name != "duration"]
    known = calls.select(
        "account_id",
        *traits,
        name="account_id",
        language=pl.lit("en"),
        automated=pl.lit(True),
        duration=pl.lit(None, pl.Float64),
        stored_at=pl.lit(datetime(FIRST_YEAR, 1, 1, tzinfo=UTC)).dt.cast_time_unit("us"),
    )
    ended = pl.col("at") + pl.duration(seconds=pl.col("duration") + 1)
    afterwards = known.drop("duration", "stored_at").join(
        calls.select("account_id", "duration", stored_at=ended), on="account_id"
    )
    done = calls.select(
        "account_id",
        touchpoint_id=pl.lit("t-") + pl.col("account_id"),
        occurred_at="at",
        direction=pl.lit("outbound"),
        channel="contact",
        treatment="treatment",
        topic=pl.lit("deposit"),
        role=pl.lit(SYSTEM),
        user_id=pl.lit(SYSTEM),
        status=pl.lit("done"),
        decision_id=pl.lit("d-") + pl.col("account_id"),
    )
    return {
        "accounts": pl.concat([known, afterwards.select(known.columns)]),
        **system_tables(known, "Calls of the campaign"),
        "touchpoints": done,
        "responses": calls.filter(pl.col("taken") > 0).select(
            touchpoint_id=pl.lit("t-") + pl.col("account_id"), responded_at="at", response=pl.lit("accepted")
        ),
        "outcomes": calls.select(
            "account_id",
            outcome_id=pl.lit("o-") + pl.col("account_id"),
            occurred_at="at",
            kind=pl.lit("deposit"),
            value="taken",
        ),
        "decisions": calls.select(
            "account_id",
            decision_id=pl.lit("d-") + pl.col("account_id"),
            decided_at="at",
            treatment="treatment",
            place=pl.lit(1, pl.Int64),
            policy=pl.lit("campaign"),
            followed=pl.lit(True),
        ),
    }
