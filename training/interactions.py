"""Effects as linear scores of traits by channel and topic, estimated together with what is left of prognosis.

    outcome = expected otherwise + nuisance . traits + effect of the treatment
    effect  = scale x e^score  or  offset + scale x score        (see engine.readers.Effects)

A score is what the traits add to all treatments, to those of the channel and to those of the topic. Whatever
the prognosis leaves of the difference between accounts is taken by the nuisance, which speaks of everybody,
and not by the effects of those who were contacted. Weights are drawn towards 0 by priors whose widths, like
the kind of effect, are those that predict best what followed for accounts that were not seen.

Source:
    Robinson (1988), Root-N-consistent semiparametric regression, for partialling out; Hoerl and Kennard
    (1970), Ridge Regression.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import numpy.typing as npt

from engine.linear import Linear, columns_of
from engine.readers import LARGEST_SCORE, LEAST_SCORE, Effects
from engine.records import Bools, Floats, Ints
from training.cases import Cases
from training.constants import Constants
from training.design import Design
from training.splits import folds_of

FOLDS = 3
WIDTHS = (0.02, 0.05, 0.12, 0.3)
"""Prior standard deviations of weights that are tried; a score of 1 is an effect of the size of the mean."""
FIRST_WIDTH = 0.08
NUISANCE_WIDTH = 3.0
"""Of the nuisance's weights, in standard deviations of the noise: hardly drawn towards 0."""
STEPS = 4
"""Of Gauss and Newton, from the beginning; half of them from a fit that is near."""
SMALLEST_PART = 0.1
"""Of the typical effect: no treatment's effects are thought to vary by less."""
Singles = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Problem:
    """What is fitted to, and by which columns.

    Attributes:
        known: What holds for all accounts alike.
        design: Columns of the score.
        names: Of the model rows.
        columns: The design's columns and a last one of 1 for the treated cases; shape (n_treated, B + 1).
        place: Of their treatment in `known.learned`; shape (n_treated,).
        weights_of: For each learned treatment, which weights add which columns: (weights, columns).
        treated: Which cases those are, as indices; shape (n_treated,).
        nuisance: Columns of everybody; shape (n, N).
        fold: Of each case, by account; shape (n,).
        noise: Standard deviation of what followed around its expectation; shape (n,).
        channel, topic: Codes of those of each learned treatment; shape (m,).
    """

    known: Constants
    design: Design
    names: tuple[str, ...]
    columns: Singles
    place: Ints
    weights_of: tuple[tuple[Ints, Ints], ...]
    treated: Ints
    nuisance: Singles
    fold: Ints
    noise: Floats
    channel: Ints
    topic: Ints

    @property
    def size(self) -> int:
        """How many weights the score has."""
        return int(max(weights.max() for weights, _ in self.weights_of)) + 1


@dataclass(frozen=True)
class Fit:
    """Weights that were found.

    Attributes:
        curved: Which treatments' scores are logarithms; shape (m,).
        offset, scale: Of each treatment's effect; shape (m,).
        weights: Of the score, then of the nuisance; shape (p + N,).
        widths: Prior standard deviations of the weights of single columns, and of pairs.
    """

    curved: Bools
    offset: Floats
    scale: Floats
    weights: Floats
    widths: tuple[float, float] = (FIRST_WIDTH, FIRST_WIDTH)


def problem_of(
    cases: Cases, known: Constants, design: Design, rows: Floats, everybody: tuple[Floats, Floats]
) -> Problem:
    """Lay out what is fitted.

    Args:
        cases: Of learned treatments.
        known: What holds for all of them alike.
        design: Columns of the score.
        rows: Model rows of the treated ones.
        everybody: Columns of the nuisance, shape (n, N), and the noise, shape (n,).
    """
    treated = np.flatnonzero(cases.action > 0)
    place = np.searchsorted(known.learned, cases.action[treated])
    ones = np.ones((len(rows), 1), dtype=np.float32)
    columns = np.concatenate([columns_of(design.basis, rows).astype(np.float32), ones], axis=1)
    weights = _weights_of(cases, known, design)
    fold = folds_of(cases.account_ids, FOLDS, seed=0)
    own = cases.features.set
    groups = (own.channel_of[known.learned], own.topic_of[known.learned])
    nuisance = everybody[0].astype(np.float32)
    return Problem(
        known, design, own.names, columns, place, weights, treated, nuisance, fold, everybody[1], *groups
    )


