"""Small plans for tests, and what HiGHS makes of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.optimize import Bounds, LinearConstraint, milp

from engine.plan import Contacts, Limits


def contacts(*rows: dict[str, Any]) -> Contacts:
    """Contacts of person 0 that take 30 minutes of any day, each of an account of its own, unless told."""
    default = {"about": 0, "person": 0, "value": 100.0, "minutes": 30, "quota": -1, "days": -1, "fixed": -1}
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
        ),
        Limits(rng.integers(0, 300, (people, days)), rng.integers(0, 6, (people, days)),
               rng.integers(0, 8, quotas), int(rng.integers(1, days + 2)), int(rng.integers(1, 4))),
    )  # fmt: skip


def week(people: int, *, accounts: int = 500, treatments: int = 10, days: int = 5, slots: int = 8,
         quotas: tuple[int, ...] = (), seed: int = 1) -> tuple[Contacts, Limits]:  # fmt: skip
    """A week of so many people with 300 minutes a day, each with accounts and treatments of her own."""
    rng = np.random.default_rng(seed)
    n = people * accounts * treatments
    minutes = rng.choice([15, 20, 30, 45, 60], n)
    worth = np.repeat(rng.gamma(2.0, 1.0, people * accounts), treatments) * rng.gamma(2.0, 20.0, n)
    channel = rng.integers(0, len(quotas) + 2, n)
    return (
        Contacts(
            account=np.repeat(np.arange(people * accounts), treatments),
            about=np.tile(np.arange(treatments), people * accounts),
            person=np.repeat(np.arange(people), accounts * treatments),
            value=worth * np.sqrt(minutes / 30.0), minutes=minutes.astype(np.int64),
            quota=np.where(channel < len(quotas), channel, -1), days=np.full(n, (1 << days) - 1),
            fixed=np.full(n, -1),
        ),
        Limits(np.full((people, days), 300), np.full((people, days), slots),
               np.array(quotas, dtype=np.int64), days),
    )  # fmt: skip


def by_highs(task: Contacts, limits: Limits, *, gap: float = 1e-9) -> float:
    """The best value that HiGHS finds for the same problem as a mixed integer programme."""
    options = [(i, d) for i in range(len(task)) if task.value[i] > 0
               for d in range(limits.minutes.shape[1]) if int(task.days[i]) >> d & 1]  # fmt: skip
    if not options:
        return 0.0
    i, d = np.array(options).T
    matrix, most = _constraints(task, limits, i, d)
    found = milp(
        -task.value[i], constraints=LinearConstraint(matrix, -np.inf, most), bounds=Bounds(0, 1),
        integrality=np.ones(len(i)), options={"mip_rel_gap": gap},
    )  # fmt: skip
    return -found.fun


def _constraints(task: Contacts, limits: Limits, i: np.ndarray, d: np.ndarray) -> tuple[sp.csr_matrix, Any]:
    people, days = limits.minutes.shape
    column = np.arange(len(i))

    def rows(which: np.ndarray, row: np.ndarray, entry: np.ndarray, count: int) -> sp.coo_matrix:
        return sp.coo_matrix((entry[which], (row[which], column[which])), shape=(count, len(i)))

    one, mine, shared = np.ones(len(i)), task.person[i] >= 0, task.quota[i] >= 0
    pair = np.unique(np.stack([task.account[i], task.about[i]]), axis=1, return_inverse=True)[1].ravel()
    account, cell = np.unique(task.account[i], return_inverse=True)[1], task.person[i] * days + d
    parts = [
        (rows(mine, cell, task.minutes[i].astype(float), people * days), limits.minutes.ravel()),
        (rows(mine, cell, one, people * days), limits.slots.ravel()),
        (rows(np.ones(len(i), dtype=bool), pair, one, pair.max() + 1), np.ones(pair.max() + 1)),
    ]  # fmt: skip
    if len(limits.quotas):
        parts.append((rows(shared, task.quota[i], one, len(limits.quotas)), limits.quotas))
    parts.append((rows(np.ones(len(i), dtype=bool), account, one, account.max() + 1),
                  np.full(account.max() + 1, limits.per_account)))  # fmt: skip
    for first in range(max(1, days - limits.spacing + 1)):
        window = (d >= first) & (d < first + limits.spacing)
        parts.append((rows(window, account, one, account.max() + 1), np.ones(account.max() + 1)))
    return sp.vstack([part for part, _ in parts]).tocsr(), np.concatenate(
        [np.asarray(b, float) for _, b in parts]
    )


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
