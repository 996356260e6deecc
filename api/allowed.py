"""What binds everybody who wants a contact, the engine and people alike."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from api.consent import ended_in, purpose_of
from api.decider import LiveDecision
from engine.explanation import Objection, why_not
from engine.playbook import Playbook, Treatment


class NotAllowedError(Exception):
    """Rules keep away what a person wants to do; `objections` in funnel order."""

    def __init__(self, objections: tuple[Objection, ...]) -> None:
        super().__init__(objections[0].rule)
        self.objections = objections


EVERY_CONTACT = frozenset({"consent", "limit", "suppression", "resting", "repeat", "at_most", "stopped"})
"""Kinds of rules that bind a contact however people came to it: whether and how often an account may be
contacted. Whether it suits the account, and whose turn it is, they may have judged already."""


OF_ANY_CONTACT = frozenset({"consent", "limit", "resting", "stopped"})
"""Those of them that do not depend on what is said at the contact."""


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


def require_channel_allowed(live: LiveDecision, plan: Mapping[str, Any], playbook: Playbook) -> None:
    """Of a planned contact that says no treatment: what keeps away everything that is like it, keeps it away
    too. Raises NotAllowedError.

    Args:
        plan: A touchpoint: channel, topic, role.
    """
    found = [_objections(live, each, playbook) for each in _alike(plan, playbook)]
    common = set.intersection(*({each.rule for each in against} for against in found)) if found else set()
    against = tuple(each for each in found[0] if each.rule in common) if found else ()
    purpose = purpose_of(plan, playbook)
    if not against and (plan["channel"], purpose) in ended_in(live.decisions, live.row, playbook):
        facts = {"channel": plan["channel"], "purpose": purpose, "permission": -1}
        against = (Objection("consent", "consent", unknown=False, facts=facts),)
    if against:
        raise NotAllowedError(against)


def _alike(plan: Mapping[str, Any], playbook: Playbook) -> list[Treatment]:
    """Contacts that come nearest to it: of its channel, role and topic, or fewer of these."""
    contacts = [treatment for treatment in playbook.treatments if treatment.kind == "contact"]
    for names in (("channel", "role", "topic"), ("channel", "role"), ("channel", "topic"), ("channel",)):
        if alike := [t for t in contacts if all(getattr(t, name) == plan[name] for name in names)]:
            return alike
    return contacts


def _objections(live: LiveDecision, treatment: Treatment, playbook: Playbook) -> tuple[Objection, ...]:
    index = live.decisions.treatments.index(treatment.id)
    found = why_not(live.decisions, live.row, index, playbook)
    return tuple(each for each in found if each.rule.partition(":")[0] in OF_ANY_CONTACT)
