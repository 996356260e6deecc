"""Taking back what one has just done: as it was before, as far as nothing has gone out since."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import polars as pl

from api.allowed import EVERY_CONTACT
from api.consent import content_of
from api.service import ATTEMPTS, Service
from data.ledger.types import AccountState, Act, ConflictError, TailRow, UnknownError, User
from data.live import history_of, newest_stored
from data.times import to_iso
from engine.contract import TABLES, TIME, Kind
from engine.playbook import Playbook
from engine.records import History, known_rows


def undo_until(act: Act, playbook: Playbook) -> int | None:
    """Until when it can be taken back, microseconds UTC; None = it cannot."""
    if not playbook.undo_seconds or _gone_out(act, playbook, act.acted_at) is not None:
        return None
    return act.acted_at + round(playbook.undo_seconds * 1e6)


def take_back(service: Service, subject: str, user: User) -> Act:
    """Undo the last act on a suggestion (or on a contact recorded without one), then decide again.

    Facts are not removed: each gets a next version, as it was before or "no longer holds".

    Raises ConflictError: there is nothing to take back, it is somebody else's, too late, gone out, or others
    have acted since; NotAllowedError: newer facts forbid a plan that would come back.
    """
    playbook = service.decider().playbook
    for _ in range(ATTEMPTS):
        now = service.clock()
        act = _mine(service.ledger.latest_act(subject), user, playbook, now)
        state = service.ledger.account_state(act.account_id)
        before = _versions_before(act, history_of(state))
        rows = [_reversed(act, fact, before[fact.event_id]) for fact in act.facts]
        _require_room(service, act, rows, state, now)
        try:
            service.ledger.take_back(act, rows, version=state.version, noted=_noted(act, before), now=now)
        except ConflictError:
            if service.ledger.account_state(act.account_id).version == state.version:
                raise
            continue
        service.decide({act.account_id: f"undo:{act.act_id}"})
        return act
    raise ConflictError("The account changes too fast; try again.")


def _mine(act: Act | None, user: User, playbook: Playbook, now: int) -> Act:
    if act is None:
        raise ConflictError("There is nothing to take back.")
    if not playbook.undo_seconds:
        raise ConflictError("What was done cannot be taken back: the playbook's undo_seconds is 0.")
    if act.user_id != user.user_id:
        raise ConflictError(f"{act.user_id} did this; only she can take it back.")
    if (gone := _gone_out(act, playbook, now)) is not None:
        raise ConflictError(f"It went out at {to_iso(gone)} and cannot be taken back.")
    if now > act.acted_at + round(playbook.undo_seconds * 1e6):
        raise ConflictError(f"It can be taken back for {playbook.undo_seconds:g} seconds; that is over.")
    return act


def _gone_out(act: Act, playbook: Playbook, now: int) -> int | None:
    """When something that it led to was sent by the system; None = nothing was."""
    automated = {channel.id for channel in playbook.channels if channel.automated}
    contents = [fact.content for fact in act.facts if fact.table == "touchpoints"]
    gone = [
        int(content["occurred_at"])
        for content in contents
        if content["channel"] in automated
        and (
            content["status"] == "done"
            or (content["status"], content["occurred_at"] <= now) == ("planned", True)
        )
    ]
    return min(gone, default=None)


def _versions_before(act: Act, history: History) -> Mapping[str, dict[str, Any] | None]:
    """Event -> the fact as it was before the act; None = there was none. Raises ConflictError."""
    return {fact.event_id: _before(fact, history[fact.table]) for fact in act.facts}


def _before(fact: TailRow, frame: pl.DataFrame) -> dict[str, Any] | None:
    table = TABLES[fact.table]
    for name in table.key:
        value = fact.content.get(name)
        time = table.column(name).kind is Kind.TIME
        frame = frame.filter(pl.col(name).eq_missing(pl.lit(value).cast(TIME) if time else pl.lit(value)))
    newest = frame.filter(pl.col("superseded_at").is_null()).to_dicts()
    if not newest or newest[0]["deleted"] or _said(content_of(fact.table, newest[0])) != _said(fact.content):
        raise ConflictError("What it led to has changed since; it cannot be taken back any more.")
    known = known_rows(frame, fact.stored_at).to_dicts()
    return content_of(fact.table, known[0]) if known else None


def _require_room(service: Service, act: Act, rows: Sequence[TailRow], state: AccountState, now: int) -> None:
    """A plan that comes back uses up a contact like one that is accepted: where facts were stored since the
    act every rule has to allow it, else those of every contact, since a load may bring what was stored
    elsewhere before it. One plan after the other."""
    newer = newest_stored(history_of(state)) > max((fact.stored_at for fact in act.facts), default=0)
    asked = None if newer else EVERY_CONTACT
    back = [row for fact, row in zip(act.facts, rows, strict=True) if _planned_again(act, fact, row)]
    said = [row for row in rows if row not in back]
    for plan in back:
        # What was done in its place is no more, and must not count against it.
        instead = replace(plan, content={**plan.content, "status": "cancelled"})
        service.require_allowed(state, [*said, instead], plan.content["treatment"], now=now, asked=asked)
        said.append(plan)


def _planned_again(act: Act, fact: TailRow, row: TailRow) -> bool:
    """Whether a plan that used up no contact any more is one again: it was cancelled, or done longer ago than
    it was ahead, so that a cap may have counted the plan and not what was done. Of what no treatment says no
    rule is asked."""
    held = row.content
    if row.table != "touchpoints" or held["status"] != "planned" or not held["treatment"]:
        return False
    status, behind = fact.content["status"], act.acted_at - int(fact.content["occurred_at"])
    longer = behind > int(held["occurred_at"]) - act.acted_at
    return status == "cancelled" or (status == "done" and longer)


def _said(content: Mapping[str, Any]) -> dict[str, Any]:
    """What a fact says, whether or not what it leaves open is written out."""
    return {name: value for name, value in content.items() if value is not None and name != "deleted"}


def _reversed(act: Act, fact: TailRow, before: dict[str, Any] | None) -> TailRow:
    content = {**fact.content, "deleted": True} if before is None else before
    return TailRow(f"undo:{act.act_id}:{fact.event_id}", fact.table, fact.account_id, content)


def _noted(act: Act, before: Mapping[str, Any]) -> dict[str, int]:
    """Touchpoints that the act may have written details of -> when the version took place that has them."""
    return {
        str(fact.content["touchpoint_id"]): int(fact.content["occurred_at"])
        for fact in act.facts
        if fact.table == "touchpoints" and (fact.content["status"] == "done" or before[fact.event_id] is None)
    }


def state_now(service: Service, suggestion_id: str) -> str:
    """What has become of a suggestion that was taken back: open again where it is still proposed."""
    try:
        return service.ledger.suggestion(suggestion_id).state
    except UnknownError:
        return "expired"
