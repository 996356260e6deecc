"""Twins as they go out over HTTP and on the command line."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from api.twins import SeenTwins, purchases, tries
from data.times import to_datetime
from engine.playbook import Playbook
from engine.wording import Reader, approach


class MoneyOut(BaseModel):
    """An amount a year with its 90 % interval."""

    value: float
    low: float
    high: float


class SeenAccountOut(BaseModel):
    """A similar account of the reader's own."""

    account_id: str
    account_name: str


class ContactOut(BaseModel):
    """A touchpoint of an approach."""

    touchpoint_id: str
    at: datetime
    channel: str
    treatment: str | None


class PurchaseOut(BaseModel):
    """An outcome."""

    outcome_id: str
    at: datetime
    kind: str
    product: str | None
    value: float


class TryOut(BaseModel):
    """One account on which an approach was tried."""

    account_id: str
    account_name: str
    touchpoints: list[ContactOut]
    purchase: PurchaseOut | None = Field(description="The larger purchase that followed; none = it failed.")


class ApproachOut(BaseModel):
    """What was tried on similar accounts: each counts once, the first time."""

    steps: list[str]
    worked: int
    failed: int
    share_low: float
    share_high: float
    worked_on: list[TryOut] = Field(description="Those of the accounts that the reader serves.")
    failed_on: list[TryOut] = Field(description="Those of the accounts that the reader serves.")


class BoughtOut(BaseModel):
    """One purchase of an item by a twin."""

    account_id: str
    account_name: str
    outcome_id: str
    at: datetime
    amount: float


class ItemOut(BaseModel):
    """A product, or kind of outcome: what the account and on average its twins bought of it in the window."""

    item: str
    own: float
    twins: float
    buyers: int
    bought: list[BoughtOut] = Field(description="By those of the twins that the reader serves.")


class TwinsOut(BaseModel):
    """Similar accounts that buy much more; amounts in the currency."""

    account_id: str
    looked_for: bool = Field(description="Whether a night has looked; false = nothing can be said.")
    as_of: datetime | None = Field(description="What was stored before it was compared.")
    known_since: datetime | None
    currency: str
    window_days: float | None
    unrealised: MoneyOut | None = Field(description="A year, beyond what the account buys; none = no claim.")
    own_value: float | None = Field(description="What the account bought in the window.")
    similar: int
    twins: int
    seen: list[SeenAccountOut] = Field(description="Those of the twins that the reader serves.")
    items: list[ItemOut]
    approaches: list[ApproachOut]


def twins_out(account_id: str, seen: SeenTwins) -> TwinsOut:
    """What is known of an account's twins."""
    known, finding, playbook = seen.known, seen.finding, seen.playbook
    content: dict[str, Any] = dict(finding.content) if finding else {}
    return TwinsOut(
        account_id=account_id,
        looked_for=known is not None,
        as_of=to_datetime(known.as_of) if known else None,
        known_since=to_datetime(known.stored_at) if known else None,
        currency=playbook.currency,
        window_days=playbook.twins.window_days if playbook.twins else None,
        unrealised=MoneyOut(
            value=finding.unrealised_value, low=finding.unrealised_low, high=finding.unrealised_high
        ) if finding else None,
        own_value=content.get("own"),
        similar=len(content.get("similar", ())),
        twins=len(content.get("twins", ())),
        seen=[
            SeenAccountOut(account_id=twin, account_name=seen.names[twin])
            for twin in content.get("twins", ()) if twin in seen.names
        ],
        items=[_item_out(item, seen) for item in content.get("items", ())],
        approaches=[_approach_out(approach, seen) for approach in content.get("approaches", ())],
    )  # fmt: skip


def _item_out(item: dict[str, Any], seen: SeenTwins) -> ItemOut:
    bought = purchases(seen, item["item"], item["buyers"])
    return ItemOut(
        item=item["item"],
        own=item["own"],
        twins=item["twins"],
        buyers=len(item["buyers"]),
        bought=[BoughtOut(**(row | {"at": to_datetime(row["at"])})) for row in bought],
    )


def _approach_out(approach: dict[str, Any], seen: SeenTwins) -> ApproachOut:
    return ApproachOut(
        steps=approach["steps"],
        worked=len(approach["worked"]),
        failed=len(approach["failed"]),
        share_low=approach["low"],
        share_high=approach["high"],
        worked_on=[_try_out(row) for row in tries(seen, approach["worked"])],
        failed_on=[_try_out(row) for row in tries(seen, approach["failed"])],
    )


def _try_out(row: dict[str, Any]) -> TryOut:
    purchase = row["purchase"]
    return TryOut(
        account_id=row["account_id"],
        account_name=row["account_name"],
        touchpoints=[
            ContactOut(touchpoint_id=t["touchpoint_id"], at=t["occurred_at"], channel=t["channel"],
                       treatment=t["treatment"])
            for t in row["touchpoints"]
        ],
        purchase=None if purchase is None else PurchaseOut(
            outcome_id=purchase["outcome_id"], at=purchase["occurred_at"], kind=purchase["kind"],
            product=purchase["product"], value=purchase["value"],
        ),
    )  # fmt: skip


def lines(found: TwinsOut, name: str, playbook: Playbook) -> list[str]:
    """The same for a person."""
    if not found.looked_for:
        return [f"{name}: no night has looked for twins yet. They need [twins] in the playbook and a night."]
    gap = found.unrealised
    if gap is None:
        return [
            f"{name}: nothing is claimed; no similar account surely buys more (as of {found.as_of:%Y-%m-%d})."
        ]
    reader = Reader("en", 0, None, playbook)
    return [
        f"{name}: similar accounts buy {gap.value:,.0f} {found.currency} more a year ({gap.low:,.0f} to "
        f"{gap.high:,.0f}, 90 % interval); as of {found.as_of:%Y-%m-%d}",
        f"  {found.twins} twins of {found.similar} similar accounts; it bought {found.own_value:,.0f} in "
        f"{found.window_days:g} days",
        "  what they buy, on average each",
        *(f"    {item.item:<28}{item.twins:>12,.0f}, this account {item.own:,.0f}; {item.buyers} twins buy it"
          for item in found.items),
        "  what was tried on similar accounts",
        *(f"    {approach('|'.join(tried.steps), reader):<36} worked for {tried.worked} of "
          f"{tried.worked + tried.failed}, failed for {tried.failed}" for tried in found.approaches),
    ]  # fmt: skip
