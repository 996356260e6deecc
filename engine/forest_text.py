"""A forest's trees, read from the text that LightGBM writes of its model. No lightgbm import."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

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


def read_trees(text: str) -> tuple[tuple[str, ...], Trees, Cover]:
    """Names of features, trees and how many rows reached their places, from what `Booster.model_to_string`
    gives. Raises ForestError."""
    head, *blocks = text.replace("\r\n", "\n").split("\nTree=")
    settings = _settings(head)
    names = tuple(settings.get("feature_names", "").split())
    _check_head(head, settings, names)
    if len(blocks) != len(settings["tree_sizes"].split()) or (blocks and "\nend of trees" not in blocks[-1]):
        raise ForestError(
            f"The forest's text is cut off: {len(blocks)} of its trees are there or half there."
        )
    trees = [_Tree(number, block, len(names)) for number, block in enumerate(blocks)]
    return names, _beside(trees), _cover(trees)


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
