"""Accounts with their blocks, the live rows behind them, and what is personal, apart.

Functions on a connection; the transaction is the caller's. Whoever writes locks the accounts' rows first, in
the order of their ids, so two writers of the same accounts take turns and never wait in a circle.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any

import polars as pl
import sqlalchemy as sa

from data.ledger import field_notes, told, twins
from data.ledger import schema as t
from data.ledger.erased import ERASED, without_erased
from data.ledger.looks import Look, Reading
from data.ledger.statements import chunks, columns, insert_many, these, upsert
from data.ledger.types import AccountState, ConflictError, LedgerError, TailRow, UnknownError
from engine.contract import HISTORY_TABLES, TABLES

APPEND_ORDER = 5_230_184_771
"""PostgreSQL advisory lock: shared by appends, held alone by whoever reads the tail (see `read_tail`)."""


@dataclass(frozen=True)
class LockedAccount:
    """What a writer needs of an account whose row it holds."""

    version: int
    last_stored_at: int
    subject_key: str


def lock_accounts(connection: sa.Connection, account_ids: Iterable[str]) -> dict[str, LockedAccount]:
    """Hold the accounts' rows until the transaction ends. Raises UnknownError."""
    wanted = sorted(set(account_ids))
    found: dict[str, LockedAccount] = {}
    for chunk in chunks(wanted):
        found |= {row[0]: LockedAccount(*row[1:]) for row in _TO_LOCK.rows(connection, these=[*chunk])}
    unknown = [account for account in wanted if account not in found]
    if unknown:
        raise UnknownError(f"There is no account {unknown[0]!r} in the ledger.")
    return found


# -- accounts --------------------------------------------------------------------------------------
def put_accounts(connection: sa.Connection, accounts: pl.DataFrame) -> None:
    """Insert or update accounts; a known one keeps its subject key, version and block."""
    rows = [
        {
            **{name: record.get(name) for name in ("account_id", "language", "timezone", "territory")},
            "subject_key": secrets.token_hex(16),
            "version": 0,
            "last_stored_at": 0,
        }
        for record in accounts.iter_rows(named=True)
    ]
    upsert(connection, t.accounts, rows, update=("language", "timezone", "territory"))
    if "name" in accounts.columns:
        put_personal(connection, "accounts", accounts.select("account_id", "name").drop_nulls("name"))


def put_personal(connection: sa.Connection, table: str, rows: pl.DataFrame) -> None:
    """Keep personal columns of rows under the subject keys of their accounts. Raises UnknownError."""
    records = list(rows.iter_rows(named=True))
    keys = _subject_keys(connection, {record["account_id"] for record in records})
    personal = [
        _personal_row(keys[record["account_id"]], table, record, personal_columns(table))
        for record in records
    ]
    upsert(connection, t.personal, personal, update=("content",))


def personal_columns(table: str) -> frozenset[str]:
    """The columns of a table that facts must not carry."""
    return frozenset(column.name for column in TABLES[table].columns if column.personal)


def _personal_row(
    subject_key: str, table: str, record: Mapping[str, Any], names: Iterable[str]
) -> dict[str, Any]:
    """A row of `personal`; the key of the fact says what it belongs to."""
    return {
        "subject_key": subject_key,
        "source": table,
        "row_key": "|".join(str(record.get(name)) for name in TABLES[table].key),
        "content": {name: record[name] for name in names if record.get(name) is not None},
    }


def _subject_keys(connection: sa.Connection, account_ids: set[str]) -> dict[str, str]:
    keys: dict[str, str] = {}
    for chunk in chunks(sorted(account_ids)):
        query = sa.select(t.accounts.c.account_id, t.accounts.c.subject_key)
        found = connection.execute(query.where(t.accounts.c.account_id.in_(chunk)))
        keys |= {row.account_id: row.subject_key for row in found}
    unknown = sorted(account_ids - keys.keys())
    if unknown:
        raise UnknownError(f"There is no account {unknown[0]!r} in the ledger: put accounts first.")
    return keys


