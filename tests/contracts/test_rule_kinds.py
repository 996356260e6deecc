"""What every kind of rule owes: it objects somewhere, quotes JSON, and has a sentence in every language."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace

import pytest

from engine.decide import Decisions
from engine.experiments import Arm, Experiment
from engine.explanation import every_rule, objection_words, why_not
from engine.playbook import ContactLimit, Equivalent, Playbook, Suppression, Topic
from engine.policies import RULE_KINDS, STAGES
from engine.records import ContactStop, Moments
from engine.sentences import LANGUAGES
from engine.wording import Reader
from tests.engine.builders import (
    NOW,
    TREATMENTS,
    Row,
    account,
    answer,
    history,
    offer,
    permission,
    playbook,
    team,
    touchpoint,
)
from tests.engine.deciding import READY, decided, index, journey, policy, stage

CALM = playbook(suppressions=())
AT_HOME = playbook(suppressions=(), journey=journey(stage("cold", content=("story",)), stage("hot", "1 = 0")))


@dataclass(frozen=True)
class Scene:
    """Where a kind of rule objects to `treatment`."""

    treatment: str
    rows: tuple[Row, ...] = READY
    rules: Playbook = CALM
    stops: tuple[ContactStop, ...] = ()

    def decided(self) -> Decisions:
        return decided(history(*self.rows), Moments.at(("a",), NOW, self.stops), rules=self.rules)


def changed(id: str, base: Playbook | None = None, **values) -> Playbook:
    treatments = tuple(replace(t, **values) if t.id == id else t for t in TREATMENTS)
    return replace(base or CALM, treatments=treatments)


def about_medicine(*concerns: str) -> Playbook:
    """Safety is medical; the representative's visit on it is what a playbook in TOML could not say."""
    topics = (
        Topic("news", {"en": "News"}),
        Topic("safety", {"en": "Safety"}, side="medical", concerns=concerns),
    )
    return playbook(topics=topics, suppressions=())


def asked_about(topic: str) -> Row:
    return touchpoint(-1.0, direction="inbound", topic=topic)


TEST = Experiment("account", (Arm("control", 10_000),), NOW - 1, "salt")
TALK = Equivalent("talk", (), ("email", "visit"), 7.0, same_topic=True)
AT_NIGHT = replace(CALM, channels=tuple(replace(c, quiet_hours=(0, 720)) for c in CALM.channels))
EXPIRED = changed("visit_news", approval="EU-1", approved_until=NOW - 1)
SCENES: dict[str, Scene] = {
    "approval_expired": Scene("visit_news", rules=EXPIRED),
    "no_executor": Scene("visit_news", ()),
    "account_closed": Scene("visit_news", (account("a", stored=-1.0, deleted=True), team())),
    "no_timezone": Scene("visit_news", rules=playbook(default_timezone="", suppressions=())),
    "channel_not_outbound": Scene("visit_news", rules=changed("visit_news", channel="website")),
    "stage": Scene("visit_news", rules=changed("visit_news", AT_HOME, stages=("hot",))),
    "content": Scene("visit_news", rules=changed("visit_news", AT_HOME, content="price")),
    "owner": Scene("email_news", rules=AT_HOME),
    "policy": Scene("visit_news", rules=playbook(policies=(policy("p", "days_since_visit > 3"),))),
    "consent": Scene("email_news", (team(), permission(-1.0, "opt_out", "email"))),
    "nothing_to_stop": Scene("stop_email", (team(), permission(-1.0, "opt_out", "email"))),
    "resting": Scene("email_news", (*READY, answer(-1.0, "complete", "stop_email", until=3.0)),
                     changed("stop_email", days=4.0)),
    "snoozed": Scene("visit_news", (*READY, answer(-1.0, "snooze", "visit_news", until=3.0))),
    "limit": Scene("visit_news", (*READY, touchpoint(-1.0)),
                   playbook(contact_limits=(ContactLimit("l", "*", "", 1, 7.0),))),
    "suppression": Scene("visit_news", (*READY, touchpoint(-1.0, treatment="visit_news")),
                         playbook(suppressions=(Suppression("s", "contacts", "treatment", 1, 7.0, 7.0),))),
    "stopped": Scene("visit_news", stops=(ContactStop("1", "channel", "visit"),)),
    "held_back": Scene("visit_news", rules=replace(CALM, experiment=TEST)),
    "not_valid": Scene("visit_news", rules=changed("visit_news", valid_until=NOW)),
    "wrong_side": Scene("visit_safety", rules=about_medicine()),
    "medical_question": Scene("visit_news", (*READY, asked_about("safety")), about_medicine("news")),
    "open_offer": Scene("visit_news", (*READY, offer(-1.0, 120.0)), changed("visit_news", price=100.0)),
    "topic_held": Scene("email_news", (*READY, touchpoint(-1.0, topic="news")),
                        playbook(suppressions=(), topic_held_days=7.0)),
    "equivalent": Scene("visit_news", (*READY, touchpoint(-1.0, channel="email", topic="news")),
                        playbook(suppressions=(), equivalents=(TALK,))),
    "quiet_hours": Scene("visit_news", rules=changed("visit_news", AT_NIGHT, validity_days=0.2)),
    "repeat": Scene("visit_news", (*READY, touchpoint(-1.0, treatment="visit_news")),
                    changed("visit_news", repeat_after_days=7.0)),
    "at_most": Scene("visit_news", (*READY, touchpoint(-99.0, treatment="visit_news")),
                     changed("visit_news", at_most=1)),
}  # fmt: skip
"""One for each kind: a kind without a scene fails below, so nothing is added unchecked."""


