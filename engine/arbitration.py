"""Ranking, exploration, and the exact probability of what is placed first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from engine import gates, numerics
from engine.contact_rules import is_automated
from engine.experiments import CONTROL, RANDOM
from engine.exploration import best_counts, chosen
from engine.features import Features
from engine.numerics import compiled
from engine.playbook import Playbook, Treatment
from engine.policies import limit_counts
from engine.records import Bools, Floats, Ints, kept_with
from engine.rule_facts import repeated, same_thing

LEFT_OUT: tuple[str, ...] = (
    "below_no_contact", "exploration", "no_room_together", "outranked", "not_comparable", "below_price",
    "not_proven",
)  # fmt: skip
"""Why an eligible treatment has no place: worth no more than no contact; place 1 was drawn at random and
left it out; limits leave no room beside what is placed above; others are worth more; accounts like this
one hardly ever got it, so that its value cannot be judged; the time or quota it takes is worth more; a stop
of which chance alone explains that it saves anything."""


@dataclass(frozen=True)
class Together:
    """What the places of one list may not do together.

    Attributes:
        room: Contacts that each limit, then each limit on repeating, still allows; shape (n, L).
        counts: Whether a treatment takes from a limit's room; shape (T, L).
        clash: Pairs that contradict each other, such as an e-mail and the stop of e-mails, or the same thing
            by two roles; shape (T, T), symmetric.
    """

    room: Ints
    counts: Bools
    clash: Bools


@dataclass(frozen=True)
class Ranking:
    """What is placed where.

    Attributes:
        places: Treatment index of places 1..K, -1 = empty; shape (n, K). Place 1 may be 0 = no contact,
            then the other places are empty.
        probability: With which place 1 was chosen, in (0, 1]; shape (n,).
        greedy: The treatment that would be first without exploration; shape (n,).
        explored: Whether place 1 was drawn at random: uniformly, or by what may be true and is not the
            greedy one; shape (n,).
        target: P(place 1 = t) under this policy for every treatment; shape (n, T); rows sum to 1.
        room: Of `Together`, before anything was placed; shape (n, L).
    """

    places: Ints
    probability: Floats
    greedy: Ints
    explored: Bools
    target: Floats
    room: Ints


def together(features: Features, playbook: Playbook) -> Together:
    """What the limits and the stops of the playbook say about a list as a whole."""
    return limited(_room(features.gates, _allowed(playbook)), playbook)


class _Allowed(NamedTuple):
    """Where the gates of limits and of repeats begin; how much each limit allows, how often each repeat does
    at all, and in one list."""

    limits: int
    times: int
    contacts: Floats
    most: Floats
    once: Floats


@kept_with
def _allowed(playbook: Playbook) -> _Allowed:
    first, repeats = gates.gate_places(playbook).first, playbook.repeats
    return _Allowed(
        first[gates.LIMITS],
        first[gates.TIMES],
        np.array([limit.count for limit in playbook.contact_limits], dtype=np.float64),
        np.array([playbook.places if r.at_most is None else r.at_most for r in repeats], dtype=np.float64),
        np.array([playbook.places if r.after_days is None else 1 for r in repeats], dtype=np.float64),
    )


@compiled
def _room(gates: Floats, allowed: _Allowed) -> Ints:
    """Contacts that each limit still allows, then how often each repeat does in one list; shape (n, L)."""
    limits, repeats = allowed.contacts.size, allowed.most.size
    room = np.empty((gates.shape[0], limits + repeats), dtype=np.int64)
    for i in range(room.shape[0]):
        for k in range(limits):
            room[i, k] = np.int64(max(allowed.contacts[k] - gates[i, allowed.limits + k], 0.0))
        for k in range(repeats):
            left = max(allowed.most[k] - gates[i, allowed.times + k], 0.0)
            room[i, limits + k] = np.int64(min(left, allowed.once[k]))
    return room


def limited(room: Ints, playbook: Playbook) -> Together:
    """`together` with the room of each limit, then of each limit on repeating, known; shape (n, L)."""
    return Together(room, *_contradictions(playbook))


@kept_with
def _contradictions(playbook: Playbook) -> tuple[Bools, Bools]:
    """What takes from each limit's room, shape (T, L), and what contradicts what, (T, T)."""
    counts = np.array(
        [[limit_counts(limit, t) for limit in playbook.contact_limits] for t in playbook.treatments],
        dtype=bool,
    ).reshape(len(playbook.treatments), len(playbook.contact_limits))
    stops = ended(playbook)
    return (
        np.concatenate([counts, repeated(playbook).T], axis=1),
        stops | stops.T | same_thing(playbook) | _talks_across(playbook),
    )


