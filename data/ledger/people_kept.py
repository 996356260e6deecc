"""The part of the ledger about colleagues: who they are, whom they serve, how they prove who they are."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from data.ledger import people
from data.ledger.connection import Database
from data.ledger.types import User


class PeopleKept:
    """Each method one transaction."""

    _database: Database

    def put_users(self, users: pl.DataFrame) -> None:
        """Insert or update; a row with `deleted` takes a colleague away, with tokens and teams."""
        with self._database.writing() as connection:
            people.put_users(connection, users)

    def put_team(self, team: pl.DataFrame) -> None:
        """account_id, role, user_id: who may see and serve an account, as it stands now.

        A row replaces whoever had that role for that account; with `deleted` it takes the place away.
        """
        with self._database.writing() as connection:
            people.put_team(connection, team)

    def users(self) -> list[User]:
        """All colleagues by id."""
        with self._database.reading() as connection:
            return people.users(connection)

    def issue_token(self, user_id: str, *, now: int, expires_at: int) -> str:
        """A new random bearer token (shown once; only its SHA-256 is kept). Raises UnknownError."""
        with self._database.writing() as connection:
            return people.issue_token(connection, user_id, now=now, expires_at=expires_at)

    def user_of_token(self, token: str, *, now: int) -> User | None:
        """Whose token it is; None when it is unknown or expired."""
        with self._database.looking() as reading:
            return people.user_of_token(reading, token, now=now)

    def serves(self, user_id: str, account_id: str) -> bool:
        """Whether the user is on the account's team (or manages somebody who is)."""
        with self._database.looking() as reading:
            return people.serves(reading, user_id, account_id)

    def managed(self, user_id: str) -> list[User]:
        """Those whom the user is above, at any distance."""
        with self._database.looking() as reading:
            return people.managed(reading, user_id)

    def team(self, account_id: str) -> Mapping[str, str]:
        """Role -> user_id."""
        with self._database.looking() as reading:
            return people.team(reading, account_id)

    def accounts_served(self, user_id: str) -> list[tuple[str, str]]:
        """Id and name of every account that the user serves (see `serves`), by name."""
        with self._database.reading() as connection:
            return people.accounts_served(connection, user_id)

    def add_user(self, user: User) -> None:
        """Somebody whom no load names. ConflictError: the id is taken."""
        with self._database.writing() as connection:
            people.add_user(connection, user)

    def settle_role(self, user_id: str, role: str, *, now: int) -> None:
        """The role that she has from now on, whatever is loaded. Raises UnknownError."""
        with self._database.writing() as connection:
            people.settle_role(connection, user_id, role, now=now)

    def settle_left(self, user_id: str, left_at: int | None, *, now: int) -> None:
        """She has left and opens nothing any more, whatever is loaded; None = she is back. Raises
        UnknownError."""
        with self._database.writing() as connection:
            people.settle_left(connection, user_id, left_at, now=now)

    def who_left(self) -> frozenset[str]:
        """Ids of those who have left."""
        with self._database.reading() as connection:
            return people.who_left(connection)
