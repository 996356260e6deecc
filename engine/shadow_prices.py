"""What a candidate takes of people's time and of quotas, at the prices of a plan; and what is due.

A plan's prices make an account's choice its own affair again: the best of priority - price x use. Where
nobody's time is short it costs nothing, so without a plan everything is ranked by its priority alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from engine.arms import members_at
from engine.features import Features, FeatureSet
from engine.playbook import Playbook, Treatment
from engine.programs import Program
from engine.records import Bools, Floats, History, Ints, Moments, kept_for, kept_with
from engine.rules import program_of


@dataclass(frozen=True)
class ShadowPrices:
    """Prices by name, in currency; whoever or whatever is not named costs nothing.

    Attributes:
        minute: User -> price of a minute of her time.
        slot: User -> price of a place on her list.
        quota: Channel -> price of a contact.
        closed: Channels whose quota is used up: only what is planned goes through them.
        planned: Account -> treatments that the plan has given their time or quota; they pay nothing for it.
    """

    minute: Mapping[str, float] = field(default_factory=dict)
    slot: Mapping[str, float] = field(default_factory=dict)
    quota: Mapping[str, float] = field(default_factory=dict)
    closed: frozenset[str] = frozenset()
    planned: Mapping[str, frozenset[str]] = field(default_factory=dict)


def whole_minutes(treatment: Treatment) -> int:
    """Minutes of a person's time, rounded up: a plan counts in whole minutes and never promises too much."""
    return math.ceil(treatment.minutes)


def charges(
    history: History, moments: Moments, playbook: Playbook, prices: ShadowPrices, worth: Floats
) -> Floats:
    """What each treatment costs each account's colleagues and quotas, in currency; shape (n, T).

    A treatment takes the time of whoever has its role for the account at that moment; where nobody has,
    nobody's. Through a channel that is closed it costs no less than the `worth` of the pair, shape (n, T).
    """
    cost: Floats = np.zeros((len(moments), len(playbook.treatments)))
    for row, role, user in members_at(history, moments):
        if user is None or (user not in prices.minute and user not in prices.slot):
            continue
        minute, slot = prices.minute.get(user, 0.0), prices.slot.get(user, 0.0)
        for index, minutes in _done_by(playbook).get(role, ()):
            cost[row, index] = minute * minutes + slot
    quota, closed = _of_channels(playbook, prices)
    cost = cost + quota
    if closed.size:
        cost[:, closed] = np.maximum(cost[:, closed], worth[:, closed])
    for row, account in enumerate(moments.account_ids if prices.planned else ()):
        for planned in prices.planned.get(account, frozenset()):
            cost[row, [t.id == planned for t in playbook.treatments]] = 0.0
    return cost


@kept_with
def _done_by(playbook: Playbook) -> Mapping[str | None, Sequence[tuple[int, int]]]:
    """Role -> places of its treatments and their whole minutes."""
    found: dict[str | None, list[tuple[int, int]]] = {}
    for index, treatment in enumerate(playbook.treatments):
        found.setdefault(treatment.role, []).append((index, whole_minutes(treatment)))
    return found


@kept_for
def _of_channels(playbook: Playbook, prices: ShadowPrices) -> tuple[Floats, Ints]:
    """What the quota of each channel costs its contacts, shape (T,); places of those through closed ones."""
    channels = [t.channel if t.kind == "contact" else None for t in playbook.treatments]
    cost = np.array([0.0 if channel is None else prices.quota.get(channel, 0.0) for channel in channels])
    return cost, np.flatnonzero([channel in prices.closed for channel in channels])


def due_minimums(features: Features, playbook: Playbook) -> Bools:
    """Which pairs would meet each minimum of the playbook; shape (M, n, T). Unknown = not due."""
    due: Bools = features.truths(_minimums(features.set, playbook)) == 1
    due[:, :, 0] = False
    return due


@kept_for
def _minimums(features: FeatureSet, playbook: Playbook) -> Program:
    return program_of(features, playbook, playbook.minimums)


def due_worth(features: Features, playbook: Playbook, priority: Floats) -> Floats:
    """What meeting a minimum adds to each pair, in currency; shape (n, T).

    That is its worth. What meets a minimum without a price is lifted above everything else of the account, so
    that it is worth something and goes first whatever it costs.

    Args:
        priority: Of each pair; shape (n, T).
    """
    worth, lifted = np.zeros(priority.shape), np.zeros(priority.shape, dtype=np.bool_)
    for minimum, due in zip(playbook.minimums, due_minimums(features, playbook), strict=True):
        if minimum.worth is None:
            lifted |= due
        else:
            worth = worth + np.where(due, minimum.worth, 0.0)
    above = (priority + worth).max(axis=1, keepdims=True) + 1.0 - priority
    return np.where(lifted, above, worth)
