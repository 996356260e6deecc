"""The commands that keep, decide and serve.

Heavy imports stand inside the commands, so that `nextbest --help` is quick.
"""

# ruff: noqa: PLC0415

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from api import import_commands
from data.progress import reporting
from data.settings import Settings
from data.spark_options import EngineOption, ExchangeOption, MasterOption, PackedOption, spark_options
from data.times import now_micros, parse_time

HomeOption = Annotated[Path | None, typer.Option("--home", help="State directory (NEXTBEST_HOME).")]
ModelsOption = Annotated[
    Path | None, typer.Option("--models", help="Folder of the releases (NEXTBEST_MODELS).")
]
PlaybookOption = Annotated[
    str | None, typer.Option("--playbook", help="Shipped playbook or TOML file (NEXTBEST_PLAYBOOK).")
]
AsOfOption = Annotated[
    str | None, typer.Option("--as-of", help="Moment, ISO 8601 with zone; a date is its midnight UTC.")
]


def register(app: typer.Typer) -> None:
    """Add these commands."""
    imports = typer.Typer(help="Turn a public data set into a folder of the contract.", no_args_is_help=True)
    import_commands.register(imports)
    app.add_typer(imports, name="import")
    for command in (explain, ingest, world, nightly, serve, token, password, migrate, hand_overs, twins):
        app.command()(command)


def ingest(
    folder: Annotated[Path, typer.Argument(help="Folder with the tables of the contract.")],
    max_rejected: Annotated[
        float | None, typer.Option(help="Share of a table's rows that may be rejected.")
    ] = None,
    home: HomeOption = None,
) -> None:
    """Load a folder of the data contract (CSV or Parquet): all or nothing."""
    from data.ingest import ingest as load
    from engine.contract import TABLES

    settings = Settings(home=home, max_rejected=max_rejected)
    with reporting() as report:
        found = load(
            folder,
            settings.as_home(),
            loaded_at=now_micros(),
            max_rejected=settings.max_rejected,
            progress=report,
        )
    for table, counts in found.counts.items():
        defaulted = (
            f", {counts.defaulted_stored_at:,} without stored_at" if counts.defaulted_stored_at else ""
        )
        typer.echo(
            f"{table:<14}{counts.new:>10,} new, {counts.changed:,} changed, {counts.unchanged:,} unchanged, "
            f"{counts.rejected:,} rejected{defaulted}"
        )
    for table, rows in found.repeated.items():
        key = ", ".join(TABLES[table].key)
        typer.echo(
            f"Warning: in {table} the {key} of an earlier row comes again in {rows:,}, and the latest holds: "
            "different facts need different ones."
        )
    if found.erased:
        typer.echo(f"{found.erased:,} rows of persons who were erased were left out.")
    if found.rejects is not None:
        typer.echo(f"Rejected rows with their reasons: {found.rejects}")
    typer.echo(f"{found.snapshot.accounts:,} accounts in {settings.home}, {found.seconds:.1f} s")


def world(  # noqa: PLR0917 - typer names them all
    accounts: Annotated[int, typer.Option(help="How many accounts.", min=1)] = 2000,
    seed: Annotated[int, typer.Option(help="The same seed gives the same world.", min=0)] = 0,
    out: Annotated[Path, typer.Option(help="Folder to write the tables to.")] = Path("world"),
    playbook: Annotated[str, typer.Option(help="Shipped playbook whose business is simulated.")] = "pharma",
    until: Annotated[str | None, typer.Option(help="End of its history, ISO 8601 with zone.")] = None,
    change: Annotated[
        list[str] | None, typer.Option("--set", help="A setting of docs/world.md: effect=0; may be repeated.")
    ] = None,
) -> None:
    """Simulate accounts, people and contacts with known truth, as tables of the contract."""
    from data.times import to_datetime
    from data.world import WorldSettings, write_world

    settings = WorldSettings.written(change or [], accounts=accounts, seed=seed, playbook=playbook)
    if until is not None:
        settings = replace(settings, until=to_datetime(moment(until)))
    with reporting() as report:
        write_world(settings, out, report)
    typer.echo(
        f"{accounts:,} accounts written to {out}. Load them: nextbest ingest {out}; "
        f"learn and decide with --playbook {settings.playbook}"
    )


