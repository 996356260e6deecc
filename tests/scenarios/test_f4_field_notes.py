"""F4: what the field hears goes back: recorded with a tap, counted by topic, answered from one collection."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.api.company import Company, served, tables_of
from tests.scenarios.playbooks import shipped

ACCOUNTS = [f"dr{n}" for n in random.SystemRandom().sample(range(10**8), 3)]
DEAR, ASKING, NEW = ACCOUNTS
RIVAL = "".join(random.SystemRandom().choices("bcdfghklm", k=8)).title()
PRICE = {"kind": "price"}


@contextmanager
def house(home: Path, ledger_url: str, playbook: str = "pharma") -> Iterator[Company]:
    with served(home, tables_of(ACCOUNTS), ledger_url=ledger_url, playbook=playbook) as company:
        yield company


def visit(company: Company, account: str) -> dict[str, Any]:
    """The visit that is suggested after a look at the website."""
    company.reads_page("side_effects", account)
    company.clock.pass_time(minutes=1)
    # The first may be one that is explored.
    return next(s for s in company.suggestions(account) if s["treatment"] == "visit_side_effects")


def hears(company: Company) -> None:
    """Three contacts by two roles: on a suggestion, without one, and just heard."""
    first = visit(company, DEAR)
    rival = [{"name": RIVAL}]
    company.answers(
        first, "complete", result="attended", objections=[PRICE | {"text": "A rare secret."}],
        competitors=rival, questions=[{"topic": "dosing"}],
    )  # fmt: skip
    company.post(f"/accounts/{ASKING}/contacts", {
        "event_id": "c1", "treatment": "visit_dosing", "objections": [PRICE],
        "competitors": [{"name": RIVAL.upper()}], "questions": [{"topic": "dosing"}, {}],
    })  # fmt: skip
    company.post(f"/accounts/{ASKING}/field-notes", {
        "event_id": "n1", "topic": "medical_question", "questions": [{"text": "Children?"}],
    }, "ml")  # fmt: skip


def counts(
    company: Company, user_id: str = "am", **query: Any
) -> dict[tuple[str, str | None, str | None], Any]:
    found = company.get("/field-notes", user_id, **query)
    return {(n["kind"], n["topic"], n["what"]): (n["times"], n["accounts"], n["answers"]) for n in found}


def answers(company: Company, account: str, user_id: str = "am") -> list[set[str]]:
    """Answers that travel with each suggestion to a person."""
    shown = [s for s in company.suggestions(account, user_id) if s["role"] != "system"]
    assert shown
    return [{answer["answer_id"] for answer in s["answers"]} for s in shown]


def test_what_is_heard_is_counted_by_topic_and_answered(tmp_path: Path, ledger_url: str) -> None:
    """Marketing reads what the field hears today, and the next colleague has the answer in her hand."""
    with house(tmp_path, ledger_url) as company:
        hears(company)
        mine, medical = counts(company), counts(company, "ml")
        company.clock.pass_time(days=40)
        for account in (DEAR, NEW):
            visit(company, account)
        told, untold = answers(company, DEAR), answers(company, NEW)
        whole = company.suggestions(DEAR)[0]["answers"]
        with company.ledger() as ledger:
            facts = str([ledger.account_state(account).tail for account in ACCOUNTS])
        company.clock.pass_time(days=60)
        visit(company, DEAR)
        forgotten = answers(company, DEAR)
        month = company.get("/field-notes", days=120, period="month")
        recent = company.get("/field-notes", days=30)

    topic = "side_effects"
    rivals = {what: times for (kind, _, what), (times, *_) in mine.items() if kind == "competitor"}
    assert mine["objection", topic, "price"][:2] == (1, 1)
    assert mine["objection", "dosing", "price"] == (1, 1, ["price"])
    assert mine["question", "dosing", None] == (3, 2, ["dosing"])
    assert {name.casefold() for name in rivals} == {RIVAL.casefold()}
    assert sum(rivals.values()) == 2
    # What medical heard is medical's.
    assert ("question", "medical_question", None) not in mine
    assert medical["question", "medical_question", None] == (1, 1, ["medical_question"])
    assert all(one == {"price", "dosing"} for one in told)
    assert all(one == set() for one in untold + forgotten)
    assert {a["owner"] for a in whole} == {"reimbursement_specialist", "account_manager"}
    assert "secret" not in facts
    assert {note["period"] for note in month} == {"2026-01-01"}
    assert recent == []


def test_without_an_answer_in_the_playbook_it_is_counted_and_nothing_is_made_up(
    tmp_path: Path, ledger_url: str
) -> None:
    """What nobody has written an answer to is a gap that the counts show."""
    text = shipped().partition("[answers.price]")[0]
    book = tmp_path / "silent.toml"
    book.write_text(text, encoding="utf-8")
    with house(tmp_path, ledger_url, str(book)) as company:
        hears(company)
        found = counts(company)
        company.clock.pass_time(days=40)
        visit(company, DEAR)
        told = answers(company, DEAR)

    assert found["objection", "dosing", "price"] == (1, 1, [])
    assert all(one == set() for one in told)


@pytest.mark.parametrize(("language", "word"), [("ar", "التغطية"), ("fa", "پوشش")])
def test_an_answer_is_in_the_readers_language(language: str, word: str, tmp_path: Path) -> None:
    """An answer that she has to translate at the door is none."""
    tables = tables_of(ACCOUNTS)
    tables["users"][0]["language"] = language
    with served(tmp_path, tables) as company:
        first = visit(company, DEAR)
        company.answers(first, "complete", objections=[PRICE])
        company.clock.pass_time(days=40)
        visit(company, DEAR)
        whole = company.suggestions(DEAR)[0]["answers"]

    assert [word in answer["text"] for answer in whole] == [True]
