"""features_as_of: THE feature path. Two callers: `decide` and the builder of training cases.

Known at t: occurred strictly before t and stored strictly before t (and not superseded or deleted by a
version stored before t). A planned touchpoint occurs when it is stored: its date may lie ahead.

Features are kept in groups so that a forest over accounts x treatments can be scored without repeating the
account's part: account (n, A), account x channel (n, C, F), account x topic (n, P, F), account x treatment
(n, T, F) and treatment (T, F). Their names are derived from their definitions:

    {statistic}_{scope}[_{window}d]      outbound_visit_30d, days_since_inbound_side_effects
    scope in a model's row or a rule:    any, same_channel, same_topic, same_treatment
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import polars as pl

from engine import gates, kernels, programs
from engine.arms import arms_at
from engine.conditions import FactColumn
from engine.contract import TIME
from engine.encoding import encode_history
from engine.facts import (
    NUMERIC_TREATMENT_FACTS,
    OWNS_STAGE,
    STAGE_FACTS,
    TREATMENT_FACTS,
    TWIN_FACTS,
    TWIN_STEPS,
    Attribute,
    FactSource,
    account_names,
    channel_names,
    fact_sources,
    message_names,
    topic_names,
    treatment_names,
)  # fmt: skip
from engine.gates import Gated, GatePlaces, gate_places
from engine.playbook import Playbook, Treatment
from engine.programs import Assembler, Columns, Program, Source, Truth, run
from engine.records import EngineError, Floats, History, Ints, Moments, kept_for
from engine.sweep import sweep
from engine.timing import first_moments
from engine.twin_facts import twin_facts

UNKNOWN_CODE = -1.0


@dataclass(frozen=True)
class Layout:
    """Where facts stand among an account's features laid side by side: account, channels, topics, treatments.

    Attributes:
        names: Those that a rule uses; {column}:{treatment} for what each treatment has of its own.
        columns: The column of the group that each is, as a model's row names it.
        places: Position of each; shape (len(names),).
    """

    names: tuple[str, ...]
    columns: tuple[str, ...]
    places: Ints


@dataclass(frozen=True)
class FeatureSet:
    """Which features there are, in which order, for these channels, topics, treatments and attributes.

    Attributes:
        account: Names of the account group (attributes included), in column order.
        channel, topic, message: Names of the groups account x channel, x topic, x treatment.
        treatment: Names of the treatment group (channel, topic, issue, group, role, cost, minutes ...).
        levels: Feature name -> levels, for those that are codes.
        channel_of, topic_of: Place of each treatment's channel and topic, -1 = it has none; shape (T,).
        owned: Whether each treatment's role owns each stage of the journey, the last row for no known stage;
            shape (stages + 1, T), or (0, 0) without a journey.
        journey: Names of the facts of the account's stage; () without a journey.
        twins: Names of the facts of its twins; () where none are looked for.
    """

    channels: tuple[str, ...]
    topics: tuple[str, ...]
    treatments: tuple[str, ...]
    attributes: tuple[Attribute, ...]
    account: tuple[str, ...]
    channel: tuple[str, ...]
    topic: tuple[str, ...]
    message: tuple[str, ...]
    treatment: tuple[str, ...]
    levels: Mapping[str, tuple[str, ...]]
    channel_of: Ints = field(compare=False)
    topic_of: Ints = field(compare=False)
    owned: Floats = field(compare=False)
    journey: tuple[str, ...] = ()
    twins: tuple[str, ...] = ()

    @classmethod
    def of(cls, playbook: Playbook, attributes: tuple[Attribute, ...]) -> FeatureSet:
        """The features under that playbook for accounts with these attributes, without those it refuses."""
        attributes = tuple(each for each in attributes if each.name not in playbook.refused)
        channels = tuple(channel.id for channel in playbook.channels)
        topics = tuple(topic.id for topic in playbook.topics)
        texts = {
            TREATMENT_FACTS[name]: tuple(sorted({"", *map(str, values)}))
            for name, values in _candidate_facts(playbook.treatments).items()
            if name not in NUMERIC_TREATMENT_FACTS
        }
        return cls(
            channels,
            topics,
            tuple(treatment.id for treatment in playbook.treatments),
            attributes,
            account_names(attributes),
            channel_names(),
            topic_names(),
            message_names(),
            treatment_names(),
            {a.name: a.levels for a in attributes if a.levels is not None}
            | texts
            | _stage_levels(playbook)
            | dict.fromkeys(TWIN_STEPS if playbook.twins else (), ("", *playbook.twin_steps)),
            _places(channels, [treatment.channel for treatment in playbook.treatments]),
            _places(topics, [treatment.topic for treatment in playbook.treatments]),
            playbook.journey.owned([treatment.role for treatment in playbook.treatments]),
            STAGE_FACTS if playbook.journey.stages else (),
            tuple(TWIN_FACTS) if playbook.twins else (),
        )

    @cached_property
    def names(self) -> tuple[str, ...]:
        """All columns of a model's row, in order: account, channel, topic, message, treatment."""
        return self.account + self.channel + self.topic + self.message + self.treatment

    @cached_property
    def every(self) -> Ints:
        """Places of all treatments; shape (T,)."""
        return np.arange(len(self.treatments))

    @cached_property
    def layout(self) -> Layout:
        """Every fact that is not the candidate's alone, by name and place; see `Features.known`."""
        rows = list(_placed(self))
        return Layout(
            tuple(name for name, _, _ in rows),
            tuple(column for _, column, _ in rows),
            np.array([place for _, _, place in rows], dtype=np.int64),
        )

    @cached_property
    def sources(self) -> Mapping[str, FactSource]:
        """Where each fact that a rule may name stands among the groups."""
        return fact_sources(self.channels, self.topics, self.attributes, journey=bool(self.journey),
                            twins=bool(self.twins))  # fmt: skip

    @cached_property
    def steps(self) -> Mapping[str, Source]:
        """How a program, or `Features.value`, reads each of them."""
        return {name: _source(self, name) for name in self.sources}


