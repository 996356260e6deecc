"""What a check of a playbook finds, and the registry of checks.

One place to add a check: a function decorated with `check_kind` (in `engine.rule_checks` or
`engine.treatment_checks`), with the codes that it may give; docs/checks.md has a row for each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from engine.playbook import Playbook

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")
_NAMED = 4


@dataclass(frozen=True)
class Finding:
    """Something in a playbook that is probably not meant.

    Attributes:
        code: Stable, for programs.
        where: Section and id, such as "policies.rested".
        says: One sentence.
        do: What to do about it.
    """

    code: str
    severity: Severity
    where: str
    says: str
    do: str


Check = Callable[[Playbook, int], Iterator[Finding]]
"""From a playbook and a moment (microseconds UTC) to what is found."""


@dataclass(frozen=True)
class CheckKind:
    """A registered check. `codes`: code -> (severity, meaning), as the documentation has them."""

    check: Check
    codes: Mapping[str, tuple[Severity, str]]


CHECK_KINDS: dict[str, CheckKind] = {}
"""Name of the function -> check, in the order of registration."""


def check_kind(**codes: tuple[Severity, str]) -> Callable[[Check], Check]:
    """Register a check with the codes of its findings."""

    def register(check: Check) -> Check:
        CHECK_KINDS[check.__name__] = CheckKind(check, codes)
        return check

    return register


def listed(names: Sequence[str]) -> str:
    """Some names for a sentence: 'a', 'b', 'c', 'd' and 3 more."""
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(f"{name!r}" for name in names[:_NAMED]) + more
