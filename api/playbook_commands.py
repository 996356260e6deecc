"""The commands on playbooks: what to look at before one is published, and whether what was decided holds.

Heavy imports stand inside the commands, so that `nextbest --help` is quick.
"""

# ruff: noqa: PLC0415

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from api.commands import AsOfOption, HomeOption, ModelsOption, moment
from data.settings import Settings
from data.times import now_micros

Which = Annotated[str, typer.Argument(metavar="PLAYBOOK", help="Shipped playbook or TOML file.")]
KNOWN = "Shipped playbook, TOML file, or a version that was used here."
JsonOption = Annotated[bool, typer.Option("--json", help="Print everything as JSON.")]
StrictOption = Annotated[
    bool, typer.Option("--strict", help="End with exit code 1 where there are warnings.")
]


def register(app: typer.Typer) -> None:
    """Add these commands."""
    playbooks = typer.Typer(help="Look at a playbook before it is published.", no_args_is_help=True)
    playbooks.command("check")(check)
    playbooks.command("diff")(diff)
    playbooks.command("simulate")(simulate)
    playbooks.command("list")(listed)
    playbooks.command("show")(show)
    app.add_typer(playbooks, name="playbook")
    app.command()(replay)


def check(
    playbook: Which,
    *,
    as_of: AsOfOption = None,
    measured: Annotated[
        bool, typer.Option("--measured", help="Also look at what the last night under it shows.")
    ] = False,
    strict: StrictOption = False,
    as_json: JsonOption = False,
    home: HomeOption = None,
) -> None:
    """Find what is probably not meant: rules without effect, treatments that cannot be, missing texts."""
    from api import playbook_check as told
    from data.playbooks import read_playbook
    from engine.playbook_check import check_playbook

    rules, place = read_playbook(playbook), Settings(home=home).as_home()
    found = check_playbook(rules, now_micros() if as_of is None else moment(as_of))
    found += told.of_accounts(place, rules)
    if measured:
        found += told.measured(place, rules)
    if as_json:
        typer.echo(json.dumps(told.as_json(rules, found, strict=strict), ensure_ascii=False))
    else:
        typer.echo("\n".join(told.lines(rules, found)))
    raise typer.Exit(told.exit_code(found, strict=strict))


def diff(
    old: Annotated[str, typer.Argument(metavar="OLD", help=KNOWN)],
    new: Annotated[str, typer.Argument(metavar="NEW", help=KNOWN)],
    *,
    strict: Annotated[bool, typer.Option("--strict", help="End with exit code 1 where they differ.")] = False,
    as_json: JsonOption = False,
    home: HomeOption = None,
) -> None:
    """Say in words what is different between two playbooks: by meaning, not by lines."""
    from data.playbook_versions import text_or_version
    from engine.playbook_changes import change_in_words, playbook_changes

    place = Settings(home=home).as_home()
    changes = playbook_changes(text_or_version(place, old), text_or_version(place, new))
    said = [line for change in changes for line in change_in_words(change)]
    if as_json:
        told = [
            {"kind": change.kind, "where": change.where, "says": change_in_words(change)}
            for change in changes
        ]
        typer.echo(json.dumps({"changes": told}, ensure_ascii=False))
    else:
        typer.echo("\n".join(said or ["They say the same."]))
    raise typer.Exit(1 if strict and changes else 0)


def simulate(
    new: Annotated[str, typer.Argument(metavar="NEW", help=KNOWN)],
    *,
    as_of: AsOfOption = None,
    against: Annotated[
        str | None, typer.Option("--against", metavar="OLD", help="Beside this one: " + KNOWN)
    ] = None,
    picture: Annotated[
        Path | None, typer.Option("--picture", help="Also write a picture: a file .svg or .html.")
    ] = None,
    strict: StrictOption = False,
    as_json: JsonOption = False,
    processes: Annotated[
        int | None, typer.Option(help="Processes; default all cores, as far as memory goes.", min=1)
    ] = None,
    home: HomeOption = None,
    models: ModelsOption = None,
) -> None:
    """Decide all accounts under a playbook as of a moment, without posting anything, and say what it does."""
    from api.playbook_check import WARNED
    from api.simulation import simulate as simulated
    from api.simulation_figures import figures
    from api.simulation_picture import check_picture, write_picture
    from api.simulation_text import lines
    from data.playbook_versions import text_or_version
    from data.progress import reporting

    settings = Settings(home=home, models=models, processes=processes)
    if picture is not None:
        check_picture(picture)
    texts = [text_or_version(settings.as_home(), one) for one in (new, against) if one is not None]
    with reporting() as report:
        found = simulated(settings, texts, now_micros() if as_of is None else moment(as_of), report=report)
    told = figures(found)
    said = list(lines(told))
    if picture is not None:
        write_picture(picture, told, said)
    typer.echo(json.dumps(told, ensure_ascii=False) if as_json else "\n".join(said))
    warned = any(one["severity"] == "warning" for one in told["findings"])
    raise typer.Exit(WARNED if strict and warned else 0)


def listed(*, as_json: JsonOption = False, home: HomeOption = None) -> None:
    """List the playbooks that were used here, each version once, the earliest first."""
    from data.ledger.ledger import Ledger
    from data.times import to_iso

    ledger = Ledger.open(Settings(home=home).as_home())
    try:
        rows = [
            {"version": one.version, "playbook": one.playbook, "first_used_at": to_iso(one.first_used_at)}
            for one in ledger.playbooks()
        ]
    finally:
        ledger.close()
    if as_json:
        typer.echo(json.dumps({"playbooks": rows}, ensure_ascii=False))
        return
    for row in rows:
        typer.echo(f"{row['version']}  {row['playbook']:<24}first used {row['first_used_at']}")
    if not rows:
        typer.echo("No playbook was used here yet.")


def show(
    playbook: Annotated[str, typer.Argument(metavar="VERSION", help=KNOWN)], *, home: HomeOption = None
) -> None:
    """Print the text of a playbook as it was used."""
    from data.playbook_versions import text_or_version

    typer.echo(text_or_version(Settings(home=home).as_home(), playbook), nl=False)


def replay(
    *,
    since: Annotated[
        str, typer.Option("--since", help="Decisions from this moment on, ISO 8601 with zone or a date.")
    ],
    until: Annotated[str | None, typer.Option("--until", help="To before this moment; default now.")] = None,
    scores_only: Annotated[
        bool, typer.Option("--scores-only", help="From the stored scores alone, which is quick.")
    ] = False,
    as_json: JsonOption = False,
    home: HomeOption = None,
    models: ModelsOption = None,
) -> None:
    """Compute logged decisions again from what was kept of them, and tell what differs."""
    from api.replay import replay as replayed
    from api.replay_text import DIFFERS, lines
    from api.replay_text import as_json as told
    from data.progress import reporting

    end = now_micros() if until is None else moment(until)
    with reporting() as report:
        found = replayed(
            Settings(home=home, models=models), moment(since), end, scores_only=scores_only, report=report
        )
    if as_json:
        typer.echo(json.dumps(told(found), ensure_ascii=False))
    else:
        typer.echo("\n".join(lines(found, scores_only=scores_only)))
    raise typer.Exit(0 if found.agrees else DIFFERS)
