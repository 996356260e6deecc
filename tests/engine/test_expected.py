"""What accounts with such traits usually buy."""

from __future__ import annotations

import numpy as np
import pytest

from engine.expected import ranks, usual_purchases
from tests.engine.books import TRAITS, periods_of, rates_of, traits_of


def test_a_product_of_factors_is_recovered() -> None:
    """Size and industry multiply; both ends of the sizes as well as the middle."""
    traits = traits_of(4_000)
    rates = rates_of(traits, orders=50.0, slope=0.8)

    usual = usual_purchases(traits, periods_of(rates, spread=0.3).sum(axis=1), TRAITS) / 100.0

    apart = np.abs(np.log(usual / rates))
    assert np.median(apart) < 0.05
    assert np.quantile(apart, 0.99) < 0.3


def test_what_is_not_known_is_a_class_of_its_own() -> None:
    """Unknown sizes buy what accounts of unknown size buy, not what middle ones do."""
    traits = traits_of(2_000)
    bought = np.full(2_000, 100.0)
    traits[:500, 0] = np.nan
    bought[:500] = 10.0

    usual = usual_purchases(traits, bought, TRAITS)

    assert usual[:500] == pytest.approx(10.0, rel=0.1)
    assert usual[500:] == pytest.approx(100.0, rel=0.1)


def test_one_giant_does_not_stand_for_its_class() -> None:
    """A thousandfold account must not promise its neighbours a thousandfold."""
    traits = traits_of(2_000)
    bought = np.full(2_000, 100.0)
    bought[7] = 1e6

    assert usual_purchases(traits, bought, TRAITS).max() < 120.0


@pytest.mark.parametrize("bought", [np.zeros(50), np.full(50, -3.0)])
def test_where_nothing_is_bought_nothing_is_usual(bought: np.ndarray) -> None:
    """Logarithms of nothing are not asked for."""
    assert not usual_purchases(traits_of(50), bought, TRAITS).any()


def test_equal_numbers_share_their_rank() -> None:
    """1, 2, 2, unknown: 1/6, 4/6, 4/6 of the known, and the middle."""
    assert ranks(np.array([1.0, 2.0, 2.0, np.nan])) == pytest.approx([1 / 6, 4 / 6, 4 / 6, 0.5])
