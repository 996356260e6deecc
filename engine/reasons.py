"""Reasons of a suggestion as codes and facts.

One place to add: a kind of reason is a function decorated with `reason_kind` that names its codes; each code
has its sentence in `engine.sentences`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from engine import numerics
from engine.amounts import Amounts, amounts_of
from engine.decide import Decisions
from engine.drivers import DRIVERS, PROFILE, Driver
from engine.facts import SCOPES, TWIN_STEPS, fact_name
from engine.peers import PEER_DAYS, SIMILAR_BY
from engine.playbook import ContextWeight, Playbook, Treatment
from engine.policies import Quoted, fact_names, fact_of
from engine.records import DAY_MICROS
from engine.scoring import LearnedScorer

RECENT_DAYS = 30.0
"""Within which a question or a look at a page is worth telling."""
FRESH_DAYS = 3.0
"""Within which it is the first thing to tell."""
MOST_DRIVERS = 4
"""So many groups of facts are told one by one; what the others add is told together."""
LEAST_SHARE = 0.02
"""Of all that such facts add or take away; what moves less is not told by itself."""
TRIGGERS: tuple[str, ...] = ("read_topic", "asked_topic", "topic_of_interest")
"""Codes of what the customer did; their fact `at` is the {when} of a suggestion's text."""


@dataclass(frozen=True)
class Reason:
    """One reason of a suggestion.

    Attributes:
        code: Stable name of the kind of reason ("read_topic", "last_contact", "expected_value" ...).
        facts: The numbers and ids that it quotes; times as microseconds UTC; JSON values only.
        amount: What it adds to the priority in currency; None = it tells a fact and no part of the priority.
            The amounts of all reasons of a suggestion add up to its priority.
    """

    code: str
    facts: Mapping[str, str | float | int | None]
    amount: float | None = None


@dataclass(frozen=True)
class Case:
    """One pair that is explained: what the kinds of reasons read."""

    decisions: Decisions
    playbook: Playbook
    account: int
    index: int
    in_parts: bool = True

    @property
    def treatment(self) -> Treatment:
        """The treatment that is explained."""
        return self.playbook.treatments[self.index]

    @property
    def priority(self) -> float:
        """Its priority, in currency."""
        return float(self.decisions.priority.priority[self.account, self.index])

    def fact(self, name: str) -> str | float | None:
        """A fact of the pair; None = not known."""
        return fact_of(self.decisions.features, self.playbook, name, self.account, self.index)

    def number(self, name: str) -> float | None:
        """A numeric fact of the pair; None = not known."""
        value = self.fact(name)
        return value if isinstance(value, float) else None

    @cached_property
    def amounts(self) -> Amounts:
        """What its priority is the sum of."""
        return amounts_of(self.decisions, self.account, self.index, self.playbook, in_parts=self.in_parts)

    @property
    def trigger_days(self) -> float | None:
        """Days since the account last turned to what the treatment is about; None = not lately."""
        days = self.number("days_since_inbound_same_topic") if self.treatment.topic else None
        return days if days is not None and days <= RECENT_DAYS else None

    def moment_before(self, days: float) -> int:
        """The time so many days before the decision, to the microsecond."""
        return int(self.decisions.moments.as_of[self.account]) - round(days * DAY_MICROS)

    def active_weights(self) -> list[ContextWeight]:
        """The context weights that hold for the pair."""
        active = self.decisions.priority.active[self.account, self.index]
        return [weight for weight, holds in zip(self.playbook.context_weights, active, strict=True) if holds]


Tell = Callable[[Case], Iterator[Reason]]
REASON_KINDS: list[Tell] = []
REASON_CODES: list[str] = []


def reason_kind(*codes: str) -> Callable[[Tell], Tell]:
    """Register a function as a kind of reason that may tell these codes; among equals the first leads."""

    def register(tell: Tell) -> Tell:
        REASON_KINDS.append(tell)
        REASON_CODES.extend(codes)
        return tell

    return register


def why(
    decisions: Decisions, account: int, treatment: int, playbook: Playbook, *, in_parts: bool = True
) -> tuple[Reason, ...]:
    """Reasons for a treatment that was placed (indices of moment and treatment), the strongest first.

    At least one. Strongest: chosen at random; then what the customer has just done and the stop of what
    nobody answers; then by the amount that is added to the priority; then what has no amount. Without
    `in_parts` what the account's own facts add is not told apart: for many accounts that nobody looks at.
    """
    case = Case(decisions, playbook, account, treatment, in_parts)
    reasons = [reason for tell in REASON_KINDS for reason in tell(case)]
    return tuple(sorted(reasons, key=_weakness))


