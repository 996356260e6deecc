"""What-if, releases and the playbook over HTTP; lists that go page by page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from data.artifacts import write_release
from tests.api.company import Company, served, tables_of

READING = {"direction": "inbound", "channel": "website", "topic": "side_effects", "status": "done"}


def supposed(company: Company, account: str, body: Any, user: str = "am") -> Any:
    return company.post(f"/accounts/{account}/what-if", body, user)


def everything_kept(company: Company, account: str) -> Any:
    with company.ledger() as ledger:
        state = ledger.account_state(account)
        return state, ledger.suggestions(account, now=company.clock()), len(ledger.tail())


def test_a_hypothetical_event_is_decided_as_the_real_one_and_stored_nowhere(company: Company) -> None:
    """What would she be suggested if he looked up side effects? The same as when he does."""
    before = everything_kept(company, "a11")
    found = supposed(company, "a11", {"events": [{"table": "touchpoints", "row": READING}]})
    kept = everything_kept(company, "a11")
    company.reads_page("side_effects", "a11")
    real = company.suggestions("a11")

    assert kept == before
    assert [(s["treatment"], s["priority"]) for s in found["as_supposed"]] == [
        (s["treatment"], s["priority"]) for s in real
    ]
    assert found["as_supposed"][0]["headline"] == real[0]["headline"]
    assert [s["treatment"] for s in found["as_it_is"]] != [s["treatment"] for s in found["as_supposed"]]


def test_hypothetical_facts_and_a_later_moment_count(tmp_path: Path) -> None:
    """Another segment, another day: marketers ask so before they promise anything."""
    tables = tables_of(["a1"])
    tables["accounts"][0]["automated"] = "false"
    with served(tmp_path, tables) as company:
        plain = supposed(company, "a1", {})
        other = supposed(company, "a1", {"facts": {"automated": True}})
        later = supposed(company, "a1", {"at": company.clock.iso(days=40)})

    assert plain["as_it_is"] == plain["as_supposed"] != []
    assert other["as_it_is"] == plain["as_it_is"]
    assert {s["role"] for s in other["as_supposed"]} == {"system"} != {s["role"] for s in other["as_it_is"]}
    assert later["decided_at"] > plain["decided_at"]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"facts": {"segmnt": "A"}}, "did you mean 'segment'"),
        ({"facts": {"segment": 3}}, "segment must be text"),
        ({"facts": {"potential_value": "much"}}, "must be a number"),
        ({"facts": {"name": "Dr Who"}}, "read no column 'name'"),
        ({"events": [{"table": "touchpoints", "row": READING | {"chanel": "x"}}]}, "did you mean 'channel'"),
        ({"at": "2020-01-01T00:00:00Z"}, "lies ahead"),
    ],
)
def test_what_cannot_be_supposed_is_said_in_one_line(company: Company, body: Any, said: str) -> None:
    """The same checks as for what is true."""
    answer = company.client.post("/v1/accounts/a12/what-if", json=body, headers=company.as_("am"))

    assert (answer.status_code, said in answer.json()["detail"]) == (422, True), answer.text


def test_of_roles_that_mine_does_not_see_nothing_is_supposed_aloud(company: Company) -> None:
    """The wall between medical and commercial holds for what might be, too."""
    found = supposed(company, "a13", {"events": [{"table": "touchpoints", "row": READING}]})

    with company.ledger():
        seen = {role.id: role.sees for role in company.app.state.service.decider().playbook.roles}
    shown = {s["role"] for s in (*found["as_supposed"], *found["as_it_is"])}
    assert shown <= set(seen["account_manager"])
    assert (
        company.client.post("/v1/accounts/apart/what-if", json={}, headers=company.as_("am")).status_code
        == 404
    )


@pytest.fixture
def manager(company: Company) -> str:
    import polars as pl

    with company.ledger() as ledger:
        ledger.put_users(pl.DataFrame({"user_id": ["ds"], "name": ["Dana"], "role": ["data_scientist"]}))
    return "ds"


def test_releases_with_card_and_report_are_for_those_who_make_them(company: Company, manager: str) -> None:
    """A data scientist reads what decides and how good it is, and can fetch the report."""
    models: Path = company.settings.models
    files = {"card.md": b"# Card\nAll of it.", "report.html": b"<p>Report</p>", "board.html": b"<p>Board</p>"}
    release = write_release(models, "r1", files, {"learner": "s_learner", "playbook": "abc"})
    headers = company.as_(manager)

    listed = company.get("/releases", manager)
    detail = company.get("/releases/r1", manager)
    card = company.client.get("/v1/releases/r1/card", headers=headers)
    report = company.client.get("/v1/releases/r1/report", headers=headers)
    board = company.client.get("/v1/releases/r1/board", headers=headers)

    assert [(one["release_id"], one["learner"], one["in_use"]) for one in listed] == [
        ("r1", "s_learner", False)
    ]
    assert detail["manifest"]["files"] == release.manifest["files"]
    assert (card.text, card.headers["content-type"].split(";")[0]) == ("# Card\nAll of it.", "text/markdown")
    assert (report.text, board.text) == ("<p>Report</p>", "<p>Board</p>")
    assert all("sandbox" in one.headers["content-security-policy"] for one in (report, board))
    assert company.client.get("/v1/releases/r1/card", headers=company.as_("am")).status_code == 403
    for missing in ("r2", "..", "r1%2F..%2Fr1"):
        assert company.client.get(f"/v1/releases/{missing}/card", headers=headers).status_code in (404, 422)
    (models / "r1" / "report.html").write_text("<p>Forged</p>")
    assert company.client.get("/v1/releases/r1/report", headers=headers).status_code == 404


def test_the_playbook_in_words_is_what_decides(company: Company, manager: str) -> None:
    """A lawyer reads the rules in her language; of another side's messages she reads nothing."""
    own, whole = company.get("/playbook"), company.get("/playbook", manager)
    persian = company.get("/playbook", language="fa")
    ready = company.client.get("/v1/ready").json()

    assert own["version"] == ready["playbook_version"]
    assert {t["role"] for t in own["treatments"]} < {t["role"] for t in whole["treatments"]}
    assert all(policy["text"] and policy["when"] for policy in whole["policies"])
    assert persian["channels"][0]["name"] != own["channels"][0]["name"]
    assert company.client.get("/v1/playbook?language=xx", headers=company.as_("am")).status_code == 422


