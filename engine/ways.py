"""Shapley values of forests, leaf by leaf: what each feature on the way to a leaf adds to a row's score.

A feature that is not yet known is averaged over the rows of the training that reached each split. What a leaf
adds depends only on which features of its way the row agrees with: for short ways all combinations are worked
out once and looked up.

Source:
    Lundberg, Erion and Lee (2018), Consistent Individualized Feature Attribution for Tree Ensembles (path
    dependent). The sum over a way is written here by its polynomial in the features that agree, which needs
    no subtraction; tables by agreement: Yang (2021), Fast TreeSHAP (version 2).
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from engine.forest import Cover, Forest, Trees
from engine.numerics import compiled
from engine.records import Bools, Floats, Ints

Words = npt.NDArray[np.uint64]

SHORT = 7
"""Ways over at most so many features have a table: 2^7 x 7 numbers for a leaf."""

WORD = 63
"""A tree of at most so many splits says in one word where it sends a row; so do its ways which of their
features agree, as a number that is not negative."""

REMEMBERED = 32
"""Of so many words a tree knows what it added; a power of two."""

KEPT = 64
"""A longer way keeps what it added for so many combinations that it met last; a power of two."""


class Memory(NamedTuple):
    """What trees added for the words that they said last, shared by all threads.

    Only `engine.way_sums` writes it, and no two at once: compiled loops hold the interpreter (no `nogil`).

    Attributes:
        word, known: By tree; shape (trees, REMEMBERED).
        sums: What the tree added for it, by its own features; shape (trees, REMEMBERED, features).
        masks: The combination in each row of a longer way's table, -1 = none; shape (longer ways, KEPT).
    """

    word: Words
    known: Bools
    sums: Floats
    masks: Ints


class Ways(NamedTuple):
    """The ways to all leaves; arrays by leaf have one more entry, the end of the last.

    Attributes:
        steps: Where a leaf's steps begin, from the leaf up to the root.
        node, left, slot: Of each step: the split, whether the way goes left there, which of the leaf's
            features it reads.
        slots: Where a leaf's features begin.
        feature, share: Of each: its column, and the share of the training's rows that pass all its splits.
        table: Where a leaf's table begins. A row of it holds what each feature adds, for the features that
            agree as the bits of its number; a longer way's, for the combinations that `memory.masks` names.
        long: Which of the longer ways a leaf's is; -1 = it is short.
        values: The tables.
        nodes: Where a tree's splits begin; shape (trees + 1,). Its leaves begin there plus its own number.
        constant: The mean score of the training's rows; shape (1,).
        begins, own: Where a tree's features begin, shape (trees + 1,), and their columns.
        place: Of each of the leaf's features: which of its tree's it is.
        turns: Where a tree's part of `against` begins, shape (trees + 1,); empty for a tree
            without a word.
        against: Of each split of a tree, going right and going left: which features of the tree's leaves do
            not agree then, a bit each in the order of `feature`, in as many words as the tree needs.
        memory: What trees added to rows explained before.
    """

    steps: Ints
    node: Ints
    left: Bools
    slot: Ints
    slots: Ints
    feature: Ints
    share: Floats
    table: Ints
    long: Ints
    values: Floats
    nodes: Ints
    constant: Floats
    begins: Ints
    own: Ints
    place: Ints
    turns: Ints
    against: Words
    memory: Memory


class _Tree(NamedTuple):
    """The way up: parents of leaves and nodes (-1 = none), and the share of the parent's rows they got."""

    leaf_parent: Ints
    node_parent: Ints
    leaf_share: Floats
    node_share: Floats


