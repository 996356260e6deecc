"""What goes out over HTTP when something is explained: why not, and what would change it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from api.schemas import ReasonOut, reason_out
from api.service import Turned, WhyNot
from data.times import to_datetime
from engine.explanation import Objection, change_words, objection_words, why_not_words
from engine.playbook import Playbook
from engine.wording import Reader


class ObjectionOut(BaseModel):
    """One rule that keeps a treatment away."""

    stage: str
    rule: str
    unknown: bool = Field(description="Whether it objects because a fact is not known.")
    text: str
    facts: dict[str, Any]


class RuleOut(ObjectionOut):
    """One rule that is about a treatment, satisfied or not."""

    passed: bool


class WhyNotOut(BaseModel):
    """Why a treatment is not suggested; where it is, the reasons why."""

    account_id: str
    treatment: str
    suggested: bool
    decided_at: datetime
    summary: str = Field(description="One sentence: the first rule in the way. Empty where it is suggested.")
    objections: list[ObjectionOut]
    reasons: list[ReasonOut]
    rules: list[RuleOut] = Field(description="Every rule that is about it in funnel order, satisfied or not.")


class ChangeOut(BaseModel):
    """One change after which another treatment goes first."""

    code: str
    text: str
    facts: dict[str, Any]
    distance_days: float = Field(description="How far away it is; docs/reasons.md says how that is counted.")
    first: str = Field(description="The treatment that goes first then.")


class TurningOut(BaseModel):
    """What would change the first choice of an account."""

    account_id: str
    decided_at: datetime
    first: str | None = Field(description="What goes first now; null = something for another role.")
    text: list[str] = Field(description="The changes in words, or one sentence that nothing would do.")
    changes: list[ChangeOut] = Field(description="The nearest of each kind, nearest first; each was decided.")
    tried: int = Field(description="Changes that were tried.")


def why_not_out(found: WhyNot, account_id: str, treatment: str, reader: Reader) -> WhyNotOut:
    """Why not, in the reader's language."""

    def told(each: Objection) -> dict[str, Any]:
        parts = {"stage": each.stage, "rule": each.rule, "unknown": each.unknown, "facts": dict(each.facts)}
        return parts | {"text": objection_words(each, reader), "passed": each.passed}

    return WhyNotOut(
        account_id=account_id,
        treatment=treatment,
        suggested=bool(found.reasons),
        decided_at=to_datetime(found.decided_at),
        summary=why_not_words(found.objections, reader) if found.objections else "",
        objections=[ObjectionOut(**_without_passed(told(each))) for each in found.objections],
        reasons=[reason_out(reason, reader) for reason in found.reasons],
        rules=[RuleOut(**told(each)) for each in found.rules],
    )


def _without_passed(told: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in told.items() if name != "passed"}


def turning_out(
    turned: Turned, account_id: str, *, seen: frozenset[str], language: str, now: int, playbook: Playbook
) -> TurningOut:
    """What would change it, in the reader's language.

    Args:
        seen: Treatments that the reader may see.
    """
    turning = turned.turning
    said = change_words(turning, Reader(language, now, None, playbook))
    return TurningOut(
        account_id=account_id,
        decided_at=to_datetime(turned.decided_at),
        first=turning.first if turning.first in seen else None,
        text=list(said),
        changes=[
            ChangeOut(code=change.code, text=text, facts=dict(change.facts),
                      distance_days=change.distance_days, first=change.first)
            for change, text in zip(turning.changes, said, strict=False)
        ],
        tried=turning.tried,
    )  # fmt: skip
