"""Who may not get what, each with its reason: availability, engagement policies, contact policies.

A rule only removes. Every objection of a pair is kept, not only the first; the funnel names for each pair
the first stage that removed it. What applies to all kinds of rules (shapes, "none" is never objected to,
order) is done here once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import NamedTuple

import numpy as np

import engine.stage_rules  # noqa: F401 - it registers its kinds of rules
from engine import gates
from engine.contact_rules import questions_read
from engine.experiments import CONTROL, ELIGIBILITY
from engine.features import Features, FeatureSet
from engine.playbook import ContactLimit, Playbook, Policy, Suppression, Treatment
from engine.programs import OBJECTS, UNKNOWN, Program
from engine.records import Bools, Floats, Ints, Micros, kept_for
from engine.rule_steps import Steps
from engine.rules import (
    RULE_KINDS,
    STAGES,
    Objections,
    Quoted,
    Rule,
    RuleKind,
    Saying,
    contacts,
    fact_column,
    fact_columns,
    fact_names,
    fact_of,
    holds,
    quote_rule,
    rule,
    rule_kind,
    which,
)

__all__ = [
    "RULE_KINDS", "STAGES", "Objections", "Quoted", "Rule", "fact_column", "fact_columns", "fact_names",
    "fact_of", "holds", "judging_by", "limit_counts", "object_to", "quote_rule",
]  # fmt: skip


def object_to(features: Features, playbook: Playbook) -> Objections:
    """All objections to all pairs. "none" is never objected to."""
    rules, program = judging(features.set, playbook)
    said = features.truths(program)
    said[:, :, 0] = 0
    # A rule's objections stand together while they are written.
    return Objections(rules, (said > 0).transpose(1, 2, 0), (said == UNKNOWN).transpose(1, 2, 0))


class Judging(NamedTuple):
    """Rules in canonical order, and the program that says of each pair which of them object."""

    rules: tuple[Rule, ...]
    program: Program


@kept_for
def judging(features: FeatureSet, playbook: Playbook) -> Judging:
    """All rules of a playbook, put together once."""
    return judging_by(features, playbook, RULE_KINDS.values())


def judging_by(features: FeatureSet, playbook: Playbook, kinds: Iterable[RuleKind]) -> Judging:
    """The rules of some kinds."""
    conditions = (c for policy in playbook.policies for c in (policy.applies, policy.when))
    steps = Steps(features, playbook, {*fact_names(conditions), *questions_read(playbook), *features.journey})
    sayings = [saying for kind in kinds for saying in kind.says(steps, playbook)]
    sayings.sort(key=lambda saying: (STAGES.index(saying.rule.stage), saying.rule.id))
    return Judging(
        tuple(saying.rule for saying in sayings), steps.program(saying.objects for saying in sayings)
    )


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
def approval_expired(steps: Steps, playbook: Playbook) -> Iterator[Saying]:
    """The text's approval has run out at the moment of the decision."""
    ends = steps.code.each(_approved_until(playbook))
    yield Saying(rule("approval_expired", "availability"), steps.compare(steps.gate(gates.AT), ">=", ends))


def _approved_until(playbook: Playbook) -> Micros:
    never = np.iinfo(np.int64).max
    ends = [never if t.approved_until is None else t.approved_until for t in playbook.treatments]
    return np.array(ends, dtype=np.int64)


def _quote_executor(_: Features, playbook: Playbook, __: str, ___: int, treatment: int) -> Quoted:
    return {"role": playbook.treatments[treatment].role}


@rule_kind("no_executor", _quote_executor)
def no_executor(steps: Steps, playbook: Playbook) -> Iterator[Saying]:
    """Nobody serves the account in the treatment's role; the system needs nobody."""
    absent = steps.compare(steps.own(gates.HAS_ROLE, _executors(playbook)), "<>", 1.0)
    yield Saying(rule("no_executor", "availability"), absent)


def _executors(playbook: Playbook) -> Ints:
    """Place of the role that somebody has to have for each treatment, -1 = nobody has to; shape (T,)."""
    roles = {role.id: index for index, role in enumerate(playbook.roles) if not role.system}
    return np.array([roles.get(treatment.role, -1) for treatment in playbook.treatments], dtype=np.int64)


def _quote_channel(_: Features, playbook: Playbook, __: str, ___: int, treatment: int) -> Quoted:
    return {"channel": playbook.treatments[treatment].channel}


@rule_kind("channel_not_outbound", _quote_channel)
def channel_not_outbound(steps: Steps, playbook: Playbook) -> Iterator[Saying]:
    """The channel only receives: a website is visited, it visits nobody."""
    yield Saying(rule("channel_not_outbound", "availability"), steps.code.flags(_through_inbound(playbook)))


