"""The ledger as one object: a list of what it can do, each method one transaction.

The how is in the files beside this one: facts, people, releases, runs, posting, suggestions, answers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from itertools import islice
from pathlib import Path
from typing import Any

import polars as pl

from data.home import Home
from data.ledger import (
    answers,
    contact_stops,
    copying,
    dismissals,
    facts,
    playbooks,
    posting,
    releases,
    runs,
    suggestions,
    told,
    twins,
)  # fmt: skip
from data.ledger.audit import AuditLog
from data.ledger.changes import Changes
from data.ledger.connection import Database
from data.ledger.copied import PersonRows
from data.ledger.erasures import Erasures
from data.ledger.hand_over_store import HandOverStore
from data.ledger.keys import ApiKeys
from data.ledger.logged import DecisionLog
from data.ledger.people_acts import PeopleActs
from data.ledger.people_kept import PeopleKept
from data.ledger.plan_store import PlanStore
from data.ledger.provider_links import ProviderLinks
from data.ledger.sign_in import SignIns
from data.ledger.stand_ins import StandIns
from data.ledger.types import (
    AccountState,
    DismissalCount,
    Dismissed,
    KeptPlaybook,
    LoggedDecision,
    OwnSuggestion,
    Proposal,
    ReleaseInUse,
    Run,
    StopOrder,
    Suggestion,
    TailRow,
    Told,
    TwinFinding,
    TwinsKnown,
    Verb,
)
from data.ledger.upgrade import require_current, upgrade
from data.progress import Progress, quiet

TIMEOUT_SECONDS = 5.0
"""How long to wait for somebody else's transaction before LedgerLockedError."""
_BLOCKS_AT_ONCE = 300


