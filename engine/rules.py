"""What a rule is: its verdict, what it quotes, and the registry of kinds of rules.

One place to add a kind of rule: a function decorated with `rule_kind` (in `engine.policies`,
`engine.stage_rules` or `engine.contact_rules`), and its sentence in `engine.sentences`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from engine.conditions import Condition, FactColumn, Truth
from engine.features import Features, FeatureSet, assembler, fact_or_unknown
from engine.playbook import Playbook, Treatment
from engine.programs import BOTH, Program, Register
from engine.records import Bools, kept_with
from engine.rule_steps import Steps

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


@cache
def rule(code: str, stage: str) -> Rule:
    """The rule of that id: the same object every time."""
    return Rule(code, stage)


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

    @cached_property
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


class Saying(NamedTuple):
    """One rule and the step that says of each pair whether it objects (see `engine.rule_steps`)."""

    rule: Rule
    objects: Register


Says = Callable[[Steps, Playbook], Iterator[Saying]]
Quote = Callable[[Features, Playbook, str, int, int], Quoted]


@dataclass(frozen=True)
class RuleKind:
    """A kind of rule.

    Attributes:
        says: Gives the last step of each rule of the kind.
        quote: Facts that the rule read: (features, playbook, own part of the id, account, treatment).
    """

    says: Says
    quote: Quote


RULE_KINDS: dict[str, RuleKind] = {}
"""By the id of a rule, or the part of its rules' ids before the colon; names its sentence too."""


def rule_kind(code: str, quote: Quote) -> Callable[[Says], Says]:
    """Register a function as a kind of rule."""

    def register(says: Says) -> Says:
        RULE_KINDS[code] = RuleKind(says, quote)
        return says

    return register


def quote_rule(features: Features, playbook: Playbook, rule: Rule, account: int, treatment: int) -> Quoted:
    """The facts that a rule read for one pair (indices of moment and treatment)."""
    own = rule.id.partition(":")[2]
    return RULE_KINDS[rule.kind].quote(features, playbook, own, account, treatment)


class Conditional(Protocol):
    """A rule of the playbook that holds where it applies and what it asks for is so."""

    @property
    def when(self) -> Condition:
        """What is asked for."""

    @property
    def applies(self) -> Condition | None:
        """To whom it applies; None = to all."""


def program_of(features: FeatureSet, playbook: Playbook, rules: Sequence[Conditional]) -> Program:
    """One result per rule: whether it applies and what it asks for is so.

    Worked out once for a playbook: whoever judges keeps it with both.
    """
    code = assembler(features, playbook.attributes, fact_names(c for r in rules for c in (r.applies, r.when)))
    always = code.always(True)
    return code.program(
        [
            code.step(
                BOTH, always if r.applies is None else r.applies.tree.emit(code), r.when.tree.emit(code)
            )
            for r in rules
        ]
    )


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


def fact_of(
    features: Features, playbook: Playbook, name: str, account: int, treatment: int
) -> str | float | None:
    """One pair's value of a fact as a number or text; None = not known, as what the playbook declares and the
    store lacks."""
    if name not in features.set.sources and any(name == each.name for each in playbook.attributes):
        return None
    return features.value(name, account, treatment)


@kept_with
def contacts(playbook: Playbook) -> Bools:
    """Which treatments are contacts; shape (T,)."""
    return which(playbook, lambda treatment: treatment.kind == "contact")


def which(playbook: Playbook, test: Callable[[Treatment], bool]) -> Bools:
    """For which treatments something is so; shape (T,)."""
    return np.array([test(treatment) for treatment in playbook.treatments], dtype=bool)
