"""A live fact as it comes in, checked by the same contract as a file."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from data.ledger.types import TailRow
from data.times import parse_time, to_iso
from engine.contract import LARGEST_NUMBER, TABLES, Column, Kind
from engine.playbook import Playbook
from engine.records import EngineError

LIVE_TABLES = ("touchpoints", "responses", "outcomes", "preferences", "offers")
"""What may come in live; standing facts (accounts, team, users) come by `nextbest ingest`."""

CLOCK_SKEW_MICROS = 60_000_000
"""A sender's clock may run ahead by this much; its events count as of now."""


class EventError(EngineError):
    """An event is not of the contract; nothing of the request was stored."""


def check_event(
    event_id: str, table: str, account_id: str, row: Mapping[str, Any], *, playbook: Playbook, now: int
) -> TailRow:
    """One event as the row that is stored.

    Where the contract's own time, the id or (for a preference) the kind is left out, the moment of arrival,
    the event's id and "permission" are taken.

    Args:
        row: Column of the contract -> value; times as ISO 8601 with a zone.
        now: Microseconds UTC.

    Raises:
        EventError: Names the column, what was got and what is near it.
    """
    if table not in LIVE_TABLES:
        raise EventError(f"Event {event_id!r}: {_unknown('table', table, LIVE_TABLES)}")
    columns = {c.name: c for c in TABLES[table].columns}
    for name in row:
        if name not in columns:
            raise EventError(f"Event {event_id!r}: {_unknown(f'column of {table}', name, columns)}")
    given = _with_defaults(event_id, table, account_id, row, now)
    content = {name: _value(event_id, column, given.get(name)) for name, column in columns.items()}
    sent = dict(content)
    if (own_time := TABLES[table].time) is not None and row.get(own_time) is None:
        sent[own_time] = None  # filled in by arrival: the same event sent again arrives later
    _check_time(event_id, table, content, now)
    _check_words(event_id, content, playbook)
    return TailRow(event_id, table, account_id, content, sent=sent)


def _with_defaults(
    event_id: str, table: str, account_id: str, row: Mapping[str, Any], now: int
) -> dict[str, Any]:
    given = {name: value for name, value in row.items() if value is not None}
    if given.get("account_id", account_id) != account_id:
        raise EventError(f"Event {event_id!r}: account_id differs inside and outside of the row.")
    columns = {c.name for c in TABLES[table].columns}
    own_time = TABLES[table].time
    defaults: dict[str, Any] = {"account_id": account_id, "kind": "permission"} if "purpose" in columns else {
        "account_id": account_id
    }  # fmt: skip
    if own_time is not None:
        defaults[own_time] = to_iso(now)
    if table != "responses" and len(TABLES[table].key) == 1:
        defaults[TABLES[table].key[0]] = event_id
    return {name: value for name, value in (defaults | given).items() if name in columns}


def _value(event_id: str, column: Column, value: Any) -> Any:
    """The value as it is stored; raises EventError."""
    if value is None:
        if column.required:
            raise EventError(f"Event {event_id!r}: {column.name} is missing. {column.meaning}")
        return None
    try:
        typed = _CHECKS[column.kind](value)
    except (ValueError, TypeError) as error:
        detail = f" {error}" if str(error) and column.kind in (Kind.TIME, Kind.NUMBER) else ""
        raise EventError(
            f"Event {event_id!r}: {column.name} must be {column.kind}, got {value!r}.{detail}"
        ) from None
    if column.choices and typed not in column.choices:
        raise EventError(f"Event {event_id!r}: {_unknown(column.name, str(typed), column.choices)}")
    return typed


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError
    return value


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError
    if not abs(value) <= LARGEST_NUMBER:
        raise ValueError(f"It lies within {LARGEST_NUMBER:g} either way.")
    return float(value)


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError
    return value


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError
    return value


def _json(value: Any) -> str:
    if not isinstance(value, dict):
        raise ValueError
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def _list(value: Any) -> str:
    if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
        raise ValueError
    return "|".join(value)


_CHECKS = {
    Kind.TEXT: _text,
    Kind.NUMBER: _number,
    Kind.WHOLE: _whole,
    Kind.FLAG: _flag,
    Kind.TIME: lambda value: parse_time(_text(value)),
    Kind.JSON: _json,
    Kind.LIST: _list,
}


def _check_time(event_id: str, table: str, content: dict[str, Any], now: int) -> None:
    """What has not happened yet is not a fact, except a plan."""
    name = TABLES[table].time
    if name is None or content.get("status") == "planned":
        return
    ahead = content[name] - now
    if ahead > CLOCK_SKEW_MICROS:
        raise EventError(
            f"Event {event_id!r}: {name} {to_iso(content[name])} lies {ahead // 1_000_000:,} s ahead of our "
            "clock; only planned touchpoints may lie ahead."
        )
    content[name] = min(content[name], now)


def _check_words(event_id: str, content: Mapping[str, Any], playbook: Playbook) -> None:
    known: dict[str, Iterable[str]] = {
        "channel": [c.id for c in playbook.channels] + ["*"] * ("purpose" in content),
        "topic": [t.id for t in playbook.topics],
        "treatment": [t.id for t in playbook.treatments],
    }
    for name, words in known.items():
        value = content.get(name)
        if value is not None and value not in words:
            raise EventError(f"Event {event_id!r}: {_unknown(name, value, list(words))}")


def _unknown(what: str, got: str, known: Collection[str]) -> str:
    close = get_close_matches(got, list(known), n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"known are {', '.join(sorted(known))}."
    return f"unknown {what} {got!r}, {hint}"
