"""Decisions as they were logged, many at a time: whole ones, and those whose record a night's files keep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from data.ledger import schema as t
from data.ledger.statements import chunks, columns, named
from data.ledger.types import LoggedDecision

_COLUMNS = ("decision_id", "account_id", "decided_at", "treatment", "probability", "explored", "playbook",
            "release", "seed", "trigger", "record")  # fmt: skip
_OF_NIGHT = sa.type_coerce(t.decisions.c.record, sa.Text).like('{"night":%')
_TRIGGER = "night:"


def live(
    connection: sa.Connection, *, after: tuple[int, str], until: int, limit: int
) -> list[LoggedDecision]:
    """Some decisions that are kept whole, by moment and id."""
    own = t.decisions.c
    moment, decision_id = after
    behind = (own.decided_at > moment) | ((own.decided_at == moment) & (own.decision_id > decision_id))
    query = (
        sa.select(*columns(t.decisions, *_COLUMNS))
        .where(behind, own.decided_at < until, ~_OF_NIGHT)
        .order_by(own.decided_at, own.decision_id)
        .limit(limit)
    )
    return [LoggedDecision(**named(row)) for row in connection.execute(query)]


def count_live(connection: sa.Connection, *, since: int, until: int) -> int:
    """How many decisions are kept whole."""
    query = sa.select(sa.func.count()).select_from(t.decisions).where(*_within(since, until), ~_OF_NIGHT)
    return int(connection.execute(query).scalar_one())


def by_night(connection: sa.Connection, *, since: int, until: int) -> Mapping[str, int]:
    """Run -> decisions whose record its files keep."""
    trigger = t.decisions.c.trigger
    query = (
        sa.select(trigger, sa.func.count())
        .where(*_within(since, until), _OF_NIGHT)
        .group_by(trigger)
        .order_by(trigger)
    )
    return {row[0].removeprefix(_TRIGGER): int(row[1]) for row in connection.execute(query)}


def of_night(
    connection: sa.Connection, run_id: str, account_ids: Sequence[str]
) -> Mapping[str, tuple[str, float]]:
    """Account -> treatment and probability of what a run decided first, of those whose record it keeps."""
    own = t.decisions.c
    found: dict[str, tuple[str, float]] = {}
    for some in chunks(account_ids):
        query = sa.select(own.account_id, own.treatment, own.probability).where(
            own.account_id.in_(some), own.trigger == f"{_TRIGGER}{run_id}", _OF_NIGHT
        )
        found |= {row[0]: (row[1], row[2]) for row in connection.execute(query)}
    return found


def _within(since: int, until: int) -> tuple[sa.ColumnElement[bool], ...]:
    return t.decisions.c.decided_at >= since, t.decisions.c.decided_at < until
