"""The commands that keep everything safe: backup and restore."""

# ruff: noqa: PLC0415

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from api.commands import HomeOption, ModelsOption
from data.home import Home
from data.progress import reporting
from data.settings import Settings
from data.times import now_micros, to_iso


def register(app: typer.Typer) -> None:
    """Add these commands."""
    for command in (backup, restore):
        app.command()(command)


def backup(
    out: Annotated[Path, typer.Option(help="File to write; must not be there yet.")],
    home: HomeOption = None,
    models: ModelsOption = None,
) -> None:
    """Write ledger, history, nights, twins and releases to one file; the service may go on."""
    from data.backup import write_backup

    settings = Settings(home=home, models=models)
    with reporting() as report:
        found = write_backup(settings.as_home(), out, now=now_micros(), progress=report)
    typer.echo(
        f"{out}: {sum(found.rows.values()):,} rows of the ledger, {len(found.files):,} files, "
        f"{found.bytes / 1e6:,.1f} MB."
    )


def restore(
    backup: Annotated[Path, typer.Argument(help="A file that `nextbest backup` wrote.")],
    home: HomeOption = None,
    models: ModelsOption = None,
) -> None:
    """Put a backup into an empty home and ledger (SQLite or PostgreSQL, whichever it was made of)."""
    from data.backup import restore_backup

    settings = Settings(home=home, models=models)
    with reporting() as report:
        found = restore_backup(_as_owner(settings), backup, progress=report)
    typer.echo(
        f"Restored what was kept at {to_iso(found.made_at)}: {found.rows.get('accounts', 0):,} accounts, "
        f"{sum(found.rows.values()):,} rows of the ledger, {len(found.files):,} files."
    )


def _as_owner(settings: Settings) -> Home:
    """The home with the ledger as the role reaches it that may make tables."""
    home = settings.as_home()
    return replace(home, ledger_url=settings.ledger_migration_url or home.ledger_url)
