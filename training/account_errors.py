"""How far what is said of one account may be from what is true of it.

The standard error of a treatment's mean effect says nothing of single accounts. Each model of the selection
learned without some of the accounts; how far the models are apart at a pair is the jackknife's estimate of
its error. A forest over account and treatment repeats that for any account. Of pairs whose attributes were
hidden it learns more: how far the models move when they get to know them is in it. So an account of which
little is known is told with a wider error.

What no feature tells, and what all models miss alike, cannot be seen this way and is not in it.

Source:
    Tukey (1958), Bias and confidence in not-quite large samples; Kott (2001), The delete-a-group jackknife.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.features import Features
from engine.readers import LEAST_SHARE
from engine.records import Bools, Floats, Ints
from training.boosting import Boosting, each_pair, grow
from training.cases import Cases
from training.registry import Fitted

MOMENTS = 20_000
"""At which the models are compared, at most."""
PAIRS_OF_ONE = 3_000
"""Moments of a treatment that the forest looks at, at most; half of them with attributes hidden."""
SIZE: dict[str, Any] = {"rounds": 40, "leaves": 8, "learning_rate": 0.15}
LEAST = 1e-9
"""Of the mean variance, in currency squared: below, the models say the same of every account."""


@dataclass(frozen=True)
class AccountErrors:
    """Standard errors of the effect on one account, around the mean effect.

    Attributes:
        booster: Forest over account and treatment (`lightgbm.Booster`): the standard error, as a share of
            that of the treatment's usual account.
        usual: That of the usual account, in currency, 0 for no contact; shape (m,), an entry per treatment of
            the release.
    """

    booster: Any
    usual: Floats

    def text(self) -> str:
        """The forest's text, for the release."""
        text: str = self.booster.model_to_string()
        return text


def learn_account_errors(
    cases: Cases, models: Sequence[Fitted], learned: Ints, boosting: Boosting, *, share: float, seed: int
) -> AccountErrors | None:
    """Learn how far the models are apart; None = they say the same of every account.

    Args:
        cases: Of accounts that none of the models has seen.
        models: What the chosen learner learned, each without one of K groups of accounts; K of them, K > 1.
        learned: Treatments that the release has learned, no contact first; shape (m,).
        boosting: Seed and threads.
        share: Of the accounts that the release learns from, how many the K groups hold together: with more
            accounts errors are smaller.
        seed: Of what is hidden.
    """
    looked = cases.take(np.arange(0, len(cases), max(1, len(cases) // MOMENTS)))
    seen = looked.features
    hidden = hiding(seen, _some_hidden(seen, seed))
    effects, of_hidden = (_effects(models, features, learned) for features in (seen, hidden))
    mean = effects.mean(axis=1, keepdims=True)
    apart = share * _jackknife(effects - mean)
    apart_hidden = share * _jackknife(of_hidden - mean) + (effects - of_hidden).mean(axis=0) ** 2
    pairs = [_moments(looked.eligible[:, place], apart[:, column]) for column, place in enumerate(learned)]
    told = np.array([len(own) > 0 for own in pairs])
    if not told.any():
        return None
    usual, rows, ratio = np.zeros(len(learned)), [], []
    for column in np.flatnonzero(told):
        usual[column] = np.sqrt(apart[pairs[column], column].mean())
        for features, found, own in (
            (seen, apart, pairs[column][::2]), (hidden, apart_hidden, pairs[column][1::2]),
        ):  # fmt: skip
            rows.append(features.row_matrix(np.full(len(own), learned[column]), own))
            ratio.append(np.sqrt(found[own, column]) / usual[column])
    booster = grow(np.concatenate(rows), np.concatenate(ratio), seen.set, replace(boosting, **SIZE))
    for column in np.flatnonzero(told):  # a mean of roots is less than the root of the mean
        score = each_pair(booster, looked.take(pairs[column]).features, learned[column : column + 1])
        usual[column] /= np.sqrt((np.maximum(score, LEAST_SHARE) ** 2).mean())
    channels = [cases.playbook.treatments[place].channel for place in learned]
    return AccountErrors(booster, np.where(learned == 0, 0.0, _filled(usual, told, np.array(channels))))


def _moments(eligible: Bools, variance: Floats) -> Ints:
    """From which a treatment's errors are learned, evenly spread; none where all models say the same of every
    account, or some did not learn it."""
    could = np.flatnonzero(eligible & np.isfinite(variance))
    if not len(could) or variance[could].max() <= LEAST:
        return could[:0]
    return could[:: max(1, len(could) // PAIRS_OF_ONE)]


def hiding(features: Features, which: Bools) -> Features:
    """The same moments with some attributes unknown; broadcastable to (n, attributes)."""
    own = [features.set.account.index(attribute.name) for attribute in features.set.attributes]
    account = features.account.copy()
    account[:, own] = np.where(which, np.nan, account[:, own])
    return replace(features, account=account)


def _some_hidden(features: Features, seed: int) -> Bools:
    """Few attributes of some moments, nearly all of others; shape (n, attributes)."""
    draws = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, 40_127])))
    shape = (len(features.moments), len(features.set.attributes))
    often = draws.random((shape[0], 1))
    found: Bools = draws.random(shape) < often
    return found


def _effects(models: Sequence[Fitted], features: Features, learned: Ints) -> Floats:
    """What each model says beyond no contact, NaN = not learned; shape (K, n, m)."""
    values = np.stack([model.predict(features) for model in models])
    effects: Floats = (values - values[:, :, :1])[:, :, learned]
    return effects


def _jackknife(estimates: Floats) -> Floats:
    """Variance of what all groups together say, from what is said without each; (K, n, m) -> (n, m)."""
    count = len(estimates)
    found: Floats = (count - 1) / count * ((estimates - estimates.mean(axis=0)) ** 2).sum(axis=0)
    return found


def _filled(usual: Floats, told: Bools, channels: npt.NDArray[Any]) -> Floats:
    """What some model did not learn, or says the same of to every account, is not taken for certain: it has
    the error of its channel, or of all."""
    found = usual.copy()
    for place in np.flatnonzero(~told):
        alike = told & (channels == channels[place])
        found[place] = usual[alike if alike.any() else told].mean()
    return found
