"""The description of the API (OpenAPI): what every route may answer, its limits, and an example of each."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from http import HTTPStatus
from importlib.resources import files
from typing import Any

from fastapi import FastAPI

from api.limits import Limits
from api.problems import MEDIA_TYPE

_PROBLEM = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
_EVERYWHERE = (HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.SERVICE_UNAVAILABLE)
_SIGNED_IN = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS)
_CHANGES = (HTTPStatus.CONFLICT, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
_RETRY = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
_MEANING = {
    HTTPStatus.UNAUTHORIZED: "No token, or one that has expired.",
    HTTPStatus.FORBIDDEN: "For others than this user.",
    HTTPStatus.NOT_FOUND: "There is no such thing, or not for this user.",
    HTTPStatus.CONFLICT: "The id is known with other content, or the thing takes this no longer.",
    HTTPStatus.PRECONDITION_FAILED: "Somebody has changed it since it was read.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The body or the list is larger than allowed.",
    HTTPStatus.UNPROCESSABLE_ENTITY: "Not valid: `detail` says what, `errors` where.",
    HTTPStatus.TOO_MANY_REQUESTS: "More requests a minute than one user has.",
    HTTPStatus.SERVICE_UNAVAILABLE: "Ledger, history or release cannot be used just now.",
}


def describe(app: FastAPI, limits: Limits) -> None:
    """Complete what FastAPI writes of the routes; written once, at the first reading."""
    written = app.openapi

    def complete() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _completed(written(), limits)
        return app.openapi_schema

    app.openapi = complete  # type: ignore[method-assign]


@cache
def examples() -> dict[str, dict[str, Any]]:
    """ "GET /v1/..." -> an example of its "request" and its "response"."""
    text = (files("api") / "examples.json").read_text(encoding="utf-8")
    return dict(json.loads(text))


def _completed(schema: dict[str, Any], limits: Limits) -> dict[str, Any]:
    for method, path, operation in _operations(schema):
        for status in _answers(method, operation):
            _problem(operation["responses"], status)
        _limit(operation, limits)
        _exemplify(operation, examples().get(f"{method} {path}", {}))
    return schema


def _operations(schema: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def _answers(method: str, operation: dict[str, Any]) -> list[HTTPStatus]:
    found = [HTTPStatus(int(code)) for code in operation["responses"] if int(code) >= 400]
    if "security" in operation:
        found += [*_SIGNED_IN, *_EVERYWHERE]
    if method != "GET":
        found += _CHANGES
    return sorted(set(found))


def _problem(responses: dict[str, Any], status: HTTPStatus) -> None:
    given = responses.get(str(int(status)), {})
    schema = given.get("content", {}).get("application/json", {}).get("schema", {})
    if schema and schema.get("$ref", "").rpartition("/")[2] not in ("Problem", "HTTPValidationError"):
        return
    said = {"description": _MEANING.get(status, status.phrase), "content": _PROBLEM}
    if status in _RETRY:
        said["headers"] = {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}}}
    responses[str(int(status))] = said


def _limit(operation: dict[str, Any], limits: Limits) -> None:
    """The numbers that the settings say."""
    for parameter in operation.get("parameters", []):
        if parameter["name"] == "limit" and parameter["in"] == "query":
            schema = parameter["schema"]
            for one in schema.get("anyOf", [schema]):
                if one.get("type") == "integer":
                    one["maximum"] = limits.max_page


def _exemplify(operation: dict[str, Any], example: dict[str, Any]) -> None:
    if "request" in example and "requestBody" in operation:
        operation["requestBody"]["content"]["application/json"]["example"] = example["request"]
    if "response" in example:
        for content in operation["responses"]["200"].get("content", {}).values():
            content["example"] = example["response"]
