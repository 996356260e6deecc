"""Effects as linear scores of traits by channel and topic, estimated together with what is left of prognosis.

    outcome = expected otherwise + nuisance . traits + effect of the treatment
    effect  = scale x e^score  or  offset + scale x score        (see engine.readers.Effects)

A score is what the traits add to all treatments, to those of the channel and to those of the topic. Whatever
the prognosis leaves of the difference between accounts is taken by the nuisance, which speaks of everybody,
and not by the effects of those who were contacted. Weights are drawn towards 0 by priors: what a trait adds
to channels, or to topics, or to all, has a width of its own, the likeliest, so that traits that do not matter
fall silent. The kind of effect is the one that predicts best what followed for accounts that were not seen.

Source:
    Robinson (1988), Root-N-consistent semiparametric regression, for partialling out; MacKay (1992), Bayesian
    Interpolation, for the widths.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.linalg import LinAlgError, cho_solve, cholesky
from scipy.linalg.lapack import dpotri

from engine.linear import Linear, columns_of
from engine.readers import LARGEST_SCORE, LEAST_SCORE, Effects
from engine.records import Bools, Floats, Ints
from training.cases import Cases
from training.constants import Constants
from training.design import Design
from training.splits import folds_of

FOLDS = 3
FIRST_WIDTH = 0.08
"""Prior standard deviation of weights to begin with; a score of 1 is an effect of the size of the mean."""
NARROWEST, WIDEST = 0.002, 1.0
ROUNDS = 6
"""Of finding the likeliest widths; twice as many at last."""
NUISANCE_WIDTH = 3.0
"""Of the nuisance's weights, in standard deviations of the noise: hardly drawn towards 0."""
STEADYING = (0.0, 1e-7, 1e-6, 1e-5, 1e-3)
"""Shares of the largest curvature that are added to all, tried in turn."""
LEAST_MISFIT = 1e-12
"""Of the mean squared rest, in squares of the noise: 0 where no case has any outcome."""
DAMPING = (0.0, 1e-6, 1e-4, 1e-2, 1.0)
"""Shares of each weight's own curvature that are added to it, tried until a step does not lead upwards."""
UPWARDS = 1e-3
"""Of what is to become small: less is rounding, or a curve."""
BLOCK = 32_768
"""Rows whose products are summed at a time; what is held in double precision stays small."""
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
        weights_of: For each learned treatment, which weights add which columns: (weights, columns); the last
            is the treatment's own, the one before it that of all treatments.
        group: Of each weight, those with the same prior; -1 = one of no trait; shape (p,).
        treated: Which cases those are, as indices; shape (n_treated,).
        nuisance: Columns of everybody; shape (n, N).
        fold: Of each case, by account; shape (n,).
        noise: Standard deviation of what followed around its expectation; shape (n,).
        channel, topic: Codes of those of each learned treatment; shape (m,).
        memory: What was found and stays the same for every fit.
    """

    known: Constants
    design: Design
    names: tuple[str, ...]
    columns: Singles
    place: Ints
    weights_of: tuple[tuple[Ints, Ints], ...]
    group: Ints
    treated: Ints
    nuisance: Singles
    fold: Ints
    noise: Floats
    channel: Ints
    topic: Ints
    memory: dict[Any, Floats] = field(default_factory=dict, compare=False, repr=False)

    @property
    def size(self) -> int:
        """How many weights the score has."""
        return len(self.group)


@dataclass(frozen=True)
class Fit:
    """Weights that were found.

    Attributes:
        curved: Which treatments' scores are logarithms; shape (m,).
        offset, scale: Of each treatment's effect; shape (m,).
        weights: Of the score, then of the nuisance; shape (p + N,).
        widths: Prior standard deviations of the weights, by group.
    """

    curved: Bools
    offset: Floats
    scale: Floats
    weights: Floats
    widths: Floats


def problem_of(
    cases: Cases,
    known: Constants,
    design: Design,
    rows: Floats,
    everybody: tuple[Floats | Singles, Floats],
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
    weights, group = _weights_of(cases, known, design)
    fold = folds_of(cases.account_ids, FOLDS, seed=0)
    own = cases.features.set
    groups = (own.channel_of[known.learned], own.topic_of[known.learned])
    nuisance = everybody[0].astype(np.float32)
    return Problem(
        known, design, own.names, columns, place, weights, group, treated, nuisance, fold, everybody[1],
        *groups,
    )  # fmt: skip


def _weights_of(cases: Cases, known: Constants, design: Design) -> tuple[tuple[tuple[Ints, Ints], ...], Ints]:
    """Weights: of common columns, of each channel's, of each topic's, one of all treatments and one of each
    treatment's own; and the group of each."""
    own = [cases.playbook.treatments[index] for index in known.learned]
    ones, silent = np.array([len(design.common)]), np.array([-1])
    columns = {
        "common": np.flatnonzero(design.common), "channel": np.flatnonzero(design.by_channel),
        "topic": np.flatnonzero(design.by_topic), "all": ones, "own": ones,
    }  # fmt: skip
    groups, last = dict.fromkeys(("all", "own"), silent), 0
    for kind in ("common", "channel", "topic"):
        pairs = np.stack([design.basis.first, design.basis.second], axis=1)[columns[kind]]
        _, code = np.unique(pairs, axis=0, return_inverse=True)
        groups[kind] = code.reshape(-1) + last
        last += int(code.max(initial=-1)) + 1
    blocks: dict[tuple[str, str], Ints] = {}
    group: list[Ints] = []
    asked = []
    for place, treatment in enumerate(own):
        parts = [("common", ""), ("channel", treatment.channel), ("topic", treatment.topic), ("all", "")]
        parts = [part for part in parts if part[1] or part[0] != "topic"] if place else []
        for block in [*parts, ("own", str(place))]:
            if block not in blocks:
                blocks[block] = sum(map(len, group)) + np.arange(len(columns[block[0]]))
                group.append(groups[block[0]])
        used = [*parts, ("own", str(place))]
        weights = np.concatenate([blocks[block] for block in used])
        asked.append((weights, np.concatenate([columns[block[0]] for block in used])))
    return tuple(asked), np.concatenate(group)


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
    weights = np.zeros(problem.size + problem.nuisance.shape[1])
    widths = np.full(int(problem.group.max(initial=-1)) + 1, FIRST_WIDTH)
    return Fit(bent, np.where(bent, 0.0, uplift), scale, weights, widths)


