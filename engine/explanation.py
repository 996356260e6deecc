"""Why, why not: codes and numbers first, then words.

A reason is stored as code and facts, so that its sentence can be said in any language and can age
("just now", "this morning"); `words` says it at a moment.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from engine.arbitration import LEFT_OUT, left_out, together
from engine.changes import DAYS_AHEAD, Turning
from engine.decide import Decisions
from engine.drivers import DRIVERS, PROFILE
from engine.facts import TREATMENT_FACTS
from engine.playbook import Playbook
from engine.policies import Quoted, Rule, fact_columns, holds, limit_counts, quote_rule
from engine.reasons import TRIGGERS, Reason, why
from engine.sentences import SENTENCES
from engine.wording import Reader, Value, ago, isolated, number, say, text_in, word

__all__ = [
    "Objection", "Reason", "change_words", "every_rule", "headline", "objection_words", "why", "why_not",
    "why_not_words", "words",
]  # fmt: skip


@dataclass(frozen=True)
class Objection:
    """One rule that removed a treatment (or, with `passed`, did not), with the facts it read."""

    rule: str
    stage: str
    unknown: bool
    facts: Mapping[str, str | float | int | None]
    passed: bool = False


def why_not(decisions: Decisions, account: int, treatment: int, playbook: Playbook) -> tuple[Objection, ...]:
    """Every objection to a treatment, in funnel order; when no rule objects, one Objection of stage
    "arbitration" that says by how much its priority was below what was placed (or below no contact).
    Empty for what was placed."""
    objections = decisions.objections
    told = tuple(
        Objection(
            rule.id,
            rule.stage,
            bool(objections.unknown[account, treatment, index]),
            quote_rule(decisions.features, playbook, rule, account, treatment),
        )
        for index, rule in enumerate(objections.rules)
        if objections.objects[account, treatment, index]
    )
    return told or _left_out(decisions, account, treatment, playbook)


def every_rule(decisions: Decisions, account: int, treatment: int, playbook: Playbook
               ) -> tuple[Objection, ...]:  # fmt: skip
    """Every rule that is about a treatment, those that it passed too, in funnel order; last, where no rule
    objects, what became of it in arbitration ("placed" is passed)."""
    objections, told = decisions.objections, []
    for index, rule in enumerate(objections.rules):
        passed = not objections.objects[account, treatment, index]
        if passed and not _concerns(decisions, playbook, rule, account, treatment):
            continue
        quotes = not passed or rule.kind in _TELLING
        quoted = quote_rule(decisions.features, playbook, rule, account, treatment) if quotes else {}
        facts = {name: None if _is_nan(value) else value for name, value in quoted.items()}
        unknown = bool(objections.unknown[account, treatment, index])
        told.append(Objection(rule.id, rule.stage, unknown, facts, passed))
    if all(each.passed for each in told):
        placed = Objection("placed", "arbitration", False, {}, passed=True)
        told += _left_out(decisions, account, treatment, playbook) or (placed,)
    return tuple(told)


_TELLING = frozenset({"policy", "limit", "consent", "suppression"})
"""Kinds of rules that quote what they read also where they do not object."""


def _concerns(decisions: Decisions, playbook: Playbook, rule: Rule, account: int, treatment: int) -> bool:
    """Whether a rule that a treatment passed is about it at all."""
    chosen, own = playbook.treatments[treatment], rule.id.partition(":")[2]
    if rule.kind == "limit":
        return any(limit.id == own and limit_counts(limit, chosen) for limit in playbook.contact_limits)
    if rule.kind == "policy":
        policy = next(policy for policy in playbook.policies if policy.id == own)
        columns = fact_columns(decisions.features, playbook, (policy.applies,))
        shape = decisions.objections.objects.shape[:2]
        return bool(holds(policy.applies, columns, shape)[account, treatment])
    return rule.kind != "nothing_to_stop" or chosen.kind == "stop"


def _is_nan(value: Value) -> bool:
    return isinstance(value, float) and math.isnan(value)


def words(reason: Reason, reader: Reader) -> str:
    """The reason as a sentence at the reader's moment; in English where her language has none."""
    against = (reason.amount or 0.0) < 0.0 and reason.code in _FACTS_OF_THE_ACCOUNT
    return (word("against", reader) if against else "") + say(reason.code, reason.facts, reader)


_FACTS_OF_THE_ACCOUNT = frozenset(
    {driver.code for driver in DRIVERS} | {PROFILE, "no_contact_yet", *TRIGGERS}
)
"""Codes whose sentence is a fact: where it speaks against the suggestion, that is said before it."""


def objection_words(objection: Objection, reader: Reader) -> str:
    """The objection as a sentence; a policy's own text, with the facts that it read."""
    kind, _, own = objection.rule.partition(":")
    if objection.passed:
        return _passed(objection, reader)
    code = f"{kind}_unknown" if objection.unknown and f"{kind}_unknown" in SENTENCES else kind
    if kind != "policy":
        return say(code, objection.facts, reader)
    policy = next((policy for policy in reader.playbook.policies if policy.id == own), None)
    text = text_in(policy.text, reader.language, own) if policy else isolated(own, reader.language)
    return say(code, {"text": text}, reader) + _facts_read(objection, reader)


def _passed(objection: Objection, reader: Reader) -> str:
    """What was satisfied; a limit with how much of it is used, which is said alike."""
    if objection.rule.startswith("limit:"):
        return say("limit", objection.facts, reader)
    return say("rule_passed", {"rule": objection.rule}, reader) + _facts_read(objection, reader)


