"""What every kind of reason owes: it is told somewhere, quotes JSON, and can be said in every language."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace

import pytest

from engine.decide import Decisions
from engine.explanation import why, words
from engine.playbook import Playbook
from engine.reasons import REASON_CODES
from engine.scoring import LearnedScorer, Scorer
from engine.sentences import LANGUAGES
from engine.wording import Reader
from tests.engine.books import settings as book_settings
from tests.engine.builders import (
    NOW,
    Row,
    history,
    outcome,
    permission,
    playbook,
    response,
    touchpoint,
    twins,
)
from tests.engine.deciding import READY, FixedScorer, decided, index, policy, weight
from tests.engine.releases import known_of, scorer, stopping_scorer

WORTH = FixedScorer({"visit_safety": 300.0, "stop_email": 40.0})
CALM = playbook(suppressions=())
READ = touchpoint(-0.1, channel="website", direction="inbound", topic="safety")
CALLED = touchpoint(-0.1, channel="visit", direction="inbound", topic="safety")
CALLED_AGAIN = touchpoint(-0.05, channel="visit", direction="inbound", topic="news")
CALLED_LONG_AGO = touchpoint(-40.0, channel="visit", direction="inbound", topic="safety")
MAILS = tuple(touchpoint(-10.0 * i, channel="email", treatment="email_news") for i in range(1, 7))


@dataclass(frozen=True)
class Scene:
    """Where a reason is told of `treatment`."""

    treatment: str = "visit_safety"
    rows: tuple[Row, ...] = READY
    rules: Playbook = CALM
    scorer: Scorer = WORTH

    def decided(self) -> Decisions:
        return decided(history(*self.rows), rules=self.rules, scorer=self.scorer)


RICH = (*READY, CALLED_LONG_AGO, touchpoint(-20.0, topic="safety", treatment="visit_safety", id="v"),
        response("v", -19.0), outcome(-8.0), permission(-9.0, purpose="web_behaviour"))  # fmt: skip


def moved_by(*features: str) -> Scene:
    """A score that some features move."""
    adds = {feature: 10.0 * place for place, feature in enumerate(features, start=1)}
    return Scene(rows=RICH, scorer=replace(WORTH, adds=adds))


def with_peers(kind: str, name: str) -> LearnedScorer:
    """A release that has counted the accounts of segment A."""
    counted = {"until": NOW - 1, "treatments": {}, "channels": {}} | {kind: {name: {"A": [20, 14]}}}
    return scorer(known_of(), peers=counted)


ALIKE = replace(CALM, twins=book_settings(), twin_steps=("email", "visit"))

SCENES: dict[str, Scene] = {
    "twins": Scene(rows=(*READY, twins(-1.0)), rules=ALIKE),
    "twins_value": Scene(rows=(*READY, twins(-1.0, approach="email", worked=4)), rules=ALIKE),
    "explored": Scene("none", rules=replace(CALM, policies=(policy("p", "1 = 0"),), exploration_share=0.999)),
    "read_topic": Scene(rows=(*READY, permission(-9.0, purpose="web_behaviour"), READ)),
    "asked_topic": Scene(rows=(*READY, CALLED)),
    "topic_of_interest": Scene(rows=(*READY, CALLED, CALLED_AGAIN)),
    "stop_no_response": Scene("stop_email", (*READY, *MAILS)),
    "context_weight": Scene(rules=replace(CALM, context_weights=(weight("w", "1 = 1", 2.0),))),
    "expected_value": Scene(),
    "starting_value": Scene(scorer=replace(WORTH, evidence=0)),
    "expected_saving": Scene("stop_email"),
    "stop_saving": Scene("stop_email", (*READY, *MAILS), scorer=stopping_scorer(known_of())),
    "unproven_at_zero": Scene("stop_email", (*READY, *MAILS), scorer=stopping_scorer(known_of(), error=0.1)),
    "expected_response": Scene(rules=replace(CALM, priority="leaders")),
    "nothing_better": Scene("none", scorer=FixedScorer()),
    "nothing_allowed": Scene("none", rules=replace(CALM, policies=(policy("p", "1 = 0"),))),
    "response_history": Scene(rows=(*READY, touchpoint(-5.0))),
    "last_contact": Scene(rows=(*READY, touchpoint(-5.0))),
    "no_contact_yet": Scene(),
    "topic_interest": moved_by("inbound_same_topic_90d"),
    "channel_interest": moved_by("inbound_same_channel_90d"),
    "activity": moved_by("inbound_any_90d"),
    "contacts": moved_by("outbound_any_30d"),
    "topic_contacts": moved_by("days_since_same_topic"),
    "repetition": moved_by("outbound_same_treatment_30d"),
    "responses": moved_by("response_rate_any_365d"),
    "topic_responses": moved_by("responses_same_topic_90d"),
    "message_responses": moved_by("responses_same_treatment_365d"),
    "purchases": moved_by("outcome_value_90d"),
    "optouts": moved_by("optouts_365d"),
    "profile": moved_by("segment"),
    "other_facts": moved_by("segment", "optouts_365d", "inbound_any_7d", "outcomes_30d", "planned_any"),
    "expected_value_here": moved_by("segment"),
    "inherited_value": replace(
        moved_by("segment"), scorer=replace(WORTH, adds={"segment": 10.0}, evidence=0)
    ),
    "held_at_zero": Scene(scorer=replace(WORTH, never_given=("visit_safety",))),
    "similar_responded": Scene(scorer=with_peers("treatments", "visit_safety")),
    "similar_responded_channel": Scene(scorer=with_peers("channels", "visit")),
}
"""One for each code: a code without a scene fails below, so nothing is added unchecked."""


def test_every_code_has_a_scene() -> None:
    """Whoever adds a reason shows where it is told."""
    assert set(SCENES) == set(REASON_CODES)


@pytest.mark.parametrize("code", sorted(SCENES))
def test_it_is_told_with_facts_that_are_json(code: str) -> None:
    """Reasons are stored with the suggestion."""
    scene = SCENES[code]
    result = scene.decided()

    told = why(result, 0, index(result, scene.treatment), scene.rules)

    reason = next(reason for reason in told if reason.code == code)
    assert reason.facts
    assert json.loads(json.dumps(dict(reason.facts), allow_nan=False)) == dict(reason.facts)
    assert reason.amount is None or type(reason.amount) is float


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("code", sorted(SCENES))
def test_it_can_be_said(code: str, language: str) -> None:
    """Everything that the sentence wants to quote is among the facts."""
    scene = SCENES[code]
    result = scene.decided()

    for reason in why(result, 0, index(result, scene.treatment), scene.rules):
        sentence = words(reason, Reader(language, NOW, None, scene.rules))

        assert sentence
        assert not re.search(r"[{}]|\bnan\b|not known|نامعلوم|غير معروف", sentence)
