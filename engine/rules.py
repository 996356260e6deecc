"""What a rule is: its verdict, what it quotes, and the registry of kinds of rules.

One place to add a kind of rule: a function decorated with `rule_kind` (in `engine.policies`,
`engine.stage_rules` or `engine.contact_rules`), and its sentence in `engine.sentences`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.conditions import Condition, FactColumn, Truth
from engine.facts import TREATMENT_FACTS
from engine.features import Features, fact_or_unknown
from engine.playbook import ContextWeight, Playbook, Policy, Treatment
from engine.records import Bools, kept_with

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


def quote_rule(features: Features, playbook: Playbook, rule: Rule, account: int, treatment: int) -> Quoted:
    """The facts that a rule read for one pair (indices of moment and treatment)."""
    own = rule.id.partition(":")[2]
    return RULE_KINDS[rule.kind].quote(features, playbook, own, account, treatment)


def judged(features: Features, playbook: Playbook, conditions: Sequence[Condition | None]) -> list[Truth]:
    """Conditions over all pairs, each broadcastable to (n, T): 1 true, 0 false, -1 unknown. None holds.

    Whom a rule is about mostly follows from the candidate alone, and is then worked out once.
    """
    fixed = _fixed(features, playbook)
    columns = fact_columns(features, playbook, [c for c in conditions if c not in fixed])
    return [_HOLDS if c is None else fixed[c] if c in fixed else c.evaluate(columns) for c in conditions]


_HOLDS: Truth = np.ones((1, 1), dtype=np.int8)


def _fixed(features: Features, playbook: Playbook) -> Mapping[Condition, Truth]:
    """The conditions of policies and context weights that read the candidate alone, shape (1, T); kept for
    the candidates met last."""
    kept = vars(playbook).get("fixed")
    if kept is None or kept[0] is not features.treatment:
        rules: tuple[Policy | ContextWeight, ...] = (*playbook.policies, *playbook.context_weights)
        alone = [
            c
            for rule in rules
            for c in (rule.when, rule.applies)
            if c and TREATMENT_FACTS.keys() >= {*c.facts}
        ]
        columns = fact_columns(features, playbook, alone)
        kept = vars(playbook)["fixed"] = (features.treatment, {c: c.evaluate(columns) for c in alone})
    found: Mapping[Condition, Truth] = kept[1]
    return found


def fact_columns(
    features: Features, playbook: Playbook, conditions: Iterable[Condition | None]
) -> dict[str, FactColumn]:
    """The facts that some conditions read, each looked up once.

    A column of accounts that the playbook declares and the store does not have is not known of anybody.
    """
    return {name: fact_column(features, playbook, name) for name in fact_names(conditions)}


def fact_column(features: Features, playbook: Playbook, name: str) -> FactColumn:
    """A fact over (n, T), broadcastable; one that the playbook declares and the store lacks is unknown."""
    return fact_or_unknown(features, playbook.attributes, name)


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


@kept_with
def contacts(playbook: Playbook) -> Bools:
    """Which treatments are contacts; shape (T,)."""
    return which(playbook, lambda treatment: treatment.kind == "contact")


def which(playbook: Playbook, test: Callable[[Treatment], bool]) -> Bools:
    """For which treatments something is so; shape (T,)."""
    return np.array([test(treatment) for treatment in playbook.treatments], dtype=bool)