def test_a_list_is_read_page_by_page(company: Company) -> None:
    """Each account once, whatever the size of a page; the header leads on."""
    whole = company.get("/accounts", limit=200)
    found, path = [], "/v1/accounts?limit=7"
    while path:
        answer = company.client.get(path, headers=company.as_("am"))
        found.append(answer.json())
        path = answer.links.get("next", {}).get("url", "")

    assert len(whole) == 30
    assert [len(rows) for rows in found] == [7, 7, 7, 7, 2]
    assert [row for rows in found for row in rows] == whole


def test_a_timeline_is_read_page_by_page(company: Company) -> None:
    """The latest first, also where several happened in the same moment."""
    rows = [READING | {"occurred_at": company.clock.iso(hours=-1)} for _ in range(5)]
    events = [
        {"event_id": f"page-{n}", "table": "touchpoints", "account_id": "a14", "row": row}
        for n, row in enumerate(rows)
    ]
    company.post("/events", events)
    whole = company.get("/accounts/a14/timeline")
    found, path = [], "/v1/accounts/a14/timeline?limit=2"
    while path:
        answer = company.client.get(path, headers=company.as_("am"))
        found += answer.json()
        path = answer.links.get("next", {}).get("url", "")

    assert len(whole) == 6
    assert found == whole


@pytest.mark.parametrize("cursor", ["x", "WzFd", "bnVsbA", "e30", "W1tdXQ", "é"])
def test_a_cursor_that_no_page_gave_is_a_problem(company: Company, cursor: str) -> None:
    """Nobody's typing mistake becomes an error of ours."""
    answer = company.client.get("/v1/accounts", params={"cursor": cursor}, headers=company.as_("am"))

    assert (answer.status_code, "cursor" in answer.json()["detail"]) == (422, True)
