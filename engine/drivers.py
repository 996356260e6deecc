"""Features in groups that people understand: each column of a model's row belongs to one driver.

One place to add: a driver here, its sentence in `engine.sentences`. A new statistic is named by a driver, or
the test of the registry fails.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from engine.facts import SCOPES, Group, definitions, treatment_names
from engine.features import FeatureSet

GENERAL = "general"
"""What the treatment is: its channel, topic, costs ... - how it works for everybody."""
PROFILE = "profile"
"""What the account is: a driver of its own for each column of accounts, as profile:segment."""

_CONTACT: tuple[str, ...] = ("outbound", "days_since", "days_until")
_INBOUND: tuple[str, ...] = ("inbound", "days_since_inbound")
_ANSWER: tuple[str, ...] = ("responses", "response_rate", "days_since_response")


@dataclass(frozen=True)
class Driver:
    """Some features that one sentence tells.

    Attributes:
        code: Of its reason.
        group: Of the features.
        statistics: Of the features, the counting one first.
        since: The statistic that says when it was last; "" = none.
        window_days: Quoted where no single window stands out.
        scoped: Whether its facts name a scope (outbound_any_30d) or not (outcomes_30d).
    """

    code: str
    group: Group
    statistics: tuple[str, ...]
    since: str = ""
    window_days: int = 90
    scoped: bool = True


DRIVERS: tuple[Driver, ...] = (
    Driver("topic_interest", "topic", _INBOUND, "days_since_inbound"),
    Driver("channel_interest", "channel", _INBOUND, "days_since_inbound"),
    Driver("activity", "account", _INBOUND, "days_since_inbound"),
    Driver("last_contact", "channel", _CONTACT, "days_since"),
    Driver("contacts", "account", (*_CONTACT, "planned_any"), "days_since"),
    Driver("topic_contacts", "topic", _CONTACT, "days_since"),
    Driver("repetition", "message", _CONTACT, "days_since"),
    Driver("response_history", "channel", _ANSWER, window_days=365),
    Driver("responses", "account", _ANSWER, window_days=365),
    Driver("topic_responses", "topic", _ANSWER, window_days=365),
    Driver("message_responses", "message", _ANSWER, window_days=365),
    Driver("purchases", "account", ("outcomes", "outcome_value", "days_since_outcome"), "days_since_outcome",
           365, scoped=False),
    Driver("optouts", "account", ("optouts",), window_days=365, scoped=False),
)  # fmt: skip
"""All but the profile, which has a driver for each attribute, and what the treatment is."""


@dataclass(frozen=True)
class Column:
    """Where one feature belongs: the code of its driver, and its window if it has one."""

    driver: str
    window_days: int | None = None


def columns_of(features: FeatureSet) -> tuple[Column, ...]:
    """The driver of every column, in the order of `features.names`."""
    return _columns(features.names, tuple(attribute.name for attribute in features.attributes))


@lru_cache(maxsize=16)
def _columns(names: tuple[str, ...], attributes: tuple[str, ...]) -> tuple[Column, ...]:
    known = {name: Column(GENERAL) for name in treatment_names()}
    known |= {name: Column(f"{PROFILE}:{name}") for name in attributes}
    for group in SCOPES:
        for definition in definitions(group):
            known[definition.name] = Column(_driver(group, definition.statistic), definition.window_days)
    return tuple(known[name] for name in names)


def _driver(group: Group, statistic: str) -> str:
    for driver in DRIVERS:
        if driver.group == group and statistic in driver.statistics:
            return driver.code
    raise KeyError(f"The statistic {statistic!r} over {group} belongs to no driver of engine.drivers.")
