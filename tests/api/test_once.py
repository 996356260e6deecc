"""Requests that are sent twice act once, whatever the verb: a tablet that was away sends again."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.api.company import Company, served, tables_of


@pytest.fixture
def company(tmp_path: Path, ledger_url: str) -> Iterator[Company]:
    with served(tmp_path, tables_of(["a1", "a2"]), ledger_url=ledger_url) as company:
        yield company


def send(
    company: Company, path: str, body: Any, key: str | None = "k1", user_id: str = "am"
) -> httpx.Response:
    headers = company.as_(user_id) | ({} if key is None else {"Idempotency-Key": key})
    return company.client.post(f"/v1{path}", headers=headers, json=body)


def test_a_hand_over_sent_again_after_it_was_done_is_not_asked_for_anew(company: Company) -> None:
    """Without a key the same wish after the deed is a new wish; with it, it is the old one come late."""
    body = {"to_role": "medical_liaison", "note": "She asked about efficacy."}
    first = send(company, "/accounts/a1/hand-overs", body)
    done = {"verb": "done", "channel": "remote_call"}
    company.post(f"/hand-overs/{first.json()['hand_over_id']}/answer", done, "ml")

    again = send(company, "/accounts/a1/hand-overs", body)
    new = send(company, "/accounts/a1/hand-overs", body, None)

    assert (again.status_code, again.json()) == (200, first.json())
    assert again.headers["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in first.headers
    assert new.json()["hand_over_id"] != first.json()["hand_over_id"]


def test_an_answer_that_arrives_late_does_not_undo_a_later_one(company: Company) -> None:
    """Accept is sent, not heard back, then put off; the accept that is sent again changes nothing."""
    company.reads_page()
    suggestion = company.suggestions()[0]
    path = f"/suggestions/{suggestion['suggestion_id']}/feedback"
    until = company.clock.iso(days=2)

    first = send(company, path, {"verb": "accept"}, "one")
    send(company, path, {"verb": "snooze", "until": until}, "two")
    again = send(company, path, {"verb": "accept"}, "one")

    assert again.json() == first.json()
    with company.ledger() as ledger:
        assert ledger.suggestion(suggestion["suggestion_id"]).state == "snoozed"


def test_a_key_belongs_to_one_request_of_one_person(company: Company) -> None:
    """A key that means two things would answer the second with the first."""
    body = {"to_role": "medical_liaison", "note": "one"}
    first = send(company, "/accounts/a1/hand-overs", body)

    other_body = send(company, "/accounts/a1/hand-overs", body | {"note": "two"})
    other_path = send(company, "/accounts/a2/hand-overs", body)
    other_person = send(company, "/accounts/a1/hand-overs", body, user_id="rs")

    assert [other_body.status_code, other_path.status_code, other_person.status_code] == [409, 409, 200]
    assert "needs its own" in other_body.json()["detail"]
    assert other_person.json()["hand_over_id"] != first.json()["hand_over_id"]


def test_what_was_refused_gives_its_key_back(company: Company) -> None:
    """She corrects what she wrote and sends it under the same key."""
    wrong = send(company, "/accounts/a1/hand-overs", {"to_role": "nobody"})
    right = send(company, "/accounts/a1/hand-overs", {"to_role": "medical_liaison"})

    assert [wrong.status_code, right.status_code] == [422, 200]


def test_ten_at_once_act_once(company: Company) -> None:
    """A queue that is emptied twice at the same time, before the first was answered."""
    event = {"event_id": "own-7", "treatment": "visit_dosing"}
    body = event | {"note": "She asked me to."}
    answers: list[httpx.Response] = []
    headers = company.as_("am") | {"Idempotency-Key": "k1"}

    def one() -> None:
        with httpx.Client(base_url=company.client.base_url, timeout=60) as client:
            answers.append(client.post("/v1/accounts/a1/suggestions", headers=headers, json=body))

    threads = [threading.Thread(target=one) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    last = send(company, "/accounts/a1/suggestions", body)

    assert {answer.status_code for answer in answers} <= {200, 409}
    whole = [answer.json() for answer in [*answers, last] if answer.status_code == 200]
    assert len({answer["suggestion_id"] for answer in whole}) == 1
    assert last.status_code == 200


def test_what_was_cut_off_is_asked_again_after_a_minute(company: Company) -> None:
    """A server that went away in between must not hold the key for ever."""
    body = {"to_role": "medical_liaison"}
    first = send(company, "/accounts/a1/hand-overs", body)
    with company.ledger() as ledger:
        _cut_off(ledger, "am", "k1")

    at_once = send(company, "/accounts/a1/hand-overs", body)
    company.clock.pass_time(minutes=2)
    later = send(company, "/accounts/a1/hand-overs", body)

    assert at_once.status_code == 409
    assert "under way" in at_once.json()["detail"]
    assert later.json()["hand_over_id"] == first.json()["hand_over_id"]


def _cut_off(ledger: Any, user_id: str, key: str) -> None:
    """As a request looks whose server went away before it was answered."""
    import sqlalchemy as sa

    from data.ledger import schema as t

    with ledger._database.writing() as connection:
        this = sa.and_(t.requests.c.user_id == user_id, t.requests.c.request_key == key)
        connection.execute(sa.update(t.requests).where(this).values(status=None))


def test_what_an_answer_says_of_a_person_is_kept_apart(company: Company) -> None:
    """Erasure deletes the rows under the subject key; nothing of her may be left in a list of requests."""
    import sqlalchemy as sa

    from data.ledger import schema as t

    body = {"to_role": "medical_liaison", "note": "A rare secret."}
    send(company, "/accounts/a1/hand-overs", body)
    with company.ledger() as ledger, ledger._database.writing() as connection:
        kept = [str(tuple(row)) for row in connection.execute(sa.select(t.requests))]
        connection.execute(sa.delete(t.personal).where(t.personal.c.source == "requests"))

    again = send(company, "/accounts/a1/hand-overs", body)

    assert "secret" not in str(kept)
    assert (again.status_code, "erased" in again.json()["detail"]) == (409, True)


def test_keys_are_forgotten_after_a_month(company: Company) -> None:
    """The list must not grow for ever."""
    body = {"to_role": "medical_liaison"}
    send(company, "/accounts/a1/hand-overs", body, "old")
    company.clock.pass_time(days=31)
    send(company, "/accounts/a2/hand-overs", body, "new")

    again = send(company, "/accounts/a1/hand-overs", body, "old")

    assert "idempotency-replayed" not in again.headers


def test_every_request_that_changes_something_takes_a_key(company: Company) -> None:
    """A verb without one would act twice for a tablet that was away; supposing something stores nothing."""
    described = company.client.get("/openapi.json").json()["paths"]

    without = [
        path
        for path, verbs in described.items()
        for verb, operation in verbs.items()
        if verb in ("post", "put", "patch", "delete")
        and not path.endswith("/what-if")
        and "Idempotency-Key" not in [p["name"] for p in operation.get("parameters", [])]
    ]
    assert without == []
