"""From decisions and facts to what a plan can choose among: who could do what on which days.

A day is a number of days since 1970 by the clock of the playbook's default time zone (UTC where it has none).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from engine.arbitration import ended
from engine.arms import team_members
from engine.contract import TIME
from engine.decide import Decisions
from engine.experiments import RANDOM
from engine.plan import Contacts
from engine.playbook import Playbook, Treatment
from engine.records import DAY_MICROS, History, Ints, Micros, known_rows
from engine.shadow_prices import due_minimums, whole_minutes
from engine.timing import expires_at, local_days

OFFERS: dict[str, pl.DataType] = {
    "account_id": pl.String(), "treatment": pl.String(), "role": pl.String(), "user_id": pl.String(),
    "channel": pl.String(), "about": pl.String(), "contact": pl.Boolean(), "priority": pl.Float64(),
    "value": pl.Float64(), "minutes": pl.Int64(),
    "days": pl.Int64(), "latitude": pl.Float64(), "longitude": pl.Float64(), "listed": pl.Boolean(),
    "explored": pl.Boolean(), "due": pl.String(),
}  # fmt: skip
"""Columns of offers: `value` is the `priority` and what is due, `days` has bit d set for the plan's day d,
`about` names what makes two contacts of an account equivalent, `contact` is false of a stop, which takes a
person's time but meets nobody, `due` the minimum without a price that it
would meet, null = none."""
BOOKINGS: dict[str, pl.DataType] = {
    "user_id": pl.String(), "account_id": pl.String(), "treatment": pl.String(), "channel": pl.String(),
    "at": pl.Int64(), "day": pl.Int64(), "minutes": pl.Int64(),
}  # fmt: skip
"""Columns of what is booked; `at` in microseconds UTC."""
_LATE = DAY_MICROS // 2


def first_day(playbook: Playbook, as_of: int) -> int:
    """The first day of a plan made at a moment: that day, or the next one when it is past noon."""
    return int(day_of(playbook, np.array([as_of + _LATE]))[0])


def day_of(playbook: Playbook, moments: Micros) -> Ints:
    """The day of each moment (microseconds UTC); shape (n,)."""
    return local_days(moments, playbook.default_timezone or "UTC")


def about(treatment: Treatment) -> str:
    """What a contact is about: those of one account with the same are equivalent, whoever makes them."""
    return f"topic:{treatment.topic}" if treatment.topic else f"action:{treatment.action}"


def offers_of(decisions: Decisions, history: History, playbook: Playbook, first: int) -> pl.DataFrame:
    """What each account could be given that takes somebody's time or a quota; columns `OFFERS`.

    Args:
        decisions: Of one moment.
        history: Facts of these accounts.
        first: The plan's first day.
    """
    rows, index = _plannable(decisions, playbook)
    own = [playbook.treatments[i] for i in range(len(playbook.treatments))]
    placed = decisions.ranking.places
    as_of = int(decisions.moments.as_of.max(initial=0))
    frame = pl.DataFrame(
        {
            "row": rows,
            "account_id": pl.Series(decisions.moments.account_ids, dtype=pl.String).gather(rows),
            "treatment": pl.Series([t.id for t in own], dtype=pl.String).gather(index),
            "role": pl.Series([t.role for t in own], dtype=pl.String).gather(index),
            "channel": pl.Series([t.channel for t in own], dtype=pl.String).gather(index),
            "about": pl.Series([about(t) for t in own], dtype=pl.String).gather(index),
            "contact": pl.Series([t.kind == "contact" for t in own], dtype=pl.Boolean).gather(index),
            "priority": decisions.priority.priority[rows, index],
            "value": _worth(decisions)[rows, index],
            "minutes": np.array([whole_minutes(t) for t in own], dtype=np.int64)[index],
            "days": _days(decisions, playbook, first, rows, index),
            "listed": (placed[rows] == index[:, None]).any(axis=1),
            "explored": decisions.ranking.explored[rows] & (placed[rows, 0] == index),
            "due": _promised(decisions, playbook, rows, index),
        }
    )
    blocked = _near_contacts(history, as_of, playbook, first)
    positions = positions_of(history, as_of)
    return (
        frame.join(team_members(history, decisions.moments), on=["row", "role"], how="left")
        .filter(pl.col("user_id").is_not_null() | pl.col("role").is_in(_system_roles(playbook)))
        .join(blocked, on="account_id", how="left")
        .join(positions, on="account_id", how="left")
        .with_columns(
            pl.when(pl.col("user_id").is_null() | ~pl.col("contact") | pl.col("blocked").is_null())
            .then("days")
            .otherwise(pl.col("days") & ~pl.col("blocked"))
            .alias("days")
        )
        .sort("account_id", "treatment")
        .select(*OFFERS)
    )


def _plannable(decisions: Decisions, playbook: Playbook) -> tuple[Ints, Ints]:
    """Rows and treatments of pairs that are eligible, worth something or listed, and take time or a quota.

    Whether an account is stopped or contacted has been decided on its list: no stop is planned that is not
    listed, and nothing that a listed one would end.
    """
    quotas, system = {quota.channel for quota in playbook.quotas}, _system_roles(playbook)
    takes = np.array(
        [t.kind != "none" and (t.role not in system or (t.kind == "contact" and t.channel in quotas))
         for t in playbook.treatments]
    )  # fmt: skip
    listed = np.zeros(decisions.priority.priority.shape, dtype=bool)
    for place in decisions.ranking.places.T:
        listed[np.arange(len(place)), np.maximum(place, 0)] = True
    # Where all is drawn at random, nothing but what was drawn may claim a place.
    free = (decisions.features.arm != RANDOM)[:, None]
    stop = np.array([t.kind == "stop" for t in playbook.treatments])
    wanted = ((_worth(decisions) > 0.0) & free & ~stop) | listed
    for each in np.flatnonzero(stop):
        wanted &= ~(listed[:, each, None] & ended(playbook)[each])
    rows, index = np.nonzero(decisions.objections.eligible & wanted & takes[None, :])
    return rows.astype(np.int64), index.astype(np.int64)


def _worth(decisions: Decisions) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    due = decisions.priority.due
    return decisions.priority.priority if due is None else decisions.priority.priority + due


def _promised(decisions: Decisions, playbook: Playbook, rows: Ints, index: Ints) -> pl.Series:
    """The first minimum without a price that each pair would meet, null = none."""
    names, first = [m.id for m in playbook.minimums], np.full(len(rows), -1, dtype=np.int64)
    asked = np.zeros(0) if decisions.priority.due is None else decisions.priority.due[rows, index]
    for place, due in enumerate(due_minimums(decisions.features, playbook)):
        if playbook.minimums[place].worth is None:
            first = np.where((first < 0) & due[rows, index] & (asked > 0.0), place, first)
    return pl.Series([*names, None], dtype=pl.String).gather(np.where(first < 0, len(names), first))


def _system_roles(playbook: Playbook) -> list[str]:
    return [role.id for role in playbook.roles if role.system]


def _days(decisions: Decisions, playbook: Playbook, first: int, rows: Ints, index: Ints) -> Ints:
    """The plan's days between the first moment at which a contact may be made and its end."""
    known = decisions.features
    contact = np.array([t.kind == "contact" for t in playbook.treatments])
    channel = np.maximum(known.set.channel_of[index], 0)
    opens = np.where(contact[index], known.not_before[rows, channel], decisions.moments.as_of[rows])
    ends = expires_at(playbook, decisions.moments.as_of)[rows, index]
    return open_days(playbook, opens, ends, first)