def _through_inbound(playbook: Playbook) -> Bools:
    inbound = {channel.id for channel in playbook.channels if not channel.outbound}
    return which(playbook, lambda t: t.kind == "contact" and t.channel in inbound)


def _quote_closed(_: Features, __: Playbook, ___: str, ____: int, _____: int) -> Quoted:
    return {"closed": 1}


@rule_kind("account_closed", _quote_closed)
def account_closed(steps: Steps, _: Playbook) -> Iterator[Saying]:
    """The account was deleted or merged: a live event may still arrive for it, a contact may not go out."""
    yield Saying(rule("account_closed", "availability"), steps.compare(steps.gate(gates.CLOSED), "=", 1.0))


def _quote_timezone(_: Features, __: Playbook, ___: str, ____: int, _____: int) -> Quoted:
    return {"timezone": None}


@rule_kind("no_timezone", _quote_timezone)
def no_timezone(steps: Steps, playbook: Playbook) -> Iterator[Saying]:
    """Neither account nor playbook says where it is: nobody knows whether it is night there."""
    lost = steps.code.flags(contacts(playbook) & (not playbook.default_timezone))
    unknown = steps.compare(steps.gate(gates.HAS_TIMEZONE), "=", 0.0)
    yield Saying(rule("no_timezone", "availability"), steps.both(lost, unknown))


# -- engagement policies of the playbook ------------------------------------------------------------


def _quote_policy(features: Features, playbook: Playbook, own: str, account: int, treatment: int) -> Quoted:
    policy = next(policy for policy in playbook.policies if policy.id == own)
    read = fact_names((policy.when, policy.applies))
    return {name: fact_of(features, playbook, name, account, treatment) for name in read}


@rule_kind("policy", _quote_policy)
def engagement_policies(steps: Steps, playbook: Playbook) -> Iterator[Saying]:
    """Where a policy applies (or may apply), what it demands must be known to hold."""
    code = steps.code
    for policy in playbook.policies:
        applies = code.always(True) if policy.applies is None else policy.applies.tree.emit(code)
        if not _asked(playbook, policy):
            applies = steps.both(applies, steps.compare(steps.gate(gates.ARM), "<>", ELIGIBILITY))
        objects = code.step(OBJECTS, applies, policy.when.tree.emit(code))
        yield Saying(rule(f"policy:{policy.id}", policy.stage), objects)


def _asked(playbook: Playbook, policy: Policy) -> bool:
    """Whether every arm of the standing test asks a policy."""
    test = playbook.experiment
    return test is None or policy.stage == "eligibility" or policy.id in test.always


def _quote_held_back(_: Features, playbook: Playbook, __: str, ___: int, ____: int) -> Quoted:
    return {"since": None if playbook.experiment is None else playbook.experiment.starts}


@rule_kind("held_back", _quote_held_back)
def held_back(steps: Steps, playbook: Playbook) -> Iterator[Saying]:
    """The account is in the control group of the standing test: the engine suggests nothing for it."""
    if playbook.experiment is not None:
        yield Saying(rule("held_back", "availability"), steps.compare(steps.gate(gates.ARM), "=", CONTROL))


# -- consent ----------------------------------------------------------------------------------------


def _permission(features: Features, channel: str, purpose: str) -> Floats:
    """1 opt-in, 0 none recorded, -1 opt-out; shape (n,)."""
    return features.consent[:, features.set.channels.index(channel), int(purpose == "service")]


def _quote_consent(features: Features, playbook: Playbook, _: str, account: int, treatment: int) -> Quoted:
    chosen = playbook.treatments[treatment]
    permission = float(_permission(features, chosen.channel, chosen.purpose)[account])
    return {"channel": chosen.channel, "purpose": chosen.purpose,
            "permission": None if np.isnan(permission) else int(permission)}  # fmt: skip


@rule_kind("consent", _quote_consent)
def consent(steps: Steps, playbook: Playbook) -> Iterator[Saying]:
    """An opt-out forbids; where the channel needs an opt-in, so does the lack of one."""
    places, asks = _asked_consent(playbook)
    permission = steps.own(gates.CONSENT, places)
    # What is not known of a permission is none.
    none = steps.either(steps.unknown(permission), steps.compare(permission, "=", 0.0))
    forbidden = steps.either(steps.unknown(permission), steps.compare(permission, "<", 0.0))
    refused = steps.both(steps.code.flags(contacts(playbook)), forbidden)
    objects = steps.either(refused, steps.both(steps.code.flags(asks), none))
    yield Saying(rule("consent", "consent"), steps.said(objects, none))


