"""The description of the API holds: every route as it says, whatever it is sent, and with an example."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from api.app import create_app
from api.keys import create_key
from data.settings import Settings
from tests.api.company import Company, served, tables_of
from tests.data.files import user

FULL = bool(os.environ.get("FULL"))
EXAMPLES = 120 if FULL else 4
"""Of each route and user; FULL=1 (make test-all) tries thousands."""
CHECKS = (
    not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance,
)  # fmt: skip


KNOWN = {
    "account_id": "a1",
    "person_id": "a1",
    "treatment": "visit_dosing",
    "channel": "email",
    "purpose": "marketing",
}
"""What there is, in place of what was made up: else all would end at the door."""
ANSWERS: Counter[int] = Counter()


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    tables = tables_of(["a1", "a2"], users=[user("root", name="root", role="admin")])
    with served(tmp_path_factory.mktemp("described"), tables, requests_per_minute=0) as found:
        found.reads_page("side_effects", "a1")
        KNOWN["suggestion_id"] = found.suggestions("a1")[0]["suggestion_id"]
        found.tokens["job"] = create_key(found.settings, "job", ["events:write", "metrics:read"])[1]
        yield found


def tried(operation: Any, company: Company) -> None:
    """Send what the description allows, as a colleague and as a job; each answer must be one that it has."""

    knows = "root" if operation.path.startswith("/v1/persons") else "am"

    @given(case=operation.as_strategy())
    @settings(
        max_examples=EXAMPLES, deadline=None, derandomize=not FULL, database=None,
        phases=[Phase.explicit, Phase.generate, Phase.shrink] if FULL else [Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    def holds(case: Any) -> None:
        for user_id, known in (("am", {}), (knows, KNOWN), ("job", KNOWN)):
            case.path_parameters = {n: known.get(n, v) for n, v in (case.path_parameters or {}).items()}
            response = case.call(headers=company.as_(user_id))
            case.validate_response(response, checks=CHECKS)
            ANSWERS[response.status_code] += 1

    holds()


def test_whatever_is_sent_the_answer_is_one_that_is_described(company: Company) -> None:
    """No answer of the class 500, none of another status, type or form than the description has."""
    api = schemathesis.openapi.from_url(f"{company.client.base_url}/openapi.json").exclude(path="/v1/stream")
    failed = {}
    for found in api.get_all_operations():
        operation = found.ok()
        try:
            tried(operation, company)
        except Exception as error:
            failed[operation.label] = str(error)[:1500]

    assert failed == {}, "\n\n".join(f"{label}: {why}" for label, why in failed.items())
    assert {200, 403, 404, 422} <= ANSWERS.keys(), ANSWERS


PRINTABLE = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=120)


def test_the_stream_begins_or_refuses_as_described_whatever_event_was_the_last(company: Company) -> None:
    """It has no end, so only its beginning is read, after all kinds of made-up last events."""
    described = company.client.get("/openapi.json").json()["paths"]["/v1/stream"]["get"]["responses"]
    seen: Counter[int] = Counter()

    @given(last=PRINTABLE)
    @settings(max_examples=EXAMPLES, deadline=None, derandomize=not FULL, database=None,
              suppress_health_check=list(HealthCheck))  # fmt: skip
    def begins(last: str) -> None:
        for known in (company.as_("am"), company.as_("job"), {}):
            headers = known | {"Last-Event-ID": last}
            with company.client.stream("GET", "/v1/stream", headers=headers) as answer:
                seen[answer.status_code] += 1
                kind = answer.headers["content-type"].partition(";")[0]
                assert kind in described[str(answer.status_code)]["content"]
                first = next(
                    line for line in answer.iter_lines() if answer.is_error or line.startswith("event")
                )
                assert answer.is_error or first in ("event: ready", "event: resync")

    begins()

    assert {200, 401, 403} <= seen.keys() <= {200, 401, 403, 422}


def test_examples_are_of_the_form_that_is_described(company: Company) -> None:
    """An example that would be refused, or that nobody is ever answered, misleads whoever builds on it."""
    import jsonschema_rs

    described = company.client.get("/openapi.json").json()
    wrong, seen = [], 0
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            bodies = [operation.get("requestBody", {}), operation["responses"].get("200", {})]
            for content in (body.get("content", {}).get("application/json", {}) for body in bodies):
                if "example" in content:
                    seen += 1
                    whole = {**content["schema"], "components": described["components"]}
                    errors = jsonschema_rs.Draft202012Validator(whole).iter_errors(content["example"])
                    wrong += [f"{method} {path}: {error.message[:200]}" for error in errors]

    assert wrong == []
    assert seen >= 50


def test_every_route_has_an_example_of_what_goes_in_and_out() -> None:
    """Whoever builds on it reads the example first. A new route's stands in `api/examples.json`."""
    silent = []
    for path, methods in create_app(Settings()).openapi()["paths"].items():
        for method, operation in methods.items():
            for body in (operation.get("requestBody", {}), operation["responses"]["200"]):
                silent += [
                    f"{method} {path}" for one in body.get("content", {}).values() if "example" not in one
                ]

    assert silent == []
