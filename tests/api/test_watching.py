"""What whoever runs the service sees of it: request ids, lines of the log, figures, readiness, limits."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from api.keys import create_key
from api.limits import Rates
from api.logs import JsonLines
from tests.api.company import Company, served


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    with served(tmp_path_factory.mktemp("watched"), max_events=3, max_page=50) as found:
        yield found


class Lines(logging.Handler):
    """Keeps what would be written."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(JsonLines(messages_of_errors=False))
        self.lines: list[dict[str, Any]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(json.loads(self.format(record)))


@pytest.fixture
def log() -> Iterator[Lines]:
    found, logger = Lines(), logging.getLogger("nextbest")
    logger.addHandler(found)
    before = logger.level
    logger.setLevel(logging.INFO)
    yield found
    logger.removeHandler(found)
    logger.setLevel(before)


def soon(look: Callable[[], Any]) -> Any:
    """What is written after the answer has gone out."""
    found, tries = look(), 1
    while not found and tries < 1000:
        time.sleep(0.005)
        found, tries = look(), tries + 1
    return found


def _with(found: dict[str, float], name: str) -> dict[str, float]:
    return found if name in found else {}


def figures(company: Company) -> dict[str, float]:
    token = company.tokens.setdefault("job", create_key(company.settings, "metrics-job", ["metrics:read"])[1])
    answer = company.client.get("/metrics", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 200, answer.text
    rows = (line.rsplit(" ", 1) for line in answer.text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, value in rows}


def test_a_request_id_goes_through(company: Company) -> None:
    """A caller's own id is found again in our answer and in our log."""
    own = company.client.get("/v1/health", headers={"X-Request-ID": "tablet-7.42"})
    made = company.client.get("/v1/health")
    bad = company.client.get("/v1/nothing", headers={"X-Request-ID": "two words"})

    assert own.headers["x-request-id"] == "tablet-7.42"
    assert len(made.headers["x-request-id"]) == 32
    assert bad.json()["request_id"] == bad.headers["x-request-id"] != "two words"


def test_a_line_of_the_log_says_what_was_asked_and_of_nobody(company: Company, log: Lines) -> None:
    """Routes as templates: neither ids nor names, notes or tokens of anybody are in the log."""
    company.reads_page("dosing", "a1")
    headers = company.as_("am") | {"X-Request-ID": "line-1"}
    name = company.client.get("/v1/accounts/a1/suggestions", headers=headers).json()[0]["account_name"]

    line = soon(lambda: [one for one in log.lines if one.get("request_id") == "line-1"])[-1]
    assert line["message"] == "request"
    assert (line["method"], line["route"]) == ("GET", "/v1/accounts/{account_id}/suggestions")
    assert (line["status"], line["level"]) == (200, "info")
    assert line["milliseconds"] > 0
    written = json.dumps(log.lines)
    assert name not in written
    assert "a1" not in [value for one in log.lines for value in one.values()]


def test_an_unexpected_error_is_answered_with_its_id_and_logged_without_values(
    company: Company, log: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message of an error may quote a person; type and place are enough to find it."""

    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("Dr Secret has said something")

    monkeypatch.setattr(company.app.state.service.ledger, "worklist", broken)
    answer = company.client.get("/v1/worklist", headers=company.as_("am") | {"X-Request-ID": "odd"})

    assert (answer.status_code, answer.headers["x-request-id"]) == (500, "odd")
    assert answer.headers["content-type"] == "application/problem+json"
    errors = soon(lambda: [one for one in log.lines if one["level"] == "error"])
    assert (errors[0]["error"], errors[0]["request_id"]) == ("RuntimeError", "odd")
    assert any("test_watching.py" in place for place in errors[0]["trace"])
    assert "Secret" not in json.dumps(log.lines) + answer.text


def test_figures_count_requests_by_route_and_what_was_decided(company: Company) -> None:
    """Whoever watches sees load, errors and speed by route, and never an id."""
    before = figures(company)
    company.reads_page("dosing", "a2")
    company.client.get("/v1/accounts/nobody/suggestions", headers=company.as_("am"))
    missing = '{method="GET",route="/v1/accounts/{account_id}/suggestions",status="404"}'
    after = soon(lambda: _with(figures(company), f"nextbest_requests_total{missing}"))

    def more(name: str) -> float:
        return after.get(name, 0.0) - before.get(name, 0.0)

    assert more('nextbest_requests_total{method="POST",route="/v1/events",status="200"}') == 1
    assert more(f"nextbest_requests_total{missing}") == 1
    assert more('nextbest_request_seconds_count{method="POST",route="/v1/events"}') == 1
    assert more('nextbest_decisions_total{cause="event"}') == 1
    assert more('nextbest_events_total{table="touchpoints"}') == 1
    assert after["nextbest_open_streams"] == 0
    assert any('release="starting-values"' in name for name in after if "release_info" in name)
    assert not [name for name in after if '"a2"' in name or "nobody" in name]


def test_figures_are_for_technical_users(company: Company) -> None:
    """How much a team works is nobody's business but of who runs the service."""
    assert company.client.get("/metrics").status_code == 401
    assert company.client.get("/metrics", headers=company.as_("am")).status_code == 403


def test_a_service_without_its_ledger_lives_but_is_not_ready(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A load balancer leaves it out; nobody restarts it for a database that is away."""
    from data.ledger.types import LedgerError

    def away() -> None:
        raise LedgerError("gone")

    with monkeypatch.context() as patched:
        patched.setattr(company.app.state.service.ledger, "in_force", away)
        alive, ready = company.client.get("/v1/health"), company.client.get("/v1/ready")
    again = company.client.get("/v1/ready")

    assert (alive.status_code, alive.json()) == (200, {"status": "ok"})
    assert (ready.status_code, ready.json()["ledger"]) == (503, "unavailable")
    assert ready.headers["retry-after"] == "1"
    assert (again.status_code, again.json()["status"]) == (200, "ok")


def test_limits_are_those_of_the_settings(company: Company) -> None:
    """Each is a setting; what is above it is refused with the number."""
    row = {"direction": "inbound", "channel": "website", "status": "done"}
    events = [{"event_id": f"e{n}", "table": "touchpoints", "account_id": "a1", "row": row} for n in range(4)]
    many = company.client.post("/v1/events", headers=company.as_("am"), json=events)
    long = company.client.get("/v1/worklist", headers=company.as_("am"), params={"limit": 51})

    assert (many.status_code, "at most 3 events" in many.json()["detail"]) == (413, True)
    assert (long.status_code, "at most 50 rows" in long.json()["detail"]) == (422, True)


def test_who_asks_too_often_is_told_when_to_come_again(tmp_path: Path) -> None:
    """One runaway script does not take the service from the others."""
    with served(tmp_path, requests_per_minute=3) as company:
        statuses = [company.client.get("/v1/worklist", headers=company.as_("am")) for _ in range(4)]
        other = company.client.get("/v1/worklist", headers=company.as_("ml"))

    assert [answer.status_code for answer in statuses] == [200, 200, 200, 429]
    assert statuses[3].headers["content-type"] == "application/problem+json"
    assert 1 <= int(statuses[3].headers["retry-after"]) <= 20
    assert other.status_code == 200


def test_an_allowance_fills_up_with_time() -> None:
    """60 a minute: one each second, and never more than a minute's worth at once."""
    clock = [0.0]
    rates = Rates(60, lambda: clock[0])

    at_once = [rates.take("am") for _ in range(61)]
    clock[0] = 1.0
    later = [rates.take("am"), rates.take("am")]
    clock[0] = 1000.0
    after_a_pause = [rates.take("am") for _ in range(61)]

    assert at_once == [0.0] * 60 + [1.0]
    assert later == [0.0, 1.0]
    assert after_a_pause.count(0.0) == 60
