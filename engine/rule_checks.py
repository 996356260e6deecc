"""Checks of what a playbook's conditions can do: rules that never act, rules behind others, unknown facts.

Proved by trying every kind of account there can be (`engine.condition_cells`); what cannot be proved so is
not reported here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import combinations

import numpy as np

from engine.condition_cells import Cells, cells_of, nullable, words_compared
from engine.conditions import Condition, near
from engine.facts import TWIN_FACTS, Attribute
from engine.findings import Finding, Severity, check_kind, listed
from engine.playbook import Playbook, Policy
from engine.records import Bools
from engine.rules import STAGES


def _removes(policy: Policy, cells: Cells) -> Bools:
    """Where a policy objects: as `engine.policies.engagement_policies` has it."""
    removes: Bools = (cells.truth(policy.applies) != 0) & (cells.truth(policy.when) != 1)
    return removes


@check_kind(
    rule_never_removes=("warning", "A policy that removes nothing from anybody, whatever the facts."),
    rule_removes_everything=("error", "A policy that leaves no account any contact, whatever the facts."),
    treatment_always_removed=("error", "A policy removes the treatment from every account."),
)
def policies_without_effect(playbook: Playbook, _: int) -> Iterator[Finding]:
    """Policies that never or always remove."""
    contacts = np.array([t.kind == "contact" for t in playbook.treatments[1:]], dtype=np.bool_)
    for policy in playbook.policies:
        cells = cells_of(playbook, (policy.when, policy.applies))
        if cells is None:
            continue
        where, removed = f"policies.{policy.id}", _removes(policy, cells)
        always = removed.all(axis=0) & contacts
        if not removed.any():
            yield Finding("rule_never_removes", "warning", where, "It never removes anything.",
                          "Correct its condition, or leave the rule out.")  # fmt: skip
        elif contacts.any() and always[contacts].all():
            yield Finding("rule_removes_everything", "error", where,
                          "It removes every contact from every account.",
                          "Correct its condition; nobody would be contacted.")  # fmt: skip
        elif always.any():
            names = [t.id for t, gone in zip(cells.treatments, always, strict=True) if gone]
            yield Finding("treatment_always_removed", "error", where,
                          f"It removes {listed(names)} from every account.",
                          "Correct the rule, or leave the treatments out.")  # fmt: skip


@check_kind(
    rule_shadowed=("warning", "A policy that removes only what a policy before it has removed already."),
)
def shadowed_policies(playbook: Playbook, _: int) -> Iterator[Finding]:
    """A policy behind another, in the order of the funnel."""
    ordered = sorted(playbook.policies, key=lambda policy: (STAGES.index(policy.stage), policy.id))
    told: set[str] = set()
    for earlier, later in combinations(ordered, 2):
        cells = cells_of(playbook, (earlier.when, earlier.applies, later.when, later.applies))
        if cells is None or later.id in told:
            continue
        first, second = _removes(earlier, cells), _removes(later, cells)
        if second.any() and not (second & ~first).any():
            told.add(later.id)
            yield Finding("rule_shadowed", "warning", f"policies.{later.id}",
                          f"All that it removes, policies.{earlier.id} has removed already.",
                          "Leave it out, or say what it is to remove besides.")  # fmt: skip


@check_kind(
    condition_never_holds=("warning", "A weight, minimum or hand-over whose condition can never hold."),
)
def conditions_that_never_hold(playbook: Playbook, _: int) -> Iterator[Finding]:
    """What waits for something that cannot be."""
    for where, when, applies in _other_conditions(playbook):
        cells = cells_of(playbook, (when, applies))
        if cells is not None and not ((cells.truth(when) == 1) & (cells.truth(applies) == 1)).any():
            yield Finding("condition_never_holds", "warning", where, "Its condition can never hold.",
                          "Correct the condition, or leave it out.")  # fmt: skip


@check_kind(
    stage_unreachable=("error", "A stage of the journey in which no account can be."),
)
def unreachable_stages(playbook: Playbook, _: int) -> Iterator[Finding]:
    """The furthest stage whose condition holds is the account's: another may always stand further."""
    stages = playbook.journey.stages
    cells = cells_of(playbook, [stage.when for stage in stages]) if stages else None
    if cells is None:
        return
    taken = np.zeros(cells.shape, dtype=np.bool_)
    for stage in reversed(stages):
        holds = cells.truth(stage.when) == 1
        if not (holds & ~taken).any():
            why = "a later stage always holds where it does" if holds.any() else "its condition cannot hold"
            yield Finding("stage_unreachable", "error", f"journey.{stage.id}",
                          f"No account is ever in it: {why}.",
                          "Correct the stages' conditions.")  # fmt: skip
        taken = taken | holds


