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

from collections.abc import Mapping
from dataclasses import dataclass

from engine.conditions import FactColumn
from engine.facts import Attribute
from engine.playbook import Playbook
from engine.records import Floats, History, Moments


@dataclass(frozen=True)
class FeatureSet:
    """Which features there are, in which order, for these channels, topics, treatments and attributes.

    Attributes:
        account: Names of the account group (attributes included), in column order.
        channel, topic, message: Names of the groups account x channel, x topic, x treatment.
        treatment: Names of the treatment group (channel, topic, issue, grp, role, cost, minutes ...).
        levels: Feature name -> levels, for those that are codes.
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

    @classmethod
    def of(cls, playbook: Playbook, attributes: tuple[Attribute, ...]) -> FeatureSet:
        """The features under that playbook for accounts with these attributes."""
        raise NotImplementedError

    @property
    def names(self) -> tuple[str, ...]:
        """All columns of a model's row, in order: account, channel, topic, message, treatment."""
        return self.account + self.channel + self.topic + self.message + self.treatment


@dataclass(frozen=True)
class Features:
    """What is known at some moments, in groups; NaN (codes: -1) = not known. Float64 throughout.

    Attributes:
        account: Shape (n, A).
        channel: Shape (n, C, F): row per channel of the set.
        topic: Shape (n, P, F).
        message: Shape (n, T, F).
        treatment: Shape (T, F); does not depend on the account.
        consent: Shape (n, C, 2): permission by channel for purpose marketing, service: 1 opt-in,
            0 none recorded, -1 opt-out. Contact-level opt-outs count for the account.
        web_behaviour: Shape (n,): the same for the use of web behaviour.
        has_role: Shape (n, R): whether somebody serves the account in the playbook's role r.
        limits: Shape (n, len(contact_limits)): contacts that count against each limit at that moment.
        tracked: Shape (n, len(suppressions), T): days since the pause of (suppression, treatment) began;
            NaN = no pause has been triggered.
        snoozed: Shape (n, T): whether a snooze or cool-down of feedback on the treatment still lasts.
    """

    set: FeatureSet
    moments: Moments
    account: Floats
    channel: Floats
    topic: Floats
    message: Floats
    treatment: Floats
    consent: Floats
    web_behaviour: Floats
    has_role: Floats
    limits: Floats
    tracked: Floats
    snoozed: Floats

    def row_matrix(self, treatment_index: Floats) -> Floats:
        """One model row per moment for the treatment given for each; shape (n, len(set.names))."""
        raise NotImplementedError

    def fact(self, name: str) -> FactColumn:
        """A fact over (n, T), broadcastable: (n, 1), (n, T) or (1, T). Raises KeyError."""
        raise NotImplementedError


def features_as_of(
    history: History, moments: Moments, *, playbook: Playbook, features: FeatureSet
) -> Features:
    """What was known of each account at its moment. Row i depends on the facts of account i alone."""
    raise NotImplementedError