# Joins an account to its name, if it still has one.
HAS_NAME = sa.and_(
    t.personal.c.subject_key == t.accounts.c.subject_key,
    t.personal.c.source == "accounts",
    t.personal.c.row_key == t.accounts.c.account_id,
)


def name_of(content: Mapping[str, Any] | None) -> str:
    """The account's name from its personal row (None = it is gone)."""
    return ERASED if content is None else str(content.get("name", ERASED))


def erased(connection: sa.Connection) -> frozenset[str]:
    """Accounts whose name is gone: their facts remain, and nobody can tell whose they are."""
    query = (
        sa.select(t.accounts.c.account_id)
        .outerjoin(t.personal, HAS_NAME)
        .where(t.personal.c.subject_key.is_(None))
    )
    return frozenset(connection.scalars(query))


def replace_blocks(connection: sa.Connection, blocks: Sequence[tuple[str, bytes]], *, watermark: int) -> None:
    """Put blocks that contain the live rows up to `watermark`, and drop those rows.

    Taking over live rows is no news, so such an account keeps its version; any other new block is.
    Raises UnknownError, and ConflictError for a block that is older than what the ledger has.
    """
    ids = [account for account, _ in blocks]
    lock_accounts(connection, ids)
    current = {
        row.account_id: row
        for row in connection.execute(sa.select(t.blocks).where(t.blocks.c.account_id.in_(ids)))
    }
    for account, row in current.items():
        if row.watermark > watermark:
            raise ConflictError(
                f"The block of account {account!r} already holds live rows up to {row.watermark}, "
                f"got one up to {watermark}: build it from the newest snapshot."
            )
    contained = sa.and_(t.tail.c.account_id.in_(ids), t.tail.c.seq <= watermark)
    taken_over = set(connection.scalars(sa.select(t.tail.c.account_id).where(contained).distinct()))
    connection.execute(sa.delete(t.tail).where(contained))
    rows = [{"account_id": account, "block": block, "watermark": watermark} for account, block in blocks]
    upsert(connection, t.blocks, rows, update=("block", "watermark"))
    news = [
        a for a, block in blocks if a not in taken_over and (a not in current or current[a].block != block)
    ]
    new_version(connection, news)
    _overtake_lists(connection, news)


def _overtake_lists(connection: sa.Connection, account_ids: Sequence[str]) -> None:
    """What is on show or being staged for these accounts was decided on less than is known of them now.

    A load brings rows with moments of their own, which may lie long before those decisions. So the account's
    clock goes on to the last of them: an answer finds that they are overtaken, and what is stored next is
    later.
    """
    clock, listed, made = t.accounts.c, t.listings.c, t.decisions.c
    last = (
        sa.select(sa.func.max(made.decided_at))
        .join_from(t.listings, t.decisions, made.decision_id == listed.decision_id)
        .where(listed.account_id == clock.account_id)
        .correlate(t.accounts)
        .scalar_subquery()
    )
    behind = sa.and_(clock.account_id.in_(account_ids), clock.last_stored_at < last)
    connection.execute(sa.update(t.accounts).where(behind).values(last_stored_at=last))


def replace_block(connection: sa.Connection, account_id: str, block: bytes) -> None:
    """Put another block in the place of one, up to the same live rows."""
    connection.execute(sa.update(t.blocks).where(t.blocks.c.account_id == account_id).values(block=block))


def new_version(connection: sa.Connection, account_ids: Sequence[str]) -> None:
    """What was decided on the facts so far is out of date."""
    connection.execute(
        sa.update(t.accounts)
        .where(t.accounts.c.account_id.in_(account_ids))
        .values(version=t.accounts.c.version + 1)
    )


def account_state(reading: Reading, account_id: str) -> AccountState:
    """All of one account. Raises UnknownError."""
    row = _STATE.row(reading, account=account_id)
    if row is None:
        raise UnknownError(f"There is no account {account_id!r} in the ledger.")
    language, timezone, version, block, personal = row
    return AccountState(
        account_id=account_id,
        name=name_of(personal),
        language=language,
        timezone=timezone,
        block=block or b"",
        tail=tuple(map(_tail_row, _TAIL_OF_ACCOUNT.rows(reading, account=account_id))),
        version=version,
        twins=twins.known(reading, account_id),
    )


