"""What people did to suggestions and accounts, kept so that it can be taken back while it is fresh.

An act remembers the suggestion as it was before, with the day that people had settled for it, the facts that
it left, and what else it ended.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import sqlalchemy as sa

from data.ledger import contact_stops, plans, told
from data.ledger import schema as t
from data.ledger.changes import note_suggestions
from data.ledger.facts import append, join_appends, lock_accounts
from data.ledger.plan_types import PlanMove
from data.ledger.statements import columns, named
from data.ledger.types import Act, ActVerb, ConflictError, TailRow, UnknownError

_BEFORE = ("suggestion_id", "state", "snoozed_until", "answered_by", "closed_at", *t.PROPOSAL_COLUMNS)
_ACT = ("act_id", "account_id", "user_id", "subject", "verb", "acted_at", "before", "facts", "ended")
_TAKES_CONTACTS = ("accept", "complete", "suggest", "record")
"""Acts that use up what an account may be contacted: after one of them nothing earlier goes back."""


def as_before(connection: sa.Connection, suggestion_id: str) -> dict[str, Any]:
    """A suggestion as an act finds it; `settled` = its day, where people have settled one."""
    this = t.suggestions.c.suggestion_id == suggestion_id
    found = named(connection.execute(sa.select(*columns(t.suggestions, *_BEFORE)).where(this)).one())
    day = plans.settled_day(connection, _identity(connection.execute(_whose(suggestion_id)).one()))
    return {**found, "settled": None if day is None else asdict(day)}


def keep(
    connection: sa.Connection, subject: str, verb: ActVerb, *, account_id: str, user_id: str,
    before: Mapping[str, Any] | None, facts: Sequence[TailRow], now: int,
) -> None:  # fmt: skip
    """Note an act.

    Args:
        subject: The suggestion, or the touchpoint that was recorded without one.
        before: By `as_before`; None = there was nothing.
        facts: The facts that it left, as stored.
    """
    stored = [{"event_id": r.event_id, "table": r.table, "content": r.content, "stored_at": r.stored_at}
              for r in facts]  # fmt: skip
    row = {
        "account_id": account_id, "user_id": user_id, "subject": subject, "verb": verb, "acted_at": now,
        "before": before, "facts": stored, "ended": [],
    }  # fmt: skip
    connection.execute(sa.insert(t.acts).values(**row))


def also_ended(connection: sa.Connection, subject: str, suggestion_ids: Sequence[str]) -> None:
    """Note which other suggestions the latest act ended."""
    found = latest(connection, subject)
    if found is not None and suggestion_ids:
        this = t.acts.c.act_id == found.act_id
        connection.execute(sa.update(t.acts).where(this).values(ended=list(suggestion_ids)))


def latest(connection: sa.Connection, subject: str) -> Act | None:
    """The last act on a suggestion or touchpoint that was not taken back."""
    own = t.acts.c
    query = (
        sa.select(*columns(t.acts, *_ACT))
        .where(own.subject == subject, own.undone_at.is_(None))
        .order_by(own.act_id.desc())
    )
    row = connection.execute(query.limit(1)).one_or_none()
    if row is None:
        return None
    values = named(row)
    facts = tuple(TailRow(account_id=values["account_id"], **fact) for fact in values.pop("facts"))
    return Act(**values | {"ended": tuple(values["ended"])}, facts=facts)


def record(
    connection: sa.Connection, touchpoint_id: str, rows: Sequence[TailRow], *, account_id: str, user_id: str,
    now: int,
) -> Act:  # fmt: skip
    """Keep a contact that was made without a suggestion; the same again is the act as it stands."""
    join_appends(connection)
    lock_accounts(connection, [account_id])
    if latest(connection, touchpoint_id) is None:
        facts = append(connection, rows, now=now)
        keep(connection, touchpoint_id, "record", account_id=account_id, user_id=user_id, before=None,
             facts=facts, now=now)  # fmt: skip
    found = latest(connection, touchpoint_id)
    assert found is not None
    return found


def was_taken_back(connection: sa.Connection, subject: str) -> bool:
    """Whether an act on it was undone."""
    own = t.acts.c
    query = sa.select(own.act_id).where(own.subject == subject, own.undone_at.is_not(None))
    return connection.scalar(query.limit(1)) is not None


def take_back(
    connection: sa.Connection, act: Act, rows: Sequence[TailRow], *, version: int, noted: Mapping[str, int],
    now: int,
) -> None:  # fmt: skip
    """Everything as it was before the act, with the facts that say so.

    Args:
        version: Of the account, for which `rows` were made.
        noted: Touchpoint -> when the version took place whose details go.

    Raises:
        ConflictError: It was taken back already, somebody has acted since, contacts were stopped, or the
            account has changed since `version`.
    """
    contact_stops.join(connection)
    join_appends(connection)
    locked = lock_accounts(connection, [act.account_id])[act.account_id]
    if locked.version != version:
        raise ConflictError(f"Account {act.account_id!r} has changed: try again.")
    _require_last(connection, act)
    if act.before is not None:
        _restore(connection, act.before, now)
    elif act.verb == "suggest":
        _end(connection, act.subject, now)
    connection.execute(sa.delete(t.dismissals).where(t.dismissals.c.suggestion_id == act.subject))
    for suggestion_id in act.ended:
        _put_back(connection, suggestion_id)
    told.forget(connection, locked.subject_key, noted)
    append(connection, rows, now=now)
    connection.execute(sa.update(t.acts).where(t.acts.c.act_id == act.act_id).values(undone_at=now))
    mine = act.subject if act.before is None else str(act.before["suggestion_id"])
    _resettle(connection, mine, {} if act.before is None else act.before)
    note_suggestions(connection, [mine, *act.ended], "changed", now=now)


def _require_last(connection: sa.Connection, act: Act) -> None:
    own = t.acts.c
    found = latest(connection, act.subject)
    if found is None or found.act_id != act.act_id:
        raise ConflictError("It has been taken back already.")
    later = sa.select(own.user_id).where(
        own.account_id == act.account_id,
        own.act_id > act.act_id,
        own.undone_at.is_(None),
        own.verb.in_(_TAKES_CONTACTS),
    )
    by = connection.scalar(later.limit(1))
    if by is not None:
        raise ConflictError(f"{by} has acted on this account since; it cannot be taken back any more.")


def _restore(connection: sa.Connection, before: Mapping[str, Any], now: int) -> None:
    """The suggestion as it was; what was suggested anew and nobody has answered makes place."""
    suggestion_id = before["suggestion_id"]
    row = connection.execute(_whose(suggestion_id)).one_or_none()
    if row is None:
        raise UnknownError(f"There is no suggestion {suggestion_id!r}.")
    if contact_stops.stands_against(connection, row.treatment, row.channel):
        raise ConflictError("Its contacts have been stopped since; it cannot be taken back any more.")
    anew = _in_its_place(connection, row)
    if anew is not None and anew.state != "open":
        raise ConflictError("The same has been suggested anew and answered; answer that one.")
    if anew is not None:
        _end(connection, anew.suggestion_id, now)
        note_suggestions(connection, [anew.suggestion_id], "gone", now=now)
    this = t.suggestions.c.suggestion_id == suggestion_id
    connection.execute(sa.update(t.suggestions).where(this).values({name: before[name] for name in _BEFORE}))


def _resettle(connection: sa.Connection, suggestion_id: str, before: Mapping[str, Any]) -> None:
    """The day that people had settled stands again; one that the act settled is left to the plan."""
    row = connection.execute(_whose(suggestion_id)).one_or_none()
    if row is None:  # a contact that was recorded without a suggestion
        return
    if before.get("settled"):
        plans.move(connection, PlanMove(**before["settled"]))
    elif (day := plans.settled_day(connection, _identity(row))) is not None:
        plans.free(connection, day.identity, day.user_id)


def _put_back(connection: sa.Connection, suggestion_id: str) -> None:
    """What a consent ended that was taken back: accepted and put off as it was; the lists bring back the
    rest."""
    row = connection.execute(_whose(suggestion_id)).one()
    stopped = contact_stops.stands_against(connection, row.treatment, row.channel)
    if row.state != "withdrawn" or row.answered_by is None or stopped or _in_its_place(connection, row):
        return
    state = "accepted" if row.snoozed_until is None else "snoozed"
    this = t.suggestions.c.suggestion_id == suggestion_id
    connection.execute(sa.update(t.suggestions).where(this).values(state=state, closed_at=None))


def _whose(suggestion_id: str) -> sa.Select[Any]:
    names = ("suggestion_id", "account_id", "treatment", "role", "channel", "state", "answered_by",
             "snoozed_until")  # fmt: skip
    return sa.select(*columns(t.suggestions, *names)).where(t.suggestions.c.suggestion_id == suggestion_id)


def _identity(row: sa.Row[Any]) -> tuple[str, str, str]:
    return row.account_id, row.treatment, row.role


def _in_its_place(connection: sa.Connection, row: sa.Row[Any]) -> sa.Row[Any] | None:
    """Another suggestion that lives under the same identity."""
    own = t.suggestions.c
    query: sa.Select[Any] = sa.select(own.suggestion_id, own.state).where(
        own.account_id == row.account_id, own.treatment == row.treatment, own.role == row.role,
        own.state.in_(t.LIVE_STATES), own.suggestion_id != row.suggestion_id,
    )  # fmt: skip
    return connection.execute(query.limit(1)).one_or_none()


def _end(connection: sa.Connection, suggestion_id: str, now: int) -> None:
    this = t.suggestions.c.suggestion_id == suggestion_id
    connection.execute(sa.update(t.suggestions).where(this).values(state="withdrawn", closed_at=now))
