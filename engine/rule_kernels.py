"""The loops that only rules read, compiled: who deals with a topic, what was repeated, what was quoted.

The same conventions as in `engine.kernels`. A contact that was planned and whose time has passed without a
word counts as in somebody's hands where a loop says so; limits and repeats count it no more.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from engine.kernels import INBOUND_DONE, OUTBOUND_DONE, OUTBOUND_PLANNED, Questions, Touchpoints
from engine.numerics import compiled
from engine.records import DAY_MICROS, Bools, Floats, Ints, Micros


class Offers(NamedTuple):
    """Versions of quotes; open from `time` until `until`. `product`: -1 = none given, -2 = one that no
    treatment offers. `price` inf = in another currency."""

    start: Ints
    time: Micros
    until: Micros
    valid_from: Micros
    valid_to: Micros
    topic: Ints
    product: Ints
    price: Floats


class Same(NamedTuple):
    """Groups of contacts that are the same to the account, E of them.

    `channel[e, c]` and `treatment[e, t]` say what touchpoints belong, their last column what is unknown;
    `member[e, t]` which candidates do; `window` is in microseconds.
    """

    channel: Bools
    treatment: Bools
    member: Bools
    window: Micros
    same_topic: Bools


class Hands(NamedTuple):
    """When a topic is in a person's hands: channels that are `personal` (the last entry: an unknown one), the
    topic of each treatment (the last: of an unknown one), and for how long, in microseconds."""

    personal: Bools
    topic: Ints
    window: int


class _Doing(NamedTuple):
    """What somebody does, did or has put off."""

    topic: int
    actor: int
    days: float


class Candidates(NamedTuple):
    """Codes of the treatments: topic (one more entry, -1, for an unknown one), actor, product, price (NaN =
    none)."""

    topic: Ints
    actor: Ints
    product: Ints
    price: Floats


Alike = tuple[Same, Candidates]
"""What is the same to the account, and of which candidates."""


@compiled
def _age(touchpoints: Touchpoints, row: int, at: int) -> int:
    """Microseconds since a contact by us that is known, negative for one ahead; 0 = it does not count.

    A planned one counts also when its time has passed.
    """
    if not touchpoints.valid_from[row] < at <= touchpoints.valid_to[row]:
        return 0
    age = at - touchpoints.time[row]
    if touchpoints.event[row] == OUTBOUND_PLANNED:
        return age if age != 0 else -1
    return age if touchpoints.event[row] == OUTBOUND_DONE and age > 0 else 0


@compiled
def _topic(touchpoints: Touchpoints, row: int, of_treatment: Ints) -> int:
    """What a touchpoint is about: what it says itself, else what its treatment is about."""
    own = touchpoints.topic[row]
    return int(own) if own >= 0 else int(of_treatment[touchpoints.treatment[row]])


@compiled
def hold_topics(
    questions: Questions, touchpoints: Touchpoints, hands: Hands, found: Floats, first: int
) -> None:
    """Days since a person last dealt with each topic, negative while that lies ahead.

    Counted are contacts either way.
    """
    for i in range(questions.at.size):
        at, owner = questions.at[i], questions.account[i]
        for row in range(touchpoints.start[owner], touchpoints.start[owner + 1]):
            age = _age(touchpoints, row, at)
            if touchpoints.event[row] == INBOUND_DONE and (
                touchpoints.valid_from[row] < at <= touchpoints.valid_to[row]
            ):
                age = max(at - touchpoints.time[row], 0)
            topic = _topic(touchpoints, row, hands.topic)
            if age == 0 or age >= hands.window or topic < 0 or not hands.personal[touchpoints.channel[row]]:
                continue
            if age > 0 or np.isnan(found[i, first + topic]):
                found[i, first + topic] = age / DAY_MICROS


@compiled
def count_repeats(
    questions: Questions, touchpoints: Touchpoints, counts: Bools, found: Floats, first: tuple[int, int]
) -> None:
    """How often what each limit counts was done or is planned ahead, and days since the latest, negative for
    one ahead; `first` says where each of the two begins. `counts[r, t]`, the last column: an unknown
    treatment."""
    times, since = first
    for i in range(questions.at.size):
        at, owner = questions.at[i], questions.account[i]
        for row in range(touchpoints.start[owner], touchpoints.start[owner + 1]):
            age = _age(touchpoints, row, at)
            overdue = touchpoints.event[row] == OUTBOUND_PLANNED and age > 0
            if age == 0 or overdue:
                continue
            for r in range(counts.shape[0]):
                if counts[r, touchpoints.treatment[row]]:
                    found[i, times + r] += 1.0
                    found[i, since + r] = age / DAY_MICROS


@compiled
def find_equivalents(
    questions: Questions, touchpoints: Touchpoints, alike: Alike, found: Floats, first: int
) -> None:
    """Days since another actor did, or is to do, the same as each candidate, group after group."""
    same, candidates = alike
    for i in range(questions.at.size):
        at, owner = questions.at[i], questions.account[i]
        for row in range(touchpoints.start[owner], touchpoints.start[owner + 1]):
            age = _age(touchpoints, row, at)
            if age == 0:
                continue
            topic = _topic(touchpoints, row, candidates.topic)
            for e in range(same.window.size):
                if age >= same.window[e] or not (
                    same.channel[e, touchpoints.channel[row]]
                    and same.treatment[e, touchpoints.treatment[row]]
                ):
                    continue
                doing = _Doing(topic, touchpoints.actor[row], age / DAY_MICROS)
                _mark(found, (i, first, e), alike, doing)


@compiled
def find_put_off(snoozing: Floats, alike: Alike, found: Floats, first: int) -> None:
    """What another actor has put off is still in her hands: 0 days, where nothing else was found."""
    same, candidates = alike
    for i in range(snoozing.shape[0]):
        for e in range(same.window.size):
            for t in range(snoozing.shape[1]):
                if snoozing[i, t] != 0.0 and same.member[e, t]:
                    doing = _Doing(candidates.topic[t], candidates.actor[t], 0.0)
                    _mark(found, (i, first, e), alike, doing)


@compiled
def _mark(found: Floats, place: tuple[int, int, int], alike: Alike, doing: _Doing) -> None:
    """Mark the candidates that are the same as what another actor does; `place`: the row, where the groups
    begin and which of them."""
    (i, first, group), (same, candidates) = place, alike
    treatments = candidates.actor.size
    for t in range(treatments):
        topical = not same.same_topic[group] or candidates.topic[t] == doing.topic
        if same.member[group, t] and topical and candidates.actor[t] != doing.actor:
            found[i, first + group * treatments + t] = doing.days


@compiled
def highest_offers(
    questions: Questions, offers: Offers, candidates: Candidates, found: Floats, first: int
) -> None:
    """The highest open quote for what each priced candidate offers, NaN = none.

    Quote and candidate are about different things only where both name a product, or else both a topic.
    """
    for i in range(questions.at.size):
        at, owner = questions.at[i], questions.account[i]
        for row in range(offers.start[owner], offers.start[owner + 1]):
            known = offers.valid_from[row] < at <= offers.valid_to[row]
            if not known or not offers.time[row] < at < offers.until[row]:
                continue
            for t in range(candidates.price.size):
                if np.isnan(candidates.price[t]):
                    continue
                about = True
                if offers.product[row] != -1 and candidates.product[t] != -1:
                    about = offers.product[row] == candidates.product[t]
                elif offers.topic[row] != -1 and candidates.topic[t] != -1:
                    about = offers.topic[row] == candidates.topic[t]
                if about and not found[i, first + t] >= offers.price[row]:
                    found[i, first + t] = offers.price[row]
