"""What a colleague suggests herself, as it comes in over HTTP."""

from __future__ import annotations

from typing import Annotated

from pydantic import AwareDatetime, Field

from api.own_suggestions import Idea
from api.schemas import Identifier, Strict
from data.times import micros


class IdeaIn(Strict):
    """What she wants to do with the account."""

    event_id: Identifier = Field(description="Hers; sent twice, it is one suggestion.")
    treatment: Identifier
    at: AwareDatetime | None = Field(None, description="Planned for; default: tomorrow.")
    note: Annotated[str, Field(max_length=4000)] | None = None
    override: Annotated[str, Field(min_length=1, max_length=1000)] | None = Field(
        None, description="Why a policy of the playbook is not to hold her back, where it may be overridden."
    )

    def idea(self, account_id: str) -> Idea:
        """The idea in the service's words."""
        at = None if self.at is None else micros(self.at)
        return Idea(self.event_id, account_id, self.treatment, at, self.note, self.override)
