"""Many forests, each asked about one treatment, scored in one pass over an account.

A forest per treatment asks of an account much of what the others ask. Put side by side as one forest, whose
features are the columns that they read - the account's, and each treatment's own channel, topic and message -
every value is looked at once and rules out leaves of all of them (`engine.forest_masks`). A forest's leaves
are added in the order of its trees, so that each score is to the bit what the forest says alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from engine.features import Features
from engine.forest import Forest, sources_of
from engine.forest_masks import (
    ACCOUNT,
    CHANNEL,
    MESSAGE,
    TOPIC,
    TREATMENT,
    Bits,
    Places,
    add_leaves,
    masks_of,
    rule_out,
)
from engine.forest_text import Trees
from engine.holding import Held, hold
from engine.numerics import compiled
from engine.records import Floats, Ints

_FIXED, _MOVING = range(2)
"""Groups of the joint forest's features: those of treatments, and those that accounts differ in."""


class Joint(NamedTuple):
    """Forests side by side.

    Attributes:
        masks: Their splits, `Masks`; a block of trees is a forest.
        places: `Places`, features by group, `_FIXED` and `_MOVING`, at their places in a row of values.
        reads: Group, member and column of each value, member -1 = there is none; shape (F, 3).
        words: Words after the splits on treatments.
    """

    masks: Held
    places: Held
    reads: Ints
    words: Bits


def joint_of(forests: Sequence[Forest], features: Features, treatments: Ints) -> Held:
    """A `Joint` of forests, each to be asked about one treatment; shape (forests,).

    Raises ForestError when a forest reads a feature that the set does not have.
    """
    reads: dict[tuple[int, int, int], int] = {}
    parts = []
    for forest, treatment in zip(forests, treatments.tolist(), strict=True):
        forest.check_known(features.set)
        own = _reads_of(forest, features, treatment)
        parts.append(np.array([reads.setdefault(read, len(reads)) for read in own], dtype=np.int64))
    trees = _side_by_side([forest.trees for forest in forests], parts)
    read = np.array(list(reads), dtype=np.int64).reshape(-1, 3)
    fixed = read[:, 0] == TREATMENT
    order = np.argsort(~fixed, kind="stable")
    places = Places(np.array([0, fixed.sum(), len(order)], dtype=np.int64), order, order)  # counts
    ends = np.cumsum([0, *(len(forest.trees.roots) for forest in forests)], dtype=np.int64)  # counts
    splits = masks_of(trees, len(read))._replace(block=ends)
    masks, held_places = hold(splits), hold(places)
    words = np.full(int(splits.word[-1]), np.iinfo(np.uint64).max, dtype=np.uint64)
    values = np.full(len(read), np.nan)
    values[fixed] = features.treatment[read[fixed, 1], read[fixed, 2]]
    rule_out(masks, held_places, np.int64(_FIXED), values, words)
    return hold(Joint(masks, held_places, read, words))


def score_joint(joint: Held, features: Features, forests: int) -> Floats:
    """Raw score of each forest for its treatment; shape (n, forests)."""
    scores = np.zeros((len(features.account), forests))
    _score(joint, (features.account, features.channel, features.topic, features.message), scores)
    return scores


def _reads_of(forest: Forest, features: Features, treatment: int) -> list[tuple[int, int, int]]:
    """Group, member and column of each feature of a forest that is asked about one treatment."""
    own = features.set
    sources = sources_of(forest.feature_names, own)
    members = {
        ACCOUNT: 0, CHANNEL: int(own.channel_of[treatment]), TOPIC: int(own.topic_of[treatment]),
        MESSAGE: treatment, TREATMENT: treatment,
    }  # fmt: skip
    return [
        (group, members[group], column)
        for group, column in zip(sources.group.tolist(), sources.column.tolist(), strict=True)
    ]


def _side_by_side(forests: Sequence[Trees], features: Sequence[Ints]) -> Trees:
    """The trees of all forests as one; `features`: what each feature of a forest is there."""
    nodes, leaves, categories = 0, 0, 0
    moved = []
    for trees, own in zip(forests, features, strict=True):
        roots, left, right = (
            np.where(place >= 0, place + nodes, place - leaves)
            for place in (trees.roots, trees.left, trees.right)
        )
        moved.append(trees._replace(
            roots=roots, left=left, right=right, feature=own[trees.feature], first=trees.first + categories,
            last=trees.last + categories,
        ))  # fmt: skip
        nodes, leaves = nodes + len(trees.feature), leaves + len(trees.leaf)
        categories += len(trees.categories)
    return Trees(*(np.concatenate(column) for column in zip(*moved, strict=True)))


@compiled
def _score(joint: Held, groups: tuple[Floats, Floats, Floats, Floats], scores: Floats) -> None:
    """Add up the leaves of each forest for all moments, one after the other; `scores` are given as 0."""
    masks, places, reads = joint.masks, joint.places, joint.reads
    account, channel, topic, message = groups
    row, words = np.empty(reads.shape[0]), np.empty(joint.words.size, dtype=np.uint64)
    for i in range(scores.shape[0]):
        for j in range(reads.shape[0]):
            group, member, column = reads[j, 0], reads[j, 1], reads[j, 2]
            if group == ACCOUNT:
                row[j] = account[i, column]
            elif member < 0 or group == TREATMENT:
                row[j] = np.nan
            elif group == CHANNEL:
                row[j] = channel[i, member, column]
            else:
                row[j] = topic[i, member, column] if group == TOPIC else message[i, member, column]
        for w in range(words.size):
            words[w] = joint.words[w]
        rule_out(masks, places, np.int64(_MOVING), row, words)
        for k in range(scores.shape[1]):
            first, last = masks.word[masks.block[k]], masks.word[masks.block[k + 1]]
            add_leaves(masks, k, words[first:last].reshape(1, last - first), scores[i, k : k + 1])
