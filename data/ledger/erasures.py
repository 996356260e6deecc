"""Erasing a person: an account, a contact of one, a colleague. Facts remain, without a name or a free text.

Each in one transaction, and twice is once: what a second erasure still finds goes too. A marker by a hash of
the id stays, so that no later load and no live event brings her back.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import sqlalchemy as sa

from data.blocks import pack, unpack
from data.erasing import Erased
from data.ledger import field_notes, posting
from data.ledger import schema as t
from data.ledger.access_schema import api_keys, erasures, provider_users, settled_users
from data.ledger.connection import Database
from data.ledger.erased import ERASED, Markers, PersonKind, event_of, mark, markers
from data.ledger.facts import append, lock_accounts, replace_block
from data.ledger.plan_schema import plan_absences, plan_items, plan_moves
from data.ledger.statements import upsert
from data.ledger.types import TailRow, UnknownError
from engine.records import History

_WAITING = ("asked", "accepted", "escalated", "returned")


class Erasures:
    """What the ledger keeps of those who were erased; times in microseconds UTC."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def markers(self, *, waiting: bool = False) -> Markers:
        """Who was erased; `waiting`: those whom history has still to lose."""
        with self._database.reading() as connection:
            return markers(connection, waiting=waiting)

    def taken_over(self, found: Markers, *, now: int) -> None:
        """History has lost these."""
        these = erasures.c.id_hash.in_(sorted(found.hashes))
        with self._database.writing() as connection:
            connection.execute(sa.update(erasures).where(these).values(taken_over_at=now))

    def kinds(self, person_id: str) -> list[PersonKind]:
        """What an id is of, erased ones too, in the order account, contact, user."""
        all_kinds: tuple[PersonKind, ...] = ("account", "contact", "user")
        with self._database.reading() as connection:
            known = markers(connection)
            return [kind for kind in all_kinds
                    if known.of(kind, [person_id]) or _is_there(connection, kind, person_id)]  # fmt: skip

    def erase(self, kind: PersonKind, person_id: str, *, now: int) -> Mapping[str, int]:
        """Erase what says who she is; what was found of it, in words -> how much. Raises UnknownError."""
        how: dict[PersonKind, Callable[..., Counter[str]]] = {
            "account": _erase_account, "contact": _erase_contact, "user": _erase_user,
        }  # fmt: skip
        with self._database.writing() as connection:
            if self._database.sqlite:
                # What is deleted is overwritten in the file, and not only given free.
                connection.exec_driver_sql("PRAGMA secure_delete = ON")
            before = markers(connection).of(kind, [person_id])
            if not before and not _is_there(connection, kind, person_id):
                raise UnknownError(f"There is no {kind} {person_id!r} in the ledger.")
            found = how[kind](connection, person_id, now=now)
            mark(connection, kind, person_id, now=now)
            return +found


def holder(connection: sa.Connection, contact_id: str) -> str | None:
    """The account at which a contact is, as long as anything is kept of her."""
    own = t.personal.c
    query = sa.select(t.accounts.c.account_id).join(t.personal, own.subject_key == t.accounts.c.subject_key)
    return connection.scalar(query.where(own.source == "contacts", own.row_key == contact_id))


def _is_there(connection: sa.Connection, kind: PersonKind, person_id: str) -> bool:
    if kind == "contact":
        return holder(connection, person_id) is not None
    key = t.accounts.c.account_id if kind == "account" else t.users.c.user_id
    return connection.scalar(sa.select(key).where(key == person_id)) is not None


# -- an account ------------------------------------------------------------------------------------
def _erase_account(connection: sa.Connection, account_id: str, *, now: int) -> Counter[str]:
    if not markers(connection).of("account", [account_id]):
        over = {"account_id": account_id, "deleted": True}
        event_id = event_of(connection, "account", account_id)
        append(connection, [TailRow(event_id, "accounts", account_id, over)], now=now)
        posting.withdraw(connection, [account_id], now=now)
    locked = lock_accounts(connection, [account_id])[account_id]
    found = Counter[str]()
    found["names and texts"] = _gone(connection, t.personal, t.personal.c.subject_key == locked.subject_key)
    for table, what in _WITH_ACCOUNT:
        found[what] += _gone(connection, table, table.c.account_id == account_id)
    found["records of decisions"] = _emptied(
        connection, t.decisions, account_id, {"record": {"erased": True}}, unlike='{"erased":true}'
    )
    for reasons in (t.suggestions, t.listings):
        found["reasons"] += _emptied(connection, reasons, account_id, {"reasons": []}, unlike="[]")
    own = t.hand_overs.c
    open_ones = sa.and_(own.account_id == account_id, own.state.in_(_WAITING))
    connection.execute(sa.update(t.hand_overs).where(open_ones).values(state="rejected", closed_at=now))
    found["own columns and coordinates"] = _blank_block(connection, account_id)
    found["kept answers"] += _answers_about(connection, account_id)
    _forget_hashes(connection, account_id)
    return found


_WITH_ACCOUNT = (
    (t.told, "touchpoints with details"), (t.field_notes, "field notes"), (t.acts, "acts"),
    (t.twins, "twins"), (t.team, "places in teams"), (plan_items, "places in plans"),
    (plan_moves, "places in plans"),
)  # fmt: skip