def _weights_of(cases: Cases, known: Constants, design: Design) -> tuple[tuple[Ints, Ints], ...]:
    """Weights: of common columns, of each channel's, of each topic's, and one of each treatment's own."""
    own = [cases.playbook.treatments[index] for index in known.learned]
    blocks: dict[tuple[str, str], int] = {}
    size = 0
    asked = []
    for place, treatment in enumerate(own):
        parts = [("common", "", design.common), ("channel", treatment.channel, design.by_channel)]
        parts += [("topic", treatment.topic, design.by_topic)] if treatment.topic else []
        parts += [("own", str(place), np.zeros(0, dtype=np.bool_))]
        weights, columns = [], []
        for kind, name, used in parts if place else parts[-1:]:
            added = np.flatnonzero(used) if kind != "own" else np.array([len(design.common)])
            if (kind, name) not in blocks:
                blocks[kind, name], size = size, size + len(added)
            weights.append(blocks[kind, name] + np.arange(len(added)))
            columns.append(added)
        asked.append((np.concatenate(weights), np.concatenate(columns)))
    return tuple(asked)


def begin(problem: Problem, *, curved: bool) -> Fit:
    """Before anything is fitted: every effect is that of its treatment.

    Args:
        problem: What is to be fitted.
        curved: Whether scores are logarithms, where the mean effect is clearly positive.
    """
    uplift, error = problem.known.uplift, problem.known.error
    typical = SMALLEST_PART * float(np.sqrt(np.mean(uplift[1:] ** 2)))
    scale = np.maximum.reduce([np.abs(uplift), error, np.full(len(uplift), max(typical, 1e-9))])
    bent = (uplift > error) & curved
    return Fit(bent, np.where(bent, 0.0, uplift), scale, np.zeros(problem.size + problem.nuisance.shape[1]))


def scores(problem: Problem, fit: Fit, weights: Floats | None = None) -> Floats:
    """Of each treated case's own treatment; shape (n_treated,)."""
    used = fit.weights if weights is None else weights
    found = np.zeros(len(problem.place))
    for place, per_column in enumerate(_by_column(problem, used).T):
        own = problem.place == place
        found[own] = problem.columns[own] @ per_column.astype(np.float32)
    return found


def effects(problem: Problem, fit: Fit, at: Floats) -> tuple[Floats, Floats]:
    """Effect of each treated case at a score, and its slope there, in currency; shapes (n_treated,)."""
    scale, curved = fit.scale[problem.place], fit.curved[problem.place]
    bent = scale * np.exp(np.clip(at, LEAST_SCORE, LARGEST_SCORE))
    return np.where(curved, bent, fit.offset[problem.place] + scale * at), np.where(curved, bent, scale)


def otherwise(problem: Problem, fit: Fit, weights: Floats | None = None) -> Floats:
    """What the nuisance says of everybody; shape (n,)."""
    used = (fit.weights if weights is None else weights)[problem.size :]
    return (problem.nuisance @ used.astype(np.float32)).astype(np.float64)


def released(problem: Problem, fit: Fit) -> Effects:
    """The same for serving."""
    weights = _by_column(problem, fit.weights)
    linear = Linear(problem.names, problem.design.basis, weights[-1].copy(), weights[:-1].copy())
    return Effects(linear, fit.offset, fit.scale, fit.curved)


def _by_column(problem: Problem, weights: Floats) -> Floats:
    """What each column adds to each treatment's score; shape (B + 1, m)."""
    found = np.zeros((problem.columns.shape[1], len(problem.weights_of)))
    for place, (own, columns) in enumerate(problem.weights_of):
        np.add.at(found[:, place], columns, weights[own])
    found[:, 0] = 0.0  # no contact
    return found


def improved(problem: Problem, fit: Fit, outcome: Floats, *, steps: int) -> Fit:
    """Some steps towards the best weights for an outcome less its prognosis; shape (n,)."""
    for step in range(steps):
        parts = _normal_equations(problem, fit, outcome)
        moved = _solved(problem, fit, parts, fit.widths)
        fit = replace(fit, weights=fit.weights + (moved if step else 0.7 * moved))
    return fit


