"""The part of the ledger about what people do: requests that act once, and acts that can be taken back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from data.ledger import acts, requests
from data.ledger.connection import Database
from data.ledger.requests import Replied
from data.ledger.types import Act, TailRow


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