def _weakness(reason: Reason) -> tuple[int, float]:
    """Sorts the strongest first: the draw, what calls for action now, amounts, the rest."""
    days = reason.facts.get("days")
    fresh = reason.code in TRIGGERS and isinstance(days, float) and days <= FRESH_DAYS
    if reason.code == "explored":
        level = 0
    elif fresh or reason.code == "stop_no_response":
        level = 1
    else:
        level = 2 if reason.amount is not None else 3
    return level, -(reason.amount or 0.0)


@reason_kind("explored")
def explored(case: Case) -> Iterator[Reason]:
    """It stands first because of a draw: said before anything else."""
    ranking = case.decisions.ranking
    if ranking.explored[case.account] and ranking.places[case.account, 0] == case.index:
        yield Reason("explored", {"probability": float(ranking.probability[case.account]),
                                  "share": case.playbook.exploration_share})  # fmt: skip


@reason_kind(*TRIGGERS)
def turned_to_topic(case: Case) -> Iterator[Reason]:
    """The account has lately read or asked about what the treatment is about.

    Facts know when the topic came up and when each channel was last used; where no channel's last use is that
    moment, the channel has been used since for something else, and none is named.
    """
    topic, days = case.treatment.topic, case.trigger_days
    if days is None:
        return
    channel = next(
        (c for c in case.playbook.channels if case.number(f"days_since_inbound_{c.id}") == days), None
    )
    facts: Quoted = {"topic": topic, "days": days, "at": case.moment_before(days)}
    code = "topic_of_interest"
    if channel:
        code = "asked_topic" if channel.outbound else "read_topic"
        facts["channel"] = channel.id
    told = [case.amounts.weights[w.id] for w in case.active_weights() if _reads_topic(w, topic)]
    told += [case.amounts.drivers[code] for code in ("topic_interest",) if code in case.amounts.drivers]
    yield Reason(code, facts, numerics.added(told) if told else None)


@reason_kind("stop_no_response")
def stop_no_response(case: Case) -> Iterator[Reason]:
    """What is to be stopped is sent often and answered never."""
    if case.treatment.kind != "stop":
        return
    contacts, responses = case.number("outbound_same_channel_90d"), case.number("responses_same_channel_90d")
    if contacts and responses == 0.0:
        yield Reason(
            "stop_no_response", {"channel": case.treatment.channel, "contacts": int(contacts), "days": 90}
        )


@reason_kind("context_weight")
def context_weight(case: Case) -> Iterator[Reason]:
    """A context weight of the playbook; those that read the topic's trigger are told with the trigger."""
    triggered = case.trigger_days is not None
    for weight in case.active_weights():
        told = triggered and _reads_topic(weight, case.treatment.topic)
        if weight.weight == 1.0 or told:
            continue
        quoted = {name: case.fact(name) for name in fact_names((weight.when, weight.applies))}
        facts: Quoted = {"weight_id": weight.id, "weight": weight.weight, **quoted}
        yield Reason("context_weight", facts, case.amounts.weights[weight.id])


@reason_kind(
    "expected_value",
    "expected_value_here",
    "inherited_value",
    "starting_value",
    "expected_saving",
    "stop_saving",
    "expected_response",
)
def expected_value(case: Case) -> Iterator[Reason]:
    """What it is expected to be worth before context weights, and on how much experience that rests; its
    amount is the part that does not come from the account's own facts, less cost and fatigue."""
    if case.treatment.kind == "none":
        return
    scores, priority, amounts = case.decisions.scores, case.decisions.priority, case.amounts
    at = (case.account, case.index)
    evidence, factor = int(scores.evidence[case.index]), float(priority.followed[at] * priority.lever[at])
    facts: Quoted = {
        "caused": float(priority.caused[at]), "cost": float(priority.cost[at]),
        "fatigue": float(priority.fatigue[at]), "followed": float(scores.followed[at]),
        "lever": float(priority.lever[at]), "priority": case.priority, "evidence": evidence,
    }  # fmt: skip
    code = "expected_value" if evidence else "starting_value"
    if case.playbook.priority == "leaders":
        code, facts = "expected_response", facts | {
            "response": float(scores.response[at]), "value": case.treatment.value,
        }  # fmt: skip
    elif case.treatment.kind == "stop":
        code, more = _saving(case)
        facts = facts | more
    elif amounts.drivers and factor:
        code = "expected_value_here" if evidence else "inherited_value"
        facts = facts | {"general": amounts.general / factor}
    yield Reason(code, facts, amounts.general + amounts.cost + amounts.fatigue)


