"""Looks: selects that every request asks, put together once and given to SQLite's driver as they are.

Through SQLAlchemy and a transaction of its own such a select takes seven to ten times as long.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

Reading = sa.Connection | sqlite3.Connection
"""One consistent state that is read: through SQLAlchemy, or of SQLite's driver itself."""

_SQLITE = sqlite.dialect(paramstyle="named")


class Look:
    """A select whose values are given each time; shared by threads.

    Args:
        query: Its parameters are texts and numbers, or (expanding) lists of them.
    """

    def __init__(self, query: sa.Select[Any]) -> None:
        self._query = query
        kinds = (one.type.dialect_impl(_SQLITE) for one in query.selected_columns)
        readers = enumerate(kind.result_processor(_SQLITE, None) for kind in kinds)
        self._readers = [(place, read) for place, read in readers if read is not None]
        self._said: dict[tuple[int, ...], tuple[str, dict[str, Any]]] = {}

    def rows(self, reading: Reading, **values: Any) -> Sequence[Sequence[Any]]:
        """What it finds, each row in the order of the columns."""
        if isinstance(reading, sa.Connection):
            if reading.dialect.name != "sqlite":
                return reading.execute(self._query, values).all()
            reading = cast(sqlite3.Connection, reading.connection.driver_connection)
        lists = {name: _filled_up(value) for name, value in values.items() if isinstance(value, list)}
        for name, several in lists.items():
            values |= {name: several, **{f"{name}_{n}": one for n, one in enumerate(several, 1)}}
        text, constants = self._as_said(values, tuple(map(len, lists.values())))
        found = reading.execute(text, constants | values).fetchall()
        return [self._as_kept(row) for row in found] if self._readers else found

    def row(self, reading: Reading, **values: Any) -> Sequence[Any] | None:
        """The first row that it finds; None where there is none."""
        found = self.rows(reading, **values)
        return found[0] if found else None

    def _as_said(self, given: Mapping[str, Any], lengths: tuple[int, ...]) -> tuple[str, dict[str, Any]]:
        """The statement for lists of these lengths, and its constants."""
        if (said := self._said.get(lengths)) is None:
            state = self._query.compile(dialect=_SQLITE).construct_expanded_state(given)
            constants = {name: one for name, one in state.parameters.items() if name not in given}
            said = self._said[lengths] = state.statement, constants
        return said

    def _as_kept(self, row: Sequence[Any]) -> Sequence[Any]:
        """With JSON read, and numbers for yes and no as such."""
        values = list(row)
        for place, read in self._readers:
            values[place] = read(values[place])
        return values


def _filled_up(several: list[Any]) -> list[Any]:
    """The same to be among, of a length that is a power of two: there are few statements to keep."""
    size = 1 << (len(several) - 1).bit_length() if several else 0
    return [*several, *several[-1:] * (size - len(several))]
