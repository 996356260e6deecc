"""Who may not get what, each with its reason: availability, engagement policies, contact policies.

A rule only removes. Every objection of a pair is kept, not only the first; the funnel names for each pair
the first stage that removed it.

One place to add a kind of rule: a function decorated with `rule_kind`, and its sentence in
`engine.sentences`. What applies to all kinds (shapes, "none" is never objected to, order) is done here once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.conditions import Condition, FactColumn, Truth
from engine.features import Features
from engine.playbook import ContactLimit, Playbook, Suppression, Treatment
from engine.records import NO_CONTACT, Bools

STAGES: tuple[str, ...] = (
    "availability", "eligibility", "applicability", "suitability", "consent", "contact_policy",
)  # fmt: skip
"""In funnel order. Availability: approval lasts, somebody has the role, the channel can be used."""

Quoted = dict[str, str | float | int | None]
"""Numbers and ids that a rule read for one pair; JSON values only."""


@dataclass(frozen=True)
class Rule:
    """One rule that may object, built in or of the playbook; `id` is stable and shown ("consent",
    "limit:email_30d", "policy:no_visit_after_visit")."""

    id: str
    stage: str

    @property
    def kind(self) -> str:
        """The kind in `RULE_KINDS`: the id up to the colon."""
        return self.id.partition(":")[0]


@dataclass(frozen=True)
class Objections:
    """Which rule objects to which pair.

    Attributes:
        rules: In canonical order (stage, then id); the order in the playbook does not matter.
        objects: Shape (n, T, len(rules)); True = this rule removes this pair.
        unknown: Same shape; True = it objects because a fact is not known.
    """

    rules: tuple[Rule, ...]
    objects: Bools
    unknown: Bools

    @property
    def eligible(self) -> Bools:
        """Pairs to which no rule objects; shape (n, T)."""
        return np.logical_not(self.objects.any(axis=2))

    @property
    def first_rule(self) -> npt.NDArray[np.int64]:
        """Index into `rules` of the first rule that removed the pair, -1 = survived; shape (n, T)."""
        if not self.rules:
            return np.full(self.objects.shape[:2], -1, dtype=np.int64)
        return np.where(self.eligible, -1, self.objects.argmax(axis=2))

    @property
    def first_stage(self) -> npt.NDArray[np.int8]:
        """Index into STAGES of the first stage that removed the pair, -1 = survived; shape (n, T)."""
        stages = [STAGES.index(rule.stage) for rule in self.rules] + [-1]
        return np.array(stages, dtype=np.int8)[self.first_rule]


@dataclass(frozen=True)
class Verdict:
    """What one rule says. `objects` and `unknown` broadcast to (n, T); unknown None = nowhere."""

    rule: Rule
    objects: Bools
    unknown: Bools | None = None


Judge = Callable[[Features, Playbook], Iterator[Verdict]]
Quote = Callable[[Features, Playbook, str, int, int], Quoted]


@dataclass(frozen=True)
class RuleKind:
    """A kind of rule.

    Attributes:
        code: Its id, or the part of its rules' ids before the colon; names its sentence too.
        judge: Gives a verdict for each rule of the kind.
        quote: Facts that the rule read: (features, playbook, own part of the id, account, treatment).
    """

    code: str
    judge: Judge
    quote: Quote


RULE_KINDS: dict[str, RuleKind] = {}


def rule_kind(code: str, quote: Quote) -> Callable[[Judge], Judge]:
    """Register a function as a kind of rule."""

    def register(judge: Judge) -> Judge:
        RULE_KINDS[code] = RuleKind(code, judge, quote)
        return judge

    return register


def object_to(features: Features, playbook: Playbook) -> Objections:
    """All objections to all pairs. "none" is never objected to."""
    verdicts = [verdict for kind in RULE_KINDS.values() for verdict in kind.judge(features, playbook)]
    verdicts.sort(key=lambda verdict: (STAGES.index(verdict.rule.stage), verdict.rule.id))
    shape = (len(features.moments), len(playbook.treatments), len(verdicts))
    objects, unknown = np.zeros(shape, dtype=bool), np.zeros(shape, dtype=bool)
    acts = _which(playbook, lambda treatment: treatment.id != NO_CONTACT)
    for index, verdict in enumerate(verdicts):
        objects[:, :, index] = verdict.objects & acts
        if verdict.unknown is not None:
            unknown[:, :, index] = verdict.unknown & objects[:, :, index]
    return Objections(tuple(verdict.rule for verdict in verdicts), objects, unknown)


def quote_rule(features: Features, playbook: Playbook, rule: Rule, account: int, treatment: int) -> Quoted:
    """The facts that a rule read for one pair (indices of moment and treatment)."""
    own = rule.id.partition(":")[2]
    return RULE_KINDS[rule.kind].quote(features, playbook, own, account, treatment)


def fact_columns(
    features: Features, playbook: Playbook, conditions: Iterable[Condition | None]
) -> dict[str, FactColumn]:
    """The facts that some conditions read, each looked up once.

    A column of accounts that the playbook declares and the store does not have is not known of anybody.
    """
    return {name: fact_column(features, playbook, name) for name in fact_names(conditions)}


def fact_column(features: Features, playbook: Playbook, name: str) -> FactColumn:
    """A fact over (n, T), broadcastable; one that the playbook declares and the store lacks is unknown."""
    if name in features.set.sources:
        return features.fact(name)
    declared = next(attribute for attribute in playbook.attributes if attribute.name == name)
    return FactColumn(np.array([[np.nan if declared.levels is None else -1.0]]), declared.levels)


def holds(condition: Condition | None, columns: Mapping[str, FactColumn], shape: tuple[int, int]) -> Truth:
    """A condition over all pairs, shape (n, T): 1 true, 0 false, -1 unknown. None holds everywhere."""
    if condition is None:
        return np.ones(shape, dtype=np.int8)
    return np.broadcast_to(condition.evaluate(columns), shape)


def fact_names(conditions: Iterable[Condition | None]) -> tuple[str, ...]:
    """The facts that some conditions read, sorted."""
    return tuple(sorted({name for condition in conditions if condition for name in condition.facts}))


def value_at(column: FactColumn, account: int, treatment: int) -> str | float | None:
    """One pair's value of a fact as a number or text; None = not known."""
    rows, columns = column.values.shape
    value = float(column.values[account if rows > 1 else 0, treatment if columns > 1 else 0])
    if column.levels is None:
        return None if math.isnan(value) else value
    return column.levels[int(value)] if 0 <= value < len(column.levels) else None


