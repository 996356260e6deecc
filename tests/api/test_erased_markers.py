"""Who was erased stays erased, and what says so names nobody."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from data.backup import restore_backup, write_backup
from data.ledger.ledger import Ledger
from data.ledger.marker_key import MarkerKeyError, made_key
from data.ledger.types import UnknownError
from tests.api.company import Company, load, served, settings_of
from tests.api.test_erasure import NAME, everything, run, tables
from tests.data.ledgers import touch

Command = Callable[..., str]


@pytest.fixture
def company(tmp_path: Path, ledger_url: str) -> Iterator[Company]:
    with served(tmp_path / "home", tables(), ledger_url=ledger_url) as found:
        yield found


@pytest.fixture
def command(company: Company, monkeypatch: pytest.MonkeyPatch) -> Command:
    return lambda *words, code=0: run(company, *words, code=code, monkeypatch=monkeypatch)


def plain(kind: str, person_id: str) -> str:
    return hashlib.sha256(f"{kind}\0{person_id}".encode()).hexdigest()


def in_ledger(company: Company, statement: str, **values: Any) -> list[Any]:
    url = company.settings.as_home().ledger_url.replace("postgresql:", "postgresql+psycopg:")
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        found = connection.execute(sa.text(statement), values)
        rows = list(found) if found.returns_rows else []
    engine.dispose()
    return rows


def heard(company: Company, account: str = "a1") -> None:
    with company.ledger() as ledger:
        ledger.append([touch(f"late-{account}", account)], now=company.clock())


def test_ids_cannot_be_tried_out_on_what_is_left(company: Company, command: Command) -> None:
    """Whoever has the ledger and a list of people would otherwise read who asked to be forgotten."""
    for who in ("c2", "a1", "ml"):
        command("person", "erase", who, "--yes")
    kept, key = everything(company), company.settings.as_home().marker_key

    assert [
        plain(*one) for one in (("account", "a1"), ("contact", "c2"), ("user", "ml")) if plain(*one) in kept
    ] == []
    assert made_key(key).content.hex() not in kept
    assert key.stat().st_mode & 0o077 == 0


def test_who_was_erased_before_there_was_a_key_stays_erased(company: Company, command: Command) -> None:
    """An upgrade must not bring anybody back; erased again, she gets a marker of today."""
    with company.ledger() as ledger:
        ledger.erasures.erase("account", "a1", now=1)
    in_ledger(company, "UPDATE erasures SET key_id = NULL, id_hash = :h", h=plain("account", "a1"))
    command("person", "erase", "a2", "--yes")

    with pytest.raises(UnknownError, match="erased"):
        heard(company)
    load(company.settings.home, tables(), loaded_at=company.clock(), ledger_url=company.settings.ledger_url)
    loaded = everything(company)
    command("person", "erase", "a1", "--yes")

    assert f"'{NAME}'" not in loaded
    assert in_ledger(company, "SELECT count(*), count(key_id) FROM erasures") == [(2, 2)]
    with pytest.raises(UnknownError, match="erased"):
        heard(company)


def test_without_its_key_nothing_is_taken_in(company: Company, command: Command) -> None:
    """A lost or foreign key would let everybody back in without a word."""
    command("person", "erase", "a1", "--yes")
    key = company.settings.as_home().marker_key
    kept = key.rename(key.with_suffix(".kept"))

    def refused() -> None:
        with pytest.raises(MarkerKeyError, match=r"marker\.key.*backup"):
            heard(company, "a2")
        with pytest.raises(MarkerKeyError):
            load(company.settings.home, tables(), ledger_url=company.settings.ledger_url)
        with company.ledger() as ledger, pytest.raises(MarkerKeyError):
            ledger.erasures.erase("account", "a2", now=1)

    refused()
    assert not key.exists()
    made_key(key)
    refused()
    key.write_text("not a key")
    with pytest.raises(MarkerKeyError, match="is not the key"):
        heard(company, "a2")
    shutil.move(kept, key)
    heard(company, "a2")
    with pytest.raises(UnknownError, match="erased"):
        heard(company)


def test_a_restored_company_knows_who_was_erased(company: Company, command: Command, tmp_path: Path) -> None:
    """The key goes with the backup, and comes back as private as it was."""
    command("person", "erase", "a1", "--yes")
    write_backup(company.settings.as_home(), tmp_path / "backup.tar", now=company.clock())
    there = f"sqlite:///{tmp_path / 'second.sqlite'}"
    home = settings_of(tmp_path / "second", ledger_url=there).as_home()

    restore_backup(home, tmp_path / "backup.tar")

    ledger = Ledger.open(home)
    with pytest.raises(UnknownError, match="erased"):
        ledger.append([touch("late", "a1")], now=company.clock())
    ledger.close()
    assert home.marker_key.read_text() == company.settings.as_home().marker_key.read_text()
    assert home.marker_key.stat().st_mode & 0o077 == 0


def test_several_who_make_the_key_at_once_get_the_same(tmp_path: Path) -> None:
    """Two erasures at the same moment must not mark with two keys; what came first stays."""
    first = made_key(tmp_path / "home" / "marker.key")

    assert made_key(tmp_path / "home" / "marker.key") == first
    assert [path.name for path in (tmp_path / "home").iterdir()] == ["marker.key"]
