"""Who may not get what, each with its reason: availability, engagement policies, contact policies.

A rule only removes. Every objection of a pair is kept, not only the first; the funnel names for each pair
the first stage that removed it. What applies to all kinds of rules (shapes, "none" is never objected to,
order) is done here once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from operator import is_
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

import engine.contact_rules
import engine.stage_rules  # noqa: F401 - these two register their kinds of rules
from engine.experiments import CONTROL, ELIGIBILITY
from engine.features import Features, FeatureSet
from engine.playbook import ContactLimit, Playbook, Policy, Suppression, Treatment
from engine.programs import OBJECTS, UNKNOWN, Program
from engine.records import NO_CONTACT, Bools, Floats, Ints, Micros, kept_for, kept_with
from engine.rules import (
    RULE_KINDS,
    STAGES,
    Objections,
    Quoted,
    Rule,
    Verdict,
    contacts,
    fact_column,
    fact_columns,
    fact_names,
    holds,
    program_of,
    quote_rule,
    rule,
    rule_kind,
    value_at,
    which,
)

__all__ = [
    "RULE_KINDS", "STAGES", "Objections", "Quoted", "Rule", "fact_column", "fact_columns", "fact_names",
    "holds", "limit_counts", "object_to", "quote_rule", "value_at",
]  # fmt: skip


def object_to(features: Features, playbook: Playbook) -> Objections:
    """All objections to all pairs. "none" is never objected to."""
    verdicts = [verdict for kind in RULE_KINDS.values() for verdict in kind.judge(features, playbook)]
    order = _in_order(playbook, tuple(verdict.rule for verdict in verdicts))
    # A rule's objections stand together while they are written.
    shape = (len(verdicts), len(features.moments), len(playbook.treatments))
    objects, unknown = np.empty(shape, dtype=bool), np.zeros(shape, dtype=bool)
    for place, index in enumerate(order.places):
        _, objecting, not_known = verdicts[index]
        objects[place] = objecting
        if not_known is not None:
            unknown[place] = not_known
    objects &= _acts(playbook)
    unknown &= objects
    return Objections(order.rules, objects.transpose(1, 2, 0), unknown.transpose(1, 2, 0))


class _Order(NamedTuple):
    """Rules as they were given, in canonical order, and where each of those was given."""

    given: tuple[Rule, ...]
    rules: tuple[Rule, ...]
    places: tuple[int, ...]


def _in_order(playbook: Playbook, given: tuple[Rule, ...]) -> _Order:
    """Sorted once for a playbook, whose rules are the same objects every time."""
    kept: _Order | None = vars(playbook).get("rules in order")
    if kept is None or len(kept.given) != len(given) or not all(map(is_, kept.given, given)):
        places = sorted(range(len(given)), key=lambda i: (STAGES.index(given[i].stage), given[i].id))
        kept = _Order(given, tuple(given[place] for place in places), tuple(places))
        vars(playbook)["rules in order"] = kept
    return kept


@kept_with
def _acts(playbook: Playbook) -> Bools:
    return which(playbook, lambda treatment: treatment.id != NO_CONTACT)


def limit_counts(limit: ContactLimit, treatment: Treatment) -> bool:
    """Whether a contact by this treatment counts against the limit."""
    return (
        treatment.kind == "contact"
        and limit.channel in ("*", treatment.channel)
        and limit.group in ("", treatment.group)
    )


# -- availability -----------------------------------------------------------------------------------


def _quote_approval(features: Features, playbook: Playbook, _: str, account: int, treatment: int) -> Quoted:
    chosen = playbook.treatments[treatment]
    return {"approval": chosen.approval, "approved_until": chosen.approved_until,
            "at": int(features.moments.as_of[account])}  # fmt: skip


@rule_kind("approval_expired", _quote_approval)
def approval_expired(features: Features, playbook: Playbook) -> Iterator[Verdict]:
    """The text's approval has run out at the moment of the decision."""
    over = _approved_until(playbook)[None, :] <= features.moments.as_of[:, None]
    yield Verdict(rule("approval_expired", "availability"), over)


