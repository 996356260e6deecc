"""Commands about who may: keys of jobs and colleagues."""

# ruff: noqa: PLC0415

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from api.commands import HomeOption, PlaybookOption, moment
from data.settings import Settings
from data.times import now_micros, to_datetime

if TYPE_CHECKING:
    from data.ledger.ledger import Ledger

JsonOption = Annotated[bool, typer.Option("--json", help="Print as JSON.")]
UserArgument = Annotated[str, typer.Argument(help="User of the ledger.")]


def register(app: typer.Typer) -> None:
    """Add these commands."""
    keys = typer.Typer(help="Keys with which jobs use the HTTP API.", no_args_is_help=True)
    keys.command("create")(create)
    keys.command("list")(list_keys)
    keys.command("revoke")(revoke)
    app.add_typer(keys, name="key")
    users = typer.Typer(help="Colleagues whom no load names, roles, and who has left.", no_args_is_help=True)
    users.command("add")(add)
    users.command("list")(list_users)
    users.command("role")(role)
    users.command("deactivate")(deactivate)
    users.command("activate")(activate)
    users.command("unlink")(unlink)
    app.add_typer(users, name="user")
    app.command()(audit)


def create(
    name: Annotated[str, typer.Argument(help="Technical user in whose name it acts; made if missing.")],
    scope: Annotated[list[str], typer.Option(help="What it is for, as events:write; may be repeated.")],
    *,
    role: Annotated[str, typer.Option(help="Role of the technical user.")] = "job",
    days: Annotated[float | None, typer.Option(help="How long it lasts.", min=0.001)] = None,
    playbook: PlaybookOption = None,
    home: HomeOption = None,
) -> None:
    """Make a key; it is shown once, on a line of its own."""
    from api.keys import create_key

    key_id, key = create_key(Settings(home=home, playbook=playbook), name, scope, role=role, days=days)
    typer.echo(key)
    typer.echo(
        f"Key {key_id} of {name}, for {', '.join(sorted(set(scope)))}. It is not shown again.", err=True
    )


def list_keys(*, as_json: JsonOption = False, home: HomeOption = None) -> None:
    """All keys that there were, the oldest first."""
    with _ledger(home) as ledger:
        keys, now = ledger.keys.all(), now_micros()
    for key in keys:
        state = "revoked" if key.revoked_at else "expired" if key.expires_at <= now else "valid"
        told = {"key_id": key.key_id, "user_id": key.user_id, "role": key.role, "scopes": key.scopes,
                "state": state, "expires_at": to_datetime(key.expires_at).isoformat()}  # fmt: skip
        until = to_datetime(key.expires_at).date()
        line = f"{key.key_id}  {key.user_id:<20}{state:<9}until {until}  {' '.join(key.scopes)}"
        typer.echo(json.dumps(told) if as_json else line)


def revoke(
    key_id: Annotated[str, typer.Argument(help="As `nextbest key list` shows it.")], home: HomeOption = None
) -> None:
    """End a key, from the next request on."""
    with _ledger(home) as ledger:
        ledger.keys.revoke(key_id, now=now_micros())
    typer.echo(f"Key {key_id} is revoked.")


def add(
    user_id: Annotated[str, typer.Argument(help="Id of the new user.")],
    name: Annotated[str, typer.Option(help="How colleagues call her.")],
    role: Annotated[str, typer.Option(help="A role of the playbook, or of docs/access.md.")],
    *,
    manager: Annotated[str | None, typer.Option(help="Whom she reports to.")] = None,
    language: Annotated[str | None, typer.Option(help="Of her page: en, ar, fa.")] = None,
    home: HomeOption = None,
) -> None:
    """Add somebody whom no load names; `nextbest password` lets her in."""
    from data.ledger.types import User

    with _ledger(home) as ledger:
        ledger.add_user(User(user_id, name, role, manager, language))
    typer.echo(f"{user_id} is added as {role}; she signs in after: nextbest password {user_id}")


def list_users(*, as_json: JsonOption = False, home: HomeOption = None) -> None:
    """All users by id."""
    with _ledger(home) as ledger:
        users, left = ledger.users(), ledger.who_left()
    for user in users:
        state = "left" if user.user_id in left else "active"
        told = {"user_id": user.user_id, "role": user.role, "manager_id": user.manager_id, "state": state}
        typer.echo(json.dumps(told) if as_json else f"{user.user_id:<20}{user.role:<28}{state}")


def role(
    user_id: UserArgument, role: Annotated[str, typer.Argument(help="The new one.")], home: HomeOption = None
) -> None:
    """Give a user another role, from the next request on and whatever is loaded."""
    with _ledger(home) as ledger:
        ledger.settle_role(user_id, role, now=now_micros())
    typer.echo(f"{user_id} is {role} now.")


def deactivate(user_id: UserArgument, home: HomeOption = None) -> None:
    """She is out at once, with sessions, tokens and keys, whatever is loaded."""
    with _ledger(home) as ledger:
        now = now_micros()
        ledger.settle_left(user_id, now, now=now)
    typer.echo(f"{user_id} is out.")


def activate(user_id: UserArgument, home: HomeOption = None) -> None:
    """She is back; she signs in again."""
    with _ledger(home) as ledger:
        ledger.settle_left(user_id, None, now=now_micros())
    typer.echo(f"{user_id} may sign in again.")


def unlink(user_id: UserArgument, home: HomeOption = None) -> None:
    """Forget who she is at the provider, with her sessions; her next sign-in links her anew."""
    with _ledger(home) as ledger:
        ledger.links.unlink(user_id)
    typer.echo(f"{user_id} is linked to nobody at the provider any more.")


def audit(
    *,
    user: Annotated[str | None, typer.Option(help="Of this user or technical user.")] = None,
    account: Annotated[str | None, typer.Option(help="Of this account, its suggestions, hand-overs.")] = None,
    since: Annotated[str | None, typer.Option(help="Moment, ISO 8601 with zone.")] = None,
    as_json: JsonOption = False,
    home: HomeOption = None,
) -> None:
    """Who saw and did what, the oldest first."""
    after = 0 if since is None else moment(since)
    with _ledger(home) as ledger:
        found = ledger.audit.find(user_id=user, account_id=account, since=after)
    for one in found:
        told = asdict(one) | {"at": to_datetime(one.at).isoformat()}
        about = " ".join(filter(None, (one.account_id, one.subject)))
        line = f"{told['at']}  {one.user_id:<16}{one.key_id or '':<14}{one.status}  {one.what}  {about}"
        typer.echo(json.dumps(told) if as_json else line)


@contextmanager
def _ledger(home: HomeOption) -> Iterator[Ledger]:
    from data.ledger.ledger import Ledger

    ledger = Ledger.open(Settings(home=home).as_home())
    try:
        yield ledger
    finally:
        ledger.close()
