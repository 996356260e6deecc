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

from engine.forest import CATEGORICAL, Cover, Forest, Trees, below, in_categories
from engine.numerics import compiled
from engine.records import Bools, Floats, Ints

Words = npt.NDArray[np.uint64]

SHORT = 7
"""Ways over at most so many features have a table: 2^7 x 7 numbers for a leaf."""

WORD = 64
"""A tree of at most so many splits says in one word where it sends a row."""

REMEMBERED = 32
"""Of so many words a tree knows what it added; a power of two."""


class Memory(NamedTuple):
    """What trees added for the words that they said last, shared by all threads.

    Only `explain_rows` writes it, and no two at once: compiled loops hold the interpreter (no `nogil`).

    Attributes:
        word, known: By tree; shape (trees, REMEMBERED).
        sums: What the tree added for it, by its own features; shape (trees, REMEMBERED, features).
    """

    word: Words
    known: Bools
    sums: Floats


class Ways(NamedTuple):
    """The ways to all leaves; arrays by leaf have one more entry, the end of the last.

    Attributes:
        steps: Where a leaf's steps begin, from the leaf up to the root.
        node, left, slot: Of each step: the split, whether the way goes left there, which of the leaf's
            features it reads.
        slots: Where a leaf's features begin.
        feature, share: Of each: its column, and the share of the training's rows that pass all its splits.
        table: Where a leaf's table begins; -1 = it has none. A row of it holds what each feature adds, for
            the features that agree as the bits of its number.
        values: The tables.
        nodes: Where a tree's splits begin; shape (trees + 1,). Its leaves begin there plus its own number.
        constant: The mean score of the training's rows; shape (1,).
        begins, own: Where a tree's features begin, shape (trees + 1,), and their columns.
        place: Of each of the leaf's features: which of its tree's it is.
        asks, goes: Of the same, as bits of its tree's word: its splits, and those of them that go left. For
            trees that have no word they say nothing.
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
    values: Floats
    nodes: Ints
    constant: Floats
    begins: Ints
    own: Ints
    place: Ints
    asks: Words
    goes: Words
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
        np.full(len(up.leaf_parent), -1), np.empty(0), nodes, np.zeros(1), begins, own,
        np.empty(total, np.int64), np.zeros(total, np.uint64), np.zeros(total, np.uint64),
        _nothing_known(np.diff(begins)),
    )  # fmt: skip
    _fill(trees, ways, up)
    _fill_words(ways)
    length = np.diff(ways.slots)
    sizes = np.where(length <= SHORT, length << np.minimum(length, SHORT), 0)
    ends = np.cumsum(sizes)  # counts
    table = np.where(length <= SHORT, ends - sizes, -1)
    ways = ways._replace(table=table, values=np.zeros(int(ends[-1]) if len(ends) else 0))
    _fill_tables(trees.leaf, ways)
    return ways


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


def _nothing_known(features: Ints) -> Memory:
    shape = (len(features), REMEMBERED)
    sums = np.empty((*shape, int(features.max(initial=0))))
    return Memory(np.zeros(shape, np.uint64), np.zeros(shape, np.bool_), sums)


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
    """Which of its tree's features each feature of a leaf is, and what it asks of the tree's word."""
    for tree in range(ways.nodes.size - 1):
        first, last = ways.nodes[tree], ways.nodes[tree + 1]
        for leaf in range(first + tree, last + tree + 1):
            for k in range(ways.slots[leaf], ways.slots[leaf + 1]):
                ways.place[k] = 0
                while ways.own[ways.begins[tree] + ways.place[k]] != ways.feature[k]:
                    ways.place[k] += 1
            if last - first <= WORD:
                for step in range(ways.steps[leaf], ways.steps[leaf + 1]):
                    bit = np.uint64(1 << (ways.node[step] - first))
                    k = ways.slots[leaf] + ways.slot[step]
                    ways.asks[k] |= bit
                    if ways.left[step]:
                        ways.goes[k] |= bit


@compiled
def _fill_tables(value: Floats, ways: Ways) -> None:
    agrees, room = np.empty(SHORT, np.bool_), np.empty((2, SHORT + 1))
    for leaf in range(value.size):
        begin, length, table = ways.slots[leaf], ways.slots[leaf + 1] - ways.slots[leaf], ways.table[leaf]
        if table >= 0:
            share = ways.share[begin : begin + length]
            for mask in range(1 << length):
                for k in range(length):
                    agrees[k] = (mask >> k) & 1 == 1
                first = table + mask * length
                _share_out(value[leaf], share, agrees, room, ways.values[first : first + length])


@compiled
def explain_rows(trees: Trees, ways: Ways, rows: Floats, by_feature: Floats) -> None:
    """Add every leaf's contributions to those of every row.

    Tree by tree: what a tree's splits send the same ways gets the same, which is worked out once and
    remembered for the rows to come: mostly an account with another treatment, or a little later.
    """
    words, same = np.empty(rows.shape[0], np.uint64), np.arange(rows.shape[0])
    begins, own, room = ways.begins, ways.own, _room(ways)
    for tree in range(ways.nodes.size - 1):
        first, last = ways.nodes[tree], ways.nodes[tree + 1]
        count, sums = begins[tree + 1] - begins[tree], room.sums
        if last - first <= WORD:
            _words(trees, rows, first, last, words)
            if words.size > 1:
                same = np.argsort(words)
        for place in range(same.size):
            i = same[place]
            if last - first > WORD:
                directions(trees, rows[i], first, last, room.goes_left)
                _add_leaves(trees, ways, tree, room)
            elif place == 0 or words[i] != words[same[place - 1]]:
                sums = _of_word(trees, ways, tree, words[i], room)
            for k in range(count):
                by_feature[i, own[begins[tree] + k]] += sums[k]


class _Room(NamedTuple):
    """To work in.

    Attributes:
        sums: What a tree adds, by its own features.
        goes_left: Where its splits send a row.
        agrees, pair, own: Of one way: which features agree, two rows for `_share_out`, what each adds.
    """

    sums: Floats
    goes_left: Bools
    agrees: Bools
    pair: Floats
    own: Floats


@compiled
def _room(ways: Ways) -> _Room:
    size = ways.memory.sums.shape[2]
    return _Room(
        np.empty(size),
        np.empty(ways.nodes[-1], np.bool_),
        np.empty(size + 1, np.bool_),
        np.empty((2, size + 2)),
        np.empty(size + 1),
    )


@compiled
def _of_word(trees: Trees, ways: Ways, tree: int, word: int, room: _Room) -> Floats:
    """What a tree adds where its splits send a row as the word says, by its own features."""
    memory = ways.memory
    mixed = np.uint64(word) * np.uint64(0x9E3779B97F4A7C15)
    slot = np.int64(mixed >> np.uint64(32)) & (REMEMBERED - 1)
    sums: Floats = memory.sums[tree, slot]
    if not (memory.known[tree, slot] and memory.word[tree, slot] == word):
        _add_leaves_of_word(trees, ways, tree, word, room)
        sums[:] = room.sums
        memory.word[tree, slot], memory.known[tree, slot] = word, True
    return sums


@compiled
def _words(trees: Trees, rows: Floats, first: int, last: int, words: Words) -> None:
    """Where the splits of a tree send each row, a bit each."""
    # Locals, since reading an array out of the tuple in the inner loop costs ten times the comparison.
    feature, threshold, decision = trees.feature, trees.threshold, trees.decision
    begins, ends, categories = trees.first, trees.last, trees.categories
    words[:] = 0
    for node in range(first, last):
        column, limit, kind, bit = (
            feature[node],
            threshold[node],
            decision[node],
            np.uint64(1 << (node - first)),
        )
        if kind & CATEGORICAL:
            own = categories[begins[node] : ends[node]]
            for i in range(rows.shape[0]):
                if in_categories(rows[i, column], own):
                    words[i] |= bit
        else:
            for i in range(rows.shape[0]):
                if below(rows[i, column], limit, kind):
                    words[i] |= bit


@compiled
def _add_leaves_of_word(trees: Trees, ways: Ways, tree: int, word: int, room: _Room) -> None:
    """What the leaves of a tree add, where its splits send a row as the word says."""
    sums, slots, place, table, values = room.sums, ways.slots, ways.place, ways.table, ways.values
    asks, goes = ways.asks, ways.goes
    sums[:] = 0.0
    for leaf in range(ways.nodes[tree] + tree, ways.nodes[tree + 1] + tree + 1):
        begin, length = slots[leaf], slots[leaf + 1] - slots[leaf]
        if table[leaf] >= 0:
            mask = 0
            for k in range(length):
                if (word ^ goes[begin + k]) & asks[begin + k] == 0:
                    mask |= 1 << k
            row = table[leaf] + mask * length
            for k in range(length):
                sums[place[begin + k]] += values[row + k]
        else:
            for k in range(length):
                room.agrees[k] = (word ^ goes[begin + k]) & asks[begin + k] == 0
            _share_out(trees.leaf[leaf], ways.share[begin : begin + length], room.agrees, room.pair, room.own)
            for k in range(length):
                sums[place[begin + k]] += room.own[k]


@compiled
def _add_leaves(trees: Trees, ways: Ways, tree: int, room: _Room) -> None:
    """What the leaves of a tree without a word add, into the sums of its features."""
    sums, goes_left, place = room.sums, room.goes_left, ways.place
    steps, node, left, slot, slots = ways.steps, ways.node, ways.left, ways.slot, ways.slots
    sums[:] = 0.0
    for leaf in range(ways.nodes[tree] + tree, ways.nodes[tree + 1] + tree + 1):
        begin, length = slots[leaf], slots[leaf + 1] - slots[leaf]
        room.agrees[:length] = True
        for step in range(steps[leaf], steps[leaf + 1]):
            if goes_left[node[step]] != left[step]:
                room.agrees[slot[step]] = False
        if ways.table[leaf] >= 0:
            mask = 0
            for k in range(length):
                if room.agrees[k]:
                    mask |= 1 << k
            row = ways.table[leaf] + mask * length
            for k in range(length):
                sums[place[begin + k]] += ways.values[row + k]
        else:
            _share_out(trees.leaf[leaf], ways.share[begin : begin + length], room.agrees, room.pair, room.own)
            for k in range(length):
                sums[place[begin + k]] += room.own[k]


@compiled
def directions(trees: Trees, row: Floats, first: int, last: int, goes_left: Bools) -> None:
    """Where each split from `first` to `last` sends the row."""
    feature, threshold, decision = trees.feature, trees.threshold, trees.decision
    begins, ends, categories = trees.first, trees.last, trees.categories
    for node in range(first, last):
        value, kind = row[feature[node]], decision[node]
        if kind & CATEGORICAL:
            goes_left[node] = in_categories(value, categories[begins[node] : ends[node]])
        else:
            goes_left[node] = below(value, threshold[node], kind)


@compiled
def _share_out(value: float, share: Floats, agrees: Bools, room: Floats, out: Floats) -> None:
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
