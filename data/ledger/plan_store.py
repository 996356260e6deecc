"""The plan of people's days (`Ledger.plans`): all that the ledger can do with it, a transaction each."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from data.ledger import plans
from data.ledger.connection import Database
from data.ledger.plan_types import NightPlan, PersonDays, PersonPlan, PlanHead, PlanItem, PlanMove

_ITEMS_AT_ONCE = 5_000


class PlanStore:
    """The how is in `data.ledger.plans`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def store(self, plan: NightPlan) -> None:
        """Store a run's plan, in place of what it had; it comes on show with the run's lists.

        Items some at a time, so that who writes meanwhile waits only shortly.
        """
        with self._database.writing() as connection:
            plans.begin(connection, plan)
        for items in plan.items.iter_slices(_ITEMS_AT_ONCE):
            with self._database.writing() as connection:
                plans.add_items(connection, plan.head.run_id, items)

    def head(self) -> PlanHead | None:
        """What holds for all of the plan on show; None where the run on show has none."""
        with self._database.reading() as connection:
            return plans.head(connection)

    def given(self, run_id: str) -> Mapping[str, frozenset[str]]:
        """Account -> treatments that the run's plan has given their time or quota."""
        with self._database.reading() as connection:
            return plans.given(connection, run_id)

    def of_person(self, user_id: str) -> PersonPlan | None:
        """Her part of the plan on show; None where she has none."""
        with self._database.reading() as connection:
            return plans.of_person(connection, user_id)

    def planned_elsewhere(self, run_id: str, account_ids: Sequence[str], user_id: str) -> list[PlanItem]:
        """What colleagues have planned for these accounts."""
        with self._database.reading() as connection:
            return plans.planned_elsewhere(connection, run_id, account_ids, user_id)

    def used_by_channel(self, run_id: str, treatments: Mapping[str, str], user_id: str) -> dict[str, int]:
        """Channel -> contacts that all but her have planned; `treatments` = those that count -> channel."""
        with self._database.reading() as connection:
            return plans.used_by_channel(connection, run_id, treatments, user_id)

    def changed_since_night(self, account_ids: Collection[str]) -> set[str]:
        """Those of these accounts that have facts which the night did not know."""
        with self._database.reading() as connection:
            return plans.changed_since_night(connection, account_ids)

    def replace_person(
        self, run_id: str, person: PersonDays, items: Sequence[PlanItem], *, disturbed: Sequence[str] = ()
    ) -> None:
        """Put a person's days as planned again in place; those of who is `disturbed` are planned again when
        they are next asked for. Raises ConflictError when something of hers was settled meanwhile (plan
        again)."""
        with self._database.writing() as connection:
            plans.replace_person(connection, run_id, person, items, disturbed)

    def give_way(self, account_id: str, user_id: str, days: Sequence[int]) -> None:
        """Have the days of colleagues planned again who want to see an account on one of these days."""
        with self._database.writing() as connection:
            plans.give_way(connection, account_id, user_id, days)

    def settled(self, user_id: str) -> list[Any]:
        """All that people have settled of a person's days, as JSON values."""
        with self._database.reading() as connection:
            return plans.settled(connection, user_id)

    def settle_day(self, move: PlanMove, *, check: plans.Check | None = None) -> None:
        """Settle the day of something by hand; it stays settled over the nights. `check` may refuse what is
        settled in that transaction."""
        with self._database.writing() as connection:
            plans.unless_changed(connection, move.user_id, check)
            plans.move(connection, move)

    def free_day(
        self, identity: tuple[str, str, str], user_id: str, *, check: plans.Check | None = None
    ) -> None:
        """Leave the day of something (account, treatment, role) to the plan again; `check` as above."""
        with self._database.writing() as connection:
            plans.unless_changed(connection, user_id, check)
            plans.free(connection, identity, user_id)

    def moves(self, *, from_day: int, user_id: str | None = None) -> list[PlanMove]:
        """What people have settled from a day on."""
        with self._database.reading() as connection:
            return plans.moves(connection, from_day=from_day, user_id=user_id)

    def set_absence(
        self, user_id: str, days: Sequence[int], *, absent: bool, by: str, now: int,
        check: plans.Check | None = None,
    ) -> None:  # fmt: skip
        """Say that a person is away on some days, or take that back; `check` as above."""
        with self._database.writing() as connection:
            plans.unless_changed(connection, user_id, check)
            plans.set_absence(connection, user_id, days, absent=absent, by=by, now=now)

    def absences(self) -> Mapping[str, frozenset[int]]:
        """User -> days on which people said that she is away."""
        with self._database.reading() as connection:
            return plans.absences(connection)

    def calendars(self) -> Mapping[str, Mapping[str, Any]]:
        """User -> minutes by weekday and absences, as loaded."""
        with self._database.reading() as connection:
            return plans.calendars(connection)

    def loads(self, run_id: str) -> list[dict[str, Any]]:
        """Each person's time in a run's plan: user_id, minutes, planned_minutes, contacts, waiting."""
        with self._database.reading() as connection:
            return plans.loads(connection, run_id)

    def completed(self, user_id: str, *, after: int) -> list[tuple[str, int]]:
        """Treatment and moment of what a person has completed since then."""
        with self._database.reading() as connection:
            return plans.completed(connection, user_id, after=after)
