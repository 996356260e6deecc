"""An administrator hands a person what is kept of her, and erases it; nobody else can."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.keys import create_key
from data.people_data import export, find_person
from tests.api.company import Company, served
from tests.api.test_erasure import MAIL, NAME, PERSON, everything, lived, tables
from tests.data.files import user


@pytest.fixture
def company(tmp_path: Path) -> Iterator[Company]:
    rows = tables()
    rows["users"] += [
        user("root", name="Root", role="admin"), user("boss", name="Boss", role="sales"),
        user("safe", name="Safe", role="drug_safety"), user("a2", name="Namesake", role="account_manager"),
    ]  # fmt: skip
    rows["users"][0]["manager_id"] = "boss"
    with served(tmp_path / "home", rows) as found:
        yield found


def asked(company: Company, path: str, who: str = "root") -> httpx.Response:
    return company.client.get(f"/v1/persons/{path}", headers=company.as_(who))


def erased(company: Company, person: str, who: str = "root", **body: Any) -> httpx.Response:
    body = {"confirm": person} | body
    return company.client.post(f"/v1/persons/{person}/erasure", headers=company.as_(who), json=body)


def test_an_administrator_is_given_what_the_command_writes(company: Company) -> None:
    """Both sides of the wall: the person is entitled to all of it."""
    lived(company)

    answer = asked(company, "a1")

    with company.ledger() as ledger:
        home = company.settings.as_home()
        expected = export(home, ledger, find_person(home, ledger, "a1"))

    found = answer.json()
    assert found["kept"]["a1"]["ledger"]["audit"]
    kept, told = expected["kept"]["a1"], found["kept"]["a1"]
    assert found["exported_at"].startswith("2026-")
    assert {part: told[part].keys() for part in told} == {part: kept[part].keys() for part in kept}
    assert told["ledger"]["personal"] == kept["ledger"]["personal"]
    assert {one["role"] for one in told["ledger"]["suggestions"]} >= {"account_manager", "medical_liaison"}
    assert all(text in answer.text for text in (NAME, MAIL, PERSON))
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("who", ["am", "ml", "boss", "safe"])
def test_nobody_who_serves_accounts_or_leads_may(company: Company, who: str) -> None:
    """An export would be a door through the wall, and an erasure the end of a colleague's work."""
    answers = [asked(company, "a1", who), asked(company, "nobody", who), erased(company, "a1", who)]

    assert [answer.status_code for answer in answers] == [403, 403, 403]
    assert answers[0].json()["detail"] == answers[1].json()["detail"]
    assert NAME in everything(company)


def test_a_key_may_what_its_scopes_say(company: Company) -> None:
    """The job that answers requests for data need not be able to erase."""
    company.tokens["desk"] = create_key(company.settings, "desk", ["persons:read"], role="admin")[1]

    assert asked(company, "c1", "desk").status_code == 200
    assert erased(company, "c1", "desk").status_code == 403


def test_what_is_erased_over_http_is_gone_and_it_is_known_who_did_it(company: Company) -> None:
    """Twice is once; an id written twice is meant."""
    lived(company)
    slip = erased(company, "a1", confirm="a2")
    before = everything(company)

    first, again = erased(company, "a1"), erased(company, "a1")
    seen = company.client.get("/v1/accounts/a1", headers=company.as_("am"))
    company.app.state.trail.write()
    after = everything(company)
    with company.ledger() as ledger:
        seen_by = ledger.audit.find(user_id="root")

    assert (slip.status_code, NAME in before) == (422, True)
    assert "cannot be taken back" in slip.json()["detail"]
    assert first.json()["ids"] == ["a1"]
    assert first.json()["erased"]["names and texts"] > 0
    assert "names and texts" not in again.json()["erased"]
    assert seen.status_code == 404
    assert NAME not in after
    assert ("POST /v1/persons/{person_id}/erasure", "a1", 200) in [
        (one.what, one.subject, one.status) for one in seen_by
    ]


def test_an_id_of_nobody_or_of_several_is_said(company: Company) -> None:
    """The wrong one would be gone for good."""
    both, nobody = asked(company, "a2"), erased(company, "nobody")
    chosen = asked(company, "a2?kind=user")
    done = erased(company, "a2", kind="user")

    assert (both.status_code, nobody.status_code) == (409, 404)
    assert "account and user; say which kind" in both.json()["detail"]
    assert (chosen.json()["kind"], done.json()["kind"]) == ("user", "user")
    assert company.get("/accounts/a2")["account_name"] == "Dr Other"