def open_days(playbook: Playbook, opens: Micros, ends: Micros, first: int) -> Ints:
    """Bit d is set where the plan's day d lies between two moments (microseconds UTC); shape (n,)."""
    horizon = playbook.plan.horizon_days if playbook.plan else 1
    start, end = day_of(playbook, opens) - first, day_of(playbook, ends) - first
    days = np.zeros(len(opens), dtype=np.int64)
    for day in range(horizon):
        days |= ((start <= day) & (day <= end)).astype(np.int64) << day
    return days


def positions_of(history: History, as_of: int) -> pl.DataFrame:
    """Where accounts are, as known at a moment: columns account_id, latitude, longitude."""
    return known_rows(history["accounts"], as_of).select(
        "account_id", *(pl.col(name).cast(pl.Float64) for name in ("latitude", "longitude"))
    ).unique("account_id", keep="last", maintain_order=True)  # fmt: skip


def bookings_of(history: History, as_of: int, playbook: Playbook, first: int) -> pl.DataFrame:
    """Contacts that people have planned themselves for the plan's days, as known; columns `BOOKINGS`."""
    horizon = playbook.plan.horizon_days if playbook.plan else 1
    by_treatment = {t.id: whole_minutes(t) for t in playbook.treatments}
    by_channel = {channel.id: int(np.ceil(channel.minutes)) for channel in playbook.channels}
    rows = _personal(history, as_of, playbook).filter(
        pl.col("status") == "planned", pl.col("user_id").is_not_null(),
        pl.col("day").is_between(first, first + horizon - 1),
    )  # fmt: skip
    own = pl.col("treatment").replace_strict(by_treatment, default=None, return_dtype=pl.Int64)
    usual = pl.col("channel").replace_strict(by_channel, default=0, return_dtype=pl.Int64)
    return (
        rows.with_columns(
            pl.coalesce(own, usual).alias("minutes"), pl.col("occurred_at").to_physical().alias("at")
        )
        .sort("user_id", "at", "account_id", "touchpoint_id")
        .select(*BOOKINGS)
    )


