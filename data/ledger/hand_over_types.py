"""Hand-overs as the ledger takes and gives them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

HandOverKind = Literal["asked", "qualified", "safety"]
HandOverState = Literal["asked", "accepted", "done", "returned", "rejected", "escalated"]
HandOverVerb = Literal["accept", "done", "reject", "close"]


@dataclass(frozen=True)
class NewHandOver:
    """A hand-over about to be made; times in microseconds UTC.

    Attributes:
        kind: "asked" by a person, "qualified" by a rule of the playbook, "safety" = a reported side effect.
        rule: Of the playbook, where one qualified the account.
        touchpoint_id: What was reported, or the touchpoint that it is about.
        by_user: None = by rule, in the name of `by_role`.
        to_user: None = whoever has the role.
        due_at: None = no service level.
        stage: Of the account, where it is known.
        note: Free text; kept apart as personal.
        again_micros: Of a rule: how long after an earlier one it makes none.
    """

    hand_over_id: str
    account_id: str
    kind: HandOverKind
    by_role: str
    to_role: str
    rule: str | None = None
    suggestion_id: str | None = None
    treatment: str | None = None
    topic: str | None = None
    touchpoint_id: str | None = None
    by_user: str | None = None
    to_user: str | None = None
    due_at: int | None = None
    stage: str | None = None
    note: str | None = None
    again_micros: int | None = None


@dataclass(frozen=True)
class HandOver:
    """A hand-over as it stands; `texts`: note, answer, comment, remark - what people wrote."""

    hand_over_id: str
    account_id: str
    account_name: str
    kind: HandOverKind
    rule: str | None
    suggestion_id: str | None
    treatment: str | None
    topic: str | None
    touchpoint_id: str | None
    by_role: str
    by_user: str | None
    to_role: str
    to_user: str | None
    stage: str | None
    state: HandOverState
    reason: str | None
    asked_at: int
    due_at: int | None
    answered_by: str | None
    answered_at: int | None
    closed_at: int | None
    escalated_at: int | None
    escalated_to: str | None
    texts: Mapping[str, str] = field(default_factory=dict)

    def late(self, now: int) -> bool:
        """Whether it was, or is, not done in time."""
        return self.due_at is not None and (self.closed_at or now) > self.due_at
