"""What can be known of an account: the definition of every feature, and the names and types that follow.

One place to add a feature: an entry of `STATISTICS`. Names are derived, so a rule, a model's column and
the documentation cannot disagree:

    {statistic}_{scope}[_{window}d]      outbound_visit_30d, days_since_inbound_side_effects

A rule may name any scope of its playbook (a channel, a topic, any) and the candidate's own scopes
(same_channel, same_topic, same_treatment); a model's row has "any" and the candidate's own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Literal

from engine.records import EngineError

WINDOWS_DAYS: tuple[int, ...] = (7, 30, 90, 365)

Group = Literal["account", "channel", "topic", "message", "treatment", "journey", "twins"]
"""What a column depends on: the account; account x channel, x topic, x treatment; the treatment alone; the
account's stage."""

SCOPES: Mapping[Group, str] = {
    "account": "any", "channel": "same_channel", "topic": "same_topic", "message": "same_treatment",
}  # fmt: skip
"""The scope that a model's row names for each group. No channel or topic may have such an id."""

TREATMENT_FACTS: Mapping[str, str] = {
    "channel": "treatment_channel",
    "topic": "treatment_topic",
    "issue": "treatment_issue",
    "action_group": "treatment_action_group",
    "action": "treatment_action",
    "role": "treatment_role",
    "treatment": "treatment_id",
    "purpose": "treatment_purpose",
    "kind": "treatment_kind",
    "cost": "treatment_cost",
    "minutes": "treatment_minutes",
}
"""Fact of a candidate, as a rule names it -> column of the treatment group, in column order. What a
treatment does not have (its topic, the channel of "none") is the text "", which is known, not unknown."""

NUMERIC_TREATMENT_FACTS: frozenset[str] = frozenset({"cost", "minutes"})

STAGE_FACTS: tuple[str, ...] = ("stage", "stage_owner", "stage_number")
"""Facts of an account under a playbook with a journey: id of the stage, its leading owner, its place from 1.
They follow from the other facts, so a model's row does not have them."""

OWNS_STAGE = "owns_stage"
"""Fact of a candidate under a playbook with a journey: whether its role owns the account's stage."""


TWIN_FACTS: Mapping[str, str] = {
    "twins_found": "Similar accounts that buy much more; 0 = nothing is claimed.",
    "unrealised_value": "What they buy beyond the account, in currency a year; 0 = nothing is claimed.",
    "unrealised_low": "Lower end of its interval.",
    "unrealised_high": "Upper end of its interval.",
    "twins_worked": "Similar accounts on which the approach worked that worked best.",
    "twins_tried": "Similar accounts on which it was tried.",
    "twins_step_1": "First step of that approach, a channel or a group.",
    "twins_step_2": "Second step; the text '' where it has none.",
    "twins_step_3": "Third step; the text '' where it has none.",
}
"""Facts of an account under a playbook that looks for twins, as the last night found them; unknown before the
first. No model's row has them: they follow from what others buy, and are for rules, weights and reasons."""

TWIN_STEPS: tuple[str, ...] = ("twins_step_1", "twins_step_2", "twins_step_3")


class FactError(EngineError):
    """Two facts would have the same name."""


@dataclass(frozen=True)
class Statistic:
    """The definition of a feature of the touchpoints or outcomes of an account.

    Attributes:
        name: First part of the name of its facts.
        groups: For which scopes it exists; () = it has no scope and belongs to the account.
        windows_days: Looks back so many days, one fact for each; () = over all that is known.
        unit: Of its values.
        meaning: One line for the documentation; {w} stands for the window, {s} for the scope.
    """

    name: str
    groups: tuple[Group, ...]
    windows_days: tuple[int, ...]
    unit: Literal["count", "days", "share", "currency"]
    meaning: str


_ALL: tuple[Group, ...] = ("account", "channel", "topic", "message")
_NO_MESSAGE: tuple[Group, ...] = ("account", "channel", "topic")