@kept_with
def ended(playbook: Playbook) -> Bools:
    """Which contacts each stop would end; shape (T, T), stops in rows."""
    return np.array([[_ends(stop, other) for other in playbook.treatments] for stop in playbook.treatments])


def _talks_across(playbook: Playbook) -> Bools:
    """Pairs of a person's and an automated message on one topic, where people hold topics; shape (T, T)."""
    own = playbook.treatments
    automated = np.array([is_automated(playbook, t) for t in own])
    person = np.array([t.kind == "contact" for t in own]) & ~automated
    topics = np.array([t.topic for t in own])
    alike = (topics[:, None] == topics[None, :]) & (topics != "")[None, :]
    across = alike & (person[:, None] & automated[None, :])
    return across | across.T if playbook.topic_held_days > 0 else np.zeros_like(across)


def rank(priority: Floats, eligible: Bools, account_ids: tuple[str, ...], day: Ints, *,
         treatments: tuple[str, ...], share: float | Floats, places: int, seed: int,
         together: Together | None = None, uncertainty: Floats | None = None,
         draws: int = 0) -> Ranking:  # fmt: skip
    """Best first among eligible pairs with a positive priority; ties by the order of `treatments`.

    A draw derived from (seed, account, day) sends a share of accounts to a treatment drawn uniformly
    from the m eligible ones ("none" included). P(place 1) is then exactly
    share / m + (1 - share if it is the greedy one). With draws of the posterior the accounts that do not
    explore uniformly take each treatment as often as M draws put it first: share / m + (1 - share) x
    count / M. Places 2..K follow by priority; where the share is 1, all places are drawn.

    Args:
        priority, eligible: Shape (n, T); column 0 is no contact.
        account_ids, day: Whose list and on which day (days since 1970 UTC), n each.
        treatments: Ids of the columns: "none", then sorted.
        share: Of accounts a day that explore, in [0, 1]; one for all or shape (n,).
        places: K, at least 1.
        together: Restrictions on a list as a whole; None = none.
        uncertainty: Standard error of the priorities; shape (n, T); None = the greedy one is taken.
        draws: M, how many draws of the posterior are counted.
    """
    eligible = eligible.copy()
    eligible[:, 0] = True
    share = np.asarray(share, dtype=np.float64)
    if not share.ndim:
        share = np.full(len(account_ids), share)
    priority = np.ascontiguousarray(_shuffled(priority, share, account_ids, day, seed))
    usual, believed = np.zeros(0, dtype=np.int64), np.zeros((0, 0))
    if uncertainty is not None:
        counts = best_counts(priority, uncertainty, eligible, account_ids, day, draws=draws, seed=seed)
        usual, believed = chosen(counts, account_ids, day, seed=seed), counts / draws
    at_random, drawn = _draw(eligible, account_ids, day, share, seed)
    limits = together or _no_restrictions(len(account_ids), len(treatments))
    placed = np.full((len(account_ids), places), -1, dtype=np.int64)
    target, probability, greedy = _first(
        priority, eligible, (share, np.where(at_random, drawn, -1)), (usual, believed), placed
    )
    _fill(priority, eligible, placed, (limits.room, limits.counts, limits.clash))
    return Ranking(
        places=placed,
        probability=probability,
        greedy=greedy,
        explored=at_random | (placed[:, 0] != greedy),
        target=target,
        room=limits.room,
    )


