"""Scores of accounts x treatments with each split looked at once: per account, channel, topic or treatment.

The leaves of a tree are the bits of its words, from left to right. A split that sends its value right rules
out the leaves on its left: their bits are cleared. Whatever order splits are looked at in, the first bit that
is left is the leaf that is reached. So the splits on the account's features are looked at once for all its
candidates, those on the candidate's once for all accounts, and a score is the sum over the trees, in their
order, of the leaf at the first bit of the AND.

Source:
    Lucchese et al. (2015), QuickScorer: a Fast Algorithm to Rank Documents with Additive Ensembles of
    Regression Trees.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, cast

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from engine.forest_text import (
    CATEGORICAL,
    DEFAULT_LEFT,
    LARGEST_CATEGORY,
    MISSING_NAN,
    MISSING_ZERO,
    NEARLY_ZERO,
    Trees,
    Words,
)
from engine.holding import Held
from engine.numerics import compiled
from engine.records import Bools, Floats, Ints

Bits = npt.NDArray[np.uint64]
ACCOUNT, CHANNEL, TOPIC, MESSAGE, TREATMENT = range(5)
"""Groups of features."""
BLOCK = 64
"""Words of one candidate that are combined at a time, so that those of all candidates stay in the cache."""
_ALL = np.uint64(0xFFFFFFFFFFFFFFFF)


class Entries(NamedTuple):
    """What values rule out: for feature f the entries `start[f]` to `start[f + 1]`, each a word of the forest
    and the bits of it that are left."""

    start: Ints
    word: Ints
    left: Bits


class Masks(NamedTuple):
    """A forest by its splits rather than by its trees.

    Attributes:
        numeric, threshold: Ruled out by values above the threshold; ascending by it within a feature.
        missing, zero: Ruled out by a value that is missing, or zero.
        coded, first, last, categories: Ruled out by values that are not among categories[first : last].
        word: The first word of each tree; one more entry for the end; shape (trees + 1,).
        block: The first tree of each block; one more entry for the end.
        base: Place of each tree's first leaf; shape (trees,).
        leaf: Values of leaves, from left to right, tree after tree.
    """

    numeric: Entries
    threshold: Floats
    missing: Entries
    zero: Entries
    coded: Entries
    first: Ints
    last: Ints
    categories: Words
    word: Ints
    block: Ints
    base: Ints
    leaf: Floats


class Places(NamedTuple):
    """Features by group: those of group g are feature[start[g] : start[g + 1]], at `column` of the group."""

    start: Ints
    feature: Ints
    column: Ints


class Candidates(NamedTuple):
    """Treatments that are scored, and what of their words does not depend on the account.

    Attributes:
        channel, topic, place: Of each; -1 = it has none; shape (m,).
        treatment: Words after the splits on the candidate's own features; shape (m, words).
        fixed: Words of a channel and topic that there is none of, shape (2, words), then of channel, topic
            and message where nothing was seen; shape (5, words).
        nothing: What nothing seen reads like, by group and column; shape (3, widest).
    """

    channel: Ints
    topic: Ints
    place: Ints
    treatment: Bits
    fixed: Bits
    nothing: Floats


class Ready(NamedTuple):
    """All that scores are made of besides what is known of accounts: `Masks`, `Places`, `Candidates`."""

    masks: Held
    places: Held
    candidates: Candidates


def masks_of(trees: Trees, features: int) -> Masks:
    """The splits of a forest that reads so many features."""
    sizes = _leaves(trees)
    words = np.maximum((sizes + 63) // 64, 1)
    word = np.append(0, np.cumsum(words)).astype(np.int64)  # counts
    leaf = np.append(0, np.cumsum(sizes)).astype(np.int64)  # counts
    order = np.empty(int(leaf[-1]), dtype=np.int64)
    spans = np.zeros((trees.feature.size, 2), dtype=np.int64)
    for tree, root in enumerate(trees.roots):
        _walk(trees, int(root), int(leaf[tree]), order, spans)
    cleared = _cleared(np.repeat(np.arange(len(sizes)), sizes - 1), spans, leaf[:-1], word)
    entries = [_entries(trees, features, kind, cleared) for kind in _kinds(trees)]
    numeric, coded = entries[0][0], entries[3][0]
    return Masks(
        numeric,
        trees.threshold[entries[0][1]],
        entries[1][0],
        entries[2][0],
        coded,
        trees.first[entries[3][1]],
        trees.last[entries[3][1]],
        trees.categories,
        word,
        _blocks(word),
        leaf[:-1],
        trees.leaf[order],
    )


def _leaves(trees: Trees) -> Ints:
    """How many leaves each tree has: its splits and one; splits of a tree stand together."""
    grown = trees.roots >= 0
    sizes = np.ones(len(trees.roots), dtype=np.int64)
    sizes[grown] += np.diff(np.append(trees.roots[grown], trees.feature.size))
    return sizes


def _kinds(trees: Trees) -> tuple[Bools, Bools, Bools, Bools]:
    """Which splits rule out by threshold, by a missing value, by zero, and by category."""
    coded = (trees.decision & CATEGORICAL) > 0
    default_right = (trees.decision & DEFAULT_LEFT) == 0
    of_zero = np.where((trees.decision & MISSING_ZERO) > 0, default_right, ~(trees.threshold >= 0.0))
    of_missing = np.where((trees.decision & MISSING_NAN) > 0, default_right, of_zero)
    return ~coded, ~coded & of_missing, ~coded & of_zero, coded


def _entries(
    trees: Trees, features: int, kind: Bools, cleared: tuple[Ints, Ints, Bits]
) -> tuple[Entries, Ints]:
    """The entries of splits of a kind by feature, then threshold, and the split of each."""
    node, at, left = cleared
    rows = np.flatnonzero(kind[node])
    rows = rows[np.lexsort((at[rows], trees.threshold[node[rows]], trees.feature[node[rows]]))]
    start = np.searchsorted(trees.feature[node[rows]], np.arange(features + 1)).astype(np.int64)
    return Entries(start, at[rows], left[rows]), node[rows]


@compiled
def _cleared(tree_of: Ints, spans: Ints, leaf: Ints, word: Ints) -> tuple[Ints, Ints, Bits]:
    """For every split the words that its left side has leaves in, and the bits that are left without them."""
    count = 0
    for node in range(tree_of.size):
        first = leaf[tree_of[node]]
        count += (spans[node, 1] - 1 - first) // 64 - (spans[node, 0] - first) // 64 + 1
    nodes, words = np.empty(count, dtype=np.int64), np.empty(count, dtype=np.int64)
    left = np.empty(count, dtype=np.uint64)
    e = 0
    for node in range(tree_of.size):
        tree = tree_of[node]
        first, last = spans[node, 0] - leaf[tree], spans[node, 1] - leaf[tree]
        for place in range(first // 64, (last - 1) // 64 + 1):
            low, high = max(first - 64 * place, 0), min(last - 64 * place, 64)
            within = (_ALL >> np.uint64(64 - (high - low))) << np.uint64(low)
            nodes[e], words[e], left[e] = node, word[tree] + place, ~within
            e += 1
    return nodes, words, left


@compiled
def _walk(trees: Trees, root: int, leaf: int, order: Ints, spans: Ints) -> None:
    """Number the leaves under a root from left to right; `spans`: those on the left of each split."""
    stack = np.empty(trees.feature.size + 1, dtype=np.int64)
    stack[0] = root
    height = 1
    while height > 0:
        height -= 1
        place = stack[height]
        if place < 0:
            order[leaf] = ~place
            leaf += 1
            continue
        if spans[place, 1] == 0 and spans[place, 0] == 0:
            # First its left side, then the split again, then its right side.
            spans[place, 0] = leaf
            spans[place, 1] = -1
            stack[height] = place
            stack[height + 1] = trees.left[place]
            height += 2
        else:
            spans[place, 1] = leaf
            stack[height] = trees.right[place]
            height += 1


def _blocks(word: Ints) -> Ints:
    """Trees in blocks of at most `BLOCK` words, a larger tree alone."""
    starts = [0]
    for tree in range(1, len(word)):
        if word[tree] - word[starts[-1]] > BLOCK and tree - 1 > starts[-1]:
            starts.append(tree - 1)
    return np.array([*starts, len(word) - 1], dtype=np.int64)


def _count_trailing_zeros(_context: Any, _word: Any) -> Any:
    """Place of the lowest bit of a word that has one: one instruction, for which Python has no word."""

    def generate(_: Any, builder: Any, __: Any, given: Any) -> Any:
        return builder.cttz(given[0], ir.Constant(ir.IntType(1), 1))

    return types.uint64(types.uint64), generate


_first_bit = cast(Callable[[np.uint64], int], intrinsic(_count_trailing_zeros))


@compiled
def rule_out(masks: Held, places: Held, group: int | np.int64, row: Floats, words: Bits) -> None:
    """AND what the values of one row of a group leave of the words."""
    # Arrays are taken out of what is held once: to read them there costs more than to use them.
    coded, missing, zero, numeric = masks.coded, masks.missing, masks.zero, masks.numeric
    coded_start, coded_word, coded_left = coded.start, coded.word, coded.left
    missing_start, missing_word, missing_left = missing.start, missing.word, missing.left
    zero_start, zero_word, zero_left = zero.start, zero.word, zero.left
    start, word, left, threshold = numeric.start, numeric.word, numeric.left, masks.threshold
    feature, column, categories, first, last = (
        places.feature, places.column, masks.categories, masks.first, masks.last
    )  # fmt: skip
    for p in range(places.start[group], places.start[group + 1]):
        f = feature[p]
        value = row[column[p]]
        for e in range(coded_start[f], coded_start[f + 1]):
            if not _among(value, categories, first[e], last[e]):
                words[coded_word[e]] &= coded_left[e]
        if np.isnan(value):
            for e in range(missing_start[f], missing_start[f + 1]):
                words[missing_word[e]] &= missing_left[e]
        elif abs(value) <= NEARLY_ZERO:
            for e in range(zero_start[f], zero_start[f + 1]):
                words[zero_word[e]] &= zero_left[e]
        else:
            for e in range(start[f], start[f + 1]):
                if value <= threshold[e]:
                    break
                words[word[e]] &= left[e]


@compiled
def _among(value: float, categories: Words, first: int, last: int) -> bool:
    if not -1.0 < value < LARGEST_CATEGORY:
        return False
    category = int(value)
    word = first + category // 32
    return bool(word < last and (categories[word] >> np.uint32(category % 32)) & np.uint32(1))


@compiled
def fixed_words(masks: Held, places: Held, rows: tuple[Floats, Floats], words: tuple[Bits, Bits]) -> None:
    """Fill the words of candidates and those that are `Candidates.fixed`, from rows of their values."""
    treatment, fixed = rows
    of_treatment, of_fixed = words
    of_treatment[:] = _ALL
    of_fixed[:] = _ALL
    # A number that is known beforehand would be compiled for by itself: hence np.int64, here and below.
    for k in range(of_treatment.shape[0]):
        rule_out(masks, places, np.int64(TREATMENT), treatment[k], of_treatment[k])
    for k in range(of_fixed.shape[0]):
        rule_out(masks, places, (CHANNEL, TOPIC, CHANNEL, TOPIC, MESSAGE)[k], fixed[k], of_fixed[k])


@compiled
def _same(row: Floats, other: Floats) -> bool:
    for j in range(row.size):  # noqa: SIM110 - compiled
        if not (row[j] == other[j] or (np.isnan(row[j]) and np.isnan(other[j]))):
            return False
    return True


@compiled
def _copy(given: Bits, words: Bits) -> None:
    """A loop, since numba words what went wrong where an array does not fit, which takes long to compile."""
    for w in range(words.size):
        words[w] = given[w]


@compiled
def _see(ready: Held, group: int | np.int64, rows: Floats, words: Bits, which: Ints) -> None:
    """The words of an account's channels, topics or messages, and in which row those of each stand: of what
    nothing was seen, or no split asks for, they are those of the row after the last."""
    masks, places, candidates = ready.masks, ready.places, ready.candidates
    asks = places.start[group + 1] > places.start[group]
    nothing = candidates.nothing[group - CHANNEL, : rows.shape[1]]
    _copy(candidates.fixed[group + 1], words[rows.shape[0]])
    for k in range(rows.shape[0]):
        which[k] = rows.shape[0]
        if asks and not _same(rows[k], nothing):
            which[k] = k
            words[k] = _ALL
            rule_out(masks, places, group, rows[k], words[k])


@compiled
def _join(parts: tuple[Bits, Bits, Bits, Bits, Bits], joined: Bits) -> None:
    """AND of five rows; each begins at 0, so that the loop is done several words at a time."""
    one, other, third, fourth, fifth = parts
    for w in range(joined.size):
        joined[w] = one[w] & other[w] & third[w] & fourth[w] & fifth[w]


@compiled
def score_pairs(ready: Held, groups: tuple[Floats, Floats, Floats, Floats], scores: Floats) -> None:
    """Raw scores of all moments and candidates, (n, m), from the groups account, channel, topic, message, by
    what is held ready."""
    masks, places, candidates = ready.masks, ready.places, ready.candidates
    account, channel, topic, message = groups
    m, count = candidates.place.size, masks.word[-1]
    of_account = np.empty(count, dtype=np.uint64)
    # After the members two rows: of what nothing was seen, and of a candidate that has none.
    of_channel = np.empty((channel.shape[1] + 2, count), dtype=np.uint64)
    of_topic = np.empty((topic.shape[1] + 2, count), dtype=np.uint64)
    of_message = np.empty((m + 1, count), dtype=np.uint64)
    _copy(candidates.fixed[0], of_channel[-1])
    _copy(candidates.fixed[1], of_topic[-1])
    channels, topics = np.full(channel.shape[1] + 1, -1), np.full(topic.shape[1] + 1, -1)
    messages, asked = np.empty(m, dtype=np.int64), np.empty((m, message.shape[2]))
    joined = np.empty((m, _widest(masks)), dtype=np.uint64)
    for i in range(scores.shape[0]):
        of_account[:] = _ALL
        rule_out(masks, places, np.int64(ACCOUNT), account[i], of_account)
        _see(ready, np.int64(CHANNEL), channel[i], of_channel, channels)
        _see(ready, np.int64(TOPIC), topic[i], of_topic, topics)
        for k in range(m):
            for j in range(asked.shape[1]):
                asked[k, j] = message[i, candidates.place[k], j]
        _see(ready, np.int64(MESSAGE), asked, of_message, messages)
        scores[i] = 0.0
        for b in range(masks.block.size - 1):
            first, last = masks.word[masks.block[b]], masks.word[masks.block[b + 1]]
            for k in range(m):
                parts = (
                    of_account[first:last],
                    of_channel[channels[candidates.channel[k]], first:last],
                    of_topic[topics[candidates.topic[k]], first:last],
                    of_message[messages[k], first:last],
                    candidates.treatment[k, first:last],
                )
                _join(parts, joined[k, : last - first])
            add_leaves(masks, b, joined, scores[i])


@compiled
def _widest(masks: Held) -> int:
    """Words of the largest block."""
    widest = 1
    for b in range(masks.block.size - 1):
        widest = max(widest, masks.word[masks.block[b + 1]] - masks.word[masks.block[b]])
    return widest


@compiled
def add_leaves(masks: Held, block: int, joined: Bits, scores: Floats) -> None:
    """Add the leaves of a block's trees to the scores of all candidates, tree after tree."""
    word, base, leaf = masks.word, masks.base, masks.leaf
    begin = word[masks.block[block]]
    for tree in range(masks.block[block], masks.block[block + 1]):
        first, last = word[tree] - begin, word[tree + 1] - begin
        at = base[tree]
        if last == first + 1:
            for k in range(scores.size):
                scores[k] += leaf[at + np.int64(_first_bit(joined[k, first]))]
        else:
            for k in range(scores.size):
                w = first
                while joined[k, w] == np.uint64(0):
                    w += 1
                scores[k] += leaf[at + 64 * (w - first) + np.int64(_first_bit(joined[k, w]))]
