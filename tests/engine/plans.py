"""Small plans for tests, and what is wrong with one."""

from __future__ import annotations

from typing import Any

import numpy as np

from engine.plan import Contacts, Limits


def contacts(*rows: dict[str, Any]) -> Contacts:
    """Contacts of person 0 that take 30 minutes of any day, each of an account of its own, unless told."""
    default = {
        "about": 0,
        "person": 0,
        "value": 100.0,
        "minutes": 30,
        "quota": -1,
        "days": -1,
        "fixed": -1,
        "promise": -1,
    }
    filled = [{"account": number} | default | row for number, row in enumerate(rows)]
    return Contacts(
        **{
            name: np.array([row[name] for row in filled], dtype=float if name == "value" else np.int64)
            for name in Contacts.__dataclass_fields__
        }
    )


def limits(minutes: Any = ((60,),), slots: Any = 10, quotas: Any = (), spacing: int = 1) -> Limits:
    """Minutes by person and day."""
    free = np.array(minutes, dtype=np.int64)
    return Limits(free, np.broadcast_to(slots, free.shape).astype(np.int64), np.array(quotas, dtype=np.int64),
                  spacing)  # fmt: skip


def random_problem(seed: int) -> tuple[Contacts, Limits]:
    """Up to three people, four days and eighty contacts; every kind of limit may bind."""
    rng = np.random.default_rng(seed)
    people, days = rng.integers(1, 4), rng.integers(1, 5)
    accounts, quotas, n = rng.integers(2, 16), rng.integers(0, 3), rng.integers(1, 80)
    round_minutes = rng.random() < 0.5
    minutes = rng.choice([15, 20, 30, 45, 60], n) if round_minutes else rng.integers(1, 60, n)
    person = rng.integers(-1, people, n)
    some = rng.integers(0, 1 << days, n)
    return (
        Contacts(
            account=rng.integers(0, accounts, n), about=rng.integers(0, 4, n), person=person,
            value=rng.gamma(1.0, 50.0, n) - 10.0, minutes=np.where(person < 0, 0, minutes),
            quota=rng.integers(-1, quotas, n) if quotas else np.full(n, -1),
            days=np.where(rng.random(n) < 0.7, (1 << days) - 1, some), fixed=np.full(n, -1),
            promise=np.full(n, -1),
        ),
        Limits(rng.integers(0, 300, (people, days)), rng.integers(0, 6, (people, days)),
               rng.integers(0, 8, quotas), int(rng.integers(1, days + 2)), int(rng.integers(1, 4))),
    )  # fmt: skip


def promising(seed: int) -> tuple[Contacts, Limits]:
    """Promises that can all be kept: time and quotas are those of a plan that keeps them, and a little more.

    Each may be kept by any of up to three contacts; beside them stand others that are worth more.
    """
    rng = np.random.default_rng(seed)
    people, days, promises = int(rng.integers(1, 4)), int(rng.integers(1, 5)), int(rng.integers(1, 13))
    spacing, rows = int(rng.integers(1, 3)), []
    minutes, slots = np.zeros((people, days), dtype=np.int64), np.zeros((people, days), dtype=np.int64)
    quotas = np.zeros(2, dtype=np.int64)
    for promise in range(promises):
        person, day, length = int(rng.integers(people)), int(rng.integers(days)), 15 * int(rng.integers(1, 4))
        quota = int(rng.integers(-1, 2))
        own = {"account": promise, "promise": promise, "value": float(rng.uniform(-5.0, 5.0))}
        rows.append(own | {"person": person, "minutes": length, "quota": quota, "about": 0,
                           "days": (1 << day) | int(rng.integers(0, 1 << days))})  # fmt: skip
        rows += [
            own | {"person": int(rng.integers(people)), "minutes": 15 * int(rng.integers(1, 5)),
                   "about": k + 1, "quota": int(rng.integers(-1, 2)), "days": int(rng.integers(0, 1 << days))}
            for k in range(int(rng.integers(0, 3)))
        ]  # fmt: skip
        minutes[person, day] += length
        slots[person, day] += 1
        quotas[quota] += quota >= 0
    for _ in range(int(rng.integers(0, 30))):
        rows.append({"account": int(rng.integers(promises + 5)), "about": int(rng.integers(9)),
                     "person": int(rng.integers(people)), "minutes": 15 * int(rng.integers(1, 4)),
                     "value": float(rng.uniform(20.0, 90.0)), "quota": int(rng.integers(-1, 2)),
                     "days": int(rng.integers(0, 1 << days))})  # fmt: skip
    more = int(rng.integers(0, 2)) * 15
    return contacts(*rows), Limits(minutes + more, slots, quotas, spacing, int(rng.integers(1, 3)))


def broken(task: Contacts, limits: Limits, day: np.ndarray) -> list[str]:
    """Which limits a plan breaks."""
    minutes, slots = limits.minutes.copy(), limits.slots.copy()
    planned, found = np.flatnonzero(day >= 0), []
    for i in planned:
        if task.person[i] >= 0:
            minutes[task.person[i], day[i]] -= task.minutes[i]
            slots[task.person[i], day[i]] -= 1
        if task.fixed[i] < 0 and not int(task.days[i]) >> int(day[i]) & 1:
            found.append("day")
        for k in planned:
            if k < i and task.account[k] == task.account[i]:
                close = abs(day[i] - day[k]) < max(limits.spacing, 1)
                found += ["equivalent"] if task.about[i] == task.about[k] else []
                found += ["spacing"] if close else []
    used = np.bincount(task.quota[planned][task.quota[planned] >= 0], minlength=len(limits.quotas))
    found += ["account"] if (np.bincount(task.account[planned]) > limits.per_account).any() else []
    found += ["minutes"] if (minutes < 0).any() else []
    found += ["slots"] if (slots < 0).any() else []
    return found + (["quota"] if (used > limits.quotas).any() else [])