@kept_with
def _approved_until(playbook: Playbook) -> Micros:
    never = np.iinfo(np.int64).max
    ends = [never if t.approved_until is None else t.approved_until for t in playbook.treatments]
    return np.array(ends, dtype=np.int64)


def _quote_executor(_: Features, playbook: Playbook, __: str, ___: int, treatment: int) -> Quoted:
    return {"role": playbook.treatments[treatment].role}


@rule_kind("no_executor", _quote_executor)
def no_executor(features: Features, playbook: Playbook) -> Iterator[Verdict]:
    """Nobody serves the account in the treatment's role; the system needs nobody."""
    role, needed = _executors(playbook)
    absent = (features.has_role != 1.0)[:, role] & needed[None, :]
    yield Verdict(rule("no_executor", "availability"), absent)


@kept_with
def _executors(playbook: Playbook) -> tuple[Ints, Bools]:
    """Place of each treatment's role, and whether somebody has to have it; shapes (T,)."""
    roles = {role.id: index for index, role in enumerate(playbook.roles) if not role.system}
    places = [roles.get(treatment.role, -1) for treatment in playbook.treatments]
    return np.maximum(np.array(places, dtype=np.int64), 0), np.array(places) >= 0


def _quote_channel(_: Features, playbook: Playbook, __: str, ___: int, treatment: int) -> Quoted:
    return {"channel": playbook.treatments[treatment].channel}


@rule_kind("channel_not_outbound", _quote_channel)
def channel_not_outbound(_: Features, playbook: Playbook) -> Iterator[Verdict]:
    """The channel only receives: a website is visited, it visits nobody."""
    yield Verdict(rule("channel_not_outbound", "availability"), _through_inbound(playbook)[None, :])


@kept_with
def _through_inbound(playbook: Playbook) -> Bools:
    inbound = {channel.id for channel in playbook.channels if not channel.outbound}
    return which(playbook, lambda t: t.kind == "contact" and t.channel in inbound)


def _quote_closed(_: Features, __: Playbook, ___: str, ____: int, _____: int) -> Quoted:
    return {"closed": 1}


@rule_kind("account_closed", _quote_closed)
def account_closed(features: Features, _: Playbook) -> Iterator[Verdict]:
    """The account was deleted or merged: a live event may still arrive for it, a contact may not go out."""
    yield Verdict(rule("account_closed", "availability"), features.closed[:, None])


def _quote_timezone(_: Features, __: Playbook, ___: str, ____: int, _____: int) -> Quoted:
    return {"timezone": None}


@rule_kind("no_timezone", _quote_timezone)
def no_timezone(features: Features, playbook: Playbook) -> Iterator[Verdict]:
    """Neither account nor playbook says where it is: nobody knows whether it is night there."""
    lost = ~features.has_timezone & (not playbook.default_timezone)
    yield Verdict(rule("no_timezone", "availability"), lost[:, None] & contacts(playbook)[None, :])


# -- engagement policies of the playbook ------------------------------------------------------------


def _quote_policy(features: Features, playbook: Playbook, own: str, account: int, treatment: int) -> Quoted:
    policy = next(policy for policy in playbook.policies if policy.id == own)
    read = fact_columns(features, playbook, (policy.when, policy.applies))
    return {name: value_at(column, account, treatment) for name, column in read.items()}


@rule_kind("policy", _quote_policy)
def engagement_policies(features: Features, playbook: Playbook) -> Iterator[Verdict]:
    """Where a policy applies (or may apply), what it demands must be known to hold."""
    said = features.truths(_policies(features.set, playbook))
    objects, unknown = said > 0, said == UNKNOWN
    for place, policy in enumerate(playbook.policies):
        objecting = objects[place]
        if not _asked(playbook, policy):
            objecting = objecting & (features.arm != ELIGIBILITY)[:, None]
        yield Verdict(rule(f"policy:{policy.id}", policy.stage), objecting, unknown[place])


@kept_for
def _policies(features: FeatureSet, playbook: Playbook) -> Program:
    return program_of(features, playbook, playbook.policies, OBJECTS)


