"""The detailing import: a decision per physician and month, calls within it, prescriptions after them."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from data.datasets import DatasetError
from data.datasets.detailing import convert
from data.playbooks import read_playbook
from tests.data.files import check_import
from tests.scenarios.public_data import stored
from training.cases import build_cases

COUNTS = ("1,3,1,4", "1,12,0,3", "1,5,4,12", "2,0,0,1", "2,2,2,0", "2,1,14,2")
DEMO = ("1,1,0,0.7", "2,0,1,0.5")


def publish(folder: Path, counts: tuple[str, ...] = COUNTS, demo: tuple[str, ...] = DEMO) -> Path:
    """The two tables as the publisher writes them."""
    folder.mkdir(parents=True)
    for name, header, rows in (
        ("counts", "id,scripts,detailing,lagged_scripts", counts),
        ("demo", "id,generalphys,specialist,mean_samples", demo),
    ):
        (folder / f"{name}.csv").write_text("\n".join([header, *rows, ""]), encoding="utf-8")
    return folder


def converted(folder: Path, **files: tuple[str, ...]) -> dict[str, pl.DataFrame]:
    convert(publish(folder / "source", **files), folder / "out")
    return {path.stem: pl.read_parquet(path) for path in (folder / "out").glob("*.parquet")}


def test_every_table_passes_the_contract(tmp_path: Path) -> None:
    """The import goes through the same loader as any export."""
    converted(tmp_path)

    check_import(tmp_path / "out")


def test_how_often_somebody_was_called_on_is_what_was_decided(tmp_path: Path) -> None:
    """Months without a call are decisions too: without them nothing is compared with."""
    tables = converted(tmp_path)

    decisions = tables["decisions"].sort("decision_id")

    assert decisions["treatment"].to_list() == [
        "visits_1", "none", "visits_3", "none", "visits_2", "visits_3",
    ]  # fmt: skip
    assert decisions["decided_at"].dt.strftime("%m-%d").to_list() == ["01-01", "02-01", "03-01"] * 2
    assert "probability" not in decisions.columns
    assert len(tables["touchpoints"]) == 1 + 4 + 2 + 14
    assert tables["accounts"].sort("account_id")["speciality"].to_list() == ["general", "specialist"]


def test_prescriptions_of_a_month_follow_its_decision_and_those_before_are_known(tmp_path: Path) -> None:
    """One month's shift, and the prescriptions that made somebody a target would look like its effect."""
    converted(tmp_path)

    cases = build_cases(stored(tmp_path / "out", tmp_path), read_playbook("detailing"))

    month_before = cases.features.account[:, cases.features.set.account.index("outcome_value_30d")]
    rows = sorted(zip(cases.account_ids, cases.as_of, cases.reward, month_before, strict=True))
    assert [(reward, before) for _, _, reward, before in rows] == [
        (3, 4), (12, 3), (5, 12), (0, 1), (2, 0), (1, 2),
    ]  # fmt: skip


def test_every_call_lies_in_its_own_month(tmp_path: Path) -> None:
    """A call that slips into the next month would be known too early or too late."""
    tables = converted(tmp_path)

    calls = tables["touchpoints"].join(
        tables["decisions"].select("decision_id", "decided_at"), on="decision_id"
    )
    later = (calls["occurred_at"] - calls["decided_at"]).dt.total_days()

    assert later.min() > 0
    assert later.max() < 29


@pytest.mark.parametrize(
    ("files", "complaint"),
    [
        ({"counts": ("1,3,1",)}, "column 'lagged_scripts': got None, need a number"),
        ({"counts": ("1,3,1.5,4",)}, "column 'detailing': got 1.5, need a whole number"),
        ({"demo": DEMO[:1]}, r"demo\.csv has no physician 'p00002'"),
        ({"counts": ()}, r"counts\.csv has no rows"),
    ],
)
def test_another_data_set_is_refused_in_one_line(
    tmp_path: Path, files: dict[str, tuple[str, ...]], complaint: str
) -> None:
    """A wrong file must not become wrong figures."""
    with pytest.raises(DatasetError, match=complaint) as caught:
        converted(tmp_path, **files)

    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """The path is what the user can put right."""
    source = publish(tmp_path / "source")
    (source / "demo.csv").unlink()

    with pytest.raises(DatasetError, match=r"There is no demo\.csv in"):
        convert(source, tmp_path / "out")
