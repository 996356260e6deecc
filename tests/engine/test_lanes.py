"""Eight numbers worked on at once: the bits of each one alone."""

from __future__ import annotations

import operator
from collections.abc import Callable

import numpy as np
import pytest

from engine.lanes import WIDTH, Lanes, choose, load, spread, store
from engine.numerics import compiled
from engine.records import Floats

ONE = np.array([1.1, -2.5, 0.0, np.inf, np.nan, 1e300, -1e-310, 7.0, 3.3, -0.0])
OTHER = np.array([0.3, 1.7, -0.0, -np.inf, 2.0, 1e300, 3.0, -7.0, 4.4, 5.0])


def _both(symbol: Callable[[Lanes, Lanes], Lanes]) -> Callable[[Floats, Floats, Floats], None]:
    def work(one: Floats, other: Floats, out: Floats) -> None:
        store(out, 1, symbol(load(one, 2), load(other, 2)))

    return compiled(work)


@pytest.mark.parametrize("symbol", [operator.add, operator.sub, operator.mul, operator.truediv])
def test_each_lane_has_the_bits_of_the_operation_alone(symbol: Callable[..., Lanes]) -> None:
    """Wider processors must not give other reasons; what stands beside the lanes stays as it was."""
    out = np.full(WIDTH + 2, 42.0)

    _both(symbol)(ONE, OTHER, out)

    with np.errstate(all="ignore"):
        expected = symbol(ONE[2:], OTHER[2:])
    assert out[1:-1].tobytes() == expected.tobytes()
    assert out[[0, -1]].tolist() == [42.0, 42.0]


@compiled
def _chosen(condition: bool, number: float, out: Floats) -> None:
    store(out, 0, choose(condition, spread(number), load(out, 0)))


def test_one_number_fills_all_lanes_where_it_is_chosen() -> None:
    """Both sides are there; the condition takes one of them for all lanes."""
    left, taken = np.arange(8.0), np.arange(8.0)

    _chosen(False, 5.0, left)
    _chosen(True, 5.0, taken)

    assert left.tolist() == np.arange(8.0).tolist()
    assert taken.tolist() == [5.0] * WIDTH
