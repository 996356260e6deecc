"""Draws from what may be true: how often each treatment would be the best one, given what is uncertain.

Thompson sampling with its probabilities known: M draws of every account's effects are made, each names the
treatment that would be first, and the counts are the probabilities with which place 1 is chosen. All draws
are derived from (seed, account, day), so the night, a live decision and a replay count the same. What ties
the errors of treatments together (a common channel) is not drawn: each has an error of its own.

Source:
    Thompson (1933), On the likelihood that one unknown probability exceeds another; Russo, Van Roy,
    Kazerouni, Osband and Wen (2018), A Tutorial on Thompson Sampling.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from engine import numerics
from engine.numerics import compiled, normal_one
from engine.records import Bools, Floats, Ints


def best_counts(
    priority: Floats,
    uncertainty: Floats,
    eligible: Bools,
    account_ids: tuple[str, ...],
    day: Ints,
    *,
    draws: int,
    seed: int,
) -> Ints:
    """How many of the draws put each treatment first.

    Args:
        priority: Means, in currency; column 0 (no contact) is 0 and certain; shape (n, T).
        uncertainty: Standard deviation of each, in the same unit; shape (n, T).
        eligible: What may be chosen; no contact always may; shape (n, T).
        account_ids, day: Whose and on which day (days since 1970 UTC), n each.
        draws: M, at least 1.
        seed: Of the draws.

    Returns:
        Counts; rows sum to M; shape (n, T). A draw in which nothing is worth more than 0 counts for no
        contact, equal ones for the first.
    """
    keys = np.array(
        [
            numerics.bits(seed, "posterior", account_id, int(today))
            for account_id, today in zip(account_ids, day, strict=True)
        ],
        dtype=np.uint64,
    )
    return _counts(keys, np.ascontiguousarray(priority), np.ascontiguousarray(uncertainty), eligible, draws)


def chosen(counts: Ints, account_ids: tuple[str, ...], day: Ints, *, seed: int) -> Ints:
    """One treatment per row, drawn with the counts as probabilities; shape (n,)."""
    first = np.zeros(len(counts), dtype=np.int64)
    for row, account_id in enumerate(account_ids):
        point = numerics.uniform(seed, "which of the posterior", account_id, int(day[row]))
        passed = 0
        place = int(point * int(counts[row].sum()))  # counts
        for treatment, count in enumerate(counts[row].tolist()):
            passed += count
            if place < passed:
                first[row] = treatment
                break
    return first


@compiled
def _counts(
    keys: npt.NDArray[np.uint64], priority: Floats, uncertainty: Floats, eligible: Bools, draws: int
) -> Ints:
    """Row after row; the numbers of a row are those of its key, one for each eligible uncertain treatment."""
    counts = np.zeros(priority.shape, dtype=np.int64)
    for i in range(priority.shape[0]):
        asked = np.uint64(0)
        for _ in range(draws):
            best, highest = 0, 0.0
            for t in range(1, priority.shape[1]):
                if not eligible[i, t]:
                    continue
                value = priority[i, t]
                if uncertainty[i, t] > 0.0:
                    value += uncertainty[i, t] * normal_one(keys[i], asked)
                    asked += np.uint64(1)
                if value > highest:
                    best, highest = t, value
            counts[i, best] += 1
    return counts
