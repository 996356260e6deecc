"""A folder of the contract on its way into the history: read in portions, checked, sorted into buckets.

Accounts and what is not tied to accounts are held whole; of everything else no more than a portion, whatever
the size of the load. Nothing is changed here but files that wait beside the history.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from data.bins import Bins
from data.erasing import LeavingOut
from data.history import HistoryStore
from data.ledger.erased import Markers
from data.placing import KEY_PARTS, KeyFilter, Placing, key_hash
from data.progress import Progress
from data.reading import PLACE, REJECT_SCHEMA, sources
from data.references import known_ids, unknown_accounts, with_owners, without_bad_merges
from data.snapshot import Snapshot
from data.tables import Checked, ContractError, read_table, read_table_in_portions
from data.versions import newest
from engine.contract import TABLES, TIME

BEGINNING = 0
"""stored_at (microseconds UTC) of standing facts of a first load: nobody knows since when they were known."""
_NO_REJECTS = pl.DataFrame(schema=REJECT_SCHEMA)
_OWNERS, _ANSWERS = "owners of touchpoints", "responses as read"


class Arriving:
    """What a folder holds, sorted; rows wait in `bins`.

    Args:
        store: Held for changes.
        erased: Whose rows are left out.
        loaded_at: Microseconds UTC; see `data.ingest.ingest`.

    Attributes:
        placing: All rows that were not rejected, ready to be merged.
        accepted: Table -> rows that were not rejected.
        defaulted: Table -> rows among them that had no stored_at.

    Raises:
        ContractError: A file is not of the contract, or there is nothing to load.
    """

    def __init__(
        self,
        folder: Path,
        store: HistoryStore,
        bins: Bins,
        erased: Markers,
        *,
        loaded_at: int,
        progress: Progress,
    ) -> None:
        self._folder, self._bins, self._now = folder, bins, loaded_at
        self._old = store.current()
        self._leave_out = LeavingOut(erased)
        self._rejected: dict[str, list[pl.DataFrame]] = {}
        self.accepted: dict[str, int] = {}
        self.defaulted: dict[str, int] = {}
        files = _files(folder, self._old)
        accounts = self._accounts()
        self._known = known_ids(accounts, self._old)
        count = 0 if accounts is None else accounts.get_column("account_id").n_unique()
        self.placing = Placing(store.base(count), bins, accounts)
        self._answered = KeyFilter() if "responses" in files else None
        done, total = 0, sum(map(len, files.values()))
        # Which touchpoints are asked for is known once the responses are read.
        for table in sorted(files, key=lambda name: name != "responses"):
            if table != "accounts":
                for portion in read_table_in_portions(folder, table):
                    progress("read", done, total)
                    self._take(portion)
            done += len(files[table])
        progress("read", total, total)
        if self._answered is not None:
            self._assign_answers()
        self.placing.finish(progress)

    @property
    def erased(self) -> int:
        """How many rows were left out, of those who were erased."""
        return self._leave_out.dropped

    def rejected(self, table: str) -> int:
        """How many rows of a table were rejected."""
        return sum(part.height for part in self._rejected.get(table, []))

    def rejects(self) -> dict[str, pl.DataFrame]:
        """Table -> a row per rejected row, by file and line; tables without any are absent."""
        whole = {table: pl.concat(parts).sort("file", "line") for table, parts in self._rejected.items()}
        return {table: rows for table, rows in whole.items() if rows.height}

    def personal(self, table: str) -> Iterator[pl.DataFrame]:
        """Rows that say who somebody is or hold free text, the latest of each fact, some at a time."""
        for part in self._bins.numbers(f"personal of {table}"):
            rows = self._bins.take(f"personal of {table}", part)
            if rows is not None:
                by_time = rows.sort("stored_at", maintain_order=True)
                yield by_time.unique(TABLES[table].key, keep="last", maintain_order=True)

    def _accounts(self) -> pl.DataFrame | None:
        checked = read_table(self._folder, "accounts", extra=self._old.extra if self._old else {})
        if checked is None:
            return None
        checked = self._leave_out(checked)
        if self._old is None and checked.rows.is_empty() and checked.rejects.is_empty():
            raise ContractError(f"There is no account in {self._folder}: accounts has no row to load.")
        checked = without_bad_merges(checked, self._old)
        return self._stored(checked)

    def _take(self, portion: Checked) -> None:
        if portion.table == "responses":
            self._keep_answers(portion)
            return
        portion = self._leave_out(portion)
        if TABLES[portion.table].account == "account_id":
            portion = unknown_accounts(portion, self._known)
        if portion.table == "touchpoints" and self._answered is not None:
            owners = portion.rows.select("touchpoint_id", "account_id")
            self._keep_owners(owners.with_columns(pl.lit(False).alias("deleted")), "came")
        self.placing.add(portion.table, self._stored(portion))

    def _stored(self, portion: Checked) -> pl.DataFrame:
        """The rows with the moment when our side learned of them, counted; personal ones are put aside."""
        table, given = portion.table, portion.rows
        own = TABLES[table].time
        now = pl.lit(self._now).cast(TIME)
        default = now
        if self._old is None:
            default = pl.min_horizontal(own, now) if own else pl.lit(BEGINNING).cast(TIME)
        rows = given.with_columns(pl.coalesce("stored_at", default).alias("stored_at"))
        self._count(table, rows.height, given.get_column("stored_at").null_count(), portion.rejects)
        personal = [c.name for c in TABLES[table].columns if c.personal]
        if personal:
            said = rows.filter(pl.any_horizontal(pl.col(personal).is_not_null()))
            key = list(TABLES[table].key)
            self._bins.put(f"personal of {table}", said, key_hash(said, key) % KEY_PARTS)
        return rows

    def _count(self, table: str, rows: int, defaulted: int, rejects: pl.DataFrame) -> None:
        self.accepted[table] = self.accepted.get(table, 0) + rows
        self.defaulted[table] = self.defaulted.get(table, 0) + defaulted
        self._rejected.setdefault(table, []).append(rejects)

    def _keep_answers(self, portion: Checked) -> None:
        """Responses wait until all touchpoints are read: their account is that of the touchpoint."""
        self._count("responses", 0, 0, portion.rejects)
        self.placing.add("responses", portion.rows.clear())
        both = pl.concat([portion.rows, portion.places], how="horizontal")
        hashes = key_hash(both, ["touchpoint_id"])
        if self._answered is not None:
            self._answered.note(hashes)
        self._bins.put(_ANSWERS, both, hashes % KEY_PARTS)

    def _keep_owners(self, owners: pl.DataFrame, source: str) -> None:
        """Whose a touchpoint is, where somebody may have responded to it."""
        if self._answered is not None:
            asked = owners.filter(self._answered.may_have(key_hash(owners, ["touchpoint_id"])))
            self._bins.put(f"{_OWNERS} {source}", asked, key_hash(asked, ["touchpoint_id"]) % KEY_PARTS)

    def _assign_answers(self) -> None:
        """Give responses their accounts; those of an unknown touchpoint become rejects."""
        if self._old is not None:
            for bucket in range(self._old.buckets):
                held = newest(self._old.table(bucket, "touchpoints", ["touchpoint_id", "account_id"]))
                self._keep_owners(held.select("touchpoint_id", "account_id", "deleted"), "stored")
        for part in self._bins.numbers(_ANSWERS):
            found = self._bins.take(_ANSWERS, part)
            if found is not None:
                owners = [self._bins.take(f"{_OWNERS} {source}", part) for source in ("stored", "came")]
                answers = Checked("responses", found.drop(PLACE), _NO_REJECTS, found.select(PLACE))
                own = with_owners(self._leave_out(answers), [rows for rows in owners if rows is not None])
                self.placing.add("responses", self._stored(own))


def _files(folder: Path, old: Snapshot | None) -> dict[str, list[Path]]:
    """Table -> its files. Raises ContractError where there is nothing, or a first load lacks a table."""
    files = {table: found for table in TABLES if (found := sources(folder, table))}
    for name, table in TABLES.items():
        if old is None and not table.optional and name not in files:
            raise ContractError(
                f"A first load needs {name}.csv, {name}.parquet or a folder {name}/ in {folder}."
            )
    if not files:
        raise ContractError(f"{folder} holds no table of the contract ({', '.join(TABLES)}).")
    return files
