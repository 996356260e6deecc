"""What the ways of a forest add to rows: tree by tree, what was worked out before remembered."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from engine.forest import CATEGORICAL, Forest, Trees, below, in_categories
from engine.holding import Held, hold
from engine.numerics import compiled
from engine.records import Bools, Floats, Ints
from engine.ways import KEPT, REMEMBERED, WORD, Ways, Words, share_out, ways_of


class Explaining(NamedTuple):
    """What `explain_rows` reads of a forest."""

    trees: Trees
    ways: Ways


def explaining(forest: Forest) -> Held:
    """What explains a forest whose text counts the rows that reached its nodes; made once for a forest."""
    held = forest.memory.get("ways")
    if not isinstance(held, Held):
        held = forest.memory["ways"] = hold(Explaining(forest.trees, ways_of(forest)))
    return held


@compiled
def explain_rows(ready: Held, rows: Floats, by_feature: Floats) -> None:
    """Add every leaf's contributions to those of every row; `ready` as `explaining` has it.

    Tree by tree: what a tree's splits send the same ways gets the same, which is worked out once and
    remembered for the rows to come: mostly an account with another treatment, or a little later.
    """
    trees, ways = ready.trees, ready.ways
    words, same = np.empty(rows.shape[0], np.uint64), np.arange(rows.shape[0])
    begins, own, nodes, remembered, room = ways.begins, ways.own, ways.nodes, ways.memory.sums, _room(ways)
    for tree in range(nodes.size - 1):
        first, last, begin, slot = nodes[tree], nodes[tree + 1], begins[tree], np.int64(0)
        count = begins[tree + 1] - begin
        if last - first <= WORD:
            _words(trees, rows, first, last, words)
            if words.size > 1:
                same = np.argsort(words)
        for place in range(same.size):
            i = same[place]
            if last - first > WORD:
                directions(trees, rows[i], first, last, room.goes_left)
                _add_leaves(trees, ways, tree, room)
                for k in range(count):
                    by_feature[i, own[begin + k]] += room.sums[k]
                continue
            if place == 0 or words[i] != words[same[place - 1]]:
                slot = _remembered(trees, ways, tree, words[i], room)
            for k in range(count):
                by_feature[i, own[begin + k]] += remembered[tree, slot, k]


class _Room(NamedTuple):
    """To work in.

    Attributes:
        sums: What a tree adds, by its own features.
        against: Which features of the tree's leaves do not agree, as bits.
        rows: Where the tables say what each of its leaves adds; of a tree with a word.
        goes_left: Where its splits send a row.
        agrees, pair, own: Of one way: which features agree, two rows for `_share_out`, what each adds.
    """

    sums: Floats
    against: Words
    rows: Ints
    goes_left: Bools
    agrees: Bools
    pair: Floats
    own: Floats


@compiled
def _room(ways: Ways) -> _Room:
    size, longest = ways.memory.sums.shape[2], 0
    for tree in range(ways.nodes.size - 1):
        first, last = ways.nodes[tree] + tree, ways.nodes[tree + 1] + tree + 1
        longest = max(longest, ways.slots[last] - ways.slots[first])
    return _Room(
        np.empty(size),
        np.empty(longest // 64 + 1, np.uint64),
        np.empty(WORD + 1, np.int64),
        np.empty(ways.nodes[-1], np.bool_),
        np.empty(size + 1, np.bool_),
        np.empty((2, size + 2)),
        np.empty(size + 1),
    )


@compiled
def _place(key: int | np.int64, places: int) -> np.int64:
    """Where of so many places, a power of two, something is remembered by a number."""
    mixed = np.uint64(key) * np.uint64(0x9E3779B97F4A7C15)
    return np.int64(mixed >> np.uint64(32)) & np.int64(places - 1)


@compiled
def _remembered(trees: Trees, ways: Ways, tree: int, word: int, room: _Room) -> np.int64:
    """The place of the memory that has what a tree adds where its splits send a row as the word says."""
    memory = ways.memory
    slot = _place(word, REMEMBERED)
    if not (memory.known[tree, slot] and memory.word[tree, slot] == word):
        _add_leaves_of_word(trees, ways, tree, word, room)
        sums = memory.sums[tree, slot]
        for k in range(sums.size):
            sums[k] = room.sums[k]
        memory.word[tree, slot], memory.known[tree, slot] = word, True
    return slot


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
                words[i] |= bit * np.uint64(in_categories(rows[i, column], own))
        else:
            for i in range(rows.shape[0]):
                words[i] |= bit * np.uint64(below(rows[i, column], limit, kind))


@compiled
def _disagreeing(ways: Ways, tree: int, word: int, found: Words) -> None:
    """Which features of a tree's leaves do not agree with a row that its splits send as the word says."""
    against, splits = ways.against, ways.nodes[tree + 1] - ways.nodes[tree]
    begin, room = ways.turns[tree], ways.turns[tree + 1] - ways.turns[tree]
    found[:] = 0
    for node in range(splits):
        size = room // (2 * splits)
        at = begin + (2 * node + np.int64((np.uint64(word) >> np.uint64(node)) & np.uint64(1))) * size
        for w in range(size):
            found[w] |= against[at + w]


