"""Nightly runs: lists that grow beside those on show, and the moment in which they replace them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from data.ledger import plan_schema as p
from data.ledger import schema as t
from data.ledger.changes import note_lists
from data.ledger.looks import Look, Reading
from data.ledger.statements import chunks, columns, upsert
from data.ledger.types import Run, UnknownError

_RUN = ("run_id", "as_of", "state", "started_at", "completed_at", "summary")
_SWEEP_ROWS = 20_000
SHOWN_RUN = sa.select(t.shown.c.run_id).scalar_subquery()
"""The run whose lists are shown, inside a statement."""


def begin(connection: sa.Connection, run_id: str, as_of: int, *, now: int) -> Run:
    """The run of that id, begun now or earlier."""
    row = {"run_id": run_id, "as_of": as_of, "state": "running", "started_at": now, "summary": {}}
    upsert(connection, t.runs, [row], update=())
    return find(connection, run_id)


def find(connection: sa.Connection, run_id: str) -> Run:
    """A run by id. Raises UnknownError."""
    row = connection.execute(
        sa.select(*columns(t.runs, *_RUN)).where(t.runs.c.run_id == run_id)
    ).one_or_none()
    if row is None:
        raise UnknownError(f"There is no run {run_id!r} in the ledger; begin it first.")
    return Run(*row)


def current(connection: sa.Connection) -> Run | None:
    """The run whose lists are shown; None before the first night."""
    row = connection.execute(
        sa.select(*columns(t.runs, *_RUN)).where(t.runs.c.run_id == SHOWN_RUN)
    ).one_or_none()
    return None if row is None else Run(*row)


def shown(reading: Reading) -> str:
    """The id of the run whose lists are shown; "" before the first night."""
    row = _SHOWN.row(reading)
    return "" if row is None else str(row[0])


_SHOWN = Look(sa.select(t.runs.c.run_id).where(t.runs.c.run_id == SHOWN_RUN))


def hold_shown(connection: sa.Connection, *, alone: bool) -> str:
    """The run on show, which stays so until the transaction ends; `alone` = about to change it."""
    ((run_id,),) = (_HOLD_ALONE if alone else _HOLD).rows(connection)
    return str(run_id)


def being_staged(connection: sa.Connection) -> list[str]:
    """Runs that have begun and are not complete."""
    return [run_id for (run_id,) in _BEING_STAGED.rows(connection)]


# Built once: putting these together takes as long as running them.
_HOLD_ALONE = Look(sa.select(t.shown.c.run_id).with_for_update())
_HOLD = Look(sa.select(t.shown.c.run_id).with_for_update(read=True))
_BEING_STAGED = Look(sa.select(t.runs.c.run_id).where(t.runs.c.state == "running"))


def published(connection: sa.Connection, run_id: str, account_ids: Sequence[str]) -> frozenset[str]:
    """Those of these accounts that are published to a run."""
    own = t.published.c
    query = sa.select(own.account_id).where(own.run_id == run_id)
    return frozenset(
        account
        for chunk in chunks(account_ids)
        for account in connection.scalars(query.where(own.account_id.in_(chunk)))
    )


def complete(connection: sa.Connection, run_id: str, *, summary: Mapping[str, Any], now: int) -> None:
    """Show this run's lists from now on; one that is complete already is left alone. Raises UnknownError."""
    before = hold_shown(connection, alone=True)
    if find(connection, run_id).state == "complete":
        return
    _end_unlisted(connection, run_id, before, now=now)
    connection.execute(sa.update(t.shown).values(run_id=run_id))
    connection.execute(
        sa.update(t.runs)
        .where(t.runs.c.run_id == run_id)
        .values(state="complete", completed_at=now, summary=dict(summary))
    )
    note_lists(connection, run_id, now=now)
    # A run that was given up must not come back later and replace a newer one half done.
    connection.execute(sa.delete(t.runs).where(t.runs.c.state == "running"))


def _end_unlisted(connection: sa.Connection, run_id: str, before: str, *, now: int) -> None:
    """Open suggestions that the new run does not list go; snoozed ones when both times are over."""

    def listed(run: str, *more: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
        of_run = (t.listings.c.run_id == run, t.listings.c.suggestion_id == t.suggestions.c.suggestion_id)
        return sa.exists().where(*of_run, *more)

    def end(state: str, *conditions: sa.ColumnElement[bool]) -> None:
        gone = sa.update(t.suggestions).where(~listed(run_id), *conditions)
        connection.execute(gone.values(state=state, closed_at=now))

    is_open = t.suggestions.c.state == "open"
    end("withdrawn", is_open, listed(before, t.listings.c.expires_at > now))
    # The rest was over anyway, or was staged by a run that nobody ever saw.
    end("expired", is_open)
    end(
        "expired",
        t.suggestions.c.state == "snoozed",
        t.suggestions.c.snoozed_until <= now,
        t.suggestions.c.expires_at <= now,
    )


def sweep(connection: sa.Connection) -> bool:
    """Delete some of what belongs to runs neither on show nor being staged; whether there may be more."""
    kept = sa.union(
        sa.select(t.shown.c.run_id), sa.select(t.runs.c.run_id).where(t.runs.c.state == "running")
    )
    more = False
    for table in (t.listings, t.published, p.plan_items, p.plan_people, p.plans):
        key = sa.tuple_(*table.primary_key.columns)
        some = sa.select(*table.primary_key.columns).where(table.c.run_id.not_in(kept)).limit(_SWEEP_ROWS)
        more |= connection.execute(sa.delete(table).where(key.in_(some))).rowcount > 0
    return more
