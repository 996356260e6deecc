"""Before a playbook is published: everything in it that is probably not meant, worst first."""

from __future__ import annotations

import engine.rule_checks
import engine.treatment_checks  # noqa: F401 - these two register their checks
from engine.findings import CHECK_KINDS, SEVERITIES, Finding
from engine.playbook import Playbook

__all__ = ["CHECK_KINDS", "check_playbook"]


def check_playbook(playbook: Playbook, as_of: int) -> list[Finding]:
    """What all checks find, errors first, then by where.

    Args:
        as_of: Microseconds UTC: for approvals and validity that end.
    """
    found = [each for kind in CHECK_KINDS.values() for each in kind.check(playbook, as_of)]
    return sorted(found, key=lambda each: (SEVERITIES.index(each.severity), each.where, each.code))