def ways_of(forest: Forest) -> Ways:
    """All ways of a forest whose text counts the rows that reached its nodes."""
    trees, up = forest.trees, _upwards(forest.trees, forest.cover)
    steps = np.zeros(len(up.leaf_parent) + 1, dtype=np.int64)
    _count_steps(up, steps)
    total, nodes = int(steps[-1]), _tree_nodes(trees)
    begins, own = _own_features(trees.feature, nodes)
    ways = Ways(
        steps, np.empty(total, np.int64), np.empty(total, np.bool_), np.empty(total, np.int64),
        np.zeros(len(steps), np.int64), np.empty(total, np.int64), np.empty(total),
        np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0), nodes, np.zeros(1), begins, own,
        np.empty(total, np.int64), np.zeros(len(nodes), np.int64), np.empty(0, np.uint64),
        _nothing_known(np.diff(begins), 0),
    )  # fmt: skip
    _fill(trees, ways, up)
    splits, leaves = np.diff(nodes), nodes + np.arange(len(nodes))
    turns = np.append(0, np.cumsum(2 * splits * _words_of(ways.slots, leaves) * (splits <= WORD)))  # counts
    ways = ways._replace(turns=turns, against=np.zeros(int(turns[-1]), np.uint64))
    _fill_words(ways)
    length = np.diff(ways.slots)
    long = length > SHORT
    sizes = np.where(long, length * KEPT, length << np.minimum(length, SHORT))
    ends = np.cumsum(sizes)  # counts
    ways = ways._replace(
        table=ends - sizes, long=np.where(long, np.cumsum(long) - 1, -1),  # counts
        values=np.zeros(int(ends[-1]) if len(ends) else 0),
        memory=_nothing_known(np.diff(begins), int(np.count_nonzero(long))),
    )  # fmt: skip
    _fill_tables(trees.leaf, ways)
    return ways


def _words_of(slots: Ints, leaves: Ints) -> Ints:
    """Words that the features of each tree's leaves need, a bit each."""
    return np.diff(slots[leaves]) // 64 + 1


def _upwards(trees: Trees, cover: Cover) -> _Tree:
    nodes, leaves = np.full(len(trees.feature), -1), np.full(len(trees.leaf), -1)
    node_share, leaf_share = np.ones(len(nodes)), np.ones(len(leaves))
    for children in (trees.left, trees.right):
        inner, last = np.flatnonzero(children >= 0), np.flatnonzero(children < 0)
        nodes[children[inner]], leaves[~children[last]] = inner, last
        node_share[children[inner]] = cover.node[children[inner]] / cover.node[inner]
        leaf_share[~children[last]] = cover.leaf[~children[last]] / cover.node[last]
    return _Tree(leaves, nodes, leaf_share, node_share)


def _tree_nodes(trees: Trees) -> Ints:
    """Where each tree's splits begin, and the end; a tree of one leaf has none, so the next begins there."""
    begins = np.append(trees.roots, len(trees.feature))
    for tree in range(len(trees.roots) - 1, -1, -1):
        if begins[tree] < 0:
            begins[tree] = begins[tree + 1]
    return begins.astype(np.int64)


def _own_features(feature: Ints, nodes: Ints) -> tuple[Ints, Ints]:
    """Where each tree's features begin, and the features."""
    own = [np.unique(feature[first:last]) for first, last in pairwise(nodes.tolist())]
    begins = np.cumsum([0, *map(len, own)])  # counts
    return begins.astype(np.int64), np.concatenate([np.empty(0, np.int64), *own])


def _nothing_known(features: Ints, longer: int) -> Memory:
    shape = (len(features), REMEMBERED)
    sums, masks = np.empty((*shape, int(features.max(initial=0)))), np.full((longer, KEPT), -1)
    return Memory(np.zeros(shape, np.uint64), np.zeros(shape, np.bool_), sums, masks)


@compiled
def _count_steps(up: _Tree, steps: Ints) -> None:
    for leaf in range(up.leaf_parent.size):
        count, parent = 0, up.leaf_parent[leaf]
        while parent >= 0:
            count, parent = count + 1, up.node_parent[parent]
        steps[leaf + 1] = steps[leaf] + count