def _facts_read(objection: Objection, reader: Reader) -> str:
    named = objection.facts.items()
    read = [_read(name, value, reader) for name, value in named if name not in TREATMENT_FACTS]
    return f" ({', '.join(read)})" if read else ""


def why_not_words(objections: tuple[Objection, ...], reader: Reader) -> str:
    """Why a treatment is not suggested in one sentence: by its first objection in funnel order."""
    against = next(each for each in objections if not each.passed)
    return say("why_not", {"text": objection_words(against, reader)}, reader)


def change_words(turning: Turning, reader: Reader) -> tuple[str, ...]:
    """What would change the first choice, nearest first; one sentence that says so where nothing would."""
    if not turning.changes:
        return (say("nothing_in_reach", {"tried": turning.tried, "days": DAYS_AHEAD[-1]}, reader),)
    return tuple(say(c.code, {**c.facts, "first": c.first}, reader) for c in turning.changes)


def headline(treatment_id: str, reasons: tuple[Reason, ...], name: str, reader: Reader) -> str:
    """The suggestion's text with {name}, {when} and {trigger} filled in, aged to the reader's moment.

    {when} is the time of the trigger among the reasons; without one the placeholder goes, and the space
    before it. {trigger} is what the account did, through the channel in which it did it; without a trigger it
    goes, and the space after it.
    """
    treatment = reader.playbook.treatment(treatment_id)
    template = text_in(treatment.text, reader.language, treatment.id)
    trigger = next((reason for reason in reasons if reason.code in TRIGGERS), None)
    done = "" if trigger is None else _trigger_text(trigger, reader) + " "
    # Filled in before the name, which may contain what looks like a placeholder.
    template = _TRIGGER.sub(lambda _: done, template)
    at = trigger.facts.get("at") if trigger else None
    when = " " + ago(at, reader) if isinstance(at, int) else ""
    values = {"name": isolated(name, reader.language), "when": when}
    return _NAME_OR_WHEN.sub(lambda found: values[found[1] or found[2]], template).strip()


_TRIGGER, _NAME_OR_WHEN = re.compile(r"\{trigger\}\s*"), re.compile(r"\{(name)\}|\s*\{(when)\}")


def _trigger_text(trigger: Reason, reader: Reader) -> str:
    """What the account did, with {name} and {when} still to fill in; general where the topic has no text."""
    topic = next((t for t in reader.playbook.topics if t.id == trigger.facts.get("topic")), None)
    own = topic.triggers.get(str(trigger.facts.get("channel"))) if topic else None
    if own:
        return text_in(own, reader.language, "")
    return say(f"trigger_{trigger.code}", {**trigger.facts, "name": "{name}", "when": "{when}"}, reader)


def _read(name: str, value: Value, reader: Reader) -> str:
    """A fact that a policy read, as "days since visit: 1"."""
    if value is None:
        shown = word("unknown", reader)
    else:
        shown = value if isinstance(value, str) else number(value, reader, 1)
    return isolated(f"{name.replace('_', ' ')}: {shown}", reader.spoken)


# -- arbitration ------------------------------------------------------------------------------------


def _left_out(
    decisions: Decisions, account: int, treatment: int, playbook: Playbook
) -> tuple[Objection, ...]:
    """Why an eligible treatment has no place; nothing for one that has."""
    ranking, priority = decisions.ranking, decisions.priority
    ranked, charge = priority.ranked, priority.charge
    left = left_out(
        ranked, decisions.objections.eligible, ranking, priority.held, charge, unproven=priority.unproven
    )
    code = int(left[account, treatment])
    if code < 0:
        return ()
    at = (account, treatment)
    worth = float(ranked[at])
    facts: Quoted = {
        "priority": worth, "caused": float(priority.caused[at]),
        "cost": float(priority.cost[at]), "fatigue": float(priority.fatigue[at]),
    }  # fmt: skip
    if charge is not None and LEFT_OUT[code] == "below_price":
        asked = float(charge[at])
        facts |= {"priority": worth + asked, "charge": asked, "short_of": -worth}
        return (Objection(LEFT_OUT[code], "arbitration", False, facts),)
    by = _in_its_way(decisions, account, treatment, playbook, LEFT_OUT[code])
    if by >= 0:
        beaten_by = float(ranked[account, by])
        facts |= {"by": decisions.treatments[by], "by_priority": beaten_by, "short_of": beaten_by - worth}
    return (Objection(LEFT_OUT[code], "arbitration", False, facts),)


def _in_its_way(decisions: Decisions, account: int, treatment: int, playbook: Playbook, code: str) -> int:
    """The placed treatment that an eligible one had to give way to; 0 = no contact."""
    if code in ("below_no_contact", "not_comparable", "not_proven"):
        return 0
    placed = decisions.ranking.places[account]
    placed = placed[placed >= 0]
    if code == "no_room_together":
        limits = together(decisions.features, playbook)
        used = np.count_nonzero(limits.counts[placed], axis=0)
        full = limits.counts[treatment] & (limits.room[account] <= used)
        shares = (limits.counts[placed] & full).any(axis=1)
        return int(placed[np.argmax(limits.clash[placed, treatment] | shares)])
    return int(placed[-1] if code == "outranked" and treatment else placed[0])
