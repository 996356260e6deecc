"""The treatments of the world: those of its playbook, and what their channels are like."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from data.playbooks import read_playbook
from data.world.business import ANSWERS, Business, ChannelNature, WorldError
from engine.playbook import Playbook
from engine.records import NO_CONTACT, Bools, Floats, Ints


@dataclass(frozen=True)
class Catalogue:
    """Treatments in the playbook's order, "none" first; arrays have one entry a treatment, shape (T,).

    `channel` and `topic` are codes into `channels` and `topics`; "none" carries code 0 and is never used.

    Attributes:
        natures: What the channels are like, by code.
        asked: How often accounts ask about a topic, relative to others, by code of the topic.
        horizon_ratio: Horizon of a treatment's issue as a multiple of the playbook's.
        price, products: That a treatment offers; nan and "" = none.
        worth: Of one unit of the outcome's value, in currency.
    """

    currency: str
    ids: tuple[str, ...]
    channels: tuple[str, ...]
    topics: tuple[str, ...]
    roles: tuple[str, ...]
    issues: tuple[str, ...]
    products: tuple[str, ...]
    natures: tuple[ChannelNature, ...]
    channel: Ints
    topic: Ints
    asked: Floats
    cost: Floats
    price: Floats
    horizon_ratio: Floats
    by_person: Bools
    email: Bools
    needs_opt_in: tuple[str, ...]
    worth: float

    @classmethod
    def of(cls, playbook: Playbook, kind: Business) -> Catalogue:
        """Contacts only: ending a kind of contact is no event of this world.

        Raises WorldError: the playbook has a channel, topic, role or outcome that its world does not know.
        """
        treatments = [t for t in playbook.treatments if t.kind != "stop"]
        contacts = [t for t in treatments if t.kind == "contact"]
        channels = tuple(sorted({t.channel for t in contacts}))
        topics = tuple(sorted({t.topic for t in contacts} | set(kind.inbound)))
        _check(playbook, kind, channels)
        automated = {channel.id: channel.automated for channel in playbook.channels}
        return cls(
            currency=playbook.currency,
            ids=tuple(t.id for t in treatments),
            channels=channels,
            topics=topics,
            roles=tuple(t.role for t in treatments),
            issues=tuple(t.issue for t in treatments),
            products=tuple(t.product for t in treatments),
            natures=tuple(kind.channels[channel] for channel in channels),
            channel=np.array([_code(channels, t.channel) for t in treatments], dtype=np.int64),
            topic=np.array([_code(topics, t.topic) for t in treatments], dtype=np.int64),
            asked=np.array([_asked(kind, topic) for topic in topics]),
            cost=np.array([0.0 if t.id == NO_CONTACT else t.cost for t in treatments]),
            price=np.array([np.nan if t.price is None else t.price for t in treatments]),
            horizon_ratio=np.array(
                [playbook.horizon(t.issue if t.kind == "contact" else "") / playbook.horizon("")
                 for t in treatments]
            ),
            by_person=np.array([t.kind == "contact" and not automated[t.channel] for t in treatments]),
            email=np.array([t.channel == "email" for t in treatments]),
            needs_opt_in=tuple(c.id for c in playbook.channels if c.needs_opt_in),
            worth=playbook.outcome_worth[kind.outcome],
        )  # fmt: skip

    @classmethod
    def shipped(cls, name: str, kind: Business) -> Catalogue:
        """The treatments of a shipped playbook."""
        return cls.of(read_playbook(name), kind)

    @property
    def topic_names(self) -> tuple[str | None, ...]:
        """Topics as they stand in tables: nothing where a treatment has none."""
        return tuple(topic or None for topic in self.topics)

    @property
    def positive(self) -> Ints:
        """Code of each treatment's positive response in `ANSWERS`; shape (T,)."""
        return np.array([ANSWERS.index(nature.positive) for nature in self.natures])[self.channel]

    def of_channel(self, trait: str) -> Floats:
        """A number of each treatment's channel; shape (T,)."""
        return np.array([float(getattr(nature, trait)) for nature in self.natures])[self.channel]

    def index(self, treatment: str) -> int:
        """Position of a treatment. Raises WorldError."""
        if treatment not in self.ids:
            raise WorldError(f"World setting new_treatment: the playbook has no contact {treatment!r}.")
        return self.ids.index(treatment)


def _check(playbook: Playbook, kind: Business, channels: tuple[str, ...]) -> None:
    """Whether the world knows everything that the playbook speaks of, and the other way round."""
    for channel in channels:
        if channel not in kind.channels:
            raise WorldError(f"The world does not know what a contact by {channel!r} does.")
    known = {
        "channel": {c.id for c in playbook.channels},
        "topic": {t.id for t in playbook.topics},
        "role": {r.id for r in playbook.roles},
        "outcome": set(playbook.outcome_worth),
    }
    said = {
        "channel": {*kind.channels, *(one.channel for one in kind.inbound.values())},
        "topic": set(kind.inbound),
        "role": set(kind.roles),
        "outcome": {kind.outcome},
    }
    for what, names in said.items():
        for name in sorted(names - known[what]):
            raise WorldError(f"The world speaks of the {what} {name!r}, which its playbook does not have.")
    for role in playbook.roles:
        works = any(t.role == role.id and t.kind == "contact" for t in playbook.treatments)
        if works and not role.system and role.id not in kind.roles:
            raise WorldError(f"The world has no colleagues in the role {role.id!r}.")


def _asked(kind: Business, topic: str) -> float:
    """How often accounts ask about a topic; without a word about it, about all topics alike."""
    if not kind.inbound:
        return float(topic != "")
    return kind.inbound[topic].weight if topic in kind.inbound else 0.0


def _code(names: tuple[str, ...], name: str) -> int:
    return names.index(name) if name in names else 0
