"""A person can have all that is kept of her, and have it erased: from every place, and for good."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa
from click.testing import Result
from typer.testing import CliRunner

from api.cli import assemble
from api.explain import DecisionGoneError, explain
from api.replay import replay
from data.ledger.types import UnknownError
from data.live import history_of
from tests.api.company import Company, load, served, tables_of
from tests.data.files import account, touchpoint
from tests.data.ledgers import touch

NAME, MAIL, NOTE, PERSON = "Dr Marwa Qandil", "marwa@qandil.example", "asked about her mother", "Nora Vogt"
FORM = json.dumps({"questions": [{"topic": "dosing", "text": NOTE}]})


def tables() -> dict[str, list[dict[str, Any]]]:
    """Two accounts of one team; of a1 everything that can be personal."""
    others = tables_of(["a1", "a2"])
    others["accounts"] = [
        account("a1", name=NAME, mail=MAIL, latitude=52.5012, longitude=13.4123, potential_value=40_000),
        account(
            "a2", name="Dr Other", mail="b@b.example", latitude=1.0, longitude=2.0, potential_value=40_000
        ),
    ]
    others["contacts"] = [
        {"contact_id": "c1", "account_id": "a1", "name": PERSON, "title": "Nurse", "gender": "f"},
        {"contact_id": "c2", "account_id": "a1", "name": "Somebody Else"},
    ]
    others["touchpoints"] += [
        touchpoint("told", "a1", contact_id="c1", direction="inbound", channel="website", details=FORM)
    ]
    return others


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def company(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Company]:
    url = request.getfixturevalue("postgres_url") if request.param == "postgres" else None
    with served(tmp_path, tables(), ledger_url=url) as found:
        yield found


def invoked(company: Company, *words: str, monkeypatch: pytest.MonkeyPatch) -> Result:
    monkeypatch.setenv("NEXTBEST_LEDGER_URL", company.settings.as_home().ledger_url)
    return CliRunner().invoke(assemble(), [*words, "--home", str(company.settings.home)])


def run(company: Company, *words: str, code: int = 0, monkeypatch: pytest.MonkeyPatch) -> str:
    found = invoked(company, *words, monkeypatch=monkeypatch)
    assert found.exit_code == code, found.output
    return found.output


def everything(company: Company) -> str:
    """All bytes of the ledger and of every file of the home, as far as text can be read from them."""
    engine = sa.create_engine(
        company.settings.as_home().ledger_url.replace("postgresql:", "postgresql+psycopg:")
    )
    parts = []
    with engine.connect() as connection:
        for table in sa.inspect(engine).get_table_names():
            parts.append(str(connection.execute(sa.text(f'SELECT * FROM "{table}"')).all()))
    engine.dispose()
    for path in sorted(company.settings.home.rglob("*.parquet")):
        parts.append(str(pl.read_parquet(path).to_dicts()))
    parts += [path.read_text() for path in sorted(company.settings.home.rglob("*.json"))]
    return "\n".join(parts).replace("incoming", "")


def lived(company: Company) -> str:
    """A night, a live decision, a hand-over with a note and a completed visit; the id of the decision."""
    company.night()
    decision = company.reads_page("side_effects")["stored"][0]["decision_id"]
    found = company.suggestions()[0]
    company.answers(found, "complete", note=NOTE)
    return str(decision)


def facts_of(company: Company) -> str:
    with company.ledger() as ledger:
        frames = history_of(ledger.account_state("a1")).frames
    return str({name: frame.to_dicts() for name, frame in frames.items()})


@pytest.fixture
def command(company: Company, monkeypatch: pytest.MonkeyPatch) -> Any:
    return lambda *words, code=0: run(company, *words, code=code, monkeypatch=monkeypatch)


def test_an_erased_account_is_nowhere_any_more_after_the_next_night(company: Company, command: Any) -> None:
    """Names, texts, addresses and coordinates go from the ledger at once, from history and nights with the
    night; and nobody sees or meets the account any more."""
    decision = lived(company)
    before = everything(company)

    said = command("person", "erase", "a1", "--yes")
    facts = facts_of(company)
    seen = company.client.get("/v1/accounts/a1", headers=company.as_("am"))
    listed = company.get("/worklist")
    company.clock.pass_time(hours=24)
    company.night(ignore_freshness=True)
    after = everything(company)

    assert all(text in before for text in (NAME, MAIL, NOTE, PERSON, "52.5012"))
    assert "names and texts" in said
    assert not any(text in facts for text in (MAIL, "52.5012"))
    assert seen.status_code == 404
    assert all(one["account_id"] != "a1" for one in listed)
    assert [text for text in (NAME, MAIL, NOTE, PERSON, "52.5012", "13.4123") if text in after] == []
    assert "Dr Other" in after
    with pytest.raises(DecisionGoneError, match="erased"):
        explain(company.settings, decision)
    again = replay(company.settings, 0, company.clock() + 1)
    assert again.erased >= 2
    assert again.agrees
    assert again.nights + again.live >= 1


def test_erasing_twice_is_erasing_once(company: Company, command: Any) -> None:
    """Whoever is not sure whether it was done does it again."""
    command("person", "erase", "a1", "--yes")
    before = facts_of(company)

    again = command("person", "erase", "a1", "--yes")

    assert "names" not in again.splitlines()[0]
    assert facts_of(company) == before


def test_without_yes_nothing_is_erased(company: Company, command: Any) -> None:
    """It cannot be taken back."""
    said = command("person", "erase", "a1", code=2)

    assert "--yes" in said
    assert company.get("/accounts/a1")["account_name"] == NAME


def test_an_old_export_does_not_bring_anybody_back(company: Company, command: Any) -> None:
    """The company's own systems may be later than ours."""
    company.night()
    for who in ("a1", "ml"):
        command("person", "erase", who, "--yes")
    company.clock.pass_time(hours=24)
    company.night(ignore_freshness=True)

    load(company.settings.home, tables(), loaded_at=company.clock(), ledger_url=company.settings.ledger_url)
    load_again = facts_of(company)
    for path in (company.settings.home / "incoming").rglob("*.csv"):
        path.unlink()
    found = everything(company)

    assert not any(text in found for text in (NAME, MAIL, NOTE, PERSON, "Colleague ml", "52.5012"))
    assert MAIL not in load_again
    assert "Colleague am" in found
    with company.ledger() as ledger, pytest.raises(UnknownError, match="erased"):
        ledger.append([touch("late", "a1", details=FORM)], now=company.clock())


