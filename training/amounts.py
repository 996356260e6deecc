"""Outcomes so unequal that a handful of them would decide what is learned, cut for learning and only there.

Values of policies, gates and reports count what came, uncut.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from engine.records import Floats
from training.cases import Cases

LARGEST = 0.01
"""Share of the outcomes that are not 0 whose part in the sum of squares is looked at."""
WILD = 0.75
"""Part from which on they are cut: lognormal amounts with a spread of 1.5 or more, never equal ones."""
CELLS = 10
"""Into how many parts the cases of a treatment are divided to learn whom it suits."""


@dataclass(frozen=True)
class Cut:
    """How outcomes are cut.

    Attributes:
        cap: Worth above it, or below minus it, counts as that much; in currency.
        scale: By which all are multiplied afterwards, so that their sum stays.
        above: Share of the cases beyond the cap.
    """

    cap: float
    scale: float
    above: float


def cut_of(cases: Cases) -> Cut | None:
    """The cap that suits so many cases; None = outcomes are not that unequal.

    The cap c solves c = n x mean excess over c, n being a tenth of the cases of the median contact: what is
    lost to the mean by cutting is then about as much as chance would add. It grows with the cases.

    Source:
        Rivest (1994), Statistical Properties of Winsorized Means for Skewed Distributions.
    """
    size = np.sort(np.abs(cases.reward))[::-1]
    if not _wild(size[size > 0.0]):
        return None
    contacts = cases.counts[1:]
    n = float(np.median(contacts[contacts > 0])) / CELLS if contacts.any() else 1.0
    excess = (np.cumsum(size) - np.arange(1, len(size) + 1) * size) / len(size)
    enough = np.flatnonzero(size <= n * excess)
    cap = float(size[enough[0]]) if len(enough) else float(size[0])
    kept = float(np.clip(cases.reward, -cap, cap).sum())
    scale = float(cases.reward.sum()) / kept if kept > 0.0 else 1.0
    return Cut(cap, max(scale, 1.0), float((size > cap).mean())) if cap > 0.0 else None


def _wild(size: Floats) -> bool:
    """Whether few of these sizes, largest first, carry nearly all of the sum of squares."""
    largest = int(len(size) * LARGEST)
    squares = size**2
    return largest > 0 and bool(squares[:largest].sum() > WILD * squares.sum())


def steady(cases: Cases) -> Cases:
    """The cases as all learners see them: wild outcomes cut, the others as they are."""
    cut = cut_of(cases)
    if cut is None:
        return cases
    if "steady" not in cases.memory:
        reward = np.clip(cases.reward, -cut.cap, cut.cap) * cut.scale
        cases.memory["steady"] = replace(cases, reward=reward)
    found: Cases = cases.memory["steady"]
    return found
