"""What compiled loops are handed again and again, unpacked once: a call costs a step for every array."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import types
from numba.experimental import structref

from engine.numerics import compiled


@structref.register
class _HeldType(types.StructRef):
    """By the type of what is held."""


class Held(structref.StructRefProxy):
    """A named tuple of arrays as compiled loops have it; they read it as `.value`."""

    value: Any
    given: Any

    def __reduce__(self) -> tuple[Callable[[Any], Held], tuple[Any]]:
        return hold, (self.given,)


structref.define_proxy(Held, _HeldType, ["value"])  # type: ignore[no-untyped-call]


def hold(value: Any) -> Held:
    """Hold a named tuple; nothing is copied. What is held goes to another process as the tuple would."""
    held = _hold(value)
    held.given = value
    return held


@compiled
def _hold(value: Any) -> Held:
    return Held(value)  # type: ignore[no-untyped-call]
