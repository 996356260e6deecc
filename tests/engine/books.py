"""Books of accounts with purchases drawn from known rates: what tests of twins compare."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl

from engine.facts import Attribute
from engine.twin_book import PERIODS, Book, Bought, Tried, season_of
from engine.twin_settings import TwinSettings
from engine.twins import Comparison, claimed, comparison, judge

TRAITS = (Attribute("employees"), Attribute("sites"), Attribute("industry", ("a", "b", "c")))
ORDER = 100.0
"""What an order is worth on average."""


def settings(**values) -> TwinSettings:
    defaults = TwinSettings(
        traits=(), without=(), outcomes=(), neighbours=80, alike=0.25, upper_share=0.25, much=1.1,
        least_twins=10, window_days=365.0, minimum_value=0.0, error_rate=0.05, steps="channel",
        sequence_days=90.0, success_days=60.0, lookback_days=730.0, growth=1.5, least_tries=5,
    )  # fmt: skip
    return replace(defaults, **values)


def traits_of(count: int, seed: int = 0) -> np.ndarray:
    """Sizes with a long tail, and an industry; shape (count, 3)."""
    draw = np.random.default_rng(seed)
    return np.column_stack(
        [np.exp(draw.normal(size=count)), draw.poisson(3.0, count), draw.integers(0, 3, count)]
    ).astype(float)


def rates_of(traits: np.ndarray, *, orders: float = 24.0, slope: float = 0.5) -> np.ndarray:
    """Orders a year that follow from an account's traits alone."""
    return orders * traits[:, 0] ** slope * np.array([0.8, 1.0, 1.3])[traits[:, 2].astype(int)]


def periods_of(rates: np.ndarray, seed: int = 0, *, spread: float = 0.8) -> np.ndarray:
    """Orders by period: Poisson in number, log-normal in worth; shape (count, PERIODS)."""
    draw = np.random.default_rng(seed)
    bought = np.zeros((len(rates), PERIODS))
    for period in range(PERIODS):
        orders = draw.poisson(rates / PERIODS)
        worth = ORDER * np.exp(spread * draw.normal(size=orders.sum()) - spread**2 / 2)
        np.add.at(bought[:, period], np.repeat(np.arange(len(rates)), orders), worth)
    return bought


def book_of(traits: np.ndarray, periods: np.ndarray) -> Book:
    count = len(traits)
    nothing = np.zeros(count + 1, dtype=np.int64)
    none = np.zeros(0, dtype=np.int64)
    ids = pl.Series("account_id", [f"a{place:06}" for place in range(count)])
    return Book(ids, traits, periods, Bought(nothing, none, np.zeros(0)), (),
                Tried(nothing, none, np.zeros(0, dtype=np.bool_)), season_of(periods))  # fmt: skip


def compared(traits: np.ndarray, periods: np.ndarray, **values) -> Comparison:
    return comparison(book_of(traits, periods), settings(**values), TRAITS)


def claims(comparison: Comparison) -> np.ndarray:
    """Places of the accounts for which a claim is made."""
    everybody = np.arange(len(comparison.book))
    return claimed(judge(comparison, everybody), comparison.settings)