def versions(connection: sa.Connection) -> dict[str, int]:
    """Account -> version."""
    found = connection.execute(sa.select(t.accounts.c.account_id, t.accounts.c.version))
    return {row.account_id: row.version for row in found}


# -- live rows -------------------------------------------------------------------------------------
def append(
    connection: sa.Connection,
    rows: Sequence[TailRow],
    *,
    now: int,
    version: tuple[str, int] | None = None,
) -> tuple[TailRow, ...]:
    """Store what is new of these rows and return all as stored. Raises UnknownError, also of an account that
    was erased, and ConflictError, also where an account has not the `version` given."""
    for row in rows:
        _require_table(row.table)
    join_appends(connection)
    rows = without_erased(connection, rows)
    accounts = lock_accounts(connection, (row.account_id for row in rows))
    if version is not None and accounts[version[0]].version != version[1]:
        raise ConflictError(f"Account {version[0]!r} has changed meanwhile: read it again.")
    known = _known_events(connection, [row.event_id for row in rows])
    fresh: dict[str, TailRow] = {}
    clocks = {account: locked.last_stored_at for account, locked in accounts.items()}
    for row in rows:
        if _is_known(row, known):
            continue
        clocks[row.account_id] = max(now, clocks[row.account_id] + 1)
        known[row.event_id] = (content_hash(row), clocks[row.account_id], 0)
        fresh[row.event_id] = replace(row, stored_at=clocks[row.account_id])
    for event_id, seq in _insert(connection, list(fresh.values()), accounts).items():
        known[event_id] = (*known[event_id][:2], seq)
    _stamp(connection, {row.account_id: clocks[row.account_id] for row in fresh.values()})
    return tuple(_as_stored(row, *known[row.event_id][1:]) for row in rows)


def join_appends(connection: sa.Connection) -> None:
    """Taken before any account is locked; a reader of the tail waits for all who have (see `read_tail`)."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock_shared(APPEND_ORDER)))


def content_hash(row: TailRow) -> str:
    """What tells a repetition from a contradiction: of the content, and of what was sent where it differs."""
    said = [row.content] if row.sent in (None, row.content) else [row.content, row.sent]
    texts = (t.dumps([row.table, row.account_id, one]) for one in said)
    return " ".join(hashlib.sha256(text.encode()).hexdigest() for text in texts)


def _require_table(table: str) -> None:
    if table not in HISTORY_TABLES:
        close = get_close_matches(table, HISTORY_TABLES, n=1)
        hint = f", did you mean {close[0]!r}?" if close else f"; there are {', '.join(HISTORY_TABLES)}."
        raise LedgerError(f"Live rows cannot be of the table {table!r}{hint}")


def _known_events(connection: sa.Connection, event_ids: Sequence[str]) -> dict[str, tuple[str, int, int]]:
    """event_id -> (hash of its content, stored_at, seq)."""
    known: dict[str, tuple[str, int, int]] = {}
    for chunk in chunks(event_ids):
        found = _KNOWN_EVENTS.rows(connection, these=[*chunk])
        known |= {event_id: (content, stored_at, seq) for event_id, content, stored_at, seq in found}
    return known


def _is_known(row: TailRow, known: Mapping[str, tuple[str, int, int]]) -> bool:
    if row.event_id not in known:
        return False
    before = known[row.event_id][0]
    # Of what was erased not even the hash is left: it may be sent again, and nothing comes of it.
    if before and not set(before.split()) & set(content_hash(row).split()):
        raise ConflictError(
            f"Event {row.event_id!r} was stored before with other content; a correction needs its own id."
        )
    return True


def _insert(
    connection: sa.Connection, rows: Sequence[TailRow], accounts: Mapping[str, LockedAccount]
) -> dict[str, int]:
    """Insert new rows in their order; event_id -> seq."""
    if not rows:
        return {}
    events = [
        {"event_id": row.event_id, "account_id": row.account_id, "tbl": row.table,
         "content_hash": content_hash(row), "stored_at": row.stored_at}
        for row in rows
    ]  # fmt: skip
    try:
        seqs = list(connection.scalars(_NEW_EVENTS, events))
    except sa.exc.IntegrityError:
        raise ConflictError("One of these event ids was just stored for another account.") from None
    facts = [
        {"seq": seq, "account_id": row.account_id, "content": _impersonal(row)}
        for row, seq in zip(rows, seqs, strict=True)
    ]
    insert_many(connection, t.tail, facts)
    personal = [
        _personal_row(
            accounts[row.account_id].subject_key, row.table, row.content, personal_columns(row.table)
        )
        for row in rows
        if any(row.content.get(name) is not None for name in personal_columns(row.table))
    ]
    upsert(connection, t.personal, personal, update=("content",))
    detailed = [r.content for r in rows if r.table == "touchpoints" and r.content.get("details")]
    told.keep(connection, detailed)
    field_notes.keep(connection, detailed)
    return {row.event_id: seq for row, seq in zip(rows, seqs, strict=True)}


def _impersonal(row: TailRow) -> dict[str, Any]:
    hidden = personal_columns(row.table)
    return {name: value for name, value in row.content.items() if name not in hidden}


def _as_stored(row: TailRow, stored_at: int, seq: int) -> TailRow:
    return replace(row, content=_impersonal(row), stored_at=stored_at, seq=seq, sent=None)


def _stamp(connection: sa.Connection, stored: Mapping[str, int]) -> None:
    """Accounts that got rows: their clock, and a new version."""
    if not stored:
        return
    rows = [{"account": account, "at": at} for account, at in sorted(stored.items())]
    connection.execute(_NEWLY_STORED, rows)


def read_tail(connection: sa.Connection) -> list[TailRow]:
    """Rows that history may not have, oldest first.

    Numbers are drawn before a transaction ends, so on PostgreSQL a lower number could appear after a higher
    one was read, and a take-over up to the higher would drop it unseen. Waiting for the appends under way
    prevents it; on SQLite writers come one after the other anyway.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(APPEND_ORDER)))
    return [_tail_row(row) for row in connection.execute(_tail_query())]


