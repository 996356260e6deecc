"""The most similar accounts: k nearest neighbours over standing traits, the same to the bit on every run.

Few accounts are compared with all others. Many are first put into cells around typical accounts
(k-prototypes, the k-means of numbers and levels together), and an account is compared with those of the
nearest cells only. Distances are added up trait by trait for many accounts side by side, so that the
processor works on several at once while each sum keeps its order.

Source:
    Huang (1998), Extensions to the k-Means Algorithm for Clustering Large Data Sets with Categorical Values;
    Jegou, Douze and Schmid (2011), Product Quantization for Nearest Neighbor Search (inverted file of cells).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from engine.expected import ranks
from engine.facts import Attribute
from engine.numerics import compiled
from engine.records import Bools, Floats, Ints

Singles = npt.NDArray[np.float32]
Places = npt.NDArray[np.int32]

EXACT_ACCOUNTS = 20_000
"""Up to so many accounts each is compared with all others."""
PROBES = 40
"""How many of the nearest cells are searched."""
_CELLS = 2.0
"""Times the root of the number of accounts: few cells take long to search, many to find."""
_ROUNDS = 6
_SAMPLE_PER_CELL = 48
_LEAST_SAMPLE = 2_000
_RANK_SPREAD = float(np.sqrt(12.0))
"""Ranks in (0, 1) times this have a variance of 1."""
_MOST_WEIGHT = 4.0
"""A difference in a rare level may not outweigh everything else."""
_PAIRS = 100_003
"""Random pairs that say how far apart accounts are; a prime, so that strides do not fall together."""


@dataclass(frozen=True)
class TraitSpace:
    """Accounts as points.

    Attributes:
        points: Shape (n, d): standardised ranks of numbers, codes of levels.
        coded: Which columns are codes: there only equal or different counts; shape (d,).
        weight: What a squared unit, or a difference of codes, adds to the squared distance; shape (d,).
    """

    points: Singles
    coded: Bools
    weight: Singles

    @property
    def metric(self) -> _Metric:
        """What the loops read."""
        return _Metric(self.coded, self.weight)


class _Metric(NamedTuple):
    """How traits count, as in `TraitSpace`."""

    coded: Bools
    weight: Singles


class _Search(NamedTuple):
    """How far a search goes: cells, and the squared distance beyond which nobody is similar."""

    probes: int
    within: float


class _Nearest(NamedTuple):
    """The nearest so far, the nearest first: places (-1 = none) and squared distances."""

    place: Places
    apart: Singles


class _Cells(NamedTuple):
    """Typical accounts (d, C) and, cell by cell, the accounts that are nearest to each (d, n)."""

    centres: Singles
    start: Ints
    packed: Singles
    members: Places


@dataclass(frozen=True)
class NeighbourIndex:
    """What the search reads; made by `build_index`."""

    space: TraitSpace
    cells: _Cells
    cell_of: Places


def trait_space(values: Floats, attributes: tuple[Attribute, ...], usual: Floats) -> TraitSpace:
    """Make traits comparable.

    Numbers become ranks (mid-ranks of ties) with a variance of 1: "twice as large" means something for 10 as
    for 10,000 employees, and no outlier decides. A number that is not known counts as the middle, and whether
    it is known as a level. Levels weigh so much that two random accounts differ as far as in a number, at
    most `_MOST_WEIGHT`.

    Args:
        values: As `features_as_of` codes attributes: numbers, codes of levels, NaN = not known; shape (n, A).
        attributes: What the columns are; shape (A,).
        usual: What accounts with such traits usually buy (`engine.expected`): a number that weighs as much as
            all traits together, so that those traits count that matter to what is bought; shape (n,).

    Returns:
        Points, in which a trait that is the same for everybody has no column.
    """
    columns = [
        column for j, attribute in enumerate(attributes) for column in _coordinates(values[:, j], attribute)
    ]
    columns.append((_standardised(usual), False, float(max(len(columns), 1))))
    kept = [column for column in columns if len(usual) and (column[0] != column[0][0]).any()]
    points = [point for point, _, _ in kept]
    return TraitSpace(
        np.ascontiguousarray(np.array(points, np.float32).reshape(len(kept), len(usual)).T),
        np.array([coded for _, coded, _ in kept], np.bool_),
        np.array([weight for _, _, weight in kept], np.float32),
    )


def _coordinates(values: Floats, attribute: Attribute) -> Iterator[tuple[Singles, bool, float]]:
    """The columns of a trait: coordinate, whether it is a code, weight."""
    known = ~np.isnan(values)
    if attribute.levels is not None:
        codes = np.where(known, values, -1.0).astype(np.float32)
        yield codes, True, _level_weight(codes)
        return
    yield _standardised(values), False, 1.0
    if not known.all():
        yield known.astype(np.float32), True, _level_weight(known.astype(np.float32))


def _standardised(values: Floats) -> Singles:
    return ((ranks(values) - 0.5) * _RANK_SPREAD).astype(np.float32)


def build_index(space: TraitSpace, *, exact_up_to: int = EXACT_ACCOUNTS) -> NeighbourIndex:
    """Put the accounts into cells; one cell where there are few."""
    points = space.points
    count = len(points)
    cells = 1 if count <= exact_up_to else int(_CELLS * np.sqrt(count))
    centres = np.ascontiguousarray(_strided(points, cells).T)
    cell = np.zeros(count, dtype=np.int32)
    if cells > 1:
        sample = _strided(points, max(cells * _SAMPLE_PER_CELL, min(_LEAST_SAMPLE, count)))
        for _ in range(_ROUNDS):
            own = _nearest_centre(sample, centres, space.metric)
            centres = _prototypes(sample, own, centres, space.coded)
        cell = _nearest_centre(points, centres, space.metric)
    order = np.argsort(cell, kind="stable")
    start = np.searchsorted(cell[order], np.arange(cells + 1)).astype(np.int64)
    packed = np.ascontiguousarray(points[order].T)
    return NeighbourIndex(space, _Cells(centres, start, packed, order.astype(np.int32)), cell)


def nearest(
    index: NeighbourIndex, rows: Ints, k: int, *, probes: int = PROBES, within: float = np.inf
) -> tuple[Places, Singles]:
    """The k most similar other accounts of each of some accounts; equally near ones by place.

    One account's neighbours do not depend on who else is asked for.

    Args:
        rows: Places of accounts in the index; shape (m,).
        k: How many.
        probes: How many cells are searched.
        within: Squared distance beyond which nobody is similar.

    Returns:
        Places, -1 where there are fewer, and squared distances; both of shape (m, k).
    """
    found = _Nearest(
        np.full((len(rows), k), -1, dtype=np.int32), np.full((len(rows), k), np.inf, dtype=np.float32)
    )
    asked = np.asarray(rows, dtype=np.int64)
    # Accounts of one cell are searched one after the other: what they read is still at hand.
    order = np.argsort(index.cell_of[asked], kind="stable")
    search = _Search(min(probes, index.cells.centres.shape[1]), within)
    _search(index.space.points, index.space.metric, index.cells, search, (asked, order, found))
    return found.place, found.apart


def typical_distance(space: TraitSpace, share: float) -> float:
    """The squared distance that this share of random pairs of accounts is below. Infinite without traits."""
    count = len(space.points)
    if count < 2 or not space.points.shape[1]:
        return np.inf
    pairs = np.arange(min(_PAIRS, count * (count - 1) // 2), dtype=np.int64)
    first = pairs * 7_919 % count
    second = (first + 1 + pairs * 104_729 % (count - 1)) % count
    distances = np.sort(_pair_distances(space.points, first, second, space.metric))
    return float(distances[min(len(distances) - 1, int(share * len(distances)))])


def _level_weight(codes: Singles) -> float:
    """Random pairs of ranks are 2 apart on average; pairs of levels shall be, too."""
    _, counts = np.unique(codes, return_counts=True)
    same = int((counts.astype(np.int64) ** 2).sum()) / max(len(codes), 1) ** 2  # counts
    return min(_MOST_WEIGHT, 2.0 / (1.0 - same)) if same < 1.0 else 0.0


def _strided(points: Singles, count: int) -> Singles:
    """So many accounts spread evenly over all."""
    count = min(count, len(points))
    return points[np.arange(count, dtype=np.int64) * len(points) // max(count, 1)]


@compiled
def _add_distances(block: Singles, point: Singles, metric: _Metric, begin: int, out: Singles) -> None:
    """Squared distances of a point to the accounts from `begin` of a (d, n) block, as many as `out` has."""
    out[:] = np.float32(0.0)
    for t in range(point.size):
        column = block[t, begin : begin + out.size]
        own, unit = point[t], metric.weight[t]
        if metric.coded[t]:
            for j in range(out.size):
                out[j] += unit if column[j] != own else np.float32(0.0)
        else:
            for j in range(out.size):
                apart = column[j] - own
                out[j] += unit * apart * apart


@compiled
def _nearest_centre(points: Singles, centres: Singles, metric: _Metric) -> Places:
    own = np.empty(points.shape[0], dtype=np.int32)
    distances = np.empty(centres.shape[1], dtype=np.float32)
    for i in range(points.shape[0]):
        _add_distances(centres, points[i], metric, 0, distances)
        own[i] = np.argmin(distances)
    return own


@compiled
def _pair_distances(points: Singles, first: Ints, second: Ints, metric: _Metric) -> Singles:
    out = np.zeros(first.size, dtype=np.float32)
    for i in range(first.size):
        for t in range(points.shape[1]):
            apart = points[first[i], t] - points[second[i], t]
            if not metric.coded[t]:
                out[i] += metric.weight[t] * apart * apart
            elif apart != np.float32(0.0):
                out[i] += metric.weight[t]
    return out


@compiled
def _mean_of_cells(column: Singles, own: Places, before: Singles) -> Singles:
    added = np.zeros(before.size)
    members = np.zeros(before.size)
    for i in range(column.size):
        added[own[i]] += column[i]
        members[own[i]] += 1.0
    centre = before.copy()
    for c in range(before.size):
        if members[c] > 0.0:
            centre[c] = np.float32(added[c] / members[c])
    return centre


@compiled
def _mode_of_cells(column: Singles, own: Places, before: Singles) -> Singles:
    """The most frequent code, the lowest among equals."""
    levels = int(column.max()) + 2
    counts = np.zeros((before.size, levels), dtype=np.int64)
    for i in range(column.size):
        counts[own[i], int(column[i]) + 1] += 1
    centre = before.copy()
    for c in range(before.size):
        best = int(np.argmax(counts[c]))
        if counts[c, best] > 0:
            centre[c] = np.float32(best - 1)
    return centre


def _prototypes(sample: Singles, own: Places, before: Singles, coded: Bools) -> Singles:
    """The typical account of each cell: means of numbers, modes of levels; empty cells stay as they were."""
    centres = [
        (_mode_of_cells if coded[t] else _mean_of_cells)(np.ascontiguousarray(sample[:, t]), own, before[t])
        for t in range(len(before))
    ]
    return np.stack(centres) if centres else before


@compiled
def _offer(nearest: _Nearest, place: int, apart: float) -> None:
    """Put an account in its place among the nearest so far; the last one falls out."""
    at = nearest.place.size - 1
    while at > 0 and (
        nearest.apart[at - 1] > apart or (nearest.apart[at - 1] == apart and nearest.place[at - 1] > place)
    ):
        nearest.apart[at], nearest.place[at] = nearest.apart[at - 1], nearest.place[at - 1]
        at -= 1
    nearest.apart[at], nearest.place[at] = apart, place


@compiled
def _compare(members: Places, out: Singles, asked: int, within: float, nearest: _Nearest) -> None:
    """Offer the accounts of one cell, whose distances are in `out`, to those found for an account."""
    last = nearest.place.size - 1
    for j in range(out.size):
        apart = out[j]
        if apart > within or apart > nearest.apart[last]:
            continue
        full = nearest.place[last] >= 0
        tied_behind = full and apart == nearest.apart[last] and members[j] > nearest.place[last]
        if members[j] != asked and not tied_behind:
            _offer(nearest, members[j], apart)


@compiled
def _search(
    points: Singles,
    metric: _Metric,
    cells: _Cells,
    search: _Search,
    asked: tuple[Ints, Ints, _Nearest],
) -> None:
    """Fill what is found for the accounts asked for, one after the other in the order given."""
    rows, order, found = asked
    widest = 0
    for c in range(cells.start.size - 1):
        widest = max(widest, cells.start[c + 1] - cells.start[c])
    buffer = np.empty(widest, dtype=np.float32)
    to_centre = np.empty(cells.centres.shape[1], dtype=np.float32)
    near = _Nearest(np.empty(search.probes, dtype=np.int32), np.empty(search.probes, dtype=np.float32))
    for q in order:
        own = _Nearest(found.place[q], found.apart[q])
        point = points[rows[q]]
        _add_distances(cells.centres, point, metric, 0, to_centre)
        near.place[:], near.apart[:] = -1, np.inf
        for c in range(to_centre.size):
            if to_centre[c] < near.apart[search.probes - 1]:
                _offer(near, c, to_centre[c])
        for cell in near.place:
            begin, end = cells.start[cell], cells.start[cell + 1]
            out = buffer[: end - begin]
            _add_distances(cells.packed, point, metric, begin, out)
            _compare(cells.members[begin:end], out, rows[q], search.within, own)