def _asked(playbook: Playbook, policy: Policy) -> bool:
    """Whether every arm of the standing test asks a policy."""
    test = playbook.experiment
    return test is None or policy.stage == "eligibility" or policy.id in test.always


def _quote_held_back(_: Features, playbook: Playbook, __: str, ___: int, ____: int) -> Quoted:
    return {"since": None if playbook.experiment is None else playbook.experiment.starts}


@rule_kind("held_back", _quote_held_back)
def held_back(features: Features, playbook: Playbook) -> Iterator[Verdict]:
    """The account is in the control group of the standing test: the engine suggests nothing for it."""
    if playbook.experiment is not None:
        yield Verdict(rule("held_back", "availability"), (features.arm == CONTROL)[:, None])


# -- consent ----------------------------------------------------------------------------------------


def _permission(features: Features, channel: str, purpose: str) -> npt.NDArray[np.float64]:
    """1 opt-in, 0 none recorded, -1 opt-out; shape (n,)."""
    return features.consent[:, features.set.channels.index(channel), int(purpose == "service")]


def _quote_consent(features: Features, playbook: Playbook, _: str, account: int, treatment: int) -> Quoted:
    chosen = playbook.treatments[treatment]
    permission = float(_permission(features, chosen.channel, chosen.purpose)[account])
    return {"channel": chosen.channel, "purpose": chosen.purpose,
            "permission": None if np.isnan(permission) else int(permission)}  # fmt: skip


@rule_kind("consent", _quote_consent)
def consent(features: Features, playbook: Playbook) -> Iterator[Verdict]:
    """An opt-out forbids; where the channel needs an opt-in, so does the lack of one."""
    channel, purpose, asks = _asked_consent(playbook)
    needed = contacts(playbook)[None, :]
    permission = features.consent[:, channel, purpose]
    unknown = ~(permission < 0.0) & ~(permission > 0.0) & needed
    objects = (~(permission >= 0.0) & needed) | (unknown & asks[None, :])
    yield Verdict(rule("consent", "consent"), objects, unknown)


@kept_with
def _asked_consent(playbook: Playbook) -> tuple[Ints, Ints, Bools]:
    """Place of the channel and the purpose that each contact needs consent for, and whether the channel needs
    an opt-in; shapes (T,)."""
    channels = {channel.id: place for place, channel in enumerate(playbook.channels)}
    places = np.array([channels.get(t.channel, 0) for t in playbook.treatments], dtype=np.int64)
    service = np.array([t.purpose == "service" for t in playbook.treatments], dtype=np.int64)
    opt_in = np.array([channel.needs_opt_in for channel in playbook.channels], dtype=bool)
    return places, service, opt_in[places] & contacts(playbook)


def _quote_stop(_: Features, playbook: Playbook, __: str, ___: int, treatment: int) -> Quoted:
    stops = playbook.treatments[treatment].stops
    return {"channel": "|".join(channel for channel, _purpose in stops),
            "purpose": "|".join(purpose for _channel, purpose in stops)}  # fmt: skip


@rule_kind("nothing_to_stop", _quote_stop)
def nothing_to_stop(features: Features, playbook: Playbook) -> Iterator[Verdict]:
    """All that a stop would end has been ended by an opt-out already."""
    stops, treatment, channel, purpose = _stopped(playbook)
    idle = np.empty((len(features.moments), len(stops)), dtype=bool)
    idle[:] = stops
    ended = features.consent[:, channel, purpose] == -1.0
    for place, own in enumerate(treatment):
        idle[:, own] &= ended[:, place]
    yield Verdict(rule("nothing_to_stop", "consent"), idle)


