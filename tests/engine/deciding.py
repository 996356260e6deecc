"""What tests of decisions need beside `builders`: rules of the small playbook, a scorer, a decision."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from engine.conditions import Condition, parse_condition
from engine.contributions import Contributions
from engine.decide import Decisions, decide
from engine.facts import fact_types
from engine.features import Features, FeatureSet
from engine.journey import Journey, JourneyStage, OwnerRule
from engine.playbook import ContextWeight, Playbook, Policy, Stage
from engine.records import History, Ints, Moments
from engine.scoring import Scorer, Scores
from tests.engine.builders import ATTRIBUTES, moments, permission, playbook, team

FACTS = fact_types(("email", "visit", "website"), ("news", "safety"), ATTRIBUTES)
READY = (
    team(),
    permission(-400.0, channel="email"),
    permission(-400.0, channel="email", purpose="service"),
)
"""Rows of an account to which nothing objects: somebody serves it and e-mail is permitted."""


def condition(text: str) -> Condition:
    return parse_condition(text, FACTS, where="test")


def policy(id: str, when: str, *, applies: str | None = None, stage: Stage = "applicability") -> Policy:
    asked = None if applies is None else condition(applies)
    return Policy(id, stage, condition(when), asked, {"en": f"Policy {id}."})


def weight(id: str, when: str, value: float, *, applies: str | None = None) -> ContextWeight:
    return ContextWeight(id, condition(when), None if applies is None else condition(applies), value)


def stage(id: str, when: str | None = None, *, owners: tuple[str, ...] = ("rep",), **v) -> JourneyStage:
    """A stage of the representative, unless told otherwise; `when` None = everybody."""
    asked = None if when is None else condition(when)
    values = {"roles": owners, "content": (), "tones": ()} | v
    return JourneyStage(id, {"en": id.title()}, owners, when=asked, **values)


def journey(*stages: JourneyStage, owner_rule: OwnerRule = "strict") -> Journey:
    return Journey(stages, owner_rule)


@dataclass(frozen=True)
class FixedScorer:
    """Worth by treatment, the same for all accounts, or lifted by what is known of each (`by_history`).

    `adds` are amounts by feature that every treatment is worth more, for all accounts alike: those of
    reasons, without a forest. What is in `never_given` cannot be judged for anybody.
    """

    worth: Mapping[str, float] = field(default_factory=dict)
    evidence: int = 50
    followed: float = 1.0
    optout: float = 0.0
    uncertainty: float = 0.0
    by_history: bool = False
    adds: Mapping[str, float] = field(default_factory=dict)
    never_given: tuple[str, ...] = ()

    @property
    def release(self) -> str:
        return "fixed"

    def score(self, features: Features) -> Scores:
        ids = features.set.treatments
        shape = (len(features.moments), len(ids))
        value = np.broadcast_to(np.array([self.worth.get(id, 0.0) for id in ids]), shape).copy()
        value[:, 1:] += sum(self.adds.values())
        if self.by_history:
            value = value + _lift(features)
        acts = np.broadcast_to(np.array([id != "none" for id in ids]), shape)
        return Scores(
            value=value,
            response=np.where(acts, 0.25, 0.0),
            optout=np.where(acts, self.optout, 0.0),
            followed=np.full(shape, self.followed),
            evidence=np.full(len(ids), self.evidence),
            uncertainty=np.where(acts, self.uncertainty, 0.0),
            comparable=np.tile([id not in self.never_given for id in ids], (len(features.moments), 1)),
        )

    def contributions(self, features: Features, moments: Ints, treatment: int) -> Contributions:
        """What it does not say by feature is one amount."""
        value, names = self.score(features).value, features.set.names
        added = np.array([self.adds.get(name, 0.0) if treatment else 0.0 for name in names])
        constant = (value[:, treatment] - value[:, 0])[moments] - added.sum()
        return Contributions(constant, np.tile(added, (len(moments), 1)))

    def response_contributions(self, features: Features, moments: Ints, treatment: int) -> Contributions:
        width = len(features.set.names)
        return Contributions(
            self.score(features).response[moments, treatment], np.zeros((len(moments), width))
        )


def _lift(features: Features) -> np.ndarray:
    """A worth that changes with every kind of fact: touchpoints, responses, outcomes, attributes."""
    names = ("days_since_same_channel", "days_since_inbound_same_topic", "responses_any_90d",
             "outcome_value_365d", "outbound_same_treatment_365d", "potential_value")  # fmt: skip
    lift = np.zeros((len(features.moments), len(features.set.treatments)))
    for index, name in enumerate(names):
        values = np.nan_to_num(features.fact(name).values, nan=-1.0)
        lift = lift + values / (3.0 + index) * (1.0 + np.arange(lift.shape[1]))
    return lift


def decided(
    past: History,
    asked: Moments | None = None,
    *,
    rules: Playbook | None = None,
    scorer: Scorer | None = None,
    seed: int = 7,
) -> Decisions:
    """`decide` with the small playbook and a fixed scorer."""
    rules = rules or playbook()
    return decide(
        past,
        moments() if asked is None else asked,
        playbook=rules,
        features=FeatureSet.of(rules, ATTRIBUTES),
        scorer=scorer or FixedScorer(),
        seed=seed,
    )


def index(decisions: Decisions, treatment: str) -> int:
    return decisions.treatments.index(treatment)


def listed(decisions: Decisions, row: int = 0) -> list[str]:
    """The ids on a list, best first."""
    return [decisions.treatments[place] for place in decisions.ranking.places[row] if place >= 0]


def objecting(decisions: Decisions, treatment: str, row: int = 0) -> list[str]:
    """The ids of the rules that object to a treatment."""
    flags = decisions.objections.objects[row, index(decisions, treatment)]
    return [rule.id for rule, flag in zip(decisions.objections.rules, flags, strict=True) if flag]