@dataclass(frozen=True)
class Features(Gated):
    """What is known at some moments, in groups; NaN = not known, codes included. Float64 throughout.

    Attributes:
        account: Shape (n, A).
        channel: Shape (n, C, F): row per channel of the set.
        topic: Shape (n, P, F).
        message: Shape (n, T, F).
        treatment: Shape (T, F); does not depend on the account.
        journey: Shape (n, len(set.journey)): stage, its leading owner and its place; NaN = no stage is known.
        twins: Shape (n, len(set.twins)): what the last night found of similar accounts; NaN = no night did.
        gates: Shape (n, G): what only rules read, side by side; `Gated` has a property for each.
        places: Where each gate stands.
    """

    set: FeatureSet
    moments: Moments
    account: Floats
    channel: Floats
    topic: Floats
    message: Floats
    treatment: Floats
    journey: Floats
    twins: Floats
    gates: Floats
    places: GatePlaces

    def row_matrix(self, treatment_index: Ints, moments: Ints | None = None) -> Floats:
        """One model row per moment for the treatment given for each; shape (n, len(set.names)).

        What a treatment does not have - the channel of "none", the topic of a congress - is NaN. `moments`
        are the places of those asked for, a treatment each; default all.
        """
        chosen = np.asarray(treatment_index, dtype=np.int64)
        rows = np.arange(len(self.moments)) if moments is None else np.asarray(moments, dtype=np.int64)
        return np.concatenate(
            [
                self.account[rows],
                _own(self.channel, rows, self.set.channel_of[chosen]),
                _own(self.topic, rows, self.set.topic_of[chosen]),
                self.message[rows, chosen],
                self.treatment[chosen],
            ],
            axis=1,
        )

    def fact(self, name: str) -> FactColumn:
        """A fact over (n, T), broadcastable: (n, 1), (n, T) or (1, T). Raises KeyError."""
        source = self.set.sources[name]
        values = self._column(source)
        levels = self.set.levels.get(source.column)
        if levels is None:
            return FactColumn(values)
        return FactColumn(np.where(np.isnan(values), UNKNOWN_CODE, values), levels)

    def value(self, name: str, moment: int, treatment: int) -> str | float | None:
        """A fact of one pair, a code as its level; None = not known. Raises KeyError."""
        source = self.set.steps[name]
        number = self._read(source, moment, treatment)
        if source.levels is None:
            return None if math.isnan(number) else number
        return source.levels[int(number)] if 0.0 <= number < len(source.levels) else None

    def truths(self, program: Program) -> Truth:
        """What a program of `assembler` says of each pair; shape (K, n, T)."""
        groups = (
            self.account, self.channel, self.topic, self.message, self.treatment, self.journey, self.twins,
        )  # fmt: skip
        return run(program, _columns(self.set, groups, self.gates))

    def known(self) -> pl.DataFrame:
        """Everything that was known at each moment, by name: what a decision keeps of its facts.

        Columns: account_id, as_of, every fact of the account, its channels and topics under the name that a
        rule uses, and for each treatment its own facts as {column}:{treatment}. Codes are written as their
        level. NaN and null = not known.
        """
        layout = self.set.layout
        values = self.flat(slice(None))[:, layout.places]
        return pl.DataFrame(
            [
                pl.Series("account_id", self.moments.account_ids, dtype=pl.String),
                pl.Series("as_of", self.moments.as_of).cast(TIME),
                *(
                    _named(name, values[:, place], self.set.levels.get(column))
                    for place, (name, column) in enumerate(zip(layout.names, layout.columns, strict=True))
                ),
            ]
        )

    def flat(self, rows: slice) -> Floats:
        """The groups of some moments side by side, as `FeatureSet.layout` counts them; shape (rows, all)."""
        blocks = (self.account, self.channel, self.topic, self.message, self.journey, self.twins)
        return np.concatenate([block[rows].reshape(len(block[rows]), -1) for block in blocks], axis=1)

    def _column(self, source: FactSource) -> Floats:
        if source.column == OWNS_STAGE:
            return self._owns_stage()
        column = getattr(self.set, source.group).index(source.column)
        if source.group in ("account", "journey", "twins"):
            block: Floats = getattr(self, source.group)
            return block[:, column : column + 1]
        if source.group == "treatment":
            return self.treatment[None, :, column]
        if source.group == "message":
            return self.message[:, :, column]
        if source.group == "channel":
            return _member(self.channel[:, :, column], self.set.channels, self.set.channel_of, source.member)
        return _member(self.topic[:, :, column], self.set.topics, self.set.topic_of, source.member)

    def _read(self, source: Source, moment: int, treatment: int) -> float:
        step, column, member, found = source.step, source.column, source.member, math.nan
        if step == programs.TREATMENT:
            found = self.treatment[treatment, column]
        elif step == programs.MESSAGE:
            found = self.message[moment, treatment, column]
        elif step == programs.OWNED:
            stage = self.journey[moment, column]
            found = self.set.owned[-1 if math.isnan(stage) else int(stage), treatment]
        elif step in {programs.CHANNEL, programs.TOPIC}:
            of_channel = step == programs.CHANNEL
            if member < 0:
                member = (self.set.channel_of if of_channel else self.set.topic_of)[treatment]
            if member >= 0:
                found = (self.channel if of_channel else self.topic)[moment, member, column]
        else:
            found = getattr(self, _ONE_ROW[step])[moment, column]
        return float(found)

    def _owns_stage(self) -> Floats:
        stage = self.journey[:, self.set.journey.index("stage")]
        unknown = len(self.set.owned) - 1
        return self.set.owned[np.where(np.isnan(stage), unknown, stage).astype(np.int64)]