STATISTICS: tuple[Statistic, ...] = (
    Statistic("outbound", _ALL, WINDOWS_DAYS, "count",
              "Contacts by us that were done in the last {w} days."),
    Statistic("inbound", _NO_MESSAGE, WINDOWS_DAYS, "count",
              "Touchpoints that the account began in the last {w} days."),
    Statistic("days_since", _ALL, (), "days",
              "Since our last contact that was done; unknown if there was none."),
    Statistic("days_since_inbound", _NO_MESSAGE, (), "days",
              "Since the account last turned to us; unknown if it never did."),
    Statistic("days_until", _NO_MESSAGE, (), "days",
              "Until our next planned contact; unknown if none is planned."),
    Statistic("responses", _ALL, (90, 365), "count",
              "Contacts by us in the last {w} days that have a positive response."),
    Statistic("days_since_response", _ALL, (), "days",
              "Since the latest positive response to a contact by us; unknown if there was none."),
    Statistic("response_rate", _ALL, (365,), "share",
              "Share of our contacts in the last {w} days with a positive response; unknown without any."),
    Statistic("outcomes", (), (30, 90, 365), "count",
              "Outcomes in the last {w} days."),
    Statistic("outcome_value", (), (30, 90, 365), "currency",
              "What the outcomes of the last {w} days were worth."),
    Statistic("days_since_outcome", (), (), "days",
              "Since the last outcome; unknown if there was none."),
    Statistic("optouts", (), (365,), "count",
              "Opt-outs in the last {w} days: preferences withdrawn, unsubscribed, complained."),
    Statistic("planned_any", (), (), "count",
              "Contacts by us that are planned ahead."),
)  # fmt: skip


@dataclass(frozen=True)
class FeatureDefinition:
    """One column of a group: a statistic over one window (None = over all that is known)."""

    name: str
    statistic: str
    window_days: int | None


@dataclass(frozen=True)
class Fact:
    """The type of a fact. `levels` None = a number (flags are 0 and 1); else text, with the levels known
    so far (() = text whose levels are not declared)."""

    name: str
    levels: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Attribute:
    """A column of `accounts` that is a feature. `levels` None = number or flag; else text, levels sorted."""

    name: str
    levels: tuple[str, ...] | None = None


@dataclass(frozen=True)
class FactSource:
    """Where the values of a fact stand.

    Attributes:
        group: The group of columns.
        column: The column of that group, as a model's row names it.
        member: The channel or topic whose row is meant; "" = the account's, or the candidate's own.
    """

    group: Group
    column: str
    member: str = ""


def fact_name(statistic: str, scope: str, window_days: int | None) -> str:
    """The name of a fact; scope "" = the statistic has none."""
    window = "" if window_days is None else f"{window_days}d"
    return "_".join(part for part in (statistic, scope, window) if part)


@cache
def definitions(group: Group) -> tuple[FeatureDefinition, ...]:
    """The statistics of a group in column order; () for the treatment group, which has none."""
    return tuple(
        FeatureDefinition(fact_name(statistic.name, scope, window), statistic.name, window)
        for statistic in STATISTICS
        for scope in _scopes(statistic, group)
        for window in statistic.windows_days or (None,)
    )


def _scopes(statistic: Statistic, group: Group) -> tuple[str, ...]:
    if not statistic.groups:
        return ("",) if group == "account" else ()
    return (SCOPES[group],) if group in statistic.groups else ()


def account_names(attributes: Iterable[Attribute]) -> tuple[str, ...]:
    """Columns of the account group: statistics over any channel, then the attributes as given."""
    return tuple(d.name for d in definitions("account")) + tuple(a.name for a in attributes)


def channel_names() -> tuple[str, ...]:
    """Columns of account x channel."""
    return tuple(d.name for d in definitions("channel"))


def topic_names() -> tuple[str, ...]:
    """Columns of account x topic."""
    return tuple(d.name for d in definitions("topic"))