def _saving(case: Case) -> tuple[str, Quoted]:
    """What a stop saves: by what would follow, where that was learned."""
    found = case.decisions.stop_worth(case.index)
    if found is None:
        return "expected_saving", {}
    at = case.account
    return "stop_saving", {
        "contacts": max(1, round(float(found.contacts[at]))), "coming": float(found.contacts[at]),
        "days": found.days, "risk": float(found.risk[at]), "lost": float(found.caused[at]),
        "spent": float(found.cost[at]), "avoided": float(found.avoided[at]),
        "low": float(found.low[at]), "high": float(found.high[at]),
    }  # fmt: skip


@reason_kind("held_at_zero", "unproven_at_zero")
def held_at_zero(case: Case) -> Iterator[Reason]:
    """What it would bring cannot be judged, because such accounts hardly ever got it, or what a stop saves
    may be chance: it counts nothing."""
    if case.amounts.held:
        code = "unproven_at_zero" if case.treatment.kind == "stop" else "held_at_zero"
        yield Reason(code, {"amount": -case.amounts.held}, case.amounts.held)


@reason_kind(*(d.code for d in DRIVERS if d.code not in ("last_contact", "response_history")), PROFILE,
             "other_facts")  # fmt: skip
def drivers(case: Case) -> Iterator[Reason]:
    """What the account's own facts add, in groups that people understand; the smallest ones together."""
    if not case.amounts.drivers:
        return
    told_elsewhere = {"last_contact"} if case.treatment.kind == "contact" else set()
    told_elsewhere |= {"topic_interest"} if case.trigger_days is not None else set()
    told_elsewhere |= {"response_history"} if _answers(case) else set()
    left = {code: amount for code, amount in case.amounts.drivers.items() if code not in told_elsewhere}
    moved = numerics.added(abs(amount) for amount in case.amounts.drivers.values())
    own = [code for code, amount in left.items() if abs(amount) >= LEAST_SHARE * moved]
    own = sorted((c for c in own if c != "response_history"), key=lambda c: (-abs(left[c]), c))
    for code in own[:MOST_DRIVERS]:
        yield _driver_reason(case, code)
    rest = [amount for code, amount in left.items() if code not in own[:MOST_DRIVERS]]
    if rest:
        together = numerics.added(rest)
        yield Reason("other_facts", {"facts": len(rest), "amount": together}, together)


def _driver_reason(case: Case, code: str) -> Reason:
    """The group of facts as it stands, over the window that moves the score most."""
    amount = case.amounts.drivers[code]
    if code.startswith(PROFILE):
        attribute = code.partition(":")[2]
        return Reason(PROFILE, {"attribute": attribute, "value": case.fact(attribute)}, amount)
    driver = next(driver for driver in DRIVERS if driver.code == code)
    days = case.amounts.windows.get(code) or driver.window_days
    facts: Quoted = {"days": days, **_scope(case, driver)}
    if "responses" in driver.statistics:
        facts |= _responses(case, SCOPES[driver.group], 365)
    else:
        scope = SCOPES[driver.group] if driver.scoped else ""
        facts["count"] = case.number(fact_name(driver.statistics[0], scope, days))
        since = case.number(fact_name(driver.since, scope, None)) if driver.since else None
        facts["at"] = None if since is None else case.moment_before(since)
    if code == "purchases":
        facts["value"] = case.number(f"outcome_value_{days}d")
    return Reason(code, facts, amount)


def _scope(case: Case, driver: Driver) -> Quoted:
    if driver.group == "channel":
        return {"channel": case.treatment.channel}
    return {"topic": case.treatment.topic} if driver.group == "topic" else {}


def _responses(case: Case, scope: str, days: int) -> Quoted:
    contacts, responses = case.number(f"outbound_{scope}_{days}d"), case.number(f"responses_{scope}_{days}d")
    return {"responses": int(responses or 0), "contacts": int(contacts or 0), "days": days}


