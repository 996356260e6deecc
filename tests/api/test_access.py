"""Who may see and do what over HTTP."""

from __future__ import annotations

import polars as pl
import pytest
import sqlalchemy as sa

from api.keys import KeyScopeError, create_key
from data.ledger.types import ConflictError, UnknownError
from tests.api.company import Company

PROBLEM = "application/problem+json"


@pytest.mark.parametrize(
    "headers", [{}, {"Authorization": "Bearer nonsense"}, {"Authorization": "Basic eDp5"}]
)
def test_without_a_valid_token_there_is_nothing(company: Company, headers: dict[str, str]) -> None:
    """401 with the header that says how to come in (RFC 6750)."""
    answer = company.client.get("/v1/worklist", headers=headers)

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert answer.headers["content-type"] == PROBLEM


def test_a_token_expires(company: Company) -> None:
    """A lost tablet must not stay a key for ever."""
    with company.ledger() as ledger:
        token = ledger.issue_token("am", now=company.clock(), expires_at=company.clock() + 1_000_000)
    headers = {"Authorization": f"Bearer {token}"}
    before = company.client.get("/v1/worklist", headers=headers).status_code
    company.clock.pass_time(seconds=2)
    after = company.client.get("/v1/worklist", headers=headers).status_code

    assert (before, after) == (200, 401)


def test_who_may_see_a_stored_list_is_asked_of_sqlite_itself(company: Company) -> None:
    """It is asked with every request, and takes several times as long through SQLAlchemy."""
    company.get("/accounts/a1/suggestions")
    asked: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_others: object) -> None:
        asked.append(statement)

    sa.event.listen(sa.Engine, "before_cursor_execute", note)
    try:
        company.get("/accounts/a1/suggestions")
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", note)

    assert [statement for statement in asked if not statement.startswith("INSERT INTO audit")] == []


@pytest.mark.parametrize("path", ["/suggestions", "/why-not/visit_dosing", "/what-would-change"])
def test_an_account_of_another_team_does_not_exist(company: Company, path: str) -> None:
    """Whether somebody is a customer is a secret as well: the answers are the same."""
    foreign = company.client.get(f"/v1/accounts/apart{path}", headers=company.as_("am"))
    nowhere = company.client.get(f"/v1/accounts/nobody{path}", headers=company.as_("am"))

    assert (foreign.status_code, nowhere.status_code) == (404, 404)
    assert foreign.json()["detail"].replace("apart", "") == nowhere.json()["detail"].replace("nobody", "")


def test_events_of_another_teams_account_are_refused_as_a_whole(company: Company) -> None:
    """All or nothing: half a list would be sent again and again."""
    row = {"direction": "inbound", "channel": "website", "status": "done"}
    events = [
        {"event_id": f"mixed-{account}", "table": "touchpoints", "account_id": account, "row": row}
        for account in ("a1", "apart")
    ]

    answer = company.client.post("/v1/events", headers=company.as_("am"), json=events)

    assert answer.status_code == 404
    with company.ledger() as ledger:
        assert "mixed-a1" not in [row.event_id for row in ledger.tail()]


def test_what_is_for_medical_is_not_seen_by_commercial(company: Company) -> None:
    """The wall between medical and commercial roles is law in pharma."""
    company.reads_page("side_effects", "a2")
    seen = {user: {s["role"] for s in company.suggestions("a2", user)} for user in ("am", "rs", "ml")}
    company.reads_page("new_data", "a2")
    refused = company.client.get("/v1/accounts/a2/why-not/medical_call_new_data", headers=company.as_("am"))
    allowed = company.client.get("/v1/accounts/a2/why-not/medical_call_new_data", headers=company.as_("ml"))

    assert "medical_liaison" not in seen["am"] | seen["rs"]
    assert (refused.status_code, allowed.status_code) == (403, 200)


def test_only_the_role_that_is_asked_answers(company: Company) -> None:
    """A colleague may see a visit; taking it off the list is for whom it is."""
    company.reads_page("side_effects", "a3")
    visit = company.suggestions("a3", "rs")[0]
    path = f"/v1/suggestions/{visit['suggestion_id']}/feedback"

    refused = company.client.post(path, headers=company.as_("rs"), json={"verb": "accept"})

    assert refused.status_code == 403
    assert "account_manager" in refused.json()["detail"]


