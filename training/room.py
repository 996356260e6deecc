"""Whether there is memory for what is to be learned from, said before it runs out."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np

from engine.features import Features
from training.errors import TooManyCasesError

COPIES = 3.0
"""How many times the cases' own size a training takes at most: parts and whole, and cuts for a fold."""
_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def free_bytes() -> int:
    """Memory that is free on this machine, within its container's limit; what cannot be read is no limit."""
    found = [2**62]
    for line in _read("/proc/meminfo").splitlines():
        if line.startswith("MemAvailable:"):
            found.append(int(line.split()[1]) * 1024)
    found += [int(text) for path in _LIMITS if (text := _read(path).strip()).isdigit()]
    return min(found)


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


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError:
        return ""