@compiled
def _add_leaves_of_word(trees: Trees, ways: Ways, tree: int, word: int, room: _Room) -> None:
    """What the leaves of a tree add, where its splits send a row as the word says."""
    sums, against, slots, place, rows = room.sums, room.against, ways.slots, ways.place, room.rows
    table, values, longer, masks = ways.table, ways.values, ways.long, ways.memory.masks
    leaf_0, seen = ways.nodes[tree] + tree, 0.0
    leaves, start = range(leaf_0, ways.nodes[tree + 1] + tree + 1), slots[leaf_0]
    sums[:] = 0.0
    if len(leaves) == 1:
        return
    _disagreeing(ways, tree, word, against)
    for leaf in leaves:
        begin, length = slots[leaf], slots[leaf + 1] - slots[leaf]
        w, shift = (begin - start) // 64, (begin - start) % 64
        bits = against[w] >> np.uint64(shift)
        if shift + length > 64:
            bits |= against[w + 1] << np.uint64(64 - shift)
        mask = np.int64(~bits & ((np.uint64(1) << np.uint64(length)) - np.uint64(1)))
        own, row = longer[leaf], mask
        if own >= 0:
            row = _place(mask, KEPT)
        first = table[leaf] + row * length
        if own >= 0 and masks[own, row] != mask:
            _keep((trees, ways), leaf, mask, room, first)
            masks[own, row] = mask
        # Asked for now, so that all of them are on their way from memory before the first is needed.
        seen += values[first] + values[first + length - 1]
        rows[leaf - leaf_0] = first
    room.own[0] = seen
    for leaf in leaves:
        begin, first = slots[leaf], rows[leaf - leaf_0]
        for k in range(slots[leaf + 1] - begin):
            sums[place[begin + k]] += values[first + k]


@compiled
def _keep(ready: tuple[Trees, Ways], leaf: int, mask: np.int64, room: _Room, first: int) -> None:
    """Write into the tables what the features of a longer way add if those of the mask agree."""
    trees, ways = ready
    begin, end = ways.slots[leaf], ways.slots[leaf + 1]
    for k in range(end - begin):
        room.agrees[k] = (mask >> k) & 1 == 1
    out = ways.values[first : first + end - begin]
    share_out(trees.leaf[leaf], ways.share[begin:end], room.agrees, room.pair, out)


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
        if ways.long[leaf] < 0:
            mask = 0
            for k in range(length):
                if room.agrees[k]:
                    mask |= 1 << k
            row = ways.table[leaf] + mask * length
            for k in range(length):
                sums[place[begin + k]] += ways.values[row + k]
        else:
            share_out(trees.leaf[leaf], ways.share[begin : begin + length], room.agrees, room.pair, room.own)
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
