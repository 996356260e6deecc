"""The treatments of the world: those of the shipped pharma playbook, and what their channels are like."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from data.playbooks import read_playbook
from data.world.settings import WorldError
from engine.playbook import Playbook
from engine.records import NO_CONTACT, Bools, Floats, Ints


@dataclass(frozen=True)
class ChannelNature:
    """How a channel works in this world, for the average account.

    Attributes:
        caused: Prescriptions that one contact causes, in currency.
        response: Probability of a positive response.
        positive: The positive response that its contacts get.
        viewed: Probability of being viewed, for messages; 0 = nothing to view.
        rejected: Probability of a rejection.
        popularity: How readily representatives use it, on a log scale.
        good_accounts: How much more readily with accounts of high potential, on a log scale.
    """

    caused: float
    response: float
    positive: str
    viewed: float
    rejected: float
    popularity: float
    good_accounts: float


NATURES: dict[str, ChannelNature] = {
    "visit": ChannelNature(150.0, 0.40, "accepted", 0.0, 0.08, 0.6, 0.9),
    "remote_call": ChannelNature(75.0, 0.30, "accepted", 0.0, 0.12, 0.3, 0.4),
    "email": ChannelNature(28.0, 0.10, "clicked", 0.45, 0.0, 1.2, -0.8),
    "podcast": ChannelNature(22.0, 0.12, "clicked", 0.30, 0.0, -0.4, -0.2),
    "app": ChannelNature(24.0, 0.15, "clicked", 0.35, 0.0, -0.3, -0.2),
    "congress": ChannelNature(270.0, 0.35, "attended", 0.0, 0.20, -1.0, 1.0),
    "medical_call": ChannelNature(125.0, 0.45, "accepted", 0.0, 0.06, -0.6, 0.5),
    "reimbursement_consultation": ChannelNature(110.0, 0.40, "accepted", 0.0, 0.08, -0.5, 0.3),
}


@dataclass(frozen=True)
class Catalogue:
    """Treatments in the playbook's order, "none" first; arrays have one entry a treatment, shape (T,).

    `channel` and `topic` are codes into `channels` and `topics`; "none" carries code 0 and is never used.
    """

    ids: tuple[str, ...]
    channels: tuple[str, ...]
    topics: tuple[str, ...]
    roles: tuple[str, ...]
    channel: Ints
    topic: Ints
    cost: Floats
    by_person: Bools
    email: Bools
    needs_opt_in: tuple[str, ...]

    @classmethod
    def of(cls, playbook: Playbook) -> Catalogue:
        """Contacts only: ending a kind of contact is no event of this world."""
        treatments = [t for t in playbook.treatments if t.kind != "stop"]
        channels = tuple(sorted({t.channel for t in treatments if t.kind == "contact"}))
        topics = tuple(sorted({t.topic for t in treatments if t.topic}))
        unknown = [channel for channel in channels if channel not in NATURES]
        if unknown:
            raise WorldError(f"The world does not know what a contact by {unknown[0]!r} does.")
        automated = {channel.id: channel.automated for channel in playbook.channels}
        return cls(
            ids=tuple(t.id for t in treatments),
            channels=channels,
            topics=topics,
            roles=tuple(t.role for t in treatments),
            channel=np.array([_code(channels, t.channel) for t in treatments], dtype=np.int64),
            topic=np.array([_code(topics, t.topic) for t in treatments], dtype=np.int64),
            cost=np.array([0.0 if t.id == NO_CONTACT else t.cost for t in treatments]),
            by_person=np.array([t.kind == "contact" and not automated[t.channel] for t in treatments]),
            email=np.array([t.channel == "email" for t in treatments]),
            needs_opt_in=tuple(c.id for c in playbook.channels if c.needs_opt_in),
        )

    @classmethod
    def shipped(cls) -> Catalogue:
        """The treatments of the shipped pharma playbook."""
        return cls.of(read_playbook("pharma"))

    @property
    def contact_channels(self) -> Ints:
        """Channel codes of all treatments but "none"; shape (T - 1,)."""
        return self.channel[1:]

    def index(self, treatment: str) -> int:
        """Position of a treatment. Raises WorldError."""
        if treatment not in self.ids:
            raise WorldError(f"World setting new_treatment: the playbook has no contact {treatment!r}.")
        return self.ids.index(treatment)


def _code(names: tuple[str, ...], name: str) -> int:
    return names.index(name) if name in names else 0
