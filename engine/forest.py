"""Exact scoring of LightGBM forests over accounts x treatments, read from the model's text.

The result equals `Booster.predict(raw_score=True)` to the bit: numeric splits with missing values and
default direction, zero as missing, categorical splits, any number of leaves, constant trees. Leaves are
added in tree order. No lightgbm import.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from engine.features import Features
from engine.numerics import compiled
from engine.records import EngineError, Floats, Ints

CATEGORICAL, DEFAULT_LEFT, MISSING_ZERO, MISSING_NAN = 1, 2, 4, 8
"""Bits of a split's decision type in the model's text (the two kinds of missing exclude each other)."""
NEARLY_ZERO = float(np.float32(1e-35))
"""LightGBM reads values up to this size as zero."""
LARGEST_CATEGORY = 2.0**31
Words = npt.NDArray[np.uint32]


class ForestError(EngineError):
    """The model's text is not one that can be scored; says what was met."""


class Trees(NamedTuple):
    """All trees beside each other.

    `roots` and the children `left` and `right` are places of nodes, or ~place of a leaf. A categorical split
    has its categories as the bits of `categories[first : last]`.
    """

    roots: Ints
    feature: Ints
    threshold: Floats
    decision: Ints
    left: Ints
    right: Ints
    first: Ints
    last: Ints
    leaf: Floats
    categories: Words


class Cover(NamedTuple):
    """How many rows of its training reached each node and each leaf; 0 where the text does not say."""

    node: Floats
    leaf: Floats


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
        asked = np.arange(len(features.treatment)) if treatments is None else np.asarray(treatments, np.int64)
        groups, own = pair_groups(features, asked)
        return _score_pairs(self.trees, sources_of(self.feature_names, features), groups, own)

    def check_known(self, features: Features) -> None:
        """Raises ForestError when the forest reads a feature that the set does not have."""
        known = features.set.names
        for name in self.feature_names:
            if name not in known:
                raise ForestError(_unknown_feature(name, known))


def sources_of(names: tuple[str, ...], features: Features) -> Sources:
    """Where features of these names, all of which the set has, stand."""
    own = features.set
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
    if np.isnan(value):
        if decision & MISSING_NAN:
            return bool(decision & DEFAULT_LEFT)
        value = 0.0
    if decision & MISSING_ZERO and abs(value) <= NEARLY_ZERO:
        return bool(decision & DEFAULT_LEFT)
    return bool((0.0 if abs(value) <= NEARLY_ZERO else value) <= threshold)


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


@compiled
def _score_pairs(
    trees: Trees,
    sources: Sources,
    groups: tuple[Floats, Floats, Floats, Floats, Floats],
    own: tuple[Ints, Ints, Ints],
) -> Floats:
    """Raw scores of all pairs: an account's rows are laid out for its candidates, scored, and overwritten."""
    scores = np.empty((groups[0].shape[0], own[2].size))
    rows = np.empty((own[2].size, sources.group.size))
    for i in range(scores.shape[0]):
        lay_out(i, sources, groups, own, rows)
        _score_rows(trees, rows, scores[i])
    return scores


def parse_forest(text: str) -> Forest:
    """Read the text that `Booster.model_to_string` gives. Raises ForestError."""
    head, *blocks = text.replace("\r\n", "\n").split("\nTree=")
    settings = _settings(head)
    names = tuple(settings.get("feature_names", "").split())
    _check_head(head, settings, names)
    if len(blocks) != len(settings["tree_sizes"].split()) or (blocks and "\nend of trees" not in blocks[-1]):
        raise ForestError(
            f"The forest's text is cut off: {len(blocks)} of its trees are there or half there."
        )
    trees = [_Tree(number, block, len(names)) for number, block in enumerate(blocks)]
    return Forest(names, _beside(trees), _cover(trees))


def _settings(block: str) -> dict[str, str]:
    return {
        key: value for key, equals, value in (line.partition("=") for line in block.split("\n")) if equals
    }


def _check_head(head: str, settings: dict[str, str], names: tuple[str, ...]) -> None:
    if not head.startswith("tree\n"):
        raise ForestError("The forest's text does not begin with 'tree': it is not LightGBM model text.")
    for key in ("version", "num_class", "num_tree_per_iteration", "max_feature_idx", "tree_sizes"):
        if key not in settings:
            raise ForestError(f"The forest's text has no {key!r}: it is damaged.")
    if settings["version"] not in ("v3", "v4"):
        raise ForestError(f"The forest's text is of version {settings['version']!r}, but v3 and v4 are read.")
    if settings["num_class"] != "1" or settings["num_tree_per_iteration"] != "1":
        raise ForestError("The forest has several scores a row (multiclass); one score a row is needed.")
    if "average_output" in head.split("\n"):
        raise ForestError(
            "The forest's score is the mean of its trees (rf); train with boosting = gbdt or dart."
        )
    if settings["max_feature_idx"] != str(len(names) - 1):
        raise ForestError(f"The forest's text names {len(names)} features, but its splits count otherwise.")


