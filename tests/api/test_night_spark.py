"""A night by Spark ends with the rows of a night on one machine."""

from __future__ import annotations

import os
import shutil
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from api.night_bucket import Night
from api.night_spark import _without_places
from api.nightly import run_night
from data.history import HistoryStore
from data.home import Home
from data.ledger.ledger import Ledger
from data.nights import NightFolder
from data.spark_options import SparkOptions
from tests.api.company import NOW, Clock, load, settings_of, tables_of

ACCOUNTS = [f"n{n:02d}" for n in range(30)]
PARTS = ("record", "facts", "lists", "funnel", "scores", "bookings", "offers", "listed")


def shown(home: Path) -> list[Any]:
    ledger = Ledger.open(settings_of(home).as_home().ledger_url)
    try:
        return [
            (s.account_id, s.suggestion_id, s.treatment, s.role, s.rank, s.priority)
            for account in ACCOUNTS
            for s in ledger.suggestions(account, now=NOW + 1)
        ]
    finally:
        ledger.close()


def parts(home: Path, run_id: str) -> dict[tuple[int, str], pl.DataFrame]:
    folder = NightFolder(home / "nights" / run_id)
    return {(bucket, part): folder.read(bucket, part) for bucket in folder.finished() for part in PARTS}  # type: ignore[arg-type]


@pytest.mark.skipif("FULL" not in os.environ, reason="make test-all has a Spark")
def test_rows_are_identical_to_those_of_one_machine(spark_driver: None, tmp_path: Path) -> None:
    """The cluster runs the same functions; whoever moves to it must find the same suggestions."""
    load(tmp_path / "home", tables_of(ACCOUNTS))
    other = Path(shutil.copytree(tmp_path / "home", tmp_path / "other"))
    alone = run_night(settings_of(tmp_path / "home"), as_of=NOW, clock=Clock(NOW))

    spark = SparkOptions("local[2, 4]", exchange=(tmp_path / "exchange").as_uri())
    together = run_night(settings_of(other), as_of=NOW, clock=Clock(NOW), spark=spark)

    mine, theirs = parts(tmp_path / "home", alone.run_id), parts(other, together.run_id)
    assert alone.run_id == together.run_id
    assert mine.keys() == theirs.keys()
    assert len({bucket for bucket, _ in mine}) > 1
    for key, frame in mine.items():
        assert_frame_equal(frame, theirs[key], check_exact=True)
    assert shown(other) == shown(tmp_path / "home")
    assert shown(other)


def test_neither_paths_nor_the_ledgers_address_leave_the_machine(tmp_path: Path) -> None:
    """The address of a ledger may carry its password, and a cluster has many readers."""
    load(tmp_path / "home", tables_of(ACCOUNTS[:1]))
    home = Home.at(tmp_path / "home", ledger_url="postgresql://u:secret@h/d")
    snapshot = HistoryStore(home.history).current()
    assert snapshot is not None
    night = Night("r", NOW, home, str(tmp_path / "p.toml"), None, snapshot, 0, NightFolder(tmp_path / "n"))

    told = "\n".join(texts_of(_without_places(night)))

    assert "secret" not in told
    assert str(tmp_path) not in told
    assert snapshot.id in told


def texts_of(value: Any) -> list[str]:
    """Everything in a value, as text."""
    if is_dataclass(value) and not isinstance(value, type):
        return [text for field in fields(value) for text in texts_of(getattr(value, field.name))]
    return [str(value)]
