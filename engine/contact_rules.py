"""Rules that look beyond one treatment: what is valid, who may speak of what, what others do and offer.

Each is a kind of rule as `engine.rules` has it; the facts they read are in `engine.rule_facts`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from engine import gates
from engine.features import Features
from engine.gates import stops_contact
from engine.playbook import Playbook, Topic, Treatment
from engine.playbook_rules import apart
from engine.programs import ADD, Register
from engine.records import DAY_MICROS, Bools, Floats, Ints, Micros
from engine.rule_facts import repeated
from engine.rule_steps import Steps
from engine.rules import Quoted, Saying, contacts, fact_column, rule, rule_kind, which
from engine.timing import lasting

# -- emergency stop ---------------------------------------------------------------------------------


def _quote_stop(features: Features, playbook: Playbook, _: str, __: int, treatment: int) -> Quoted:
    own = playbook.treatments[treatment]
    stop = next(stop for stop in features.moments.stops if stops_contact(stop, own))
    return {"stop": stop.stop_id, "level": stop.level, "of": stop.of}


@rule_kind("stopped", _quote_stop)
def stopped(steps: Steps, _: Playbook) -> Iterator[Saying]:
    """People have stopped such contacts; what ends contacts is never stopped."""
    yield Saying(rule("stopped", "availability"), steps.compare(steps.own(gates.STOPPED), "=", 1.0))


# -- rest ---------------------------------------------------------------------------------------------


def _quote_rest(features: Features, _: Playbook, __: str, account: int, treatment: int) -> Quoted:
    return {"days_left": float(features.resting[account, treatment])}


@rule_kind("resting", _quote_rest)
def resting(steps: Steps, _: Playbook) -> Iterator[Saying]:
    """The account is left to rest from such contacts; it is not asked to rest once more meanwhile."""
    yield Saying(rule("resting", "contact_policy"), steps.compare(steps.own(gates.RESTING), ">", 0.0))


# -- validity ---------------------------------------------------------------------------------------


def _quote_validity(features: Features, playbook: Playbook, _: str, account: int, treatment: int) -> Quoted:
    own = playbook.treatments[treatment]
    return {"valid_from": own.valid_from, "valid_until": own.valid_until,
            "playbook_valid_from": playbook.valid_from, "playbook_valid_until": playbook.valid_until,
            "at": int(features.moments.as_of[account])}  # fmt: skip


@rule_kind("not_valid", _quote_validity)
def not_valid(steps: Steps, playbook: Playbook) -> Iterator[Saying]:
    """The moment lies outside the time for which the treatment, or for contacts the playbook, is valid."""
    at, (begins, ends) = steps.gate(gates.AT), (steps.code.each(times) for times in _valid(playbook))
    outside = steps.either(steps.compare(at, "<", begins), steps.compare(at, ">=", ends))
    yield Saying(rule("not_valid", "availability"), outside)


def _valid(playbook: Playbook) -> tuple[Micros, Micros]:
    """From and until when each treatment is valid, contacts no longer than the playbook; shapes (T,)."""
    always, never = np.iinfo(np.int64).min, np.iinfo(np.int64).max
    whole = contacts(playbook)
    begins, ends = (
        np.array(
            [missing if (end := getattr(t, name)) is None else end for t in playbook.treatments], np.int64
        )
        for name, missing in (("valid_from", always), ("valid_until", never))
    )
    if playbook.valid_from is not None:
        begins = np.where(whole, np.maximum(begins, playbook.valid_from), begins)
    if playbook.valid_until is not None:
        ends = np.where(whole, np.minimum(ends, playbook.valid_until), ends)
    return begins, ends


# -- medical and commercial -------------------------------------------------------------------------


def _quote_side(_: Features, playbook: Playbook, __: str, ___: int, treatment: int) -> Quoted:
    return {"topic": playbook.treatments[treatment].topic, "role": playbook.treatments[treatment].role}


@rule_kind("wrong_side", _quote_side)
def wrong_side(steps: Steps, playbook: Playbook) -> Iterator[Saying]:
    """The topic belongs to one side, medical or commercial, and the role to the other."""
    yield Saying(rule("wrong_side", "eligibility"), steps.code.flags(_crossing(playbook)))


def _crossing(playbook: Playbook) -> Bools:
    topics = {topic.id: topic.side for topic in playbook.topics}
    roles = {role.id: role.side for role in playbook.roles}
    return which(
        playbook, lambda t: t.kind == "contact" and apart(topics.get(t.topic, "both"), roles[t.role])
    )


def _quote_question(features: Features, playbook: Playbook, _: str, account: int, treatment: int) -> Quoted:
    for topic in _medical(playbook):
        asked, answered = (
            float(fact_column(features, playbook, name).values[account, 0]) for name in _question_facts(topic)
        )
        # Not known (NaN) compares as false: never asked, never answered.
        if asked < playbook.medical_question_days and not answered <= asked and (
            _silenced(playbook, topic)[treatment]
        ):  # fmt: skip
            return {"topic": topic.id, "days": asked, "at_most_days": playbook.medical_question_days}
    raise KeyError(treatment)


@rule_kind("medical_question", _quote_question)
def medical_question(steps: Steps, playbook: Playbook) -> Iterator[Saying]:
    """A question on a medical topic is open: until it is answered, commercial roles keep silent on what it
    concerns, and make no contact whose topic is left open."""
    silent = steps.code.always(False)
    for topic in _medical(playbook):
        asked, answered = (steps.code.fact(name) for name in _question_facts(topic))
        lately = steps.compare(asked, "<", playbook.medical_question_days)
        never = steps.unknown(answered)
        open_ = steps.both(lately, steps.either(never, steps.compare(answered, ">", asked)))
        silent = steps.either(silent, steps.both(open_, steps.code.flags(_silenced(playbook, topic))))
    yield Saying(rule("medical_question", "eligibility"), silent)


def questions_read(playbook: Playbook) -> Iterator[str]:
    """The facts that open questions are found by."""
    for topic in _medical(playbook):
        yield from _question_facts(topic)


def _question_facts(topic: Topic) -> tuple[str, str]:
    """Days since the account turned to us on a topic, and since somebody spoke with it about that."""
    return f"days_since_inbound_{topic.id}", f"days_since_{topic.id}"


def _medical(playbook: Playbook) -> list[Topic]:
    return [topic for topic in playbook.topics if topic.side == "medical"]


def _silenced(playbook: Playbook, topic: Topic) -> Bools:
    """Contacts of commercial roles on what a question concerns, or on nothing in particular."""
    commercial = {role.id for role in playbook.roles if role.side == "commercial"}
    concerned = {topic.id, "", *topic.concerns}
    return which(playbook, lambda t: t.kind == "contact" and t.role in commercial and t.topic in concerned)


# -- offers -----------------------------------------------------------------------------------------


def _quote_offer(features: Features, playbook: Playbook, _: str, account: int, treatment: int) -> Quoted:
    own = playbook.treatments[treatment]
    offer = float(features.offered[account, treatment])
    return {"price": own.price, "offer": offer if math.isfinite(offer) else None,
            "topic": own.topic, "product": own.product}  # fmt: skip


@rule_kind("open_offer", _quote_offer)
def open_offer(steps: Steps, playbook: Playbook) -> Iterator[Saying]:
    """A quote is open for the same thing, and this would undercut it; one in another currency cannot be
    compared, and is taken to be higher."""
    offered = steps.own(gates.OFFERED)
    undercuts = steps.compare(steps.code.each(_prices(playbook)), "<", offered)
    elsewhere = steps.compare(offered, "=", math.inf)
    yield Saying(rule("open_offer", "eligibility"), steps.said(undercuts, elsewhere))


def _prices(playbook: Playbook) -> Floats:
    return np.array([np.nan if t.price is None else t.price for t in playbook.treatments], dtype=np.float64)


# -- what others do ---------------------------------------------------------------------------------


def _quote_held(features: Features, playbook: Playbook, _: str, account: int, treatment: int) -> Quoted:
    days = features.held[account, features.set.topic_of[treatment]]
    return {"topic": playbook.treatments[treatment].topic, "days_since": float(days),
            "held_days": playbook.topic_held_days}  # fmt: skip


@rule_kind("topic_held", _quote_held)
def topic_held(steps: Steps, playbook: Playbook) -> Iterator[Saying]:
    """A person deals with the topic: automated messages on it would talk across her."""
    automated = steps.code.flags(which(playbook, lambda t: is_automated(playbook, t)))
    free = steps.unknown(steps.own(gates.HELD, steps.features.topic_of))
    yield Saying(rule("topic_held", "contact_policy"), steps.both(automated, steps.negated(free)))


def is_automated(playbook: Playbook, treatment: Treatment) -> bool:
    """Whether the system sends it."""
    automated = {channel.id for channel in playbook.channels if channel.automated}
    return treatment.kind == "contact" and treatment.channel in automated


def _quote_equivalent(
    features: Features, playbook: Playbook, own: str, account: int, treatment: int
) -> Quoted:
    index = next(i for i, group in enumerate(playbook.equivalents) if group.id == own)
    return {"equivalent": own, "days": playbook.equivalents[index].days,
            "days_since": float(features.equivalent[account, index, treatment])}  # fmt: skip


@rule_kind("equivalent", _quote_equivalent)
def equivalent_contacts(steps: Steps, playbook: Playbook) -> Iterator[Saying]:
    """Another role has done the same within the days given, plans to, or has put it off."""
    own = np.arange(len(playbook.treatments))
    for index, group in enumerate(playbook.equivalents):
        days = steps.own(gates.EQUIVALENT, index * len(own) + own)
        same = steps.negated(steps.unknown(days))
        yield Saying(rule(f"equivalent:{group.id}", "contact_policy"), same)


# -- hours ------------------------------------------------------------------------------------------


def _quote_hours(features: Features, playbook: Playbook, _: str, account: int, treatment: int) -> Quoted:
    at = int(features.moments.as_of[account])
    opens = int(features.not_before[account, features.set.channel_of[treatment]])
    return {"channel": playbook.treatments[treatment].channel, "not_before": opens,
            "wait_days": (opens - at) / DAY_MICROS}  # fmt: skip


@rule_kind("quiet_hours", _quote_hours)
def quiet_hours(steps: Steps, playbook: Playbook) -> Iterator[Saying]:
    """Quiet hours and days off last until the suggestion would have ended; what can wait is not removed."""
    at, opens = steps.gate(gates.AT), steps.own(gates.NOT_BEFORE, steps.features.channel_of)
    lasts, ends = (steps.code.each(times) for times in lasting(playbook))
    over = steps.either(
        steps.compare(opens, ">=", steps.code.step(ADD, at, lasts)), steps.compare(opens, ">=", ends)
    )
    waits = steps.both(steps.code.flags(contacts(playbook)), steps.compare(opens, ">", at))
    yield Saying(rule("quiet_hours", "contact_policy"), steps.both(waits, over))


# -- repetition -------------------------------------------------------------------------------------


def _quote_repeat(features: Features, playbook: Playbook, _: str, account: int, treatment: int) -> Quoted:
    for index in np.flatnonzero(repeated(playbook)[:, treatment]):
        repeat, since = playbook.repeats[index], float(features.since[account, index])
        if repeat.after_days is not None and since < repeat.after_days:
            return {repeat.level: repeat.of, "repeat_after_days": repeat.after_days, "days_since": since,
                    "days_left": repeat.after_days - since}  # fmt: skip
    raise KeyError(treatment)


@rule_kind("repeat", _quote_repeat)
def too_soon(steps: Steps, playbook: Playbook) -> Iterator[Saying]:
    """The treatment, or its action through another channel, was done too short a time ago or is planned."""
    after = [-math.inf if r.after_days is None else r.after_days for r in playbook.repeats]
    yield Saying(rule("repeat", "contact_policy"), _limited(steps, playbook, gates.SINCE, "<", after))


def _quote_at_most(features: Features, playbook: Playbook, _: str, account: int, treatment: int) -> Quoted:
    for index in np.flatnonzero(repeated(playbook)[:, treatment]):
        repeat, times = playbook.repeats[index], int(features.times[account, index])
        if repeat.at_most is not None and times >= repeat.at_most:
            return {repeat.level: repeat.of, "at_most": repeat.at_most, "count": times}
    raise KeyError(treatment)


@rule_kind("at_most", _quote_at_most)
def too_often(steps: Steps, playbook: Playbook) -> Iterator[Saying]:
    """The treatment, or its action through whatever channel, was done or is planned as often as allowed."""
    most = [math.inf if r.at_most is None else r.at_most for r in playbook.repeats]
    yield Saying(rule("at_most", "contact_policy"), _limited(steps, playbook, gates.TIMES, ">=", most))


def _limited(steps: Steps, playbook: Playbook, gate: int, how: str, bounds: Sequence[float]) -> Register:
    """Whether any limit on repeating that counts a treatment is reached."""
    reached, bound = steps.code.always(False), np.array([*bounds, np.nan])
    for places in _counting(playbook):
        reads = steps.own(gate, places)
        reached = steps.either(reached, steps.compare(reads, how, steps.code.each(bound[places])))
    return reached


def _counting(playbook: Playbook) -> list[Ints]:
    """The first limit that counts each treatment, the second, and so on; -1 = no further one; shapes (T,)."""
    of_each = [np.flatnonzero(counted).tolist() for counted in repeated(playbook).T]
    most = max(map(len, of_each), default=0)
    return [np.array([[*own, *[-1] * most][k] for own in of_each], dtype=np.int64) for k in range(most)]