def features_as_of(
    history: History, moments: Moments, *, playbook: Playbook, features: FeatureSet
) -> Features:
    """What was known of each account at its moment. Row i depends on the facts of account i alone.

    Args:
        history: Facts of at least these accounts; of an account it does not have, nothing is known.
        moments: For whom and as of when; shape (n,).
        playbook: Channels, topics, treatments, limits and suppressions that facts are counted by.
        features: `FeatureSet.of` that playbook.

    Raises:
        EngineError: The features are those of another playbook.
    """
    candidates = _candidates(features, playbook)
    facts = encode_history(history, moments.account_ids, playbook, features.attributes)
    codes = {account: code for code, account in enumerate(facts.accounts)}
    asked = kernels.Questions(
        np.array([codes[account] for account in moments.account_ids], dtype=np.int64),
        np.array(moments.as_of, dtype=np.int64),
    )
    known = sweep(asked, facts, playbook)
    groups = (known.account, known.channel, known.topic, known.message, candidates)
    twins, places, versions = _twins(history, moments, features), gate_places(playbook), facts.attributes
    found, first = known.gates, places.first
    found[:, first[gates.ARM]] = arms_at(history, moments, playbook)
    found[:, first[gates.NOT_BEFORE] : first[gates.NOT_BEFORE + 1]] = first_moments(
        playbook, asked.at, versions.place[known.version], versions.places
    )
    if moments.stops:
        found[:, first[gates.STOPPED] :] = gates.stopped(moments.stops, playbook)
    journey = _journey(features, playbook, (*groups, np.zeros((len(moments), 0)), twins), found)
    return Features(features, moments, *groups, journey, twins, found, places)