def contact_days(history: History, as_of: int, playbook: Playbook) -> pl.DataFrame:
    """Days on which accounts had or will have a personal contact, as known: columns account_id, day."""
    return _personal(history, as_of, playbook).select("account_id", "day").unique(maintain_order=True)


def blocked_days(contacts: pl.DataFrame, playbook: Playbook, first: int) -> pl.DataFrame:
    """Days too close to a contact: columns account_id, blocked (bit d is set for the plan's day d)."""
    settings = playbook.plan
    horizon, spacing = (settings.horizon_days, settings.spacing_days) if settings else (1, 1)
    apart = [(pl.col("day") - (first + day)).abs() < spacing for day in range(horizon)]
    bits = [near.any().cast(pl.Int64) * (1 << day) for day, near in enumerate(apart)]
    return contacts.group_by("account_id", maintain_order=True).agg(
        pl.sum_horizontal(bits).alias("blocked")  # counts
    )


def _near_contacts(history: History, as_of: int, playbook: Playbook, first: int) -> pl.DataFrame:
    return blocked_days(contact_days(history, as_of, playbook), playbook, first)


def _personal(history: History, as_of: int, playbook: Playbook) -> pl.DataFrame:
    """Contacts by people, done or planned, with the column `day`."""
    personal = [c.id for c in playbook.channels if c.outbound and not c.automated]
    rows = known_rows(history["touchpoints"], as_of).filter(
        pl.col("direction") == "outbound", pl.col("channel").is_in(personal),
        pl.col("status").is_in(["done", "planned"]),
    )  # fmt: skip
    moments = rows["occurred_at"].cast(TIME).to_physical().to_numpy()
    return rows.with_columns(pl.Series("day", day_of(playbook, moments), dtype=pl.Int64))


def as_contacts(offers: pl.DataFrame, people: Sequence[str], quotas: Sequence[str], fixed: Ints) -> Contacts:
    """Offers as the arrays of a plan, in their order.

    Args:
        offers: Columns `OFFERS`; a user among `people`, or nobody.
        people: Users by number.
        quotas: Channels by number of their quota.
        fixed: Day of each offer that is settled, -1 = free.
    """
    # Only what a person says to the account is spaced: the rest counts as accounts of their own.
    kind = pl.struct("account_id", pl.col("user_id").is_null(), "contact")
    account = offers.select(kind).to_series().rank("dense")
    return Contacts(
        account=account.cast(pl.Int64).to_numpy() - 1,
        about=offers["about"].rank("dense").cast(pl.Int64).to_numpy() - 1,
        person=_codes(offers["user_id"], _numbered(people)),
        value=offers["value"].to_numpy(),
        minutes=offers["minutes"].to_numpy(),
        quota=np.where(offers["contact"], _codes(offers["channel"], _numbered(quotas)), -1),
        days=offers["days"].to_numpy(),
        fixed=fixed,
        promise=_promises(offers),
    )


def _promises(offers: pl.DataFrame) -> Ints:
    """A number for each account and minimum, -1 where none is due."""
    number = pl.struct("account_id", "due").rank("dense").cast(pl.Int64) - 1
    found = offers.select(pl.when(pl.col("due").is_not_null()).then(number).otherwise(-1).alias("number"))
    return found["number"].to_numpy()


def _numbered(names: Sequence[str]) -> dict[str, int]:
    return {name: number for number, name in enumerate(names)}


def _codes(names: pl.Series, numbers: Mapping[str, int]) -> Ints:
    found = names.replace_strict(numbers, default=-1, return_dtype=pl.Int64).fill_null(-1)
    return np.array(found, dtype=np.int64)
