"""The files of the nights: <home>/nights/<run>/, the full record of every bucket and what the run began with.

Each file is complete or absent (written beside, then renamed), so that a run that was killed goes on with
what is there.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import polars as pl

from data.home import DataError, Home
from data.progress import Progress, quiet
from data.snapshot import Snapshot, read_snapshot

Part = Literal["record", "facts", "lists", "funnel", "scores", "bookings", "offers", "listed"]
"""record: every pair with all that was computed, written last; facts: what was known of each account, by
name; lists: what is published; funnel: counts. Where a plan is made, before that: scores of every pair;
bookings: time that is taken; offers: what could be planned, written last of these; then listed: what of
it the lists hold."""

_REMOVED = ".removed-"


@dataclass(frozen=True)
class NightFolder:
    """The folder of one run."""

    path: Path

    def has(self, bucket: int) -> bool:
        """Whether a bucket is finished."""
        return self._file(bucket, "record").exists()

    def finished(self) -> list[int]:
        """The buckets that are finished."""
        names = [path.stem for path in self.path.glob("bucket_*.parquet")] if self.path.is_dir() else []
        return sorted(int(name.removeprefix("bucket_")) for name in names if "." not in name)

    def write(self, bucket: int, part: Part, frame: pl.DataFrame) -> None:
        """Write one part of a bucket, completely or not at all."""
        target = self._file(bucket, part)
        target.parent.mkdir(parents=True, exist_ok=True)
        beside = target.with_suffix(".parquet.tmp")
        frame.write_parquet(beside)
        os.replace(beside, target)

    def take(self, bucket: int, files: Mapping[str, bytes]) -> None:
        """Take over parts of a bucket written elsewhere, name -> content, each complete or absent."""
        self.path.mkdir(parents=True, exist_ok=True)
        last = [self._file(bucket, part).name for part in ("offers", "record")]
        for name in sorted(files, key=lambda name: name in last):
            beside = self.path / f"{name}.tmp"
            beside.write_bytes(files[name])
            os.replace(beside, self.path / name)

    def read(self, bucket: int, part: Part, columns: list[str] | None = None) -> pl.DataFrame:
        """One part of a finished bucket, or some columns of it."""
        return pl.read_parquet(self._file(bucket, part), columns=columns)

    def of_account(self, part: Part, account_id: str) -> pl.DataFrame | None:
        """One account's rows of a part of the buckets that are finished; None where there are none."""
        for bucket in self.finished():
            rows = (
                pl.scan_parquet(self._file(bucket, part)).filter(pl.col("account_id") == account_id).collect()
            )
            if len(rows):
                return rows
        return None

    def judged(self, bucket: int) -> bool:
        """Whether all that a bucket brings to the plan is written."""
        return self._file(bucket, "offers").exists()

    def write_prices(self, head: Mapping[str, Any], given: pl.DataFrame, displaced: pl.DataFrame) -> None:
        """The prices of the run's plan, what was given time or a quota (account_id, treatment), and some of
        what was not."""
        parts = {"given.parquet": given.write_parquet, "displaced.parquet": displaced.write_parquet}
        for name, write in (*parts.items(), ("plan.json", _json_writer(head))):
            beside = self.path / f"{name}.tmp"
            write(beside)
            os.replace(beside, self.path / name)

    def prices(self) -> tuple[Mapping[str, Any], pl.DataFrame] | None:
        """As written; None where the run has no plan (yet)."""
        file = self.path / "plan.json"
        if not file.exists():
            return None
        return json.loads(file.read_text(encoding="utf-8")), pl.read_parquet(self.path / "given.parquet")

    def displaced(self) -> pl.DataFrame:
        """What had no place when prices were found, as written."""
        return pl.read_parquet(self.path / "displaced.parquet")

    def write_plan(self, items: pl.DataFrame) -> None:
        """The days of all people as they were planned."""
        beside = self.path / "plan.parquet.tmp"
        items.write_parquet(beside)
        os.replace(beside, self.path / "plan.parquet")

    def write_state(self, state: Mapping[str, Any]) -> None:
        """What the run began with and how it stands, as JSON values."""
        self.path.mkdir(parents=True, exist_ok=True)
        beside = self.path / "run.json.tmp"
        beside.write_text(json.dumps(state, indent=1, sort_keys=True), encoding="utf-8")
        os.replace(beside, self.path / "run.json")

    def state(self) -> Mapping[str, Any] | None:
        """As written; None where the run has not begun. Raises DataError when it is damaged."""
        file = self.path / "run.json"
        if not file.exists():
            return None
        try:
            state = json.loads(file.read_text(encoding="utf-8"))
        except ValueError:
            raise DataError(f"{file} is damaged; remove the folder {self.path} and run again.") from None
        if not isinstance(state, dict):
            raise DataError(f"{file} is damaged; remove the folder {self.path} and run again.")
        return state

    def write_versions(self, versions: Mapping[str, int]) -> None:
        """The accounts' versions at the moment of the take-over."""
        self.path.mkdir(parents=True, exist_ok=True)
        frame = pl.DataFrame(
            {"account_id": list(versions), "version": list(versions.values())},
            schema={"account_id": pl.String(), "version": pl.Int64()},
        )
        beside = self.path / "versions.parquet.tmp"
        frame.write_parquet(beside)
        os.replace(beside, self.path / "versions.parquet")

    def versions(self, accounts: Collection[str]) -> dict[str, int]:
        """Of these accounts, as written; an account that was not known then has none."""
        theirs = pl.col("account_id").is_in(list(accounts))
        frame = pl.scan_parquet(self.path / "versions.parquet").filter(theirs).collect()
        return dict(zip(frame["account_id"].to_list(), frame["version"].to_list(), strict=True))

    def _file(self, bucket: int, part: Part) -> Path:
        suffix = "" if part == "record" else f".{part}"
        return self.path / f"bucket_{bucket:04d}{suffix}.parquet"


