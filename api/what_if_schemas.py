"""What goes in and out over HTTP about hypothetical input."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, tzinfo
from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, Field

from api.schemas import Identifier, ReasonOut, Strict, reason_out
from api.what_if import Supposed
from data.ledger.types import Proposal
from data.times import to_datetime
from engine.explanation import Reason, headline
from engine.playbook import Playbook
from engine.wording import Reader


class SupposedEventIn(Strict):
    """An event as if it had come in: a row of the data contract."""

    table: Identifier = Field(description="touchpoints, responses, outcomes, preferences or offers.")
    row: dict[str, Any] = Field(
        max_length=40, description="Columns of the contract; times ISO 8601 with zone."
    )


Value = Annotated[str, Field(max_length=200)] | bool | int | float | None


class WhatIfIn(Strict):
    """What is supposed; without anything, the account as it is."""

    events: list[SupposedEventIn] = Field(default_factory=list, description="In the order of coming in.")
    facts: dict[str, Value] = Field(
        default_factory=dict, max_length=40, description="Columns of the table accounts, as if they were so."
    )
    at: AwareDatetime | None = Field(
        None, description="Decided as of then, at most a year ahead; default now."
    )


class ProposalOut(BaseModel):
    """What would be suggested."""

    treatment: str
    channel: str
    role: str
    rank: int = Field(description="Place on the account's list, 1 = first.")
    headline: str
    reasons: list[ReasonOut]
    priority: float = Field(description="In the currency beside it.")
    currency: str


class WhatIfOut(BaseModel):
    """Both lists at one moment, of the roles that I see; nothing was stored."""

    account_id: str
    decided_at: datetime
    as_it_is: list[ProposalOut]
    as_supposed: list[ProposalOut]


def what_if_out(
    supposed: Supposed, account_id: str, *, language: str, zone: tzinfo, playbook: Playbook
) -> WhatIfOut:
    """In the reader's language, as of the moment decided for."""
    reader = Reader(language, supposed.decided_at, zone, playbook)

    def shown(proposals: Iterable[Proposal]) -> list[ProposalOut]:
        return [_proposal_out(one, supposed.account_name, reader) for one in proposals]

    return WhatIfOut(
        account_id=account_id,
        decided_at=to_datetime(supposed.decided_at),
        as_it_is=shown(supposed.as_it_is),
        as_supposed=shown(supposed.as_supposed),
    )


def _proposal_out(proposal: Proposal, name: str, reader: Reader) -> ProposalOut:
    reasons = tuple(Reason(r["code"], r["facts"], r.get("amount")) for r in proposal.told)
    return ProposalOut(
        treatment=proposal.treatment,
        channel=proposal.channel,
        role=proposal.role,
        rank=proposal.rank,
        headline=headline(proposal.treatment, reasons, name, reader),
        reasons=[reason_out(reason, reader) for reason in reasons],
        priority=proposal.priority,
        currency=reader.playbook.currency,
    )
