"""Priority, ranking, exploration, and the exact probability of what is placed first."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine import numerics
from engine.contact_rules import is_automated
from engine.experiments import CONTROL, NO_LEVERS, PROPENSITY, RANDOM
from engine.exploration import best_counts, chosen
from engine.features import Features, FeatureSet
from engine.numerics import compiled
from engine.playbook import Playbook, Treatment
from engine.policies import limit_counts
from engine.programs import BOTH, Program
from engine.records import Bools, Floats, Ints, kept_for, kept_with
from engine.rule_facts import repeated, same_thing
from engine.rules import program_of
from engine.scoring import Scores

LEFT_OUT: tuple[str, ...] = (
    "below_no_contact", "exploration", "no_room_together", "outranked", "not_comparable", "below_price",
    "not_proven",
)  # fmt: skip
"""Why an eligible treatment has no place: worth no more than no contact; place 1 was drawn at random and
left it out; limits leave no room beside what is placed above; others are worth more; accounts like this
one hardly ever got it, so that its value cannot be judged; the time or quota it takes is worth more; a stop
of which chance alone explains that it saves anything."""


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
    shape = scores.value.shape
    caused = scores.value - scores.value[:, :1]
    costs, levers, _ = _own_amounts(playbook)
    cost = np.broadcast_to(costs, shape)
    fatigue = scores.optout * playbook.optout_loss
    lever = np.where((arm == NO_LEVERS)[:, None], 1.0, levers[None, :])
    if playbook.priority == "leaders":
        followed = np.ones(shape)
        base = scores.response * np.array([t.value for t in playbook.treatments])
        unsure = np.zeros(shape)
    else:
        followed = _followed(scores, playbook)
        base = (caused - cost - fatigue) * followed
        unsure = scores.uncertainty * followed * weight * lever
    alone = (arm == PROPENSITY)[:, None]
    priority = np.where(alone, scores.response * _usual_value(playbook), base * weight * lever)
    unsure = np.where(alone, 0.0, unsure)
    priority[:, 0] = 0.0
    held = None if scores.comparable is None else ~scores.comparable & (priority > 0.0) & ~alone
    if held is not None:
        priority, unsure = np.where(held, 0.0, priority), np.where(held, 0.0, unsure)
    unproven = None if held is None else held & _stops(playbook)
    return Priority(
        caused, cost.copy(), fatigue, weight, lever, priority, active, followed, unsure, held, unproven
    )


def context_weights(features: Features, playbook: Playbook) -> tuple[Floats, Bools]:
    """The product of the context weights that hold, shape (n, T), and which hold, (n, T, W).

    Unknown counts as not holding. Column 0 (no contact) has no weight.
    """
    holding = features.truths(_weights(features.set, playbook)) == 1
    holding[:, :, 0] = False
    product = np.ones((len(features.moments), len(playbook.treatments)))
    for weight, both in zip(playbook.context_weights, holding, strict=True):
        product = product * np.where(both, weight.weight, 1.0)
    return product, holding.transpose(1, 2, 0)


@kept_for
def _weights(features: FeatureSet, playbook: Playbook) -> Program:
    return program_of(features, playbook, playbook.context_weights, BOTH)


def together(features: Features, playbook: Playbook) -> Together:
    """What the limits and the stops of the playbook say about a list as a whole."""
    allowed = np.array([limit.count for limit in playbook.contact_limits], dtype=np.float64)
    room = np.maximum(allowed - features.limits, 0.0)
    return limited(
        np.concatenate([room, _repeats_left(features, playbook)], axis=1).astype(np.int64), playbook
    )


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
    clash = np.array(
        [[_clash(a, b) or _clash(b, a) for b in playbook.treatments] for a in playbook.treatments]
    )
    return (
        np.concatenate([counts, repeated(playbook).T], axis=1),
        clash | same_thing(playbook) | _talks_across(playbook),
    )


def _repeats_left(features: Features, playbook: Playbook) -> Floats:
    """How often each of `Playbook.repeats` still allows, of one list; shape (n, R)."""
    most = np.array([playbook.places if r.at_most is None else r.at_most for r in playbook.repeats])
    once = np.array([playbook.places if r.after_days is None else 1 for r in playbook.repeats])
    return np.clip(most[None, :] - features.times, 0.0, once[None, :])


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
    priority = _shuffled(priority, share, account_ids, day, seed)
    open_ = eligible & (priority > 0.0)
    greedy = _best(priority, open_)
    rows = np.arange(len(account_ids))
    usual, believed = greedy, np.zeros(priority.shape)
    believed[rows, greedy] = 1.0
    if uncertainty is not None:
        counts = best_counts(priority, uncertainty, eligible, account_ids, day, draws=draws, seed=seed)
        usual, believed = chosen(counts, account_ids, day, seed=seed), counts / draws
    drawn_at_random, drawn = _draw(eligible, account_ids, day, share, seed)
    first = np.where(drawn_at_random, drawn, usual)
    limits = together or _no_restrictions(len(account_ids), len(treatments))
    target = (share / eligible.sum(axis=1))[:, None] * eligible  # counts
    target = target + (1.0 - share)[:, None] * believed
    placed = np.full((len(account_ids), places), -1, dtype=np.int64)
    placed[:, 0] = first
    _fill(priority, open_, placed, (limits.room, limits.counts, limits.clash))
    return Ranking(
        places=placed,
        probability=target[rows, first],
        greedy=greedy,
        explored=drawn_at_random | (first != greedy),
        target=target,
        room=limits.room,
    )


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


def _followed(scores: Scores, playbook: Playbook) -> Floats:
    """P(followed) with its floor where a person acts, 1 where the system does; shape (n, T)."""
    by_person = _own_amounts(playbook)[2]
    return np.where(by_person, np.maximum(scores.followed, playbook.followed_floor), 1.0)


@kept_with
def _usual_value(playbook: Playbook) -> float:
    """The mean value of the contacts, in currency: what a response counts where all count the same."""
    return numerics.mean(np.array([t.value for t in playbook.treatments if t.kind == "contact"] or [1.0]))


@kept_with
def _own_amounts(playbook: Playbook) -> tuple[Floats, Floats, Bools]:
    """Cost and lever of each treatment, and whether a person carries it out; shapes (T,)."""
    system = {role.id for role in playbook.roles if role.system}
    return (
        np.array([t.cost for t in playbook.treatments]),
        np.array([_lever(t, playbook) for t in playbook.treatments]),
        np.array([t.kind != "none" and t.role not in system for t in playbook.treatments]),
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


def _clash(stop: Treatment, contact: Treatment) -> bool:
    return contact.kind == "contact" and (contact.channel, contact.purpose) in stop.stops


def _no_restrictions(moments: int, treatments: int) -> Together:
    none = np.zeros((treatments, 0), dtype=bool)
    return Together(
        np.zeros((moments, 0), dtype=np.int64), none, np.zeros((treatments, treatments), dtype=bool)
    )


def _best(priority: Floats, open_: Bools) -> Ints:
    """The first of the highest among open pairs, 0 where none is open; shape (n,)."""
    best = np.where(open_, priority, -np.inf).argmax(axis=1)
    return np.where(open_.any(axis=1), best, 0).astype(np.int64)


def _draw(
    eligible: Bools, account_ids: tuple[str, ...], day: Ints, share: Floats, seed: int
) -> tuple[Bools, Ints]:
    """Whether each account explores today, and what it then draws among its eligible treatments."""
    explored = np.zeros(len(account_ids), dtype=bool)
    drawn = np.zeros(len(account_ids), dtype=np.int64)
    for row in np.flatnonzero(share > 0.0).tolist():
        account_id, today = account_ids[row], int(day[row])
        if numerics.uniform(seed, "explore", account_id, today) < share[row]:
            among = np.flatnonzero(eligible[row])
            explored[row] = True
            drawn[row] = among[int(numerics.uniform(seed, "which", account_id, today) * len(among))]
    return explored, drawn


def _shuffled(priority: Floats, share: Floats, account_ids: tuple[str, ...], day: Ints, seed: int) -> Floats:
    """The priorities, where everything is drawn at random in an order drawn at random; shape (n, T)."""
    rows = np.flatnonzero(share >= 1.0).tolist()
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
def _fill(priority: Floats, open_: Bools, placed: Ints, limits: tuple[Ints, Bools, Bools]) -> None:
    """Place after place, the first of which is given: the best of what is still open and fits beside what has
    been placed; ties by the order of treatments. Limits as of `Together`: room, counts, clash."""
    room, counts, clash = limits
    left, still = np.empty(room.shape[1], dtype=np.int64), np.empty(open_.shape[1], dtype=np.bool_)
    for i in range(placed.shape[0]):
        left[:], still[:] = room[i], open_[i]
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
