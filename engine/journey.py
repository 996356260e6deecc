"""The journey of an account: its stage in the funnel, who owns that stage, and when it is handed over.

A playbook names its own stages in order, each with a predicate over the facts of the account. The stage at a
moment is the furthest one whose predicate holds then. Nothing is remembered from one moment to the next: when
facts change or windows pass, an account goes back as well as forward.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np

from engine.conditions import Condition, Truth
from engine.facts import Attribute, fact_sources
from engine.numerics import compiled
from engine.playbook_text import PlaybookError, Tables
from engine.records import Floats

OwnerRule = Literal["strict", "prefer"]
Texts = Mapping[str, str]
ReadCondition = Callable[[str, str], Condition]


@dataclass(frozen=True)
class Team:
    """Roles that work together and own stages together."""

    id: str
    name: Texts
    roles: tuple[str, ...]


@dataclass(frozen=True)
class JourneyStage:
    """One stage of the funnel.

    Attributes:
        owners: Teams and roles as the playbook names them, the leading one first.
        roles: The roles of all owners: who may be suggested something in this stage.
        when: What must hold; None = always.
        content, tones: What a message may be like; () = anything.
    """

    id: str
    name: Texts
    owners: tuple[str, ...]
    roles: tuple[str, ...]
    when: Condition | None
    content: tuple[str, ...]
    tones: tuple[str, ...]


@dataclass(frozen=True)
class HandOverRule:
    """When an account is handed over without anybody asking: `qualified_when` holds.

    Attributes:
        by: Role in whose name it is handed over, and to which it returns when it is rejected.
        to: Role that gets it.
        again_days: Not handed over again by this rule within so many days.
        text: What qualified it, for people.
    """

    id: str
    qualified_when: Condition
    by: str
    to: str
    again_days: float
    text: Texts


@dataclass(frozen=True)
class Journey:
    """The stages of a playbook, first to last; () = it has none, and nothing is owned.

    Attributes:
        owner_rule: "strict" = a treatment of another role than the owner's is not suggested; "prefer" = it
            counts less (a context weight of the playbook).
    """

    stages: tuple[JourneyStage, ...] = ()
    owner_rule: OwnerRule = "strict"

    @property
    def ids(self) -> tuple[str, ...]:
        """Of the stages, first to last."""
        return tuple(stage.id for stage in self.stages)

    @cached_property
    def owners(self) -> tuple[str, ...]:
        """The leading owners, each once, sorted: the levels of the fact `stage_owner`."""
        return tuple(sorted({stage.owners[0] for stage in self.stages}))

    def facts_read(self) -> tuple[str, ...]:
        """Names of the facts that the predicates read, sorted."""
        return tuple(sorted({name for stage in self.stages if stage.when for name in stage.when.facts}))

    def facts_at(self, truths: Truth) -> Floats:
        """The facts of `engine.facts.STAGE_FACTS` of each moment: of the last stage whose predicate is known
        to hold, NaN where there is none; shape (n, 3).

        Args:
            truths: Of the stages' predicates, shape (stages, n, T); the same for all treatments.
        """
        facts = np.empty((truths.shape[1], self._facts.shape[1]))
        _facts_at(truths, self._facts, facts)
        return facts

    def facts_of(self, stage: Floats) -> Floats:
        """The facts of `engine.facts.STAGE_FACTS` for these places; shape (n, 3), NaN where it is unknown."""
        place = np.where(np.isnan(stage), len(self.stages), stage).astype(np.int64)
        return self._facts[place]

    @cached_property
    def _facts(self) -> Floats:
        """The facts of each stage, the last row for no known one; shape (stages + 1, 3)."""
        rows = [
            [float(place), float(self.owners.index(stage.owners[0])), place + 1.0]
            for place, stage in enumerate(self.stages)
        ]
        return np.array([*rows, [np.nan] * 3])

    def owned(self, roles: Sequence[str]) -> Floats:
        """Whether each role owns each stage: 1 or 0, in a last row NaN; shape (stages + 1, roles).

        No role ("") owns every stage: leaving an account alone is everybody's.
        """
        rows = [[float(role in ("", *stage.roles)) for role in roles] for stage in self.stages]
        return np.array([*rows, [np.nan] * len(rows[0])]) if rows else np.zeros((0, 0))


def read_teams(tables: Tables) -> tuple[Team, ...]:
    """The teams of a playbook. Raises PlaybookError for one that is called like a role or is empty."""
    for key, table in tables.sections["teams"].items():
        if key in tables.sections["roles"]:
            raise PlaybookError(f"teams.{key}: a role is called so too; a role is an owner without a team.")
        if not table["roles"]:
            raise PlaybookError(f"teams.{key}.roles: empty; name at least one role.")
    return tuple(Team(id=key, **table) for key, table in tables.sections["teams"].items())


def owner_roles(owners: Iterable[str], teams: Iterable[Team]) -> tuple[str, ...]:
    """The roles of teams and roles, each once, sorted."""
    of = {team.id: team.roles for team in teams}
    return tuple(sorted({role for owner in owners for role in of.get(owner, (owner,))}))


def read_journey(tables: Tables, teams: tuple[Team, ...], condition: ReadCondition,
                 attributes: tuple[Attribute, ...]) -> Journey:  # fmt: skip
    """The stages in the order of their positions.

    Args:
        condition: Parses a predicate: its text and where it stands.

    Raises:
        PlaybookError: Two stages have one position, a stage beyond the first has no predicate, a predicate
            reads a fact of the candidate, a stage has no owner.
    """
    ordered = sorted(tables.sections["journey"].items(), key=lambda entry: entry[1]["position"])
    at: dict[int, str] = {}
    for key, table in ordered:
        if (other := at.setdefault(table["position"], key)) != key:
            raise PlaybookError(f"journey.{key}.position: {table['position']} is the one of {other!r} too.")
        if not table["owners"]:
            raise PlaybookError(f"journey.{key}.owners: empty; name the team or role that owns the stage.")
        if table["when"] is None and key != ordered[0][0]:
            raise PlaybookError(f"journey.{key}.when: missing; only the first stage holds for everybody.")
    known = account_facts(tables, attributes)
    stages = tuple(
        JourneyStage(
            id=key,
            name=table["name"],
            owners=table["owners"],
            roles=owner_roles(table["owners"], teams),
            when=_account_condition(table["when"], f"journey.{key}.when", condition, known),
            content=table["content"],
            tones=table["tones"],
        )
        for key, table in ordered
    )
    _check_treatments(tables, stages)
    return Journey(stages, tables.top["stage_owner"])


def read_hand_overs(
    tables: Tables, condition: ReadCondition, attributes: tuple[Attribute, ...]
) -> tuple[HandOverRule, ...]:
    """The rules by which accounts are handed over. Raises PlaybookError."""
    known = account_facts(tables, attributes) | {"stage", "stage_owner", "stage_number"}
    rules = []
    for key, table in tables.sections["hand_overs"].items():
        where = f"hand_overs.{key}"
        if table["by"] == table["to"]:
            raise PlaybookError(f"{where}.to: {table['to']!r} would hand over to itself.")
        if tables.sections["roles"][table["to"]]["system"]:
            raise PlaybookError(f"{where}.to: {table['to']!r} is the system; a hand-over needs a person.")
        when = _account_condition(table["qualified_when"], f"{where}.qualified_when", condition, known)
        assert when is not None
        rules.append(HandOverRule(id=key, **(dict(table) | {"qualified_when": when})))
    return tuple(rules)


def account_facts(tables: Tables, attributes: tuple[Attribute, ...]) -> frozenset[str]:
    """Facts that are the account's whatever the candidate."""
    sources = fact_sources(tables.sections["channels"], tables.sections["topics"], attributes)
    return frozenset(n for n, source in sources.items() if source.group == "account" or source.member)


