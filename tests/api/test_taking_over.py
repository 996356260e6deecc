"""Another playbook or release while the service runs: taken over whole, without a restart."""

from __future__ import annotations

import itertools
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from data.playbooks import playbook_text
from tests.api.company import Company, served, tables_of


def write(path: Path, text: str, *, age_seconds: float = 10.0) -> None:
    """Replaces the file as an operator should: written aside, then renamed; `age_seconds` ago."""
    aside = path.with_suffix(".new")
    aside.write_text(text, encoding="utf-8")
    write.changes += 1
    moment = time.time() - age_seconds - write.changes / 1000
    os.utime(aside, (moment, moment))
    aside.rename(path)


write.changes = 0


def ready(company: Company) -> dict[str, Any]:
    answer = company.client.get("/v1/ready")
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.fixture
def playbook(tmp_path: Path) -> Path:
    path = tmp_path / "own.toml"
    write(path, playbook_text("pharma"))
    return path


def edited(old: str, new: str) -> str:
    text = playbook_text("pharma")
    assert old in text
    return text.replace(old, new)


def test_a_changed_playbook_decides_without_a_restart(tmp_path: Path, playbook: Path) -> None:
    """What a marketer publishes in the morning holds in the morning."""
    with served(tmp_path, playbook=str(playbook)) as company:
        first = ready(company)
        company.reads_page("side_effects", "a1", "one")
        before = company.suggestions("a1")[0]["currency"]
        write(playbook, edited('currency = "EUR"', 'currency = "USD"'))
        second = ready(company)
        company.reads_page("dosing", "a1", "two")
        after = company.suggestions("a1")[0]
        with company.ledger() as ledger:
            kept = [one.version for one in ledger.playbooks()]
            decided_under = ledger.decision(after["decision_id"]).playbook

    assert (before, after["currency"]) == ("EUR", "USD")
    assert first["playbook_version"] != second["playbook_version"] == decided_under
    assert kept == [first["playbook_version"], second["playbook_version"]]


@pytest.mark.parametrize("text", ["not a playbook", "", 'title = { en = "half'])
def test_a_playbook_that_cannot_be_used_leaves_the_one_before(
    tmp_path: Path, playbook: Path, text: str
) -> None:
    """A slip of the pen in a file must not stop five hundred people; readiness and log say so."""
    with served(tmp_path, playbook=str(playbook)) as company:
        before = ready(company)
        write(playbook, text)
        broken = ready(company)
        company.reads_page("dosing", "a1")
        write(playbook, edited('currency = "EUR"', 'currency = "USD"'))
        mended = ready(company)

    assert broken["playbook_version"] == before["playbook_version"]
    assert (before["playbook_waiting"], broken["playbook_waiting"]) == (False, True)
    assert (mended["playbook_waiting"], mended["playbook_version"] != before["playbook_version"]) == (
        False,
        True,
    )


def test_a_file_that_is_being_written_is_left_alone(tmp_path: Path, playbook: Path) -> None:
    """An editor writes in pieces; a piece may be a whole playbook with half of its rules."""
    with served(tmp_path, playbook=str(playbook)) as company:
        before = ready(company)
        write(playbook, edited('currency = "EUR"', 'currency = "USD"'), age_seconds=0.0)
        fresh = ready(company)

    assert fresh["playbook_version"] == before["playbook_version"]
    assert fresh["playbook_waiting"] is False


def test_under_load_every_answer_is_of_one_playbook(tmp_path: Path, playbook: Path) -> None:
    """Two playbooks take turns while lists are read and events come in: no answer mixes them, none fails."""
    texts = [playbook_text("pharma").replace('currency = "EUR"', f'currency = "{c}"') for c in ("EUR", "USD")]
    accounts = [f"a{n}" for n in range(1, 9)]
    with served(tmp_path, tables_of(accounts), playbook=str(playbook)) as company:
        for account in accounts:
            company.reads_page("side_effects", account)
        headers, done = company.as_("am"), []
        sent: list[str] = []

        def read(_: int) -> list[tuple[int, frozenset[str]]]:
            found = []
            while not done:
                answer = company.client.get("/v1/worklist", headers=headers, params={"limit": 50})
                rows = answer.json() if answer.status_code == 200 else []
                found.append((answer.status_code, frozenset(row["currency"] for row in rows)))
            return found

        def send(number: int) -> None:
            for event in (f"load-{number}-{count}" for count in itertools.count()):
                if done:
                    return
                company.reads_page("dosing", accounts[number], event)
                sent.append(event)

        with ThreadPoolExecutor(5) as threads:
            readers = [threads.submit(read, n) for n in range(3)]
            senders = [threads.submit(send, n) for n in range(2)]
            # On a busy machine turns go on until enough has come in between them.
            for turn in range(1_000):
                write(playbook, texts[turn % 2])
                time.sleep(0.15)
                if turn > 10 and len(sent) > 4:
                    break
            done.append(True)
            answers = [one for reader in readers for one in reader.result()]
            for sender in senders:
                sender.result()

    assert {status for status, _ in answers} == {200}
    assert {len(currencies) for _, currencies in answers} == {1}
    assert {currencies for _, currencies in answers} == {frozenset({"EUR"}), frozenset({"USD"})}
    assert len(sent) > 4
