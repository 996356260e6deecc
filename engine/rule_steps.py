"""How kinds of rules say what they ask for: as steps of one program that judges all pairs.

Besides facts a rule reads gates (`engine.gates`). A rule's last step
says of each pair 0 = does not object, 1 = does, 2 = does because something is not known; less than 0 (not
known whether) does not object.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce

import numpy as np

from engine.features import FeatureSet, assembler
from engine.gates import gate_places
from engine.playbook import Playbook
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
from engine.records import Ints

COMPARED = {"<": LESS, "<=": AT_MOST, ">": MORE, ">=": AT_LEAST, "=": EQUAL, "<>": UNEQUAL}


class Steps:
    """Collects the steps of the rules of a playbook; what compares with what is not known is not known."""

    def __init__(self, features: FeatureSet, playbook: Playbook, facts: Iterable[str]) -> None:
        self.features, self.playbook = features, playbook
        self.code = assembler(features, playbook.attributes, facts)
        self._first = gate_places(playbook).first

    def gate(self, which: int, place: int = 0) -> Register:
        """One of `engine.gates`, the same for all treatments."""
        return self.code.gate(self._first[which] + place)

    def own(self, which: int, places: Ints | None = None) -> Register:
        """Each treatment's gate, that at its own place or at those given, -1 = not known; shape (T,)."""
        own = np.arange(len(self.playbook.treatments)) if places is None else places
        return self.code.pick(np.where(own < 0, -1, self._first[which] + own))

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