def _account_condition(
    text: str | None, where: str, condition: ReadCondition, known: frozenset[str] | set[str]
) -> Condition | None:
    if text is None:
        return None
    read = condition(text, where)
    for name in read.facts:
        if name not in known:
            what = "the stage itself" if name.startswith("stage") else "a candidate"
            raise PlaybookError(f"{where}: {name!r} is a fact of {what}; name facts of the account alone.")
    return read


def _check_treatments(tables: Tables, stages: tuple[JourneyStage, ...]) -> None:
    """What fits no stage would never be suggested."""
    for key, table in tables.sections["treatments"].items():
        for setting, allowed in (("content", _any_of(stages, "content")), ("tone", _any_of(stages, "tones"))):
            kind: Any = table[setting]
            if kind and allowed is not None and kind not in allowed:
                raise PlaybookError(
                    f"treatments.{key}.{setting}: no stage of the journey allows {kind!r};"
                    f" known: {', '.join(sorted(allowed))}."
                )


def _any_of(stages: tuple[JourneyStage, ...], what: str) -> set[str] | None:
    """Everything that some stage allows; None = a stage allows anything, or there is none."""
    allowed = [getattr(stage, what) for stage in stages]
    return {kind for kinds in allowed for kind in kinds} if allowed and all(allowed) else None


@compiled
def _facts_at(truths: Truth, of_stage: Floats, facts: Floats) -> None:
    """Fill the facts of each moment from those of stages, the last row for none."""
    for i in range(facts.shape[0]):
        place = truths.shape[0]
        for stage in range(truths.shape[0]):
            if truths[stage, i, 0] == 1:
                place = stage
        for j in range(facts.shape[1]):
            facts[i, j] = of_stage[place, j]