@kept_with
def _stopped(playbook: Playbook) -> tuple[Bools, tuple[int, ...], Ints, Ints]:
    """Which treatments are stops, shape (T,); and of each thing that one would end: the stop's place, that of
    the channel, and the purpose."""
    channels = {channel.id: place for place, channel in enumerate(playbook.channels)}
    ends = [
        (place, channels[channel], int(purpose == "service"))
        for place, treatment in enumerate(playbook.treatments) if treatment.kind == "stop"
        for channel, purpose in treatment.stops
    ]  # fmt: skip
    treatment, channel, purpose = zip(*ends, strict=True) if ends else ((), (), ())
    stops = which(playbook, lambda t: t.kind == "stop")
    return stops, treatment, np.array(channel, dtype=np.int64), np.array(purpose, dtype=np.int64)


# -- contact policy ---------------------------------------------------------------------------------


def _quote_snooze(_: Features, playbook: Playbook, __: str, ___: int, treatment: int) -> Quoted:
    return {"treatment": playbook.treatments[treatment].id}


@rule_kind("snoozed", _quote_snooze)
def snoozed(features: Features, _: Playbook) -> Iterator[Verdict]:
    """A colleague has put it off or dismissed it, and the pause still lasts."""
    yield Verdict(rule("snoozed", "contact_policy"), features.snoozed != 0.0)


def _quote_limit(features: Features, playbook: Playbook, own: str, account: int, _: int) -> Quoted:
    index = next(i for i, limit in enumerate(playbook.contact_limits) if limit.id == own)
    limit = playbook.contact_limits[index]
    return {"channel": limit.channel, "group": limit.group, "count": int(features.limits[account, index]),
            "limit": limit.count, "days": limit.days}  # fmt: skip


@rule_kind("limit", _quote_limit)
def contact_limits(features: Features, playbook: Playbook) -> Iterator[Verdict]:
    """The contacts of the period, planned ones included, have reached the limit."""
    counts, counted = _counted(playbook)
    full = ~(features.limits < counts)
    for place, limit in enumerate(playbook.contact_limits):
        yield Verdict(rule(f"limit:{limit.id}", "contact_policy"), full[:, place, None] & counted[place])


@kept_with
def _counted(playbook: Playbook) -> tuple[Floats, Bools]:
    """How many contacts each limit allows, shape (L,), and which treatments it counts, (L, T)."""
    own = playbook.contact_limits
    counts = np.array([limit.count for limit in own], dtype=np.float64)
    return counts, _which_each(playbook, [partial(limit_counts, limit) for limit in own])


def _which_each(playbook: Playbook, tests: Sequence[Callable[[Treatment], bool]]) -> Bools:
    """For which treatments each of some things is so; shape (len(tests), T)."""
    rows = [which(playbook, test) for test in tests]
    return np.array(rows, dtype=bool).reshape(len(rows), len(playbook.treatments))


def _quote_suppression(
    features: Features, playbook: Playbook, own: str, account: int, treatment: int
) -> Quoted:
    index = next(i for i, s in enumerate(playbook.suppressions) if s.id == own)
    pause = playbook.suppressions[index]
    days_since = float(features.tracked[account, index, treatment])
    return {"track": pause.track, "scope": pause.scope, "count": pause.count,
            "window_days": pause.window_days, "suppress_days": pause.suppress_days,
            "days_since": days_since, "days_left": pause.suppress_days - days_since}  # fmt: skip


@rule_kind("suppression", _quote_suppression)
def suppressions(features: Features, playbook: Playbook) -> Iterator[Verdict]:
    """A pause after too many contacts, rejections, dismissals or opt-outs still lasts."""
    paused = _paused(playbook)
    for place, pause in enumerate(playbook.suppressions):
        lasts = features.tracked[:, place] < pause.suppress_days
        yield Verdict(rule(f"suppression:{pause.id}", "contact_policy"), lasts & paused[place])


@kept_with
def _paused(playbook: Playbook) -> Bools:
    """Which treatments each suppression pauses; shape (S, T)."""
    return _which_each(playbook, [partial(_pausable, pause) for pause in playbook.suppressions])


def _pausable(pause: Suppression, treatment: Treatment) -> bool:
    """A pause of contacts must not keep anybody from stopping them: a stop pauses only as itself."""
    return treatment.kind == "contact" or (treatment.kind == "stop" and pause.scope == "treatment")
