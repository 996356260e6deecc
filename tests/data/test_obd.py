"""The Open Bandit import: every row of both logs finds its place, with its own probability."""

from __future__ import annotations

import gzip
from pathlib import Path

import polars as pl
import pytest

from data.datasets import DatasetError
from data.datasets.obd import PLAYBOOK_FILE, convert
from data.playbooks import read_playbook
from data.whole_folder import OccupiedFolderError
from tests.data.files import check_import

HEADER = "timestamp,item_id,position,click,propensity_score," + ",".join(
    f"user_feature_{n}" for n in range(4)
)
RANDOM = (
    "2019-11-24 00:00:34.762830+00:00,14,3,0,0.5,a,b,c,d",
    "2019-11-24 00:00:30.000000+00:00,2,1,1,0.5,a,b,c,e",
)
BTS = ("2019-11-24 00:00:17.004101+00:00,14,2,1,0.087125,a,b,c,d",)


def publish(folder: Path, *, header: str = HEADER, random: tuple[str, ...] = RANDOM) -> Path:
    """A copy of one campaign as the publisher writes it."""
    folder.mkdir(parents=True)
    for name, lines in {"random": random, "bts": BTS}.items():
        (folder / f"{name}_men.csv").write_text("\n".join([header, *lines, ""]), encoding="utf-8")
    return folder


def test_both_logs_pass_the_contract(tmp_path: Path) -> None:
    """The import goes through the same loader as any export."""
    convert(publish(tmp_path / "source"), tmp_path / "out", "men")

    for policy in ("random", "bts"):
        check_import(tmp_path / "out" / policy)


def test_each_row_keeps_its_item_place_probability_and_click(tmp_path: Path) -> None:
    """One probability at the wrong row, and every weight after it is wrong."""
    convert(publish(tmp_path / "source"), tmp_path / "out", "men")

    tables = {path.stem: pl.read_parquet(path) for path in (tmp_path / "out" / "random").glob("*.parquet")}
    rows = tables["decisions"].join(tables["accounts"], on="account_id").join(
        tables["outcomes"], on="account_id"
    )  # fmt: skip

    assert rows.sort("decided_at").select("treatment", "position", "probability", "value").rows() == [
        ("item_002", "place 1", 0.5, 1.0),
        ("item_014", "place 3", 0.5, 0.0),
    ]
    assert set(tables["decisions"]["eligible"]) == {"item_002|item_014"}
    assert len(tables["responses"]) == 1


def test_the_playbook_that_comes_with_it_names_every_item(tmp_path: Path) -> None:
    """An item that the playbook lacks would be left out of the figures."""
    convert(publish(tmp_path / "source"), tmp_path / "out", "men")

    playbook = read_playbook(str(tmp_path / "out" / PLAYBOOK_FILE))

    assert {treatment.id for treatment in playbook.treatments} == {"none", "item_002", "item_014"}
    assert playbook.outcome_worth == {"click": 1000.0}


def test_the_publishers_own_folders_zipped_are_read_alike(tmp_path: Path) -> None:
    """Who downloads the whole set need not rename anything."""
    plain = publish(tmp_path / "source")
    for policy in ("random", "bts"):
        path = tmp_path / "packed" / policy / "men" / "men.csv.gz"
        path.parent.mkdir(parents=True)
        path.write_bytes(gzip.compress((plain / f"{policy}_men.csv").read_bytes()))

    convert(plain, tmp_path / "one", "men")
    convert(tmp_path / "packed", tmp_path / "two", "men")

    for path in (tmp_path / "one" / "bts").iterdir():
        assert pl.read_parquet(path).equals(pl.read_parquet(tmp_path / "two" / "bts" / path.name))


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"header": HEADER.replace("position", "place")}, "random_men.csv has no column 'position'"),
        ({"random": ()}, "random_men.csv has no rows"),
        ({"random": (RANDOM[0].replace(",0.5,", ",1.5,"),)}, "'propensity_score': got 1.5"),
        ({"random": (RANDOM[0].replace(",14,", ",hat,"),)}, "'item_id': got 'hat', need a number"),
        ({"random": (RANDOM[0].replace("2019-11-24 ", "24.11.2019 "),)}, "need a date or a time"),
    ],
)
def test_another_data_set_is_refused_in_one_line(tmp_path: Path, changed: dict, complaint: str) -> None:
    """A wrong file must not become wrong figures, and nothing half written stays."""
    source = publish(tmp_path / "source", **changed)

    with pytest.raises(DatasetError, match=complaint) as caught:
        convert(source, tmp_path / "out", "men")

    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    """The path is what the user can put right."""
    source = publish(tmp_path / "source")
    with pytest.raises(DatasetError, match=r"no random_all\.csv or random/all/all\.csv in"):
        convert(source, tmp_path / "out")
    with pytest.raises(DatasetError, match="no campaign 'kids'; there are all, men, women"):
        convert(source, tmp_path / "out", "kids")
    with pytest.raises(DatasetError, match="There is no folder"):
        convert(tmp_path / "nowhere", tmp_path / "out")


def test_a_folder_of_somebody_else_is_not_replaced(tmp_path: Path) -> None:
    """An import a second time replaces its own folder only."""
    source = publish(tmp_path / "source")
    convert(source, tmp_path / "out", "men")
    convert(source, tmp_path / "out", "men")
    (tmp_path / "out" / "mine.txt").write_text("mine", encoding="utf-8")

    with pytest.raises(OccupiedFolderError, match="nothing was written"):
        convert(source, tmp_path / "out", "men")
