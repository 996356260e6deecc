"""Hand-overs: who asks whom to do something for an account, until when, and what became of it.

asked -> accepted -> done; whoever gets one may send it back with a reason (returned), and the side that
handed it over closes it (rejected) or asks again, which makes another one. What is late goes to a manager
(escalated) and can still be accepted and done. What people write is personal and stands apart.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from data.ledger import schema as t
from data.ledger.changes import note_hand_over
from data.ledger.facts import HAS_NAME, append, join_appends, lock_accounts, name_of
from data.ledger.hand_over_types import HandOver, HandOverState, HandOverVerb, NewHandOver
from data.ledger.standing_in import whose_tasks
from data.ledger.statements import named, upsert
from data.ledger.types import ConflictError, LoggedDecision, OvertakenError, TailRow, UnknownError

WAITING: tuple[HandOverState, ...] = ("asked", "accepted", "escalated")
"""States in which somebody still has to do it."""
_AFTER: dict[HandOverVerb, HandOverState] = {
    "accept": "accepted", "done": "done", "reject": "returned", "close": "rejected",
}  # fmt: skip
_SOURCE = "hand_overs"
_HAS_TEXT = sa.and_(
    sa.literal_column("texts.subject_key") == t.accounts.c.subject_key,
    sa.literal_column("texts.row_key") == t.hand_overs.c.hand_over_id,
)


def hand_over_id(*parts: Any) -> str:
    """The same hand-over has the same id, however often it is asked for."""
    return hashlib.blake2b(t.dumps(parts).encode(), digest_size=16).hexdigest()


def ask(connection: sa.Connection, new: NewHandOver, *, now: int) -> HandOver:
    """Hand over; the same id again is the hand-over as it stands. Raises UnknownError."""
    account = lock_accounts(connection, [new.account_id])[new.account_id]
    row = {name: getattr(new, name) for name in _NEW} | {"state": "asked", "asked_at": now}
    upsert(connection, t.hand_overs, [row], update=())
    if new.note:
        _write(connection, account.subject_key, new.hand_over_id, {"note": new.note}, keep=True)
    note_hand_over(connection, new.hand_over_id, now=now)
    return find(connection, new.hand_over_id)


_NEW = (
    "hand_over_id", "account_id", "kind", "rule", "suggestion_id", "treatment", "topic", "touchpoint_id",
    "by_role", "by_user", "to_role", "to_user", "due_at", "stage",
)  # fmt: skip


def ask_by_rule(connection: sa.Connection, decisions: Sequence[LoggedDecision], *, now: int) -> None:
    """What decisions hand over by themselves; the accounts are locked by the caller.

    A report goes once; a rule that qualified the account not again within its days.
    """
    wanted = [NewHandOver(**new) for decision in decisions for new in decision.hand_overs]
    for new in wanted:
        if new.kind == "qualified" and _asked_since(connection, new, now - (new.again_micros or 0)):
            continue
        row = {name: getattr(new, name) for name in _NEW} | {"state": "asked", "asked_at": now}
        upsert(connection, t.hand_overs, [row], update=())
        note_hand_over(connection, new.hand_over_id, now=now)


def _asked_since(connection: sa.Connection, new: NewHandOver, since: int) -> bool:
    own = t.hand_overs.c
    query = sa.select(own.hand_over_id).where(
        own.account_id == new.account_id,
        own.rule == new.rule,
        sa.or_(own.asked_at > since, own.state.in_((*WAITING, "returned"))),
    )
    return connection.scalar(query.limit(1)) is not None


def answer(
    connection: sa.Connection,
    hand_over: str,
    verb: HandOverVerb,
    *,
    user_id: str,
    reason: str | None,
    text: str | None,
    rows: Sequence[TailRow],
    version: int | None,
    now: int,
) -> HandOver:
    """A person's answer with the facts that follow. The same again changes nothing.

    Raises ConflictError: it takes no such answer any more; OvertakenError: the account has not the `version`
    given; UnknownError.
    """
    account_id = find(connection, hand_over).account_id
    join_appends(connection)
    locked = lock_accounts(connection, [account_id])[account_id]
    before = find(connection, hand_over)
    if before.state == _AFTER[verb] and before.answered_by == user_id:
        return before
    _require_answerable(before, verb)
    if version is not None and locked.version != version:
        raise OvertakenError(f"Account {account_id!r} has newer facts: decide again.")
    changes = {
        "state": _AFTER[verb],
        "reason": reason if verb == "reject" else before.reason,
        "answered_by": user_id,
        "answered_at": now,
        "closed_at": now if verb in ("done", "close") else None,
        # Whoever of several takes it on has it from then on.
        "to_user": before.to_user or (user_id if verb in ("accept", "done") else None),
    }
    this = t.hand_overs.c.hand_over_id == hand_over
    connection.execute(sa.update(t.hand_overs).where(this).values(**changes))
    if text:
        part = {"done": "answer", "reject": "comment"}.get(verb, "remark")
        _write(connection, locked.subject_key, hand_over, {part: text})
    append(connection, rows, now=now)
    note_hand_over(connection, hand_over, now=now)
    return find(connection, hand_over)


def _require_answerable(found: HandOver, verb: HandOverVerb) -> None:
    takes = ("returned",) if verb == "close" else WAITING
    if found.state not in takes or (verb == "accept" and found.state == "accepted"):
        by = f" by {found.answered_by}" if found.answered_by else ""
        raise ConflictError(f"This hand-over is {found.state}{by} and cannot be answered with {verb!r}.")


def escalate_late(connection: sa.Connection, *, now: int) -> int:
    """What is late goes, once, to the manager of whoever has it; returns how many."""
    own, late = t.hand_overs.c, _late(now)
    found = connection.execute(sa.select(own.hand_over_id, own.to_user, own.to_role).where(late)).all()
    for row in found:
        changes = {
            "state": "escalated",
            "escalated_at": now,
            "escalated_to": _manager(connection, row.to_user, row.to_role),
        }
        this = sa.and_(own.hand_over_id == row.hand_over_id, late)
        connection.execute(sa.update(t.hand_overs).where(this).values(**changes))
        note_hand_over(connection, row.hand_over_id, now=now)
    return len(found)


def any_late(connection: sa.Connection, *, now: int) -> bool:
    """Whether something is late that no manager knows of yet."""
    return connection.scalar(sa.select(t.hand_overs.c.hand_over_id).where(_late(now)).limit(1)) is not None


def _late(now: int) -> sa.ColumnElement[bool]:
    own = t.hand_overs.c
    return sa.and_(own.state.in_(WAITING), own.due_at <= now, own.escalated_at.is_(None))


def _manager(connection: sa.Connection, user_id: str | None, role: str) -> str | None:
    """Of the person who has it; of the first of the role where nobody has it alone."""
    users = t.users.c
    whose = users.user_id == user_id if user_id else users.role == role
    query = sa.select(users.manager_id).where(whose, users.manager_id.is_not(None)).order_by(users.user_id)
    return connection.scalar(query.limit(1))


def _select() -> sa.Select[Any]:
    texts = t.personal.alias("texts")
    return (
        sa.select(t.hand_overs, t.personal.c.content.label("name"), texts.c.content.label("texts"))
        .join(t.accounts, t.accounts.c.account_id == t.hand_overs.c.account_id)
        .outerjoin(t.personal, HAS_NAME)
        .outerjoin(texts, sa.and_(_HAS_TEXT, texts.c.source == _SOURCE))
    )


def find(connection: sa.Connection, hand_over: str) -> HandOver:
    """One hand-over. Raises UnknownError."""
    row = connection.execute(_select().where(t.hand_overs.c.hand_over_id == hand_over)).one_or_none()
    if row is None:
        raise UnknownError(f"There is no hand-over {hand_over!r}.")
    return _hand_over(row)


def of_account(connection: sa.Connection, account_id: str) -> list[HandOver]:
    """All of an account, the latest first."""
    query = _select().where(t.hand_overs.c.account_id == account_id)
    latest = query.order_by(t.hand_overs.c.asked_at.desc(), t.hand_overs.c.hand_over_id)
    return [_hand_over(row) for row in connection.execute(latest)]


def for_person(connection: sa.Connection, user_id: str, role: str) -> list[HandOver]:
    """What waits for a person, the one that is due first on top.

    Handed to her or to her role, returned to her or to her place in the account's team, escalated to her; to
    whom she stands in for as to her.
    """
    own, whose = t.hand_overs.c, whose_tasks(connection, [user_id])
    hers = sa.or_(own.to_user.in_(whose), sa.and_(own.to_user.is_(None), own.to_role == role))
    place = sa.select(t.team.c.account_id).where(t.team.c.user_id.in_(whose), t.team.c.role == role)
    returned = sa.or_(
        own.by_user.in_(whose),
        sa.and_(own.by_user.is_(None), own.by_role == role, own.account_id.in_(place)),
    )
    waits = sa.or_(
        sa.and_(own.state.in_(WAITING), hers),
        sa.and_(own.state == "returned", returned),
        sa.and_(own.state == "escalated", own.escalated_to.in_(whose)),
    )
    return _by_due(connection, waits)


def asked_by(connection: sa.Connection, user_id: str) -> list[HandOver]:
    """What a person has asked others for and what is not closed."""
    own = t.hand_overs.c
    return _by_due(connection, sa.and_(own.by_user == user_id, own.state.in_((*WAITING, "returned"))))


def _by_due(connection: sa.Connection, which: sa.ColumnElement[bool]) -> list[HandOver]:
    own = t.hand_overs.c
    order = (own.due_at.is_(None), own.due_at, own.asked_at, own.hand_over_id)
    return [_hand_over(row) for row in connection.execute(_select().where(which).order_by(*order))]


def since(connection: sa.Connection, moment: int) -> list[HandOver]:
    """What was handed over at that moment or later, and what still waits, for figures."""
    own = t.hand_overs.c
    return _by_due(connection, sa.or_(own.asked_at >= moment, own.state.in_((*WAITING, "returned"))))


def _hand_over(row: sa.Row[Any]) -> HandOver:
    values = named(row)
    name, texts = values.pop("name"), values.pop("texts") or {}
    return HandOver(**values, account_name=name_of(name), texts=texts)


def _write(
    connection: sa.Connection, subject_key: str, hand_over: str, texts: Mapping[str, str], *,
    keep: bool = False,
) -> None:  # fmt: skip
    """What people write, beside what they wrote before; `keep` leaves what is there as it is."""
    own = t.personal.c
    this = sa.and_(own.subject_key == subject_key, own.source == _SOURCE, own.row_key == hand_over)
    before = connection.scalar(sa.select(own.content).where(this)) or {}
    content = {**texts, **before} if keep else {**before, **texts}
    row = {"subject_key": subject_key, "source": _SOURCE, "row_key": hand_over, "content": content}
    upsert(connection, t.personal, [row], update=("content",))
