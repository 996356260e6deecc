"""An account as it goes out over HTTP: who it is, what it permits, what was offered, what happened."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, Field

from api.accounts import About


class AccountOut(BaseModel):
    """An account of the reader's team."""

    account_id: str
    account_name: str


class ColleagueOut(BaseModel):
    """Who serves an account in which role."""

    role: str
    user_id: str
    name: str


class PreferenceOut(BaseModel):
    """What the account permits or likes."""

    channel: str
    purpose: str
    kind: str = Field(description="permission or liking.")
    status: str
    since: datetime


class OfferOut(BaseModel):
    """An offer that is open."""

    offer_id: str
    product: str | None
    topic: str | None
    price: float | None
    currency: str | None
    opened_at: datetime
    expires_at: datetime | None


class OutcomeOut(BaseModel):
    """What the company lives from."""

    at: datetime
    kind: str
    product: str | None
    value: float


class AboutOut(AccountOut):
    """What is known of an account now."""

    stage: str | None = Field(description="Of the playbook's journey; null where it is not known.")
    facts: dict[str, str | float | bool] = Field(description="Columns of the table accounts.")
    team: list[ColleagueOut]
    preferences: list[PreferenceOut]
    offers: list[OfferOut]
    outcomes: list[OutcomeOut] = Field(description="Of the last year, the latest first.")


def about_out(about: About, names: dict[str, str]) -> AboutOut:
    """What is known of an account; `names`: user_id -> name."""
    return AboutOut(
        account_id=about.account_id,
        account_name=about.name,
        stage=about.stage,
        facts=dict(about.facts),
        team=[ColleagueOut(role=role, user_id=user, name=names.get(user, user))
              for role, user in about.team.items()],
        preferences=[PreferenceOut(**row) for row in about.preferences],
        offers=[OfferOut(**row) for row in about.offers],
        outcomes=[OutcomeOut(**row) for row in about.outcomes],
    )  # fmt: skip
