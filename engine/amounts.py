"""What a priority is the sum of: the parts that reasons tell, in its currency.

    priority = (constant + contributions of the features - cost - fatigue) x P(followed) x lever
               + weights + held

Each part is what it adds, so that all parts together are the priority. The leaders' formula has no cost and
no fatigue; there the parts are those of P(positive response) x value x lever.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from engine import numerics
from engine.contributions import Contributions, explain_together, whole
from engine.decide import Decisions
from engine.drivers import GENERAL, columns_of
from engine.features import FeatureSet
from engine.numerics import compiled
from engine.playbook import ContextWeight, Playbook
from engine.records import Floats, Ints, kept_with
from engine.scoring import LearnedScorer


@dataclass(frozen=True)
class Amounts:
    """The parts of one pair's priority; all in currency.

    Attributes:
        general: What the treatment itself brings, before cost; with a forest over account and treatment half
            of what both bring only together is in it, so it differs between accounts.
        drivers: Code of a driver -> what those features add; those that add nothing are not named.
        windows: Code of a driver -> the window in days of the feature that adds most of it.
        cost, fatigue: What they take away; 0 or negative.
        weights: Id of a context weight -> what it adds.
        held: What is taken away where the value cannot be judged, so that the priority is 0.
    """

    general: float
    drivers: Mapping[str, float]
    windows: Mapping[str, int]
    cost: float
    fatigue: float
    weights: Mapping[str, float]
    held: float


def amounts_of(
    decisions: Decisions, account: int, treatment: int, playbook: Playbook, *, in_parts: bool = True
) -> Amounts:
    """The parts of the priority of one pair (places of moment and treatment).

    Without `in_parts` what the features add is left in the general part, which costs next to nothing.
    """
    at = (account, treatment)
    priority = decisions.priority
    lever = float(priority.lever[at])
    if playbook.priority == "leaders":
        factor, cost, fatigue = playbook.treatments[treatment].value * lever, 0.0, 0.0
        base = float(decisions.scores.response[at]) * factor
    else:
        factor = float(priority.followed[at]) * lever
        cost, fatigue = -float(priority.cost[at]) * factor, -float(priority.fatigue[at]) * factor
        base = float(priority.caused[at]) * factor + cost + fatigue
    if in_parts:
        parts = _parts(decisions, account, treatment, of_response=playbook.priority == "leaders")
        general, drivers, windows = parts.of(account)
    else:
        general, drivers, windows = (base - cost - fatigue) / factor if factor else 0.0, {}, {}
    active = priority.active[at]
    holding = [weight for weight, holds in zip(playbook.context_weights, active, strict=True) if holds]
    held = priority.held is not None and bool(priority.held[at])
    return Amounts(
        general * factor,
        {code: amount * factor for code, amount in drivers.items()},
        windows,
        cost,
        fatigue,
        weight_amounts(base, holding),
        -base * float(priority.weight[at]) if held else 0.0,
    )


def explain_lists(
    lists: Sequence[Decisions], playbook: Playbook, *, roles: Collection[str] | None = None
) -> None:
    """Ask forests at once what the features add to all that is placed on these lists, of these roles (None =
    all). `amounts_of` finds it with the features; by itself it asks for treatment after treatment."""
    of_response = playbook.priority == "leaders"
    told = [roles is None or treatment.role in roles for treatment in playbook.treatments]
    explain_together(
        question
        for each in lists
        if isinstance(each.scorer, LearnedScorer)
        for moment, places in enumerate(each.ranking.places.tolist())
        for place in places
        if place > 0 and told[place]
        for question in each.scorer.questions(each.features, moment, place, of_response=of_response)
    )


@dataclass(frozen=True)
class _Parts:
    """What the features add to the worth of one treatment, for some moments, by driver.

    Attributes:
        places: Moment -> row.
        codes: Of the drivers, general first.
        totals: Shape (m, D).
        windows: Of each driver's strongest feature, 0 = it has none; shape (m, D).
    """

    places: Mapping[int, int]
    codes: tuple[str, ...]
    totals: Floats
    windows: Ints

    def of(self, account: int) -> tuple[float, dict[str, float], dict[str, int]]:
        """The general part, the others that are not zero, and their windows."""
        row = self.places[account]
        totals, windows = self.totals[row].tolist(), self.windows[row].tolist()
        moving = [place for place in range(1, len(totals)) if totals[place] != 0.0]
        return (
            totals[0],
            {self.codes[place]: totals[place] for place in moving},
            {self.codes[place]: windows[place] for place in moving if windows[place]},
        )


def _parts(decisions: Decisions, account: int, treatment: int, *, of_response: bool) -> _Parts:
    """Worked out for all lists on which the treatment stands together, and kept."""
    found = decisions.explained.get((treatment, of_response))
    if not isinstance(found, _Parts) or account not in found.places:
        on_lists = np.flatnonzero((decisions.ranking.places == treatment).any(axis=1))
        moments = on_lists if account in on_lists else np.array([account])
        constant, by_feature = _explained(decisions, moments, treatment, of_response=of_response)
        codes, driver, window = _by_driver(decisions.features.set)
        totals = np.zeros((len(moments), len(codes)))
        totals[:, 0] = constant
        windows = np.zeros(totals.shape, dtype=np.int64)
        _add_up(by_feature, driver, window, totals, windows)
        places = {int(moment): row for row, moment in enumerate(moments)}
        found = decisions.explained[treatment, of_response] = _Parts(places, codes, totals, windows)
    return found


def _explained(decisions: Decisions, moments: Ints, treatment: int, *, of_response: bool) -> Contributions:
    if decisions.stop_worth(treatment) is not None:  # no feature adds to it, and it has been scored
        scores = decisions.scores
        worth = scores.value[moments, treatment] - scores.value[moments, 0]
        return whole(decisions.features, scores.response[moments, treatment] if of_response else worth)
    scorer = decisions.scorer
    explain = scorer.response_contributions if of_response else scorer.contributions
    return explain(decisions.features, moments, treatment)


@kept_with
def _by_driver(features: FeatureSet) -> tuple[tuple[str, ...], Ints, Ints]:
    """Codes of the drivers, general first; of each feature its driver's place and its window, 0 = none."""
    columns = columns_of(features)
    codes = (GENERAL, *sorted({column.driver for column in columns} - {GENERAL}))
    driver = np.array([codes.index(column.driver) for column in columns], dtype=np.int64)
    return codes, driver, np.array([column.window_days or 0 for column in columns], dtype=np.int64)


