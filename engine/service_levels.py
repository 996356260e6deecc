"""Until when somebody has to act: hours that are agreed, counted in working time.

Working time is the same hours on every working day. Zones are arguments; nothing here reads a clock.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

from engine.contract import WEEKDAYS
from engine.playbook_text import PlaybookError, Tables
from engine.records import EPOCH

_HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class ServiceLevel:
    """How soon a role acts on what it is handed.

    Attributes:
        hours: Of working time.
        days: Working days, names in English.
        from_hour, until_hour: Of a working day, local time, 0 to 24; 0 and 24 on all days = by the clock.
    """

    role: str
    hours: float
    days: tuple[str, ...]
    from_hour: float
    until_hour: float

    @property
    def by_the_clock(self) -> bool:
        """Whether it runs by day and night on all days."""
        return len(self.days) == len(WEEKDAYS) and (self.from_hour, self.until_hour) == (0, 24)


def due_at(level: ServiceLevel, since: int, zone: tzinfo, holidays: Collection[int] = ()) -> int:
    """When the agreed working hours after `since` are over; both in microseconds UTC.

    A working day lasts from the local `from_hour` to the local `until_hour`, so that it is an hour shorter or
    longer where the clocks change in between. A legal clock, by day and night, knows no holidays.

    Args:
        zone: Of whoever has to act.
        holidays: Days on which nobody works, since 1970-01-01.
    """
    off = frozenset() if level.by_the_clock else frozenset(holidays)
    left = timedelta(hours=level.hours)
    moment = EPOCH + timedelta(microseconds=since)
    day = moment.astimezone(zone).date()
    while True:
        if WEEKDAYS[day.weekday()] in level.days and (day - EPOCH.date()).days not in off:
            midnight = datetime(day.year, day.month, day.day, tzinfo=zone)
            opens = max(moment, _local(midnight, level.from_hour))
            closes = _local(midnight, level.until_hour)
            if closes - opens >= left:
                return (opens + left - EPOCH) // timedelta(microseconds=1)
            left -= max(closes - opens, timedelta(0))
        day += timedelta(days=1)


def _local(midnight: datetime, hour: float) -> datetime:
    """A wall-clock hour of that day as a moment in UTC."""
    return (midnight + hour * _HOUR).astimezone(UTC)


def read_service_levels(tables: Tables) -> dict[str, ServiceLevel]:
    """Role -> its level.

    Raises PlaybookError: no such role, no working day, a day of less than an hour, a safety role without a
    legal clock, without a topic or that is the system, a safety topic without a role.
    """
    roles = tables.sections["roles"]
    levels = {}
    for key, table in tables.sections["service_levels"].items():
        where = f"service_levels.{key}"
        if key not in roles:
            raise PlaybookError(f"{where}: {key!r} is no role; known: {', '.join(roles)}.")
        if not table["days"]:
            raise PlaybookError(f"{where}.days: empty; name at least one working day.")
        if table["until_hour"] - table["from_hour"] < 1:
            raise PlaybookError(f"{where}.until_hour: a working day has at least one hour after from_hour.")
        levels[key] = ServiceLevel(role=key, **table)
    _check_safety(tables, levels)
    return levels


def _check_safety(tables: Tables, levels: Mapping[str, ServiceLevel]) -> None:
    roles, safety = tables.sections["roles"], tables.top["safety_role"]
    reported = [key for key, topic in tables.sections["topics"].items() if topic["safety"]]
    if reported and not safety:
        raise PlaybookError(f"safety_role: missing; reports on topics.{reported[0]} need somebody to go to.")
    if safety and not reported:
        raise PlaybookError("safety_role: no topic says safety = true, so no report would ever reach it.")
    if safety and roles[safety]["system"]:
        raise PlaybookError(f"safety_role: {safety!r} is the system; a report needs a person.")
    if safety and safety not in levels:
        raise PlaybookError(f"safety_role: [service_levels.{safety}] is missing: its legal clock in hours.")