def scores(problem: Problem, fit: Fit) -> Floats:
    """Of each treated case's own treatment; shape (n_treated,)."""
    found = np.zeros(len(problem.place))
    for place, per_column in enumerate(_by_column(problem, fit.weights).T):
        own = problem.place == place
        found[own] = problem.columns[own] @ per_column.astype(np.float32)
    return found


def effects(problem: Problem, fit: Fit, at: Floats) -> tuple[Floats, Floats]:
    """Effect of each treated case at a score, and its slope there, in currency; shapes (n_treated,)."""
    scale, curved = fit.scale[problem.place], fit.curved[problem.place]
    bent = scale * np.exp(np.clip(at, LEAST_SCORE, LARGEST_SCORE))
    return np.where(curved, bent, fit.offset[problem.place] + scale * at), np.where(curved, bent, scale)


def otherwise(problem: Problem, fit: Fit) -> Floats:
    """What the nuisance says of everybody; shape (n,)."""
    used = fit.weights[problem.size :]
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


def improved(
    problem: Problem, fit: Fit, outcome: Floats, *, steps: int, folds: Sequence[int] = tuple(range(FOLDS))
) -> Fit:
    """Some steps towards the best weights for an outcome less its prognosis, shape (n,), in some folds."""
    for step in range(steps):
        fit = _stepped(problem, fit, outcome, folds, share=1.0 if step else 0.7)
    return fit


def _stepped(problem: Problem, fit: Fit, outcome: Floats, folds: Sequence[int], *, share: float) -> Fit:
    """A share of the step to the best weights that does not lead upwards.

    Where scores are logarithms the step to the best of the tangents can go much too far, the next one
    farther. One that leads upwards is tried with more damping (Levenberg 1944; Marquardt 1963); if all do
    the fit stays.
    """
    parts = _normal_equations(problem, fit, outcome, folds)
    most = (1.0 + UPWARDS) * _misfit(problem, fit, outcome, folds)
    for damping in DAMPING:
        moved = _solved(problem, fit, parts, damping=damping)
        found = replace(fit, weights=fit.weights + share * moved)
        if _misfit(problem, found, outcome, folds) <= most:
            return found
    return fit


