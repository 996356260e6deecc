"""The plan of people's days in the ledger: stored with its run, planned again person by person."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any

import polars as pl
import sqlalchemy as sa

from data.ledger import plan_schema as p
from data.ledger import schema as t
from data.ledger.plan_types import NightPlan, PersonDays, PersonPlan, PlanHead, PlanItem, PlanMove
from data.ledger.runs import SHOWN_RUN
from data.ledger.statements import chunks, columns, insert_many, named, upsert
from data.ledger.types import ConflictError

Check = Callable[[list[Any]], None]
"""Raises where what people have settled is not what was read."""
_ITEM = tuple(field.name for field in fields(PlanItem))
_HEAD = tuple(field.name for field in fields(PlanHead))
_PERSON = tuple(field.name for field in fields(PersonDays))
_MOVE = tuple(field.name for field in fields(PlanMove))


def begin(connection: sa.Connection, plan: NightPlan) -> None:
    """Put a run's plan without its items in place of what it had; on show when the run is."""
    run_id = plan.head.run_id
    for table in (p.plans, p.plan_people, p.plan_items):
        connection.execute(sa.delete(table).where(table.c.run_id == run_id))
    connection.execute(sa.insert(p.plans).values(**asdict(plan.head)))
    insert_many(connection, p.plan_people, [{"run_id": run_id, **asdict(one)} for one in plan.people])


def add_items(connection: sa.Connection, run_id: str, items: pl.DataFrame) -> None:
    """Put items of a run's plan there; columns `PLAN_ITEMS`."""
    rows = items.iter_rows(named=True)
    made = [{"run_id": run_id, **row, "why": row["why"] and t.Written(row["why"])} for row in rows]
    insert_many(connection, p.plan_items, made)


def head(connection: sa.Connection) -> PlanHead | None:
    """What holds for all of the plan on show; None where the run on show has none."""
    query = sa.select(*columns(p.plans, *_HEAD)).where(p.plans.c.run_id == SHOWN_RUN)
    row = connection.execute(query).one_or_none()
    return None if row is None else PlanHead(**named(row))


def given(connection: sa.Connection, run_id: str) -> dict[str, frozenset[str]]:
    """Account -> treatments that the run's plan has given their time or quota."""
    own = p.plan_items.c
    query = sa.select(own.account_id, own.treatment).where(own.run_id == run_id, own.in_plan)
    found: dict[str, set[str]] = {}
    for account, treatment in connection.execute(query):
        found.setdefault(account, set()).add(treatment)
    return {account: frozenset(treatments) for account, treatments in found.items()}


def of_person(connection: sa.Connection, user_id: str) -> PersonPlan | None:
    """Her part of the plan on show, by day and place, what waits last; None where she has none."""
    whole = head(connection)
    if whole is None:
        return None
    mine = (p.plan_people.c.run_id == whole.run_id, p.plan_people.c.user_id == user_id)
    row = connection.execute(sa.select(*columns(p.plan_people, *_PERSON)).where(*mine)).one_or_none()
    if row is None:
        return None
    own = p.plan_items.c
    order = (own.day.is_(None), own.day, own.place, own.value.desc(), own.account_id, own.treatment)
    query = sa.select(*columns(p.plan_items, *_ITEM)).where(
        own.run_id == whole.run_id, own.user_id == user_id
    )
    items = [PlanItem(**named(found)) for found in connection.execute(query.order_by(*order))]
    listed, displaced = ([one for one in items if one.listed is wanted] for wanted in (True, False))
    return PersonPlan(whole, PersonDays(**named(row)), tuple(listed), tuple(displaced))


def planned_elsewhere(connection: sa.Connection, run_id: str, account_ids: Sequence[str], user_id: str
                      ) -> list[PlanItem]:  # fmt: skip
    """What colleagues have planned for these accounts."""
    own, found = p.plan_items.c, []
    for chunk in chunks(sorted(account_ids)):
        query = sa.select(*columns(p.plan_items, *_ITEM)).where(
            own.run_id == run_id, own.account_id.in_(chunk), own.user_id != user_id, own.day.is_not(None)
        )
        found += [PlanItem(**named(row)) for row in connection.execute(query)]
    return found


