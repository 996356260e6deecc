"""The peer: a small FastAPI application around LightGBM, as somebody who knows both would write it.

Features of every account x treatment are worked out beforehand and lie ready in SQLite; nothing is signed in,
written to an audit log, explained, limited or translated. `uvicorn benchmarks.serving.peer_app:app` with the
folder in PEER_FOLDER: model.txt and peer.sqlite.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
from fastapi import FastAPI
from pydantic import BaseModel

TABLES = """
create table accounts (account_id text primary key, rows blob, contacts_left integer, suggestions text);
create table events (event_id text primary key, account_id text, content text);
create table decisions (event_id text primary key, account_id text, scores text);
"""
Row = np.ndarray[Any, np.dtype[np.float64]]


class Supposed(BaseModel):
    """An account, and the columns of its rows that would be others: one number for each treatment."""

    account_id: str
    changes: dict[str, list[float | None]]


class Event(BaseModel):
    """Something that has happened, and the columns that it changes."""

    event_id: str
    account_id: str
    content: dict[str, Any]
    changes: dict[str, list[float | None]]


class Scored(BaseModel):
    """All scores, and the best three."""

    scores: list[float]
    best: list[int]


class Peer:
    """The model and the database."""

    def __init__(self, folder: Path) -> None:
        self.booster = lightgbm.Booster(model_file=str(folder / "model.txt"))
        self.places = {name: place for place, name in enumerate(self.booster.feature_name())}
        self.database = sqlite3.connect(folder / "peer.sqlite", isolation_level=None)

    def score(self, account_id: str, changes: dict[str, list[float | None]]) -> Scored:
        """Of every treatment."""
        query = "select rows from accounts where account_id = ?"
        (stored,) = self.database.execute(query, (account_id,)).fetchone()
        rows: Row = np.frombuffer(stored).reshape(-1, len(self.places)).copy()
        for name, values in changes.items():
            rows[:, self.places[name]] = np.array(values, dtype=np.float64)
        scores = self.booster.predict(rows, raw_score=True, num_threads=1)
        return Scored(scores=scores.tolist(), best=np.argsort(-scores, kind="stable")[:3].tolist())

    def take(self, event: Event) -> Scored:
        """Store it, take one contact of the account's, and keep the decision: all or nothing."""
        self.database.execute("begin immediate")
        try:
            row = event.event_id, event.account_id, json.dumps(event.content)
            self.database.execute("insert into events values (?, ?, ?)", row)
            found = self.score(event.account_id, event.changes)
            left = "update accounts set contacts_left = contacts_left - 1 where account_id = ?"
            self.database.execute(left, (event.account_id,))
            kept = event.event_id, event.account_id, json.dumps(found.scores)
            self.database.execute("insert into decisions values (?, ?, ?)", kept)
        except BaseException:
            self.database.execute("rollback")
            raise
        self.database.execute("commit")
        return found


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """The model is read once."""
    app.state.peer = Peer(Path(os.environ["PEER_FOLDER"]))
    yield


app = FastAPI(lifespan=lifespan)


@app.get("/health")
async def health() -> dict[str, str]:
    return {"status": "ok"}


@app.get("/accounts/{account_id}/suggestions")
async def suggestions(account_id: str) -> list[dict[str, Any]]:
    query = "select suggestions from accounts where account_id = ?"
    (found,) = app.state.peer.database.execute(query, (account_id,)).fetchone()
    listed: list[dict[str, Any]] = json.loads(found)
    return listed


@app.post("/what-if")
async def what_if(asked: Supposed) -> Scored:
    peer: Peer = app.state.peer
    return peer.score(asked.account_id, asked.changes)


@app.post("/events")
async def events(event: Event) -> Scored:
    peer: Peer = app.state.peer
    return peer.take(event)
