"""Rules that look beyond one treatment: what is valid, who may speak of what, what others do and offer.

Each is a kind of rule as `engine.rules` has it; the facts they read are in `engine.rule_facts`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from engine.facts import SCOPES
from engine.features import Features, FeatureSet
from engine.playbook import Playbook, Topic, Treatment
from engine.playbook_rules import apart
from engine.records import DAY_MICROS, Bools, ContactStop, Floats, Ints, Micros, kept_for, kept_with
from engine.rule_facts import repeated
from engine.rules import Quoted, Verdict, contacts, fact_column, rule, rule_kind, which
from engine.timing import expires_at

# -- emergency stop ---------------------------------------------------------------------------------


def _quote_stop(features: Features, playbook: Playbook, _: str, __: int, treatment: int) -> Quoted:
    own = playbook.treatments[treatment]
    stop = next(stop for stop in features.moments.stops if stops_contact(stop, own))
    return {"stop": stop.stop_id, "level": stop.level, "of": stop.of}


@rule_kind("stopped", _quote_stop)
def stopped(features: Features, playbook: Playbook) -> Iterator[Verdict]:
    """People have stopped such contacts; what ends contacts is never stopped."""
    stops = features.moments.stops
    none = np.zeros(len(playbook.treatments), dtype=np.bool_)
    ended = which(playbook, lambda t: any(stops_contact(stop, t) for stop in stops)) if stops else none
    yield Verdict(rule("stopped", "availability"), ended[None, :])


def stops_contact(stop: ContactStop, treatment: Treatment) -> bool:
    """Whether the treatment is a contact that people have stopped."""
    if treatment.kind != "contact":
        return False
    own = treatment.id if stop.level == "treatment" else getattr(treatment, stop.level, "")
    return stop.level == "all" or own == stop.of


# -- rest ---------------------------------------------------------------------------------------------


def _quote_rest(features: Features, _: Playbook, __: str, account: int, treatment: int) -> Quoted:
    return {"days_left": float(features.resting[account, treatment])}


@rule_kind("resting", _quote_rest)
def resting(features: Features, _: Playbook) -> Iterator[Verdict]:
    """The account is left to rest from such contacts; it is not asked to rest once more meanwhile."""
    yield Verdict(rule("resting", "contact_policy"), features.resting > 0.0)


# -- validity ---------------------------------------------------------------------------------------


def _quote_validity(features: Features, playbook: Playbook, _: str, account: int, treatment: int) -> Quoted:
    own = playbook.treatments[treatment]
    return {"valid_from": own.valid_from, "valid_until": own.valid_until,
            "playbook_valid_from": playbook.valid_from, "playbook_valid_until": playbook.valid_until,
            "at": int(features.moments.as_of[account])}  # fmt: skip


@rule_kind("not_valid", _quote_validity)
def not_valid(features: Features, playbook: Playbook) -> Iterator[Verdict]:
    """The moment lies outside the time for which the treatment, or for contacts the playbook, is valid."""
    at = features.moments.as_of
    begins, ends = _valid(playbook)
    early, late = at[:, None] < begins[None, :], at[:, None] >= ends[None, :]
    yield Verdict(rule("not_valid", "availability"), early | late)


@kept_with
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
def wrong_side(_: Features, playbook: Playbook) -> Iterator[Verdict]:
    """The topic belongs to one side, medical or commercial, and the role to the other."""
    yield Verdict(rule("wrong_side", "eligibility"), _crossing(playbook)[None, :])


@kept_with
def _crossing(playbook: Playbook) -> Bools:
    topics = {topic.id: topic.side for topic in playbook.topics}
    roles = {role.id: role.side for role in playbook.roles}
    return which(
        playbook, lambda t: t.kind == "contact" and apart(topics.get(t.topic, "both"), roles[t.role])
    )


def _quote_question(features: Features, playbook: Playbook, _: str, account: int, treatment: int) -> Quoted:
    asked = _asked(features, playbook)[account]
    open_topics = [
        topic
        for place, topic in enumerate(_medical(playbook))
        if _silenced_by(playbook)[place][treatment] and asked[place]
    ]
    topic = open_topics[0].id
    days = float(fact_column(features, playbook, f"days_since_inbound_{topic}").values[account, 0])
    return {"topic": topic, "days": days, "at_most_days": playbook.medical_question_days}


@rule_kind("medical_question", _quote_question)
def medical_question(features: Features, playbook: Playbook) -> Iterator[Verdict]:
    """A question on a medical topic is open: until it is answered, commercial roles keep silent on what it
    concerns, and make no contact whose topic is left open."""
    objects = np.zeros((len(features.moments), len(playbook.treatments)), dtype=np.bool_)
    asked, silenced = _asked(features, playbook), _silenced_by(playbook)
    for place in range(len(silenced)):
        objects |= asked[:, place, None] & silenced[place]
    yield Verdict(rule("medical_question", "eligibility"), objects)


def _medical(playbook: Playbook) -> list[Topic]:
    return [topic for topic in playbook.topics if topic.side == "medical"]


@kept_with
def _silenced_by(playbook: Playbook) -> list[Bools]:
    return [_silenced(playbook, topic) for topic in _medical(playbook)]


def _asked(features: Features, playbook: Playbook) -> Bools:
    """Whether the account turned to us on each medical topic lately and nobody has spoken with it about that
    since; shape (n, topics)."""
    topics, asked, answered = _question_columns(features.set, playbook)
    since_asked, since_answered = features.topic[:, topics, asked], features.topic[:, topics, answered]
    # Not known (NaN) compares as false: never asked, never answered.
    return (since_asked < playbook.medical_question_days) & ~(since_answered <= since_asked)


@kept_for
def _question_columns(features: FeatureSet, playbook: Playbook) -> tuple[Ints, int, int]:
    """Places of the medical topics, and the columns of days since it asked and since it was spoken with."""
    topics = [features.topics.index(topic.id) for topic in _medical(playbook)]
    asked, answered = (f"{name}_{SCOPES['topic']}" for name in ("days_since_inbound", "days_since"))
    return np.array(topics, dtype=np.int64), features.topic.index(asked), features.topic.index(answered)


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
def open_offer(features: Features, playbook: Playbook) -> Iterator[Verdict]:
    """A quote is open for the same thing, and this would undercut it; one in another currency cannot be
    compared, and is taken to be higher."""
    offered = features.offered
    undercuts = _prices(playbook)[None, :] < offered
    yield Verdict(rule("open_offer", "eligibility"), undercuts, np.isinf(offered))


@kept_with
def _prices(playbook: Playbook) -> Floats:
    return np.array([np.nan if t.price is None else t.price for t in playbook.treatments], dtype=np.float64)


# -- what others do ---------------------------------------------------------------------------------


def _quote_held(features: Features, playbook: Playbook, _: str, account: int, treatment: int) -> Quoted:
    topic = playbook.treatments[treatment].topic
    days = _own_topic(features, features.held)[account, treatment]
    return {"topic": topic, "days_since": float(days), "held_days": playbook.topic_held_days}


@rule_kind("topic_held", _quote_held)
def topic_held(features: Features, playbook: Playbook) -> Iterator[Verdict]:
    """A person deals with the topic: automated messages on it would talk across her."""
    automated = _automated(playbook)
    held = ~np.isnan(_own_topic(features, features.held))
    yield Verdict(rule("topic_held", "contact_policy"), held & automated[None, :])


@kept_with
def _automated(playbook: Playbook) -> Bools:
    return which(playbook, lambda t: is_automated(playbook, t))


def is_automated(playbook: Playbook, treatment: Treatment) -> bool:
    """Whether the system sends it."""
    automated = {channel.id for channel in playbook.channels if channel.automated}
    return treatment.kind == "contact" and treatment.channel in automated


def _own_topic(features: Features, by_topic: Floats) -> Floats:
    """A value by topic as each treatment's own, NaN where it has no topic; shape (n, T)."""
    padded = np.append(by_topic, np.full((len(by_topic), 1), np.nan), axis=1)
    return padded[:, features.set.topic_of]


