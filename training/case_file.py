"""The table of cases as a file, for those who want a model of their own: Parquet or CSV."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from polars.exceptions import PolarsError

from training.cases import Cases
from training.errors import OutputError

OUT_KINDS = (".parquet", ".csv")
"""Endings of files that the table of cases is written to."""


def check_out(out: Path) -> None:
    """Say before any work that a file cannot be written there. Raises OutputError."""
    if out.is_dir():
        raise OutputError(
            f"{out} is a folder; give the name of a Parquet or CSV file, such as {out / 'cases.parquet'}."
        )
    if out.suffix.lower() not in OUT_KINDS:
        raise OutputError(
            f"Got {out.name!r}, need a name that ends in {' or '.join(OUT_KINDS)}: the ending says how the "
            "table is written."
        )
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{out} cannot be written: {error.strerror}.") from error


def write_cases(cases: Cases, out: Path) -> None:
    """Write the cases as one Parquet or CSV file, by its ending, complete or not at all.

    In CSV times are ISO 8601 with zone and what is not known is empty. Raises OutputError.
    """
    check_out(out)
    unfinished = out.with_name(out.name + ".tmp")
    try:
        if out.suffix.lower() == ".csv":
            cases.frame().write_csv(unfinished, datetime_format="%Y-%m-%dT%H:%M:%S%.6f%:z")
        else:
            cases.frame().write_parquet(unfinished)
        unfinished.replace(out)
    except (OSError, PolarsError) as error:
        with suppress(OSError):
            unfinished.unlink()
        said = " ".join(str(error).split())
        raise OutputError(f"{out} cannot be written ({said}). Is there room for it?") from error