def _tail_query() -> sa.Select[Any]:
    parts = [*columns(t.events, "seq", "event_id", "account_id", "tbl", "stored_at"), t.tail.c.content]
    return sa.select(*parts).join(t.tail, t.tail.c.seq == t.events.c.seq).order_by(t.tail.c.seq)


def _tail_row(row: Sequence[Any]) -> TailRow:
    seq, event_id, account_id, table, stored_at, content = row
    return TailRow(event_id, table, account_id, content, stored_at, seq)


# Built once: putting these together takes as long as running them.
_ACCOUNT = sa.bindparam("account", type_=sa.Text)
_STATE = Look(
    sa.select(*columns(t.accounts, "language", "timezone", "version"), t.blocks.c.block, t.personal.c.content)
    .outerjoin(t.blocks, t.blocks.c.account_id == t.accounts.c.account_id)
    .outerjoin(t.personal, HAS_NAME)
    .where(t.accounts.c.account_id == _ACCOUNT)
)
_TAIL_OF_ACCOUNT = Look(_tail_query().where(t.tail.c.account_id == _ACCOUNT))
_TO_LOCK = Look(
    sa.select(*columns(t.accounts, "account_id", "version", "last_stored_at", "subject_key"))
    .where(t.accounts.c.account_id.in_(these()))
    .order_by(t.accounts.c.account_id)
    .with_for_update()
)
_KNOWN_EVENTS = Look(
    sa.select(*columns(t.events, "event_id", "content_hash", "stored_at", "seq")).where(
        t.events.c.event_id.in_(these())
    )
)
_NEW_EVENTS = sa.insert(t.events).returning(t.events.c.seq, sort_by_parameter_order=True)
_NEWLY_STORED = (
    sa.update(t.accounts)
    .where(t.accounts.c.account_id == _ACCOUNT)
    .values(version=t.accounts.c.version + 1, last_stored_at=sa.bindparam("at", type_=sa.BigInteger))
)