def test_an_erased_contact_leaves_her_account_and_its_other_contacts(company: Company, command: Any) -> None:
    """The practice stays a customer; one person of it is forgotten, with what she said."""
    before = everything(company)

    command("person", "erase", "c1", "--yes")
    company.clock.pass_time(hours=24)
    company.night(ignore_freshness=True)
    load(company.settings.home, tables(), loaded_at=company.clock(), ledger_url=company.settings.ledger_url)
    after = everything(company)

    assert NOTE in before
    assert PERSON not in after
    assert NOTE not in after
    assert "Somebody Else" in after
    assert company.get("/accounts/a1")["account_name"] == NAME


def test_an_erased_colleague_is_out_and_her_name_is_gone(company: Company, command: Any) -> None:
    """Her id stays in what she did, so that the record of it stays whole."""
    lived(company)
    token = company.as_("am")

    command("person", "erase", "am", "--yes")
    company.clock.pass_time(hours=24)
    company.night(ignore_freshness=True)

    assert company.client.get("/v1/worklist", headers=token).status_code == 401
    assert "Colleague am" not in everything(company)
    assert "'am'" in everything(company)


def test_the_export_holds_all_that_is_kept_of_an_account(
    company: Company, command: Any, tmp_path: Path
) -> None:
    """Whoever asks what is known of her gets it whole, in a file that only its owner can read."""
    lived(company)
    company.app.state.trail.write()
    out = tmp_path / "a1.json"

    command("person", "export", "a1", "--out", str(out))
    text = out.read_text(encoding="utf-8")
    kept = json.loads(text)["kept"]["a1"]

    assert all(part in text for part in (NAME, MAIL, NOTE, PERSON, "52.5012"))
    assert {"personal", "decisions", "suggestions", "team", "audit"} - kept["ledger"].keys() == set()
    assert kept["facts"]["touchpoints"]
    assert kept["nights"]
    assert "Dr Other" not in text
    assert out.stat().st_mode & 0o077 == 0
    command("person", "export", "a2", "--out", str(out), code=1)
    assert out.read_text(encoding="utf-8") == text


def test_the_export_of_a_colleague_or_a_contact_has_no_secrets(
    company: Company, command: Any, tmp_path: Path
) -> None:
    """What proves who she is says nothing about her, and would open her account to a finder."""
    company.get("/worklist")
    command("person", "export", "am", "--out", str(tmp_path / "am.json"))
    command("person", "export", "c1", "--out", str(tmp_path / "c1.json"))
    colleague, contact = ((tmp_path / name).read_text(encoding="utf-8") for name in ("am.json", "c1.json"))

    assert "Colleague am" in colleague
    assert '"tokens"' in colleague
    assert "hash" not in colleague
    assert PERSON in contact
    assert NOTE in contact
    assert "Somebody Else" not in contact


def test_an_unknown_person_is_one_line(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    """A misspelt id must not look like a success."""
    found = invoked(company, "person", "erase", "nobody", monkeypatch=monkeypatch)

    assert isinstance(found.exception, UnknownError)
    assert "'nobody'" in str(found.exception)
