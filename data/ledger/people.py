"""Colleagues, whom they serve and how they prove who they are."""

from __future__ import annotations

import hashlib
import secrets
from typing import Any

import polars as pl
import sqlalchemy as sa

from data.ledger import schema as t
from data.ledger.access_schema import settled_users
from data.ledger.facts import HAS_NAME, name_of
from data.ledger.looks import Look, Reading
from data.ledger.standing_in import standing_in, teams_taken_over
from data.ledger.statements import chunks, columns, upsert
from data.ledger.types import ConflictError, UnknownError, User

USER_COLUMNS = ("user_id", "name", "role", "manager_id", "language", "timezone")
_CALENDAR = ("absences",)
IS_HERE = ~sa.exists().where(
    settled_users.c.user_id == t.users.c.user_id, settled_users.c.left_at.is_not(None)
)
"""Of users: who has not left; who has opens nothing, whatever a load says."""


def put_users(connection: sa.Connection, users: pl.DataFrame) -> None:
    """Insert or update; a row marked `deleted` removes the colleague, her tokens and her places in teams."""
    present, gone = _split(users)
    own = settled_users.c
    settled = dict(connection.execute(sa.select(own.user_id, own.role).where(own.role.is_not(None))).all())
    rows = [
        {name: record.get(name) for name in (*USER_COLUMNS, "gender")}
        | {"role": settled.get(record["user_id"], record["role"]), "calendar": _calendar(record)}
        for record in present
    ]
    upsert(connection, t.users, rows, update=(*USER_COLUMNS[1:], "gender", "calendar"))
    for chunk in chunks([record["user_id"] for record in gone]):
        connection.execute(sa.delete(t.team).where(t.team.c.user_id.in_(chunk)))
        connection.execute(sa.delete(t.users).where(t.users.c.user_id.in_(chunk)))


def _calendar(record: dict[str, Any]) -> dict[str, Any]:
    """Minutes by weekday and absences."""
    return {
        name: value
        for name, value in record.items()
        if value is not None and (name in _CALENDAR or name.endswith("_minutes"))
    }


def put_team(connection: sa.Connection, team: pl.DataFrame) -> None:
    """Insert or update by (account_id, role); a row marked `deleted` takes the place away."""
    present, gone = _split(team)
    rows = [{name: record[name] for name in ("account_id", "role", "user_id")} for record in present]
    upsert(connection, t.team, rows, update=("user_id",))
    for record in gone:
        connection.execute(
            sa.delete(t.team).where(
                t.team.c.account_id == record["account_id"], t.team.c.role == record["role"]
            )
        )


def _split(frame: pl.DataFrame) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Rows that hold and rows that say something no longer does."""
    rows = list(frame.iter_rows(named=True))
    return [r for r in rows if not r.get("deleted")], [r for r in rows if r.get("deleted")]


def users(connection: sa.Connection) -> list[User]:
    """All colleagues by id."""
    query = sa.select(*columns(t.users, *USER_COLUMNS)).order_by(t.users.c.user_id)
    return [User(*row) for row in connection.execute(query)]


def issue_token(connection: sa.Connection, user_id: str, *, now: int, expires_at: int) -> str:
    """A new token; only its hash is kept. Raises UnknownError."""
    _require_user(connection, user_id)
    token = secrets.token_urlsafe(32)
    row = {"token_hash": hash_of(token), "user_id": user_id, "issued_at": now, "expires_at": expires_at}
    connection.execute(sa.insert(t.tokens), row)
    return token


def user_of_token(reading: Reading, token: str, *, now: int) -> User | None:
    """Whose token it is; None for an unknown or expired one. How long a look-up of a hash takes says nothing
    about the token."""
    row = _OF_TOKEN.row(reading, hash=hash_of(token), now=now)
    return None if row is None else User(*row)


_OF_TOKEN = Look(
    sa.select(*columns(t.users, *USER_COLUMNS))
    .join(t.tokens, t.tokens.c.user_id == t.users.c.user_id)
    .where(
        t.tokens.c.token_hash == sa.bindparam("hash", type_=sa.Text),
        t.tokens.c.expires_at > sa.bindparam("now", type_=sa.BigInteger),
        IS_HERE,
    )
)


def hash_of(token: str) -> str:
    """All that is kept of a token, a key or the state of an attempt to sign in."""
    return hashlib.sha256(token.encode()).hexdigest()


def _serves() -> sa.Select[tuple[str]]:
    """The user, if she is on the account's team, stands in there, or is above somebody who is or does."""
    account, user = sa.bindparam("account", type_=sa.Text), sa.bindparam("user", type_=sa.Text)
    own_team = sa.select(t.team.c.user_id).where(t.team.c.account_id == account)
    serving = own_team.union(standing_in(account)).cte("serving")
    above = sa.select(serving.c.user_id).cte("above", recursive=True)
    # UNION, not UNION ALL: two who manage each other must not run for ever.
    above = above.union(sa.select(t.users.c.manager_id).join(above, above.c.user_id == t.users.c.user_id))
    return sa.select(above.c.user_id).where(above.c.user_id == user)


