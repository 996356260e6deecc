"""Exact scoring of LightGBM forests over accounts x treatments, read from the model's text.

The result equals `Booster.predict(raw_score=True)` to the bit: numeric splits with missing values and
default direction, zero as missing, categorical splits, any number of leaves, constant trees. Leaves are
added in tree order. No lightgbm import.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import NamedTuple, cast

import numpy as np

from engine.features import Features, FeatureSet
from engine.forest_masks import (
    TREATMENT,
    Candidates,
    Places,
    Ready,
    fixed_words,
    masks_of,
    score_pairs,
)
from engine.forest_text import (
    CATEGORICAL,
    DEFAULT_LEFT,
    LARGEST_CATEGORY,
    MISSING_NAN,
    MISSING_ZERO,
    NEARLY_ZERO,
    Cover,
    ForestError,
    Trees,
    Words,
    read_trees,
)
from engine.holding import Held, hold
from engine.numerics import compiled
from engine.records import Floats, Ints
from engine.tallies import nothing_seen

__all__ = [
    "CATEGORICAL", "Cover", "Forest", "ForestError", "Sources", "Trees", "below", "in_categories", "lay_out",
    "pair_groups", "parse_forest", "sources_of",
]  # fmt: skip


class Sources(NamedTuple):
    """Where a model's columns stand: 0 account, 1 channel, 2 topic, 3 message, 4 treatment; shape (F,)."""

    group: Ints
    column: Ints


@dataclass(frozen=True)
class Forest:
    """A parsed forest. `feature_names` are those of the model's text, in its order; `memory` is for what
    others have worked out of it once."""

    feature_names: tuple[str, ...]
    trees: Trees
    cover: Cover
    memory: dict[str, object] = field(default_factory=dict, compare=False, repr=False)

    def predict(self, rows: Floats) -> Floats:
        """Raw score of model rows; rows shape (n, len(feature_names)), result (n,)."""
        given = np.ascontiguousarray(rows, dtype=np.float64)
        if given.ndim != 2 or given.shape[1] != len(self.feature_names):
            raise ForestError(
                f"Got rows of shape {given.shape}, but the forest reads {len(self.feature_names)} columns."
            )
        scores = np.empty(len(given))
        _score_rows(self.trees, given, scores)
        return scores

    def predict_pairs(self, features: Features, treatments: Ints | None = None) -> Floats:
        """Raw score of (moment, treatment) pairs; shape (n, T), without building the cross product.

        `treatments` are the indices of those asked for, default all. Raises ForestError when the forest
        reads a feature that the set does not have.
        """
        asked = features.set.every if treatments is None else np.asarray(treatments, np.int64)
        groups = (features.account, features.channel, features.topic, features.message)
        scores = np.empty((len(features.account), len(asked)))
        score_pairs(self._ready(features, asked), groups, scores)
        return scores

    def _masks(self) -> Held:
        if "masks" not in self.memory:
            self.memory["masks"] = hold(masks_of(self.trees, len(self.feature_names)))
        return cast(Held, self.memory["masks"])

    def _places(self, features: Features) -> Places:
        """Where the features stand that splits read, by group; kept for the set of features met last."""
        kept = self.memory.get("places")
        if not isinstance(kept, tuple) or kept[0] is not features.set:
            self.check_known(features.set)
            sources = sources_of(self.feature_names, features.set)
            read = np.intersect1d(self.trees.feature, np.arange(len(self.feature_names)))
            read = read[np.argsort(sources.group[read], kind="stable")]
            start = np.searchsorted(sources.group[read], np.arange(TREATMENT + 2)).astype(np.int64)
            kept = self.memory["places"] = (features.set, Places(start, read, sources.column[read]))
        return cast(Places, kept[1])

    def _ready(self, features: Features, asked: Ints) -> Held:
        """What does not depend on the account; kept for the treatments asked for last."""
        kept, places = self.memory.get("ready"), self._places(features)
        if isinstance(kept, tuple) and kept[0] is places and same_table(kept[2], features.treatment) and (
            kept[1] is asked or np.array_equal(kept[1], asked)
        ):  # fmt: skip
            return cast(Held, kept[3])
        masks, held_places = self._masks(), hold(places)
        found = hold(Ready(masks, held_places, candidates_of(masks, held_places, features, asked)))
        own = asked if asked is features.set.every else asked.copy()
        self.memory["ready"] = (places, own, features.treatment, found)
        return found

    def check_known(self, own: FeatureSet) -> None:
        """Raises ForestError when the forest reads a feature that the set does not have."""
        known = own.names
        for name in self.feature_names:
            if name not in known:
                raise ForestError(_unknown_feature(name, known))


def same_table(one: Floats, other: Floats) -> bool:
    """Whether the facts of treatments are those of another time: mostly they are the same object."""
    return one is other or np.array_equal(one, other, equal_nan=True)


