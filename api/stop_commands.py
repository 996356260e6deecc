"""The commands that stop contacts for everybody in an emergency, and resume them.

Heavy imports stand inside the commands, so that `nextbest --help` is quick.
"""

# ruff: noqa: PLC0415

from __future__ import annotations

import getpass
from typing import Annotated

import typer

from api.commands import HomeOption, PlaybookOption
from data.settings import Settings
from data.times import now_micros, to_iso

Scope = Annotated[
    str,
    typer.Argument(help="all, or level:id: channel, issue, group, action, topic or treatment and its id."),
]
By = Annotated[str | None, typer.Option("--by", help="Who decided it; default: the user of this computer.")]


def register(app: typer.Typer) -> None:
    """Add these commands."""
    for command in (stop_contacts, resume_contacts, contact_stops):
        app.command()(command)


def stop_contacts(
    scope: Scope,
    reason: Annotated[str, typer.Option("--reason", help="Why; kept with the stop.")],
    by: By = None,
    playbook: PlaybookOption = None,
    home: HomeOption = None,
) -> None:
    """Stop contacts of all accounts at once: live, in the night, and what is open or accepted."""
    from api.stops import scope_of
    from api.stops import stop_contacts as stop
    from data.ledger.ledger import Ledger
    from data.playbooks import read_playbook

    settings = Settings(playbook=playbook, home=home)
    rules, ledger = read_playbook(settings.playbook), Ledger.open(settings.as_home())
    done = stop(ledger, rules, scope, reason=reason, by=by or getpass.getuser(), now=now_micros())
    ledger.close()
    scope, since = scope_of(done.order), to_iso(done.order.stopped_at)
    typer.echo(
        f"Stopped {scope} since {since}: {done.withdrawn:,} suggestions withdrawn, "
        f"{done.cancelled:,} plans cancelled. Resume: nextbest resume-contacts {scope}"
    )


def resume_contacts(
    scope: Scope,
    reason: Annotated[str, typer.Option("--reason", help="Why; kept with the stop.")] = "",
    by: By = None,
    home: HomeOption = None,
) -> None:
    """Allow again what a stop of this scope ended; the next decisions may suggest it."""
    from api.stops import resume_contacts as resume
    from data.ledger.ledger import Ledger

    ledger = Ledger.open(Settings(home=home).as_home())
    order = resume(ledger, scope, reason=reason, by=by or getpass.getuser(), now=now_micros())
    ledger.close()
    typer.echo(
        f"Resumed {scope}, stopped since {to_iso(order.stopped_at)} by {order.stopped_by}: {order.reason}"
    )


def contact_stops(
    every: Annotated[bool, typer.Option("--all", help="Those that are over too.")] = False,
    home: HomeOption = None,
) -> None:
    """Show which contacts are stopped, since when, by whom and why."""
    from api.stops import scope_of
    from data.ledger.ledger import Ledger

    ledger = Ledger.open(Settings(home=home).as_home())
    found = ledger.stop_log() if every else ledger.contact_stops()
    ledger.close()
    for order in found:
        over = f", resumed {to_iso(order.resumed_at)} by {order.resumed_by}" if order.resumed_at else ""
        typer.echo(
            f"{scope_of(order)}  since {to_iso(order.stopped_at)} by {order.stopped_by}{over}: {order.reason}"
        )
    if not found:
        typer.echo("No contacts are stopped.")
