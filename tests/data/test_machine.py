"""How many processes a night starts without being told."""

from __future__ import annotations

import os

import pytest

from data.machine import PROCESS_BYTES, free_bytes, processes_that_fit
from data.settings import Settings


@pytest.mark.parametrize(
    ("free", "fit"), [(0, 1), (PROCESS_BYTES - 1, 1), (3 * PROCESS_BYTES, 3), (2**62, 8)]
)
def test_no_more_processes_than_memory_has_room_for(free: int, fit: int) -> None:
    """A night that is killed for memory publishes nothing, however many processors it had."""
    assert processes_that_fit(processors=8, free=free) == fit


def test_a_night_takes_the_processors_that_it_may_use() -> None:
    """In a container those are fewer than the machine's."""
    assert 0 < free_bytes() < 2**62
    assert 1 <= Settings().processes <= len(os.sched_getaffinity(0))