def put_managers(company: Company) -> None:
    """The chief is above the head, who is above account manager and liaison; the guest is above nobody."""
    rows = [
        ("am", "account_manager", "head"), ("ml", "medical_liaison", "head"), ("head", "sales", "chief"),
        ("chief", "director", None), ("guest", "auditor", None), ("other", "director", None),
        ("stranger", "account_manager", "other"),
    ]  # fmt: skip
    columns = {"user_id": pl.String, "role": pl.String, "manager_id": pl.String}
    with company.ledger() as ledger:
        ledger.put_users(pl.DataFrame(rows, columns, orient="row").with_columns(name=pl.lit("X")))


def test_a_manager_reads_what_her_people_see(company: Company) -> None:
    """Her role is not in the playbook, since nothing is suggested to her; she must know what goes on."""
    put_managers(company)
    company.reads_page("side_effects", "a5")
    seen = {user: company.suggestions("a5", user) for user in ("am", "ml", "rs", "head", "chief")}
    lists = {user: company.get("/worklist", user, limit=200) for user in ("am", "head", "chief", "other")}
    guest = company.client.get("/v1/worklist", headers=company.as_("guest"))

    roles = {user: {s["role"] for s in found} for user, found in seen.items()}
    assert roles["head"] == roles["am"] | roles["ml"]
    assert seen["chief"] == seen["head"] != []
    ids = {user: {s["suggestion_id"] for s in found} for user, found in lists.items()}
    assert ids["am"] <= ids["head"] == ids["chief"]
    assert ids["am"] > set()
    assert (guest.status_code, ids["other"] & ids["head"]) == (403, set())
    assert company.get("/accounts/a5/why-not/visit_dosing", "head")["account_id"] == "a5"


def test_a_manager_answers_nothing_and_sees_no_other_team(company: Company) -> None:
    """Who does it says what came of it; another team's accounts do not exist for her either."""
    put_managers(company)
    company.reads_page("side_effects", "a6")
    statuses = [
        company.client.post(
            f"/v1/suggestions/{found['suggestion_id']}/feedback",
            headers=company.as_("head"),
            json={"verb": "accept"},
        ).status_code
        for found in company.suggestions("a6", "head")
    ]
    foreign = [
        company.client.get(f"/v1/accounts/{account}/suggestions", headers=company.as_(user)).status_code
        for account, user in (("apart", "head"), ("a6", "other"), ("a6", "guest"), ("apart", "other"))
    ]

    assert set(statuses) == {403}
    assert foreign == [404, 404, 403, 200]


def test_a_suggestion_of_another_team_does_not_exist(company: Company) -> None:
    """Guessing ids must not tell anything."""
    company.reads_page("side_effects", "a4")
    suggestion = company.suggestions("a4")[0]["suggestion_id"]
    answers = [
        company.client.post(
            f"/v1/suggestions/{found}/feedback", headers=company.as_("stranger"), json={"verb": "accept"}
        )
        for found in (suggestion, "nothing")
    ]

    assert [answer.status_code for answer in answers] == [404, 404]


def key_of(company: Company, user_id: str, *scopes: str, **others: str) -> dict[str, str]:
    """Headers with a new key."""
    return {"Authorization": f"Bearer {create_key(company.settings, user_id, scopes, **others)[1]}"}


def test_a_job_sends_events_of_every_account_and_sees_no_suggestions(company: Company) -> None:
    """The website reports for everybody and has no business with the lists."""
    headers = key_of(company, "website", "events:write")
    row = {"direction": "inbound", "channel": "website", "topic": "dosing", "status": "done"}
    event = {"event_id": "job-1", "table": "touchpoints", "account_id": "apart", "row": row}

    stored = company.client.post("/v1/events", headers=headers, json=event)

    assert stored.status_code == 200, stored.text
    assert company.client.get("/v1/accounts/apart/suggestions", headers=headers).status_code == 403
    assert company.client.get("/v1/worklist", headers=headers).status_code == 403


def test_a_key_opens_what_it_is_for_and_nothing_else(company: Company) -> None:
    """A key that leaks from one job must not read what another one may."""
    events = key_of(company, "shop", "events:write")
    lists = key_of(company, "am-copy", "suggestions:read", role="account_manager")
    statuses = {
        (name, path): company.client.get(path, headers=headers).status_code
        for name, headers in (("events", events), ("lists", lists))
        for path in (
            "/v1/worklist",
            "/v1/accounts",
            "/v1/hand-overs",
            "/v1/stream",
            "/day",
            "/team",
            "/accounts",
        )
        if (name, path) != ("lists", "/v1/stream")
    }

    allowed = [at for at, status in statuses.items() if status != 403]
    assert allowed == [("lists", "/v1/worklist")]


