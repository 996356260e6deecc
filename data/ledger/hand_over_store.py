"""Hand-overs (`Ledger.hand_overs`): all that the ledger can do with them, a transaction each."""

from __future__ import annotations

from collections.abc import Sequence

from data.ledger import hand_overs
from data.ledger.connection import Database
from data.ledger.hand_over_types import HandOver, HandOverVerb, NewHandOver
from data.ledger.types import TailRow


class HandOverStore:
    """The how is in `data.ledger.hand_overs`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def ask(self, new: NewHandOver, *, now: int) -> HandOver:
        """Ask a colleague; the same id again is the hand-over as it stands. Raises UnknownError."""
        with self._database.writing() as connection:
            return hand_overs.ask(connection, new, now=now)

    def answer(
        self,
        hand_over_id: str,
        verb: HandOverVerb,
        *,
        user_id: str,
        reason: str | None = None,
        text: str | None = None,
        rows: Sequence[TailRow] = (),
        version: int | None = None,
        now: int,
    ) -> HandOver:
        """A person's answer with the facts that follow, in one transaction; see `hand_overs.answer`."""
        with self._database.writing() as connection:
            return hand_overs.answer(
                connection, hand_over_id, verb, user_id=user_id, reason=reason, text=text, rows=rows, now=now,
                version=version)  # fmt: skip

    def find(self, hand_over_id: str) -> HandOver:
        """Raises UnknownError."""
        with self._database.reading() as connection:
            return hand_overs.find(connection, hand_over_id)

    def for_person(self, user_id: str, role: str) -> list[HandOver]:
        """What waits for a person: handed, returned or escalated to her, the first that is due on top."""
        with self._database.reading() as connection:
            return hand_overs.for_person(connection, user_id, role)

    def asked_by(self, user_id: str) -> list[HandOver]:
        """What a person has asked others for and what is not closed."""
        with self._database.reading() as connection:
            return hand_overs.asked_by(connection, user_id)

    def of_account(self, account_id: str) -> list[HandOver]:
        """All of an account, the latest first."""
        with self._database.reading() as connection:
            return hand_overs.of_account(connection, account_id)

    def since(self, moment: int) -> list[HandOver]:
        """All that were made at that moment or later, and earlier ones that still wait."""
        with self._database.reading() as connection:
            return hand_overs.since(connection, moment)

    def escalate_late(self, *, now: int) -> int:
        """Give what is late to a manager, once; returns how many. Writes nothing where nothing is late."""
        with self._database.reading() as connection:
            if not hand_overs.any_late(connection, now=now):
                return 0
        with self._database.writing() as connection:
            return hand_overs.escalate_late(connection, now=now)