def limit_counts(limit: ContactLimit, treatment: Treatment) -> bool:
    """Whether a contact by this treatment counts against the limit."""
    return (
        treatment.kind == "contact"
        and limit.channel in ("*", treatment.channel)
        and limit.group in ("", treatment.group)
    )


def _which(playbook: Playbook, test: Callable[[Treatment], bool]) -> Bools:
    """For which treatments something is so; shape (T,)."""
    return np.array([test(treatment) for treatment in playbook.treatments], dtype=bool)


# -- availability -----------------------------------------------------------------------------------


def _quote_approval(features: Features, playbook: Playbook, _: str, account: int, treatment: int) -> Quoted:
    chosen = playbook.treatments[treatment]
    return {"approval": chosen.approval, "approved_until": chosen.approved_until,
            "at": int(features.moments.as_of[account])}  # fmt: skip


@rule_kind("approval_expired", _quote_approval)
def approval_expired(features: Features, playbook: Playbook) -> Iterator[Verdict]:
    """The text's approval has run out at the moment of the decision."""
    never = np.iinfo(np.int64).max
    ends = [never if t.approved_until is None else t.approved_until for t in playbook.treatments]
    over = np.array(ends, dtype=np.int64)[None, :] <= features.moments.as_of[:, None]
    yield Verdict(Rule("approval_expired", "availability"), over)


def _quote_executor(_: Features, playbook: Playbook, __: str, ___: int, treatment: int) -> Quoted:
    return {"role": playbook.treatments[treatment].role}


@rule_kind("no_executor", _quote_executor)
def no_executor(features: Features, playbook: Playbook) -> Iterator[Verdict]:
    """Nobody serves the account in the treatment's role; the system needs nobody."""
    absent = np.zeros((len(features.moments), len(playbook.treatments)), dtype=bool)
    roles = {role.id: index for index, role in enumerate(playbook.roles) if not role.system}
    for index, treatment in enumerate(playbook.treatments):
        if treatment.role in roles:
            absent[:, index] = features.has_role[:, roles[treatment.role]] != 1.0
    yield Verdict(Rule("no_executor", "availability"), absent)


def _quote_channel(_: Features, playbook: Playbook, __: str, ___: int, treatment: int) -> Quoted:
    return {"channel": playbook.treatments[treatment].channel}


@rule_kind("channel_not_outbound", _quote_channel)
def channel_not_outbound(_: Features, playbook: Playbook) -> Iterator[Verdict]:
    """The channel only receives: a website is visited, it visits nobody."""
    inbound = {channel.id for channel in playbook.channels if not channel.outbound}
    closed = _which(playbook, lambda t: t.kind == "contact" and t.channel in inbound)
    yield Verdict(Rule("channel_not_outbound", "availability"), closed[None, :])


def _quote_closed(_: Features, __: Playbook, ___: str, ____: int, _____: int) -> Quoted:
    return {"closed": 1}


@rule_kind("account_closed", _quote_closed)
def account_closed(features: Features, _: Playbook) -> Iterator[Verdict]:
    """The account was deleted or merged: a live event may still arrive for it, a contact may not go out."""
    yield Verdict(Rule("account_closed", "availability"), features.closed[:, None])


def _quote_timezone(_: Features, __: Playbook, ___: str, ____: int, _____: int) -> Quoted:
    return {"timezone": None}


@rule_kind("no_timezone", _quote_timezone)
def no_timezone(features: Features, playbook: Playbook) -> Iterator[Verdict]:
    """Neither account nor playbook says where it is: nobody knows whether it is night there."""
    lost = ~features.has_timezone & (not playbook.default_timezone)
    contacts = _which(playbook, lambda t: t.kind == "contact")
    yield Verdict(Rule("no_timezone", "availability"), lost[:, None] & contacts[None, :])


