"""What can be known of an account: the definition of every feature, and the names and types that follow.

One place to add a feature: an entry of `STATISTICS`. Names are derived, so a rule, a model's column and
the documentation cannot disagree:

    {statistic}_{scope}[_{window}d]      outbound_visit_30d, days_since_inbound_side_effects

A rule may name any scope of its playbook (a channel, a topic, any) and the candidate's own scopes
(same_channel, same_topic, same_treatment); a model's row has "any" and the candidate's own.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

WINDOWS_DAYS: tuple[int, ...] = (7, 30, 90, 365)


@dataclass(frozen=True)
class Fact:
    """The type of a fact. `levels` None = a number (flags are 0 and 1); else text, with the levels known so far."""

    name: str
    levels: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Attribute:
    """A column of `accounts` that is a feature. `levels` None = number or flag; else text, levels sorted."""

    name: str
    levels: tuple[str, ...] | None = None


def fact_types(
    channels: Iterable[str], topics: Iterable[str], attributes: Iterable[Attribute]
) -> dict[str, Fact]:
    """Every fact that a condition may name, with its type."""
    raise NotImplementedError