class Ledger(PeopleActs, PeopleKept):
    """Opened once per process and shared by threads.

    `Ledger.open(home)` raises LedgerMissingError, LedgerVersionError or LedgerLockedError. All times are
    given by the caller (microseconds UTC); the ledger has no clock.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self.sign_ins = SignIns(database)
        self.plans = PlanStore(database)
        self.hand_overs = HandOverStore(database)
        self.changes = Changes(database)
        self.keys = ApiKeys(database)
        self.audit = AuditLog(database)
        self.links = ProviderLinks(database)
        self.stand_ins = StandIns(database)
        self.erasures = Erasures(database)
        self.person_rows = PersonRows(database)
        self.logged = DecisionLog(database)

    @classmethod
    def create(cls, place: Home | str, *, timeout_seconds: float = TIMEOUT_SECONDS) -> Ledger:
        """Make it or bring it up to date (Alembic upgrade to head), then open."""
        database = _database(place, timeout_seconds)
        upgrade(database)
        return cls(database)

    @classmethod
    def open(cls, place: Home | str, *, timeout_seconds: float = TIMEOUT_SECONDS) -> Ledger:
        """Open what `create` made, at this program's version: that of a home, or at a URL, where nobody can
        be erased, as the key for it is kept in the home."""
        database = _database(place, timeout_seconds)
        database.require()
        require_current(database)
        return cls(database)

    @property
    def never_waits(self) -> bool:
        """Whether reading takes microseconds and waits for nobody, so that an event loop may read itself."""
        return self._database.sqlite

    def close(self) -> None:
        """Give all connections back."""
        self._database.close()

    def dump(self, folder: Path, *, progress: Progress = quiet) -> tuple[str, dict[str, int]]:
        """Write all tables to a folder, as they are at one moment; their version and rows by table."""
        return copying.dump(self._database, folder, progress=progress)

    @staticmethod
    def load(
        url: str, folder: Path, *, version: str, last: Callable[[], None], progress: Progress = quiet
    ) -> None:
        """Make a ledger of what `dump` wrote, completely or not at all; `last` is called before it is there
        for good. Raises OccupiedLedgerError."""
        database = Database(url, timeout_seconds=TIMEOUT_SECONDS)
        try:
            copying.load(database, folder, version=version, last=last, progress=progress)
        finally:
            database.close()

    # -- facts -------------------------------------------------------------------------------------
    def replace_blocks(self, blocks: Iterable[tuple[str, bytes]], *, watermark: int) -> None:
        """(account_id, block) that contain the tail up to `watermark`: those tail rows go. In short
        transactions of some hundred accounts; restartable. Names and languages come by `put_accounts`."""
        remaining = iter(blocks)
        while chunk := list(islice(remaining, _BLOCKS_AT_ONCE)):
            with self._database.writing() as connection:
                facts.replace_blocks(connection, chunk, watermark=watermark)

    def put_accounts(self, accounts: pl.DataFrame) -> None:
        """account_id, name, language, timezone, territory: personal text under a random subject key."""
        with self._database.writing() as connection:
            facts.put_accounts(connection, accounts)

    def put_personal(self, table: str, rows: pl.DataFrame) -> None:
        """Other personal columns of the contract (contacts, details of touchpoints): the table's key columns,
        account_id and the texts."""
        with self._database.writing() as connection:
            facts.put_personal(connection, table, rows)

    def account_state(self, account_id: str) -> AccountState:
        """Raises UnknownError."""
        with self._database.looking() as reading:
            return facts.account_state(reading, account_id)

    def versions(self) -> Mapping[str, int]:
        """Account -> version, for all accounts.

        A night reads them before it takes the tail over: taking over is no news and leaves them as they are,
        while a row that arrives after it makes `stage` leave the account out.
        """
        with self._database.reading() as connection:
            return facts.versions(connection)

    def erased(self) -> frozenset[str]:
        """Accounts that were erased: their facts remain, their names are gone."""
        with self._database.reading() as connection:
            return facts.erased(connection)

    def append(
        self, rows: Sequence[TailRow], *, now: int, version: tuple[str, int] | None = None
    ) -> tuple[TailRow, ...]:
        """Store live rows, all or none, and return them as stored: personal columns are kept apart.

        A row whose event_id is known with the same content is returned as first stored, also when history has
        taken it over; with other content: ConflictError. Unknown account: UnknownError. `version` of an
        account: ConflictError where it has changed since.
        """
        with self._database.writing() as connection:
            return facts.append(connection, rows, now=now, version=version)

    def tail(self) -> list[TailRow]:
        """Live rows that history may not have, oldest first: what the night takes over."""
        with self._database.writing() as connection:
            return facts.read_tail(connection)

    # -- stops of contacts -------------------------------------------------------------------------
    def contact_stops(self) -> list[StopOrder]:
        """What is stopped now, the oldest first."""
        with self._database.looking() as reading:
            return contact_stops.standing(reading)

    def stop_log(self) -> list[StopOrder]:
        """Every stop of contacts, the oldest first, those that are over too."""
        with self._database.reading() as connection:
            return contact_stops.log(connection)

    def stop_contacts(self, order: StopOrder) -> tuple[StopOrder, int, list[Suggestion]]:
        """Stop contacts for everybody at once. Returns the order as kept (the earlier one, where the same was
        stopped already), how many suggestions were withdrawn, and those of them that had been accepted."""
        with self._database.writing() as connection:
            return contact_stops.begin(connection, order)

    def resume_contacts(self, stop_id: int, *, by: str, reason: str, now: int) -> StopOrder:
        """Allow again what a stop ended; twice: the second changes nothing. Raises UnknownError."""
        with self._database.writing() as connection:
            return contact_stops.end(connection, stop_id, by=by, reason=reason, now=now)

    # -- releases ----------------------------------------------------------------------------------
    def release_in_use(self) -> ReleaseInUse | None:
        """The release promoted last; None before the first."""
        with self._database.reading() as connection:
            return releases.in_use(connection)

    def in_force(self) -> tuple[ReleaseInUse | None, str]:
        """The release promoted last, None before the first, and the run whose lists are shown, "" before the
        first night: what every request asks before it decides."""
        with self._database.looking() as reading:
            return releases.in_use(reading), runs.shown(reading)

    def put_release_in_use(self, release_id: str, manifest_hash: str, *, now: int, by: str) -> None:
        """Promote a release: it decides from now on."""
        with self._database.writing() as connection:
            releases.promote(connection, release_id, manifest_hash, now=now, by=by)

    def release_log(self) -> list[ReleaseInUse]:
        """Every promotion, newest first; a rollback is the promotion of an earlier one."""
        with self._database.reading() as connection:
            return releases.log(connection)

    def release_before(self) -> ReleaseInUse | None:
        """What a rollback goes back to; None where nothing lies further back."""
        return releases.before(self.release_log())

    # -- playbooks ---------------------------------------------------------------------------------
    def keep_playbook(self, kept: KeptPlaybook) -> None:
        """Keep the text of a playbook that is used; one that is kept already costs a look and no writing."""
        if self.playbook(kept.version) is None:
            with self._database.writing() as connection:
                playbooks.keep(connection, kept)

    def playbook(self, version: str) -> KeptPlaybook | None:
        """The playbook of a version; None = it was never used here."""
        with self._database.reading() as connection:
            return playbooks.find(connection, version)

    def playbooks(self) -> list[KeptPlaybook]:
        """All that were used, the earliest first."""
        with self._database.reading() as connection:
            return playbooks.kept(connection)

    # -- runs --------------------------------------------------------------------------------------
    def exclusive(self, name: str) -> AbstractContextManager[None]:
        """Hold a named lock that goes with the process, however it ends, and be ready to write much (flock
        beside the SQLite file, advisory lock on PostgreSQL). Raises AlreadyRunningError."""
        self._database.expect_much()
        return self._database.exclusive(name)

    def begin_run(self, run_id: str, as_of: int, *, now: int) -> Run:
        """The run of that id, begun now or earlier."""
        with self._database.writing() as connection:
            return runs.begin(connection, run_id, as_of, now=now)

    def current_run(self) -> Run | None:
        """The last complete run: its lists are shown."""
        with self._database.reading() as connection:
            return runs.current(connection)

    def staged(self, run_id: str, account_ids: Sequence[str]) -> frozenset[str]:
        """Those of these accounts that are already published to that run."""
        with self._database.reading() as connection:
            return runs.published(connection, run_id, account_ids)

    def stage(
        self, run_id: str, accounts: Sequence[tuple[LoggedDecision, Sequence[Proposal], int]], *, now: int
    ) -> list[str]:
        """Publish some accounts to a run, in one short transaction; not shown before the run is complete.
        The int is the account's version at which it was decided; accounts that changed since are not staged
        and returned. The same run and account twice: no duplicates. What consent does not allow any more is
        withdrawn at once."""
        with self._database.writing() as connection:
            return posting.stage(connection, run_id, accounts, now=now)

    def complete_run(self, run_id: str, *, summary: Mapping[str, Any], now: int) -> None:
        """Show the run's lists instead of the earlier ones, at once.

        Open suggestions that it does not list are withdrawn or expired; snoozed and accepted ones live on.
        Runs that were begun and given up are forgotten. Twice: the second changes nothing. UnknownError.
        """
        with self._database.writing() as connection:
            runs.complete(connection, run_id, summary=summary, now=now)
        more = True
        while more:
            with self._database.writing() as connection:
                more = runs.sweep(connection)

    # -- suggestions -------------------------------------------------------------------------------
    def post(
        self, decision: LoggedDecision, proposals: Sequence[Proposal], *, version: int, now: int
    ) -> None:
        """Replace the account's list after a live decision, in the run shown and in one being staged. What is
        open and no longer proposed is withdrawn, and what consent does not allow any more (`decision.ended`)
        also where it was accepted or snoozed. Reserves caps by being posted. Raises ConflictError when the
        account's version has moved on (decide again)."""
        with self._database.writing() as connection:
            posting.post(connection, decision, proposals, version=version, now=now)

    def withdraw(self, account_ids: Sequence[str], *, now: int) -> None:
        """End all suggestions of accounts that are closed, accepted and snoozed ones too."""
        with self._database.writing() as connection:
            posting.withdraw(connection, account_ids, now=now)

    def suggestions(
        self, account_id: str, *, now: int, roles: Sequence[str] | None = None
    ) -> list[Suggestion]:
        """What is shown for an account, best first; roles None = all."""
        with self._database.looking() as reading:
            return suggestions.of_account(reading, account_id, now=now, roles=roles)

    def worklist(self, *user_ids: str, now: int, limit: int) -> list[Suggestion]:
        """What is shown to one person, or to several together, over all their accounts: accepted first, then
        by priority."""
        with self._database.reading() as connection:
            return suggestions.of_people(connection, user_ids, now=now, limit=limit)

    def suggestion(self, suggestion_id: str) -> Suggestion:
        """Raises UnknownError."""
        with self._database.reading() as connection:
            return suggestions.find(connection, suggestion_id)

    def answer(
        self,
        suggestion_id: str,
        verb: Verb,
        *,
        user_id: str,
        rows: Sequence[TailRow],
        until: int | None,
        now: int,
        dismissed: Dismissed | None = None,
        subject: str | None = None,
        check: Callable[[Suggestion], None] | None = None,
        decided: int | None = None,
    ) -> Suggestion:
        """A person's answer: new state and the facts that follow from it (feedback, touchpoint, response,
        preference), all in one transaction. Repeating the same answer changes nothing; one that no longer
        applies: ConflictError that says so; accepted where newer facts are known than it was decided on:
        OvertakenError, unless `decided` is the account's version. `check` may refuse the suggestion as it
        stands in that transaction."""
        with self._database.writing() as connection:
            return answers.answer(
                connection, suggestion_id, verb, user_id=user_id, rows=rows, until=until, now=now,
                dismissed=dismissed, subject=subject, check=check, decided=decided)  # fmt: skip

    # -- dismissals --------------------------------------------------------------------------------
    def dismissal_counts(self, *, after: int) -> list[DismissalCount]:
        """How often each treatment was dismissed for each reason after a moment, the most frequent first."""
        with self._database.reading() as connection:
            return dismissals.counts(connection, after=after)

    def accounts_dismissed(self, treatment: str, reason: str, *, after: int) -> int:
        """For how many accounts a treatment was dismissed for that reason after a moment."""
        with self._database.reading() as connection:
            return dismissals.accounts_of(connection, treatment, reason, after=after)

    def corrections(self) -> list[Dismissed]:
        """Dismissals that ask for data to be put right and wait, the oldest first."""
        with self._database.reading() as connection:
            return dismissals.corrections(connection)

    def correction(self, suggestion_id: str) -> Dismissed | None:
        """What was asked to be put right with a suggestion, settled or not."""
        with self._database.reading() as connection:
            return dismissals.correction(connection, suggestion_id)

    def settle_correction(self, suggestion_id: str, *, by: str, now: int) -> Dismissed:
        """The data was put right; twice: the second changes nothing. Raises UnknownError."""
        with self._database.writing() as connection:
            return dismissals.settle(connection, suggestion_id, by=by, now=now)

    def own_suggestion(self, suggestion_id: str) -> Suggestion | None:
        """What a colleague suggested herself with that id, in whatever state; None = nobody has."""
        with self._database.reading() as connection:
            return suggestions.find_own(connection, suggestion_id)

    def suggest_own(
        self, own: OwnSuggestion, decision: LoggedDecision, *, version: int, now: int
    ) -> Suggestion:
        """What a colleague suggests herself, on the list as accepted, with its plan. Raises ConflictError
        when the account has changed since `version`, or when it is planned already."""
        with self._database.writing() as connection:
            posting.suggest_own(connection, own, decision, version=version, now=now)
            return suggestions.find(connection, own.suggestion_id)

    def withdrawn_since(self, account_id: str, *, after: int) -> list[Suggestion]:
        """Suggestions of the account withdrawn after that moment, for honest confirmations."""
        with self._database.reading() as connection:
            return suggestions.withdrawn_since(connection, account_id, after=after)

    def decision(self, decision_id: str) -> LoggedDecision:
        """A decision as logged. Raises UnknownError."""
        with self._database.reading() as connection:
            return suggestions.decision(connection, decision_id)

    # -- twins -------------------------------------------------------------------------------------
    def stage_twins(self, set_id: str, findings: Sequence[TwinFinding]) -> None:
        """Keep what a night found, not on show yet; the same account twice: the later holds."""
        with self._database.writing() as connection:
            twins.stage(connection, set_id, findings)

    def show_twins(self, set_id: str, *, as_of: int, stored_at: int) -> None:
        """Put a set on show at once; what was on show before goes, in short transactions."""
        with self._database.writing() as connection:
            twins.show(connection, set_id, as_of=as_of, stored_at=stored_at)
        more = True
        while more:
            with self._database.writing() as connection:
                more = twins.sweep(connection)

    def twins(self, account_id: str) -> TwinsKnown | None:
        """What is known of an account's twins; None = no night has looked for any."""
        with self._database.reading() as connection:
            return twins.known(connection, account_id)

    # -- what accounts told ------------------------------------------------------------------------
    def told(self, account_ids: Sequence[str], *, after: int) -> list[Told]:
        """Touchpoints of these accounts with details since a moment, the latest first."""
        with self._database.looking() as reading:
            return told.of_accounts(reading, account_ids, after=after)

    def put_told(self, rows: pl.DataFrame) -> None:
        """Note touchpoints whose details `put_personal` keeps, so that they are found by account."""
        with self._database.writing() as connection:
            whole = rows.with_columns(pl.col("occurred_at").to_physical())
            told.keep(connection, list(whole.iter_rows(named=True)))


def _database(place: Home | str, timeout_seconds: float) -> Database:
    url, key = (place, None) if isinstance(place, str) else (place.ledger_url, place.marker_key)
    return Database(url, timeout_seconds=timeout_seconds, marker_key=key)
