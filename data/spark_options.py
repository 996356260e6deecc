"""Options of commands that may run on a cluster."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import typer

from data.home import DataError

EngineOption = Annotated[
    Literal["local", "spark"], typer.Option(help="What works on the buckets: processes here, or Spark.")
]
MasterOption = Annotated[
    str | None, typer.Option(help="Spark's master URL; default: its configuration, else all cores here.")
]
ExchangeOption = Annotated[
    str | None,
    typer.Option(help="Folder that driver and executors reach (s3a://, hdfs://, file://); default: HOME."),
]
PackedOption = Annotated[
    str | None, typer.Option(help="Packed Python environment for the executors (docs/scale.md).")
]


class SparkError(DataError):
    """Spark cannot be used as asked."""

    exit_code = 2


@dataclass(frozen=True)
class SparkOptions:
    """How Spark is reached.

    Attributes:
        master: URL of the cluster; None = as Spark's own configuration says, else all cores here.
        exchange: Folder that driver and executors reach, by any of Hadoop's file systems (s3a://, hdfs://);
            None = they share this machine's files.
        packed: Archive of a packed Python environment for the executors; None = they have one.
    """

    master: str | None = None
    exchange: str | None = None
    packed: str | None = None


def spark_options(
    engine: str, master: str | None, exchange: str | None, packed: str | None
) -> SparkOptions | None:
    """What was asked for; None = processes here. Raises SparkError: options of Spark without it."""
    if engine == "spark":
        return SparkOptions(master, exchange, packed)
    for name, value in (("--master", master), ("--exchange", exchange), ("--packed", packed)):
        if value is not None:
            raise SparkError(f"Got {name} {value} without Spark: add --engine spark.")
    return None
