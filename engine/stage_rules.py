"""Rules of the journey: what is meant for a stage, what fits it, and whose turn it is."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np

from engine.features import Features, FeatureSet, assembler
from engine.journey import JourneyStage
from engine.playbook import Playbook, Treatment
from engine.programs import Program
from engine.records import Bools, kept_for, kept_with
from engine.rules import Quoted, Verdict, fact_names, rule, rule_kind, which


def stage_at(features: Features, playbook: Playbook, account: int) -> JourneyStage | None:
    """The stage of one moment; None = not known, or a playbook without a journey."""
    if not playbook.journey.stages:
        return None
    place = float(features.journey[account, features.set.journey.index("stage")])
    return None if math.isnan(place) else playbook.journey.stages[int(place)]


def _unfit(playbook: Playbook, fits: Callable[[JourneyStage | None, Treatment], bool]) -> Bools:
    """Which contacts do not fit each stage, the last row for no known stage; shape (stages + 1, T)."""
    return np.array([
        [t.kind == "contact" and not fits(stage, t) for t in playbook.treatments]
        for stage in (*playbook.journey.stages, None)
    ])  # fmt: skip


def _by_stage(features: Features, table: Bools) -> tuple[Bools, Bools]:
    """What does not fit the account's stage, and where that is not known; shapes (n, T), (n, 1)."""
    place = features.journey[:, features.set.journey.index("stage")]
    unknown = np.isnan(place)
    return table[np.where(unknown, len(table) - 1, place).astype(np.int64)], unknown[:, None]


def _quote_stage(features: Features, playbook: Playbook, _: str, account: int, treatment: int) -> Quoted:
    stage = stage_at(features, playbook, account)
    return {"stage": stage.id if stage else None, "stages": "|".join(playbook.treatments[treatment].stages)}


@rule_kind("stage", _quote_stage)
def meant_for_the_stage(features: Features, playbook: Playbook) -> Iterator[Verdict]:
    """A treatment for some stages of the journey is for no other, nor where no stage is known."""
    if playbook.journey.stages:
        objects, unknown = _by_stage(features, _not_meant(playbook))
        yield Verdict(rule("stage", "applicability"), objects, unknown)


@kept_with
def _not_meant(playbook: Playbook) -> Bools:
    return _unfit(playbook, lambda stage, t: not t.stages or (stage is not None and stage.id in t.stages))


def _quote_content(features: Features, playbook: Playbook, _: str, account: int, treatment: int) -> Quoted:
    stage, chosen = stage_at(features, playbook, account), playbook.treatments[treatment]
    fits = stage is not None and _allows(stage.content, chosen.content)
    return {"stage": stage.id if stage else None, "content": chosen.tone if fits else chosen.content}


@rule_kind("content", _quote_content)
def content_of_the_stage(features: Features, playbook: Playbook) -> Iterator[Verdict]:
    """Kind of content or tone does not fit the stage: no prices for those who do not know the product yet."""
    if playbook.journey.stages:
        yield Verdict(rule("content", "suitability"), _by_stage(features, _not_fitting(playbook))[0])


@kept_with
def _not_fitting(playbook: Playbook) -> Bools:
    return _unfit(playbook, _content_fits)


def _content_fits(stage: JourneyStage | None, treatment: Treatment) -> bool:
    return stage is None or (
        _allows(stage.content, treatment.content) and _allows(stage.tones, treatment.tone)
    )


def _allows(kinds: tuple[str, ...], kind: str) -> bool:
    return not kinds or not kind or kind in kinds


def _topic_owners(playbook: Playbook) -> dict[str, tuple[str, ...]]:
    return {topic.id: topic.owners for topic in playbook.topics if topic.owners}


def _quote_owner(features: Features, playbook: Playbook, _: str, account: int, treatment: int) -> Quoted:
    chosen = playbook.treatments[treatment]
    owners: tuple[str, ...] = _topic_owners(playbook).get(chosen.topic, ())
    if not owners and (stage := stage_at(features, playbook, account)):
        owners = stage.owners
    return {"role": chosen.role, "topic": chosen.topic, "owners": "|".join(owners)}


@rule_kind("owner", _quote_owner)
def owner(features: Features, playbook: Playbook) -> Iterator[Verdict]:
    """What a topic's own owners alone may speak about, and what the owners of the stage alone may do."""
    topics, journey = _topic_owners(playbook), playbook.journey
    shape = (len(features.moments), len(playbook.treatments))
    objects, unknown = np.zeros(shape, dtype=bool), np.zeros((shape[0], 1), dtype=bool)
    strict = journey.stages and journey.owner_rule == "strict"
    if strict:
        objects, unknown = _by_stage(features, _not_owned(playbook))
    of_topic = _of_other_owners(playbook)
    if strict or topics:
        yield Verdict(rule("owner", "eligibility"), objects | of_topic, unknown & ~of_topic)


@kept_with
def _not_owned(playbook: Playbook) -> Bools:
    topics = _topic_owners(playbook)
    return _unfit(playbook, lambda stage, t: t.topic in topics or bool(stage and t.role in stage.roles))


@kept_with
def _of_other_owners(playbook: Playbook) -> Bools:
    topics = _topic_owners(playbook)
    return which(
        playbook, lambda t: t.kind == "contact" and t.topic in topics and t.role not in topics[t.topic]
    )


def qualified(features: Features, playbook: Playbook) -> Bools:
    """Which rules of the playbook hand which account over; unknown does not; shape (n, len(hand_overs)).

    An account that is closed is not handed over.
    """
    truths = features.truths(_hand_overs(features.set, playbook))[:, :, 0]
    handed: Bools = (truths.T == 1) & ~features.closed[:, None]
    return handed


@kept_for
def _hand_overs(features: FeatureSet, playbook: Playbook) -> Program:
    conditions = [rule.qualified_when for rule in playbook.hand_overs]
    code = assembler(features, playbook.attributes, fact_names(conditions))
    return code.program([condition.tree.emit(code) for condition in conditions])
