"""Shapley values of forests: what each feature adds to the score of a row.

A feature that is not yet known is averaged over the rows of the training that reached each split. On the way
to a leaf stand some features; of feature j the row passes all splits (a_j = 1) or not (a_j = 0), and a share
s_j of the rows that came so far passes them. The leaf with value v adds to feature i

    v (a_i - s_i) x integral from 0 to 1 of the product over j != i of (t a_j + (1 - t) s_j) dt,

a polynomial in t, which Gauss's rule integrates without error: eight points are enough for ways of sixteen
features. What leaves below a split have in common is multiplied once on the way down and added up once on the
way back, the points side by side.

Source:
    Lundberg, Erion and Lee (2018), Consistent Individualized Feature Attribution for Tree Ensembles (path
    dependent); Owen (1972), Multilinear Extensions of Games (the integral); Yu, Xu, Liu and Bifet (2022),
    Linear TreeShap (what leaves have in common).
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from engine.forest import CATEGORICAL, Cover, Forest, ForestError, Trees, below, in_categories
from engine.gauss import points_and_weights
from engine.holding import Held, hold
from engine.lanes import WIDTH, choose, load, spread, store
from engine.numerics import compiled
from engine.records import Floats, Ints

Words = npt.NDArray[np.uint64]

WORD = 64
"""A tree of at most so many splits says in one word where it sends a row."""


class Paths(NamedTuple):
    """The ways to all leaves, by splits.

    Edges are 2 x split + (0 left, 1 right), both counted within the tree; a tree's last edge means "none".

    Attributes:
        nodes: Where a tree's splits begin, shape (trees + 1,). Its leaves begin there plus its own number,
            its edges at twice that plus its own number.
        child: Where each edge leads: a split of its tree, or its number of splits plus a leaf of its tree.
        before: Of each split, the last edge above that decides on the same feature.
        feature: Of each split, which of its tree's features it reads.
        share, inverse: Of each edge, the share of the training's rows that pass it and all edges above that
            decide on the same feature, and one over it.
        rounds: Of each tree, how often eight points are needed.
        starts: Where a tree's part of `reciprocal` begins.
        reciprocal: One over t + (1 - t) x share, of each round, edge and point.
        points, weights: Of the rules, one behind the other; that of r rounds begins at 4 r (r - 1).
        begins, own: Where a tree's features begin, shape (trees + 1,), and their columns.
        constant: The mean score of the training's rows; shape (1,).
    """

    nodes: Ints
    child: Ints
    before: Ints
    feature: Ints
    share: Floats
    inverse: Floats
    rounds: Ints
    starts: Ints
    reciprocal: Floats
    points: Floats
    weights: Floats
    begins: Ints
    own: Ints
    constant: Floats


class _Explaining(NamedTuple):
    trees: Trees
    paths: Paths


def explaining(forest: Forest) -> Held:
    """What explains a forest; made once for it.

    Raises:
        ForestError: Its text does not count the rows that reached its nodes.
    """
    held = forest.memory.get("paths")
    if not isinstance(held, Held):
        if not (forest.cover.node > 0.0).all():
            raise ForestError(
                "The forest's text does not say how many rows reached its splits (internal_count), so its "
                "score cannot be explained; train a new release."
            )
        held = forest.memory["paths"] = hold(_Explaining(forest.trees, _paths_of(forest.trees, forest.cover)))
    return held


# -- the ways ---------------------------------------------------------------------------------------


def _paths_of(trees: Trees, cover: Cover) -> Paths:
    nodes, splits = _tree_nodes(trees), len(trees.feature)
    begins, own, feature = _own_features(trees.feature, nodes)
    child, before = np.empty(2 * splits, np.int64), np.empty(splits, np.int64)
    share, longest, constant = (
        np.ones(2 * splits + len(trees.roots)),
        np.zeros(len(trees.roots), np.int64),
        np.zeros(1),
    )
    _lay(trees, cover, nodes, _Laid(child, before, share, longest, constant))
    rounds = -(-longest // (2 * WIDTH))
    inverse = np.divide(1.0, share, out=np.zeros(len(share)), where=share > 0.0)
    rules = [points_and_weights(WIDTH * count) for count in range(1, int(rounds.max(initial=1)) + 1)]
    starts = np.append(0, np.cumsum(rounds * WIDTH * (2 * np.diff(nodes) + 1)))  # counts
    paths = Paths(
        nodes, child, before, feature, share, inverse, rounds, starts, np.empty(int(starts[-1])),
        np.concatenate([points for points, _ in rules]), np.concatenate([weights for _, weights in rules]),
        begins, own, constant,
    )  # fmt: skip
    _fill(paths)
    return paths


def _tree_nodes(trees: Trees) -> Ints:
    """Where each tree's splits begin, and the end; a tree of one leaf has none, so the next begins there."""
    begins = np.append(trees.roots, len(trees.feature))
    for tree in range(len(trees.roots) - 1, -1, -1):
        if begins[tree] < 0:
            begins[tree] = begins[tree + 1]
    return begins.astype(np.int64)


