"""Columns that look like leaks are found by what they explain, when they change and what they are called."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from engine.records import DAY_MICROS
from tests.engine.builders import NOW
from tests.training.builders import SMALL, LogSettings, frame, stored, tables
from training.cases import build_cases
from training.errors import RefusedColumnError
from training.leaks import Leak, find_leaks, follows_outcomes, knows_accidents, strengths
from training.report import not_known_as_of

AT = 2**62


def with_column(rows: dict[str, pl.DataFrame], name: str, values: list[str]) -> dict[str, pl.DataFrame]:
    """The same log with one more column of accounts."""
    return rows | {"accounts": rows["accounts"].with_columns(pl.Series(name, values))}


def leaks(folder: Path, rows: dict[str, pl.DataFrame]) -> tuple[Leak, ...]:
    snapshot = stored(folder, rows)
    undated = not_known_as_of(snapshot)
    return find_leaks(build_cases(snapshot, SMALL), snapshot, undated=undated, at=AT)


def bought(rows: dict[str, pl.DataFrame]) -> list[str]:
    """For each account whether it bought more than usual over all: known only afterwards."""
    total = rows["outcomes"].group_by("account_id").agg(pl.col("value").sum())
    joined = rows["accounts"].join(total, on="account_id", how="left", maintain_order="left")
    middle = joined["value"].median()
    return ["high" if value > middle else "low" for value in joined["value"]]


def test_an_honest_log_has_no_suspects(tmp_path: Path) -> None:
    """A finder that cries wolf is not read."""
    assert leaks(tmp_path, tables(LogSettings(accounts=200))) == ()


def test_a_column_that_knows_the_outcome_is_found_by_what_it_explains(tmp_path: Path) -> None:
    """Filled after the fact and loaded without dates: the model would predict the past."""
    rows = tables(LogSettings(accounts=400, decisions=1, effect=3.0))

    found = leaks(tmp_path, with_column(rows, "grade", bought(rows)))

    assert [leak.column for leak in found] == ["grade"]
    assert "Alone it tells outcomes apart" in found[0].sentence
    assert found[0].strength > 0.3


def test_a_column_of_chance_with_many_levels_explains_nothing(tmp_path: Path) -> None:
    """Fitted and judged on the same accounts, names of streets would explain everything."""
    rows = tables(LogSettings(accounts=200))
    streets = [f"street {number // 2}" for number in range(200)]

    cases = build_cases(stored(tmp_path, with_column(rows, "street", streets)), SMALL)

    assert strengths(cases)["street"] < 0.1


def test_an_undated_column_that_is_called_after_outcomes_is_named(tmp_path: Path) -> None:
    """The name is the weakest sign, and often the only one before the damage."""
    rows = tables(LogSettings(accounts=100))

    found = leaks(tmp_path, with_column(rows, "churnResult", ["a", "b"] * 50))

    assert [leak.column for leak in found] == ["churnResult"]
    assert "churn, result" in found[0].sentence


def test_a_column_that_changes_after_outcomes_is_found_by_its_times(tmp_path: Path) -> None:
    """What follows an outcome by a day, again and again, is written because of it."""
    rows = with_column(tables(LogSettings(accounts=100, decisions=1)), "state", ["open"] * 100)
    first = rows["outcomes"].head(100)
    later = {
        "account_id": first["account_id"], "state": ["done"] * 100,
        "segment": rows["accounts"]["segment"], "potential_value": rows["accounts"]["potential_value"],
        "stored_at": first["occurred_at"].to_physical() + DAY_MICROS,
    }  # fmt: skip
    rows["accounts"] = pl.concat([rows["accounts"], frame("accounts", later)], how="diagonal_relaxed")
    snapshot = stored(tmp_path, rows)

    found = follows_outcomes(snapshot, ["state", "segment"], at=AT)

    assert list(found) == ["state"]
    assert found["state"][0].startswith("100 of 100 changes")


def test_a_refused_column_is_no_feature_of_the_cases(tmp_path: Path) -> None:
    """Declared leaks are kept out, not only named."""
    rows = with_column(tables(LogSettings(accounts=60)), "grade", ["x", "y"] * 30)
    snapshot = stored(tmp_path, rows)

    built = build_cases(snapshot, replace(SMALL, refused=("grade",)))

    assert "grade" in build_cases(snapshot, SMALL).features.set.account
    assert "grade" not in built.features.set.account
    assert "feature:grade" not in built.frame().columns


def test_refusing_a_column_with_a_slip_in_its_name_stops(tmp_path: Path) -> None:
    """Silently ignored, the leak would stay."""
    snapshot = stored(tmp_path, tables(LogSettings(accounts=30)))

    with pytest.raises(RefusedColumnError, match="'segmnt', did you mean 'segment'"):
        build_cases(snapshot, replace(SMALL, refused=("segmnt",)))


def test_what_tells_buyers_from_others_counts_even_where_amounts_are_wild(tmp_path: Path) -> None:
    """Heavy tails hide a leak from R2; whether anything came does not."""
    cases = build_cases(stored(tmp_path, tables(LogSettings(accounts=400))), SMALL)
    in_a = cases.features.account[:, cases.features.set.account.index("segment")] == 0.0
    wild = np.where(in_a, np.exp(np.random.default_rng(1).normal(0.0, 4.0, len(cases))), 0.0)

    assert strengths(replace(cases, reward=wild))["segment"] > 0.9


def test_a_few_huge_orders_do_not_hide_what_an_honest_column_tells(tmp_path: Path) -> None:
    """Beside a column that seems to tell nothing, the next honest one looks twice as strong as any other."""
    cases = build_cases(stored(tmp_path, tables(LogSettings(accounts=400))), SMALL)
    generator = np.random.default_rng(2)
    in_a = cases.features.account[:, cases.features.set.account.index("segment")] == 0.0
    usual = 80.0 * (generator.random(len(cases)) < np.where(in_a, 0.4, 0.2))
    huge = np.where(np.isin(np.arange(len(cases)), np.flatnonzero(~in_a)[:6]), 8_000.0, usual)

    honest, beside_huge = (strengths(replace(cases, reward=each))["segment"] for each in (usual, huge))

    assert honest > 0.15
    assert beside_huge == pytest.approx(honest, abs=0.02)


def buyers(
    seed: int, *, purchases: float = 8.0, by_the_clock: bool = False
) -> tuple[dict[str, pl.DataFrame], np.ndarray]:
    """A log of 150 accounts that buy by chance, some more than others, and the level of each.

    About so many purchases in 280 days, at any time; by the clock, at equal distances.
    """
    rows = tables(LogSettings(accounts=150, decisions=7, seed=seed))
    draw = np.random.default_rng(seed)
    level = purchases * np.exp(draw.normal(0.0, 0.6, 150))
    counts = np.maximum(np.round(level), 1).astype(int) if by_the_clock else draw.poisson(level)
    account = np.repeat(np.arange(150), counts)
    turn = np.arange(len(account)) - np.repeat(np.cumsum(counts) - counts, counts)
    shares = (turn + draw.uniform(size=150)[account]) / counts[account]
    days = 280.0 * (shares if by_the_clock else draw.uniform(size=len(account)))
    fees = draw.gamma(2.0, 50.0, 150)[account]
    outcomes = {
        "outcome_id": [f"o{number}" for number in range(len(account))],
        "account_id": rows["accounts"]["account_id"].to_numpy()[account],
        "occurred_at": NOW - ((290.0 - days) * DAY_MICROS).astype(np.int64),
        "kind": ["prescription"] * len(account),
        "value": fees if by_the_clock else draw.gamma(2.0, 50.0, len(account)),
    }
    return rows | {"outcomes": frame("outcomes", outcomes)}, level


def totals(rows: dict[str, pl.DataFrame]) -> np.ndarray:
    """What each account brought over all, what came last included."""
    total = rows["outcomes"].group_by("account_id").agg(pl.col("value").sum())
    joined = rows["accounts"].join(total, on="account_id", how="left", maintain_order="left")
    return joined["value"].fill_null(0.0).to_numpy()


@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_a_total_that_holds_what_came_later_is_found_whatever_it_is_called(
    tmp_path: Path, noise: float
) -> None:
    """Beside a fact that rightly foretells much, no total foretells twice as well; and a date may lie."""
    rows, level = buyers(1)
    total = totals(rows)
    copy = total + noise * total.std() * np.random.default_rng(2).normal(size=len(total))
    accounts = rows["accounts"].with_columns(xq=pl.Series(copy), potential_value=pl.Series(level))
    snapshot = stored(tmp_path, rows | {"accounts": accounts})

    found = find_leaks(build_cases(snapshot, SMALL), snapshot, undated=(), at=AT)

    assert [leak.column for leak in found] == ["xq"]
    assert "it knows what came later" in found[0].sentence


def test_a_column_that_is_set_for_those_who_bought_later_is_found(tmp_path: Path) -> None:
    """The label itself, where not everybody buys."""
    rows, level = buyers(1, purchases=1.0)
    late = rows["outcomes"].filter(pl.col("occurred_at").to_physical() > NOW - 200 * DAY_MICROS)
    bought_later = pl.col("account_id").is_in(late["account_id"].to_list()).cast(pl.Float64)
    accounts = rows["accounts"].with_columns(xq=bought_later, potential_value=pl.Series(level))
    snapshot = stored(tmp_path, rows | {"accounts": accounts})

    assert list(knows_accidents(build_cases(snapshot, SMALL), snapshot, at=AT)) == ["xq"]


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("by_the_clock", [False, True])
def test_a_fact_that_says_all_that_can_be_known_before_is_no_leak(
    tmp_path: Path, seed: int, by_the_clock: bool
) -> None:
    """The true level foretells better than any other fact could. By the clock a contract says the total,
    and much in one part of the time means little in the next without foreknowledge: the sign is silent."""
    rows, level = buyers(seed, by_the_clock=by_the_clock)
    values = totals(rows) if by_the_clock else level
    accounts = rows["accounts"].with_columns(potential_value=pl.Series(values))
    snapshot = stored(tmp_path, rows | {"accounts": accounts})

    assert knows_accidents(build_cases(snapshot, SMALL), snapshot, at=AT) == {}
