"""What only rules read of an account at a moment: facts that no condition names and no model learns from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine import rule_kernels as loops
from engine.encoded import EncodedHistory, actor_codes, codes_of
from engine.kernels import Questions, flag_snoozed
from engine.playbook import Playbook, Treatment
from engine.records import Bools, Floats, Ints, Micros, kept_with
from engine.rule_kernels import Candidates, Hands, Same
from engine.tallies import micros, scope_codes
from engine.timing import first_moments


@dataclass(frozen=True)
class RuleFacts:
    """What rules read besides conditions; NaN = there is none.

    Attributes:
        held: Days since a person last dealt with each topic, negative while that lies ahead; shape (n, P).
        offered: Highest open quote for what each treatment offers, in currency, inf = in another currency;
            shape (n, T).
        times: How often what each of `Playbook.repeats` counts was done or is planned; shape (n, R).
        since: Days since the latest of these, negative for one ahead; shape (n, R).
        equivalent: Days since another role did the same, negative while that lies ahead, by group of
            `Playbook.equivalents` and treatment; shape (n, E, T).
        not_before: First moment, microseconds UTC, at which each channel may be used; shape (n, C).
    """

    held: Floats
    offered: Floats
    times: Floats
    since: Floats
    equivalent: Floats
    not_before: Micros


def rule_facts(questions: Questions, facts: EncodedHistory, playbook: Playbook, version: Ints) -> RuleFacts:
    """Row i depends on the facts of account i alone; `version` are the places of what is known of it."""
    n, treatments = questions.at.size, len(playbook.treatments)
    candidates = _candidates(playbook)
    held = np.full((n, len(playbook.topics)), np.nan)
    if playbook.topic_held_days > 0:
        loops.hold_topics(questions, facts.touchpoints, _hands(playbook), held)
    times, since = (np.full((n, len(playbook.repeats)), empty) for empty in (0.0, np.nan))
    if playbook.repeats:
        loops.count_repeats(questions, facts.touchpoints, _repeat_counts(playbook), times, since)
    equivalent = np.full((n, len(playbook.equivalents), treatments), np.nan)
    if playbook.equivalents:
        same, snoozing = _same(playbook), np.zeros((n, treatments))
        loops.find_equivalents(questions, facts.touchpoints, same, candidates, equivalent)
        flag_snoozed(questions, facts.feedback, facts.put_off_until, snoozing)
        loops.find_put_off(snoozing, same, candidates, equivalent)
    offered = np.full((n, treatments), np.nan)
    if facts.offers.time.size:
        loops.highest_offers(questions, facts.offers, candidates, offered)
    versions = facts.attributes
    not_before = first_moments(playbook, questions.at, versions.place[version], versions.places)
    return RuleFacts(held, offered, times, since, equivalent, not_before)


@kept_with
def repeated(playbook: Playbook) -> Bools:
    """Which treatments each of `Playbook.repeats` counts and limits; shape (R, T)."""
    rows = [
        [t.kind == "contact" and repeat.of == (t.id if repeat.level == "treatment" else t.action)
         for t in playbook.treatments]
        for repeat in playbook.repeats
    ]  # fmt: skip
    return np.array(rows, dtype=np.bool_).reshape(len(rows), len(playbook.treatments))


@kept_with
def same_thing(playbook: Playbook) -> Bools:
    """Pairs of treatments that two roles would do to the same effect; shape (T, T), symmetric."""
    actors, own = actor_codes(playbook), playbook.treatments
    pairs = np.zeros((len(own), len(own)), dtype=np.bool_)
    for group in playbook.equivalents:
        member = np.array([group.has(t.kind, t.channel, t.action) for t in own], dtype=np.bool_)
        topics = scope_codes("topic", playbook)
        alike = topics[:, None] == topics[None, :] if group.same_topic else np.ones_like(pairs)
        pairs |= member[:, None] & member[None, :] & alike & (actors[:, None] != actors[None, :])
    return pairs


@kept_with
def _repeat_counts(playbook: Playbook) -> Bools:
    """`repeated`, and a last column for what is done by an unknown treatment, which counts nowhere."""
    return np.append(repeated(playbook), np.zeros((len(playbook.repeats), 1), dtype=np.bool_), axis=1)


@kept_with
def _hands(playbook: Playbook) -> Hands:
    personal = np.array([*(c.outbound and not c.automated for c in playbook.channels), False])
    return Hands(personal, _candidates(playbook).topic, micros(playbook.topic_held_days))


@kept_with
def _candidates(playbook: Playbook) -> Candidates:
    products = codes_of(playbook).products
    own = playbook.treatments
    return Candidates(
        np.append(scope_codes("topic", playbook), -1),
        actor_codes(playbook),
        np.array([products.get(t.product, -1) for t in own], dtype=np.int64),
        np.array([_price(t) for t in own], dtype=np.float64),
    )


def _price(treatment: Treatment) -> float:
    return np.nan if treatment.price is None or treatment.kind != "contact" else treatment.price


@kept_with
def _same(playbook: Playbook) -> Same:
    groups, own = playbook.equivalents, playbook.treatments
    channels = [channel.id for channel in playbook.channels]
    return Same(
        np.array([[not g.channels or c in g.channels for c in (*channels, "")] for g in groups], np.bool_),
        np.array([[not g.actions or a in g.actions for a in (*(t.action for t in own), "")] for g in groups],
                 np.bool_),
        np.array([[g.has(t.kind, t.channel, t.action) for t in own] for g in groups], np.bool_),
        np.array([micros(g.days) for g in groups], np.int64),
        np.array([g.same_topic for g in groups], np.bool_),
    )  # fmt: skip