@check_kind(
    unknown_removes=("warning", "A policy removes where a fact is not known that often is not, such as the "
                                "days since a contact that never was."),
    unknown_attribute_removes=("note", "A policy removes where a column of accounts is empty, or no "
                                         "night has looked for twins yet."),
)  # fmt: skip
def facts_that_are_unknown(playbook: Playbook, _: int) -> Iterator[Finding]:
    """Unknown is not satisfied: a rule on days since the last visit keeps away whoever never had one."""
    attributes = {*(attribute.name for attribute in playbook.attributes), *TWIN_FACTS}
    for policy in playbook.policies:
        cells = cells_of(playbook, (policy.when, policy.applies))
        names = [] if cells is None else _removing_unknown(policy, cells, playbook)
        for code, severity, of in _by_source(names, attributes):
            yield Finding(code, severity, f"policies.{policy.id}",
                          f"Where {listed(of)} is not known, it removes.",
                          f"Write what is meant: or {of[0]} is null; and {of[0]} is not null.")  # fmt: skip


def _by_source(names: list[str], attributes: set[str]) -> Iterator[tuple[str, Severity, list[str]]]:
    counted, columns = [n for n in names if n not in attributes], [n for n in names if n in attributes]
    if counted:
        yield "unknown_removes", "warning", counted
    if columns:
        yield "unknown_attribute_removes", "note", columns


def _removing_unknown(policy: Policy, cells: Cells, playbook: Playbook) -> list[str]:
    """Facts of which it is enough that they are unknown, all others known, for the policy to remove.

    Days since what never was are as many as can be: where so many days remove as well, it is meant.
    """
    when, applies = cells.truth(policy.when), cells.truth(policy.applies)
    removes = _removes(policy, cells) & ((when == -1) | (applies == -1))
    names = list(cells.columns)
    found = []
    for name in names:
        others = [cells.unknown(other) for other in names if other != name]
        alone = cells.unknown(name) & ~np.any([np.zeros(cells.shape, dtype=np.bool_), *others], axis=0)
        meant = name.startswith("days_") and _removes(policy, cells.with_most_days(name))
        if nullable(name, playbook) and (removes & alone & ~np.asarray(meant)).any():
            found.append(name)
    return found


def _other_conditions(playbook: Playbook) -> Iterator[tuple[str, Condition, Condition | None]]:
    for weight in playbook.context_weights:
        yield f"context_weights.{weight.id}", weight.when, weight.applies
    for minimum in playbook.minimums:
        yield f"minimums.{minimum.id}", minimum.when, minimum.applies
    for rule in playbook.hand_overs:
        yield f"hand_overs.{rule.id}", rule.qualified_when, None


LEVEL_OF_NOBODY = "level_of_nobody"


def levels_of_nobody(
    playbook: Playbook, attributes: Iterable[Attribute], left_out: Mapping[str, str]
) -> Iterator[Finding]:
    """Texts that rules ask of an attribute and no account has: as far as that goes, they never hold.

    Args:
        attributes: Columns of the accounts that are facts, with their levels.
        left_out: The other columns of theirs, with the reason.
    """
    levels = {each.name: each.levels or () for each in attributes}
    declared = {each.name for each in playbook.attributes}
    asked = dict[tuple[str, str], dict[str, None]]()
    for where, condition in _conditions(playbook):
        for name, level in words_compared(condition):
            if name in declared and level not in levels.get(name, ()):
                # Of a column that no rule can read no level is known: one finding is enough.
                asked.setdefault((name, level if name in levels else ""), {})[where] = None
    for (name, level), (first, *others) in asked.items():
        also = f" Also in {listed(others)}." if others else ""
        says, do = (
            (f"No account has the {name} {level!r}{near(level, levels[name]) or '.'}{also}",
             "Write it as the accounts have it; if it is still to come, leave it.")
            if name in levels else
            (f"No rule can read {name}: {left_out.get(name, 'accounts have no such column')}.{also}",
             "Load it with the accounts, or leave it out of the rules.")
        )  # fmt: skip
        yield Finding(LEVEL_OF_NOBODY, "warning", first, says, do)


def _conditions(playbook: Playbook) -> Iterator[tuple[str, Condition]]:
    """Every condition of a playbook, and where it stands."""
    own = ((f"policies.{policy.id}", policy.when, policy.applies) for policy in playbook.policies)
    stages = ((f"journey.{stage.id}", stage.when, None) for stage in playbook.journey.stages)
    for where, when, applies in (*own, *_other_conditions(playbook), *stages):
        yield from ((where, each) for each in (when, applies) if each is not None)
