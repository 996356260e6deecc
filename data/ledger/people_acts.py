"""The part of the ledger about what people do: requests that act once, and acts that can be taken back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from data.ledger import acts, field_notes, requests
from data.ledger.connection import Database
from data.ledger.requests import Replied
from data.ledger.types import Act, FieldNote, TailRow


class PeopleActs:
    """Each method one transaction."""

    _database: Database

    # -- requests that act once --------------------------------------------------------------------
    def begin_request(self, user_id: str, key: str, *, content_hash: str, now: int) -> Replied | None:
        """Take the key of a request, or find what was answered under it; None = go ahead. ConflictError:
        the key belongs to another request, or the same is still under way."""
        with self._database.writing() as connection:
            return requests.begin(connection, user_id, key, content_hash=content_hash, now=now)

    def finish_request(self, user_id: str, key: str, *, status: int, body: Any) -> None:
        """Keep what was answered."""
        with self._database.writing() as connection:
            requests.finish(connection, user_id, key, status=status, body=body)

    def give_up_request(self, user_id: str, key: str) -> None:
        """It was refused or failed: the key is free again."""
        with self._database.writing() as connection:
            requests.give_up(connection, user_id, key)

    # -- taking back -------------------------------------------------------------------------------
    def latest_act(self, subject: str) -> Act | None:
        """The last act on a suggestion, or on a touchpoint without one, that was not taken back."""
        with self._database.reading() as connection:
            return acts.latest(connection, subject)

    def was_taken_back(self, subject: str) -> bool:
        """Whether an act on a suggestion or touchpoint was undone."""
        with self._database.reading() as connection:
            return acts.was_taken_back(connection, subject)

    def record_contact(
        self, touchpoint_id: str, rows: Sequence[TailRow], *, account_id: str, user_id: str, now: int
    ) -> Act:
        """Keep a contact that was made without a suggestion; the same again is the act as it stands."""
        with self._database.writing() as connection:
            return acts.record(
                connection, touchpoint_id, rows, account_id=account_id, user_id=user_id, now=now
            )

    def also_ended(self, subject: str, suggestion_ids: Sequence[str]) -> None:
        """Note which other suggestions the latest act on it ended."""
        with self._database.writing() as connection:
            acts.also_ended(connection, subject, suggestion_ids)

    def take_back(
        self, act: Act, rows: Sequence[TailRow], *, version: int, noted: Mapping[str, int], now: int
    ) -> None:
        """Everything as it was before an act, with the facts that say so; the details of `noted`
        (touchpoint -> when it took place) go. ConflictError: somebody has acted since, or the
        account has moved on from `version`."""
        with self._database.writing() as connection:
            acts.take_back(connection, act, rows, version=version, noted=noted, now=now)

    # -- what is heard in the field ----------------------------------------------------------------
    def field_notes(self, *, after: int) -> list[FieldNote]:
        """Questions, objections and competitors heard after a moment, the latest first."""
        with self._database.reading() as connection:
            return field_notes.since(connection, after)

    def field_notes_of(self, account_ids: Sequence[str], *, after: int) -> list[FieldNote]:
        """What was heard of these accounts after a moment."""
        with self._database.looking() as reading:
            return field_notes.of_accounts(reading, account_ids, after=after)