@compiled
def _add_up(by_feature: Floats, driver: Ints, window: Ints, totals: Floats, windows: Ints) -> None:
    """By driver: the sum in the order of the features, and the window of the one that adds or takes most."""
    largest = np.empty(totals.shape[1])
    for row in range(by_feature.shape[0]):
        largest[:] = 0.0
        for column in range(driver.size):
            amount, own = by_feature[row, column], driver[column]
            totals[row, own] += amount
            if window[column] > 0 and abs(amount) > largest[own]:
                largest[own], windows[row, own] = abs(amount), window[column]


def weight_amounts(base: float, holding: list[ContextWeight]) -> dict[str, float]:
    """What each context weight adds to a priority that is `base` without them.

    With W the product of the weights w: base (W - 1) ln w / ln W, the limit base ln w where W = 1. Weights of
    zero take all of it, in equal parts.

    Source:
        Ang (2004), Decomposition analysis for policymaking in energy (logarithmic mean Divisia index).
    """
    if not holding:
        return {}
    zeros = [weight.id for weight in holding if weight.weight == 0.0]
    if zeros:
        return {w.id: -base / len(zeros) if w.weight == 0.0 else 0.0 for w in holding}
    product = 1.0
    for weight in holding:
        product = product * weight.weight
    whole = numerics.log_one(product)
    mean = (product - 1.0) / whole if abs(whole) > 1e-9 else 1.0
    return {weight.id: base * mean * numerics.log_one(weight.weight) for weight in holding}