def fact_or_unknown(features: Features, attributes: Iterable[Attribute], name: str) -> FactColumn:
    """A fact over (n, T), broadcastable; one that the playbook declares and the store lacks is unknown."""
    if name in features.set.sources:
        return features.fact(name)
    declared = next(attribute for attribute in attributes if attribute.name == name)
    return FactColumn(np.array([[np.nan if declared.levels is None else UNKNOWN_CODE]]), declared.levels)


def assembler(features: FeatureSet, attributes: Iterable[Attribute], names: Iterable[str]) -> Assembler:
    """For conditions that read these facts; one that the playbook declares and the store lacks is unknown."""
    declared = {attribute.name: attribute.levels for attribute in attributes}
    return Assembler({
        name: features.steps[name] if name in features.sources
        else Source(programs.CONSTANT, levels=declared[name]) for name in names
    })  # fmt: skip


_STEPS: Mapping[str, int] = {
    "account": programs.ACCOUNT, "channel": programs.CHANNEL, "topic": programs.TOPIC,
    "message": programs.MESSAGE, "treatment": programs.TREATMENT, "journey": programs.JOURNEY,
    "twins": programs.TWINS,
}  # fmt: skip


_ONE_ROW = {programs.ACCOUNT: "account", programs.JOURNEY: "journey", programs.TWINS: "twins"}
"""Groups that have a row for each moment."""


def _source(features: FeatureSet, name: str) -> Source:
    group, column, member = (source := features.sources[name]).group, source.column, -1
    if column == OWNS_STAGE:
        return Source(programs.OWNED, features.journey.index("stage"))
    if source.member:
        member = (features.channels if group == "channel" else features.topics).index(source.member)
    place = getattr(features, group).index(column)
    return Source(_STEPS[group], place, member, features.levels.get(column))


def _twins(history: History, moments: Moments, features: FeatureSet) -> Floats:
    if not features.twins:
        return np.zeros((len(moments), 0))
    return twin_facts(history, moments, features.levels)


def _journey(features: FeatureSet, playbook: Playbook, groups: _Groups, found: Floats) -> Floats:
    """The stage of each account by what is known of it at that moment alone; shape (n, 3), or (n, 0)."""
    if not features.journey:
        return np.zeros((len(groups[0]), 0))
    truths = run(_stage_program(features, playbook), _columns(features, groups, found))
    return playbook.journey.facts_at(truths)


_Groups = tuple[Floats, Floats, Floats, Floats, Floats, Floats, Floats]


def _columns(features: FeatureSet, groups: _Groups, gates: Floats) -> Columns:
    """The groups account, channel, topic, message, treatment, journey and twins as programs read them."""
    return Columns(*groups, features.owned, features.channel_of, features.topic_of, gates)