def _emptied(
    connection: sa.Connection, table: sa.Table, account_id: str, values: Mapping[str, Any], *, unlike: str
) -> int:
    (name,) = values
    holds = sa.type_coerce(table.c[name], sa.Text) != unlike
    this = sa.and_(table.c.account_id == account_id, holds)
    return connection.execute(sa.update(table).where(this).values(**values)).rowcount


def _blank_block(connection: sa.Connection, account_id: str) -> int:
    """The account's own columns and coordinates go from its block and its live rows at once."""
    block = connection.scalar(sa.select(t.blocks.c.block).where(t.blocks.c.account_id == account_id))
    if not block:
        return 0
    facts = unpack(block)
    blanked = Erased(accounts=frozenset({account_id})).blank("accounts", facts["accounts"])
    if blanked is facts["accounts"]:
        return 0
    replace_block(connection, account_id, pack(History({**facts.frames, "accounts": blanked})))
    return 1


def _answers_about(connection: sa.Connection, account_id: str) -> int:
    """Answers kept for repeated requests that speak of several accounts, and what pages are about to say."""
    said = sa.type_coerce(t.requests.c.body, sa.Text).contains(t.dumps(account_id), autoescape=True)
    asked = connection.execute(sa.update(t.requests).where(said).values(body=None)).rowcount
    connection.execute(sa.update(t.sessions).where(t.sessions.c.said.is_not(None)).values(said=None))
    return asked


# -- a contact -------------------------------------------------------------------------------------
def _erase_contact(connection: sa.Connection, contact_id: str, *, now: int) -> Counter[str]:
    account_id = holder(connection, contact_id)
    found = Counter[str]()
    if account_id is None:
        return found
    if not markers(connection).of("contact", [contact_id]):
        over = {"contact_id": contact_id, "account_id": account_id, "deleted": True}
        event_id = event_of(connection, "contact", contact_id)
        append(connection, [TailRow(event_id, "contacts", account_id, over)], now=now)
    key = lock_accounts(connection, [account_id])[account_id].subject_key
    touchpoints = touchpoints_with(connection, account_id, contact_id)
    own, hers = t.personal.c, t.hand_overs.c
    handed = sa.select(hers.hand_over_id).where(hers.touchpoint_id.in_(touchpoints))
    for source, keys in (("contacts", [contact_id]), ("touchpoints", touchpoints), ("hand_overs", handed)):
        this = sa.and_(own.subject_key == key, own.source == source, own.row_key.in_(keys))
        found["names and texts"] += _gone(connection, t.personal, this)
    # An answer about the account may have quoted her.
    found["kept answers"] = _gone(
        connection, t.personal, sa.and_(own.subject_key == key, own.source == "requests")
    )
    found["touchpoints with details"] = _gone(connection, t.told, t.told.c.touchpoint_id.in_(touchpoints))
    field_notes.forget(connection, touchpoints)
    _forget_hashes(connection, account_id)
    found["kept answers"] += _answers_about(connection, account_id)
    return found


def touchpoints_with(connection: sa.Connection, account_id: str, contact_id: str) -> list[str]:
    """Touchpoints of an account that were with a contact, as the ledger has them."""
    block = connection.scalar(sa.select(t.blocks.c.block).where(t.blocks.c.account_id == account_id))
    rows = unpack(block or b"")["touchpoints"]
    stored = rows.filter(rows["contact_id"] == contact_id)["touchpoint_id"].to_list() if rows.height else []
    live = connection.scalars(sa.select(t.tail.c.content).where(t.tail.c.account_id == account_id))
    heard = [row["touchpoint_id"] for row in live if row.get("contact_id") == contact_id
             and "touchpoint_id" in row]  # fmt: skip
    return sorted({*stored, *heard})


# -- a colleague -----------------------------------------------------------------------------------
def _erase_user(connection: sa.Connection, user_id: str, *, now: int) -> Counter[str]:
    """Her id stays in what she did; the name, the calendar and all proofs of who she is go."""
    found = Counter[str]()
    nothing: dict[str, Any] = dict.fromkeys(("language", "timezone", "gender"))
    this = sa.and_(t.users.c.user_id == user_id, t.users.c.name != ERASED)
    found["names"] = connection.execute(
        sa.update(t.users).where(this).values(name=ERASED, calendar={}, **nothing)
    ).rowcount
    upsert(connection, settled_users, [{"user_id": user_id, "left_at": now, "settled_at": now}],
           update=("left_at", "settled_at"))  # fmt: skip
    for table, what in _OF_USER:
        found[what] += _gone(connection, table, table.c.user_id == user_id)
    return found


_OF_USER = (
    (t.passwords, "proofs of who she is"),
    (t.sessions, "proofs of who she is"),
    (t.tokens, "proofs of who she is"),
    (api_keys, "proofs of who she is"),
    (provider_users, "proofs of who she is"),
    (t.chosen_languages, "settings"),
    (t.requests, "kept answers"),
    (t.team, "places in teams"),
    (plan_absences, "days away"),
)


def _gone(connection: sa.Connection, table: sa.Table, which: sa.ColumnElement[bool]) -> int:
    return connection.execute(sa.delete(table).where(which)).rowcount


def _forget_hashes(connection: sa.Connection, account_id: str) -> None:
    """A hash of what was sent could be used to guess it."""
    theirs = t.events.c.account_id == account_id
    connection.execute(sa.update(t.events).where(theirs).values(content_hash=""))
