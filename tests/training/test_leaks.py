"""Columns that look like leaks are found by what they explain, when they change and what they are called."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from engine.records import DAY_MICROS
from tests.training.builders import SMALL, LogSettings, frame, stored, tables
from training.cases import build_cases
from training.errors import RefusedColumnError
from training.leaks import Leak, find_leaks, follows_outcomes, strengths
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
