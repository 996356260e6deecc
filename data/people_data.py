"""All that is kept of a person, to be handed to her, and its erasure: over ledger, history and nights.

A merged account is the account that it turned out to be: who asks for one of them means all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from data.history import HistoryStore
from data.home import Home
from data.identity import resolve_merges
from data.ledger.erased import PersonKind
from data.ledger.ledger import Ledger
from data.ledger.types import LedgerError, UnknownError
from data.live import history_of
from data.nights import Part, night_folders


class WhichPersonError(LedgerError):
    """An id is of several kinds of persons."""

    exit_code = 2


@dataclass(frozen=True)
class Person:
    """Who is meant: an account with those merged into it, a contact or a colleague."""

    kind: PersonKind
    ids: tuple[str, ...]


def find_person(home: Home, ledger: Ledger, person_id: str, kind: PersonKind | None = None) -> Person:
    """Who has that id.

    Raises:
        UnknownError: Nobody.
        WhichPersonError: More than one kind of persons.
    """
    kinds = [one for one in ledger.erasures.kinds(person_id) if kind in (None, one)]
    if not kinds:
        what = kind or "account, contact or user"
        raise UnknownError(f"There is no {what} {person_id!r} in the ledger; ids are those of the data.")
    if len(kinds) > 1:
        raise WhichPersonError(f"{person_id!r} is an id of {' and '.join(kinds)}; say which kind.")
    return Person(kinds[0], (person_id, *(_merged(home, person_id) if kinds[0] == "account" else ())))


def _merged(home: Home, account_id: str) -> tuple[str, ...]:
    """Accounts that turned out to be this one."""
    snapshot = HistoryStore(home.history).current()
    if snapshot is None:
        return ()
    accounts = snapshot.known_accounts()
    merges = resolve_merges(accounts.filter(~pl.col("deleted")), accounts.get_column("account_id")).frame
    return tuple(merges.filter(pl.col("target") == account_id).get_column("account_id").sort())


def erase(ledger: Ledger, person: Person, *, now: int) -> Mapping[str, int]:
    """Erase her from the ledger; history and the nights' files follow with the next night. What was found, in
    words -> how much; nothing where she had been erased before."""
    found = Counter[str]()
    for one in person.ids:
        found.update(ledger.erasures.erase(person.kind, one, now=now))
    return found


def export(home: Home, ledger: Ledger, person: Person) -> dict[str, Any]:
    """All that is kept of her, as JSON values; times ISO 8601."""
    return {"kind": person.kind, "kept": {one: _kept(home, ledger, person.kind, one) for one in person.ids}}


def _kept(home: Home, ledger: Ledger, kind: PersonKind, person_id: str) -> dict[str, Any]:
    kept: dict[str, Any] = {"ledger": ledger.person_rows.about(kind, person_id)}
    if kind == "account":
        facts = history_of(ledger.account_state(person_id)).frames
        kept["facts"] = {table: _rows(frame) for table, frame in facts.items() if frame.height}
        kept["nights"] = dict(_nights(home, person_id))
    return kept


def _nights(home: Home, account_id: str) -> Iterator[tuple[str, Any]]:
    """What the nights' files say of an account: run -> part -> rows."""
    parts: tuple[Part, ...] = ("facts", "lists", "record")
    for folder in night_folders(home.nights):
        found = {part: folder.of_account(part, account_id) for part in parts}
        if any(rows is not None for rows in found.values()):
            yield folder.path.name, {part: _rows(rows) for part, rows in found.items() if rows is not None}


def _rows(frame: pl.DataFrame) -> list[dict[str, Any]]:
    """Rows with their times as text, without what is empty."""
    said = frame.with_columns(pl.col(pl.Datetime).dt.to_string("iso:strict"))
    return [{name: value for name, value in row.items() if value is not None} for row in said.to_dicts()]
