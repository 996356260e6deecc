"""From nothing to explained suggestions in one command, on a simulated company.

Heavy imports stand inside, so that `nextbest --help` is quick.
"""

# ruff: noqa: PLC0415

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from data.ledger.ledger import Ledger
from data.ledger.types import Suggestion, User
from data.progress import reporting
from data.settings import Settings
from data.times import now_micros, to_datetime
from engine.records import DAY_MICROS

DEMO_PLAYBOOK = "pharma"
_LOOKED_AT = 200
"""Accounts that are looked through for messages of the system, where nobody has a list."""


def register(app: typer.Typer) -> None:
    """Add the command; training is called through the assembled commands, which know it."""

    @app.command()
    def demo(  # noqa: PLR0917 - typer names them all
        accounts: Annotated[
            int, typer.Option(help="How many accounts; fewer teach nothing.", min=200)
        ] = 2000,
        playbook: Annotated[
            str, typer.Option(help="Shipped playbook whose business is shown: telecom, clinic ...")
        ] = DEMO_PLAYBOOK,
        home: Annotated[
            Path | None,
            typer.Option(help="State directory of the demo; default var/demo or var/demo-PLAYBOOK."),
        ] = None,
        no_serve: Annotated[bool, typer.Option("--no-serve", help="Do all but serve.")] = False,
        seed: Annotated[int, typer.Option(help="Of the simulated world.", min=0)] = 0,
        port: Annotated[int | None, typer.Option(help="Port to serve at.", min=0, max=65535)] = None,
    ) -> None:
        """Simulate a company, load it, learn, decide a night, and serve."""
        # A demo keeps to its own folder, also where a real ledger is set up.
        os.environ.pop("NEXTBEST_LEDGER_URL", None)
        home = home or Path("var/demo" if playbook == DEMO_PLAYBOOK else f"var/demo-{playbook}")
        settings = Settings(home=home, models=home / "models", playbook=playbook, port=port)
        _refuse_another_world(settings)
        if not no_serve:
            _hold_early(settings)
        if settings.as_home().history.exists():
            typer.echo(f"Going on with the world in {home}; remove that folder to begin anew.")
        else:
            _load_world(settings, accounts, seed)
        _train(app, settings)
        _night(settings)
        user, token = _introduce(settings)
        typer.echo(
            f"\nThe release and its report are in {settings.models}. For other commands on this company:"
        )
        typer.echo(f"  export NEXTBEST_HOME={settings.home} NEXTBEST_MODELS={settings.models}")
        if not no_serve:
            _serve(settings, user, token, _passwords(settings, user))


def _refuse_another_world(settings: Settings) -> None:
    """Raises WorldError: the playbook has no world, or the folder holds the world of another one."""
    from data.world import WorldError, business, playbook_of

    business(settings.playbook)
    found = playbook_of(settings.home / "world")
    if found not in (None, settings.playbook):
        raise WorldError(
            f"{settings.home} holds a demo of the playbook {found!r}, not of {settings.playbook!r}; "
            "give another --home or remove that folder."
        )


def _hold_early(settings: Settings) -> None:
    """Say that the port is taken before minutes of work, not after."""
    from api.server import hold_port

    hold_port(settings.host, settings.port).close()