def message_names() -> tuple[str, ...]:
    """Columns of account x treatment."""
    return tuple(d.name for d in definitions("message"))


def treatment_names() -> tuple[str, ...]:
    """Columns of the treatment group."""
    return tuple(TREATMENT_FACTS.values())


def fact_sources(
    channels: Iterable[str],
    topics: Iterable[str],
    attributes: Iterable[Attribute],
    *,
    journey: bool = False,
    twins: bool = False,
) -> dict[str, FactSource]:
    """Where each fact that a condition may name stands among the groups; `journey`: whether there are stages,
    `twins`: whether twins are looked for.

    Raises FactError: two facts would have the same name, for example of a channel and a topic with one id.
    """
    sources: dict[str, FactSource] = {}
    meant: dict[str, str] = {}
    named = list(_named_sources(tuple(channels), tuple(topics), tuple(attributes)))
    for fact in (*STAGE_FACTS, OWNS_STAGE) if journey else ():
        named.append((fact, FactSource("journey", fact), "one of the journey"))
    for fact in TWIN_FACTS if twins else ():
        named.append((fact, FactSource("twins", fact), "one of twins"))
    for name, source, meaning in named:
        if name in sources:
            raise FactError(
                f"The fact {name!r} would mean two things: {meant[name]} and {meaning}. Rename one."
            )
        sources[name], meant[name] = source, meaning
    return sources


def _named_sources(
    channels: tuple[str, ...], topics: tuple[str, ...], attributes: tuple[Attribute, ...]
) -> Iterator[tuple[str, FactSource, str]]:
    members: dict[Group, tuple[str, ...]] = {"channel": channels, "topic": topics}
    for group in SCOPES:
        for definition in definitions(group):
            yield definition.name, FactSource(group, definition.name), "a built-in one"
            for member in members.get(group, ()):
                name = fact_name(definition.statistic, member, definition.window_days)
                yield name, FactSource(group, definition.name, member), f"one of {group} {member!r}"
    for fact, column in TREATMENT_FACTS.items():
        yield fact, FactSource("treatment", column), "a built-in one"
    for attribute in attributes:
        yield (
            attribute.name,
            FactSource("account", attribute.name),
            f"the column {attribute.name!r} of accounts",
        )


def fact_types(
    channels: Iterable[str],
    topics: Iterable[str],
    attributes: Iterable[Attribute],
    *,
    taxonomy: Mapping[str, Iterable[str]] | None = None,
) -> dict[str, Fact]:
    """Every fact that a condition may name, with its type.

    Args:
        channels: Ids of the playbook.
        topics: Ids of the playbook.
        attributes: Columns of `accounts` that conditions may name.
        taxonomy: The texts that role, issue, action_group, action, treatment, purpose and kind may have;
            one that is not given has no declared levels. With `stage` the facts of the journey exist,
            with `twins_step` those of twins.

    Raises:
        FactError: Two facts would have the same name.
    """
    channels, topics, attributes = tuple(channels), tuple(topics), tuple(attributes)
    known = {"channel": channels, "topic": topics} | {k: tuple(v) for k, v in (taxonomy or {}).items()}
    levels: dict[str, tuple[str, ...] | None] = {a.name: a.levels for a in attributes}
    for fact in TREATMENT_FACTS:
        levels[fact] = None if fact in NUMERIC_TREATMENT_FACTS else _with_blank(known.get(fact, ()))
    stages = known.get("stage", ())
    if stages:
        levels |= {"stage": stages, "stage_owner": known.get("stage_owner", ())}
    steps = known.get("twins_step", ())
    levels |= dict.fromkeys(TWIN_STEPS, ("", *steps))
    sources = fact_sources(channels, topics, attributes, journey=bool(stages), twins=bool(steps))
    return {name: Fact(name, levels.get(name)) for name in sources}


def _with_blank(levels: tuple[str, ...]) -> tuple[str, ...]:
    return ("", *levels) if levels else ()
