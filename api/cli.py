"""The command line: commands of all packages joined, and every known error as one line with its exit code."""

from __future__ import annotations

import os
import sys
import traceback
from importlib.metadata import entry_points
from typing import Any

import typer
from typer.core import TyperGroup

from api import (
    access_commands,
    backup_commands,
    commands,
    demo,
    dismissal_commands,
    experiment_commands,
    person_commands,
    plan_commands,
    playbook_commands,
    stop_commands,
)
from data.home import DataError
from engine.records import EngineError

BAD_INPUT = 2
INTERRUPTED = 130
GROUP = "nextbest.commands"


class _Commands(TyperGroup):
    """Says that a command was interrupted, before typer ends the process in silence."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was asked for."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            typer.echo("nextbest: interrupted; the same command again completes it.", err=True)
            raise typer.Exit(INTERRUPTED) from None


def register(app: typer.Typer) -> None:
    """Add the commands of this package."""
    commands.register(app)
    access_commands.register(app)
    stop_commands.register(app)
    dismissal_commands.register(app)
    playbook_commands.register(app)
    plan_commands.register(app)
    experiment_commands.register(app)
    person_commands.register(app)
    backup_commands.register(app)
    demo.register(app)


def assemble() -> typer.Typer:
    """`nextbest` with the commands of every package of the entry-point group."""
    app = typer.Typer(
        name="nextbest",
        cls=_Commands,
        help="What to do next for every account, through which channel, by whom - and why.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name):
        entry.load()(app)
    return app


def main() -> None:
    """Run a command; what is known to go wrong is one line on standard error."""
    try:
        assemble()()
    except (DataError, EngineError, OSError) as error:
        if os.environ.get("NEXTBEST_DEBUG", "").lower() in {"1", "true", "yes", "on"}:
            traceback.print_exc()
        typer.echo(f"nextbest: {one_line(error)}", err=True)
        sys.exit(exit_code(error))


def exit_code(error: Exception) -> int:
    """What a command that failed so ends with; docs/operations.md lists them."""
    if isinstance(error, DataError):
        return error.exit_code
    return BAD_INPUT


def one_line(error: Exception) -> str:
    """The error's own sentence; for the system's errors the path and what is wrong with it."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return " ".join(str(error).split())
