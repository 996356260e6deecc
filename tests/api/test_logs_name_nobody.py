"""Whatever is asked, well or badly, the log says nothing of whom it was about: it goes to many hands."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.api.company import Clock, served, tables_of
from tests.api.provider import AUDIENCE, CLIENT, SECRET, providing
from tests.api.test_every_route import ROUTES
from tests.data.files import account

NAME, NOTE, MAIL = "Zwxqv Brillenburg", "Kvxq has been unwell", "zwxqv@mail.example"
FIELDS = {
    "note": NOTE, "reason": NOTE, "q": NAME, "verb": "complete", "account_id": NAME, "event_id": MAIL,
    "table": "touchpoints", "row": {"details": {"note": NOTE}, "channel": MAIL}, "scope": NOTE,
    "to_role": NAME, "user_id": MAIL, "password": "Qpassw0rd-Kvxq", "next": f"/accounts?q={NAME}",
    "language": NOTE, "state": MAIL, "code": "Kcode-Kvxq",
}  # fmt: skip


def test_no_request_leaves_a_name_a_note_or_a_secret_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Every route, by her who may and by nobody, with texts where they belong and where they do not; and the
    sign-in by a provider, also where it is refused or the provider is away."""
    for clients in ("httpx", "httpcore"):  # the test's own, not ours
        caplog.set_level(logging.WARNING, clients)
    caplog.set_level(logging.DEBUG)
    tables = tables_of(["a1"])
    tables["accounts"] = [account("a1", name=NAME, potential_value=40_000)]
    with providing(Clock()) as provider:
        provider.people = {"s1": {"staff": "am", "groups": ["g"], "name": NAME, "email": MAIL}}
        chosen: dict[str, Any] = {
            "oidc_issuer": provider.issuer, "oidc_client_id": CLIENT, "oidc_client_secret": SECRET,
            "oidc_roles": {"g": "account_manager"}, "oidc_user_claim": "staff", "oidc_audience": AUDIENCE,
            "page_url": "https://nextbest.example", "log_level": "debug",
        }  # fmt: skip
        with served(tmp_path, tables, **chosen) as company:
            provider.clock = company.clock
            company.reads_page("side_effects", "a1")
            found = company.suggestions("a1")[0]
            ids = {"account_id": "a1", "suggestion_id": found["suggestion_id"], "treatment": NAME}
            browser = httpx.Client(base_url=company.client.base_url, timeout=60)
            secrets = [company.tokens["am"]]
            for subject in ("s1", "unknown"):
                sent = browser.get("/sign-in/provider").headers["location"]
                brought = provider.come_back(sent, subject)
                secrets += brought.values()
                browser.get("/sign-in/provider/return", params=brought)
                token = provider.token(subject, email=MAIL)
                secrets += [token, *(value for value in browser.cookies.values() if len(value) > 8)]
                browser.get("/v1/worklist", headers={"Authorization": f"Bearer {token}"})
            for route in ROUTES:
                path = route.path
                for name, value in ids.items():
                    path = path.replace(f"{{{name}}}", value)
                path = path.replace("{", "").replace("}", "")
                for headers in (company.as_("am"), {}):
                    given: dict[str, Any] = {"params": FIELDS} if route.method == "GET" else {"json": FIELDS}
                    if route.method == "POST" and not path.startswith("/v1"):
                        given = {"data": {name: str(value) for name, value in FIELDS.items()}}
                    with browser.stream(route.method, path, headers=headers, **given) as answer:
                        if not (path == "/v1/stream" and answer.status_code == 200):
                            answer.read()
            provider.people.clear()
            company.clock.pass_time(minutes=4)
            browser.get("/day")

    told = str([vars(record) for record in caplog.records])
    assert sum(record.getMessage() == "request" for record in caplog.records) > len(ROUTES)
    words = [NAME, NOTE, MAIL, "Zwxqv", "Kvxq", SECRET, *secrets]
    assert [word for word in words if word in told] == []