# -- engagement policies of the playbook ------------------------------------------------------------


def _quote_policy(features: Features, playbook: Playbook, own: str, account: int, treatment: int) -> Quoted:
    policy = next(policy for policy in playbook.policies if policy.id == own)
    read = fact_columns(features, playbook, (policy.when, policy.applies))
    return {name: value_at(column, account, treatment) for name, column in read.items()}


@rule_kind("policy", _quote_policy)
def engagement_policies(features: Features, playbook: Playbook) -> Iterator[Verdict]:
    """Where a policy applies (or may apply), what it demands must be known to hold."""
    shape = (len(features.moments), len(playbook.treatments))
    conditions = [c for policy in playbook.policies for c in (policy.when, policy.applies)]
    columns = fact_columns(features, playbook, conditions)
    for policy in playbook.policies:
        when, applies = holds(policy.when, columns, shape), holds(policy.applies, columns, shape)
        objects = (applies != 0) & (when != 1)
        yield Verdict(Rule(f"policy:{policy.id}", policy.stage), objects, (when == -1) | (applies == -1))


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
    shape = (len(features.moments), len(playbook.treatments))
    objects, unknown = np.zeros(shape, dtype=bool), np.zeros(shape, dtype=bool)
    needs_opt_in = {channel.id: channel.needs_opt_in for channel in playbook.channels}
    for index, treatment in enumerate(playbook.treatments):
        if treatment.kind != "contact":
            continue
        permission = _permission(features, treatment.channel, treatment.purpose)
        refused = ~(permission >= 0.0)
        unknown[:, index] = ~(permission < 0.0) & ~(permission > 0.0)
        objects[:, index] = refused | (unknown[:, index] & needs_opt_in[treatment.channel])
    yield Verdict(Rule("consent", "consent"), objects, unknown)


def _quote_stop(_: Features, playbook: Playbook, __: str, ___: int, treatment: int) -> Quoted:
    stops = playbook.treatments[treatment].stops
    return {"channel": "|".join(channel for channel, _purpose in stops),
            "purpose": "|".join(purpose for _channel, purpose in stops)}  # fmt: skip


@rule_kind("nothing_to_stop", _quote_stop)
def nothing_to_stop(features: Features, playbook: Playbook) -> Iterator[Verdict]:
    """All that a stop would end has been ended by an opt-out already."""
    idle = np.zeros((len(features.moments), len(playbook.treatments)), dtype=bool)
    for index, treatment in enumerate(playbook.treatments):
        if treatment.kind == "stop":
            ended = [_permission(features, channel, purpose) == -1.0 for channel, purpose in treatment.stops]
            idle[:, index] = np.all(np.array(ended).reshape(len(ended), -1), axis=0)
    yield Verdict(Rule("nothing_to_stop", "consent"), idle)


# -- contact policy ---------------------------------------------------------------------------------


def _quote_snooze(_: Features, playbook: Playbook, __: str, ___: int, treatment: int) -> Quoted:
    return {"treatment": playbook.treatments[treatment].id}


@rule_kind("snoozed", _quote_snooze)
def snoozed(features: Features, _: Playbook) -> Iterator[Verdict]:
    """A colleague has put it off or dismissed it, and the pause still lasts."""
    yield Verdict(Rule("snoozed", "contact_policy"), features.snoozed != 0.0)


def _quote_limit(features: Features, playbook: Playbook, own: str, account: int, _: int) -> Quoted:
    index = next(i for i, limit in enumerate(playbook.contact_limits) if limit.id == own)
    limit = playbook.contact_limits[index]
    return {"channel": limit.channel, "group": limit.group, "count": int(features.limits[account, index]),
            "limit": limit.count, "days": limit.days}  # fmt: skip


@rule_kind("limit", _quote_limit)
def contact_limits(features: Features, playbook: Playbook) -> Iterator[Verdict]:
    """The contacts of the period, planned ones included, have reached the limit."""
    for index, limit in enumerate(playbook.contact_limits):
        counted = np.array([limit_counts(limit, treatment) for treatment in playbook.treatments], dtype=bool)
        full = ~(features.limits[:, index] < limit.count)
        yield Verdict(Rule(f"limit:{limit.id}", "contact_policy"), full[:, None] & counted[None, :])


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
    for index, pause in enumerate(playbook.suppressions):
        paused = np.array([_pausable(pause, treatment) for treatment in playbook.treatments], dtype=bool)
        lasts = features.tracked[:, index, :] < pause.suppress_days
        yield Verdict(Rule(f"suppression:{pause.id}", "contact_policy"), lasts & paused[None, :])


def _pausable(pause: Suppression, treatment: Treatment) -> bool:
    """A pause of contacts must not keep anybody from stopping them: a stop pauses only as itself."""
    return treatment.kind == "contact" or (treatment.kind == "stop" and pause.scope == "treatment")