def _own_features(feature: Ints, nodes: Ints) -> tuple[Ints, Ints, Ints]:
    """Where each tree's features begin, the features, and which of them each split reads."""
    found = [np.unique(feature[first:last], return_inverse=True) for first, last in pairwise(nodes.tolist())]
    begins = np.cumsum([0, *(len(own) for own, _ in found)])  # counts
    nothing = np.empty(0, np.int64)
    own, places = ([nothing, *(pair[part] for pair in found)] for part in (0, 1))
    return begins.astype(np.int64), np.concatenate(own), np.concatenate(places)


class _Laid(NamedTuple):
    """What `_lay` fills; `longest` is the number of features of each tree's longest way."""

    child: Ints
    before: Ints
    share: Floats
    longest: Ints
    constant: Floats


@compiled
def _lay(trees: Trees, cover: Cover, nodes: Ints, laid: _Laid) -> None:
    above = np.empty(trees.feature.size, np.int64)  # the edge that leads to each split, -1 to the first
    met = np.empty(trees.feature.size, np.int64)  # how many features were met above
    for tree in range(nodes.size - 1):
        first, last = nodes[tree], nodes[tree + 1]
        splits, edges, leaves = last - first, 2 * first + tree, first + tree
        if splits == 0:
            laid.constant[0] += trees.leaf[leaves]
        else:
            above[first], met[first] = -1, 0
        for node in range(first, last):
            edge, features = above[node], met[node]
            while edge >= 0 and trees.feature[first + edge // 2] != trees.feature[node]:
                edge = above[first + edge // 2]
            if edge < 0:
                edge, features = 2 * splits, features + 1
            laid.before[node], laid.longest[tree] = edge, max(laid.longest[tree], features)
            for side in range(2):
                to, own = (trees.left[node], trees.right[node])[side], 2 * (node - first) + side
                if to >= 0:
                    above[to], met[to], rows = own, features, cover.node[to]
                    laid.child[2 * first + own] = to - first
                else:
                    rows = cover.leaf[~to]
                    laid.child[2 * first + own] = splits + ~to - leaves
                    laid.constant[0] += trees.leaf[~to] * (rows / cover.node[first])
                laid.share[edges + own] = laid.share[edges + edge] * (rows / cover.node[node])


@compiled
def _fill(paths: Paths) -> None:
    """The reciprocals of every tree, round, edge and point."""
    for tree in range(paths.rounds.size):
        count, edges = paths.rounds[tree], 2 * paths.nodes[tree] + tree
        place, rule = paths.starts[tree], 4 * count * (count - 1)
        for turn in range(count):
            for edge in range(edges, 2 * paths.nodes[tree + 1] + tree + 1):
                for t in paths.points[rule + turn * WIDTH : rule + turn * WIDTH + WIDTH]:
                    paths.reciprocal[place] = 1.0 / (t + (1.0 - t) * paths.share[edge])
                    place += 1


# -- rows -------------------------------------------------------------------------------------------


class _Room(NamedTuple):
    """To work in, for the largest tree.

    Attributes:
        goes: 1 where a split sends the row to the left, else 0.
        agrees: Of each edge: 1 if the row passes it and all above that decide on the same feature.
        flow: At each split and leaf, eight points: on the way down the product of what is above, on the way
            up the sum of what is below.
        turned: What each of the tree's features adds, eight points; `sums`: that in one number.
    """

    goes: Ints
    agrees: Ints
    flow: Floats
    turned: Floats
    sums: Floats


@compiled
def _room(nodes: Ints) -> _Room:
    largest = 0
    for tree in range(nodes.size - 1):
        largest = max(largest, nodes[tree + 1] - nodes[tree])
    return _Room(
        np.empty(largest, np.int64),
        np.empty(2 * largest + 1, np.int64),
        np.empty((2 * largest + 1) * WIDTH),
        np.empty(largest * WIDTH),
        np.empty(largest),
    )


@compiled
def explain_rows(ready: Held, rows: Floats, by_feature: Floats) -> None:
    """Add the contributions of all trees to those of every row; `ready` as `explaining` has it.

    Tree by tree: what a tree's splits send the same ways gets the same, which is worked out once.

    Args:
        rows, by_feature: Shape (n, features of the forest).
    """
    trees, paths, columns = ready.trees, ready.paths, np.ascontiguousarray(rows.T)
    words, same = np.empty(rows.shape[0], np.uint64), np.arange(rows.shape[0])
    nodes, begins, own, room = paths.nodes, paths.begins, paths.own, _room(paths.nodes)
    for tree in range(nodes.size - 1):
        first, last, begin, end = nodes[tree], nodes[tree + 1], begins[tree], begins[tree + 1]
        one_word = last - first <= WORD
        if one_word:
            _words(trees, columns, first, last, words)
            if words.size > 1:
                same = np.argsort(words)
        for place in range(same.size):
            i = same[place]
            if not one_word:
                directions(trees, rows[i], first, last, room.goes)
                _add_leaves(trees, paths, tree, room)
            elif place == 0 or words[i] != words[same[place - 1]]:
                for node in range(last - first):
                    room.goes[node] = np.int64((words[i] >> np.uint64(node)) & np.uint64(1))
                _add_leaves(trees, paths, tree, room)
            for k in range(begin, end):
                by_feature[i, own[k]] += room.sums[k - begin]


@compiled
def _words(trees: Trees, columns: Floats, first: int, last: int, words: Words) -> None:
    """Where the splits of a tree send each row, a bit each; `columns` are the rows, feature by feature."""
    # Locals, since reading an array out of the tuple in the inner loop costs ten times the comparison.
    feature, threshold, decision = trees.feature, trees.threshold, trees.decision
    begins, ends, categories = trees.first, trees.last, trees.categories
    words[:] = 0
    for node in range(first, last):
        column, limit, kind = columns[feature[node]], threshold[node], decision[node]
        bit = np.uint64(1) << np.uint64(node - first)
        if kind & CATEGORICAL:
            own = categories[begins[node] : ends[node]]
            for i in range(words.size):
                words[i] |= bit * np.uint64(in_categories(column[i], own))
        else:
            for i in range(words.size):
                words[i] |= bit * np.uint64(below(column[i], limit, kind))


@compiled
def directions(trees: Trees, row: Floats, first: int, last: int, goes: Ints) -> None:
    """Whether each split from `first` to `last` sends the row to the left, 1 or 0."""
    feature, threshold, decision = trees.feature, trees.threshold, trees.decision
    begins, ends, categories = trees.first, trees.last, trees.categories
    for node in range(first, last):
        value, kind = row[feature[node]], decision[node]
        if kind & CATEGORICAL:
            goes[node - first] = in_categories(value, categories[begins[node] : ends[node]])
        else:
            goes[node - first] = below(value, threshold[node], kind)


@compiled
def _add_leaves(trees: Trees, paths: Paths, tree: int, room: _Room) -> None:
    """What a tree adds where its splits send a row as `room.goes` says, into `room.sums`."""
    room.sums[:] = 0.0
    count = paths.begins[tree + 1] - paths.begins[tree]
    for turn in range(paths.rounds[tree]):
        _down(trees, paths, tree, turn, room)
        _up(paths, tree, turn, room)
        for k in range(count):
            for point in range(k * WIDTH, (k + 1) * WIDTH):
                room.sums[k] += room.turned[point]


@compiled
def _down(trees: Trees, paths: Paths, tree: int, turn: int, room: _Room) -> None:
    """The product of what is above every leaf, times the weight of the point and the value of the leaf.

    A feature that agrees has the factor t + (1 - t) s, another one (1 - t) s, of its last edge.
    """
    first, goes, agrees, flow = paths.nodes[tree], room.goes, room.agrees, room.flow
    child, before, share, inverse = paths.child, paths.before, paths.share, paths.inverse
    splits, edges, rule = paths.nodes[tree + 1] - first, 2 * first + tree, _rule_of(paths, tree, turn)
    known, table = paths.reciprocal, paths.starts[tree] + turn * (2 * splits + 1) * WIDTH
    t, one = load(paths.points, rule), spread(1.0)
    rest, agrees[2 * splits] = one - t, 1
    unrest = one / rest
    store(flow, 0, load(paths.weights, rule))
    for node in range(splits):
        above = before[first + node]
        on, there = agrees[above] != 0, 2 * node + 1 - goes[node]
        other = 4 * node + 1 - there
        agrees[there], agrees[other] = on, 0
        left = choose(on, load(known, table + above * WIDTH), spread(inverse[edges + above]) * unrest)
        product = load(flow, node * WIDTH) * left
        averaged = spread(share[edges + there]) * rest
        store(flow, child[2 * first + there] * WIDTH, product * choose(on, averaged + t, averaged))
        store(flow, child[2 * first + other] * WIDTH, product * (spread(share[edges + other]) * rest))
    for leaf in range(splits + 1):
        place = (splits + leaf) * WIDTH
        store(flow, place, load(flow, place) * spread(trees.leaf[first + tree + leaf]))


@compiled
def _up(paths: Paths, tree: int, turn: int, room: _Room) -> None:
    """What leaves below every edge have in common, times what its feature takes of it more than at the edge
    above that decided on it: (1 - s) / (t + (1 - t) s) where it agrees, -1 / (1 - t) where it does not."""
    first, goes, agrees, flow, turned = paths.nodes[tree], room.goes, room.agrees, room.flow, room.turned
    child, before, feature, share = paths.child, paths.before, paths.feature, paths.share
    splits, edges = paths.nodes[tree + 1] - first, 2 * first + tree
    known, table = paths.reciprocal, paths.starts[tree] + turn * (2 * splits + 1) * WIDTH
    one, nothing = spread(1.0), spread(0.0)
    gone = nothing - one / (one - load(paths.points, _rule_of(paths, tree, turn)))
    for k in range(paths.begins[tree + 1] - paths.begins[tree]):
        store(turned, k * WIDTH, nothing)
    for node in range(splits - 1, -1, -1):
        above = before[first + node]
        on, there = agrees[above] != 0, 2 * node + 1 - goes[node]
        other = 4 * node + 1 - there
        passing, failing = (
            load(flow, child[2 * first + there] * WIDTH),
            load(flow, child[2 * first + other] * WIDTH),
        )
        store(flow, node * WIDTH, passing + failing)
        so_far = spread(1.0 - share[edges + above]) * load(known, table + above * WIDTH)
        now = spread(1.0 - share[edges + there]) * load(known, table + there * WIDTH)
        so_far, now = choose(on, so_far, gone), choose(on, now, gone)
        place = feature[first + node] * WIDTH
        added = (now - so_far) * passing + (gone - so_far) * failing
        store(turned, place, load(turned, place) + added)


@compiled
def _rule_of(paths: Paths, tree: int, turn: int) -> int:
    """Where eight points of a tree's rule stand."""
    count: int = paths.rounds[tree]
    return 4 * count * (count - 1) + turn * WIDTH
