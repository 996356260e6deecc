"""What accounts with such traits usually buy: one factor per trait and class, multiplied.

Neighbours are never quite alike, and whoever looks for those that buy most among them finds the larger ones.
So an account's twins are compared with it in the measure in which their traits would let them buy more.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import polars as pl

from engine import numerics
from engine.facts import Attribute
from engine.numerics import compiled, exp_one, log_one
from engine.records import Floats, Ints

_ROUNDS = 15
_ACCOUNTS_PER_NODE = 40
_NODES = 20
_CREDIBLE = 10.0
"""As many average accounts are added to every class: a factor from few accounts stays near 1."""
_CAPPED_SHARE = 0.005
"""So many of the largest accounts count as the smallest of them: one giant may not stand for a class."""


class _Classes(NamedTuple):
    """Each account lies between two classes of a trait; `upper` is how far it is from the lower one."""

    lower: Ints
    upper: Floats
    classes: int


def usual_purchases(values: Floats, bought: Floats, attributes: tuple[Attribute, ...]) -> Floats:
    """What each account would buy going by its traits alone.

    Args:
        values: Traits as `features_as_of` codes attributes, NaN = not known, which is a class of its own;
            shape (n, A).
        bought: What each account bought; shape (n,).
        attributes: What the columns are. A number lies between two of up to some twenty ranks, which are
            closer together at both ends; its factor is that of both, by its distance to them.

    Returns:
        Above 0, but 0.0 for all where nothing was bought; unit of `bought`; shape (n,).

    Source:
        Bailey and Simon (1960), Two Studies in Automobile Insurance Ratemaking (minimum bias: a Poisson model
        with a logarithmic link); Darroch and Ratcliff (1972), Generalized Iterative Scaling, for numbers.
    """
    count = len(bought)
    if not count:
        return np.zeros(0)
    capped = np.clip(bought, 0.0, np.sort(bought)[count - 1 - int(_CAPPED_SHARE * count)])
    average = numerics.mean(capped)
    if average <= 0.0:
        return np.zeros(count)
    usual = np.full(count, average)
    classes = [_classes(values[:, column], attribute) for column, attribute in enumerate(attributes)]
    for _ in range(_ROUNDS):
        for own in classes:
            _balance(own, capped, average * _CREDIBLE, usual)
    return usual


def ranks(values: Floats) -> Floats:
    """Mid-rank of each number among those that are known, in (0, 1); 0.5 where it is not; shape (n,)."""
    known = ~np.isnan(values)
    found = np.full(len(values), 0.5)
    if known.any():
        own = pl.Series(values[known]).rank("average").to_numpy()
        found[known] = (own - 0.5) / len(own)
    return found


def _classes(values: Floats, attribute: Attribute) -> _Classes:
    """The classes of each account by one trait; the last one is "not known"."""
    known = ~np.isnan(values)
    if attribute.levels is not None:
        last = len(attribute.levels)
        return _Classes(np.where(known, values, last).astype(np.int64), np.zeros(len(values)), last + 1)
    nodes = _nodes(int(np.count_nonzero(known)))
    rank = ranks(values)
    lower = np.clip(np.searchsorted(nodes, rank, side="right") - 1, 0, len(nodes) - 2)
    upper = (rank - nodes[lower]) / (nodes[lower + 1] - nodes[lower])
    return _Classes(
        np.where(known, lower, len(nodes)).astype(np.int64), np.where(known, upper, 0.0), len(nodes) + 1
    )


def _nodes(count: int) -> Floats:
    """Ranks from 0 to 1: even steps, then ever smaller ones towards both ends, while accounts are enough."""
    steps = max(2, min(_NODES, count // _ACCOUNTS_PER_NODE))
    inner = np.arange(1, steps) / steps
    tail = 1.0 / steps
    ends = []
    while tail * count >= 2 * _ACCOUNTS_PER_NODE:
        tail = tail / 2.0
        ends.append(tail)
    return np.array(sorted({0.0, 1.0, *inner.tolist(), *ends, *(1.0 - end for end in ends)}))


@compiled
def _balance(own: _Classes, bought: Floats, credible: float, usual: Floats) -> None:
    """Scale the classes of one trait so that each is expected to buy what it bought."""
    seen, expected = np.full(own.classes + 1, credible), np.full(own.classes + 1, credible)
    for i in range(usual.size):
        at, share = own.lower[i], own.upper[i]
        seen[at] += (1.0 - share) * bought[i]
        seen[at + 1] += share * bought[i]
        expected[at] += (1.0 - share) * usual[i]
        expected[at + 1] += share * usual[i]
    factor = np.empty(seen.size)
    for k in range(seen.size):
        factor[k] = log_one(seen[k] / expected[k])
    for i in range(usual.size):
        at, share = own.lower[i], own.upper[i]
        usual[i] *= exp_one((1.0 - share) * factor[at] + share * factor[at + 1])
