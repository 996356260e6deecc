"""Keys and colleagues on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from api.cli import assemble
from data.ledger.ledger import Ledger
from data.times import now_micros
from tests.api.company import load, settings_of, tables_of


@pytest.fixture
def home(tmp_path: Path) -> Path:
    load(tmp_path, tables_of(["a1"]))
    return tmp_path


def run(home: Path, *words: str) -> str:
    found = CliRunner().invoke(assemble(), [*words, "--home", str(home)], catch_exceptions=False)
    assert found.exit_code == 0, found.output
    return found.stdout


def test_a_key_is_shown_once_alone_on_its_line(home: Path) -> None:
    """A script takes it from standard output; nobody can ask for it again."""
    key = run(home, "key", "create", "website", "--scope", "events:write").strip()
    listed = [json.loads(line) for line in run(home, "key", "list", "--json").splitlines()]
    run(home, "key", "revoke", listed[0]["key_id"])
    after = json.loads(run(home, "key", "list", "--json"))

    assert key.startswith("nbk_")
    assert key not in run(home, "key", "list")
    assert (listed[0]["state"], listed[0]["scopes"], after["state"]) == ("valid", ["events:write"], "revoked")


def test_a_colleague_is_added_gets_another_role_leaves_and_comes_back(home: Path) -> None:
    """Between two loads of the personnel file."""

    def seen() -> tuple[str, str]:
        rows = [json.loads(line) for line in run(home, "user", "list", "--json").splitlines()]
        return next((row["role"], row["state"]) for row in rows if row["user_id"] == "temp")

    run(home, "user", "add", "temp", "--name", "T", "--role", "account_manager")
    added = seen()
    run(home, "user", "role", "temp", "medical_liaison")
    run(home, "user", "deactivate", "temp")
    left = seen()
    run(home, "user", "activate", "temp")

    assert (added, left) == (("account_manager", "active"), ("medical_liaison", "left"))
    assert seen() == ("medical_liaison", "active")


def test_nobody_can_sign_in_at_first_start(home: Path) -> None:
    """A default password is the first thing that is tried."""
    ledger = Ledger.open(settings_of(home).as_home().ledger_url)
    passwords = [ledger.sign_ins.password_hash(user.user_id) for user in ledger.users()]
    keys = ledger.keys.all()
    nobody = ledger.user_of_token("", now=now_micros())
    ledger.close()

    assert set(passwords) == {None}
    assert (keys, nobody) == ([], None)
