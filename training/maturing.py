"""Occasions whose outcomes are not all known yet: left out, or counted with what has come so far.

Left out, the newest weeks say nothing. Weighted, each part of a window counts for the occasions that are old
enough to show it, by the inverse of their share.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from engine.records import DAY_MICROS, Bools, Floats
from training.cases import Cases
from training.constants import LEAST_CASES
from training.errors import TooFewCasesError
from training.learners import learnable
from training.occasions import LandmarkSettings

LEAST_MATURED, LEAST_ACCOUNTS = 200, 20
"""Cases to learn from, and accounts."""
LEAST_MATURE = 0.2
"""Where less than this share of a treatment's occasions is mature, the last part of the window would rest on
a handful with more than five times the weight."""


def matured(cases: Cases) -> Cases:
    """The cases whose outcomes are known to the end of the longest horizon.

    Raises:
        TooFewCasesError: No outcome is known, or there are too few of them, of too few accounts, or with one
            action only.
    """
    ripe = cases.take(cases.matured)
    if cases.known_until <= 0:
        raise TooFewCasesError(
            f"No outcome is known at all, so nobody knows what came of {len(cases):,} cases: load the table "
            "outcomes (orders, prescriptions, deals: whose, when, what, worth; docs/contract.md) with "
            "`nextbest ingest FOLDER`."
        )
    if not len(ripe):
        raise TooFewCasesError(
            f"None of {len(cases):,} cases is mature: outcomes are counted for {cases.window_days:g} days, "
            "and none of the occasions lies that long before the newest outcome. Wait, or shorten "
            "horizon_days in the playbook."
        )
    if len(ripe) < LEAST_MATURED:
        raise TooFewCasesError(
            f"Got {len(ripe):,} matured cases ({len(cases):,} in all), need at least {LEAST_MATURED}: load a "
            "longer history or more accounts."
        )
    accounts = len(set(ripe.account_ids))
    if accounts < LEAST_ACCOUNTS:
        raise TooFewCasesError(
            f"The matured cases are of {accounts} accounts, need at least {LEAST_ACCOUNTS}: accounts are "
            "held out to see whether what was learned holds for others."
        )
    learnable(ripe)
    return ripe


def counted(cases: Cases) -> Cases:
    """What is learned from, as the playbook says: mature cases, or all with what came of them weighted."""
    return weighted(cases) if cases.playbook.immature == "weight" else cases.take(cases.matured)


def weighted(cases: Cases) -> Cases:
    """All cases, each part of what came divided by the share of cases that are old enough to show it.

    With parts 1..K of the window, the worth r_k of what came in part k and a the age of a case, the reward
    becomes the sum over k of 1[a >= end of k] r_k / P(a >= end of k), P being the share among the cases of
    the same treatment. Its mean is that of complete outcomes if how they arrive does not depend on when the
    occasion was. The reward of a single case is not what will come of it. Age is known of every case, so its
    distribution is counted; no estimate for censored ages (Kaplan and Meier) is needed.

    Args:
        cases: With `arrived`; immature ones included.

    Returns:
        The mature cases, and of the others those of treatments of which enough are mature, and of which it
        is known what was done.

    Source:
        Bang and Tsiatis (2000), Estimating Medical Costs with Censored Data, the partitioned estimator; Lin,
        Feuer, Etzioni and Wax (1997).
    """
    known = cases.take(cases.matured | (_old_enough(cases) & _judgeable(cases)))
    days = np.array(known.knots)
    shown = _age_days(known)[:, None] >= days
    share = np.ones(shown.shape)
    for group in _groups(known):
        share[group] = np.maximum(shown[group].mean(axis=0), 1.0 / max(int(group.sum()), 1))
    parts = np.where(shown, np.diff(known.arrived, axis=1, prepend=0.0) / share, 0.0)
    within = np.stack([parts[:, days <= window].sum(axis=1) for window in known.windows], axis=1)
    return replace(known, reward=within[:, 0], within=within)


def _age_days(cases: Cases) -> Floats:
    """Since outcomes count: of a landmark, since the end of its grace window, whenever the contact was."""
    grace = LandmarkSettings().grace_days if cases.basis == "landmarks" else 0.0
    age: Floats = (cases.known_until - cases.as_of) / DAY_MICROS - grace
    return age


def _old_enough(cases: Cases) -> Bools:
    """Whether it is known what was done: a landmark's contact may come at the end of its grace window."""
    known: Bools = _age_days(cases) >= 0.0
    return known


def _judgeable(cases: Cases) -> Bools:
    """Cases of treatments of which enough are mature."""
    mature = np.bincount(cases.action[cases.matured], minlength=len(cases.treatments))
    enough: Bools = mature >= LEAST_MATURE * np.maximum(cases.counts, 1)
    return enough[cases.action]


def _groups(cases: Cases) -> list[Bools]:
    """Cases that share a distribution of ages: those of a treatment; the rare treatments together."""
    rare = (cases.counts < LEAST_CASES)[cases.action]
    own = [cases.action == index for index in np.flatnonzero(cases.counts >= LEAST_CASES)]
    return [*own, rare] if rare.any() else own