class _Tree:
    """One tree of the text, checked: children come after their parent, so that no path is endless."""

    def __init__(self, number: int, block: str, features: int) -> None:
        self.number = number
        self.fields = _settings(block.partition("\nend of trees")[0])
        if self.fields.get("is_linear", "0") != "0":
            raise ForestError(f"Tree {number} is linear; train without linear_tree.")
        self.leaf = self._array("leaf_value", np.float64, int(self._array("num_leaves", np.int64, 1)[0]))
        splits = len(self.leaf) - 1
        self.feature = self._array("split_feature", np.int64, splits)
        self.threshold = self._array("threshold", np.float64, splits)
        self.decision = self._array("decision_type", np.int64, splits)
        self.left = self._array("left_child", np.int64, splits)
        self.right = self._array("right_child", np.int64, splits)
        self.cover = Cover(self._count("internal_count", splits), self._count("leaf_count", splits + 1))
        self._check_places(splits, features)
        self.boundaries, self.categories = self._categories()

    def _array(self, name: str, kind: type[np.number[Any]], size: int) -> npt.NDArray[Any]:
        try:
            found = np.array(self.fields.get(name, "").split(), dtype=kind)
        except (ValueError, OverflowError) as error:
            raise ForestError(f"Tree {self.number}: {name} is not a list of numbers ({error}).") from None
        if len(found) != size or np.isnan(found).any():
            raise ForestError(
                f"Tree {self.number}: {name} has {len(found)} values, but needs {size} numbers."
            )
        return found

    def _count(self, name: str, size: int) -> Floats:
        """Rows that reached each place; needed to explain a score, not to give it."""
        return self._array(name, np.float64, size) if name in self.fields else np.zeros(size)

    def _check_places(self, splits: int, features: int) -> None:
        children = np.concatenate([self.left, self.right])
        parents = np.tile(np.arange(splits), 2)
        once = np.unique(children).size == children.size == 2 * splits
        later = ((children < 0) & (children >= -len(self.leaf))) | (
            (children > parents) & (children < splits)
        )
        known = (self.feature >= 0) & (self.feature < features)
        if not (once and later.all() and known.all()):
            raise ForestError(f"Tree {self.number}: its splits do not make a tree over {features} features.")

    def _categories(self) -> tuple[Ints, npt.NDArray[np.uint32]]:
        """The boundaries of each categorical split's words and the words."""
        count = int(self._array("num_cat", np.int64, 1)[0]) if "num_cat" in self.fields else 0
        chosen = self.threshold[(self.decision & CATEGORICAL) > 0]
        if not count and not len(chosen):
            return np.zeros(1, dtype=np.int64), np.zeros(0, dtype=np.uint32)
        boundaries = self._array("cat_boundaries", np.int64, count + 1)
        if (np.diff(boundaries) < 0).any() or boundaries[0] != 0 or ((chosen < 0) | (chosen >= count)).any():
            raise ForestError(f"Tree {self.number}: its categorical splits point outside their categories.")
        return boundaries, self._array("cat_threshold", np.uint32, int(boundaries[-1]))


def _beside(trees: list[_Tree]) -> Trees:
    """All trees in one set of arrays: places of nodes, leaves and categories are moved by those before."""
    roots, parts = [], list(_shifted(trees))
    nodes = leaves = 0
    for tree in trees:
        roots.append(nodes if len(tree.feature) else ~leaves)
        nodes, leaves = nodes + len(tree.feature), leaves + len(tree.leaf)

    def joined(name: str, kind: type[np.number[Any]]) -> npt.NDArray[Any]:
        return np.concatenate([np.zeros(0, dtype=kind), *(part[name] for part in parts)]).astype(kind)

    return Trees(
        np.array(roots, dtype=np.int64),
        joined("feature", np.int64),
        joined("threshold", np.float64),
        joined("decision", np.int64),
        joined("left", np.int64),
        joined("right", np.int64),
        joined("first", np.int64),
        joined("last", np.int64),
        joined("leaf", np.float64),
        joined("categories", np.uint32),
    )


def _cover(trees: list[_Tree]) -> Cover:
    none = np.zeros(0)
    return Cover(
        np.concatenate([none, *(tree.cover.node for tree in trees)]),
        np.concatenate([none, *(tree.cover.leaf for tree in trees)]),
    )


def _shifted(trees: list[_Tree]) -> Iterator[dict[str, npt.NDArray[Any]]]:
    nodes = leaves = words = 0
    for tree in trees:
        split = np.where(tree.decision & CATEGORICAL, tree.threshold, 0.0).astype(np.int64)
        bounds = np.append(tree.boundaries, tree.boundaries[-1]) + words
        yield {
            "feature": tree.feature,
            "threshold": tree.threshold,
            "decision": tree.decision,
            "left": np.where(tree.left >= 0, tree.left + nodes, tree.left - leaves),
            "right": np.where(tree.right >= 0, tree.right + nodes, tree.right - leaves),
            "first": bounds[split],
            "last": bounds[split + 1],
            "leaf": tree.leaf,
            "categories": tree.categories,
        }
        nodes, leaves = nodes + len(tree.feature), leaves + len(tree.leaf)
        words += len(tree.categories)