@compiled
def _first(
    priority: Floats, eligible: Bools, drawing: tuple[Floats, Ints], belief: tuple[Ints, Floats], placed: Ints
) -> tuple[Floats, Floats, Ints]:
    """Fill place 1: what was drawn at random, else what belief chose, else the greedy one.

    `drawing`: the share that explores, and what was drawn, -1 = nothing was. `belief`: what was chosen and
    P(chosen) of each, or empty ones. Returned are P(place 1 = t), that of what is placed, and the greedy one:
    the first of the best, 0 where nothing is worth more than no contact.
    """
    share, drawn = drawing
    usual, believed = belief
    target, probability = np.empty_like(priority), np.empty(priority.shape[0])
    greedy = np.zeros(priority.shape[0], dtype=np.int64)
    for i in range(priority.shape[0]):
        best, highest, count = 0, 0.0, 0
        for t in range(priority.shape[1]):
            count += eligible[i, t]
            if eligible[i, t] and priority[i, t] > highest:
                best, highest = t, priority[i, t]
        greedy[i] = best
        each = share[i] / count
        for t in range(priority.shape[1]):
            sure = (1.0 if t == best else 0.0) if not usual.size else believed[i, t]
            target[i, t] = (each if eligible[i, t] else 0.0) + (1.0 - share[i]) * sure
        first = best if not usual.size else usual[i]
        placed[i, 0] = drawn[i] if drawn[i] >= 0 else first
        probability[i] = target[i, placed[i, 0]]
    return target, probability, greedy


def left_out(
    priority: Floats, eligible: Bools, ranking: Ranking, held: Bools | None = None,
    charge: Floats | None = None, *, unproven: Bools | None = None,
) -> npt.NDArray[np.int8]:  # fmt: skip
    """Why each eligible pair has no place: index into LEFT_OUT; -1 = placed or not eligible; shape (n, T).

    `priority` is what was ranked by, `charge` what has been taken from it for time and quotas.
    """
    shape = priority.shape
    placed = placed_at(ranking, shape[1]) > 0
    first, last = ranking.places[:, 0], ranking.places[:, -1]
    rows = np.arange(shape[0])
    is_none = np.arange(shape[1])[None, :] == 0
    drawn_alone = ranking.explored & ((first == 0) | (ranking.places.shape[1] == 1))
    beaten = np.where(last > 0, priority[rows, last], np.inf)
    # Ties go by order: an equal before the last one placed would have been taken if there had been room.
    better = (priority > beaten[:, None]) | (
        (priority == beaten[:, None]) & (np.arange(shape[1])[None, :] < last[:, None])
    )
    reason = np.full(shape, LEFT_OUT.index("outranked"), dtype=np.int8)
    reason[better | (last < 0)[:, None]] = LEFT_OUT.index("no_room_together")
    reason[drawn_alone[:, None] & ~is_none] = LEFT_OUT.index("exploration")
    reason[~(priority > 0.0) & ~is_none] = LEFT_OUT.index("below_no_contact")
    if charge is not None:
        priced_out = ~(priority > 0.0) & (priority + charge > 0.0)
        reason[priced_out] = LEFT_OUT.index("below_price")
    if held is not None:
        reason[held] = LEFT_OUT.index("not_comparable")
    if unproven is not None:
        reason[unproven] = LEFT_OUT.index("not_proven")
    none_reason = np.where(ranking.explored, LEFT_OUT.index("exploration"), LEFT_OUT.index("outranked"))
    reason[:, 0] = none_reason
    reason[placed | ~eligible] = -1
    return reason


