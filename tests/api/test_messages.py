"""The message of a suggestion over HTTP: whose language it has, and who may send it by herself."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from api.messages import mail_address
from data.playbooks import read_playbook
from engine.messages import Message
from engine.playbook import Treatment
from tests.api.company import served, tables_of

PHARMA = read_playbook("pharma")


def contact(language: str | None) -> dict[str, Any]:
    return {"contact_id": f"c-{language}", "account_id": "a1", "name": "Dr C", "language": language}


def message_of(home: Path, *contacts: dict[str, Any]) -> dict[str, Any]:
    """For an account that speaks Arabic, read by a colleague who reads English."""
    tables = tables_of(["a1"]) | ({"contacts": list(contacts)} if contacts else {})
    tables["accounts"][0] |= {"name": "د. ألفت", "language": "ar"}
    with served(home, tables) as company:
        company.reads_page("side_effects", "a1")
        (listed, *_) = company.suggestions("a1")
        found = company.get(f"/suggestions/{listed['suggestion_id']}")
    assert listed["message"] is None, "Lists do not read every account's facts."
    return found


def test_the_message_is_the_accounts_and_the_page_the_users(tmp_path: Path) -> None:
    """She reads English; what she sends is Arabic, with both names in it."""
    found = message_of(tmp_path)

    assert found["headline"].startswith("\u062f. ألفت looked up")
    assert found["message"]["language"] == "ar"
    assert found["message"]["text"].startswith("د. ألفت، تحية طيبة،")
    assert found["message"]["text"].endswith("Colleague am")


def test_the_person_at_the_account_has_the_last_word_on_its_language(tmp_path: Path) -> None:
    """Where all contacts agree; else the account's own."""
    one, two = (tmp_path / "one", tmp_path / "two")

    assert message_of(one, contact("fa"), contact(None))["message"]["language"] == "fa"
    assert message_of(two, contact("fa"), contact("en"))["message"]["language"] == "ar"


def test_only_what_a_person_writes_as_an_e_mail_opens_her_mail_program() -> None:
    """What the system sends goes out once, by the system; a visit is no e-mail."""
    mail = next(t for t in PHARMA.treatments if t.channel == "email" and t.kind == "contact")
    message = Message("fa", "قرار & ملاقات", "سلام")

    def address(treatment: Treatment) -> str | None:
        return mail_address(message, treatment, PHARMA)

    assert address(mail) is None
    assert address(PHARMA.treatment("visit_dosing")) is None
    opened = address(replace(mail, role="account_manager"))
    assert opened is not None
    assert opened.startswith("mailto:?subject=%D9%82")
    assert " & " not in opened
