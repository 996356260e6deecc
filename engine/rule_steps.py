"""How kinds of rules say what they ask for: as steps of one program that judges all pairs.

Besides facts a rule reads gates: what only rules read of a moment, numbers side by side. A rule's last step
says of each pair 0 = does not object, 1 = does, 2 = does because something is not known; less than 0 (not
known whether) does not object.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from operator import mul

import numpy as np

from engine.features import Features, FeatureSet, assembler
from engine.playbook import Playbook, Treatment
from engine.programs import (
    AT_LEAST,
    AT_MOST,
    BOTH,
    EITHER,
    EQUAL,
    LESS,
    MORE,
    NO_NUMBER,
    NOT,
    SAID,
    UNEQUAL,
    Program,
    Register,
)
from engine.records import Bools, ContactStop, Floats, Ints, kept_with

COMPARED = {"<": LESS, "<=": AT_MOST, ">": MORE, ">=": AT_LEAST, "=": EQUAL, "<>": UNEQUAL}


class Steps:
    """Collects the steps of the rules of a playbook; what compares with what is not known is not known."""

    def __init__(self, features: FeatureSet, playbook: Playbook, facts: Iterable[str]) -> None:
        self.features, self.playbook = features, playbook
        self.code = assembler(features, playbook.attributes, facts)
        self._first = _first_gates(playbook)

    def gate(self, name: str, place: int = 0) -> Register:
        """One of the gates of `gates_of`, the same for all treatments."""
        return self.code.gate(self._first[name] + place)

    def own(self, name: str, places: Ints | None = None) -> Register:
        """Each treatment's gate, that at its own place or at those given, -1 = not known; shape (T,)."""
        own = np.arange(len(self.playbook.treatments)) if places is None else places
        return self.code.pick(np.where(own < 0, -1, self._first[name] + own))

    def compare(self, one: Register, how: str, other: Register | float) -> Register:
        """Two numbers by < <= > >= = <>."""
        right = other if isinstance(other, Register) else self.code.constant(other)
        return self.code.step(COMPARED[how], one, right)

    def unknown(self, number: Register) -> Register:
        """Whether a number is not known."""
        return self.code.step(NO_NUMBER, number)

    def negated(self, truth: Register) -> Register:
        """Not so."""
        return self.code.step(NOT, truth)

    def both(self, *truths: Register) -> Register:
        """All of them."""
        return reduce(lambda one, other: self.code.step(BOTH, one, other), truths)

    def either(self, *truths: Register) -> Register:
        """Any of them."""
        return reduce(lambda one, other: self.code.step(EITHER, one, other), truths)

    def said(self, objects: Register, unknown: Register) -> Register:
        """That it objects, and where it does because something is not known."""
        return self.code.step(SAID, objects, unknown)

    def program(self, rules: Iterable[Register]) -> Program:
        """What was collected."""
        return self.code.program(rules)


def gates_of(features: Features, playbook: Playbook) -> Floats:
    """What only rules read of each moment, laid side by side as `Steps` counts it; shape (n, G)."""
    n = len(features.moments)
    stopped = _stopped(features.moments.stops, playbook)
    blocks = (
        features.moments.as_of, features.closed, features.has_timezone, features.arm, features.has_role,
        features.consent, features.limits, features.times, features.since, features.held,
        features.not_before, features.snoozed, features.resting, features.offered, features.tracked,
        features.equivalent, np.broadcast_to(stopped, (n, len(stopped))),
    )  # fmt: skip
    sizes = [b.shape[1:] for b in blocks]
    flat = [b.reshape(n, reduce(mul, size, 1)) for b, size in zip(blocks, sizes, strict=True)]
    return np.concatenate(flat, axis=1, dtype=np.float64)


@kept_with
def _first_gates(playbook: Playbook) -> dict[str, int]:
    """Where each gate begins, in the order of `gates_of`."""
    channels, treatments = len(playbook.channels), len(playbook.treatments)
    repeats = len(playbook.repeats)
    sizes = {
        "at": 1, "closed": 1, "has_timezone": 1, "arm": 1, "has_role": len(playbook.roles),
        "consent": 2 * channels, "limits": len(playbook.contact_limits), "times": repeats, "since": repeats,
        "held": len(playbook.topics), "not_before": channels, "snoozed": treatments, "resting": treatments,
        "offered": treatments, "tracked": len(playbook.suppressions) * treatments,
        "equivalent": len(playbook.equivalents) * treatments, "stopped": treatments,
    }  # fmt: skip
    ends = np.cumsum(list(sizes.values())).tolist()  # counts
    return {name: end - size for (name, size), end in zip(sizes.items(), ends, strict=True)}


def _stopped(stops: tuple[ContactStop, ...], playbook: Playbook) -> Bools:
    """Which treatments people have stopped for everybody; shape (T,)."""
    own = playbook.treatments
    return np.array(
        [any(stops_contact(stop, t) for stop in stops) for t in own] if stops else np.zeros(len(own)),
        np.bool_,
    )


def stops_contact(stop: ContactStop, treatment: Treatment) -> bool:
    """Whether the treatment is a contact that people have stopped."""
    if treatment.kind != "contact":
        return False
    own = treatment.id if stop.level == "treatment" else getattr(treatment, stop.level, "")
    return stop.level == "all" or own == stop.of
