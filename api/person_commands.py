"""Commands about one person's data: all of it, and its erasure."""

# ruff: noqa: PLC0415

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated, Literal

import typer

from api.commands import HomeOption
from data.settings import Settings
from data.times import now_micros, to_iso

IdArgument = Annotated[str, typer.Argument(help="Account, contact or user.")]
KindOption = Annotated[
    Literal["account", "contact", "user"] | None, typer.Option(help="Needed where an id is of several.")
]
OutOption = Annotated[Path, typer.Option(help="File to write; must not be there yet.")]


def register(app: typer.Typer) -> None:
    """Add these commands."""
    persons = typer.Typer(help="All that is kept of a person, and its erasure.", no_args_is_help=True)
    persons.command("export")(export)
    persons.command("erase")(erase)
    app.add_typer(persons, name="person")


def export(person_id: IdArgument, out: OutOption, kind: KindOption = None, home: HomeOption = None) -> None:
    """Write all that is kept of an account, a contact or a colleague as JSON, for her alone to read."""
    from data.ledger.ledger import Ledger
    from data.people_data import export as exported
    from data.people_data import find_person

    place = Settings(home=home).as_home()
    ledger = Ledger.open(place)
    try:
        found = exported(place, ledger, find_person(place, ledger, person_id, kind))
    finally:
        ledger.close()
    found = {"exported_at": to_iso(now_micros()), **found}
    text = json.dumps(found, ensure_ascii=False, indent=1, default=str)
    with os.fdopen(os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text + "\n")
    typer.echo(f"{out}: all that is kept of {person_id}.")


def erase(
    person_id: IdArgument,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="It cannot be taken back.")] = False,
    kind: KindOption = None,
    home: HomeOption = None,
) -> None:
    """Erase names, texts and all else that says who somebody is. Twice is once."""
    from data.ledger.ledger import Ledger
    from data.people_data import erase as erased
    from data.people_data import find_person

    place = Settings(home=home).as_home()
    ledger = Ledger.open(place)
    try:
        person = find_person(place, ledger, person_id, kind)
        if not yes:
            ids = ", ".join(person.ids)
            typer.echo(f"This erases the {person.kind} {ids} for good. Add --yes to do it.", err=True)
            raise typer.Exit(2)
        found = erased(ledger, person, now=now_micros())
    finally:
        ledger.close()
    for what, count in sorted(found.items()):
        typer.echo(f"{count:>8,} {what}")
    typer.echo(
        f"The {person.kind} {person_id} is erased from the ledger; history and the nights' files follow with "
        "the next night."
    )
