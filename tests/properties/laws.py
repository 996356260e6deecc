"""What the laws share: a playbook in which everything happens, and equality to the bit."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from functools import cache

import numpy as np

from engine.decide import Decisions
from engine.playbook import ContactLimit, Equivalent, Playbook, Repeat, Suppression
from engine.records import NO_CONTACT, History
from engine.scoring import RESPONSE_FOREST, VALUE_FOREST, LearnedScorer, learned_scorer, value_forest_of
from tests.engine.builders import Row, history, playbook
from tests.engine.deciding import FixedScorer, journey, policy, stage, weight
from tests.engine.releases import arrays, grown, known_of, manifest

WORTH = {
    "visit_news": 130.0,
    "visit_safety": 120.0,
    "email_news": 9.0,
    "email_safety": 8.0,
    "stop_email": 6.0,
}
SCORER = FixedScorer(WORTH, by_history=True, followed=0.7, optout=0.001)
"""Depends on what is known of each account, so that a fact that leaks changes bits."""


def rules() -> Playbook:
    """Policies, weights, limits, pauses and exploration, so that lists differ between accounts."""
    return playbook(
        policies=(
            policy("not_twice", "coalesce(days_since_visit, 99) > 2", applies="channel = 'visit'"),
            policy("segment", "segment in ('A', 'B')", applies="action_group = 'promotion'"),
            policy("stop_late", "outbound_email_365d >= 2", applies="kind = 'stop'"),
        ),
        context_weights=(
            weight("asked", "days_since_inbound_same_topic < 10", 3.0),
            weight("large", "potential_value > 0", 1.5, applies="channel = 'visit'"),
        ),
        contact_limits=(ContactLimit("all", "*", "", 4, 30.0), ContactLimit("mail", "email", "", 2, 30.0)),
        suppressions=(
            Suppression("again", "contacts", "treatment", 2, 30.0, 14.0),
            Suppression("rejected", "rejections", "topic", 1, 30.0, 10.0),
        ),
        levers={("group", "promotion"): 20.0},
        exploration_share=0.3,
        default_timezone="",
        topic_held_days=20.0,
        equivalents=(Equivalent("same", (), ("email", "visit"), 40.0, same_topic=True),),
        action_repeats=(Repeat("action", "visit_news", 25.0, 3),),
        journey=journey(
            stage("cold", owners=("rep", "system")),
            stage("warm", "inbound_any_90d >= 1 or responses_any_90d >= 1", owners=("rep",)),
            stage("won", "outcomes_365d >= 1 and potential_value > 0", owners=("system",)),
        ),
    )  # fmt: skip


@cache
def release(learner: str) -> LearnedScorer:
    """A release whose forests, learned on the spot, read what is known of each account and candidate."""
    known = known_of(count=120)
    own = {
        "s_learner": (VALUE_FOREST,),
        "t_learner": (value_forest_of(NO_CONTACT), value_forest_of("visit_news")),
    }[learner]
    texts = {name: grown(known, seed=place) for place, name in enumerate(own)}
    texts[RESPONSE_FOREST] = grown(known, objective="binary")
    return learned_scorer(manifest(known, learner), texts, arrays(), rules())


def same_bits(
    one: object, other: object, rows: tuple[slice, slice] = (slice(None), slice(None))
) -> list[str]:
    """Paths of arrays that differ in a bit, between some rows of one decision and those of another.

    Arrays that do not go by moment (treatments, evidence) are compared whole.
    """
    return list(_different(one, other, rows, ""))


def _different(one: object, other: object, rows: tuple[slice, slice], path: str):
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        by_moment = path not in (".features.treatment", ".scores.evidence")
        a, b = (one[rows[0]], other[rows[1]]) if by_moment else (one, other)
        if a.shape != b.shape or a.dtype != b.dtype or a.tobytes() != b.tobytes():
            yield path
    elif is_dataclass(one):
        for field in fields(one):
            if field.name not in ("moments", "set", "scorer"):
                yield from _different(
                    getattr(one, field.name), getattr(other, field.name), rows, f"{path}.{field.name}"
                )
    elif one != other:
        yield path


def facts(*rows: Row) -> History:
    """These rows alone, without the account that a history always has."""
    return History({table: frame for table, frame in history(*rows).frames.items() if table != "accounts"})


def without_version(decisions: Decisions) -> Decisions:
    return replace(decisions, playbook="")