def used_by_channel(connection: sa.Connection, run_id: str, treatments: Mapping[str, str], user_id: str
                    ) -> dict[str, int]:  # fmt: skip
    """Channel -> contacts that all others have planned; `treatments` = those that count -> their channel."""
    own = p.plan_items.c
    counted = sa.or_(own.day.is_not(None), sa.and_(own.user_id.is_(None), own.in_plan))
    others = sa.or_(own.user_id.is_(None), own.user_id != user_id)
    query = (
        sa.select(own.treatment, sa.func.count())
        .where(own.run_id == run_id, counted, others, own.treatment.in_(sorted(treatments)))
        .group_by(own.treatment)
    )
    used: dict[str, int] = {}
    for treatment, count in connection.execute(query):
        used[treatments[treatment]] = used.get(treatments[treatment], 0) + count
    return used


def changed_since_night(connection: sa.Connection, account_ids: Collection[str]) -> set[str]:
    """Those of these accounts that have facts which the night did not know."""
    found: set[str] = set()
    for chunk in chunks(sorted(account_ids)):
        query = sa.select(t.tail.c.account_id).where(t.tail.c.account_id.in_(chunk)).distinct()
        found |= set(connection.scalars(query))
    return found


def replace_person(connection: sa.Connection, run_id: str, person: PersonDays, items: Sequence[PlanItem],
                   disturbed: Sequence[str] = ()) -> None:  # fmt: skip
    """Put a person's days as planned again in place; raises ConflictError when they have changed meanwhile.

    `person.version` is the one that the planning began with; the days of who is `disturbed` are planned again
    when they are next asked for.
    """
    own = p.plan_people.c
    mine = (own.run_id == run_id, own.user_id == person.user_id)
    found = connection.execute(
        sa.update(p.plan_people)
        .where(*mine, own.version == person.version)
        .values(days=list(person.days), version=person.version + 1, stale=False)
    )
    if found.rowcount != 1:
        raise ConflictError(f"The days of {person.user_id!r} have changed meanwhile: plan them again.")
    item = p.plan_items.c
    mine_listed = (item.run_id == run_id, item.user_id == person.user_id, item.listed)
    connection.execute(sa.delete(p.plan_items).where(*mine_listed))
    rows = [{"run_id": run_id, **asdict(one)} for one in items]
    # What a colleague had before the team changed may stand there under her name.
    upsert(connection, p.plan_items, rows, update=[name for name in _ITEM if name not in _KEY])
    for user in disturbed:
        _stale(connection, user)


_KEY = ("account_id", "treatment", "role")


def move(connection: sa.Connection, settled: PlanMove) -> None:
    """Settle the day of something; the person's days are planned again when they are next asked for."""
    _stale(connection, settled.user_id)
    upsert(connection, p.plan_moves, [asdict(settled)], update=[n for n in _MOVE if n not in _KEY])


def free(connection: sa.Connection, identity: tuple[str, str, str], user_id: str) -> None:
    """Leave the day of something to the plan again."""
    _stale(connection, user_id)
    own = p.plan_moves.c
    key = zip((own.account_id, own.treatment, own.role), identity, strict=True)
    connection.execute(sa.delete(p.plan_moves).where(*(column == value for column, value in key)))


def settled_day(connection: sa.Connection, identity: tuple[str, str, str]) -> PlanMove | None:
    """What people have settled for something (account, treatment, role); None = it is left to the plan."""
    own = p.plan_moves.c
    key = zip((own.account_id, own.treatment, own.role), identity, strict=True)
    query = sa.select(*columns(p.plan_moves, *_MOVE)).where(*(column == value for column, value in key))
    row = connection.execute(query).one_or_none()
    return None if row is None else PlanMove(**named(row))


def settled(connection: sa.Connection, user_id: str) -> list[Any]:
    """All that people have settled of a person's days, as JSON values: what tells one state from another."""
    own = p.plan_absences.c
    days = connection.scalars(sa.select(own.day).where(own.user_id == user_id).order_by(own.day))
    places = [[*one.identity, one.day, one.at] for one in moves(connection, from_day=0, user_id=user_id)]
    return [user_id, places, list(days)]


def unless_changed(connection: sa.Connection, user_id: str, check: Check | None) -> None:
    """Have what is settled checked by who is about to settle more; others wait meanwhile."""
    if check is not None:
        _stale(connection, user_id)  # holds the rows of her days
        check(settled(connection, user_id))


