"""What really would have happened: the exact expected effect of every treatment at every decision.

Estimand: this decision once, then as logged. For a logged decision d of an account and a treatment a,
`expected[d, a]` is by how much the account's outcomes within the horizon after d would have been larger, in
expectation over chance, had a been decided instead of no contact, all later decisions staying as they were
logged. Two parts: what the contact causes itself until the horizon, and what it takes from later contacts
of the window, which repeat a message or follow an e-mail sooner than they otherwise would.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl

from data.world.business import WorldError
from data.world.course import Course, remembered
from data.world.effects import (
    email_fade,
    interest_arrived,
    repetition_fade,
    season,
    share_arrived,
)  # fmt: skip
from data.world.scene import Scene
from data.world.settings import WorldSettings
from engine.records import DAY_MICROS, Bools, Floats, Ints, Micros


@dataclass(frozen=True)
class Truth:
    """The truth about n decisions and T treatments, column 0 = no contact.

    Attributes:
        decision_ids, account_ids: Texts, by account and time.
        decided_at: Microseconds UTC; shape (n,).
        treatments: Ids of the columns.
        cost: Of each treatment, in currency; shape (T,).
        horizon_days: Within which the outcomes of each treatment count; shape (T,).
        expected: Worth that the decision causes within the treatment's horizon, gross of cost, in currency;
            shape (n, T).
        baseline: Expected worth of outcomes in the window of what was chosen had this decision been no
            contact, the realised other decisions and visits included, in currency; shape (n,).
        optout: Probability that an e-mail at this decision makes the account opt out; shape (n,).
        eligible: What could be decided; shape (n, T).
        choice: What was decided; shape (n,).
        probability: With which; shape (n,).
    """

    decision_ids: pl.Series
    account_ids: pl.Series
    decided_at: Micros
    treatments: tuple[str, ...]
    cost: Floats
    horizon_days: Floats
    expected: Floats
    baseline: Floats
    optout: Floats
    eligible: Bools
    choice: Ints
    probability: Floats

    def __len__(self) -> int:
        return len(self.decided_at)

    @property
    def net(self) -> Floats:
        """Caused worth minus cost, what is not eligible being minus infinity; shape (n, T)."""
        return np.where(self.eligible, self.expected - self.cost, -np.inf)


def policy_value(truth: Truth, probabilities: Floats, *, net: bool = True) -> float:
    """What a policy would truly have earned per decision, more than by no contact.

    Args:
        truth: Of the world's decisions.
        probabilities: Of each treatment at each decision; rows sum to 1; shape (n, T).
        net: Whether the treatments' costs are deducted.

    Raises:
        WorldError: The shape is another, a row does not sum to 1, or something not eligible has a chance.
    """
    if probabilities.shape != truth.expected.shape:
        raise WorldError(
            f"Got probabilities of shape {probabilities.shape}, need {truth.expected.shape}: "
            "a row per decision, a column per treatment."
        )
    if np.any(np.abs(probabilities.sum(axis=1) - 1.0) > 1e-9) or np.any(probabilities < 0):
        raise WorldError("Probabilities of a policy must be 0 or more and sum to 1 in every row.")
    if np.any(probabilities[~truth.eligible] > 0):
        raise WorldError("A policy chose a treatment that was not eligible; use Truth.eligible.")
    worth = truth.expected - (truth.cost if net else 0.0)
    return float((probabilities * worth).sum(axis=1).mean())


def oracle(truth: Truth, *, net: bool = True) -> Floats:
    """The policy that knows everything: the best eligible treatment of each decision; shape (n, T)."""
    worth = truth.net if net else np.where(truth.eligible, truth.expected, -np.inf)
    return _certain(worth.argmax(axis=1), len(truth.treatments))


def best_fixed(truth: Truth, *, net: bool = True) -> Floats:
    """The best single treatment for all, no contact where it is not eligible; shape (n, T)."""
    worth = truth.expected - (truth.cost if net else 0.0)
    best = int(np.where(truth.eligible, worth, 0.0).mean(axis=0).argmax())
    return _certain(np.where(truth.eligible[:, best], best, 0), len(truth.treatments))


def _certain(choice: Ints, treatments: int) -> Floats:
    policy = np.zeros((len(choice), treatments))
    policy[np.arange(len(choice)), choice] = 1.0
    return policy


def caused_within_horizon(course: Course, scene: Scene) -> Floats:
    """`Truth.expected`, before it is flattened; shape (n, R, T)."""
    horizons = scene.horizons
    caused = course.caused * share_arrived(scene.settings, horizons)
    for horizon in np.unique(horizons):
        _take_from_later(caused, course, scene, float(horizon), horizons == horizon)
    return caused


def _take_from_later(caused: Floats, course: Course, scene: Scene, horizon: float, of: Bools) -> None:
    """Deduct what treatments with that horizon take from later contacts of the window, in place."""
    settings, catalogue = scene.settings, scene.catalogue
    carried_out = np.where(catalogue.by_person, settings.followed, 1.0)
    emails = catalogue.email & of
    everybody = np.full(len(scene.people), horizon)
    for k, later, share in _later_in_window(course, settings, lambda _: everybody):
        treatment, rows = course.choice[:, later], np.arange(len(share))
        plain, repeated, after_email = _left(course, scene, k, later)
        loss = course.unfaded[:, later] * share
        emailed = catalogue.email[treatment]
        caused[:, k, emails] += (loss * (after_email - plain) * emailed)[:, None]
        fading = loss * carried_out[treatment] * (repeated - np.where(emailed, after_email, plain))
        caused[rows, k, treatment] += fading * of[treatment]


def expected_otherwise(course: Course, scene: Scene) -> Floats:
    """`Truth.baseline`, before it is flattened; shape (n, R)."""
    settings, catalogue = scene.settings, scene.catalogue
    horizon = scene.horizons[course.choice]
    total = scene.nature.baseline_per_day[:, None] * season(settings, course.decided_at, horizon)
    total += settings.interest_value * _interest_in_window(course, settings, horizon)
    for k, later, share in _later_in_window(course, settings, lambda k: horizon[:, k]):
        plain, _, _ = _left(course, scene, k, later)
        total[:, k] += course.unfaded[:, later] * share * plain
    caused = np.take_along_axis(course.caused, course.choice[:, :, None], axis=2)[:, :, 0] * course.done
    caused = np.where(catalogue.by_person[course.choice], caused / settings.followed, caused)
    for k in range(1, settings.rounds):
        for earlier in range(k):
            days = (course.decided_at[:, k] - course.decided_at[:, earlier]) / DAY_MICROS
            share = share_arrived(settings, days + horizon[:, k]) - share_arrived(settings, days)
            total[:, k] += caused[:, earlier] * share
    return np.asarray(total)


def _later_in_window(
    course: Course, settings: WorldSettings, horizon: Callable[[int], Floats]
) -> list[tuple[int, int, Floats]]:
    """Pairs of rounds (k, later) and the share of the later effect that falls into the window of k, whose
    length for each account is horizon(k), in days."""
    pairs = []
    for k in range(settings.rounds):
        for later in range(k + 1, settings.rounds):
            days = (course.decided_at[:, later] - course.decided_at[:, k]) / DAY_MICROS
            share = share_arrived(settings, horizon(k) - days)
            if not share.any():
                break
            pairs.append((k, later, share))
    return pairs


def _left(course: Course, scene: Scene, k: int, later: int) -> tuple[Floats, Floats, Floats]:
    """What is left of the later contact had decision k been: no contact, the same message, another e-mail."""
    settings, catalogue, tires = scene.settings, scene.catalogue, scene.nature.tires
    treatment = course.choice[:, later]
    counts = remembered(course, catalogue, k, later, treatment)
    here = course.choice[:, k]
    same = course.same[:, later] - (counts & course.done[:, k] & (here == treatment))
    emails = course.emails[:, later] - (counts & course.done[:, k] & catalogue.email[here])
    email = catalogue.email[treatment]
    before = np.where(email, email_fade(tires, emails), 1.0)
    after = np.where(email, email_fade(tires, emails + counts), 1.0)
    plain, repeated = repetition_fade(settings, same), repetition_fade(settings, same + counts)
    return plain * before, repeated * after, plain * after


def _interest_in_window(course: Course, settings: WorldSettings, horizon: Floats) -> Floats:
    """Questions whose outcomes fall into each decision's window, by share; shape (n, R)."""
    visits, accounts = course.visits, len(course.decided_at)
    total = np.zeros((accounts, settings.rounds))
    for k in range(settings.rounds):
        days = (course.decided_at[visits.account, k] - visits.at) / DAY_MICROS
        end = days + horizon[visits.account, k]
        share = interest_arrived(settings, end) - interest_arrived(settings, days)
        total[:, k] = np.bincount(visits.account, weights=share, minlength=accounts)
    return total