@kept_for
def _stage_program(features: FeatureSet, playbook: Playbook) -> Program:
    code = assembler(features, playbook.attributes, playbook.journey.facts_read())
    conditions = [stage.when for stage in playbook.journey.stages]
    return code.program([code.always(True) if c is None else c.tree.emit(code) for c in conditions])


def _stage_levels(playbook: Playbook) -> dict[str, tuple[str, ...]]:
    journey = playbook.journey
    return {"stage": journey.ids, "stage_owner": journey.owners} if journey.stages else {}


def _places(members: tuple[str, ...], named: list[str]) -> Ints:
    return np.array([members.index(name) if name in members else -1 for name in named], dtype=np.int64)


def _candidate_facts(treatments: tuple[Treatment, ...]) -> Mapping[str, list[str | float]]:
    """What a rule may say of a candidate, by name of the fact: one value per treatment."""
    named = {"treatment": "id", "action_group": "group"}
    return {fact: [getattr(t, named.get(fact, fact)) for t in treatments] for fact in TREATMENT_FACTS}


@kept_for
def _candidates(features: FeatureSet, playbook: Playbook) -> Floats:
    if features.treatments != tuple(treatment.id for treatment in playbook.treatments):
        raise EngineError(
            "The features belong to another playbook; make them with FeatureSet.of(playbook, ...)."
        )
    levels, treatments = features.levels, playbook.treatments
    columns = [
        [levels[column].index(str(value)) if column in levels else float(value) for value in values]
        for column, values in zip(
            TREATMENT_FACTS.values(), _candidate_facts(treatments).values(), strict=True
        )
    ]
    return np.array(columns, dtype=np.float64).T.copy()


def _placed(features: FeatureSet) -> Iterator[tuple[str, str, int]]:
    """Name, column and position of every fact that does not belong to the candidate alone."""
    of_channel = len(features.account)
    of_topic = of_channel + len(features.channels) * len(features.channel)
    of_message = of_topic + len(features.topics) * len(features.topic)
    for name, source in features.sources.items():
        column = source.column
        if source.group == "account":
            yield name, column, features.account.index(column)
        elif source.group == "channel" and source.member:
            member = features.channels.index(source.member)
            yield name, column, of_channel + member * len(features.channel) + features.channel.index(column)
        elif source.group == "topic" and source.member:
            member = features.topics.index(source.member)
            yield name, column, of_topic + member * len(features.topic) + features.topic.index(column)
    of_journey = of_message + len(features.treatments) * len(features.message)
    for place, column in enumerate(features.journey):
        yield column, column, of_journey + place
    for place, column in enumerate(features.twins):
        yield column, column, of_journey + len(features.journey) + place
    for place, column in enumerate(features.message):
        for member, treatment in enumerate(features.treatments[1:], start=1):
            yield f"{column}:{treatment}", column, of_message + member * len(features.message) + place


def _named(name: str, values: Floats, levels: tuple[str, ...] | None) -> pl.Series:
    """A column of facts, codes written as their level."""
    if levels is None:
        return pl.Series(name, values)
    places = np.where(np.isnan(values), len(levels), values).astype(np.int64)
    return pl.Series(name, (*levels, None), dtype=pl.String).gather(places)


def _own(block: Floats, rows: Ints, member: Ints) -> Floats:
    """Row i of the block for member[i], NaN where that is -1; shape (n, F)."""
    if not block.shape[1]:
        return np.full((len(rows), block.shape[2]), np.nan)
    return np.where(member[:, None] >= 0, block[rows, member], np.nan)


def _member(values: Floats, members: tuple[str, ...], own: Ints, member: str) -> Floats:
    """The column of one channel or topic, shape (n, 1); or that of each candidate's own, shape (n, T)."""
    if member:
        place = members.index(member)
        return values[:, place : place + 1]
    if not members:
        return np.full((len(values), len(own)), np.nan)
    return np.where(own[None, :] >= 0, values[:, own], np.nan)
