"""`nextbest import`: public data sets, from a copy of the user's own, to folders of the contract."""

# ruff: noqa: PLC0415

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from data.progress import reporting

OutOption = Annotated[Path, typer.Option(help="Folder to write the tables to.")]


def register(app: typer.Typer) -> None:
    """Add a command for each data set."""
    app.command("starbucks")(import_starbucks)
    app.command("obd")(import_obd)
    app.command("bank")(import_bank)
    app.command("olist")(import_olist)
    app.command("detailing")(import_detailing)


def import_starbucks(
    source: Annotated[Path, typer.Argument(help="Folder with transcript, portfolio and profile.")],
    out: OutOption,
) -> None:
    """Map the Starbucks reward log to the contract."""
    from data.datasets.starbucks import convert

    with reporting() as report:
        convert(source, out, report)
    typer.echo(f"Written to {out}. Load it: nextbest ingest {out}; decide with --playbook starbucks")


def import_obd(
    source: Annotated[Path, typer.Argument(help="Folder with random_all.csv and bts_all.csv, or .csv.gz.")],
    out: OutOption,
    campaign: Annotated[str, typer.Option(help="Part of the shop: all, men or women.")] = "all",
) -> None:
    """Map a campaign of the Open Bandit Dataset to two folders of the contract, one for each policy."""
    from data.datasets.obd import PLAYBOOK_FILE, POLICIES, convert

    with reporting() as report:
        convert(source, out, campaign, report)
    homes = " and ".join(f"{out / policy} --home {out}-{policy}" for policy in POLICIES)
    typer.echo(f"Written to {out}. Load {homes}, then evaluate with --playbook {out / PLAYBOOK_FILE}")


def import_bank(
    source: Annotated[Path, typer.Argument(help="Folder with bank-additional-full.csv, or .csv.gz.")],
    out: OutOption,
) -> None:
    """Map the bank marketing data to the contract."""
    from data.datasets.bank import convert

    with reporting() as report:
        convert(source, out, report)
    typer.echo(f"Written to {out}. Load it: nextbest ingest {out}; evaluate with --playbook bank")


def import_olist(
    source: Annotated[
        Path, typer.Argument(help="Folder with the leads and the closed deals, CSV or .csv.gz.")
    ],
    out: OutOption,
) -> None:
    """Map the Olist marketing funnel to the contract."""
    from data.datasets.olist import convert

    with reporting() as report:
        convert(source, out, report)
    typer.echo(f"Written to {out}. Load it: nextbest ingest {out}; evaluate with --playbook olist")


def import_detailing(
    source: Annotated[Path, typer.Argument(help="Folder with counts.csv and demo.csv, or .csv.gz.")],
    out: OutOption,
) -> None:
    """Map the calls on physicians and their prescriptions to the contract."""
    from data.datasets.detailing import convert

    with reporting() as report:
        convert(source, out, report)
    typer.echo(f"Written to {out}. Load it: nextbest ingest {out}; evaluate with --playbook detailing")
