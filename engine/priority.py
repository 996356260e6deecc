"""What each pair is worth: its priority and the parts of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from engine import numerics
from engine.experiments import NO_LEVERS, PROPENSITY
from engine.features import Features, FeatureSet
from engine.numerics import compiled
from engine.playbook import Playbook, Treatment
from engine.programs import Program, Truth
from engine.records import Bools, Floats, Ints, kept_for, kept_with
from engine.rules import program_of
from engine.scoring import Scores


@dataclass(frozen=True)
class Priority:
    """The priority of each pair and its parts; all shape (n, T), in currency unless said otherwise.

    Attributes:
        caused: Value caused against no contact (stops: what stopping saves).
        cost: Of carrying it out.
        fatigue: Added P(opt-out) x value lost by it.
        weight: Context weight, no unit.
        lever: No unit.
        priority: What is ranked; column 0 (no contact) is 0.
        active: Which of the playbook's context weights hold; shape (n, T, W).
        followed: P(followed) as it counts, no unit; 1 where the formula or the system leaves no doubt.
        uncertainty: Standard error of the priority by what is not known of the value caused.
        held: Whether the priority was held at 0 because the value cannot be judged; shape (n, T); None =
            nowhere.
        unproven: Of `held`, the stops: what they save is known, but may be chance; None = nowhere.
        due: What meeting a minimum adds in the ranking; None = there are no minimums.
        charge: What is charged in the ranking for people's time and quotas; None = nothing.
    """

    caused: Floats
    cost: Floats
    fatigue: Floats
    weight: Floats
    lever: Floats
    priority: Floats
    active: Bools
    followed: Floats
    uncertainty: Floats
    held: Bools | None = None
    unproven: Bools | None = None
    due: Floats | None = None
    charge: Floats | None = None

    @property
    def ranked(self) -> Floats:
        """What pairs are ranked by: priority + due - charge, in currency; shape (n, T)."""
        net = self.priority if self.due is None else self.priority + self.due
        return net if self.charge is None else net - self.charge


def prioritise(features: Features, scores: Scores, playbook: Playbook) -> Priority:
    """(caused - cost - fatigue) x P(followed) x context weight x lever; or the leaders' formula.

    P(followed) counts for treatments that a person carries out, and never less than the playbook's floor.
    In the arm "propensity_only" it is the response propensity alone, times one value for all treatments, so
    that people's time is still shared out in currency.
    The leaders' formula is P(positive response) x value x context weight x lever; it knows no
    uncertainty. Where a release says that
    accounts like this one hardly ever got the treatment, its priority is 0 at most: what cannot be judged is
    not promoted, only explored.
    """
    weight, active = context_weights(features, playbook)
    return weigh(scores, weight, active, playbook, features.arm)


def weigh(scores: Scores, weight: Floats, active: Bools, playbook: Playbook, arm: Ints) -> Priority:
    """`prioritise` with the context weights, shape (n, T), that held, `active` (n, T, W), already known, and
    the arm of the standing test, shape (n,): levers are 1 in "no_levers"."""
    own = _own_amounts(playbook)
    given = (scores.value, scores.response, scores.optout, scores.followed, scores.uncertainty, weight)
    judged = np.zeros((0, 0), dtype=np.bool_) if scores.comparable is None else scores.comparable
    found = _weigh(
        tuple(np.ascontiguousarray(values) for values in given), np.ascontiguousarray(judged), arm, own,
        (playbook.priority == "leaders", playbook.optout_loss, playbook.followed_floor),
    )  # fmt: skip
    caused, cost, fatigue, lever, priority, followed, unsure, held = found
    if scores.comparable is None:
        return Priority(caused, cost, fatigue, weight, lever, priority, active, followed, unsure)
    unproven = held & _stops(playbook)
    return Priority(caused, cost, fatigue, weight, lever, priority, active, followed, unsure, held, unproven)


@compiled
def _weigh(
    given: tuple[Floats, ...], judged: Bools, arm: Ints, own: _Own, how: tuple[bool, float, float]
) -> tuple[Floats, Floats, Floats, Floats, Floats, Floats, Floats, Bools]:
    """The parts of the priority of each pair, and where it was held at 0; `how`: the leaders' formula or not,
    what an opt-out loses, the floor of P(followed)."""
    value, response, optout, chance, unsure, weight = given
    leaders, loss, floor = how
    caused, cost, fatigue = np.empty_like(value), np.empty_like(value), np.empty_like(value)
    lever, priority, error = np.empty_like(value), np.empty_like(value), np.empty_like(value)
    followed, held = np.ones_like(value), np.zeros(value.shape, dtype=np.bool_)
    for i in range(value.shape[0]):
        for t in range(value.shape[1]):
            caused[i, t] = value[i, t] - value[i, 0]
            cost[i, t] = own.cost[t]
            fatigue[i, t] = optout[i, t] * loss
            lever[i, t] = 1.0 if arm[i] == NO_LEVERS else own.lever[t]
            if own.by_person[t] and not leaders:
                followed[i, t] = floor if chance[i, t] < floor else chance[i, t]
            base, error[i, t] = response[i, t] * own.value[t], 0.0
            if not leaders:
                base = (caused[i, t] - cost[i, t] - fatigue[i, t]) * followed[i, t]
                error[i, t] = unsure[i, t] * followed[i, t] * weight[i, t] * lever[i, t]
            priority[i, t] = base * weight[i, t] * lever[i, t]
            if arm[i] == PROPENSITY:
                priority[i, t], error[i, t] = response[i, t] * own.usual, 0.0
            elif judged.size and not judged[i, t] and t > 0 and priority[i, t] > 0.0:
                held[i, t], priority[i, t], error[i, t] = True, 0.0, 0.0
        priority[i, 0] = 0.0
    return caused, cost, fatigue, lever, priority, followed, error, held


def context_weights(features: Features, playbook: Playbook) -> tuple[Floats, Bools]:
    """The product of the context weights that hold, shape (n, T), and which hold, (n, T, W).

    Unknown counts as not holding. Column 0 (no contact) has no weight.
    """
    truths = features.truths(_weights(features.set, playbook))
    product, holding = _product(truths, _factors(playbook))
    return product, holding.transpose(1, 2, 0)


@compiled
def _product(truths: Truth, factors: Floats) -> tuple[Floats, Bools]:
    """The product of the factors that hold, in their order, (n, T), and which do, (W, n, T)."""
    product, holding = np.ones(truths.shape[1:]), np.zeros(truths.shape, dtype=np.bool_)
    for w in range(truths.shape[0]):
        for i in range(truths.shape[1]):
            for t in range(1, truths.shape[2]):
                if truths[w, i, t] == 1:
                    holding[w, i, t] = True
                    product[i, t] *= factors[w]
    return product, holding


@kept_with
def _factors(playbook: Playbook) -> Floats:
    return np.array([weight.weight for weight in playbook.context_weights], dtype=np.float64)


@kept_for
def _weights(features: FeatureSet, playbook: Playbook) -> Program:
    return program_of(features, playbook, playbook.context_weights)


class _Own(NamedTuple):
    """Of each treatment: cost, lever, worth of a response in currency, and whether a person carries it out;
    `usual`: the mean value of the contacts, what a response counts where all count the same."""

    cost: Floats
    lever: Floats
    value: Floats
    by_person: Bools
    usual: float


@kept_with
def _own_amounts(playbook: Playbook) -> _Own:
    system = {role.id for role in playbook.roles if role.system}
    own = playbook.treatments
    return _Own(
        np.array([t.cost for t in own], dtype=np.float64),
        np.array([_lever(t, playbook) for t in own], dtype=np.float64),
        np.array([t.value for t in own], dtype=np.float64),
        np.array([t.kind != "none" and t.role not in system for t in own], dtype=np.bool_),
        numerics.mean(np.array([t.value for t in own if t.kind == "contact"] or [1.0])),
    )


@kept_with
def _stops(playbook: Playbook) -> Bools:
    """Which treatments are stops; shape (T,)."""
    return np.array([t.kind == "stop" for t in playbook.treatments])


def _lever(treatment: Treatment, playbook: Playbook) -> float:
    """Levers in percent of issue, group and action are added, then 1 + sum / 100 (never below 0)."""
    percent = 0.0
    for key in (("issue", treatment.issue), ("group", treatment.group), ("action", treatment.action)):
        percent = percent + playbook.levers.get(key, 0.0)
    return max(0.0, 1.0 + percent / 100.0)
