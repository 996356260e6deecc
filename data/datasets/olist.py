"""The Olist marketing funnel as tables of the contract: leads of a marketplace for shops, and deals won.

The publisher's two files: qualified leads, and deals with what was learned of the shop when it signed.
docs/howto/olist.md explains the choices.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from data.datasets import DatasetError
from data.datasets.files import (
    SYSTEM,
    convert_to,
    find,
    read_csv,
    system_tables,
    with_numbers,
    with_times,
)
from data.progress import Progress, quiet

TEXTS_OF_DEALS = (
    "business_segment", "lead_type", "lead_behaviour_profile", "has_company", "has_gtin", "average_stock",
    "business_type",
)  # fmt: skip
NUMBERS_OF_DEALS = ("declared_product_catalog_size", "declared_monthly_revenue")
OF_DEALS = (*TEXTS_OF_DEALS, *NUMBERS_OF_DEALS)
"""Known of deals won only, when they are won."""
LEAST_OF_PAGE = 10
"""Landing pages with fewer leads than this are one: texts with hundreds of values are no features."""
_LEADS = {"mql_id", "first_contact_date", "landing_page_id", "origin"}
_NAME = "Olist marketing funnel"


def convert(source: Path, out: Path, progress: Progress = quiet) -> None:
    """Map the publisher's two files to a folder of the contract.

    Args:
        source: Folder with olist_marketing_qualified_leads_dataset.csv and olist_closed_deals_dataset.csv,
            zipped (.gz) or not.
        out: Folder for the tables; made where it does not exist.
        progress: Called with (stage, done, of).

    Raises:
        OccupiedFolderError: `out` holds something else.
        DatasetError: A file is missing, unreadable or not of this data set, or `out` cannot be written.
    """

    def tables() -> dict[str, pl.DataFrame]:
        path = find(source, ("olist_marketing_qualified_leads_dataset.csv",))
        leads = with_times(read_csv(path, _LEADS, what=_NAME), "first_contact_date", path)
        return _tables(leads, _deals(source, leads))

    convert_to(out, tables, progress)


def _deals(source: Path, leads: pl.DataFrame) -> pl.DataFrame:
    path = find(source, ("olist_closed_deals_dataset.csv",))
    deals = with_times(read_csv(path, {"mql_id", "won_date", *OF_DEALS}, what=_NAME), "won_date", path)
    strange = deals.join(leads, on="mql_id", how="anti")
    if len(strange):
        raise DatasetError(f"{path} has a deal of the unknown lead {strange['mql_id'][0]!r}.")
    for frame in (leads, deals):
        if frame["mql_id"].is_duplicated().any():
            raise DatasetError(f"A lead stands twice in a file of {source}; is it the {_NAME} data set?")
    some = deals.with_columns(pl.col(name).fill_null("nan") for name in NUMBERS_OF_DEALS)
    return with_numbers(some, NUMBERS_OF_DEALS, path).with_columns(
        pl.col(name).fill_nan(None) for name in NUMBERS_OF_DEALS
    )


def _tables(leads: pl.DataFrame, deals: pl.DataFrame) -> dict[str, pl.DataFrame]:
    began = leads.select("mql_id", at="first_contact_date")
    decided = began.filter(pl.col("at") >= deals["won_date"].min()).with_columns(
        at=pl.col("at") + pl.duration(seconds=1)
    )
    accounts = _accounts(leads, deals)
    return {
        "accounts": accounts,
        **system_tables(accounts.unique("account_id", keep="first", maintain_order=True), "Sales"),
        "touchpoints": pl.concat([_enquiries(began), _calls(decided)]),
        "responses": pl.DataFrame(
            schema={
                "touchpoint_id": pl.String,
                "responded_at": pl.Datetime("us", "UTC"),
                "response": pl.String,
            }
        ),
        "outcomes": deals.select(
            account_id="mql_id",
            outcome_id=pl.lit("o-") + pl.col("mql_id"),
            occurred_at="won_date",
            kind=pl.lit("deal"),
            value=pl.lit(1.0),
        ),
        "decisions": decided.select(
            account_id="mql_id",
            decision_id=pl.lit("d-") + pl.col("mql_id"),
            decided_at="at",
            treatment=pl.lit("call_lead"),
            place=pl.lit(1, pl.Int64),
            policy=pl.lit("all leads"),
            followed=pl.lit(True),
        ),
    }


def _accounts(leads: pl.DataFrame, deals: pl.DataFrame) -> pl.DataFrame:
    """Two versions of those who signed: what their deal says is known when it is won, not before."""
    unknown = [pl.lit(None, pl.String).alias(name) for name in TEXTS_OF_DEALS]
    unknown += [pl.lit(None, pl.Float64).alias(name) for name in NUMBERS_OF_DEALS]
    first = leads.select(
        "origin",
        *unknown,
        landing_page=pl.when(pl.len().over("landing_page_id") >= LEAST_OF_PAGE)
        .then("landing_page_id")
        .otherwise(pl.lit("another")),
        account_id="mql_id",
        name=pl.col("mql_id").str.slice(0, 8),
        language=pl.lit("pt"),
        country=pl.lit("BR"),
        automated=pl.lit(True),
        stored_at=pl.col("first_contact_date") - pl.duration(seconds=1),
    )
    signed = deals.select(*OF_DEALS, account_id="mql_id", stored_at=pl.col("won_date") + pl.duration(hours=1))
    later = first.drop(*OF_DEALS, "stored_at").join(signed, on="account_id")
    # One deal is dated before the lead's first contact; its version follows all the same.
    later = later.join(first.select("account_id", began="stored_at"), on="account_id").with_columns(
        stored_at=pl.max_horizontal("stored_at", pl.col("began") + pl.duration(hours=1))
    )
    return pl.concat([first, later.select(first.columns)])


def _enquiries(began: pl.DataFrame) -> pl.DataFrame:
    return began.select(
        touchpoint_id=pl.lit("w-") + pl.col("mql_id"),
        account_id="mql_id",
        occurred_at="at",
        direction=pl.lit("inbound"),
        channel=pl.lit("website"),
        treatment=pl.lit(None, pl.String),
        role=pl.lit(None, pl.String),
        user_id=pl.lit(None, pl.String),
        status=pl.lit("done"),
        decision_id=pl.lit(None, pl.String),
    )


def _calls(decided: pl.DataFrame) -> pl.DataFrame:
    return decided.select(
        touchpoint_id=pl.lit("t-") + pl.col("mql_id"),
        account_id="mql_id",
        occurred_at="at",
        direction=pl.lit("outbound"),
        channel=pl.lit("sales"),
        treatment=pl.lit("call_lead"),
        role=pl.lit(SYSTEM),
        user_id=pl.lit(SYSTEM),
        status=pl.lit("done"),
        decision_id=pl.lit("d-") + pl.col("mql_id"),
    )
