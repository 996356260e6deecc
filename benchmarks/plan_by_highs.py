"""Plans of people's days as a mixed integer programme for HiGHS, and made-up weeks to measure on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.optimize import Bounds, LinearConstraint, milp

from engine.plan import Contacts, Limits
from engine.records import Bools, Floats, Ints


@dataclass(frozen=True)
class Solved:
    """What HiGHS says: the best plan that it has found, and what it has proven that none can exceed."""

    value: float
    bound: float
    proven: bool


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
            fixed=np.full(n, -1), promise=np.full(n, -1),
        ),
        Limits(np.full((people, days), 300), np.full((people, days), slots),
               np.array(quotas, dtype=np.int64), days),
    )  # fmt: skip


def by_highs(task: Contacts, limits: Limits, *, gap: float = 1e-9, seconds: float = np.inf) -> Solved:
    """The best plan that HiGHS finds; one binary variable per contact and day.

    Args:
        gap: Share of the value at which it may stop.
        seconds: Of the clock, at which it stops whatever it has.
    """
    options = [(i, d) for i in range(len(task)) if task.value[i] > 0
               for d in range(limits.minutes.shape[1]) if int(task.days[i]) >> d & 1]  # fmt: skip
    if not options:
        return Solved(0.0, 0.0, proven=True)
    i, d = np.array(options).T
    matrix, most = _constraints(task, limits, i, d)
    found = milp(
        -task.value[i], constraints=LinearConstraint(matrix, -np.inf, most), bounds=Bounds(0, 1),
        integrality=np.ones(len(i)), options={"mip_rel_gap": gap, "time_limit": seconds},
    )  # fmt: skip
    value = 0.0 if found.fun is None else -float(found.fun)
    bound = np.inf if found.mip_dual_bound is None else -float(found.mip_dual_bound)
    return Solved(value, bound, proven=found.status == 0)


def _constraints(task: Contacts, limits: Limits, i: Ints, d: Ints) -> tuple[sp.csr_matrix, Floats]:
    people, days = limits.minutes.shape
    column = np.arange(len(i))

    def rows(which: Bools, row: Ints, entry: Floats, count: int) -> sp.coo_matrix:
        return sp.coo_matrix((entry[which], (row[which], column[which])), shape=(count, len(i)))

    one, mine, shared = np.ones(len(i)), task.person[i] >= 0, task.quota[i] >= 0
    pair = np.unique(np.stack([task.account[i], task.about[i]]), axis=1, return_inverse=True)[1].ravel()
    account, cell = np.unique(task.account[i], return_inverse=True)[1], task.person[i] * days + d
    accounts, all_ = int(account.max()) + 1, np.ones(len(i), dtype=bool)
    parts: list[tuple[sp.coo_matrix, Any]] = [
        (rows(mine, cell, task.minutes[i].astype(float), people * days), limits.minutes.ravel()),
        (rows(mine, cell, one, people * days), limits.slots.ravel()),
        (rows(all_, pair, one, int(pair.max()) + 1), np.ones(int(pair.max()) + 1)),
        (rows(all_, account, one, accounts), np.full(accounts, limits.per_account)),
    ]
    if len(limits.quotas):
        parts.append((rows(shared, task.quota[i], one, len(limits.quotas)), limits.quotas))
    for first in range(max(1, days - limits.spacing + 1)):
        window = (d >= first) & (d < first + limits.spacing)
        parts.append((rows(window, account, one, accounts), np.ones(accounts)))
    return sp.vstack([part for part, _ in parts]).tocsr(), np.concatenate(
        [np.asarray(b, float) for _, b in parts]
    )