def _json_writer(values: Mapping[str, Any]) -> Callable[[Path], object]:
    text = json.dumps(values, indent=1, sort_keys=True)
    return lambda path: path.write_text(text, encoding="utf-8")


def night_folders(nights: Path) -> list[NightFolder]:
    """The folders of all runs, by name."""
    paths = sorted(nights.iterdir()) if nights.is_dir() else []
    return [NightFolder(path) for path in paths if path.is_dir() and not path.name.startswith(_REMOVED)]


def remove_nights(nights: Path, *, before: int, keep: str) -> None:
    """Remove the folders of complete runs whose moment is older than `before` (microseconds UTC).

    Args:
        keep: A run that stays, whatever its moment.
    """
    for folder in night_folders(nights):
        state = folder.state() if folder.path.name != keep else None
        if state is not None and state["state"] == "complete" and state["as_of"] < before:
            # Renamed first: half a folder must not look like a run that can be read.
            folder.path.rename(nights / f"{_REMOVED}{folder.path.name}")
    for path in nights.glob(f"{_REMOVED}*"):
        shutil.rmtree(path, ignore_errors=True)


def remove_accounts(nights: Path, accounts: Collection[str], *, progress: Progress = quiet) -> None:
    """Take all rows of accounts out of the files of all runs."""
    theirs = pl.col("account_id").is_in(list(accounts))
    files = [path for folder in night_folders(nights) for path in sorted(folder.path.glob("*.parquet"))]
    for done, path in enumerate(files if accounts else [], start=1):
        progress("taking the erased out of nights", done, len(files))
        if "account_id" not in pl.read_parquet_schema(path):
            continue
        frame = pl.read_parquet(path)
        kept = frame.filter(~theirs)
        if kept.height < frame.height:
            beside = path.with_suffix(".parquet.tmp")
            kept.write_parquet(beside)
            os.replace(beside, path)


def kept_snapshot(home: Home, snapshot_id: str) -> Snapshot | None:
    """The snapshot a run began with; None where later loads have removed it."""
    path = home.history / snapshot_id
    return read_snapshot(path)[0] if path.is_dir() else None