def _answers(case: Case) -> bool:
    """Whether the account's answers on the channel are told: somebody has asked there."""
    return case.treatment.kind == "contact" and bool(case.number("outbound_same_channel_365d"))


@reason_kind("nothing_better", "nothing_allowed")
def no_contact(case: Case) -> Iterator[Reason]:
    """Leaving the account alone is the best, or all that is allowed."""
    decisions = case.decisions
    if case.treatment.kind != "none" or decisions.ranking.greedy[case.account] != 0:
        return
    eligible = np.flatnonzero(decisions.objections.eligible[case.account, 1:]) + 1
    if not len(eligible):
        yield Reason("nothing_allowed", {"eligible": 0})
        return
    worth = decisions.priority.ranked[case.account, eligible]
    best = int(eligible[worth.argmax()])
    yield Reason("nothing_better", {"eligible": len(eligible), "best": decisions.treatments[best],
                                    "best_priority": float(worth.max())})  # fmt: skip


@reason_kind("twins", "twins_value")
def twins(case: Case) -> Iterator[Reason]:
    """What similar accounts buy beyond this one; for a step of what worked on them, that too."""
    role = next((role for role in case.playbook.roles if role.id == case.treatment.role), None)
    settings = case.playbook.twins
    if settings is None or case.treatment.kind != "contact" or role is None or role.side == "medical":
        return
    value = case.number("unrealised_value")
    if not value:
        return
    facts: Quoted = {
        "value": value, "low": case.number("unrealised_low"), "high": case.number("unrealised_high"),
        "found": int(case.number("twins_found") or 0),
    }  # fmt: skip
    steps = [str(step) for step in map(case.fact, TWIN_STEPS) if step]
    step = case.treatment.group if settings.steps == "group" else case.treatment.channel
    worked, tried = case.number("twins_worked"), case.number("twins_tried")
    if step not in steps or worked is None or tried is None:
        yield Reason("twins_value", facts)
        return
    facts |= {"approach": "|".join(steps), "worked": int(worked), "tried": int(tried),
              "failed": int(tried - worked)}  # fmt: skip
    yield Reason("twins", facts)


@reason_kind("response_history")
def response_history(case: Case) -> Iterator[Reason]:
    """How the account has answered on the treatment's channel."""
    if _answers(case):
        facts: Quoted = {"channel": case.treatment.channel, **_responses(case, "same_channel", 365)}
        yield Reason("response_history", facts, case.amounts.drivers.get("response_history"))


@reason_kind("last_contact", "no_contact_yet")
def last_contact(case: Case) -> Iterator[Reason]:
    """When we last used the treatment's channel."""
    if case.treatment.kind != "contact":
        return
    days, amount = case.number("days_since_same_channel"), case.amounts.drivers.get("last_contact")
    facts: Quoted = {"channel": case.treatment.channel}
    if days is None:
        yield Reason("no_contact_yet", facts, amount)
    else:
        yield Reason("last_contact", facts | {"days": days, "at": case.moment_before(days)}, amount)


@reason_kind("similar_responded", "similar_responded_channel")
def similar_responded(case: Case) -> Iterator[Reason]:
    """How many similar accounts responded to this message, or to the channel where that is too few."""
    scorer = case.decisions.scorer
    peers = scorer.parts.peers if isinstance(scorer, LearnedScorer) else None
    if peers is None or case.treatment.kind != "contact":
        return
    segment = case.fact(SIMILAR_BY) if SIMILAR_BY in case.decisions.features.set.account else None
    own = segment if isinstance(segment, str) else None
    found = peers.responded(case.treatment.id, case.treatment.channel, own)
    if found is not None:
        what, contacted, responded = found
        code = "similar_responded" if what == "treatment" else "similar_responded_channel"
        yield Reason(code, {"channel": case.treatment.channel, "responded": responded, "contacted": contacted,
                            "segment": segment, "days": PEER_DAYS, "at": peers.until})  # fmt: skip


def _reads_topic(weight: ContextWeight, topic: str) -> bool:
    """Whether the weight looks at what the account did about the topic."""
    if not topic:
        return False
    starts = ("inbound_", "days_since_inbound_")
    ours = [s + scope for s in starts for scope in (topic, "same_topic")]
    read = (*weight.when.facts, *(weight.applies.facts if weight.applies else ()))
    return weight.weight != 0.0 and any(name == o or name.startswith(f"{o}_") for name in read for o in ours)