@compiled
def _fill(trees: Trees, ways: Ways, up: _Tree) -> None:
    """Steps and features of every leaf, and the constant."""
    for leaf in range(up.leaf_parent.size):
        step, begin = ways.steps[leaf], ways.slots[leaf]
        end, child, parent, own = begin, ~leaf, up.leaf_parent[leaf], up.leaf_share[leaf]
        reached = trees.leaf[leaf]
        while parent >= 0:
            place = begin
            while place < end and ways.feature[place] != trees.feature[parent]:
                place += 1
            if place == end:
                ways.feature[place], ways.share[place] = trees.feature[parent], 1.0
                end += 1
            ways.share[place] *= own
            ways.node[step], ways.left[step] = parent, trees.left[parent] == child
            ways.slot[step] = place - begin
            reached *= own
            step, child, own, parent = step + 1, parent, up.node_share[parent], up.node_parent[parent]
        ways.slots[leaf + 1] = end
        ways.constant[0] += reached


@compiled
def _fill_words(ways: Ways) -> None:
    """Which of its tree's features each feature of a leaf is, and which way of a split does not agree."""
    for tree in range(ways.nodes.size - 1):
        first, last = ways.nodes[tree], ways.nodes[tree + 1]
        start, room = ways.slots[first + tree], ways.turns[tree + 1] - ways.turns[tree]
        for leaf in range(first + tree, last + tree + 1):
            for k in range(ways.slots[leaf], ways.slots[leaf + 1]):
                ways.place[k] = 0
                while ways.own[ways.begins[tree] + ways.place[k]] != ways.feature[k]:
                    ways.place[k] += 1
            if room:
                for step in range(ways.steps[leaf], ways.steps[leaf + 1]):
                    bit = ways.slots[leaf] + ways.slot[step] - start
                    other = 2 * (ways.node[step] - first) + (0 if ways.left[step] else 1)
                    at = ways.turns[tree] + other * (room // (2 * (last - first))) + bit // 64
                    ways.against[at] |= np.uint64(1) << np.uint64(bit % 64)


@compiled
def _fill_tables(value: Floats, ways: Ways) -> None:
    agrees, room = np.empty(SHORT, np.bool_), np.empty((2, SHORT + 1))
    for leaf in range(value.size):
        begin, length, table = ways.slots[leaf], ways.slots[leaf + 1] - ways.slots[leaf], ways.table[leaf]
        if ways.long[leaf] < 0:
            share = ways.share[begin : begin + length]
            for mask in range(1 << length):
                for k in range(length):
                    agrees[k] = (mask >> k) & 1 == 1
                first = table + mask * length
                share_out(value[leaf], share, agrees, room, ways.values[first : first + length])


@compiled
def share_out(value: float, share: Floats, agrees: Bools, room: Floats, out: Floats) -> None:
    """Shapley values of one leaf: its value where all features agree, shared among those on its way.

    A coalition reaches the leaf only if all its members agree, so that the others' shares remain: those of
    features that disagree are common to all terms.
    """
    length, agreeing, disagreeing = share.size, 0, 1.0
    for k in range(length):
        if agrees[k]:
            room[0, agreeing] = share[k]
            agreeing += 1
        else:
            disagreeing *= share[k]
    against = 0.0
    if agreeing < length:
        against = -value * disagreeing * _coalitions(room, agreeing, -1, length)
    met = 0
    for k in range(length):
        if agrees[k]:
            out[k] = value * disagreeing * (1.0 - share[k]) * _coalitions(room, agreeing, met, length)
            met += 1
        else:
            out[k] = against


@compiled
def _coalitions(room: Floats, agreeing: int, without: int, length: int) -> float:
    """Sum over the coalitions S of agreeing features, one left out, of |S|! (length - |S| - 1)! / length!
    times the shares of the agreeing features outside S."""
    count, sums = 0, room[1]
    sums[0] = 1.0
    for k in range(agreeing):
        if k == without:
            continue
        count += 1
        sums[count] = sums[count - 1]
        for size in range(count - 1, 0, -1):
            sums[size] = sums[size] * room[0, k] + sums[size - 1]
        sums[0] *= room[0, k]
    found, of_size = 0.0, 1.0 / length
    for size in range(count + 1):
        found += sums[size] * of_size
        of_size *= (size + 1.0) / max(length - size - 1.0, 1.0)
    return found
