"""`python -m benchmarks.plan [--full]`: the plan of people's days against the solver HiGHS.

Both get the same problem; HiGHS stops at a proven gap of 0.01 % or when its time is over. Seconds are
processor time of one thread. `--full` adds a company that no solver finishes: 200 people with 500 accounts
and 10 treatments each; it is judged by its own bound. `make bench` lists `comparisons`.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from time import process_time

import numpy as np

from benchmarks.harness import Alone, Comparison, compare
from benchmarks.plan_by_highs import Solved, by_highs, week
from engine.plan import Contacts, Limits, Plan, solve

_GAP = 1e-4
_AS_GOOD = 0.999
"""Of HiGHS's value that ours must reach to be listed; `comparisons` ask HiGHS to prove no more than that."""
_PERSON = "5 days of 300 minutes, 500 accounts x 10 treatments each"
_SAID = f"proven to {1.0 - _AS_GOOD:.1%}"


@dataclass(frozen=True)
class Planned:
    """One problem, solved twice.

    Attributes:
        share: Our value over that of HiGHS; None where it was not asked.
        proven: Whether HiGHS proved its plan in the time it had.
    """

    what: str
    contacts: int
    seconds: float
    gap: float
    highs_seconds: float | None = None
    share: float | None = None
    proven: bool = False

    @property
    def ratio(self) -> float | None:
        """How many times less processor time ours takes."""
        return None if self.highs_seconds is None else self.highs_seconds / self.seconds

    def line(self) -> str:
        """One row of the table."""
        ours = f"| {self.what} | {self.contacts:,} | {self.seconds:.3f} s | {self.gap:.3%} "
        if self.share is None:
            return f"{ours}| not asked | | |"
        told = "proven" if self.proven else "out of time"
        return f"{ours}| {self.highs_seconds:.3f} s ({told}) | {self.share:.3%} | {self.ratio:.0f}x |"


def measure(what: str, task: Contacts, room: Limits, *, highs: float | None) -> Planned:
    """Solve a problem, and again with HiGHS in so many seconds (None = not)."""
    began = process_time()
    plan = solve(task, room)
    ours = process_time() - began
    if highs is None:
        return Planned(what, len(task), ours, plan.gap)
    began = process_time()
    best = by_highs(task, room, gap=_GAP, seconds=highs)
    theirs = process_time() - began
    share = plan.value / best.value if best.value > 0.0 else float("inf")
    return Planned(what, len(task), ours, plan.gap, theirs, share, best.proven)


def rows(*, full: bool, seconds: float) -> Iterator[Planned]:
    """The table, row by row."""
    solve(*week(1, accounts=5))  # compiled before anything is timed
    yield measure("1 person, 1 day, 500 accounts x 10", *week(1, days=1), highs=seconds)
    yield measure("1 person, 5 days, 100 accounts x 10", *week(1, accounts=100), highs=seconds)
    shared = week(4, accounts=100, days=1, quotas=(8, 6))
    yield measure("4 people, 1 day, shared quotas, 100 accounts x 10", *shared, highs=seconds)
    if full:
        yield measure("1 person, 5 days, 500 accounts x 10", *week(1), highs=seconds)
        whole = week(200, quotas=(1_500, 1_000))
        yield measure("200 people, 5 days, shared quotas, 500 accounts x 10", *whole, highs=None)


def comparisons(people: int, highs_people: int, *, repeats: int = 5) -> Iterator[Comparison | Alone]:
    """So many people with binding hours, of whom HiGHS plans some; four, and all, who share quotas."""
    solve(*week(1, accounts=5))  # compiled before anything is timed
    yield _with_hours_of_their_own(people, highs_people, repeats)
    yield _sharing_quotas(repeats)
    yield _without_a_peer(people)


def _with_hours_of_their_own(people: int, asked: int, repeats: int) -> Comparison:
    """HiGHS plans person by person, since they share nothing: all at once would take it longer."""
    task, room = week(people)
    alone = [_of_person(task, room, person) for person in range(asked)]

    def theirs() -> list[Solved]:
        return [by_highs(*each, gap=1.0 - _AS_GOOD) for each in alone]

    def as_good(mine: Plan, found: list[Solved]) -> bool:
        worth = np.where(mine.day >= 0, task.value, 0.0)
        planned = [float(worth[task.person == person].sum()) for person in range(asked)]
        return sum(planned) >= _AS_GOOD * sum(each.value for each in found)

    return compare(
        f"plan, {people} people, {_PERSON}, at least {_AS_GOOD:.1%} of the peer's value",
        f"HiGHS, {asked} people measured, {_SAID}",
        lambda: solve(task, room), theirs, same=as_good, part=asked / people,
        repeats=repeats,
    )  # fmt: skip


def _of_person(task: Contacts, room: Limits, person: int) -> tuple[Contacts, Limits]:
    own = task.person == person
    cut = {field.name: getattr(task, field.name)[own] for field in fields(task)}
    contacts = replace(Contacts(**cut), person=np.zeros(int(own.sum()), dtype=np.int64))
    return contacts, replace(room, minutes=room.minutes[[person]], slots=room.slots[[person]])


def _sharing_quotas(repeats: int) -> Comparison:
    task, room = week(4, accounts=100, days=1, quotas=(8, 6))
    return compare(
        "plan, 4 people who share quotas, 1 day, 100 accounts x 10 treatments each", f"HiGHS, {_SAID}",
        lambda: solve(task, room), lambda: by_highs(task, room, gap=1.0 - _AS_GOOD),
        same=lambda mine, found: mine.value >= _AS_GOOD * found.value, repeats=repeats,
    )  # fmt: skip


def _without_a_peer(people: int) -> Alone:
    task, room = week(people, quotas=(15 * people // 2, 5 * people))
    began = process_time()
    plan = solve(task, room)
    return Alone(
        f"plan, {people} people who share quotas, {_PERSON}",
        f"none finishes; own proven gap {plan.gap:.2%}", process_time() - began,
    )  # fmt: skip


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.plan", description=__doc__)
    parser.add_argument("--full", action="store_true", help="200 people x 500 accounts x 10 treatments too")
    parser.add_argument("--highs-seconds", type=float, default=60.0, help="the most that HiGHS gets")
    asked = parser.parse_args()
    print("| problem | contacts | ours | proven gap | HiGHS | share of its value | ratio |")
    print("|---|---|---|---|---|---|---|")
    for row in rows(full=asked.full, seconds=asked.highs_seconds):
        print(row.line(), flush=True)


if __name__ == "__main__":
    main()
