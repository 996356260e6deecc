"""The parts of a playbook as types: channels, roles, topics, treatments, policies and limits.

Values only: `engine.playbook` reads them from a text and checks them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from engine.conditions import Condition
from engine.playbook_rules import Side

Stage = Literal["eligibility", "applicability", "suitability"]
Purpose = Literal["marketing", "service"]
Track = Literal[
    "contacts", "impressions", "clicks", "replies", "attendances", "acceptances", "rejections", "dismissals",
    "opt_outs",
]  # fmt: skip
Scope = Literal["treatment", "action", "group", "topic", "channel"]
Texts = Mapping[str, str]
"""Language (ISO 639-1) -> text."""


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
        quiet_hours: From and until which minute of the local day nothing goes out; None = it may at any time.
        working_days: Whether it is used on working days of the account's country alone.
    """

    id: str
    name: Texts
    cost: float = 0.0
    minutes: float = 0.0
    outbound: bool = True
    automated: bool = False
    needs_opt_in: bool = False
    fatigue: float = 0.0
    quiet_hours: tuple[int, int] | None = None
    working_days: bool = False


@dataclass(frozen=True)
class Role:
    """Who acts. `side` keeps medical and commercial apart; `sees` are the roles whose suggestions it may
    read, its own among them."""

    id: str
    name: Texts
    side: Side
    sees: tuple[str, ...]
    system: bool = False


@dataclass(frozen=True)
class Topic:
    """What a message is about.

    Attributes:
        owners: The roles that alone may speak about it, whatever the stage; () = those of the stage.
        safety: Whether what an account says about it is a safety report and no signal.
        triggers: Channel -> what the account has done about it there, in words, with {name} and {when}.
        side: Which roles may speak about it.
        concerns: Of a medical topic: others on which commercial roles keep silent while a question on it is
            open.
    """

    id: str
    name: Texts
    owners: tuple[str, ...] = ()
    safety: bool = False
    triggers: Mapping[str, Texts] = field(default_factory=dict)
    side: Side = "both"
    concerns: tuple[str, ...] = ()


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
        text: What the suggestion says, by language, with {name}, {when} and {trigger} to fill in.
        note: Small print beneath it, by language.
        subject, message: Text ready to send to the account, by language, with {name} and {sender} to fill in;
            {} = there is none.
        stops: Purposes and channels that a stop ends: ("email", "marketing"); empty for contacts.
        days: For how many days a stop lets the account rest; None = it lasts until it is taken back.
        stages: Stages of the journey that it is meant for; () = all.
        content, tone: Kind of content and tone; "" = fits every stage.
        valid_from, valid_until: Microseconds UTC; suggested from the first, before the second; None = open.
        repeat_after_days: Not again within so many days; None = no matter how soon.
        at_most: How often ever; None = no matter how often.
        price: That it offers, in the playbook's currency; None = it offers none.
        product: That it offers, as the table offers names it; "" = any.
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
    stages: tuple[str, ...] = ()
    content: str = ""
    tone: str = ""
    valid_from: int | None = None
    valid_until: int | None = None
    repeat_after_days: float | None = None
    at_most: int | None = None
    price: float | None = None
    product: str = ""
    subject: Texts = field(default_factory=dict)
    message: Texts = field(default_factory=dict)
    days: float | None = None


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

    `track`: "contacts" done, responses to them ("impressions" = viewed, "clicks", "rejections" ...),
    "dismissals" (by people) or "opt_outs". `scope`: what is counted and paused, one by one.
    """

    id: str
    track: Track
    scope: Scope
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
