"""Why, why not: codes and numbers first, then words.

A reason is stored as code and facts, so that its sentence can be said in any language and can age
("just now", "this morning"); `words` says it at a moment.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engine.decide import Decisions
from engine.playbook import Playbook


@dataclass(frozen=True)
class Reason:
    """One reason of a suggestion.

    Attributes:
        code: Stable name of the kind of reason ("read_topic", "last_contact", "expected_value" ...).
        facts: The numbers and ids that it quotes; times as microseconds UTC; JSON values only.
        amount: What it adds to the priority in currency, where that is known.
    """

    code: str
    facts: Mapping[str, str | float | int | None]
    amount: float | None = None


@dataclass(frozen=True)
class Objection:
    """One rule that removed a treatment, with the facts it read."""

    rule: str
    stage: str
    unknown: bool
    facts: Mapping[str, str | float | int | None]


def why(decisions: Decisions, account: int, treatment: int, playbook: Playbook) -> tuple[Reason, ...]:
    """Reasons for a treatment that was placed, the strongest first. At least one."""
    raise NotImplementedError


def why_not(decisions: Decisions, account: int, treatment: int, playbook: Playbook) -> tuple[Objection, ...]:
    """Every objection to a treatment, in funnel order; when no rule objects, one Objection of stage
    "arbitration" that says by how much its priority was below what was placed (or below no contact)."""
    raise NotImplementedError


def words(reason: Reason, *, language: str, now: int, playbook: Playbook) -> str:
    """The reason as a sentence at that moment."""
    raise NotImplementedError


def objection_words(objection: Objection, *, language: str, now: int, playbook: Playbook) -> str:
    """The objection as a sentence."""
    raise NotImplementedError


def headline(treatment_id: str, reasons: tuple[Reason, ...], *, name: str, language: str, now: int,
             playbook: Playbook) -> str:  # fmt: skip
    """The suggestion's text with {name} and {when} filled in, aged to `now`."""
    raise NotImplementedError
