"""Decisions as they were logged, many at a time: whole ones, and those whose record a night's files keep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl
import sqlalchemy as sa

from data.ledger import schema as t
from data.ledger.connection import Database
from data.ledger.statements import chunks, named
from data.ledger.types import LoggedDecision

_TEXT = sa.type_coerce(t.decisions.c.record, sa.Text)
_OF_NIGHT = sa.or_(*(_TEXT.like(begin) for begin in ('{"night":%', '{"eligible":"%', '{"arm":"%')))
"""Keys are stored sorted, so one of these comes first; in a record that is kept whole it is a list."""
_TRIGGER = "night:"
LAST = {"account_id": pl.String(), "decided_at": pl.Int64(), "treatment": pl.String(),
        "probability": pl.Float64()}  # fmt: skip
"""Columns of `DecisionLog.last_before`."""


class DecisionLog:
    """Reads them, each method in a transaction of its own; times in microseconds UTC."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def live(self, *, after: tuple[int, str], until: int, limit: int) -> list[LoggedDecision]:
        """Decisions that are kept whole, by moment and id, from behind `after` to before `until`."""
        return self._page(after, until, limit, ~_OF_NIGHT)

    def every(self, *, after: tuple[int, str], until: int, limit: int) -> list[LoggedDecision]:
        """The same with those whose record a night's files keep."""
        return self._page(after, until, limit)

    def _page(
        self, after: tuple[int, str], until: int, limit: int, *only: sa.ColumnElement[bool]
    ) -> list[LoggedDecision]:
        own = t.decisions.c
        moment, decision_id = after
        behind = (own.decided_at > moment) | ((own.decided_at == moment) & (own.decision_id > decision_id))
        query = (
            sa.select(t.decisions)
            .where(behind, own.decided_at < until, *only)
            .order_by(own.decided_at, own.decision_id)
            .limit(limit)
        )
        with self._database.reading() as connection:
            return [LoggedDecision(**named(row)) for row in connection.execute(query)]

    def count_live(self, *, since: int, until: int) -> int:
        """How many of these there are."""
        query = sa.select(sa.func.count()).select_from(t.decisions).where(*_within(since, until), ~_OF_NIGHT)
        with self._database.reading() as connection:
            return int(connection.execute(query).scalar_one())

    def count_of(self, account_ids: Sequence[str], *, since: int, until: int) -> int:
        """How many decisions there are of these accounts."""
        own, count = t.decisions.c, sa.select(sa.func.count()).select_from(t.decisions)
        within = count.where(*_within(since, until))
        with self._database.reading() as connection:
            return sum(
                int(connection.execute(within.where(own.account_id.in_(some))).scalar_one())
                for some in chunks(account_ids)
            )

    def by_night(self, *, since: int, until: int) -> Mapping[str, int]:
        """Run -> decisions whose record its files keep."""
        trigger = t.decisions.c.trigger
        query = (
            sa.select(trigger, sa.func.count())
            .where(*_within(since, until), _OF_NIGHT)
            .group_by(trigger)
            .order_by(trigger)
        )
        with self._database.reading() as connection:
            found = [tuple(row) for row in connection.execute(query)]
        return {name.removeprefix(_TRIGGER): int(count) for name, count in found}

    def of_night(self, run_id: str, account_ids: Sequence[str]) -> Mapping[str, tuple[str, float]]:
        """Account -> treatment and probability of what a run decided first, if its files keep it."""
        own = t.decisions.c
        found: dict[str, tuple[str, float]] = {}
        with self._database.reading() as connection:
            for some in chunks(account_ids):
                query = sa.select(own.account_id, own.treatment, own.probability).where(
                    own.account_id.in_(some), own.trigger == f"{_TRIGGER}{run_id}", _OF_NIGHT
                )
                found |= {row[0]: (row[1], row[2]) for row in connection.execute(query)}
        return found

    def last_before(self, moment: int) -> pl.DataFrame:
        """The last decision of each account before a moment, in the columns `LAST`."""
        own = t.decisions.c
        last = (
            sa.select(own.account_id, sa.func.max(own.decided_at).label("at"))
            .where(own.decided_at < moment)
            .group_by(own.account_id)
            .subquery()
        )
        query = (
            sa.select(own.account_id, own.decided_at, own.treatment, own.probability)
            .join(last, (own.account_id == last.c.account_id) & (own.decided_at == last.c.at))
            .order_by(own.account_id, own.decision_id)
        )
        with self._database.reading() as connection:
            rows = [tuple(row) for row in connection.execute(query)]
        return pl.DataFrame(rows, schema=LAST, orient="row").unique("account_id", maintain_order=True)


def _within(since: int, until: int) -> tuple[sa.ColumnElement[bool], ...]:
    return t.decisions.c.decided_at >= since, t.decisions.c.decided_at < until