def sources_of(names: tuple[str, ...], own: FeatureSet) -> Sources:
    """Where features of these names, all of which the set has, stand."""
    groups = (own.account, own.channel, own.topic, own.message, own.treatment)
    places = {name: (code, column) for code, group in enumerate(groups) for column, name in enumerate(group)}
    found = np.array([places[name] for name in names], dtype=np.int64).reshape(-1, 2)
    return Sources(found[:, 0].copy(), found[:, 1].copy())


def pair_groups(
    features: Features, treatments: Ints
) -> tuple[tuple[Floats, Floats, Floats, Floats, Floats], tuple[Ints, Ints, Ints]]:
    """What `lay_out` reads: the groups of features; channel and topic of treatments, and those asked for."""
    groups = (features.account, features.channel, features.topic, features.message, features.treatment)
    return groups, (features.set.channel_of, features.set.topic_of, np.asarray(treatments, dtype=np.int64))


def _unknown_feature(name: str, known: tuple[str, ...]) -> str:
    near = get_close_matches(name, known, n=1)
    hint = f", near {near[0]!r}" if near else ""
    return f"The forest reads feature {name!r}, which is not known here{hint}; train a new release."


def candidates_of(masks: Held, places: Held, features: Features, asked: Ints) -> Candidates:
    """The words of treatments, and of channels, topics and messages of which nothing is known or was seen."""
    own, words = features.set, int(masks.given.word[-1])
    widths = (len(own.channel), len(own.topic), len(own.message))
    fixed = np.full((5, max(*widths, 1)), np.nan)
    for row, group in enumerate(("channel", "topic", "message")):
        fixed[row + 2, : widths[row]] = nothing_seen(group)
    of_treatment, of_fixed = (np.empty((count, words), dtype=np.uint64) for count in (len(asked), 5))
    fixed_words(masks, places, (features.treatment[asked], fixed), (of_treatment, of_fixed))
    channel, topic = own.channel_of[asked], own.topic_of[asked]
    return Candidates(channel, topic, asked, of_treatment, of_fixed, fixed[2:].copy())


@compiled
def in_categories(value: float, categories: Words) -> bool:
    """Whether a category's bit is set; negative, missing and unseen categories are not."""
    if not -1.0 < value < LARGEST_CATEGORY:
        return False
    category = int(value)
    word = category // 32
    return bool(word < categories.size and (categories[word] >> np.uint32(category % 32)) & 1)


@compiled
def below(value: float, threshold: float, decision: int) -> bool:
    """Whether a number goes left, missing ones by the split's default."""
    # All is worked out and then chosen from: a jump that cannot be foreseen costs more than the comparisons.
    unknown = np.isnan(value)
    zero = unknown | (abs(value) <= NEARLY_ZERO)
    left = (0.0 if zero else value) <= threshold
    by_default = (unknown & ((decision & MISSING_NAN) != 0)) | (zero & ((decision & MISSING_ZERO) != 0))
    return bool((decision & DEFAULT_LEFT) != 0 if by_default else left)


@compiled
def _score_rows(trees: Trees, rows: Floats, scores: Floats) -> None:
    """Raw scores of rows into `scores`. Tree after tree, so that a tree stays in the cache for all rows."""
    # Locals, since reading an array out of the tuple in the inner loop costs ten times the comparison.
    feature, threshold, decision = trees.feature, trees.threshold, trees.decision
    left, right, leaf = trees.left, trees.right, trees.leaf
    first, last, categories = trees.first, trees.last, trees.categories
    scores[:] = 0.0
    for root in trees.roots:
        for i in range(rows.shape[0]):
            place = root
            while place >= 0:
                value = rows[i, feature[place]]
                kind = decision[place]
                if kind & CATEGORICAL:
                    goes_left = in_categories(value, categories[first[place] : last[place]])
                else:
                    goes_left = below(value, threshold[place], kind)
                place = left[place] if goes_left else right[place]
            scores[i] += leaf[~place]


@compiled
def _member(block: Floats, i: int, member: int, column: int) -> float:
    return float(block[i, member, column]) if member >= 0 else np.nan


@compiled
def lay_out(
    i: int,
    sources: Sources,
    groups: tuple[Floats, Floats, Floats, Floats, Floats],
    own: tuple[Ints, Ints, Ints],
    rows: Floats,
) -> None:
    """The model rows of moment i, one per treatment asked for, into `rows` (see `pair_groups`)."""
    account, channel, topic, message, treatment = groups
    channel_of, topic_of, asked = own
    for j in range(sources.group.size):
        group, column = sources.group[j], sources.column[j]
        for k, t in enumerate(asked):
            if group == 0:
                rows[k, j] = account[i, column]
            elif group == 1:
                rows[k, j] = _member(channel, i, channel_of[t], column)
            elif group == 2:
                rows[k, j] = _member(topic, i, topic_of[t], column)
            else:
                rows[k, j] = message[i, t, column] if group == 3 else treatment[t, column]


def parse_forest(text: str) -> Forest:
    """Read the text that `Booster.model_to_string` gives. Raises ForestError."""
    return Forest(*read_trees(text))
