"""What encoded facts are: columns of numbers, and the codes by which a playbook's words stand in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from engine.contract import OPT_OUT_RESPONSES, POSITIVE_RESPONSES
from engine.kernels import (
    MARKETING,
    SERVICE,
    WEB_BEHAVIOUR,
    Occurrences,
    Permissions,
    Standing,
    Touchpoints,
    Tracked,
)
from engine.playbook import Playbook, Track
from engine.records import Bools, Floats, Ints, Micros, kept_with
from engine.rows import numbered
from engine.rule_kernels import Offers

RESPONSE_TRACKS: Mapping[Track, str] = {
    "impressions": "viewed", "clicks": "clicked", "replies": "replied", "attendances": "attended",
    "acceptances": "accepted", "rejections": "rejected",
}  # fmt: skip
"""What a suppression tracks -> the response to our contact that it counts."""


DIRECTIONS = numbered(("inbound", "outbound"))
STATUSES = numbered(("done", "planned"))
VERBS = numbered(("dismiss", "snooze", "complete"))
RESPONSES = numbered(
    (
        *sorted(POSITIVE_RESPONSES),
        *sorted(OPT_OUT_RESPONSES),
        *sorted(set(RESPONSE_TRACKS.values()) - POSITIVE_RESPONSES),
    )
)
"""Those that count for something, the positive ones first, then those that mean an opt-out."""
PURPOSES = {"marketing": MARKETING, "service": SERVICE, "web_behaviour": WEB_BEHAVIOUR}
VERDICTS = {"opt_out": 0, "opt_in": 1}


@dataclass(frozen=True)
class AttributeVersions:
    """Versions of accounts, tombstones included: `values` shape (rows + 1, attributes), the last row
    NaN, which is also what a tombstone has; texts as codes into the attribute's levels. `zoned`: whether a
    time zone that exists is given; `closed`: whether it is a tombstone or merged into another; `place`: into
    `places`, "time zone|country", -1 = not known; shape (rows + 1,)."""

    standing: Standing
    values: Floats
    zoned: Bools
    closed: Bools
    place: Ints
    places: tuple[str, ...]


@dataclass(frozen=True)
class EncodedHistory:
    """The facts of some accounts, ready for the loops. `accounts` are sorted; their places are the codes.

    `put_off_until` is `snoozed_until` without dismissals; `tracked` has a row of starts for each of `tracks`.
    `pauses` are of treatments that a dismissal of another one keeps away, each until `paused_until`; `rests`
    of those that an account rests from, each until `rested_until`.
    """

    accounts: tuple[str, ...]
    touchpoints: Touchpoints
    outcomes: Occurrences
    tracked: Tracked
    optouts: Occurrences
    permissions: Permissions
    team: Standing
    feedback: Occurrences
    snoozed_until: Micros
    attributes: AttributeVersions
    put_off_until: Micros
    offers: Offers
    pauses: Occurrences
    paused_until: Micros
    rests: Occurrences
    rested_until: Micros


@kept_with
def tracks(playbook: Playbook) -> tuple[Track, ...]:
    """What the suppressions of a playbook count, each once."""
    return tuple(sorted({suppression.track for suppression in playbook.suppressions}))


class Codes(NamedTuple):
    """Ids of a playbook -> their codes. `actor` and `automatic`: who acts in each role, and in each channel
    by itself; one more entry for an unknown one."""

    channels: Mapping[str, int]
    topics: Mapping[str, int]
    treatments: Mapping[str, int]
    roles: Mapping[str, int]
    products: Mapping[str, int]
    reached: Bools
    safety: Bools
    channel_of: Ints
    topic_of: Ints
    actor: Ints
    meant: Ints
    automatic: Ints


@kept_with
def codes_of(playbook: Playbook) -> Codes:
    """The codes of a playbook."""
    channels, topics = (numbered(each.id for each in all_) for all_ in (playbook.channels, playbook.topics))
    own = playbook.treatments
    return Codes(
        channels,
        topics,
        numbered(treatment.id for treatment in own),
        numbered(role.id for role in playbook.roles),
        numbered(sorted({treatment.product for treatment in own if treatment.product})),
        np.array([*(channel.outbound for channel in playbook.channels), False]),
        np.array([*(topic.safety for topic in playbook.topics), False]),
        np.array([*(channels.get(t.channel, -1) for t in own), -1], dtype=np.int64),
        np.array([*(topics.get(t.topic, -1) for t in own), -1], dtype=np.int64),
        np.append(_role_codes(playbook), -1),
        np.append(actor_codes(playbook), -1),
        np.array([*(_SYSTEM if c.automated else -1 for c in playbook.channels), -1], dtype=np.int64),
    )


_SYSTEM = -3
"""The actor of everything that the system sends, whatever the playbook calls its roles."""


@kept_with
def actor_codes(playbook: Playbook) -> Ints:
    """Who carries each treatment out; shape (T,). Roles are told apart, the system's are one."""
    codes = dict(zip((role.id for role in playbook.roles), _role_codes(playbook).tolist(), strict=True))
    return np.array([codes.get(t.role, -1) for t in playbook.treatments], dtype=np.int64)


def _role_codes(playbook: Playbook) -> Ints:
    return np.array([_SYSTEM if r.system else place for place, r in enumerate(playbook.roles)], np.int64)