def _misfit(problem: Problem, fit: Fit, outcome: Floats, folds: Sequence[int]) -> float:
    """Squared errors in squares of the noise, and of the weights in those of their prior."""
    rest = (_rest(problem, fit, outcome) / problem.noise)[np.isin(problem.fold, folds)]
    return float(rest @ rest + _penalty(problem, fit) @ fit.weights**2)


def with_likeliest_widths(problem: Problem, fit: Fit, outcome: Floats, *, rounds: int = ROUNDS) -> Fit:
    """The fit with the widths of its priors under which what followed is likeliest.

    Of each group the width is the root of its weights' mean square, counting a weight by how much of it the
    data and not the prior have determined; repeated, groups that only follow noise become narrow.
    """
    parts = _normal_equations(problem, fit, outcome, range(FOLDS))
    noise = max(float(((_rest(problem, fit, outcome) / problem.noise) ** 2).mean()), LEAST_MISFIT)
    curvature = sum(part[0] for part in parts) / noise
    slope = sum(part[1] for part in parts) / noise + curvature @ fit.weights
    among = np.flatnonzero(problem.group >= 0)
    group, found = problem.group[among], fit
    for _ in range(rounds):
        penalty = _penalty(problem, found)
        factor = lower_factor(curvature + np.diag(penalty))
        weights = cho_solve((factor, True), slope)
        determined = np.maximum(1.0 - penalty * np.diag(dpotri(factor, lower=1)[0]), 0.0)
        size = np.bincount(group, weights[among] ** 2, len(found.widths))
        counted = np.bincount(group, determined[among], len(found.widths))
        widths = np.sqrt(size / np.maximum(counted, 1e-9))
        found = replace(found, weights=weights, widths=np.clip(widths, NARROWEST, WIDEST))
    return found


def lower_factor(curvature: Floats) -> Floats:
    """Its lower Cholesky factor. Where columns are nearly the same, products in single precision may leave
    it not positive definite; then it is made so by the least share of its size that does."""
    size = np.eye(len(curvature)) * float(curvature.diagonal().max())
    for share in STEADYING[:-1]:
        try:
            return np.asarray(cholesky(curvature + share * size, lower=True), dtype=np.float64)
        except LinAlgError:
            continue
    return np.asarray(cholesky(curvature + STEADYING[-1] * size, lower=True), dtype=np.float64)


def error_unseen(problem: Problem, fit: Fit, outcome: Floats) -> float:
    """Mean squared error for accounts that the weights have not seen, in squares of the noise.

    For those of each fold the weights are found from nothing on those of the others: curves that started at
    weights that had seen them would keep much of it. Only the widths were found on all.
    """
    error = 0.0
    for fold in range(FOLDS):
        nothing = replace(fit, weights=np.zeros_like(fit.weights))
        others = [other for other in range(FOLDS) if other != fold]
        found = improved(problem, nothing, outcome, steps=STEPS, folds=others)
        rest = (_rest(problem, found, outcome) / problem.noise)[problem.fold == fold]
        error += float(rest @ rest)
    return error / len(outcome)


def _rest(problem: Problem, fit: Fit, outcome: Floats) -> Floats:
    rest = outcome - otherwise(problem, fit)
    rest[problem.treated] -= effects(problem, fit, scores(problem, fit))[0]
    return rest


def _normal_equations(
    problem: Problem, fit: Fit, outcome: Floats, folds: Sequence[int]
) -> list[tuple[Floats, Floats]]:
    """For each of some folds curvature and slope of half the squared error, in units of the noise."""
    rest = _rest(problem, fit, outcome) / problem.noise
    slopes = effects(problem, fit, scores(problem, fit))[1]
    steepness = (slopes / problem.noise[problem.treated]).astype(np.float32)
    bent, straight = np.flatnonzero(fit.curved), np.flatnonzero(~fit.curved)
    parts = []
    for fold in folds:
        # What lines add to the curvature is the same wherever the fit is.
        key = (fold, fit.curved.tobytes(), fit.scale.tobytes())
        if key not in problem.memory:
            problem.memory[key] = _curvature(problem, fold, steepness, straight)
            _add_of_nuisance(problem, fold, problem.memory[key])
        curvature = problem.memory[key]
        if len(bent):
            curvature = curvature + _curvature(problem, fold, steepness, bent)
        parts.append((curvature, _slope(problem, fold, rest, steepness)))
    return parts


