"""Preferences, and what two people change at once: nobody overwrites what she has not seen."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tests.api.company import Company

PLACE = "/v1/accounts/{}/preferences/email/marketing"


def put(company: Company, account: str, body: Any, user: str = "am", **headers: str) -> httpx.Response:
    return company.client.put(PLACE.format(account), json=body, headers=company.as_(user) | headers)


def read(company: Company, account: str) -> httpx.Response:
    return company.client.get(PLACE.format(account), headers=company.as_("am"))


def test_what_holds_now_is_listed_by_channel_and_purpose(company: Company) -> None:
    """The page shows it, and a form begins with it."""
    found = company.get("/accounts/a1/preferences")

    assert [(one["channel"], one["purpose"], one["permission"]) for one in found] == [
        ("*", "web_behaviour", "opt_in"),
        ("email", "marketing", "opt_in"),
    ]
    assert found[1]["permission_since"] is not None
    assert found[1]["liking"] is None


def test_a_withdrawn_permission_holds_at_once(company: Company) -> None:
    """Said on the telephone, typed in by a colleague: no e-mail from the next decision on."""
    answer = put(company, "a2", {"permission": "opt_out"})
    company.clock.pass_time(minutes=1)
    why = company.get("/accounts/a2/why-not/email_new_data")["objections"]

    assert answer.status_code == 200, answer.text
    assert answer.json()["permission"] == "opt_out"
    assert answer.json()["source"] == "user:am"
    assert "consent" in [objection["rule"] for objection in why]
    assert read(company, "a2").headers["etag"] == answer.headers["etag"] == answer.json()["etag"]


def test_it_says_what_was_ended(company: Company) -> None:
    """An e-mail that was planned is withdrawn, and she is told so."""
    row = {"direction": "outbound", "channel": "email", "treatment": "email_guidelines", "status": "planned",
           "topic": "guidelines", "occurred_at": company.clock.iso(days=2)}  # fmt: skip
    event = {"event_id": "mail-a3", "table": "touchpoints", "account_id": "a3", "row": row}
    company.post("/events", event)

    said = put(company, "a3", {"permission": "opt_out"}).json()

    assert said["withdrawn_plans"] == 1


def test_stating_what_holds_already_stores_nothing(company: Company) -> None:
    """PUT may be repeated."""
    first = put(company, "a4", {"liking": "avoided"}).json()
    with company.ledger() as ledger:
        before = ledger.account_state("a4").version
    again = put(company, "a4", {"liking": "avoided", "permission": "opt_in"}).json()
    with company.ledger() as ledger:
        after = ledger.account_state("a4").version

    assert (first["liking"], first["permission"]) == ("avoided", "opt_in")
    assert again["etag"] == first["etag"]
    assert after == before


def test_who_saw_an_older_state_is_told_so(company: Company) -> None:
    """The second of two colleagues reads again before she overwrites a wish."""
    tag = read(company, "a5").headers["etag"]
    first = put(company, "a5", {"permission": "opt_out"}, "am", **{"If-Match": tag})
    second = put(company, "a5", {"permission": "opt_in"}, "ml", **{"If-Match": tag})
    now = put(
        company, "a5", {"permission": "opt_in"}, "ml", **{"If-Match": f'"other", {first.headers["etag"]}'}
    )

    assert (first.status_code, second.status_code, now.status_code) == (200, 412, 200)
    assert second.headers["content-type"] == "application/problem+json"


def test_of_many_at_once_one_wins(company: Company) -> None:
    """The check and the writing are one: nothing slips in between."""
    tag = read(company, "a6").headers["etag"]
    headers = {"If-Match": tag}

    def send(number: int) -> int:
        body = {"permission": "opt_out"} if number % 2 else {"permission": "opt_out", "liking": "avoided"}
        return put(company, "a6", body, "am" if number % 2 else "ml", **headers).status_code

    with ThreadPoolExecutor(6) as threads:
        statuses = sorted(threads.map(send, range(6)))

    assert statuses == [200, 412, 412, 412, 412, 412]


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/v1/accounts/a7/preferences/emial/marketing", {"permission": "opt_in"}, 404),
        ("/v1/accounts/a7/preferences/email/fun", {"permission": "opt_in"}, 404),
        ("/v1/accounts/apart/preferences/email/marketing", {"permission": "opt_in"}, 404),
        (PLACE.format("a7"), {}, 422),
        (PLACE.format("a7"), {"permission": "perhaps"}, 422),
    ],
)
def test_what_cannot_be_stated_is_a_problem(company: Company, path: str, body: Any, status: int) -> None:
    """Nothing is guessed, nothing is stored for an account that is not hers."""
    answer = company.client.put(path, json=body, headers=company.as_("am"))

    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


def test_two_answers_to_one_suggestion(company: Company) -> None:
    """A tablet that shows what a colleague has put off meanwhile is told so instead of undoing it."""
    company.reads_page("side_effects", "a8")
    shown = company.suggestions("a8")[0]
    path = f"/v1/suggestions/{shown['suggestion_id']}"
    single = company.client.get(path, headers=company.as_("am"))
    tag = {"If-Match": single.headers["etag"]}
    snooze = {"verb": "snooze", "until": company.clock.iso(days=1)}
    first = company.client.post(f"{path}/feedback", json=snooze, headers=company.as_("am") | tag)
    late = company.client.post(f"{path}/feedback", json={"verb": "accept"}, headers=company.as_("am") | tag)
    state = company.client.get(path, headers=company.as_("am")).json()

    assert single.json()["etag"] == shown["etag"] == single.headers["etag"]
    assert (first.status_code, late.status_code) == (200, 412)
    assert (state["state"], state["etag"] != shown["etag"]) == ("snoozed", True)
