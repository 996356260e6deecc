"""What a playbook says of facts that only rules read: no condition names them, no model learns from them."""

from __future__ import annotations

import numpy as np

from engine.encoded import actor_codes, codes_of
from engine.playbook import Playbook, Treatment
from engine.records import Bools, kept_with
from engine.rule_kernels import Candidates, Hands, Same
from engine.tallies import micros, scope_codes


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
def repeat_counts(playbook: Playbook) -> Bools:
    """`repeated`, and a last column for what is done by an unknown treatment, which counts nowhere."""
    return np.append(repeated(playbook), np.zeros((len(playbook.repeats), 1), dtype=np.bool_), axis=1)


@kept_with
def hands_of(playbook: Playbook) -> Hands:
    """Which channels and treatments put a topic into a person's hands."""
    personal = np.array([*(c.outbound and not c.automated for c in playbook.channels), False])
    return Hands(personal, candidates_of(playbook).topic, micros(playbook.topic_held_days))


@kept_with
def candidates_of(playbook: Playbook) -> Candidates:
    """What each treatment is about, who carries it out and at what price."""
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
def same_of(playbook: Playbook) -> Same:
    """Which contacts are the same thing to an account."""
    groups, own = playbook.equivalents, playbook.treatments
    channels = [channel.id for channel in playbook.channels]
    return Same(
        _table([[not g.channels or c in g.channels for c in (*channels, "")] for g in groups],
               len(channels) + 1),
        _table([[not g.actions or a in g.actions for a in (*(t.action for t in own), "")] for g in groups],
               len(own) + 1),
        _table([[g.has(t.kind, t.channel, t.action) for t in own] for g in groups], len(own)),
        np.array([micros(g.days) for g in groups], np.int64),
        np.array([g.same_topic for g in groups], np.bool_),
    )  # fmt: skip


def _table(rows: list[list[bool]], columns: int) -> Bools:
    """A table, also one without rows."""
    return np.array(rows, dtype=np.bool_).reshape(len(rows), columns)