def _curvature(problem: Problem, fold: int, steepness: Singles, places: Ints) -> Floats:
    """What the cases of some treatments in a fold add, but for that of the nuisance; shape (p + N, p + N)."""
    size = problem.size
    whole = size + problem.nuisance.shape[1]
    found = np.zeros((whole, whole))
    for place, rows in _rows_of(problem, fold, places):
        weights, columns = problem.weights_of[place]
        cases = problem.treated[rows]
        jacobian = problem.columns[rows] * steepness[rows, None]
        nuisance = _weighed_nuisance(problem, cases)
        found[np.ix_(weights, weights)] += _product(jacobian, jacobian)[np.ix_(columns, columns)]
        cross = _product(jacobian, nuisance)[columns]
        found[weights, size:] += cross
        found[size:, weights] += cross.T
    return found


def _add_of_nuisance(problem: Problem, fold: int, curvature: Floats) -> None:
    size = problem.size
    for rows in _blocks(np.flatnonzero(problem.fold == fold)):
        nuisance = _weighed_nuisance(problem, rows)
        curvature[size:, size:] += _product(nuisance, nuisance)


def _slope(problem: Problem, fold: int, rest: Floats, steepness: Singles) -> Floats:
    size = problem.size
    found = np.zeros(size + problem.nuisance.shape[1])
    for rows in _blocks(np.flatnonzero(problem.fold == fold)):
        found[size:] += problem.nuisance[rows].T.astype(np.float64) @ (rest[rows] / problem.noise[rows])
    for place, rows in _rows_of(problem, fold, np.arange(len(problem.weights_of))):
        weights, columns = problem.weights_of[place]
        steep = steepness[rows] * rest[problem.treated[rows]]
        found[weights] += (problem.columns[rows].T.astype(np.float64) @ steep)[columns]
    return found


def _weighed_nuisance(problem: Problem, cases: Ints) -> Singles:
    noise: Singles = problem.noise[cases, None].astype(np.float32)
    return problem.nuisance[cases] / noise


def _rows_of(problem: Problem, fold: int, places: Ints) -> Iterator[tuple[int, Ints]]:
    """Treated cases of a fold, some at a time, by the place of their treatment."""
    mine = problem.fold[problem.treated] == fold
    for place in places[places > 0].tolist():
        for rows in _blocks(np.flatnonzero((problem.place == place) & mine)):
            yield place, rows


def _blocks(rows: Ints) -> Iterator[Ints]:
    for start in range(0, len(rows), BLOCK):
        yield rows[start : start + BLOCK]


def _product(left: Singles, right: Singles) -> Floats:
    """Sums of products over the rows, in double precision.

    Columns that are nearly the same differ by less than single precision keeps of many rows' sums; the fit
    along their difference would then be decided by rounding, and run away.
    """
    first = left.astype(np.float64)
    found: Floats = first.T @ (first if right is left else right.astype(np.float64))
    return found


def _solved(problem: Problem, fit: Fit, parts: Sequence[tuple[Floats, Floats]], *, damping: float) -> Floats:
    """The step to the best weights under the prior, as some folds see it."""
    penalty = _penalty(problem, fit)
    curvature: Floats = np.diag(penalty)
    slope = -penalty * fit.weights
    for more, steeper in parts:
        curvature += more
        slope += steeper
    if damping:
        curvature += damping * np.diag(curvature.diagonal())
    found: Floats = np.asarray(np.linalg.solve(curvature, slope), dtype=np.float64)
    return found


def _penalty(problem: Problem, fit: Fit) -> Floats:
    """One over the prior variance of each weight; treatments' own differ as much as is uncertain of them, and
    where scores are logarithms that of all is free: the mean of a curve is not the curve at the mean."""
    width = np.full(len(fit.weights), NUISANCE_WIDTH * problem.noise.mean())
    width[: problem.size] = np.where(problem.group >= 0, np.append(fit.widths, 1.0)[problem.group], 1.0)
    for place, (weights, _) in enumerate(problem.weights_of):
        width[weights[-1]] = np.clip(problem.known.error[place] / fit.scale[place], 0.02, 1.0)
    return 1.0 / width**2