_SERVES = Look(_serves())


def serves(reading: Reading, user_id: str, account_id: str) -> bool:
    """Whether the user is on the account's team, stands in there, or is above somebody who is or does, at any
    distance."""
    return _SERVES.row(reading, account=account_id, user=user_id) is not None


def _managed() -> sa.Select[Any]:
    above = sa.bindparam("user", type_=sa.Text)
    below = sa.select(t.users.c.user_id).where(t.users.c.manager_id == above).cte("below", recursive=True)
    below = below.union(sa.select(t.users.c.user_id).join(below, t.users.c.manager_id == below.c.user_id))
    query = sa.select(*columns(t.users, *USER_COLUMNS)).join(below, below.c.user_id == t.users.c.user_id)
    return query.where(t.users.c.user_id != above).order_by(t.users.c.user_id)


_MANAGED = Look(_managed())


def managed(reading: Reading, user_id: str) -> list[User]:
    """Those whom the user is above, at any distance, by id."""
    return [User(*row) for row in _MANAGED.rows(reading, user=user_id)]


_TEAM = Look(
    sa.select(t.team.c.role, t.team.c.user_id)
    .where(t.team.c.account_id == sa.bindparam("account", type_=sa.Text))
    .order_by(t.team.c.role)
)


def team(reading: Reading, account_id: str) -> dict[str, str]:
    """Role -> user_id."""
    return {row[0]: row[1] for row in _TEAM.rows(reading, account=account_id)}


def accounts_served(connection: sa.Connection, user_id: str) -> list[tuple[str, str]]:
    """Id and name of every account for which `serves` is true, by name."""
    below = [one.user_id for one in managed(connection, user_id)]
    serving = [user_id, *below]
    places = sa.or_(t.team.c.user_id.in_(serving), t.team.c.user_id.in_(teams_taken_over(serving)))
    whose = sa.select(t.team.c.account_id).where(places)
    query = (
        sa.select(t.accounts.c.account_id, t.personal.c.content)
        .outerjoin(t.personal, HAS_NAME)
        .where(t.accounts.c.account_id.in_(whose))
    )
    found = [(row.account_id, name_of(row.content)) for row in connection.execute(query)]
    return sorted(found, key=lambda one: (one[1].casefold(), one[0]))


def add_user(connection: sa.Connection, user: User) -> None:
    """Somebody whom no load names. Raises ConflictError where the id is taken."""
    if connection.scalar(sa.select(t.users.c.user_id).where(t.users.c.user_id == user.user_id)) is not None:
        raise ConflictError(f"There is a user {user.user_id!r} already.")
    row = {name: getattr(user, name) for name in USER_COLUMNS}
    connection.execute(sa.insert(t.users), row | {"calendar": {}})


def settle_role(connection: sa.Connection, user_id: str, role: str, *, now: int) -> None:
    """The role that she has from now on, whatever is loaded. Raises UnknownError."""
    _require_user(connection, user_id)
    row = {"user_id": user_id, "role": role, "settled_at": now}
    upsert(connection, settled_users, [row], update=("role", "settled_at"))
    connection.execute(sa.update(t.users).where(t.users.c.user_id == user_id).values(role=role))


def settle_left(connection: sa.Connection, user_id: str, left_at: int | None, *, now: int) -> None:
    """She has left and is out at once, with sessions, tokens and keys; None = she is back. Raises
    UnknownError."""
    _require_user(connection, user_id)
    row = {"user_id": user_id, "left_at": left_at, "settled_at": now}
    upsert(connection, settled_users, [row], update=("left_at", "settled_at"))
    if left_at is not None:
        for table in (t.sessions, t.tokens):
            connection.execute(sa.delete(table).where(table.c.user_id == user_id))


def who_left(connection: sa.Connection) -> frozenset[str]:
    """Ids of those who have left."""
    own = settled_users.c
    return frozenset(connection.scalars(sa.select(own.user_id).where(own.left_at.is_not(None))))


def _require_user(connection: sa.Connection, user_id: str) -> None:
    if connection.scalar(sa.select(t.users.c.user_id).where(t.users.c.user_id == user_id)) is None:
        raise UnknownError(f"There is no user {user_id!r} in the ledger.")
