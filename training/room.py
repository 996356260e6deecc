"""Whether there is memory for what is to be learned from, said before it runs out."""

from __future__ import annotations

from dataclasses import fields

import numpy as np

from data.machine import free_bytes
from engine.features import Features
from training.errors import TooManyCasesError

COPIES = 3.0
"""How many times the cases' own size a training takes at most: parts and whole, and cuts for a fold."""


def size_of(features: Features) -> int:
    """Bytes of what was known, all occasions together."""
    values = (getattr(features, field.name) for field in fields(features))
    return sum(value.nbytes for value in values if isinstance(value, np.ndarray))


def check_room(cases: int, held: int, share: float, *, free: int | None = None) -> None:
    """Stop before memory runs out.

    Args:
        cases: How many there are so far.
        held: Bytes that they take.
        share: Part of the history that they are made from, in (0, 1].
        free: Bytes that are free beside them; None = look.

    Raises:
        TooManyCasesError: All of them, and what learning makes of them, would not fit.
    """
    needed = held / share * COPIES - held
    free = free_bytes() if free is None else free
    if needed > free:
        raise TooManyCasesError(
            f"About {cases / share:,.0f} cases would be learned from, which takes another "
            f"{needed / 1e9:.1f} GB of memory; {free / 1e9:.1f} GB are free. "
            "Learn on a larger machine or from fewer accounts."
        )