def test_a_key_of_no_team_sees_no_account_and_one_in_the_team_its_roles(company: Company) -> None:
    """A job that copies lists to another system is put into teams like a colleague."""
    headers = key_of(company, "crm", "suggestions:read", role="account_manager")
    company.reads_page("side_effects", "a7")
    path = "/v1/accounts/a7/suggestions"
    before = company.client.get(path, headers=headers).status_code
    with company.ledger() as ledger:
        ledger.put_team(pl.DataFrame({"account_id": ["a7"], "role": ["crm"], "user_id": ["crm"]}))
    after = company.client.get(path, headers=headers)

    assert (before, after.status_code) == (404, 200)
    assert "medical_liaison" not in {one["role"] for one in after.json()}


def test_a_key_ends_when_revoked_and_by_itself(company: Company) -> None:
    """Jobs are forgotten; their keys must not open the house for ever."""
    key_id, key = create_key(company.settings, "old", ["releases:read", "events:write"])
    headers = {"Authorization": f"Bearer {key}"}
    event = {"event_id": "k1", "table": "touchpoints", "account_id": "a8",
             "row": {"direction": "inbound", "channel": "website", "status": "done"}}  # fmt: skip

    def send(at: str, headers: dict[str, str] = headers) -> int:
        return company.client.post("/v1/events", headers=headers, json=event | {"event_id": at}).status_code

    first = send("k1")
    with company.ledger() as ledger:
        ledger.keys.revoke(key_id, now=company.clock())
        with pytest.raises(UnknownError, match="key list"):
            ledger.keys.revoke("other", now=company.clock())
    ended = send("k2")
    _, short = create_key(company.settings, "old", ["events:write"], days=0.001, now=company.clock())
    lasting = send("k3", {"Authorization": f"Bearer {short}"})
    company.clock.pass_time(minutes=2)

    assert (first, ended, lasting, send("k4", {"Authorization": f"Bearer {short}"})) == (200, 401, 200, 401)


def test_a_key_is_nobodys_and_has_known_scopes(company: Company) -> None:
    """What a key does must not look as if a colleague had done it."""
    with pytest.raises(ConflictError, match="colleague"):
        create_key(company.settings, "am", ["events:write"])
    with pytest.raises(KeyScopeError, match="did you mean 'events:write'"):
        create_key(company.settings, "new", ["event:write"])
    with pytest.raises(KeyScopeError, match="role 'job' may not"):
        create_key(company.settings, "new", ["suggestions:read"])
    with company.ledger() as ledger:
        assert "new" not in {user.user_id for user in ledger.users()}


def test_nothing_in_the_database_is_a_key(company: Company) -> None:
    """A stolen backup must not let anybody in."""
    key = create_key(company.settings, "kept", ["events:write"])[1]
    kept = b"".join(path.read_bytes() for path in company.settings.home.glob("ledger.sqlite*"))

    assert b"kept" in kept
    assert key.encode() not in kept


def test_who_has_left_is_out_at_once_whatever_is_loaded(company: Company) -> None:
    """A tablet that is not given back must show nothing, also when the personnel file is late."""
    with company.ledger() as ledger:
        ledger.put_users(pl.DataFrame({"user_id": ["gone"], "name": ["X"], "role": ["account_manager"]}))
        now = company.clock()
        there = company.client.get("/v1/worklist", headers=company.as_("gone")).status_code
        ledger.settle_left("gone", now, now=now)
        left = company.client.get("/v1/worklist", headers=company.as_("gone")).status_code
        ledger.put_users(pl.DataFrame({"user_id": ["gone"], "name": ["X"], "role": ["account_manager"]}))
        token = ledger.issue_token("gone", now=now, expires_at=now + 10**9)
        loaded = ledger.user_of_token(token, now=now)

    assert (there, left, loaded) == (200, 401, None)


def test_a_role_that_was_settled_here_outlives_a_load(company: Company) -> None:
    """Who was put on the medical side this morning must not read commercial lists after tonight."""
    row = {"user_id": ["moved"], "name": ["X"], "role": ["account_manager"]}
    with company.ledger() as ledger:
        ledger.put_users(pl.DataFrame(row))
        ledger.settle_role("moved", "medical_liaison", now=company.clock())
        ledger.put_users(pl.DataFrame(row))

        assert {u.role for u in ledger.users() if u.user_id == "moved"} == {"medical_liaison"}