def test_every_kind_of_rule_has_a_scene() -> None:
    """Whoever adds a kind of rule shows where it objects."""
    assert set(SCENES) == set(RULE_KINDS)


@pytest.mark.parametrize("code", sorted(RULE_KINDS))
def test_it_objects_with_a_stage_and_facts_that_are_json(code: str) -> None:
    """An objection is stored and sent: stable id, known stage, numbers and ids only."""
    scene = SCENES[code]
    result = scene.decided()

    found = why_not(result, 0, index(result, scene.treatment), scene.rules)

    own = [objection for objection in found if objection.rule.partition(":")[0] == code]
    assert len(own) == 1
    assert own[0].stage in STAGES
    assert own[0].facts
    assert json.loads(json.dumps(dict(own[0].facts), allow_nan=False)) == dict(own[0].facts)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("code", sorted(RULE_KINDS))
def test_it_can_be_said(code: str, language: str) -> None:
    """Everything that the sentence wants to quote is among the facts."""
    scene = SCENES[code]
    result = scene.decided()

    for objection in why_not(result, 0, index(result, scene.treatment), scene.rules):
        sentence = objection_words(objection, Reader(language, NOW, None, scene.rules))

        assert sentence
        assert not re.search(r"[{}]|\bNone\b|\bnan\b", sentence)
        assert objection.unknown or "not known" not in sentence


@pytest.mark.parametrize("code", sorted(RULE_KINDS))
def test_it_leaves_no_contact_alone(code: str) -> None:
    """No rule of any kind may forbid to do nothing."""
    result = SCENES[code].decided()

    assert not result.objections.objects[:, 0].any()


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("code", sorted(RULE_KINDS))
def test_it_can_be_said_of_every_treatment_passed_or_not(code: str, language: str) -> None:
    """ "Why not" shows the rules that were satisfied too, each with what it read."""
    scene = SCENES[code]
    result = scene.decided()

    for treatment in range(1, len(result.treatments)):
        for each in every_rule(result, 0, treatment, scene.rules):
            assert json.loads(json.dumps(dict(each.facts), allow_nan=False)) == dict(each.facts)
            sentence = objection_words(each, Reader(language, NOW, None, scene.rules))
            assert sentence
            assert not re.search(r"[{}]|\bnan\b", sentence)


@pytest.mark.parametrize("code", sorted(RULE_KINDS))
def test_all_rules_contain_the_objections_in_their_order(code: str) -> None:
    """One answer, told at two lengths: they may not differ."""
    scene = SCENES[code]
    result = scene.decided()
    at = index(result, scene.treatment)

    every = every_rule(result, 0, at, scene.rules)

    assert [each for each in every if not each.passed] == list(why_not(result, 0, at, scene.rules))
    stages = [(*STAGES, "arbitration").index(each.stage) for each in every]
    assert stages == sorted(stages)
