"""What only rules read of a moment: numbers side by side; no condition names them and no model reads them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from engine.playbook import Playbook, Treatment
from engine.records import Bools, ContactStop, Floats, Ints, Micros, kept_with

(AT, CLOSED, HAS_TIMEZONE, ARM, WEB_BEHAVIOUR, HAS_ROLE, CONSENT, LIMITS, TIMES, SINCE, HELD, NOT_BEFORE,
 SNOOZED, RESTING, OFFERED, TRACKED, EQUIVALENT, STOPPED) = range(18)  # fmt: skip
"""Gates in their order; `Gated` says what they are. AT: the moment, microseconds UTC;
STOPPED: whether people have stopped each treatment for everybody."""


class GatePlaces(NamedTuple):
    """Where each gate begins, one more entry for the end, and its shape for one moment."""

    first: tuple[int, ...]
    shapes: tuple[tuple[int, ...], ...]


class Gated:
    """What has gates, side by side, and where each of them stands."""

    gates: Floats
    places: GatePlaces

    def gate(self, which: int) -> Floats:
        """One of `engine.gates`; shape (n, ...)."""
        first, last = self.places.first[which : which + 2]
        return self.gates[:, first:last].reshape(len(self.gates), *self.places.shapes[which])

    @property
    def consent(self) -> Floats:
        """Permission by channel for purpose marketing, service: 1 opt-in, 0 none recorded, -1 opt-out.
        Contact-level opt-outs count for the account; shape (n, C, 2)."""
        return self.gate(CONSENT)

    @property
    def web_behaviour(self) -> Floats:
        """The same for the use of web behaviour; shape (n,)."""
        return self.gate(WEB_BEHAVIOUR)

    @property
    def has_role(self) -> Floats:
        """Whether somebody serves the account in the playbook's role r; shape (n, R)."""
        return self.gate(HAS_ROLE)

    @property
    def has_timezone(self) -> Bools:
        """Whether the account's own time zone is known; shape (n,)."""
        return self.gate(HAS_TIMEZONE).astype(np.bool_)

    @property
    def closed(self) -> Bools:
        """Whether the account has been deleted or merged into another; shape (n,)."""
        return self.gate(CLOSED).astype(np.bool_)

    @property
    def limits(self) -> Floats:
        """Contacts that count against each limit at that moment; shape (n, len(contact_limits))."""
        return self.gate(LIMITS)

    @property
    def tracked(self) -> Floats:
        """Days since the pause of (suppression, treatment) began; NaN = no pause has been triggered; shape
        (n, len(suppressions), T)."""
        return self.gate(TRACKED)

    @property
    def snoozed(self) -> Floats:
        """Whether a snooze or cool-down of feedback on the treatment still lasts; shape (n, T)."""
        return self.gate(SNOOZED)

    @property
    def resting(self) -> Floats:
        """For how many days the account still rests from the treatment; 0 = it does not; shape (n, T)."""
        return self.gate(RESTING)

    @property
    def held(self) -> Floats:
        """Days since a person last dealt with each topic, negative while that lies ahead; NaN = nobody does;
        shape (n, P)."""
        return self.gate(HELD)

    @property
    def offered(self) -> Floats:
        """Highest open quote for what each treatment offers, in currency; inf = in another currency, NaN =
        there is none; shape (n, T)."""
        return self.gate(OFFERED)

    @property
    def times(self) -> Floats:
        """How often what each of `Playbook.repeats` counts was done or is planned; shape (n, R)."""
        return self.gate(TIMES)

    @property
    def since(self) -> Floats:
        """Days since the latest of these, negative for one ahead, NaN = there is none; shape (n, R)."""
        return self.gate(SINCE)

    @property
    def equivalent(self) -> Floats:
        """Days since another role did the same, negative while that lies ahead, NaN = none did, by group of
        `Playbook.equivalents` and treatment; shape (n, E, T)."""
        return self.gate(EQUIVALENT)

    @property
    def not_before(self) -> Micros:
        """First moment, microseconds UTC, at which each channel may be used; shape (n, C)."""
        return self.gate(NOT_BEFORE).astype(np.int64)

    @property
    def arm(self) -> Ints:
        """Of the standing test, an index into `engine.experiments.ARMS`; -1 = outside of it; shape (n,)."""
        return self.gate(ARM).astype(np.int64)


@kept_with
def gate_places(playbook: Playbook) -> GatePlaces:
    """The gates of a playbook."""
    channels, treatments = len(playbook.channels), len(playbook.treatments)
    repeats = (len(playbook.repeats),)
    shapes: tuple[tuple[int, ...], ...] = (
        (), (), (), (), (), (len(playbook.roles),), (channels, 2), (len(playbook.contact_limits),), repeats,
        repeats, (len(playbook.topics),), (channels,), (treatments,), (treatments,), (treatments,),
        (len(playbook.suppressions), treatments), (len(playbook.equivalents), treatments), (treatments,),
    )  # fmt: skip
    sizes = [int(np.zeros(shape).size) for shape in shapes]
    return GatePlaces(tuple(np.cumsum([0, *sizes]).tolist()), shapes)  # counts


@kept_with
def nothing_gated(playbook: Playbook) -> Floats:
    """What gates say before anything is counted: 0, or NaN for days and quotes that are not known yet; shape
    (G,)."""
    places = gate_places(playbook)
    found = np.zeros(places.first[-1])
    for gate in (SINCE, HELD, OFFERED, TRACKED, EQUIVALENT):
        found[places.first[gate] : places.first[gate + 1]] = np.nan
    return found


def stopped(stops: tuple[ContactStop, ...], playbook: Playbook) -> Bools:
    """Which treatments people have stopped for everybody; shape (T,)."""
    return np.array([any(stops_contact(s, t) for s in stops) for t in playbook.treatments], dtype=np.bool_)


def stops_contact(stop: ContactStop, treatment: Treatment) -> bool:
    """Whether the treatment is a contact that people have stopped."""
    if treatment.kind != "contact":
        return False
    own = treatment.id if stop.level == "treatment" else getattr(treatment, stop.level, "")
    return stop.level == "all" or own == stop.of
