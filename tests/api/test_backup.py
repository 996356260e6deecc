"""A backup is worth what its restore is worth: rehearsed here on both databases."""

from __future__ import annotations

import tarfile
from pathlib import Path
from typing import Any

import pytest

from data.artifacts import write_release
from data.backup import BackupError, restore_backup, write_backup
from data.ledger.copying import OccupiedLedgerError
from data.ledger.ledger import Ledger
from data.ledger.types import AlreadyRunningError
from tests.api.company import Clock, Company, served, settings_of, tables_of
from tests.api.test_taking_over import ready

ACCOUNTS = ["a1", "a2", "a3"]


def lived_in(company: Company) -> None:
    """Loaded, decided, answered, with a night, something live after it, and a release."""
    company.reads_page("side_effects", "a1")
    company.answers(company.suggestions("a1")[0], "accept")
    company.clock.pass_time(days=1)
    company.night()
    company.reads_page("dosing", "a2")
    write_release(company.settings.models, "r1", {"card.md": b"# Card"}, {"learner": "s_learner"})


def seen(company: Company) -> Any:
    """What colleagues see, with what it was decided on."""
    shown = [company.suggestions(account, user) for account in ACCOUNTS for user in ("am", "ml")]
    timelines = [company.get(f"/accounts/{account}/timeline") for account in ACCOUNTS]
    return shown, timelines, company.get("/worklist"), company.get("/accounts")


def files_below(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "LOCK"
    }


def moved(home: Path, ledger_url: str, source: Company, tokens: dict[str, str]) -> Any:
    """What colleagues see of a restored home, with the tokens that they had."""
    import httpx
    from starlette.testclient import TestClient

    from api.app import create_app

    clock = Clock(source.clock.now)
    settings = settings_of(home, ledger_url=ledger_url)
    app = create_app(settings, clock=clock)
    with TestClient(app) as client:
        assert isinstance(client, httpx.Client)
        company = Company(settings, clock, client, app, dict(tokens))
        found = seen(company)
        assert ready(company)["status"] == "ok"
        company.reads_page("efficacy", "a3")
        listed = company.suggestions("a3")
        return found, listed, dict(company.night().summary) | {"seconds": 0, "decided_again": 0}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_restored_company_goes_on_as_if_nothing_had_happened(tmp_path: Path, ledger_url: str) -> None:
    """Ledger, history and releases come back as one: the same lists, tokens that work, and the same night."""
    out = tmp_path / "backup.tar"
    with served(tmp_path / "first", tables_of(ACCOUNTS)) as company:
        lived_in(company)
        before = seen(company)
        made = write_backup(company.settings.as_home(), out, now=company.clock())
        home = settings_of(tmp_path / "second", ledger_url=ledger_url).as_home()
        restored = restore_backup(home, out)
        history = files_below(home.history), files_below(company.settings.as_home().history)
        models = files_below(home.models), files_below(company.settings.models)
        found, list_there, night_there = moved(tmp_path / "second", ledger_url, company, company.tokens)
        company.reads_page("efficacy", "a3")
        list_here = company.suggestions("a3")
        night_here = dict(company.night().summary) | {"seconds": 0, "decided_again": 0}

    assert restored == made
    assert made.rows["accounts"] == 3
    assert history[0] == history[1]
    assert models[0] == models[1] != {}
    assert found == before
    assert list_there == list_here
    assert night_there == night_here


def test_ids_go_on_behind_those_that_were_taken(tmp_path: Path, ledger_url: str) -> None:
    """A number given twice would mix two facts."""
    out = tmp_path / "backup.tar"
    with served(tmp_path / "first", tables_of(["a1"])) as company:
        company.reads_page("dosing", "a1", "before")
        write_backup(company.settings.as_home(), out, now=company.clock())
        now = company.clock()
    restore_backup(settings_of(tmp_path / "second", ledger_url=ledger_url).as_home(), out)
    ledger = Ledger.open(ledger_url)
    last = ledger.tail()[-1]
    ledger.put_release_in_use("r1", "hash", now=now, by="test")
    from dataclasses import replace

    again = ledger.append([replace(last, event_id="after")], now=now)[0]
    ledger.close()

    assert again.seq > last.seq


def test_a_ledger_on_postgresql_moves_to_a_file(tmp_path: Path, postgres_url: str) -> None:
    """The same backup from either database into either."""
    out, home = tmp_path / "backup.tar", tmp_path / "second"
    with served(tmp_path / "first", tables_of(["a1"]), ledger_url=postgres_url) as company:
        company.reads_page("side_effects", "a1")
        write_backup(company.settings.as_home(), out, now=company.clock())
        before, tokens = company.suggestions("a1"), dict(company.tokens)
    settings = settings_of(home)
    restore_backup(settings.as_home(), out)
    ledger = Ledger.open(settings.as_home().ledger_url)
    after = ledger.suggestions("a1", now=Clock()())
    user = ledger.user_of_token(tokens["am"], now=Clock()())
    ledger.close()

    assert {s.suggestion_id for s in after} >= {s["suggestion_id"] for s in before}
    assert user is not None


@pytest.fixture(scope="module")
def backup(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("kept")
    with served(folder / "home", tables_of(["a1"])) as company:
        company.reads_page("dosing", "a1")
        write_backup(company.settings.as_home(), folder / "backup.tar", now=company.clock())
    return folder / "backup.tar"


def test_a_backup_never_replaces_anything(tmp_path: Path, backup: Path) -> None:
    """Neither a file at its place nor a home that is lived in."""
    home = settings_of(tmp_path / "home").as_home()
    restore_backup(home, backup)
    before = files_below(tmp_path / "home")
    with pytest.raises(BackupError, match="already"):
        restore_backup(home, backup)
    with pytest.raises(BackupError, match="already"):
        write_backup(home, backup, now=0)
    other = settings_of(tmp_path / "other", ledger_url=home.ledger_url).as_home()
    with pytest.raises(OccupiedLedgerError, match="already"):
        restore_backup(other, backup)

    assert files_below(tmp_path / "home").keys() >= before.keys()
    assert files_below(tmp_path / "other") == {}


def test_a_damaged_backup_changes_nothing(tmp_path: Path, backup: Path) -> None:
    """One wrong bit is found before anything is put in place."""
    with tarfile.open(backup) as tar:
        entry = next(one for one in tar.getmembers() if one.name.endswith("accounts.parquet"))
    content = bytearray(backup.read_bytes())
    content[entry.offset_data + entry.size // 2] ^= 1
    damaged = tmp_path / "damaged.tar"
    damaged.write_bytes(content)
    cut = tmp_path / "cut.tar"
    cut.write_bytes(backup.read_bytes()[: entry.offset_data + 100])
    home = settings_of(tmp_path / "home").as_home()

    for file in (damaged, cut, tmp_path / "missing.tar"):
        with pytest.raises(BackupError):
            restore_backup(home, file)
    assert files_below(tmp_path / "home") == {}


def test_no_backup_beside_a_night(tmp_path: Path, backup: Path) -> None:
    """Half of a night's take-over would be in it."""
    home = settings_of(tmp_path / "home").as_home()
    restore_backup(home, backup)
    ledger = Ledger.open(home.ledger_url)
    with ledger.exclusive("nightly"), pytest.raises(AlreadyRunningError):
        write_backup(home, tmp_path / "out.tar", now=0)
    ledger.close()

    assert not (tmp_path / "out.tar").exists()
