"""What a load says of who somebody is, on its way into the ledger.

History has no place for it (law 3), so it waits beside the history until the ledger has it. A load that was
killed once its history was in use leaves it here, and whoever changes the history next brings it to the
ledger: no name is lost, and nobody has to know that a load was killed.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterable, Iterator
from itertools import groupby
from operator import itemgetter

import polars as pl

from data.erasing import LeavingOut
from data.home import Home
from data.ledger.ledger import Ledger
from data.progress import Progress, quiet
from data.snapshot import Snapshot, sync
from data.tables import Checked
from engine.contract import TABLES

_ROWS = 20_000
"""Brought to the ledger in one transaction."""
_NONE = pl.DataFrame()
_NAMES = pl.DataFrame(schema={"account_id": pl.String(), "name": pl.String()})


class PersonalWaiting:
    """Personal rows of one load at a time, complete or not at all; who changes the history holds it too."""

    def __init__(self, home: Home) -> None:
        self._folder = home.root / ".personal-waiting"
        self._whose = self._folder / "SNAPSHOT"

    def keep(self, snapshot: Snapshot, rows: Iterable[tuple[str, pl.DataFrame]]) -> None:
        """Have these rows (table, rows) wait; they belong to a snapshot that is about to be in use."""
        self.remove()
        self._folder.mkdir(parents=True, mode=0o700)
        for number, (table, some) in enumerate(_in_files(rows)):
            path = self._folder / f"{number:06d}.{table}.arrow"
            some.write_ipc(path, compression="lz4")
            sync(path)
        beside = self._whose.with_suffix(".new")
        beside.write_text(snapshot.id, encoding="utf-8")
        sync(beside)
        beside.rename(self._whose)
        sync(self._folder)

    def are_of(self, snapshot: Snapshot | None) -> bool:
        """Whether rows wait that belong to the snapshot in use; of a load that never came to be none do."""
        return (
            snapshot is not None
            and self._whose.exists()
            and self._whose.read_text(encoding="utf-8") == snapshot.id
        )

    def names(self) -> pl.DataFrame:
        """account_id and name of the accounts among them."""
        parts = [rows.select(_NAMES.columns) for table, rows in self._parts() if table == "accounts"]
        return pl.concat([_NAMES, *parts])

    def bring(self, ledger: Ledger, named: Collection[str] = (), progress: Progress = quiet) -> None:
        """Put them into the ledger, without what is said of those who were erased meanwhile, and without the
        names of accounts that it has already (`named`). Raises UnknownError."""
        leave_out = LeavingOut(ledger.erasures.markers())
        for table, waiting in self._parts():
            rows = leave_out(Checked(table, waiting, _NONE, waiting.select(TABLES[table].key))).rows
            if table == "accounts":
                rows = rows.filter(~pl.col("account_id").is_in(list(named)))
            personal = [c.name for c in TABLES[table].columns if c.personal]
            key = list(dict.fromkeys([*TABLES[table].key, "account_id"]))
            for start in range(0, rows.height, _ROWS):
                progress("ledger", start, rows.height)
                some = rows.slice(start, _ROWS)
                ledger.put_personal(table, some.select(key + personal))
                if table == "touchpoints":
                    ledger.put_told(some)
            progress("ledger", rows.height, rows.height)

    def remove(self) -> None:
        """Nothing waits any more."""
        self._whose.unlink(missing_ok=True)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _parts(self) -> Iterator[tuple[str, pl.DataFrame]]:
        for path in sorted(self._folder.glob("*.arrow")):
            yield path.name.split(".")[1], pl.read_ipc(path)


def _in_files(rows: Iterable[tuple[str, pl.DataFrame]]) -> Iterator[tuple[str, pl.DataFrame]]:
    """The rows of each table, few files of many rows rather than many of few."""
    for table, parts in groupby(rows, key=itemgetter(0)):
        held: list[pl.DataFrame] = []
        for _, some in parts:
            held.append(some)
            if sum(frame.height for frame in held) >= _ROWS:
                yield table, pl.concat(held)
                held = []
        if held:
            yield table, pl.concat(held)
