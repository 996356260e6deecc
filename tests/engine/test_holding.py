"""What is held for compiled loops is the same arrays, here and in another process."""

import pickle
from typing import Any, NamedTuple

import numpy as np

from engine.holding import Held, hold
from engine.numerics import compiled


class Pair(NamedTuple):
    numbers: Any
    places: Any


@compiled
def first(pair: Held) -> float:
    return float(pair.numbers[pair.places[0]])


def test_a_loop_reads_what_is_held_and_what_is_written_to_it() -> None:
    """Nothing is copied: a night's facts stand in memory once."""
    numbers = np.array([1.0, 2.0])
    held = hold(Pair(numbers, np.array([1])))

    before = first(held)
    numbers[1] = 5.0

    assert (before, first(held)) == (2.0, 5.0)


def test_what_is_held_goes_to_another_process() -> None:
    """The night sends playbook and release, with what was worked out of them, to its processes."""
    held = hold(Pair(np.array([1.0, 2.0]), np.array([1])))

    sent = pickle.loads(pickle.dumps(held))

    assert first(sent) == 2.0
