"""Gauss's rule: exact for the polynomials that it is asked for, the same bits everywhere."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from engine.gauss import points_and_weights


@pytest.mark.parametrize("count", [1, 2, 8, 16, 24])
def test_polynomials_below_twice_the_points_are_integrated_exactly(count: int) -> None:
    """Reckoned in fractions, so that what is left is the rounding of points and weights alone."""
    points, weights = (list(map(Fraction, each.tolist())) for each in points_and_weights(count))

    for degree in range(2 * count):
        found = sum(w * t**degree for t, w in zip(points, weights, strict=True))
        assert abs(found - Fraction(1, degree + 1)) < Fraction(1, 10**15)
    beyond = sum(w * t ** (2 * count) for t, w in zip(points, weights, strict=True))
    assert beyond < Fraction(1, 2 * count + 1)


def test_points_are_those_of_another_implementation() -> None:
    """By the eigenvalues of a matrix, on the interval from -1 to 1."""
    points, weights = points_and_weights(8)

    expected, its_weights = np.polynomial.legendre.leggauss(8)
    np.testing.assert_allclose(points, (expected + 1.0) / 2.0, rtol=1e-14)
    np.testing.assert_allclose(weights, its_weights / 2.0, rtol=1e-14)
