"""Gauss's rule of quadrature: n points and weights that integrate polynomials below the degree 2 n exactly.

Worked out in decimals and rounded once, so that they are the same bits on every machine.

Source:
    Abramowitz and Stegun (1964), Handbook of Mathematical Functions, 25.4.30 and 8.5.3.
"""

from __future__ import annotations

from decimal import Decimal, localcontext
from functools import cache
from itertools import pairwise

import numpy as np

from engine.records import Floats

_DIGITS = 40
_HALVINGS, _STEPS = 12, 6
"""Of an interval until Newton's method finds its root for sure, and steps of it until all digits stand."""


@cache
def points_and_weights(count: int) -> tuple[Floats, Floats]:
    """Points and weights of the rule on 0 to 1, both of shape (count,)."""
    with localcontext() as context:
        context.prec = _DIGITS
        roots = _roots(count)
        slopes = [_legendre(count, root)[1] for root in roots]
        points = [(1 + root) / 2 for root in roots]
        weights = [1 / ((1 - root * root) * slope * slope) for root, slope in zip(roots, slopes, strict=True)]
    return np.array([float(point) for point in points]), np.array([float(weight) for weight in weights])


def _roots(degree: int) -> list[Decimal]:
    """Of Legendre's polynomial: one between each two of the polynomial of the degree below, -1 and 1."""
    if degree == 0:
        return []
    found = []
    for low, high in pairwise([Decimal(-1), *_roots(degree - 1), Decimal(1)]):
        root = _between(degree, low, high)
        for _ in range(_STEPS):
            value, slope = _legendre(degree, root)
            root -= value / slope
        found.append(root)
    return found


def _between(degree: int, low: Decimal, high: Decimal) -> Decimal:
    """Near the only root between two places."""
    rising = _legendre(degree, high)[0] > 0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if (_legendre(degree, middle)[0] > 0) == rising:
            high = middle
        else:
            low = middle
    return (low + high) / 2


def _legendre(degree: int, x: Decimal) -> tuple[Decimal, Decimal]:
    """The polynomial and its slope; the slope not at -1 and 1."""
    before, value = Decimal(1), x
    for k in range(2, degree + 1):
        before, value = value, ((2 * k - 1) * x * value - (k - 1) * before) / k
    return value, degree * (before - x * value) / (1 - x * x) if abs(x) != 1 else Decimal(0)
