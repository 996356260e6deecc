"""Treatments that an answer to another one keeps away: those of a dismissed one's topic or channel, and all
that an account rests from."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from engine.dismissals import PauseScope
from engine.playbook import Playbook, Treatment
from engine.records import Ints, kept_with


def widened(playbook: Playbook, reason: Ints, treatment: Ints) -> tuple[Ints, Ints]:
    """What each of some dismissals keeps away besides its own treatment.

    Args:
        reason: Of each dismissal, a place in `pause_reasons`, -1 = none of these; shape (n,).
        treatment: Its place in the playbook; shape (n,).

    Returns:
        Places of dismissals, ascending, and of the treatments that they keep away; a pair each.
    """
    others = _kept_away(playbook)
    pairs = [
        (place, other)
        for place in np.flatnonzero(reason >= 0).tolist()
        for other in others.get((int(reason[place]), int(treatment[place])), ())
    ]
    found = np.array(pairs, dtype=np.int64).reshape(len(pairs), 2)
    return found[:, 0], found[:, 1]


def resting(playbook: Playbook, treatment: Ints) -> tuple[Ints, Ints]:
    """What completed treatments let an account rest from.

    Args:
        treatment: Of each answer, its place in the playbook; -1 = it was not completed; shape (n,).

    Returns:
        Places of answers, ascending, and of the treatments that they keep away; a pair each.
    """
    rests = _rests(playbook)
    pairs = [(place, other) for place, one in enumerate(treatment.tolist()) for other in rests.get(one, ())]
    found = np.array(pairs, dtype=np.int64).reshape(len(pairs), 2)
    return found[:, 0], found[:, 1]


@kept_with
def _rests(playbook: Playbook) -> Mapping[int, tuple[int, ...]]:
    """Stops that end by themselves -> the contacts that they stop, and themselves."""
    own = list(enumerate(playbook.treatments))
    return {
        index: tuple(
            other for other, theirs in own
            if other == index or (theirs.kind == "contact" and (theirs.channel, theirs.purpose) in one.stops)
        )
        for index, one in own if one.days is not None
    }  # fmt: skip


@kept_with
def pause_reasons(playbook: Playbook) -> Mapping[str, int]:
    """Reasons of dismissals -> their places."""
    return {reason: place for place, reason in enumerate(sorted(playbook.dismissals))}


@kept_with
def _kept_away(playbook: Playbook) -> Mapping[tuple[int, int], tuple[int, ...]]:
    """Reason and treatment of a dismissal -> the other treatments that it keeps away."""
    own = list(enumerate(playbook.treatments))
    return {
        (place, index): others
        for reason, place in pause_reasons(playbook).items()
        for index, one in own
        if (others := tuple(
            other for other, theirs in own
            if other != index and _keeps(one, theirs, playbook.dismissals[reason].scope)
        ))
    }  # fmt: skip


def _keeps(one: Treatment, other: Treatment, scope: PauseScope) -> bool:
    """Whether dismissing one keeps the other away: of the same role alone, and contacts alone, so that
    nothing keeps anybody from stopping contacts."""
    if scope == "treatment" or one.role != other.role or not one.kind == other.kind == "contact":
        return False
    return bool(getattr(one, scope)) and getattr(one, scope) == getattr(other, scope)