def nightly(
    *,
    as_of: AsOfOption = None,
    playbook: PlaybookOption = None,
    processes: Annotated[
        int | None, typer.Option(help="Processes; default all cores, as far as memory goes.", min=1)
    ] = None,
    ignore_freshness: Annotated[
        bool, typer.Option("--ignore-freshness", help="Decide although a source has not delivered.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
    engine: EngineOption = "local",
    master: MasterOption = None,
    exchange: ExchangeOption = None,
    packed: PackedOption = None,
    home: HomeOption = None,
    models: ModelsOption = None,
) -> None:
    """Decide every account and publish the lists. Killed and started again, it goes on."""
    from api.night_summary import lines
    from api.nightly import run_night

    settings = Settings(home=home, models=models, playbook=playbook, processes=processes)
    asked = None if as_of is None else moment(as_of)
    spark = spark_options(engine, master, exchange, packed)
    with reporting() as report:
        found = run_night(
            settings, as_of=asked, ignore_freshness=ignore_freshness, spark=spark, report=report
        )
    if as_json:
        typer.echo(json.dumps(dict(found.summary) | {"already_complete": found.already}, ensure_ascii=False))
        return
    if found.already:
        typer.echo(f"Run {found.run_id} is already complete; nothing was changed.")
        return
    for line in lines(found.summary):
        typer.echo(line)


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port; 0 takes a free one.", min=0, max=65535)] = None,
    playbook: PlaybookOption = None,
    home: HomeOption = None,
    models: ModelsOption = None,
) -> None:
    """Serve suggestions, worklists, feedback and events over HTTP."""
    from api.server import run_server

    run_server(Settings(host=host, port=port, playbook=playbook, home=home, models=models))


def token(
    user_id: Annotated[str, typer.Argument(help="User of the ledger.")],
    days: Annotated[float | None, typer.Option(help="How long it lasts.", min=0.001)] = None,
    home: HomeOption = None,
) -> None:
    """Issue a bearer token to a user; it is shown once. Jobs get a key: `nextbest key create`."""
    from api.tokens import issue

    settings = Settings(home=home, token_days=days)
    typer.echo(issue(settings, user_id))


def password(
    user_id: Annotated[str, typer.Argument(help="User of the ledger.")],
    random: Annotated[bool, typer.Option("--random", help="Make one and show it once.")] = False,
    home: HomeOption = None,
) -> None:
    """Set the password with which a user signs in to the page: typed twice, or a line of standard input."""
    import secrets
    import sys

    from api.signing_in import hash_password
    from data.ledger.ledger import Ledger

    settings = Settings(home=home)
    ledger = Ledger.open(settings.as_home())
    try:
        if random:
            chosen = secrets.token_urlsafe(15)
        elif sys.stdin.isatty():
            chosen = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
        else:
            chosen = sys.stdin.readline().rstrip("\r\n")
        ledger.sign_ins.put_password(user_id, hash_password(chosen), now=now_micros())
    finally:
        ledger.close()
    typer.echo(chosen if random else f"The password of {user_id} is set; earlier sessions have ended.")


def explain(
    decision: Annotated[str, typer.Argument(help="Id of a decision, as every suggestion carries it.")],
    *,
    language: Annotated[
        str | None, typer.Option(help="Of the sentences; else the playbook's first language.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
    playbook: PlaybookOption = None,
    home: HomeOption = None,
    models: ModelsOption = None,
) -> None:
    """Explain a decision that was taken: its funnel, the parts of its priorities, why, why not, what would
    change it."""
    from api.explain import explain as explained
    from api.explain_text import lines_of

    settings = Settings(home=home, models=models, playbook=playbook)
    told = explained(settings, decision, language=language)
    typer.echo(json.dumps(told, ensure_ascii=False) if as_json else "\n".join(lines_of(told)))


def migrate(home: HomeOption = None) -> None:
    """Make the ledger, or bring it up to date with this version."""
    from data.ledger.ledger import Ledger

    settings = Settings(home=home)
    settings.home.mkdir(parents=True, exist_ok=True)
    Ledger.create(settings.ledger_migration_url or settings.as_home()).close()
    typer.echo("The ledger is up to date.")


def hand_overs(
    *,
    playbook: PlaybookOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
    home: HomeOption = None,
) -> None:
    """Give late hand-overs to the managers and say how each role keeps what was agreed (last 90 days)."""
    from api.hand_overs import figures
    from data.ledger.ledger import Ledger
    from data.playbooks import read_playbook

    settings = Settings(home=home, playbook=playbook)
    roles = tuple(role.id for role in read_playbook(settings.playbook).roles)
    ledger = Ledger.open(settings.as_home())
    try:
        now = now_micros()
        escalated, rows = ledger.hand_overs.escalate_late(now=now), figures(ledger, roles, now)
    finally:
        ledger.close()
    if as_json:
        typer.echo(json.dumps({"escalated_now": escalated, "roles": rows}))
        return
    typer.echo(f"{escalated:,} late hand-overs were given to a manager now.")
    for row in rows:
        in_time = "-" if row["in_time"] is None else f"{row['in_time']:.0%}"
        typer.echo(
            f"{row['to_role']:<26}{row['made']:>6,} made, {row['waiting']:,} waiting, {row['done']:,} done "
            f"({in_time} in time), {row['late']:,} late, {row['sent_back']:,} sent back"
        )


def twins(
    account_id: Annotated[str, typer.Argument(metavar="ACCOUNT", help="The account.")],
    *,
    playbook: PlaybookOption = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print everything, with the rows, as JSON.")
    ] = False,
    home: HomeOption = None,
) -> None:
    """Similar accounts that buy much more, as the last night found them, and what was tried on them."""
    from api.twin_schemas import lines, twins_out
    from api.twins import seen_twins
    from data.ledger.ledger import Ledger
    from data.playbooks import read_playbook

    settings = Settings(home=home, playbook=playbook)
    rules = read_playbook(settings.playbook)
    ledger = Ledger.open(settings.as_home())
    try:
        name = ledger.account_state(account_id).name
        found = twins_out(account_id, seen_twins(ledger, account_id, rules, lambda _: True))
    finally:
        ledger.close()
    for line in [found.model_dump_json()] if as_json else lines(found, name, rules):
        typer.echo(line)


def moment(text: str) -> int:
    """Microseconds UTC of what was given on the command line."""
    try:
        return parse_time(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