def _load_world(settings: Settings, accounts: int, seed: int) -> None:
    """A year that ends at today's midnight, so that the night finds it fresh."""
    from data.ingest import ingest
    from data.world import WorldSettings, write_world

    until = to_datetime(now_micros() // DAY_MICROS * DAY_MICROS)
    folder = settings.home / "world"
    with reporting() as report:
        world = WorldSettings(accounts=accounts, seed=seed, until=until, playbook=settings.playbook)
        write_world(world, folder, report)
        found = ingest(folder, settings.as_home(), loaded_at=now_micros(), progress=report)
    touchpoints = found.snapshot.rows.get("touchpoints", 0)
    typer.echo(f"Loaded {found.snapshot.accounts:,} accounts with {touchpoints:,} touchpoints.")


def _train(app: typer.Typer, settings: Settings) -> None:
    """`nextbest train` on the demo's home, unless a release is in use already."""
    ledger = Ledger.open(settings.as_home())
    in_use = ledger.release_in_use()
    ledger.close()
    if in_use is not None:
        return
    places = ["--home", str(settings.home), "--models", str(settings.models), "--playbook", settings.playbook]
    app(["train", *places], standalone_mode=False)


def _night(settings: Settings) -> None:
    """An earlier world is not fresh any more; a demo may show it all the same."""
    from api.night_summary import lines
    from api.nightly import run_night

    with reporting() as report:
        found = run_night(settings, ignore_freshness=True, report=report)
    for line in lines(found.summary):
        typer.echo(line)


def _introduce(settings: Settings) -> tuple[User, str]:
    """Print what one person finds in the morning, or what the system sends where nobody works; returns her,
    or the user that sends events, and a token."""
    from api.reading import zone_of
    from api.schemas import suggestion_out
    from data.playbooks import read_playbook
    from engine.wording import Reader

    playbook, now = read_playbook(settings.playbook), now_micros()
    ledger = Ledger.open(settings.as_home())
    try:
        user, listed = _morning(ledger, settings, now)
        token = ledger.issue_token(
            user.user_id, now=now, expires_at=now + round(settings.token_days * DAY_MICROS)
        )
    finally:
        ledger.close()
    works = user.role in {role.id for role in playbook.roles}
    whose = f"list of {user.name} ({user.user_id})" if works else "messages of the system, the best three"
    typer.echo(f"\nThis morning's {whose}:")
    for place, suggestion in enumerate(listed, start=1):
        shown = suggestion_out(suggestion, Reader("en", now, zone_of(user, playbook), playbook))
        typer.echo(f"{place}. {shown.headline}  [{shown.priority:,.2f} {shown.currency}]")
        for reason in shown.reasons:
            typer.echo(f"   - {reason.text}")
    return user, token


def _morning(ledger: Ledger, settings: Settings, now: int) -> tuple[User, list[Suggestion]]:
    """Who has the longest list, and its first three places; where nobody works, the best of the messages."""
    import polars as pl

    roles = _working_roles(settings)
    users = sorted(
        (u for u in ledger.users() if u.role in roles), key=lambda u: (roles.index(u.role), u.user_id)
    )
    if users:
        lists = {u.user_id: ledger.worklist(u.user_id, now=now, limit=3) for u in users}
        user = max(users, key=lambda u: len(lists[u.user_id]))
        return user, lists[user.user_id]
    ids = pl.read_parquet(settings.home / "world" / "accounts.parquet")["account_id"].head(_LOOKED_AT)
    found = [suggestion for id in ids for suggestion in ledger.suggestions(id, now=now)]
    return ledger.users()[0], sorted(found, key=lambda s: -s.priority)[:3]


def _working_roles(settings: Settings) -> list[str]:
    """Roles of people, as the playbook lists them."""
    from data.playbooks import read_playbook

    return [role.id for role in read_playbook(settings.playbook).roles if not role.system]


def _passwords(settings: Settings, shown: User) -> list[tuple[User, str]]:
    """New passwords, known to nobody before: of her, one of each other role, those who read in Arabic and
    Persian, and a manager."""
    import secrets

    from api.signing_in import hash_password

    ledger, now = Ledger.open(settings.as_home()), now_micros()
    try:
        users = ledger.users()
        managers = {one.manager_id for one in users}
        kinds = [
            [shown],
            *([u for u in users if u.role == shown.role and u.language == code] for code in ("ar", "fa")),
            *([u for u in users if u.role == role] for role in _working_roles(settings)),
            [u for u in users if u.user_id in managers],
        ]
        chosen = [(found[0], secrets.token_urlsafe(12)) for found in kinds if found]
        for user, password in chosen:
            ledger.sign_ins.put_password(user.user_id, hash_password(password), now=now)
    finally:
        ledger.close()
    return list({user.user_id: (user, password) for user, password in chosen}.values())


def _serve(settings: Settings, user: User, token: str, passwords: list[tuple[User, str]]) -> None:
    from api.server import run_server

    def announce(address: str) -> None:
        typer.echo(f"\nThe page: {address} (stop with Ctrl-C). Sign in as one of")
        for one, password in passwords:
            typer.echo(f"  {one.user_id:<8} {password}   {one.name}, {one.role}")
        typer.echo(f"Over HTTP, with a token of {user.name}:")
        typer.echo(f"  curl -H 'Authorization: Bearer {token}' '{address}/v1/worklist?limit=3'")

    run_server(settings, announce=announce)
