"""A small company in a home of its own, decided and served: what tests of the ways in share."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI

from api.app import create_app
from api.nightly import NightReport, run_night
from api.server import hold_port
from data.ingest import ingest
from data.ledger.ledger import Ledger
from data.settings import Settings
from engine.records import DAY_MICROS
from tests.data.files import (
    DAY,
    UNTIL,
    account,
    days_before,
    iso,
    micros,
    preference,
    team_member,
    touchpoint,
    user,
    write_csv,
)  # fmt: skip

NOW = micros(UNTIL + 6 * timedelta(hours=1))
"""The morning after the history ends."""

TEAM = {"account_manager": "am", "medical_liaison": "ml", "reimbursement_specialist": "rs"}


class Clock:
    """A clock that stands until it is moved; microseconds UTC."""

    def __init__(self, now: int = NOW) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now

    def pass_time(self, **parts: float) -> None:
        self.now += round(timedelta(**parts).total_seconds() * 1e6)

    def iso(self, **ahead: float) -> str:
        return iso(UNTIL + timedelta(microseconds=self.now - micros(UNTIL)) + timedelta(**ahead))


def random_name(seed: int) -> str:
    """Nobody may be able to hard-code an account."""
    letters = random.Random(seed)
    return "Dr " + "".join(letters.choices("abcdefghijklmnop", k=7)).title()


def tables_of(accounts: Sequence[str], **others: Any) -> dict[str, list[dict[str, Any]]]:
    """A folder's rows: each account has the whole team and permits e-mail and the use of web behaviour."""
    tables: dict[str, list[dict[str, Any]]] = {
        "accounts": [account(a, name=random_name(i), potential_value=40_000) for i, a in enumerate(accounts)],
        "users": [user(user_id, name=f"Colleague {user_id}", role=role) for role, user_id in TEAM.items()]
        + [user("stranger", name="Colleague stranger", role="account_manager")],
        "account_team": [
            team_member(a, role=role, user_id=user_id) for a in accounts for role, user_id in TEAM.items()
        ],
        "touchpoints": [
            touchpoint(f"t-{a}", a, occurred_at=days_before(1), channel="podcast", topic="guidelines",
                       treatment="podcast_guidelines")
            for a in accounts
        ],
        "responses": [],
        "outcomes": [],
        "preferences": [
            preference(a, channel=channel, purpose=purpose)
            for a in accounts
            for channel, purpose in (("email", "marketing"), ("*", "web_behaviour"))
        ],
    }  # fmt: skip
    return {name: rows + others.get(name, []) for name, rows in tables.items()}


@dataclass
class Company:
    """A home with a history, and the service on it."""

    settings: Settings
    clock: Clock
    client: httpx.Client
    app: FastAPI
    tokens: dict[str, str] = field(default_factory=dict)

    def as_(self, user_id: str) -> dict[str, str]:
        """Headers of a user."""
        if user_id not in self.tokens:
            with self.ledger() as ledger:
                self.tokens[user_id] = ledger.issue_token(
                    user_id, now=self.clock(), expires_at=self.clock() + 400 * DAY_MICROS
                )
        return {"Authorization": f"Bearer {self.tokens[user_id]}"}

    @contextmanager
    def ledger(self) -> Iterator[Ledger]:
        ledger = Ledger.open(self.settings.as_home())
        yield ledger
        ledger.close()

    def get(self, path: str, user_id: str = "am", **query: Any) -> Any:
        response = self.client.get(f"/v1{path}", headers=self.as_(user_id), params=query)
        assert response.status_code == 200, response.text
        return response.json()

    def post(self, path: str, body: Any, user_id: str = "am") -> Any:
        response = self.client.post(f"/v1{path}", headers=self.as_(user_id), json=body)
        assert response.status_code == 200, response.text
        return response.json()

    def suggestions(self, account_id: str = "a1", user_id: str = "am") -> list[dict[str, Any]]:
        return self.get(f"/accounts/{account_id}/suggestions", user_id)

    def reads_page(self, topic: str = "side_effects", account_id: str = "a1", event_id: str = "") -> Any:
        """The account has just looked up a page of the website."""
        event_id = event_id or f"visit-{account_id}-{topic}-{self.clock()}"
        row = {"direction": "inbound", "channel": "website", "topic": topic, "status": "done"}
        event = {"event_id": event_id, "table": "touchpoints", "account_id": account_id, "row": row}
        return self.post("/events", event)

    def answers(self, suggestion: dict[str, Any], verb: str, user_id: str = "am", **others: Any) -> Any:
        path = f"/suggestions/{suggestion['suggestion_id']}/feedback"
        return self.post(path, {"verb": verb} | others, user_id)

    def night(self, **options: Any) -> NightReport:
        return run_night(self.settings, clock=self.clock, **options)


def settings_of(home: Path, **others: Any) -> Settings:
    return Settings(home=home, models=home / "models", processes=1, **others)


def load(
    home: Path, tables: dict[str, list[dict[str, Any]]], *, loaded_at: int = micros(UNTIL), **settings: Any
) -> None:
    """Write and ingest a folder."""
    folder = home / "incoming"
    write_csv(folder, tables)
    ingest(folder, settings_of(home, **settings).as_home(), loaded_at=loaded_at)


@contextmanager
def served(
    home: Path, tables: dict[str, list[dict[str, Any]]] | None = None, *, at: int = 0, **settings: Any
) -> Iterator[Company]:
    """The company's history loaded and served by uvicorn on a port of this machine, a free one if none is
    given."""
    load(home, tables if tables is not None else tables_of(["a1", "a2"]), **settings)
    clock, chosen = Clock(), settings_of(home, **settings)
    app = create_app(chosen, clock=clock)
    held = hold_port("127.0.0.1", at)
    server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [held]}, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "The server did not start."
        time.sleep(0.005)
    address = f"http://127.0.0.1:{held.getsockname()[1]}"
    with httpx.Client(base_url=address, timeout=60) as client:
        yield Company(chosen, clock, client, app)
    server.should_exit = True
    thread.join()


__all__ = ["DAY", "NOW", "Clock", "Company", "load", "served", "settings_of", "tables_of"]
