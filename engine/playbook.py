"""What may be done, by whom, through which channel, worth what, under which policies.

A playbook is one TOML text that a marketer and a lawyer can read. `parse_playbook` turns it into the types
below or says in one line what is wrong and what is near it. Everything is checked here, then trusted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from engine.conditions import Condition, ConditionError, near, parse_condition
from engine.dismissals import DISMISSALS, Dismissal, read_dismissals
from engine.experiments import Experiment, read_experiment
from engine.facts import Attribute, Fact, FactError, fact_types
from engine.journey import HandOverRule, Journey, Team, owner_roles, read_hand_overs, read_journey, read_teams
from engine.learning_settings import (
    Fairness,
    GateSettings,
    read_fairness,
    read_gate,
    read_immature,
    read_refused,
)
from engine.plan_settings import Minimum, PlanSettings, Quota, read_plan, read_quotas
from engine.playbook_parts import (
    Channel,
    ContactLimit,
    ContextWeight,
    Policy,
    Purpose,
    Role,
    Scope,
    Stage,
    Suppression,
    Texts,
    Topic,
    Track,
    Treatment,
)
from engine.playbook_rules import (
    Calendar,
    Equivalent,
    Repeat,
    action_repeats,
    calendars,
    check_exploration,
    check_levers,
    check_once,
    check_sides,
    check_span,
    check_walls,
    equivalents,
    followed,
    horizons,
    scope_condition,
    taxonomy,
)
from engine.playbook_text import PlaybookError, Tables, read_tables
from engine.records import NO_CONTACT
from engine.service_levels import ServiceLevel, read_service_levels
from engine.shared_answers import SharedAnswer, read_answers
from engine.twin_settings import TwinSettings, read_twins, step_ids

__all__ = [
    "Channel", "ContactLimit", "ContextWeight", "Equivalent", "Playbook", "PlaybookError", "Policy",
    "Purpose", "Repeat", "Role", "Scope", "Stage", "Suppression", "Texts", "Topic", "Track", "Treatment",
    "parse_playbook",
]  # fmt: skip


@dataclass(frozen=True)
class Playbook:
    """Everything that a decision needs besides facts and scores. Treatments: "none" first, then by id.

    Attributes:
        version: Hash of the text (16 hex digits): two playbooks with the same version decide the same.
        horizon_days: Within which outcomes are counted, by issue; key "" = all other issues.
        outcome_worth: Kind of outcome -> what one unit of its value is worth in currency.
        levers: (kind, id) -> lever in percent; kind is "issue", "group" or "action"; added, 1 + sum/100.
        exploration_share: Share of accounts a day given a random eligible treatment, in [0, 1).
        places: How many suggestions an account has at most.
        per_person_per_day: How many a person's list shows at most.
        optout_loss: What an opt-out loses, in currency.
        followed: Role -> starting P(followed), at least the floor.
        priority: "value" (caused value in money) or "leaders" (propensity x weight x value x lever).
        web_behaviour_needs_consent: Whether web behaviour is used only with its own permission.
        attributes: Columns of `accounts` that conditions may name; accounts that lack them: unknown.
        journey: The stages of the funnel, and how strictly their owners are kept to.
        hand_overs: When an account is handed over by rule.
        service_levels: Role -> how soon it acts on what it is handed.
        safety_role: Role to which reported side effects go; "" = none.
        action_repeats: How often an action may be repeated, whatever the channel.
        equivalents: Contacts that are the same to the account, whichever role makes them.
        topic_held_days: While a person deals with a topic, and so many days after, automated messages on it
            are held back; 0 = they are not.
        medical_question_days: How long a question on a medical topic stays open without an answer.
        calendars: Working days and holidays by country.
        valid_from, valid_until: Microseconds UTC between which the playbook contacts anybody; None = open.
        twins: How similar accounts that buy more are looked for; None = they are not.
        twin_steps: What a step of an approach may be called: channels or groups of treatments.
        plan: How people's days are planned; None = they are not.
        quotas: Contacts through a channel in one plan, over all accounts; one per channel, by channel.
        minimums: Contacts that are due, and what meeting them is worth.
        exploration: "uniform" (the greedy treatment, and a share at random) or "thompson" (also by draws of
            what may be true, so that uncertain treatments get their chance).
        posterior_draws: How many such draws a decision counts.
        own_override: Whether colleagues may suggest what a policy removes, if they say why.
        undo_seconds: For how long people may take back what they did.
        dismissals: Reason of a dismissal -> what it does.
        answers: The shared collection of answers to questions and objections.
        experiment: The standing test; None = there is none.
        starting_uncertainty: Standard error of a starting value, as a share of it.
        gate: What a new release must keep to be put in use.
        fairness: How alike the categories of attributes must be contacted, by issue.
        refused: Attributes of accounts that are no features.
        immature: Occasions whose outcomes are not all known yet are left out of learning ("leave_out") or
            weighted ("weight").
        columns: Column of accounts or field of a form -> what people call it.
        column_values: The same -> value -> what people call that.
    """

    id: str
    version: str
    title: Texts
    currency: str
    languages: tuple[str, ...]
    horizon_days: Mapping[str, float]
    outcome_worth: Mapping[str, float]
    channels: tuple[Channel, ...]
    roles: tuple[Role, ...]
    topics: tuple[Topic, ...]
    treatments: tuple[Treatment, ...]
    policies: tuple[Policy, ...]
    contact_limits: tuple[ContactLimit, ...]
    suppressions: tuple[Suppression, ...]
    context_weights: tuple[ContextWeight, ...]
    levers: Mapping[tuple[str, str], float]
    exploration_share: float
    places: int
    per_person_per_day: int
    optout_loss: float
    followed: Mapping[str, float]
    followed_floor: float
    priority: Literal["value", "leaders"]
    salt: str
    default_timezone: str
    web_behaviour_needs_consent: bool
    attributes: tuple[Attribute, ...]
    teams: tuple[Team, ...] = ()
    journey: Journey = field(default_factory=Journey)
    hand_overs: tuple[HandOverRule, ...] = ()
    service_levels: Mapping[str, ServiceLevel] = field(default_factory=dict)
    safety_role: str = ""
    action_repeats: tuple[Repeat, ...] = ()
    equivalents: tuple[Equivalent, ...] = ()
    topic_held_days: float = 0.0
    medical_question_days: float = 30.0
    calendars: tuple[Calendar, ...] = ()
    valid_from: int | None = None
    valid_until: int | None = None
    twins: TwinSettings | None = None
    twin_steps: tuple[str, ...] = ()
    plan: PlanSettings | None = None
    quotas: tuple[Quota, ...] = ()
    minimums: tuple[Minimum, ...] = ()
    exploration: Literal["uniform", "thompson"] = "uniform"
    posterior_draws: int = 64
    starting_uncertainty: float = 1.0
    own_override: bool = False
    undo_seconds: float = 120.0
    dismissals: Mapping[str, Dismissal] = field(default_factory=lambda: DISMISSALS)
    answers: tuple[SharedAnswer, ...] = ()
    experiment: Experiment | None = None
    gate: GateSettings = field(default_factory=GateSettings)
    fairness: tuple[Fairness, ...] = (Fairness(),)
    refused: tuple[str, ...] = ()
    immature: str = "leave_out"
    columns: Mapping[str, Texts] = field(default_factory=dict)
    column_values: Mapping[str, Mapping[str, Texts]] = field(default_factory=dict)

    @cached_property
    def repeats(self) -> tuple[Repeat, ...]:
        """How often treatments, then actions, may be repeated; those without a limit are left out."""
        own = (Repeat("treatment", t.id, t.repeat_after_days, t.at_most) for t in self.treatments)
        return (*(r for r in own if r.after_days is not None or r.at_most is not None), *self.action_repeats)

    def treatment(self, treatment_id: str) -> Treatment:
        """Raises PlaybookError naming what is near."""
        for treatment in self.treatments:
            if treatment.id == treatment_id:
                return treatment
        known = [treatment.id for treatment in self.treatments]
        raise PlaybookError(
            f"The playbook has no treatment {treatment_id!r}{near(treatment_id, known) or '.'}"
        )

    def horizon(self, issue: str) -> float:
        """Days within which outcomes of that issue are counted."""
        return self.horizon_days.get(issue, self.horizon_days[""])


def parse_playbook(text: str) -> Playbook:
    """Read a playbook. Raises PlaybookError (one line) for anything unknown, missing or contradictory.

    Conditions are parsed and typed here against the facts of the playbook (`engine.facts.fact_types`)
    and the attributes it declares.
    """
    tables = read_tables(text)
    of = tables.sections
    check_walls(tables)
    check_sides(tables)
    check_span(tables.top, "")
    attributes = tuple(Attribute(name, levels) for name, levels in tables.top["attributes"].items())
    check_levers(tables)
    check_exploration(tables)
    rules, teams = _Rules(_facts(tables, attributes), tables), read_teams(tables)
    return Playbook(
        version=tables.version,
        horizon_days=horizons(tables),
        outcome_worth=tables.top["outcomes"],
        channels=tuple(Channel(id=key, **table) for key, table in of["channels"].items()),
        roles=tuple(_role(key, role) for key, role in of["roles"].items()),
        topics=tuple(_topic(key, topic, teams) for key, topic in of["topics"].items()),
        treatments=(_no_contact(), *(_treatment(key, tables) for key in of["treatments"])),
        policies=tuple(Policy(id=key, **table) for key, table in rules.read("policies")),
        contact_limits=tuple(ContactLimit(id=key, **table) for key, table in of["contact_limits"].items()),
        suppressions=tuple(Suppression(id=key, **table) for key, table in of["suppressions"].items()),
        context_weights=(
            *(ContextWeight(id=key, **table) for key, table in rules.read("context_weights")),
            *_owner_weight(tables, rules),
        ),
        teams=teams,
        journey=read_journey(tables, teams, rules.condition, attributes),
        hand_overs=read_hand_overs(tables, rules.condition, attributes),
        service_levels=read_service_levels(tables),
        followed=followed(tables),
        attributes=attributes,
        action_repeats=action_repeats(tables),
        equivalents=equivalents(tables),
        calendars=calendars(tables),
        twins=read_twins(tables),
        twin_steps=step_ids(tables),
        plan=read_plan(tables),
        quotas=read_quotas(tables),
        dismissals=read_dismissals(tables),
        answers=read_answers(tables),
        experiment=read_experiment(tables),
        gate=read_gate(tables),
        fairness=read_fairness(tables),
        refused=read_refused(tables),
        immature=read_immature(tables),
        columns={key: table["name"] for key, table in of["columns"].items() if table["name"]},
        column_values={key: table["values"] for key, table in of["columns"].items()},
        minimums=tuple(Minimum(id=key, **table) for key, table in rules.read("minimums")),
        **(_without(tables.top, *_READ_APART) | {"title": _title(tables.top)}),
    )


_READ_APART = ("outcomes", "horizon_days", "attributes", "stage_owner", "other_owner_weight")


def _topic(key: str, table: Mapping[str, Any], teams: tuple[Team, ...]) -> Topic:
    return Topic(id=key, **(dict(table) | {"owners": owner_roles(table["owners"], teams)}))


def _owner_weight(tables: Tables, rules: _Rules) -> Iterator[ContextWeight]:
    """With "prefer", what is for others than the owners of the stage counts less."""
    if tables.sections["journey"] and tables.top["stage_owner"] == "prefer":
        others = rules.condition("owns_stage = 0 and kind = 'contact'", "stage_owner")
        yield ContextWeight("stage_owner", others, None, tables.top["other_owner_weight"])


def _without(table: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in table.items() if name not in names}


def _title(top: Mapping[str, Any]) -> Texts:
    return top["title"] or dict.fromkeys(top["languages"], top["id"])


def _role(key: str, table: Mapping[str, Any]) -> Role:
    sees = tuple(sorted({key, *table["sees"]}))
    return Role(id=key, **(_without(table, "followed") | {"sees": sees}))


def _no_contact() -> Treatment:
    return Treatment(
        id=NO_CONTACT, kind="none", channel="", role="", issue="", group="", action=NO_CONTACT, topic="",
        purpose="service", value=0.0, starting_uplift=0.0, cost=0.0, minutes=0.0, validity_days=1.0,
        approval="", approved_until=None, text={}, note={},
    )  # fmt: skip


def _treatment(key: str, tables: Tables) -> Treatment:
    table, where = dict(tables.sections["treatments"][key]), f"treatments.{key}"
    if key == NO_CONTACT:
        raise PlaybookError(f"{where}: {NO_CONTACT!r} always exists and is not declared.")
    groups = tables.sections["issues"][table["issue"]]["groups"]
    if table["group"] not in groups:
        known = f"{table['issue']!r}; it has {', '.join(groups)}"
        raise PlaybookError(f"{where}.group: {table['group']!r} is no group of issue {known}.")
    check_once(key, table)
    if table["kind"] == "stop":
        return _stop(key, table, where)
    return _contact(key, table, tables, where)


def _stop(key: str, table: dict[str, Any], where: str) -> Treatment:
    if not table["stops"]:
        raise PlaybookError(f'{where}.stops: missing. Say what it ends, such as ["email:marketing"].')
    # What is stopped costs nothing more; a person's minutes for confirming it may be given.
    given = {"cost": 0.0, "minutes": 0.0, "starting_uplift": 1.0}
    return Treatment(id=key, **(table | {k: v for k, v in given.items() if table[k] is None}))


def _contact(key: str, table: dict[str, Any], tables: Tables, where: str) -> Treatment:
    channel, role = tables.sections["channels"][table["channel"]], tables.sections["roles"][table["role"]]
    if table["stops"]:
        raise PlaybookError(f'{where}.stops: only a treatment of kind = "stop" ends something.')
    if table["days"] is not None:
        raise PlaybookError(f'{where}.days: only a treatment of kind = "stop" lets the account rest.')
    if table["starting_uplift"] is None:
        raise PlaybookError(
            f"{where}.starting_uplift: missing. A contact needs a starting value, such as 0.02."
        )
    if channel["automated"] != role["system"]:
        who, need = (
            ("automated", "a system role") if channel["automated"] else ("not automated", "a person's role")
        )
        raise PlaybookError(f"{where}.role: channel {table['channel']!r} is {who}, so {need} carries it out.")
    own = {name: channel[name] if table[name] is None else table[name] for name in ("cost", "minutes")}
    return Treatment(id=key, **(table | own))


def _facts(tables: Tables, attributes: tuple[Attribute, ...]) -> dict[str, Fact]:
    channels, topics = tables.sections["channels"], tables.sections["topics"]
    try:
        return fact_types(channels, topics, attributes, taxonomy=taxonomy(tables))
    except FactError as error:
        raise PlaybookError(str(error)) from None


@dataclass(frozen=True)
class _Rules:
    """Reads the conditions of a rule's table against the facts of the playbook."""

    facts: Mapping[str, Fact]
    tables: Tables

    def read(self, section: str) -> Iterator[tuple[str, dict[str, Any]]]:
        for key, table in self.tables.sections[section].items():
            where = f"{section}.{key}"
            rule = dict(table) | {"when": self.condition(table["when"], f"{where}.when")}
            yield key, _without(rule, "for") | {"applies": self.applies(table, where)}

    def applies(self, table: Mapping[str, Any], where: str) -> Condition | None:
        """Whom a rule is about: `for` and `applies` both hold where both are given."""
        own, scopes = table["applies"], table["for"]
        given = None if own is None else self.condition(own, f"{where}.applies")
        if not scopes:
            return given
        short = self.condition(scope_condition(scopes, f"{where}.for"), f"{where}.for")
        if given is None:
            return short
        return self.condition(f"({short.text}) AND ({given.text})", where)

    def condition(self, text: str, where: str) -> Condition:
        try:
            return parse_condition(text, self.facts, where=where)
        except ConditionError as error:
            raise PlaybookError(str(error)) from None
