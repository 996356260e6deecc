"""What binds everybody who wants a contact, the engine and people alike."""

from __future__ import annotations

from collections.abc import Collection

from api.decider import LiveDecision
from engine.explanation import Objection, why_not
from engine.playbook import Playbook


class NotAllowedError(Exception):
    """Rules keep away what a person wants to do; `objections` in funnel order."""

    def __init__(self, objections: tuple[Objection, ...]) -> None:
        super().__init__(objections[0].rule)
        self.objections = objections


EVERY_CONTACT = frozenset({"consent", "limit", "suppression", "resting", "repeat", "at_most", "stopped"})
"""Kinds of rules that bind a contact however people came to it: whether and how often an account may be
contacted. Whether it suits the account, and whose turn it is, they may have judged already."""


def require_allowed(
    live: LiveDecision, treatment: str, playbook: Playbook, *, spared: tuple[str, ...] = (),
    asked: Collection[str] | None = None,
) -> None:  # fmt: skip
    """Raises NotAllowedError where a rule objects; how much something is worth is for people to judge.

    Args:
        spared: Kinds of rules that do not hold her back.
        asked: The only kinds that may; None = all.
    """
    index = live.decisions.treatments.index(treatment)
    kept = (
        (each, each.rule.partition(":")[0])
        for each in why_not(live.decisions, live.row, index, playbook) if each.stage != "arbitration"
    )  # fmt: skip
    against = tuple(each for each, kind in kept if kind not in spared and (asked is None or kind in asked))
    if against:
        raise NotAllowedError(against)
