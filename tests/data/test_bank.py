"""The bank import: calls in their order over the years, and nothing that is known only afterwards."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from data.datasets import DatasetError
from data.datasets.bank import convert
from data.playbooks import read_playbook
from tests.data.files import check_import
from tests.scenarios.public_data import stored
from training.cases import build_cases

ECONOMY = ("emp.var.rate", "cons.price.idx", "cons.conf.idx", "euribor3m", "nr.employed")
COLUMNS = (
    "age", "job", "marital", "education", "default", "housing", "loan", "contact", "month", "day_of_week",
    "duration", "campaign", "pdays", "previous", "poutcome", *ECONOMY, "y",
)  # fmt: skip
CALL = dict.fromkeys(ECONOMY, "1.1") | {
    "age": "56", "job": '"housemaid"', "marital": '"married"', "education": '"unknown"', "default": '"no"',
    "housing": '"no"', "loan": '"no"', "contact": '"telephone"', "month": '"may"', "day_of_week": '"mon"',
    "duration": "261", "campaign": "1", "pdays": "999", "previous": "0", "poutcome": '"nonexistent"',
    "y": '"no"',
}  # fmt: skip
CALLS = (
    {},
    {"y": '"yes"', "month": '"nov"', "contact": '"cellular"'},
    {"month": '"mar"', "pdays": "3"},
    {"month": '"mar"'},
)


def publish(folder: Path, *calls: dict[str, str]) -> Path:
    """A file as the publisher writes it, with these calls."""
    folder.mkdir(parents=True)
    lines = [";".join((CALL | call)[name] for name in COLUMNS) for call in calls or CALLS]
    header = ";".join(f'"{name}"' for name in COLUMNS)
    (folder / "bank-additional-full.csv").write_text("\n".join([header, *lines, ""]), encoding="utf-8")
    return folder


def converted(folder: Path, *calls: dict[str, str]) -> dict[str, pl.DataFrame]:
    convert(publish(folder / "source", *calls), folder / "out")
    return {path.stem: pl.read_parquet(path) for path in (folder / "out").glob("*.parquet")}


def test_every_table_passes_the_contract(tmp_path: Path) -> None:
    """The import goes through the same loader as any export."""
    converted(tmp_path)

    check_import(tmp_path / "out")


def test_years_follow_from_the_order_of_the_calls(tmp_path: Path) -> None:
    """A split by time needs the time, and the publisher gives the month only."""
    decisions = converted(tmp_path)["decisions"].sort("decision_id")

    assert decisions["decided_at"].is_sorted()
    assert decisions["decided_at"].dt.strftime("%Y-%m").to_list() == [
        "2008-05", "2008-11", "2009-03", "2009-03",
    ]  # fmt: skip
    assert decisions["treatment"].to_list()[:2] == ["call_telephone", "call_cellular"]


def test_what_is_not_known_is_empty_and_the_economy_stays_out(tmp_path: Path) -> None:
    """999 days taken literally would be a strong feature; an index is the same for everybody at a time."""
    accounts = converted(tmp_path)["accounts"].sort("account_id", "stored_at")

    assert accounts["education"].to_list() == [None] * 8
    assert accounts["pdays"].drop_nulls().to_list() == [3.0, 3.0]
    assert not set(ECONOMY) & set(accounts.columns)


def test_how_long_a_call_lasted_is_known_when_it_is_over(tmp_path: Path) -> None:
    """It tells best of all who takes the deposit, and nobody has it before the call."""
    tables = converted(tmp_path)
    rows = tables["accounts"].join(tables["decisions"], on="account_id")

    known = rows.filter(pl.col("duration").is_not_null())

    assert len(known) == len(CALLS)
    assert (known["stored_at"] > known["decided_at"]).all()


def test_the_playbook_refuses_it_as_a_feature(tmp_path: Path) -> None:
    """Whoever loads the file without dates is safe too."""
    converted(tmp_path)
    playbook = read_playbook("bank")

    cases = build_cases(stored(tmp_path / "out", tmp_path), playbook)

    assert playbook.refused == ("duration",)
    assert {"age", "job", "poutcome"} <= set(cases.features.set.account)
    assert "duration" not in cases.features.set.names
    assert sorted(cases.reward.tolist()) == [0.0, 0.0, 1.0]
    assert cases.left_out == {"before anything was known of anybody": 1}


@pytest.mark.parametrize(
    ("call", "complaint"),
    [
        ({"month": '"mai"'}, "column 'month': got 'mai', need one of jan, feb"),
        ({"age": '"old"'}, "column 'age': got 'old', need a number"),
        ({"contact": '"fax"'}, "column 'contact': got 'fax', need one of cellular, telephone"),
        ({"duration": "-1"}, "shorter than 0 seconds"),
    ],
)
def test_another_data_set_is_refused_in_one_line(
    tmp_path: Path, call: dict[str, str], complaint: str
) -> None:
    """A wrong file must not become wrong figures."""
    with pytest.raises(DatasetError, match=complaint) as caught:
        converted(tmp_path, call)

    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_missing_file_or_column_is_named(tmp_path: Path) -> None:
    """The older file of the publisher has other columns."""
    with pytest.raises(DatasetError, match=r"There is no folder .*nowhere"):
        convert(tmp_path / "nowhere", tmp_path / "out")
    source = publish(tmp_path / "source")
    path = source / "bank-additional-full.csv"
    path.write_text(path.read_text(encoding="utf-8").replace("day_of_week", "day"), encoding="utf-8")

    with pytest.raises(DatasetError, match="no column 'day_of_week'; is it the bank marketing data set"):
        convert(source, tmp_path / "out")
