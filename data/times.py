"""Moments: between datetimes with a zone, ISO 8601 and microseconds since 1970-01-01 UTC."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

# Not taken from `engine.records`: commands that load nothing heavy read times.
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def now_micros() -> int:
    """The clock of the machine, microseconds UTC."""
    return time.time_ns() // 1000


def micros(moment: datetime) -> int:
    """Microseconds since 1970-01-01 UTC. Raises ValueError where the zone is missing."""
    if moment.tzinfo is None:
        raise ValueError(
            f"Got the time {moment.isoformat()} without a zone; write {moment.isoformat()}Z for UTC."
        )
    return (moment - _EPOCH) // timedelta(microseconds=1)


def parse_time(text: str) -> int:
    """ISO 8601 with a zone to microseconds UTC; a bare date is its midnight UTC.

    Raises ValueError that says what is wrong.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(
            f"Got {text!r}, need an ISO 8601 time with a zone, such as 2026-01-31T06:00Z."
        ) from None
    if len(text) == len("2026-01-31"):
        moment = moment.replace(tzinfo=UTC)
    return micros(moment)


def to_datetime(moment: int) -> datetime:
    """The same moment with zone UTC."""
    return _EPOCH + timedelta(microseconds=moment)


def to_iso(moment: int) -> str:
    """ISO 8601 in UTC."""
    return to_datetime(moment).isoformat().replace("+00:00", "Z")