def _quote_equivalent(
    features: Features, playbook: Playbook, own: str, account: int, treatment: int
) -> Quoted:
    index = next(i for i, group in enumerate(playbook.equivalents) if group.id == own)
    return {"equivalent": own, "days": playbook.equivalents[index].days,
            "days_since": float(features.equivalent[account, index, treatment])}  # fmt: skip


@rule_kind("equivalent", _quote_equivalent)
def equivalent_contacts(features: Features, playbook: Playbook) -> Iterator[Verdict]:
    """Another role has done the same within the days given, plans to, or has put it off."""
    for index, group in enumerate(playbook.equivalents):
        same = ~np.isnan(features.equivalent[:, index, :])
        yield Verdict(rule(f"equivalent:{group.id}", "contact_policy"), same)


# -- hours ------------------------------------------------------------------------------------------


def _quote_hours(features: Features, playbook: Playbook, _: str, account: int, treatment: int) -> Quoted:
    at = int(features.moments.as_of[account])
    opens = int(features.not_before[account, features.set.channel_of[treatment]])
    return {"channel": playbook.treatments[treatment].channel, "not_before": opens,
            "wait_days": (opens - at) / DAY_MICROS}  # fmt: skip


@rule_kind("quiet_hours", _quote_hours)
def quiet_hours(features: Features, playbook: Playbook) -> Iterator[Verdict]:
    """Quiet hours and days off last until the suggestion would have ended; what can wait is not removed."""
    at = features.moments.as_of[:, None]
    opens = features.not_before[:, features.set.channel_of]
    over = (opens > at) & (opens >= expires_at(playbook, features.moments.as_of))
    yield Verdict(rule("quiet_hours", "contact_policy"), over & contacts(playbook)[None, :])


