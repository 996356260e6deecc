"""Who has the tasks of a colleague on leave.

Nothing is moved: suggestions, hand-overs and places in teams stay hers, and while a stand-in is in force
they are read as the other colleague's. So the return gives all back that is left, whatever came meanwhile.
A stand-in begins and ends when the first list is read after its moment, and with every night.
"""

from __future__ import annotations

import secrets
from dataclasses import asdict, dataclass
from typing import Literal

import sqlalchemy as sa

from data.ledger import schema as t
from data.ledger.access_schema import stand_ins
from data.ledger.changes import note_lists
from data.ledger.connection import Database
from data.ledger.people import IS_HERE
from data.ledger.standing_in import IN_FORCE
from data.ledger.statements import columns, named
from data.ledger.types import ConflictError, UnknownError


@dataclass(frozen=True)
class StandIn:
    """A colleague in another one's place; times in microseconds UTC, `ends_at` exclusive.

    Attributes:
        user_id: Who is away.
        stand_in: Who has her tasks.
        with_team: Whether also her accounts, and not only those of open tasks.
    """

    stand_in_id: str
    user_id: str
    stand_in: str
    begins_at: int
    ends_at: int
    with_team: bool
    state: Literal["planned", "in_force", "over"]
    set_by: str
    set_at: int
    ended_by: str | None = None


_NAMES = tuple(StandIn.__dataclass_fields__)


class StandIns:
    """Each method one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def set(
        self, user_id: str, stand_in: str, *, begins_at: int, ends_at: int, with_team: bool, by: str, now: int
    ) -> StandIn:
        """Give somebody's tasks to a colleague for a while.

        Raises:
            UnknownError: One of the two is not there.
            ConflictError: They have other roles, or one of them is away or stands in for somebody then.
        """
        new = StandIn(
            secrets.token_hex(8), user_id, stand_in, begins_at, ends_at, with_team, "planned", by, now
        )
        with self._database.writing() as connection:
            _require_alike(connection, user_id, stand_in)
            _require_free(connection, new)
            connection.execute(sa.insert(stand_ins), asdict(new))
            _sweep(connection, now)
            return _find(connection, new.stand_in_id)

    def end(self, stand_in_id: str, *, by: str, now: int) -> StandIn:
        """She is back; twice: the second changes nothing. Raises UnknownError."""
        own = stand_ins.c
        this = sa.and_(own.stand_in_id == stand_in_id, own.state != "over")
        with self._database.writing() as connection:
            ended = sa.update(stand_ins).where(this).values(state="over", ended_by=by, ends_at=now)
            if connection.execute(ended).rowcount:
                note_lists(connection, "stand_in", now=now)
            return _find(connection, stand_in_id)

    def find(self, stand_in_id: str) -> StandIn:
        """Raises UnknownError."""
        with self._database.reading() as connection:
            return _find(connection, stand_in_id)

    def current(self) -> list[StandIn]:
        """What is planned or in force, the first to begin on top."""
        own = stand_ins.c
        query = sa.select(*columns(stand_ins, *_NAMES)).where(own.state != "over")
        with self._database.reading() as connection:
            found = connection.execute(query.order_by(own.begins_at, own.stand_in_id))
            return [StandIn(**named(row)) for row in found]

    def stands_in_for(self, user_id: str) -> frozenset[str]:
        """Whose tasks she has now."""
        own = stand_ins.c
        with self._database.reading() as connection:
            return frozenset(
                connection.scalars(sa.select(own.user_id).where(own.stand_in == user_id, IN_FORCE))
            )

    def who_has(self, user_id: str) -> str:
        """Who has somebody's tasks now: she, or who stands in for her."""
        query = sa.select(stand_ins.c.stand_in).where(stand_ins.c.user_id == user_id, IN_FORCE)
        with self._database.reading() as connection:
            return connection.scalar(query) or user_id

    def sweep(self, *, now: int) -> None:
        """Begin and end what is due; writes nothing where nothing is."""
        with self._database.reading() as connection:
            if connection.scalar(sa.select(stand_ins.c.stand_in_id).where(_due(now)).limit(1)) is None:
                return
        with self._database.writing() as connection:
            _sweep(connection, now)


def _due(now: int) -> sa.ColumnElement[bool]:
    own = stand_ins.c
    return sa.or_(
        sa.and_(own.state == "planned", own.begins_at <= now),
        sa.and_(own.state != "over", own.ends_at <= now),
    )


def _sweep(connection: sa.Connection, now: int) -> None:
    own = stand_ins.c
    over = sa.and_(own.state != "over", own.ends_at <= now)
    begun = sa.and_(own.state == "planned", own.begins_at <= now)
    changed = connection.execute(sa.update(stand_ins).where(over).values(state="over")).rowcount
    changed += connection.execute(sa.update(stand_ins).where(begun).values(state="in_force")).rowcount
    if changed:
        note_lists(connection, "stand_in", now=now)


def _find(connection: sa.Connection, stand_in_id: str) -> StandIn:
    this = stand_ins.c.stand_in_id == stand_in_id
    row = connection.execute(sa.select(*columns(stand_ins, *_NAMES)).where(this)).one_or_none()
    if row is None:
        raise UnknownError(f"There is no stand-in {stand_in_id!r}.")
    return StandIn(**named(row))


def _require_alike(connection: sa.Connection, user_id: str, stand_in: str) -> None:
    """One role stands in for the same role alone, so that the medical-commercial wall holds."""
    own = t.users.c
    query = sa.select(own.user_id, own.role).where(own.user_id.in_([user_id, stand_in]))
    roles = {row.user_id: row.role for row in connection.execute(query)}
    here = {row.user_id for row in connection.execute(query.where(IS_HERE))} | {user_id}
    for one in (user_id, stand_in):
        if one not in roles or one not in here:
            raise UnknownError(f"There is no user {one!r} in the ledger.")
    if user_id == stand_in or roles[user_id] != roles[stand_in]:
        raise ConflictError(
            f"{stand_in!r} cannot stand in for {user_id!r}: a colleague of the same role can."
        )


def _require_free(connection: sa.Connection, new: StandIn) -> None:
    """A chain of stand-ins ends nowhere that anybody expects."""
    own = stand_ins.c
    then = sa.and_(own.state != "over", own.begins_at < new.ends_at, own.ends_at > new.begins_at)
    # She is away once; nobody is away and stands in at the same time.
    clash = sa.or_(own.user_id.in_([new.user_id, new.stand_in]), own.stand_in == new.user_id)
    found = connection.execute(sa.select(own.user_id, own.stand_in).where(then, clash).limit(1)).one_or_none()
    if found is not None:
        raise ConflictError(f"{found.stand_in!r} stands in for {found.user_id!r} at that time already.")
