"""What people answer to a suggestion, and which answers it still takes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import sqlalchemy as sa

from data.ledger import acts, contact_stops, dismissals
from data.ledger import schema as t
from data.ledger.changes import Kind, note_suggestions
from data.ledger.facts import append, join_appends, lock_accounts, new_version
from data.ledger.suggestions import find
from data.ledger.types import (
    ConflictError,
    Dismissed,
    OvertakenError,
    State,
    Suggestion,
    TailRow,
    UnknownError,
    Verb,
)

_AFTER: dict[Verb, State] = {
    "accept": "accepted", "dismiss": "dismissed", "snooze": "snoozed", "complete": "completed",
}  # fmt: skip


def answer(
    connection: sa.Connection,
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
    """New state and the facts that follow from it. Raises ConflictError, UnknownError.

    What is accepted reserves a contact, so OvertakenError where newer facts than those that it was decided on
    are known: by them it may be one contact too many. What was put off always has such, since that it was is
    a fact, unless a later list proposes it again.

    Args:
        decided: The version of the account for which it was found just now that every rule allows it.
        subject: Under which the act is found again; else the suggestion.
        check: Given the suggestion as it stands now; what it raises ends the transaction.
    """
    account_id = _account_of(connection, suggestion_id)
    contact_stops.join(connection)
    join_appends(connection)
    locked = lock_accounts(connection, [account_id, *(row.account_id for row in rows)])[account_id]
    before = find(connection, suggestion_id)
    answered_by = connection.scalar(
        sa.select(t.suggestions.c.answered_by).where(t.suggestions.c.suggestion_id == suggestion_id)
    )
    snoozed_until = until if verb == "snooze" else None
    if before.state == _AFTER[verb] and answered_by == user_id and before.snoozed_until == snoozed_until:
        return before
    if check is not None:
        check(before)
    _require_answerable(before, verb, answered_by, now=now)
    if verb == "accept" and locked.version != decided:
        _require_newest(connection, before, locked.last_stored_at)
    if verb == "snooze" and (until is None or until <= now):
        raise ConflictError("A snooze needs a time ahead of now.")
    changes = _said(before) | {
        "state": _AFTER[verb],
        "answered_by": user_id,
        "snoozed_until": snoozed_until,
        "closed_at": now if verb in ("dismiss", "complete") else None,
        # Whoever accepts what nobody was asked to do has it on her list from then on.
        "user_id": before.user_id or (user_id if verb == "accept" else None),
    }
    as_it_was = acts.as_before(connection, suggestion_id)
    this = t.suggestions.c.suggestion_id == suggestion_id
    connection.execute(sa.update(t.suggestions).where(this).values(**changes))
    facts = append(connection, rows, now=now)
    acts.keep(connection, subject or suggestion_id, verb, account_id=account_id, user_id=user_id,
              before=as_it_was, facts=facts, now=now)  # fmt: skip
    if dismissed is not None:
        dismissals.keep(connection, dismissed)
    if all(row.account_id != account_id for row in rows):
        new_version(connection, [account_id])
    kind: Kind = "changed" if verb == "accept" else "gone"
    note_suggestions(connection, [suggestion_id], kind, now=now)
    return find(connection, suggestion_id)


def _account_of(connection: sa.Connection, suggestion_id: str) -> str:
    query = sa.select(t.suggestions.c.account_id).where(t.suggestions.c.suggestion_id == suggestion_id)
    account_id = connection.scalar(query)
    if account_id is None:
        raise UnknownError(f"There is no suggestion {suggestion_id!r}.")
    return str(account_id)


def _require_newest(connection: sa.Connection, suggestion: Suggestion, last_stored_at: int) -> None:
    own = t.decisions.c
    decided_at = connection.scalar(sa.select(own.decided_at).where(own.decision_id == suggestion.decision_id))
    if decided_at is None or last_stored_at >= decided_at:
        raise OvertakenError(f"Account {suggestion.account_id!r} has newer facts: decide again.")


def _require_answerable(suggestion: Suggestion, verb: Verb, answered_by: str | None, *, now: int) -> None:
    state = suggestion.state
    if state in ("open", "snoozed") and suggestion.expires_at <= now:
        state = "expired"
    if state not in t.LIVE_STATES:
        by = f" by {answered_by}" if state in ("dismissed", "completed") else ""
        raise ConflictError(f"This suggestion is {state}{by} and takes no answer any more.")
    if state == "accepted" and verb == "accept":
        raise ConflictError(f"This suggestion is already accepted by {answered_by}.")


def _said(suggestion: Suggestion) -> dict[str, Any]:
    """What the person answered to, kept when the lists move on."""
    return {name: getattr(suggestion, name) for name in t.PROPOSAL_COLUMNS}
