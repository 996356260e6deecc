"""The Olist import: leads when they came, deals when they were won, and what a deal says not before it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from data.datasets import DatasetError
from data.datasets.olist import OF_DEALS, convert
from data.playbooks import read_playbook
from tests.data.files import check_import
from tests.scenarios.public_data import stored
from training.cases import build_cases
from training.leaks import find_leaks
from training.report import not_known_as_of

LEADS = "olist_marketing_qualified_leads_dataset.csv"
DEALS = "olist_closed_deals_dataset.csv"


def publish(folder: Path, count: int = 60) -> Path:
    """Leads two a day, every third of which signs two days later."""
    folder.mkdir(parents=True)
    days = [f"2018-{2 + number // 56:02}-{1 + number // 2 % 28:02}" for number in range(count)]
    leads = [f"lead{number:03},{day},page{number % 2},social" for number, day in enumerate(days)]
    header = f"mql_id,won_date,{','.join(OF_DEALS)}"
    deals = [
        f"lead{number:03},{day} 12:00:00,pet,online_big,cat,True,False,1-5,reseller,10.0,500"
        for number, day in zip(range(0, count - 4, 3), days[4::3], strict=True)
    ]
    (folder / LEADS).write_text(
        "\n".join(["mql_id,first_contact_date,landing_page_id,origin", *leads, ""]), encoding="utf-8"
    )
    (folder / DEALS).write_text("\n".join([header, *deals, ""]), encoding="utf-8")
    return folder


def test_every_table_passes_the_contract(tmp_path: Path) -> None:
    """The import goes through the same loader as any export."""
    convert(publish(tmp_path / "source"), tmp_path / "out")

    check_import(tmp_path / "out")


def test_leads_before_the_first_recorded_deal_are_no_cases(tmp_path: Path) -> None:
    """Their deals were not recorded yet, so they would count as lost."""
    convert(publish(tmp_path / "source"), tmp_path / "out")

    decisions = pl.read_parquet(tmp_path / "out" / "decisions.parquet")
    outcomes = pl.read_parquet(tmp_path / "out" / "outcomes.parquet")

    assert decisions["decided_at"].min() > outcomes["occurred_at"].min()
    assert 50 < len(decisions) < 60


def test_what_a_deal_says_is_known_after_it_and_is_no_feature(tmp_path: Path) -> None:
    """It is there for won deals only: the strongest leak that there can be."""
    convert(publish(tmp_path / "source"), tmp_path / "out")

    cases = build_cases(stored(tmp_path / "out", tmp_path), read_playbook("olist"))
    trusting = replace(read_playbook("olist"), refused=())
    honest = build_cases(stored(tmp_path / "out", tmp_path / "again"), trusting)

    assert not set(OF_DEALS) & set(cases.features.set.names)
    assert {"origin", "landing_page"} <= set(cases.features.set.names)
    place = honest.features.set.names.index("declared_monthly_revenue")
    # Even a playbook that refuses nothing does not know them at the first contact.
    assert (honest.features.row_matrix(honest.action)[:, place] != 500).all()


def test_the_finder_of_leaks_names_every_column_of_deals(tmp_path: Path) -> None:
    """Whoever has not read the publisher's notes is told."""
    convert(publish(tmp_path / "source", 112), tmp_path / "out")
    snapshot = stored(tmp_path / "out", tmp_path)

    cases = build_cases(snapshot, replace(read_playbook("olist"), refused=()))
    found = find_leaks(cases, snapshot, undated=not_known_as_of(snapshot), at=2**62)

    assert {leak.column for leak in found} == set(OF_DEALS)


def test_rare_landing_pages_are_one(tmp_path: Path) -> None:
    """A text with hundreds of values is no feature."""
    source = publish(tmp_path / "source")
    path = source / LEADS
    path.write_text(path.read_text(encoding="utf-8").replace("page0", "rare", 3), encoding="utf-8")
    convert(source, tmp_path / "out")

    pages = pl.read_parquet(tmp_path / "out" / "accounts.parquet")["landing_page"]

    assert set(pages) == {"page0", "page1", "another"}


@pytest.mark.parametrize(
    ("file", "old", "new", "complaint"),
    [
        (LEADS, "landing_page_id", "page", "no column 'landing_page_id'; is it the Olist"),
        (LEADS, "2018-02-01", "1.2.2018", "'first_contact_date': got '1.2.2018', need a date"),
        (LEADS, "lead001", "lead000", "A lead stands twice"),
        (DEALS, "lead003", "stranger", "a deal of the unknown lead 'stranger'"),
        (DEALS, "10.0", "many", "'declared_product_catalog_size': got 'many', need a number"),
    ],
)
def test_another_data_set_is_refused_in_one_line(
    tmp_path: Path, file: str, old: str, new: str, complaint: str
) -> None:
    """A wrong file must not become wrong figures."""
    source = publish(tmp_path / "source")
    path = source / file
    path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")

    with pytest.raises(DatasetError, match=complaint) as caught:
        convert(source, tmp_path / "out")

    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """The path is what the user can put right."""
    source = publish(tmp_path / "source")
    (source / DEALS).unlink()

    with pytest.raises(DatasetError, match=f"There is no {DEALS} in"):
        convert(source, tmp_path / "out")
