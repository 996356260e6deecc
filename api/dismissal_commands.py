"""The commands for what people dismiss: counts by treatment, and data to be put right.

Heavy imports stand inside the commands, so that `nextbest --help` is quick.
"""

# ruff: noqa: PLC0415

from __future__ import annotations

import getpass
from typing import Annotated

import typer

from api.commands import HomeOption
from data.settings import Settings
from data.times import now_micros, to_iso


def register(app: typer.Typer) -> None:
    """Add these commands."""
    for command in (dismissals, corrections):
        app.command()(command)


def dismissals(
    days: Annotated[float, typer.Option("--days", min=0.0, help="Of the last so many days.")] = 90.0,
    home: HomeOption = None,
) -> None:
    """Show how often each treatment was dismissed, by reason."""
    from data.ledger.ledger import Ledger
    from engine.records import DAY_MICROS

    ledger = Ledger.open(Settings(home=home).as_home())
    found = ledger.dismissal_counts(after=now_micros() - round(days * DAY_MICROS))
    ledger.close()
    for one in found:
        typer.echo(
            f"{one.treatment}  {one.reason}: {one.times:,} times for {one.accounts:,} accounts, "
            f"last {to_iso(one.latest)}"
        )
    if not found:
        typer.echo(f"Nothing was dismissed in the last {days:g} days.")


def corrections(
    settle: Annotated[
        str | None, typer.Option("--settle", metavar="ID", help="This one was put right.")
    ] = None,
    by: Annotated[
        str | None, typer.Option("--by", help="Who did it; default: the user of this computer.")
    ] = None,
    home: HomeOption = None,
) -> None:
    """Show accounts whose data people found wrong, or note that one was put right."""
    from data.ledger.ledger import Ledger

    ledger = Ledger.open(Settings(home=home).as_home())
    if settle is not None:
        ledger.settle_correction(settle, by=by or getpass.getuser(), now=now_micros())
    found = ledger.corrections()
    ledger.close()
    for one in found:
        typer.echo(
            f"{one.suggestion_id}  {one.account_id} ({one.account_name}): {one.reason} for {one.treatment}, "
            f"by {one.user_id} at {to_iso(one.dismissed_at)}"
        )
    if not found:
        typer.echo("Nothing waits to be put right.")
