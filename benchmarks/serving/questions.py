"""What is asked of each server: the same account, the same event, the same rows for the same model."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count, cycle
from pathlib import Path
from typing import Any

import numpy as np

from api.decider import Decider, LiveDecider
from api.events import check_event
from benchmarks.serving.company import Served
from benchmarks.serving.generator import BenchError, message
from benchmarks.serving.peer_app import TABLES
from data.ledger.ledger import Ledger
from data.ledger.types import Suggestion
from data.live import history_of, tail_history
from data.times import now_micros, to_iso
from engine.features import features_as_of
from engine.records import Floats, History, Moments

TOPICS = ("side_effects", "dosing", "efficacy", "guidelines")


@dataclass(frozen=True)
class Question:
    """An account, what would have happened to it, and the rows of its treatments without and with it.

    Attributes:
        rows, supposed: Features by treatment; shape (T, features). NaN = not known.
    """

    account_id: str
    token: str
    event: dict[str, Any]
    rows: Floats
    supposed: Floats
    listed: list[Suggestion]


def rows_at(decider: Decider, history: History, account_id: str, at: int) -> Floats:
    """What the model reads of every treatment of an account at a moment; shape (T, features)."""
    known = features_as_of(
        history, Moments((account_id,), np.array([at]), ()), playbook=decider.playbook,
        features=decider.features,
    )  # fmt: skip
    treatments = np.arange(len(known.set.treatments))
    return known.row_matrix(treatments, np.zeros_like(treatments))


def with_event(
    decider: Decider, history: History, account_id: str, event: dict[str, Any], at: int
) -> History:
    """The facts with an event that was stored right before a moment."""
    row = check_event("supposed-0", "touchpoints", account_id, event, playbook=decider.playbook, now=at)
    return history.append(tail_history([replace(row, stored_at=at - 2)]))


def questions(served: Served, ledger: Ledger, *, accounts: int) -> list[Question]:
    """Of accounts that have something on their lists. Raises BenchError where none has."""
    decider, now = decider_of(served, ledger), now_micros()
    asked: list[Question] = []
    for number, (account, user) in enumerate(sorted(served.accounts.items())):
        listed = ledger.suggestions(account, now=now)
        if not listed or len(asked) == accounts:
            continue
        event = {
            "direction": "inbound", "channel": "website", "topic": TOPICS[number % len(TOPICS)],
            "status": "done", "occurred_at": to_iso(now),
        }  # fmt: skip
        history = history_of(ledger.account_state(account))
        supposed = with_event(decider, history, account, event, now)
        asked.append(
            Question(account, served.tokens[user], event, rows_at(decider, history, account, now),
                     rows_at(decider, supposed, account, now), listed)
        )  # fmt: skip
    if not asked:
        raise BenchError("No account has anything on its list.")
    return asked


def decider_of(served: Served, ledger: Ledger) -> Decider:
    """What decides in the service."""
    settings = served.settings
    return LiveDecider(settings.as_home(), ledger, settings.playbook, settings.seed, keeps=False)()


def changes(question: Question, names: Sequence[str]) -> dict[str, list[float | None]]:
    """Columns that the event changes, a number for each treatment."""
    before, after = question.rows, question.supposed
    differs = ~((before == after) | (np.isnan(before) & np.isnan(after))).all(axis=0)
    return {names[column]: _numbers(after[:, column]) for column in np.flatnonzero(differs)}


def _numbers(values: Floats) -> list[float | None]:
    return [None if np.isnan(value) else value for value in values.tolist()]


def get_ours(asked: Sequence[Question]) -> Iterator[bytes]:
    """GET of what is stored."""
    return cycle([message("GET", f"/v1/accounts/{q.account_id}/suggestions", token=q.token) for q in asked])


def what_if_ours(asked: Sequence[Question]) -> Iterator[bytes]:
    """POST of an event that has not happened."""
    return cycle([what_if_of(question) for question in asked])


def what_if_of(question: Question) -> bytes:
    """The request of one question."""
    body = {"events": [{"table": "touchpoints", "row": question.event}]}
    path = f"/v1/accounts/{question.account_id}/what-if"
    return message("POST", path, json.dumps(body).encode(), question.token)


def events_ours(asked: Sequence[Question], name: str) -> Iterator[bytes]:
    """POST of events that happen, each with an id of its own that begins with `name`."""
    for number, question in zip(count(), cycle(asked)):
        event = {
            "event_id": f"{name}-{number}", "table": "touchpoints", "account_id": question.account_id,
            "row": question.event,
        }  # fmt: skip
        yield message("POST", "/v1/events", json.dumps(event).encode(), question.token)


def get_peer(asked: Sequence[Question]) -> Iterator[bytes]:
    """The same of the FastAPI peer."""
    return cycle([message("GET", f"/accounts/{q.account_id}/suggestions") for q in asked])


def what_if_peer(asked: Sequence[Question], names: Sequence[str]) -> Iterator[bytes]:
    """The same of the FastAPI peer: what the event changes in the rows is worked out for it."""
    bodies = [{"account_id": q.account_id, "changes": changes(q, names)} for q in asked]
    return cycle([message("POST", "/what-if", json.dumps(body).encode()) for body in bodies])


def events_peer(asked: Sequence[Question], names: Sequence[str], name: str) -> Iterator[bytes]:
    """The same of the FastAPI peer."""
    bodies = [{"account_id": q.account_id, "content": q.event, "changes": changes(q, names)} for q in asked]
    for number, body in zip(count(), cycle(bodies)):
        yield message("POST", "/events", json.dumps({"event_id": f"{name}-{number}", **body}).encode())


def invocation(rows: Floats, names: Sequence[str]) -> bytes:
    """Rows as `mlflow models serve` takes them."""
    split = {"columns": list(names), "data": [_numbers(row) for row in rows]}
    return message("POST", "/invocations", json.dumps({"dataframe_split": split}).encode())


def fill_peer(folder: Path, asked: Sequence[Question], served: Served) -> None:
    """What the FastAPI peer has: the same model, the rows and lists of these accounts."""
    folder.mkdir()
    served.booster.save_model(str(folder / "model.txt"))
    with sqlite3.connect(folder / "peer.sqlite") as database:
        database.execute("pragma journal_mode = wal")
        database.executescript(TABLES)
        rows = [(q.account_id, q.rows.tobytes(), 1_000_000, json.dumps(_said(q.listed))) for q in asked]
        database.executemany("insert into accounts values (?, ?, ?, ?)", rows)
    database.close()


def _said(listed: Sequence[Suggestion]) -> list[dict[str, Any]]:
    return [{name: value for name, value in vars(one).items() if name != "state"} for one in listed]