def with_best_widths(problem: Problem, fit: Fit, outcome: Floats) -> tuple[Fit, float]:
    """The fit with the prior widths that predict accounts best that were not seen, and its error there, in
    squares of the noise."""
    parts = _normal_equations(problem, fit, outcome)
    pairs = WIDTHS if problem.design.paired.any() else WIDTHS[:1]
    errors = {}
    for widths in product(WIDTHS, pairs):
        errors[widths] = 0.0
        for fold, (curvature, slope) in enumerate(parts):
            moved = _solved(problem, fit, [*parts[:fold], *parts[fold + 1 :]], widths)
            errors[widths] += float(moved @ curvature @ moved - 2.0 * slope @ moved)
    best = min(errors, key=lambda widths: errors[widths])
    error = 0.0
    for fold in range(len(parts)):
        moved = _solved(problem, fit, [*parts[:fold], *parts[fold + 1 :]], best)
        rest = _rest(problem, fit, outcome, fit.weights + moved) / problem.noise
        error += float((rest[problem.fold == fold] ** 2).sum())
    return replace(fit, widths=best), error / len(outcome)


def _rest(problem: Problem, fit: Fit, outcome: Floats, weights: Floats | None = None) -> Floats:
    rest = outcome - otherwise(problem, fit, weights)
    rest[problem.treated] -= effects(problem, fit, scores(problem, fit, weights))[0]
    return rest


def _normal_equations(problem: Problem, fit: Fit, outcome: Floats) -> list[tuple[Floats, Floats]]:
    """For each fold curvature and slope of half the squared error, in units of the noise."""
    rest = _rest(problem, fit, outcome) / problem.noise
    slopes = effects(problem, fit, scores(problem, fit))[1]
    steepness = (slopes / problem.noise[problem.treated]).astype(np.float32)
    return [_of_fold(problem, fold, rest, steepness) for fold in range(FOLDS)]


def _of_fold(problem: Problem, fold: int, rest: Floats, steepness: Singles) -> tuple[Floats, Floats]:
    size = problem.size
    whole = size + problem.nuisance.shape[1]
    curvature, slope = np.zeros((whole, whole)), np.zeros(whole)
    mine = problem.fold == fold
    nuisance = problem.nuisance / problem.noise[:, None].astype(np.float32)
    everybody = nuisance[mine]
    curvature[size:, size:] = everybody.T @ everybody
    slope[size:] = everybody.T @ rest[mine].astype(np.float32)
    for place, (weights, columns) in enumerate(problem.weights_of):
        rows = np.flatnonzero((problem.place == place) & mine[problem.treated])
        if not place or not len(rows):
            continue
        cases = problem.treated[rows]
        jacobian = problem.columns[rows] * steepness[rows, None]
        square = (jacobian.T @ jacobian)[np.ix_(columns, columns)]
        curvature[np.ix_(weights, weights)] += square
        curvature[weights, size:] += (jacobian.T @ nuisance[cases])[columns]
        slope[weights] += (jacobian.T @ rest[cases].astype(np.float32))[columns]
    curvature[size:, :size] = curvature[:size, size:].T
    return curvature, slope


def _solved(
    problem: Problem,
    fit: Fit,
    parts: Sequence[tuple[Floats, Floats]],
    widths: tuple[float, float],
) -> Floats:
    """The step to the best weights under the prior, as some folds see it."""
    penalty = _penalty(problem, fit, widths)
    curvature: Floats = np.zeros((len(penalty), len(penalty)))
    np.fill_diagonal(curvature, penalty)
    slope = -penalty * fit.weights
    for more, steeper in parts:
        curvature += more
        slope += steeper
    found: Floats = np.asarray(np.linalg.solve(curvature, slope), dtype=np.float64)
    return found


def _penalty(problem: Problem, fit: Fit, widths: tuple[float, float]) -> Floats:
    """One over the prior variance of each weight; treatments' own differ as much as is uncertain of them."""
    width = np.full(len(fit.weights), NUISANCE_WIDTH * problem.noise.mean())
    spread = np.append(np.where(problem.design.paired, widths[1], widths[0]), 0.0)
    for place, (weights, columns) in enumerate(problem.weights_of):
        width[weights] = spread[columns]
        width[weights[-1]] = np.clip(problem.known.error[place] / fit.scale[place], 0.02, 1.0)
    return 1.0 / width**2
