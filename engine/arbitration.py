"""Priority, ranking, exploration, and the exact probability of what is placed first."""

from __future__ import annotations

from dataclasses import dataclass

from engine.features import Features
from engine.playbook import Playbook
from engine.records import Bools, Floats, Ints
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
    """

    caused: Floats
    cost: Floats
    fatigue: Floats
    weight: Floats
    lever: Floats
    priority: Floats


@dataclass(frozen=True)
class Ranking:
    """What is placed where.

    Attributes:
        places: Treatment index of places 1..K, -1 = empty; shape (n, K). Place 1 may be 0 = no contact,
            then the other places are empty.
        probability: With which place 1 was chosen, in (0, 1]; shape (n,).
        greedy: The treatment that would be first without exploration; shape (n,).
        explored: Whether place 1 was drawn at random; shape (n,).
        target: P(place 1 = t) under this policy for every treatment; shape (n, T); rows sum to 1.
    """

    places: Ints
    probability: Floats
    greedy: Ints
    explored: Bools
    target: Floats


def prioritise(features: Features, scores: Scores, playbook: Playbook) -> Priority:
    """(caused - cost - fatigue) x P(followed) x context weight x lever; or the leaders' formula."""
    raise NotImplementedError


def rank(priority: Floats, eligible: Bools, account_ids: tuple[str, ...], day: Ints, *,
         treatments: tuple[str, ...], share: float, places: int, seed: int) -> Ranking:  # fmt: skip
    """Best first among eligible pairs with a positive priority; ties by treatment id.

    A draw derived from (seed, account, day) sends a share of accounts to a treatment drawn uniformly
    from the m eligible ones ("none" included). P(place 1) is then exactly
    share / m + (1 - share if it is the greedy one).
    """
    raise NotImplementedError
