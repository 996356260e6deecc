"""What a playbook says of the plan: its days, how contacts are spaced, quotas and minimums; checked."""

from __future__ import annotations

from dataclasses import dataclass

from engine.conditions import Condition
from engine.playbook_text import PlaybookError, Tables


@dataclass(frozen=True)
class Quota:
    """At most `count` contacts through a channel in one plan, over all accounts and people."""

    id: str
    channel: str
    count: int


@dataclass(frozen=True)
class Minimum:
    """A contact that is due where `when` (and `applies`) hold.

    Attributes:
        when: When an account is due; unknown counts as not.
        applies: Which treatments meet it; None = all.
        worth: In currency, added in the ranking; None = it goes before everything and the plan keeps it
            wherever hours and quotas allow.
    """

    id: str
    when: Condition
    applies: Condition | None
    worth: float | None


@dataclass(frozen=True)
class PlanSettings:
    """How people's days are planned.

    Attributes:
        horizon_days: Days of a plan, days off among them.
        minutes_per_day: Of customer time on a working day of somebody whose calendar is not given.
        spacing_days: Days from one personal contact of an account to the next at least.
        per_account: Personal contacts of an account in one plan at most.
        nearby_km: Distance up to which contacts of one person are brought together on one day.
    """

    horizon_days: int
    minutes_per_day: float
    spacing_days: int
    per_account: int
    nearby_km: float


def read_plan(tables: Tables) -> PlanSettings | None:
    """The section [plan]; None = it is not there or switched off."""
    for table in tables.sections["plan"].values():
        if table["on"]:
            return PlanSettings(**{name: value for name, value in table.items() if name != "on"})
    return None


def read_quotas(tables: Tables) -> tuple[Quota, ...]:
    """The section [quotas]. Raises PlaybookError: two for one channel, or quotas without a plan."""
    found: dict[str, Quota] = {}
    for key, table in tables.sections["quotas"].items():
        channel = table["channel"]
        if channel in found:
            raise PlaybookError(f"quotas.{key}: {channel!r} has the quota {found[channel].id!r} already.")
        if not tables.sections["channels"][channel].get("outbound", True):
            raise PlaybookError(f"quotas.{key}.channel: {channel!r} is not outbound; nothing is sent by it.")
        found[channel] = Quota(id=key, **table)
    if found and read_plan(tables) is None:
        raise PlaybookError("quotas: they are kept by the plan; add the table [plan].")
    return tuple(sorted(found.values(), key=lambda quota: quota.channel))
