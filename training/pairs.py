"""Which pairs of traits have something of their own to add: a test of every pair on what is left."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from engine.records import Floats, Ints
from training.design import Design
from training.interactions import Fit, Problem, effects, otherwise, scores

MOST_PAIRS, CASES_OF_ONE = 16, 2_500
"""Pairs at most, and treated cases for each of them beyond the first."""
CLEAR_PAIR = 5.0
"""Standard errors by which the sum of squares of a pair's cells must exceed what chance gives."""
LEAST_ROWS = 30
"""Of a cell that is looked at."""


def with_clear_pairs(problem: Problem, fit: Fit, outcome: Floats, rows: Floats) -> Design:
    """The design with columns for the pairs whose cells are left with clearly more than noise.

    For each pair of traits, and for all treatments together, by channel and by topic, the mean of what is
    left is taken in every cell, in its standard errors. Where there is nothing, the sum of their squares is
    as large as the number of cells, give or take. What differs by channel or topic is not looked for twice.

    Args:
        problem: What was fitted to.
        fit: Weights of the single columns.
        outcome: Less its prognosis; shape (n,).
        rows: Model rows of the treated cases.
    """
    treatments = {
        "common": np.zeros(len(problem.place), dtype=np.int64),
        "by_channel": problem.channel[problem.place],
        "by_topic": problem.topic[problem.place],
    }
    worth, steep = effects(problem, fit, scores(problem, fit))
    rest = (outcome - otherwise(problem, fit))[problem.treated] - worth
    noise = problem.noise[problem.treated]
    slope, curvature = rest * steep / noise**2, steep**2 / noise**2
    traits = problem.design.traits
    codes = [trait.codes(rows) for trait in traits]
    clear = []
    for first, second in combinations(range(len(traits)), 2):
        cells = np.where(
            (codes[first] >= 0) & (codes[second] >= 0),
            codes[first] * len(traits[second].ranges) + codes[second],
            -1,
        )
        found = {family: _surprise(cells, group, slope, curvature) for family, group in treatments.items()}
        apart = max(found["by_channel"], found["by_topic"]) > CLEAR_PAIR
        for family, surprise in found.items():
            if surprise > CLEAR_PAIR and not (family == "common" and apart):
                clear.append((surprise, first, second, family))
    design = problem.design
    for _, first, second, family in sorted(clear, reverse=True)[
        : max(1, min(MOST_PAIRS, len(rows) // CASES_OF_ONE))
    ]:
        design = design.with_pair(traits[first], traits[second], family, rows)
    return design


def _surprise(cells: Ints, group: Ints, slope: Floats, curvature: Floats) -> float:
    """By how many standard deviations the cells' squares exceed their degrees of freedom."""
    among = (cells >= 0) & (group >= 0)
    if not among.any():
        return 0.0
    code = cells[among] * (int(group.max()) + 1) + group[among]
    counts = np.bincount(code)
    added, size = (np.bincount(code, weights=values[among]) for values in (slope, curvature))
    used = (counts >= LEAST_ROWS) & (size > 0.0)
    if used.sum() < 2:
        return 0.0
    squares = added[used] ** 2 / size[used]
    return float((squares.sum() - used.sum()) / np.sqrt(2.0 * used.sum()))