def give_way(connection: sa.Connection, account_id: str, user_id: str, days: Sequence[int]) -> None:
    """Have the days of colleagues planned again who want to see an account on one of these days."""
    own = p.plan_items.c
    near = sa.select(own.user_id).where(
        own.account_id == account_id, own.user_id != user_id, own.day.in_(days), own.settled.is_(False)
    )
    for user in sorted(connection.scalars(near.distinct())):
        _stale(connection, user)


def moves(connection: sa.Connection, *, from_day: int, user_id: str | None = None) -> list[PlanMove]:
    """What people have settled from a day on."""
    own = p.plan_moves.c
    query = sa.select(*columns(p.plan_moves, *_MOVE)).where(own.day >= from_day)
    if user_id is not None:
        query = query.where(own.user_id == user_id)
    ordered = query.order_by(own.user_id, own.day, own.account_id, own.treatment, own.role)
    return [PlanMove(**named(row)) for row in connection.execute(ordered)]


def set_absence(
    connection: sa.Connection, user_id: str, days: Sequence[int], *, absent: bool, by: str, now: int
) -> None:
    """Say that a person is away on some days, or take that back."""
    if absent:
        rows = [{"user_id": user_id, "day": day, "set_by": by, "set_at": now} for day in days]
        upsert(connection, p.plan_absences, rows, update=("set_by", "set_at"))
    else:
        own = p.plan_absences.c
        connection.execute(sa.delete(p.plan_absences).where(own.user_id == user_id, own.day.in_(days)))
    _stale(connection, user_id)


def absences(connection: sa.Connection) -> dict[str, frozenset[int]]:
    """User -> days on which people said that she is away."""
    found: dict[str, set[int]] = {}
    for user, day in connection.execute(sa.select(p.plan_absences.c.user_id, p.plan_absences.c.day)):
        found.setdefault(user, set()).add(day)
    return {user: frozenset(days) for user, days in found.items()}


def calendars(connection: sa.Connection) -> dict[str, Mapping[str, Any]]:
    """User -> minutes by weekday (monday_minutes ...) and absences, as loaded."""
    return {
        row.user_id: row.calendar
        for row in connection.execute(sa.select(t.users.c.user_id, t.users.c.calendar))
    }


def loads(connection: sa.Connection, run_id: str) -> list[dict[str, Any]]:
    """Each person's time in a run's plan, by user: user_id, minutes, planned_minutes, contacts, waiting."""
    own, people = p.plan_items.c, p.plan_people.c
    planned = sa.case((own.day.is_not(None), own.minutes), else_=0)
    has_day = sa.case((own.day.is_not(None), 1), else_=0)
    waits = sa.case((sa.and_(own.day.is_(None), own.listed), 1), else_=0)
    query = (
        sa.select(
            people.user_id, people.days,
            sa.func.coalesce(sa.func.sum(planned), 0).label("planned_minutes"),
            sa.func.coalesce(sa.func.sum(has_day), 0).label("contacts"),
            sa.func.coalesce(sa.func.sum(waits), 0).label("waiting"),
        )
        .select_from(p.plan_people)
        .outerjoin(p.plan_items, sa.and_(own.run_id == people.run_id, own.user_id == people.user_id))
        .where(people.run_id == run_id)
        .group_by(people.user_id, people.days)
        .order_by(people.user_id)
    )  # fmt: skip
    return [
        {
            "user_id": row.user_id, "minutes": sum(day["minutes"] for day in row.days),
            "planned_minutes": int(row.planned_minutes), "contacts": int(row.contacts),
            "waiting": int(row.waiting),
        }
        for row in connection.execute(query)
    ]  # fmt: skip


def completed(connection: sa.Connection, user_id: str, *, after: int) -> list[tuple[str, int]]:
    """Treatment and moment of what a person has completed since then: time that is spent."""
    own = t.suggestions.c
    query = sa.select(own.treatment, own.closed_at).where(
        own.answered_by == user_id, own.state == "completed", own.closed_at >= after
    )
    return [(row.treatment, row.closed_at) for row in connection.execute(query)]


def _stale(connection: sa.Connection, user_id: str) -> None:
    """Have her days planned again. Comes before what is settled of them is written, so that nobody waits in a
    circle."""
    own = p.plan_people.c
    connection.execute(
        sa.update(p.plan_people).where(own.user_id == user_id).values(stale=True, version=own.version + 1)
    )
