"""Every route of the application by every kind of colleague: who gets in, and what she must not find there.

The routes are those that the application has; a new one is walked without anybody remembering it. What each
kind may is written down here a second time, so that a change of the table is made on purpose.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import polars as pl
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts
from starlette import routing

from api.app import create_app
from api.capabilities import needed
from api.keys import create_key
from api.page.routing import PageRoute
from data.settings import Settings
from tests.api.company import Company, served, tables_of
from tests.data.files import team_member, user

READS = "accounts:read suggestions:read hand_overs:read plan:read playbook:read notes:read stops:read "
FIELD = READS + "accounts:write suggestions:write hand_overs:write plan:write events:write "
MAY = {
    "am": FIELD,
    "ml": FIELD,
    "safe": FIELD,
    "lead": FIELD + "team:read team:write stops:write releases:read",
    "market": READS + "releases:read",
    "science": READS + "releases:read",
    "root": READS + "releases:read metrics:read persons:read persons:write",
    "website": "events:write releases:read playbook:read metrics:read",
    "guest": "",
}
ROLES = {"safe": "drug_safety", "lead": "sales", "market": "marketer", "science": "data_scientist",
         "root": "admin", "guest": "auditor", "rs2": "reimbursement_specialist"}  # fmt: skip
REPORTS = "/v1/accounts/{account_id}/adverse-events"
"""Jobs report for every account."""
WHOLE = "/v1/persons/{person_id}"
"""What is kept of a person is handed to her whole: administrators see both sides of the wall there."""
NAMED = ("{account_id}", "{suggestion_id}", "{hand_over_id}")


@dataclass(frozen=True)
class Route:
    """A method and a path, with what its caller must be able to do; None = nothing is declared."""

    method: str
    path: str
    areas: tuple[str, ...] | None

    def open_to(self, who: str) -> bool:
        """Whether the door opens."""
        wanted = {needed(area, self.method) for area in self.areas or ()}
        own = {"own:read", "own:write"} if who != "website" else set()
        return wanted <= (own | set(MAY[who].split()))


def routes_of(app: FastAPI) -> list[Route]:
    found = []
    for context in iter_route_contexts(app.routes):
        path, methods = getattr(context, "path", None), getattr(context, "methods", None)
        if path is None or not methods or getattr(context, "dependant", None) is None:
            continue
        found += [Route(method, path, _areas(context.dependant)) for method in sorted(methods)]
    return found


def _areas(dependant: Any) -> tuple[str, ...] | None:
    """What is declared on the route itself or on its router."""
    declared = [getattr(one.call, "__dict__", {}).get("areas") for one in dependant.dependencies]
    known = [areas for areas in declared if areas is not None]
    return tuple(area for areas in known for area in areas) if known else None


ROUTES = routes_of(create_app(Settings()))


def test_every_route_says_what_its_caller_must_be_able_to_do() -> None:
    """A route that somebody forgot is open to everybody who can sign in. Add
    `dependencies=[may("area")]`, or `PUBLIC`, to the route or its router."""
    silent = [f"{route.method} {route.path}" for route in ROUTES if route.areas is None]
    public = {route.path for route in ROUTES if route.areas == ()}

    assert silent == []
    assert len(ROUTES) > 60
    assert public == {
        "/",
        "/sign-in",
        "/sign-in/provider",
        "/sign-in/provider/return",
        "/sw.js",
        "/v1/health",
        "/v1/ready",
    }


def test_a_request_is_compared_with_a_route_once() -> None:
    """FastAPI compares twice with each route of a router that is included: routes stand in the application
    themselves, those of the API before the pages."""
    routes = create_app(Settings()).routes
    paths = [getattr(route, "path", "") for route in routes]

    assert {type(route) for route in routes} <= {APIRoute, PageRoute, routing.Route, routing.Mount}
    assert paths.index("/v1/accounts/{account_id}/suggestions") < paths.index("/day")


@dataclass
class World:
    """A company with something on each side of each wall."""

    company: Company
    own: dict[str, str]
    foreign: dict[str, str]
    medical: str

    def ask(self, route: Route, who: str | None, ids: dict[str, str]) -> tuple[int, str]:
        """Status and text; bodies are empty, so that nothing is done behind the door but what needs none."""
        path = route.path
        for name, value in ids.items():
            path = path.replace(f"{{{name}}}", value)
        headers = self.company.as_(who) if who else {}
        given: dict[str, Any] = {} if route.method == "GET" else {"json": {}}
        if not path.startswith("/v1") and route.method == "POST":
            given = {"data": {}}
        with self.company.client.stream(route.method, path, headers=headers, **given) as answer:
            endless = path == "/v1/stream" and answer.status_code == 200
            return answer.status_code, "" if endless else _text(answer)


def _text(answer: httpx.Response) -> str:
    answer.read()
    return answer.text


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    tables = tables_of(["a1", "a2"])
    tables["accounts"].append({"account_id": "apart", "name": "Dr Elsewhere", "segment": "B"})
    tables["account_team"] += [
        team_member("apart", role="account_manager", user_id="stranger"),
        team_member("apart", role="reimbursement_specialist", user_id="rs2"),
    ]
    tables["users"] += [user(who, name=who, role=role) for who, role in ROLES.items()]
    with served(tmp_path_factory.mktemp("walk"), tables) as company:
        with company.ledger() as ledger:
            boss = {"user_id": ["am"], "name": ["am"], "role": ["account_manager"], "manager_id": ["lead"]}
            ledger.put_users(pl.DataFrame(boss))
        scopes = MAY["website"].split()
        company.tokens["website"] = create_key(company.settings, "website", scopes)[1]
        yield _filled(company)


def _filled(company: Company) -> World:
    for account, who, topic in (("a1", "am", "side_effects"), ("apart", "stranger", "side_effects"),
                                ("a1", "am", "new_data")):  # fmt: skip
        row = {"direction": "inbound", "channel": "website", "topic": topic, "status": "done"}
        event = {"event_id": f"{account}-{topic}", "table": "touchpoints", "account_id": account, "row": row}
        company.post("/events", event, who)
    medical = [s for s in company.suggestions("a1", "ml") if s["role"] == "medical_liaison"]
    wish = {"to_role": "reimbursement_specialist", "note": "Please call."}
    ids = [
        {"account_id": account, "treatment": "visit_dosing", "channel": "email", "purpose": "marketing",
         "suggestion_id": company.suggestions(account, who)[0]["suggestion_id"],
         "hand_over_id": company.post(f"/accounts/{account}/hand-overs", wish, who)["hand_over_id"],
         "touchpoint_id": "none", "stop_id": "999", "release_id": "none", "person_id": account}
        for account, who in (("a1", "am"), ("apart", "stranger"))
    ]  # fmt: skip
    return World(company, ids[0], ids[1], medical[0]["suggestion_id"])


@pytest.mark.parametrize("who", MAY)
def test_the_door_opens_to_those_alone_who_may(world: World, who: str) -> None:
    """One hole is enough: each route is tried by each kind of colleague."""
    wrong = []
    for route in ROUTES:
        if not route.areas:
            continue
        status, text = world.ask(route, who, world.own)
        refused = status == 403 and ("This needs" in text or not route.path.startswith(("/v1", "/metrics")))
        if route.open_to(who) == refused and not _refused_behind_the_door(route, who, status):
            wrong.append(f"{route.method} {route.path}: {status} {text[:120]}")
        if who not in ("ml", "safe") and route.path != WHOLE and world.medical in text:
            wrong.append(f"{route.method} {route.path} shows a medical suggestion")
        if "Elsewhere" in text:
            wrong.append(f"{route.method} {route.path} shows another team's account")

    assert wrong == []


def _refused_behind_the_door(route: Route, who: str, status: int) -> bool:
    """Pages say no 403 apart from another: whom a suggestion is not for only reads it."""
    return route.open_to(who) and status == 403 and not route.path.startswith(("/v1", "/metrics"))


@pytest.mark.parametrize("who", MAY)
def test_what_belongs_to_another_team_does_not_exist(world: World, who: str) -> None:
    """Guessing ids must tell nothing, whatever the route."""
    wrong = []
    for route in ROUTES:
        if not any(name in route.path for name in NAMED) or (who, route.path) == ("website", REPORTS):
            continue
        if "corrections" in route.path:
            continue
        status, text = world.ask(route, who, world.foreign)
        if status != (404 if route.open_to(who) else 403) or "Elsewhere" in text:
            wrong.append(f"{route.method} {route.path}: {status} {text[:120]}")

    assert wrong == []


def test_what_medical_colleagues_are_suggested_does_not_exist_for_commercial_ones(world: World) -> None:
    """The account is theirs; the suggestion is behind the wall."""
    ids = {**world.own, "suggestion_id": world.medical}
    routes = [
        route for route in ROUTES if "{suggestion_id}" in route.path and "corrections" not in route.path
    ]
    found = {(who, r.path, world.ask(r, who, ids)[0]) for who in ("am", "lead") for r in routes}

    assert {status for _, _, status in found} == {404}
    undo = Route("POST", "/v1/suggestions/{suggestion_id}/undo", ())
    assert world.ask(undo, "ml", ids)[0] == 409


def test_nobody_gets_in_without_saying_who_she_is(world: World) -> None:
    """Pages ask to sign in; the API refuses."""
    wrong = []
    for route in ROUTES:
        if not route.areas:
            continue
        status, text = world.ask(route, None, world.own)
        if status != (401 if route.path.startswith(("/v1", "/metrics")) else 303):
            wrong.append(f"{route.method} {route.path}: {status} {text[:80]}")

    assert wrong == []