# -- repetition -------------------------------------------------------------------------------------


def _quote_repeat(features: Features, playbook: Playbook, _: str, account: int, treatment: int) -> Quoted:
    for index in np.flatnonzero(repeated(playbook)[:, treatment]):
        repeat, since = playbook.repeats[index], float(features.since[account, index])
        if repeat.after_days is not None and since < repeat.after_days:
            return {repeat.level: repeat.of, "repeat_after_days": repeat.after_days, "days_since": since,
                    "days_left": repeat.after_days - since}  # fmt: skip
    raise KeyError(treatment)


@rule_kind("repeat", _quote_repeat)
def too_soon(features: Features, playbook: Playbook) -> Iterator[Verdict]:
    """The treatment, or its action through another channel, was done too short a time ago or is planned."""
    after = np.array([-np.inf if r.after_days is None else r.after_days for r in playbook.repeats])
    yield _limited("repeat", features.since < after[None, :], playbook)


def _quote_at_most(features: Features, playbook: Playbook, _: str, account: int, treatment: int) -> Quoted:
    for index in np.flatnonzero(repeated(playbook)[:, treatment]):
        repeat, times = playbook.repeats[index], int(features.times[account, index])
        if repeat.at_most is not None and times >= repeat.at_most:
            return {repeat.level: repeat.of, "at_most": repeat.at_most, "count": times}
    raise KeyError(treatment)


@rule_kind("at_most", _quote_at_most)
def too_often(features: Features, playbook: Playbook) -> Iterator[Verdict]:
    """The treatment, or its action through whatever channel, was done or is planned as often as allowed."""
    most = np.array([np.inf if r.at_most is None else r.at_most for r in playbook.repeats])
    yield _limited("at_most", features.times >= most[None, :], playbook)


def _limited(code: str, full: Bools, playbook: Playbook) -> Verdict:
    """The treatments that a limit which is full counts; `full` has shape (n, R)."""
    counted, objects = repeated(playbook), np.zeros((len(full), len(playbook.treatments)), dtype=np.bool_)
    for index in np.flatnonzero(full.any(axis=0)):
        objects |= full[:, index, None] & counted[index][None, :]
    return Verdict(rule(code, "contact_policy"), objects)