def placed_at(ranking: Ranking, treatments: int) -> npt.NDArray[np.int64]:
    """Place of each treatment on the list, 1 = first, 0 = not placed; shape (n, T)."""
    place = np.zeros((len(ranking.greedy), treatments), dtype=np.int64)
    for index in range(ranking.places.shape[1]):
        filled = np.flatnonzero(ranking.places[:, index] >= 0)
        place[filled, ranking.places[filled, index]] = index + 1
    return place


def _ends(stop: Treatment, contact: Treatment) -> bool:
    return contact.kind == "contact" and (contact.channel, contact.purpose) in stop.stops


def _no_restrictions(moments: int, treatments: int) -> Together:
    none = np.zeros((treatments, 0), dtype=bool)
    return Together(
        np.zeros((moments, 0), dtype=np.int64), none, np.zeros((treatments, treatments), dtype=bool)
    )


def _draw(
    eligible: Bools, account_ids: tuple[str, ...], day: Ints, share: Floats, seed: int
) -> tuple[Bools, Ints]:
    """Whether each account explores today, and what it then draws among its eligible treatments."""
    explored = np.zeros(len(account_ids), dtype=bool)
    drawn = np.zeros(len(account_ids), dtype=np.int64)
    for row, each in enumerate(share.tolist()):
        if not each > 0.0:
            continue
        account_id, today = account_ids[row], int(day[row])
        if numerics.uniform(seed, "explore", account_id, today) < each:
            among = np.flatnonzero(eligible[row])
            explored[row] = True
            drawn[row] = among[int(numerics.uniform(seed, "which", account_id, today) * len(among))]
    return explored, drawn


def _shuffled(priority: Floats, share: Floats, account_ids: tuple[str, ...], day: Ints, seed: int) -> Floats:
    """The priorities, where everything is drawn at random in an order drawn at random; shape (n, T)."""
    rows = [row for row, each in enumerate(share.tolist()) if each >= 1.0]
    if rows:
        priority = priority.copy()
    for row in rows:
        drawn = [numerics.uniform(seed, "order", account_ids[row], int(day[row]), t)
                 for t in range(1, priority.shape[1])]  # fmt: skip
        priority[row, 1:] = 1.0 - np.array(drawn)
    return priority


def shares(playbook: Playbook, arm: Ints) -> Floats:
    """The share of accounts that explore in each arm of the standing test (a row's arm): none where nothing
    is suggested, all where everything is drawn at random, else the playbook's; shape (n,)."""
    usual = np.where(arm == CONTROL, 0.0, playbook.exploration_share)
    return np.where(arm == RANDOM, 1.0, usual)


def drawn_share(playbook: Playbook) -> float:
    """The share of accounts whose place 1 is drawn at random, in [0, 1): for whom time is kept free."""
    test = playbook.experiment
    return min(0.9, playbook.exploration_share + (test.share(RANDOM) if test else 0.0))


@compiled
def _fill(priority: Floats, eligible: Bools, placed: Ints, limits: tuple[Ints, Bools, Bools]) -> None:
    """Place after place, the first of which is given: the best of what is still open and fits beside what has
    been placed; ties by the order of treatments. Limits as of `Together`: room, counts, clash."""
    room, counts, clash = limits
    left, still = np.empty(room.shape[1], dtype=np.int64), np.empty(eligible.shape[1], dtype=np.bool_)
    for i in range(placed.shape[0]):
        for limit in range(left.size):
            left[limit] = room[i, limit]
        for t in range(still.size):
            still[t] = eligible[i, t] and priority[i, t] > 0.0
        for place in range(1, placed.shape[1]):
            taken = placed[i, place - 1]
            if taken <= 0:
                break
            still[taken] = False
            for limit in range(left.size):
                left[limit] -= counts[taken, limit]
            best, highest = -1, -np.inf
            for t in range(1, still.size):
                if not still[t] or clash[taken, t]:
                    still[t] = False
                    continue
                for limit in range(left.size):
                    if counts[t, limit] and left[limit] <= 0:
                        still[t] = False
                if still[t] and priority[i, t] > highest:
                    best, highest = t, priority[i, t]
            placed[i, place] = best
