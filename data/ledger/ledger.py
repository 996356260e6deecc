"""The ledger as one object; its parts are in the files beside this one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import polars as pl

from data.ledger.types import (
    AccountState, LoggedDecision, Proposal, ReleaseInUse, Run, Suggestion, TailRow, User, Verb,
)  # fmt: skip


class Ledger:
    """Opened once per process and shared by threads.

    `Ledger.open(url)` raises LedgerMissingError, LedgerVersionError or LedgerLockedError. All times are given
    by the caller (microseconds UTC); the ledger has no clock.
    """

    @classmethod
    def create(cls, url: str) -> Ledger:
        """Make it or bring it up to date (Alembic upgrade to head), then open."""
        raise NotImplementedError

    @classmethod
    def open(cls, url: str) -> Ledger:
        raise NotImplementedError

    def close(self) -> None: ...

    # -- facts -------------------------------------------------------------------------------------
    def replace_blocks(self, blocks: Iterable[tuple[str, bytes]], *, watermark: int) -> None:
        """(account_id, block) that contain the tail up to `watermark`: those tail rows go. In short
        transactions of some hundred accounts; restartable. Names and languages come by `put_accounts`."""
        raise NotImplementedError

    def put_accounts(self, accounts: pl.DataFrame) -> None:
        """account_id, name, language, timezone, territory: personal text under a random subject key."""
        raise NotImplementedError

    def put_personal(self, table: str, rows: pl.DataFrame) -> None:
        """Other personal columns of the contract (contacts, details of touchpoints): key columns, account_id + text."""
        raise NotImplementedError

    def account_state(self, account_id: str) -> AccountState:
        """Raises UnknownError."""
        raise NotImplementedError

    def versions(self) -> Mapping[str, int]:
        """Account -> version, for all accounts."""
        raise NotImplementedError

    def append(self, rows: Sequence[TailRow], *, now: int) -> tuple[TailRow, ...]:
        """Store live rows, all or none, and return them as stored. A row whose event_id is known with the same content is
        returned as first stored; with other content: ConflictError. Unknown account: UnknownError."""
        raise NotImplementedError

    def tail(self, *, after: int = 0) -> list[TailRow]:
        """Live rows that history may not have, oldest first: what the night takes over."""
        raise NotImplementedError

    # -- people ------------------------------------------------------------------------------------
    def put_users(self, users: pl.DataFrame) -> None:
        raise NotImplementedError

    def put_team(self, team: pl.DataFrame) -> None:
        """account_id, role, user_id: who may see and serve an account, as it stands now."""
        raise NotImplementedError

    def users(self) -> list[User]:
        raise NotImplementedError

    def issue_token(self, user_id: str, *, now: int, expires_at: int) -> str:
        """A new random bearer token (shown once; only its SHA-256 is kept). Raises UnknownError."""
        raise NotImplementedError

    def user_of_token(self, token: str, *, now: int) -> User | None:
        raise NotImplementedError

    def serves(self, user_id: str, account_id: str) -> bool:
        """Whether the user is on the account's team (or manages somebody who is)."""
        raise NotImplementedError

    def team(self, account_id: str) -> Mapping[str, str]:
        """Role -> user_id."""
        raise NotImplementedError

    # -- releases ----------------------------------------------------------------------------------
    def release_in_use(self) -> ReleaseInUse | None:
        raise NotImplementedError

    def put_release_in_use(self, release_id: str, manifest_hash: str, *, now: int, by: str) -> None:
        raise NotImplementedError

    def release_log(self) -> list[ReleaseInUse]:
        """Every promotion, newest first; rollback promotes the one before."""
        raise NotImplementedError

    # -- runs --------------------------------------------------------------------------------------
    def exclusive(self, name: str) -> AbstractContextManager[None]:
        """Hold a named lock that goes with the process, however it ends (flock beside the SQLite file,
        advisory lock on PostgreSQL). Raises AlreadyRunningError."""
        raise NotImplementedError

    def begin_run(self, run_id: str, as_of: int, *, now: int) -> Run:
        """The run of that id, begun now or earlier."""
        raise NotImplementedError

    def current_run(self) -> Run | None:
        """The last complete run: its lists are shown."""
        raise NotImplementedError

    def staged(self, run_id: str) -> frozenset[str]:
        """Accounts that are already published to that run."""
        raise NotImplementedError

    def stage(self, run_id: str, accounts: Sequence[tuple[LoggedDecision, Sequence[Proposal], int]], *, now: int
              ) -> list[str]:  # fmt: skip
        """Publish some accounts to a run, in one short transaction; not shown before the run is complete.
        The int is the account's version at which it was decided; accounts that changed since are not staged
        and returned. The same run and account twice: no duplicates."""
        raise NotImplementedError

    def complete_run(self, run_id: str, *, summary: Mapping[str, Any], now: int) -> None:
        """Show the run's lists instead of the earlier ones, at once; open suggestions that it does not list are withdrawn
        or expired; unanswered snoozes, accepted ones live on."""
        raise NotImplementedError

    # -- suggestions -------------------------------------------------------------------------------
    def post(
        self, decision: LoggedDecision, proposals: Sequence[Proposal], *, version: int, now: int
    ) -> list[Suggestion]:
        """Replace the account's list after a live decision, in the run shown and in one being staged. What is
        open and no longer proposed is withdrawn. Reserves caps by being posted. Raises ConflictError when the
        account's version has moved on (decide again)."""
        raise NotImplementedError

    def suggestions(
        self, account_id: str, *, now: int, roles: Sequence[str] | None = None
    ) -> list[Suggestion]:
        """What is shown for an account, best first; roles None = all."""
        raise NotImplementedError

    def worklist(self, user_id: str, *, now: int, limit: int) -> list[Suggestion]:
        """What is shown to a person over all her accounts: accepted first, then by priority; only unexpired."""
        raise NotImplementedError

    def suggestion(self, suggestion_id: str) -> Suggestion:
        """Raises UnknownError."""
        raise NotImplementedError

    def answer(self, suggestion_id: str, verb: Verb, *, user_id: str, rows: Sequence[TailRow], until: int | None, now: int
               ) -> Suggestion:  # fmt: skip
        """A person's answer: new state and the facts that follow from it (feedback, touchpoint, response,
        preference), all in one transaction. Repeating the same answer changes nothing; one that no longer
        applies (withdrawn, completed, expired): ConflictError that says so."""
        raise NotImplementedError

    def withdrawn_since(self, account_id: str, *, after: int) -> list[Suggestion]:
        """Suggestions of the account withdrawn after that moment, for honest confirmations."""
        raise NotImplementedError

    def decision(self, decision_id: str) -> LoggedDecision:
        raise NotImplementedError
