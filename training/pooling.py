"""Effects of treatments drawn towards those of their channel and topic, by as much as they are noise.

The best of many noisy effects is mostly the luckiest one; choosing it promises what will not come. And a
treatment that nobody has had yet is not worth nothing: it is worth what its channel and topic are worth, with
the uncertainty that this leaves.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from engine.pooling import Pool
from engine.records import Floats, Ints

LEAST_VARIANCE = 1e-12
"""Of an effect, as a share of the largest: equal outcomes of few cases do not make it certain."""
_SHARES = (0.0, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
"""Variances that are tried, as shares of the variance of the estimates; refined around the best."""
_FINER = ((0.0, 0.4, 0.6, 1.0, 1.6, 2.5), (0.8, 0.9, 1.0, 1.1, 1.25), (0.95, 1.0, 1.05))


@dataclass(frozen=True)
class Pooled:
    """Effects after pooling, in the unit of the estimates.

    Attributes:
        effect: Posterior means; shape (k,).
        error: Posterior standard deviations; shape (k,).
        pool: What a treatment of any channel and topic is worth before it has cases.
    """

    effect: Floats
    error: Floats
    pool: Pool


def pooled(
    effect: Floats,
    variance: Floats,
    channels: Sequence[str],
    topics: Sequence[str],
    *,
    shared: Floats | float = 0.0,
) -> Pooled:
    """Effects of several treatments under effect = mean + channel + topic + own, all but the mean random.

    Args:
        effect: Estimates; shape (k,), k at least 1.
        variance: Of each estimate, by what it has of its own; infinite = no estimate; shape (k,).
        channels, topics: Of each treatment; k each; "" = none.
        shared: Variance by what all estimates are compared with, such as the accounts left alone: it moves
            them together, so it does not tell them apart and pooling does not make it smaller; shape (k,).

    Returns:
        Best linear unbiased predictions, with the variances between channels, topics and treatments that are
        likeliest given the estimates (restricted likelihood). Without any estimate all effects are 0 with
        infinite error.

    Source:
        Henderson (1975), Best Linear Unbiased Estimation and Prediction under a Selection Model; Patterson
        and Thompson (1971), Recovery of inter-block information, for the likelihood.
    """
    known = np.flatnonzero(np.isfinite(variance))
    names = (tuple(sorted(set(channels))), tuple(sorted(set(topics))))
    cells = np.array([len(names[0]) + 1, len(names[1]) + 1])
    if not len(known):
        nothing = Pool(names[0], names[1], np.zeros(cells), np.full(cells, np.inf))
        return Pooled(np.zeros(len(effect)), np.full(len(effect), np.inf), nothing)
    codes = np.array(
        [[names[0].index(c), names[1].index(t)] for c, t in zip(channels, topics, strict=True)],
        dtype=np.int64,
    )
    least = LEAST_VARIANCE * max(1.0, float(variance[known].max()))
    model = _Mixed(effect[known], np.maximum(variance[known], least), codes[known])
    between = _likeliest(model)
    own = np.full(len(effect), -1, dtype=np.int64)
    own[known] = np.arange(len(known))
    mean, spread = model.predicted(codes, own, between)
    everywhere = np.array(list(product(*(range(count) for count in cells))), dtype=np.int64)
    everywhere[everywhere == cells - 1] = -1  # beyond the known: a channel or topic of its own
    cell_mean, cell_spread = model.predicted(everywhere, np.full(len(everywhere), -1), between)
    together = np.broadcast_to(shared, effect.shape)
    cell_spread = np.sqrt(cell_spread**2 + together[known].mean())
    pool = Pool(names[0], names[1], cell_mean.reshape(cells), cell_spread.reshape(cells))
    everybody = np.where(np.isfinite(together), together, together[known].mean())
    return Pooled(mean, np.sqrt(spread**2 + everybody), pool)


@dataclass(frozen=True)
class _Mixed:
    """Estimates with their variances and codes of channel and topic; -1 = one that is not among them."""

    effect: Floats
    variance: Floats
    codes: Ints

    def covariance(self, between: Floats) -> Floats:
        return _shared(self.codes, self.codes, between) + np.diag(between[2] + self.variance)

    def misfit(self, between: Floats) -> float:
        """Minus twice the restricted log likelihood, but for a constant."""
        lower = np.linalg.cholesky(self.covariance(between))
        ones, effect = (np.linalg.solve(lower, column) for column in (np.ones(len(lower)), self.effect))
        information = float(ones @ ones)
        centre = float(ones @ effect) / information
        rest = effect - centre * ones
        return float(2.0 * np.log(np.diag(lower)).sum() + np.log(information) + rest @ rest)

    def predicted(self, codes: Ints, own: Ints, between: Floats) -> tuple[Floats, Floats]:
        """Mean and standard deviation of effects of these codes; `own` = which estimate is theirs or -1."""
        inverse = np.linalg.inv(self.covariance(between))
        ones = np.ones(len(inverse))
        information = float(ones @ inverse @ ones)
        centre = float(ones @ inverse @ self.effect) / information
        shared = _shared(codes, self.codes, between)
        shared[np.flatnonzero(own >= 0), own[own >= 0]] += between[2]
        mean = centre + shared @ inverse @ (self.effect - centre)
        left = 1.0 - shared @ inverse @ ones
        variance = between.sum() - ((shared @ inverse) * shared).sum(axis=1) + left**2 / information
        return mean, np.sqrt(np.maximum(variance, 0.0))


def _shared(codes: Ints, others: Ints, between: Floats) -> Floats:
    """Covariance of effects by common channel and topic; shape (len(codes), len(others))."""
    same = (codes[:, None, :] == others[None, :, :]) & (codes[:, None, :] >= 0)
    found: Floats = same[:, :, 0] * between[0] + same[:, :, 1] * between[1]
    return found


def _likeliest(model: _Mixed) -> Floats:
    """Variances between channels, topics and treatments; shape (3,)."""
    size = float(model.effect.var(ddof=1)) if len(model.effect) > 1 else 0.0
    best = np.zeros(3)
    if size <= 0.0:
        return best
    best = min((np.array(shares) * size for shares in product(_SHARES, repeat=3)), key=model.misfit)
    for factors in _FINER:
        best = min(_around(best, factors), key=model.misfit)
    return best


def _around(between: Floats, factors: Sequence[float]) -> Iterator[Floats]:
    yield between
    for chosen in product(factors, repeat=3):
        yield between * np.array(chosen)