def _asked_consent(playbook: Playbook) -> tuple[Ints, Bools]:
    """Place of the permission by channel and purpose that each contact needs, and whether its channel needs
    an opt-in; shapes (T,)."""
    channels = {channel.id: place for place, channel in enumerate(playbook.channels)}
    places = np.array([channels.get(t.channel, 0) for t in playbook.treatments], dtype=np.int64)
    service = np.array([t.purpose == "service" for t in playbook.treatments], dtype=np.int64)
    opt_in = np.array([channel.needs_opt_in for channel in playbook.channels], dtype=bool)
    return 2 * places + service, opt_in[places] & contacts(playbook)


def _quote_stop(_: Features, playbook: Playbook, __: str, ___: int, treatment: int) -> Quoted:
    stops = playbook.treatments[treatment].stops
    return {"channel": "|".join(channel for channel, _purpose in stops),
            "purpose": "|".join(purpose for _channel, purpose in stops)}  # fmt: skip


@rule_kind("nothing_to_stop", _quote_stop)
def nothing_to_stop(steps: Steps, playbook: Playbook) -> Iterator[Saying]:
    """All that a stop would end has been ended by an opt-out already."""
    idle = steps.code.flags(which(playbook, lambda t: t.kind == "stop"))
    for places in _stopped(playbook):
        ended = steps.compare(steps.own(gates.CONSENT, places), "=", -1.0)
        idle = steps.both(idle, steps.either(ended, steps.code.flags(places < 0)))
    yield Saying(rule("nothing_to_stop", "consent"), idle)


def _stopped(playbook: Playbook) -> list[Ints]:
    """Place of the permission by channel and purpose that each stop ends first, second and so on, -1 = no
    further one; shapes (T,)."""
    channels = {channel.id: place for place, channel in enumerate(playbook.channels)}
    ends = [
        [2 * channels[channel] + int(purpose == "service") for channel, purpose in t.stops]
        if t.kind == "stop" else [] for t in playbook.treatments
    ]  # fmt: skip
    most = max(map(len, ends), default=0)
    return [np.array([[*own, *[-1] * most][k] for own in ends], dtype=np.int64) for k in range(most)]


# -- contact policy ---------------------------------------------------------------------------------


def _quote_snooze(_: Features, playbook: Playbook, __: str, ___: int, treatment: int) -> Quoted:
    return {"treatment": playbook.treatments[treatment].id}


@rule_kind("snoozed", _quote_snooze)
def snoozed(steps: Steps, _: Playbook) -> Iterator[Saying]:
    """A colleague has put it off or dismissed it, and the pause still lasts."""
    yield Saying(rule("snoozed", "contact_policy"), steps.compare(steps.own(gates.SNOOZED), "<>", 0.0))


def _quote_limit(features: Features, playbook: Playbook, own: str, account: int, _: int) -> Quoted:
    index = next(i for i, limit in enumerate(playbook.contact_limits) if limit.id == own)
    limit = playbook.contact_limits[index]
    return {"channel": limit.channel, "group": limit.group, "count": int(features.limits[account, index]),
            "limit": limit.count, "days": limit.days}  # fmt: skip


@rule_kind("limit", _quote_limit)
def contact_limits(steps: Steps, playbook: Playbook) -> Iterator[Saying]:
    """The contacts of the period, planned ones included, have reached the limit."""
    for place, limit in enumerate(playbook.contact_limits):
        full = steps.compare(steps.gate(gates.LIMITS, place), ">=", limit.count)
        counted = steps.code.flags(which(playbook, partial(limit_counts, limit)))
        yield Saying(rule(f"limit:{limit.id}", "contact_policy"), steps.both(full, counted))


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
def suppressions(steps: Steps, playbook: Playbook) -> Iterator[Saying]:
    """A pause after too many contacts, rejections, dismissals or opt-outs still lasts."""
    own = np.arange(len(playbook.treatments))
    for place, pause in enumerate(playbook.suppressions):
        lasts = steps.compare(steps.own(gates.TRACKED, place * len(own) + own), "<", pause.suppress_days)
        paused = steps.code.flags(which(playbook, partial(_pausable, pause)))
        yield Saying(rule(f"suppression:{pause.id}", "contact_policy"), steps.both(lasts, paused))


def _pausable(pause: Suppression, treatment: Treatment) -> bool:
    """A pause of contacts must not keep anybody from stopping them: a stop pauses only as itself."""
    return treatment.kind == "contact" or (treatment.kind == "stop" and pause.scope == "treatment")
