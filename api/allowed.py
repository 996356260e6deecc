"""What binds everybody who wants a contact, the engine and people alike."""

from __future__ import annotations

from api.decider import LiveDecision
from engine.explanation import Objection, why_not
from engine.playbook import Playbook


class NotAllowedError(Exception):
    """Rules keep away what a person wants to do; `objections` in funnel order."""

    def __init__(self, objections: tuple[Objection, ...]) -> None:
        super().__init__(objections[0].rule)
        self.objections = objections


def require_allowed(
    live: LiveDecision, treatment: str, playbook: Playbook, *, spared: tuple[str, ...] = ()
) -> None:
    """Raises NotAllowedError where a rule objects; how much something is worth is for people to judge.

    Args:
        spared: Kinds of rules that do not hold her back.
    """
    index = live.decisions.treatments.index(treatment)
    against = tuple(
        each for each in why_not(live.decisions, live.row, index, playbook)
        if each.stage != "arbitration" and each.rule.partition(":")[0] not in spared
    )  # fmt: skip
    if against:
        raise NotAllowedError(against)
