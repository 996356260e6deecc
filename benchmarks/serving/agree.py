"""Whether the servers say the same: the peers' scores of the very rows that ours decided on."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from api.decider import Decider
from benchmarks.serving import questions as q
from benchmarks.serving.company import Served
from benchmarks.serving.generator import BenchError, ask_once, message
from benchmarks.serving.processes import Server
from data.ledger.ledger import Ledger
from data.live import history_of
from data.times import now_micros, parse_time
from engine.features import Features
from engine.records import Bools, Floats, History, Moments
from engine.scores import Scores
from engine.scoring import LearnedScorer

Peer = Callable[[q.Question, Floats], Floats]
"""A question and rows, shape (T, features) -> what a peer says of each of them, shape (T,)."""


def asked_mlflow(server: Server, names: Sequence[str]) -> Peer:
    """The peer that is sent rows."""

    def scores(question: q.Question, rows: Floats) -> Floats:
        told = asyncio.run(ask_once(server.port, q.invocation(rows, names)))
        return np.array(json.loads(told)["predictions"])

    return scores


def asked_fastapi(server: Server, names: Sequence[str]) -> Peer:
    """The peer that has rows and is sent what is different."""

    def scores(question: q.Question, rows: Floats) -> Floats:
        different = q.changes(replace(question, supposed=rows), names)
        body = json.dumps({"account_id": question.account_id, "changes": different}).encode()
        told = asyncio.run(ask_once(server.port, message("POST", "/what-if", body)))
        return np.array(json.loads(told)["scores"])

    return scores


def _told(peers: Sequence[Peer], question: q.Question, rows: Floats) -> Floats:
    """What all of them say. Raises BenchError where they differ."""
    first, *others = [peer(question, rows) for peer in peers]
    if not all(np.array_equal(first, other) for other in others):
        raise BenchError(f"{question.account_id}: the peers score the same rows differently.")
    return first


@dataclass(frozen=True)
class _Told(LearnedScorer):
    """The release, with the worth of what it has learned as it was told; shape (T,)."""

    told: Floats

    def score(self, features: Features) -> Scores:
        own = super().score(features)
        return replace(own, value=np.where(_learned(self), self.told, own.value))


def _learned(scorer: LearnedScorer) -> Bools:
    return np.array([t.id in scorer.parts.treatments for t in scorer.playbook.treatments])


def check_what_if(
    served: Served, ledger: Ledger, asked: Sequence[q.Question], ours: Server, peers: Sequence[Peer]
) -> None:
    """Decided on the peers' scores, the list is the one that ours answered. Raises BenchError."""
    decider, listed = q.decider_of(served, ledger), 0
    for question in asked:
        answer = json.loads(asyncio.run(ask_once(ours.port, q.what_if_of(question))))
        said = [(one["treatment"], one["priority"]) for one in answer["as_supposed"]]
        at = parse_time(answer["decided_at"])
        stored = history_of(ledger.account_state(question.account_id))
        history = q.with_event(decider, stored, question.account_id, question.event, at)
        told = _told(peers, question, q.rows_at(decider, history, question.account_id, at))
        found = _decided(decider, told, history, question.account_id, at)
        if said != found:
            raise BenchError(f"{question.account_id}: ours answers {said}, the peers' scores give {found}.")
        listed += len(said)
    if not listed:
        raise BenchError("Nothing is suggested for any of the accounts that were compared.")


def _decided(
    decider: Decider, told: Floats, history: History, account_id: str, at: int
) -> list[tuple[str, float]]:
    """Treatment and priority of what an account manager would see."""
    scorer = decider.scorer
    assert isinstance(scorer, LearnedScorer)
    asked = replace(decider, scorer=_Told(scorer.parts, scorer.playbook, told))
    decisions = asked.decide(history, Moments((account_id,), np.array([at]), ()))
    (seen,) = [role.sees for role in decider.playbook.roles if role.id == "account_manager"]
    placed = [place for place in decisions.ranking.places[0].tolist() if place > 0]
    return [
        (decisions.treatments[place], float(decisions.priority.priority[0, place]))
        for place in placed
        if decider.playbook.treatments[place].role in seen
    ]


def check_events(
    served: Served, ledger: Ledger, asked: Sequence[q.Question], ours: Server, peers: Sequence[Peer]
) -> None:
    """The scores kept with the decisions that events caused are the peers'. Raises BenchError."""
    decider = q.decider_of(served, ledger)
    scorer = decider.scorer
    assert isinstance(scorer, LearnedScorer)
    for question, request in zip(asked, q.events_ours(asked, f"compared-{now_micros()}"), strict=False):
        (stored,) = json.loads(asyncio.run(ask_once(ours.port, request)))["stored"]
        decision = ledger.decision(stored["decision_id"])
        history = history_of(ledger.account_state(question.account_id))
        rows = q.rows_at(decider, history, question.account_id, decision.decided_at)
        told = _told(peers, question, rows)
        kept = np.array(decision.record["value"])
        if not np.array_equal(kept[_learned(scorer)], told[_learned(scorer)]):
            raise BenchError(f"{question.account_id}: the decision that was kept has other scores.")
