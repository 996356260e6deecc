"""What may be done, by whom, through which channel, worth what, under which policies.

A playbook is one TOML text that a marketer and a lawyer can read. `parse_playbook` turns it into the types
below or says in one line what is wrong and what is near it. Everything is checked here, then trusted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from engine.conditions import Condition
from engine.facts import Attribute
from engine.records import EngineError

Stage = Literal["eligibility", "applicability", "suitability"]
Purpose = Literal["marketing", "service"]
Texts = Mapping[str, str]
"""Language (ISO 639-1) -> text."""


class PlaybookError(EngineError):
    """The playbook says something that cannot be; names the place, what was got and what is near it."""


@dataclass(frozen=True)
class Channel:
    """A way to an account.

    Attributes:
        cost: Of one contact, in the playbook's currency.
        minutes: Of a person's time for one contact.
        outbound: Whether we can use it towards the account (a website is only visited).
        automated: Whether the system dispatches it, without a person.
        needs_opt_in: Whether contact without a recorded permission is forbidden (e-mail) or only contact
            after an opt-out (visit).
        fatigue: Added probability of an opt-out by one more contact, a starting value; no unit.
    """

    id: str
    name: Texts
    cost: float = 0.0
    minutes: float = 0.0
    outbound: bool = True
    automated: bool = False
    needs_opt_in: bool = False
    fatigue: float = 0.0


@dataclass(frozen=True)
class Role:
    """Who acts. `side` keeps medical and commercial apart; `sees` lists the roles whose suggestions it may read."""

    id: str
    name: Texts
    side: Literal["commercial", "medical", "both"]
    sees: tuple[str, ...]
    system: bool = False


@dataclass(frozen=True)
class Topic:
    """What a message is about."""

    id: str
    name: Texts


@dataclass(frozen=True)
class Treatment:
    """An action through a channel with a message: what a decision chooses.

    Attributes:
        kind: "contact", or "stop" (ends a kind of contact; has no channel of its own use), or "none".
        channel: Channel id; for a stop the channel that is stopped; "" for "none".
        role: Who carries it out.
        issue, group, action: The taxonomy.
        topic: Topic id or "".
        purpose: Which consent it needs.
        value: Of a positive outcome, in the playbook's currency (a starting value, used until a release
            has learned one).
        starting_uplift: Added probability of that outcome, a starting value; no unit.
        cost, minutes: Of this treatment; the channel's where the playbook says nothing.
        validity_days: How long a suggestion of it stays posted.
        approval: Number of the approved text; "" = none needed.
        approved_until: Microseconds UTC after which the text may not be used; None = no end.
        text: What the suggestion says, by language, with {name} and {when} to fill in.
        note: Small print beneath it, by language.
        stops: Purposes and channels that a stop ends: ("email", "marketing"); empty for contacts.
    """

    id: str
    kind: Literal["contact", "stop", "none"]
    channel: str
    role: str
    issue: str
    group: str
    action: str
    topic: str
    purpose: Purpose
    value: float
    starting_uplift: float
    cost: float
    minutes: float
    validity_days: float
    approval: str
    approved_until: int | None
    text: Texts
    note: Texts
    stops: tuple[tuple[str, Purpose], ...] = ()


@dataclass(frozen=True)
class Policy:
    """An engagement policy: where `applies` holds, `when` must hold, or the treatment is removed.

    `applies` None = to all treatments. Unknown counts as not satisfied for `when` and as applying for
    `applies`: fail closed.
    """

    id: str
    stage: Stage
    when: Condition
    applies: Condition | None
    text: Texts


@dataclass(frozen=True)
class ContactLimit:
    """At most `count` outbound contacts in any `days` days, planned and reserved ones included.

    `channel` "*" = over all channels. Scope may be narrowed to a `group` ("" = all groups).
    """

    id: str
    channel: str
    group: str
    count: int
    days: float


@dataclass(frozen=True)
class Suppression:
    """After `count` of what is tracked within `window_days`, pause the scope for `suppress_days`.

    `track`: "contacts", "rejections" (response rejected), "dismissals" (by people) or "opt_outs".
    `scope`: "treatment", "topic", "channel" - what is counted and paused, one by one.
    """

    id: str
    track: Literal["contacts", "rejections", "dismissals", "opt_outs"]
    scope: Literal["treatment", "topic", "channel"]
    count: int
    window_days: float
    suppress_days: float
    channel: str = "*"


@dataclass(frozen=True)
class ContextWeight:
    """Where `when` (and `applies`) hold, the priority is multiplied by `weight`."""

    id: str
    when: Condition
    applies: Condition | None
    weight: float


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
        followed: Role -> starting P(followed); floor included.
        priority: "value" (caused value in money) or "leaders" (propensity x weight x value x lever).
        web_topics_need_consent: Whether web behaviour is used only with its own permission.
        attributes: Columns of `accounts` that conditions may name; accounts that lack them: unknown.
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

    def treatment(self, treatment_id: str) -> Treatment:
        """Raises PlaybookError naming what is near."""
        raise NotImplementedError

    def horizon(self, issue: str) -> float:
        """Days within which outcomes of that issue are counted."""
        return self.horizon_days.get(issue, self.horizon_days[""])


def parse_playbook(text: str) -> Playbook:
    """Read a playbook. Raises PlaybookError (one line) for anything unknown, missing or contradictory.

    Conditions are parsed and typed here against the facts of the playbook (`engine.facts.fact_types`)
    and the attributes it declares.
    """
    raise NotImplementedError
