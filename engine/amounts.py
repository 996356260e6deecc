"""What a priority is the sum of: the parts that reasons tell, in its currency.

    priority = (constant + contributions of the features - cost - fatigue) x P(followed) x lever + weights

Each part is what it adds, so that all parts together are the priority. The leaders' formula has no cost and
no fatigue; there the parts are those of P(positive response) x value x lever.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from engine import numerics
from engine.decide import Decisions
from engine.drivers import GENERAL, columns_of
from engine.playbook import ContextWeight, Playbook
from engine.records import Floats


@dataclass(frozen=True)
class Amounts:
    """The parts of one pair's priority; all in currency.

    Attributes:
        general: What the treatment brings whatever the account, before cost.
        drivers: Code of a driver -> what those features add; those that add nothing are not named.
        windows: Code of a driver -> the window in days of the feature that adds most of it.
        cost, fatigue: What they take away; 0 or negative.
        weights: Id of a context weight -> what it adds.
    """

    general: float
    drivers: Mapping[str, float]
    windows: Mapping[str, int | None]
    cost: float
    fatigue: float
    weights: Mapping[str, float]


def amounts_of(decisions: Decisions, account: int, treatment: int, playbook: Playbook) -> Amounts:
    """The parts of the priority of one pair (places of moment and treatment)."""
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
    constant, by_feature = decisions.contributions(
        account, treatment, of_response=playbook.priority == "leaders"
    )
    general, drivers, windows = _by_driver(decisions, constant, by_feature)
    active = priority.active[at]
    holding = [weight for weight, holds in zip(playbook.context_weights, active, strict=True) if holds]
    return Amounts(
        general * factor,
        {code: amount * factor for code, amount in drivers.items()},
        windows,
        cost,
        fatigue,
        weight_amounts(base, holding),
    )


def _by_driver(
    decisions: Decisions, constant: float, by_feature: Floats
) -> tuple[float, dict[str, float], dict[str, int | None]]:
    """General part, amount by driver, and the window of each driver's strongest feature."""
    parts: dict[str, list[float]] = {}
    strongest: dict[str, tuple[float, int | None]] = {}
    for column, amount in zip(columns_of(decisions.features.set), by_feature.tolist(), strict=True):
        if amount != 0.0:
            parts.setdefault(column.driver, []).append(amount)
            if column.window_days is not None and abs(amount) > strongest.get(column.driver, (0.0, None))[0]:
                strongest[column.driver] = (abs(amount), column.window_days)
    totals = {code: numerics.total(np.array(amounts)) for code, amounts in parts.items()}
    return constant + totals.pop(GENERAL, 0.0), totals, {code: days for code, (_, days) in strongest.items()}


def weight_amounts(base: float, holding: list[ContextWeight]) -> dict[str, float]:
    """What each context weight adds to a priority that is `base` without them.

    With W the product of the weights w: base (W - 1) ln w / ln W, the limit base ln w where W = 1. Weights of
    zero take all of it, in equal parts.

    Source:
        Ang (2004), Decomposition analysis for policymaking in energy (logarithmic mean Divisia index).
    """
    zeros = [weight.id for weight in holding if weight.weight == 0.0]
    if zeros:
        return {w.id: -base / len(zeros) if w.weight == 0.0 else 0.0 for w in holding}
    product = 1.0
    for weight in holding:
        product = product * weight.weight
    whole = numerics.log_one(product)
    mean = (product - 1.0) / whole if abs(whole) > 1e-9 else 1.0
    return {weight.id: base * mean * numerics.log_one(weight.weight) for weight in holding}
