"""Rules of the journey: what is meant for a stage, what fits it, and whose turn it is."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np

from engine.features import Features, FeatureSet, assembler
from engine.journey import JourneyStage
from engine.playbook import Playbook, Treatment
from engine.programs import FIRST_NUMBER, Program, Register
from engine.records import Bools, kept_for
from engine.rule_steps import Steps
from engine.rules import Quoted, Saying, fact_names, rule, rule_kind, which


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


def _by_stage(steps: Steps, table: Bools) -> tuple[Register, Register]:
    """What does not fit the account's stage, and where that is not known."""
    code, treatments = steps.code, np.arange(table.shape[1])
    stage = code.fact("stage")._replace(levels=None)
    place = code.step(FIRST_NUMBER, stage, code.constant(len(table) - 1.0))
    return code.table(place, code.each(treatments), table), steps.unknown(stage)


def _quote_stage(features: Features, playbook: Playbook, _: str, account: int, treatment: int) -> Quoted:
    stage = stage_at(features, playbook, account)
    return {"stage": stage.id if stage else None, "stages": "|".join(playbook.treatments[treatment].stages)}


@rule_kind("stage", _quote_stage)
def meant_for_the_stage(steps: Steps, playbook: Playbook) -> Iterator[Saying]:
    """A treatment for some stages of the journey is for no other, nor where no stage is known."""
    if playbook.journey.stages:
        yield Saying(rule("stage", "applicability"), steps.said(*_by_stage(steps, _not_meant(playbook))))


def _not_meant(playbook: Playbook) -> Bools:
    return _unfit(playbook, lambda stage, t: not t.stages or (stage is not None and stage.id in t.stages))


def _quote_content(features: Features, playbook: Playbook, _: str, account: int, treatment: int) -> Quoted:
    stage, chosen = stage_at(features, playbook, account), playbook.treatments[treatment]
    fits = stage is not None and _allows(stage.content, chosen.content)
    return {"stage": stage.id if stage else None, "content": chosen.tone if fits else chosen.content}


@rule_kind("content", _quote_content)
def content_of_the_stage(steps: Steps, playbook: Playbook) -> Iterator[Saying]:
    """Kind of content or tone does not fit the stage: no prices for those who do not know the product yet."""
    if playbook.journey.stages:
        yield Saying(rule("content", "suitability"), _by_stage(steps, _unfit(playbook, content_fits))[0])


def content_fits(stage: JourneyStage | None, treatment: Treatment) -> bool:
    """Whether what a treatment says, and how, is for a stage; None = the account is in none."""
    return stage is None or (
        _allows(stage.content, treatment.content) and _allows(stage.tones, treatment.tone)
    )


def _allows(kinds: tuple[str, ...], kind: str) -> bool:
    return not kinds or not kind or kind in kinds


def topic_owners(playbook: Playbook) -> dict[str, tuple[str, ...]]:
    """Topic -> the roles that alone may speak about it, where there are such."""
    return {topic.id: topic.owners for topic in playbook.topics if topic.owners}


def _quote_owner(features: Features, playbook: Playbook, _: str, account: int, treatment: int) -> Quoted:
    chosen = playbook.treatments[treatment]
    owners: tuple[str, ...] = topic_owners(playbook).get(chosen.topic, ())
    if not owners and (stage := stage_at(features, playbook, account)):
        owners = stage.owners
    return {"role": chosen.role, "topic": chosen.topic, "owners": "|".join(owners)}


@rule_kind("owner", _quote_owner)
def owner(steps: Steps, playbook: Playbook) -> Iterator[Saying]:
    """What a topic's own owners alone may speak about, and what the owners of the stage alone may do."""
    topics, journey = topic_owners(playbook), playbook.journey
    of_topic = steps.code.flags(_of_other_owners(playbook))
    if journey.stages and journey.owner_rule == "strict":
        of_stage, unknown = _by_stage(steps, _not_owned(playbook))
        unsure = steps.both(unknown, steps.negated(of_topic))
        yield Saying(rule("owner", "eligibility"), steps.said(steps.either(of_stage, of_topic), unsure))
    elif topics:
        yield Saying(rule("owner", "eligibility"), of_topic)


def _not_owned(playbook: Playbook) -> Bools:
    topics = topic_owners(playbook)
    return _unfit(playbook, lambda stage, t: t.topic in topics or bool(stage and t.role in stage.roles))


def _of_other_owners(playbook: Playbook) -> Bools:
    topics = topic_owners(playbook)
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
