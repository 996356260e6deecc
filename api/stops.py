"""Stopping contacts for everybody in an emergency, and resuming them: at once, without a restart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from api.feedback import cancelled_plan
from data.ledger.ledger import Ledger
from data.ledger.types import StopOrder
from engine.conditions import near
from engine.gates import stops_contact
from engine.playbook import Playbook
from engine.records import ContactStop, EngineError

EVERYTHING = "all"
LEVELS: Mapping[str, str] = {
    "channel": "channel", "issue": "issue", "group": "group", "action": "action", "topic": "topic",
    "treatment": "id",
}  # fmt: skip
"""What a stop may name -> where a treatment says it."""


class StopError(EngineError):
    """What is to be stopped or resumed is not there; nothing was changed."""


@dataclass(frozen=True)
class Stopped:
    """What a stop did: suggestions that it withdrew, and of those that had been accepted, plans cancelled."""

    order: StopOrder
    withdrawn: int
    cancelled: int


def standing_stops(ledger: Ledger) -> tuple[ContactStop, ...]:
    """What is stopped now, as a decision is told."""
    return tuple(ContactStop(str(one.stop_id), one.level, one.of) for one in ledger.contact_stops())


def scope_of(order: StopOrder) -> str:
    """What a stop covers, as people write it: "all", "channel:email"."""
    return f"{order.level}:{order.of}" if order.of else order.level


def stop_contacts(
    ledger: Ledger, playbook: Playbook, scope: str, *, reason: str, by: str, now: int
) -> Stopped:
    """Stop all contacts of a scope for all accounts, from this moment on.

    Live decisions and the night suggest none of them any more, and what lives of them is withdrawn, accepted
    ones with their plans. Stopping what is stopped withdraws what has come in since.

    Args:
        scope: "all", or level:id such as "channel:email".

    Raises:
        StopError: The playbook has no contact of that scope, or no reason is given.
    """
    stop = _parsed(scope, playbook)
    if not reason.strip():
        raise StopError("Say why contacts are stopped; whoever finds them stopped will ask.")
    covered = tuple(t.id for t in playbook.treatments if stops_contact(stop, t))
    spared = tuple(t.id for t in playbook.treatments if t.id not in covered)
    order, withdrawn, accepted = ledger.stop_contacts(
        StopOrder(stop.level, stop.of, reason.strip(), by, now, covered, spared)
    )
    known = {treatment.id: treatment for treatment in playbook.treatments}
    plans = [
        cancelled_plan(one, known[one.treatment], now, why=f"stop-{order.stop_id}")
        for one in accepted
        if one.treatment in known
    ]
    ledger.append(plans, now=now)
    return Stopped(order, withdrawn, len(plans))


def resume_contacts(ledger: Ledger, scope: str, *, reason: str, by: str, now: int) -> StopOrder:
    """Allow again what a stop of exactly this scope ended. Raises StopError naming what is stopped."""
    found = {scope_of(order): order for order in ledger.contact_stops()}
    if scope not in found:
        hint = near(scope, found) or f"; stopped are: {', '.join(found) or 'none'}."
        raise StopError(f"Contacts of {scope!r} are not stopped{hint}")
    return ledger.resume_contacts(found[scope].stop_id, by=by, reason=reason.strip(), now=now)


def _parsed(scope: str, playbook: Playbook) -> ContactStop:
    level, colon, of = scope.partition(":")
    if scope == EVERYTHING:
        return ContactStop("", EVERYTHING, "")
    if level not in LEVELS or not colon:
        hint = near(level, (*LEVELS, EVERYTHING)) or f"; levels are {', '.join(LEVELS)}."
        raise StopError(f"Got {scope!r}, need all or level:id such as channel:email{hint}")
    contacts = [treatment for treatment in playbook.treatments if treatment.kind == "contact"]
    known = sorted({getattr(treatment, LEVELS[level]) for treatment in contacts} - {""})
    if of not in known:
        raise StopError(f"The playbook has no contact of {level} {of!r}{near(of, known) or '.'}")
    return ContactStop("", level, of)
