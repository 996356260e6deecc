"""Who is learned from and who is held out: by account, stable over runs with the same seed; and by time."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from engine import numerics
from engine.records import Bools, Ints

HELD_OUT = 0.3
"""Share of accounts on which nothing is learned or chosen before the final figures."""


@lru_cache(maxsize=1_000_000)
def _draw(seed: int, label: str, account: str) -> float:
    return numerics.uniform(seed, label, account)


def folds_of(account_ids: Sequence[str], folds: int, *, seed: int) -> Ints:
    """The fold of each row, 0..folds-1; all rows of an account are in one; shape (n,)."""
    return np.array([int(_draw(seed, "fold", account) * folds) for account in account_ids], dtype=np.int64)


def held_out(account_ids: Sequence[str], share: float, *, seed: int) -> Bools:
    """Whether each row's account is held out for the final figures; shape (n,)."""
    return np.array([_draw(seed, "held out", account) < share for account in account_ids], dtype=np.bool_)


def clusters_of(account_ids: Sequence[str]) -> Ints:
    """Accounts as numbers; shape (n,)."""
    return np.unique(np.array(account_ids, dtype=object).astype(str), return_inverse=True)[1].astype(np.int64)
