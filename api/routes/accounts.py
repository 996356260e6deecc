"""The accounts that I serve: found by name, what is known of one, and what happened with it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from api.access import ReadableAccount, Serving, SignedIn, roles_seen
from api.account_schemas import AboutOut, AccountOut, about_out
from api.accounts import about_account, matching, touchpoints_of
from api.hand_over_schemas import TimelineOut, timeline_out
from api.problems import Problem

router = APIRouter(tags=["accounts"], responses={s: {"model": Problem} for s in (401, 404, 422)})

Sought = Annotated[str, Query(max_length=200, description="Beginnings of words of the name, or the id.")]
Most = Annotated[int, Query(ge=1, le=500, description="At most so many.")]


@router.get("/accounts")
def find_accounts(user: SignedIn, service: Serving, q: Sought = "", limit: Most = 50) -> list[AccountOut]:
    """Accounts that I serve, or somebody below me, by name."""
    found = matching(service.ledger.accounts_served(user.user_id), q)[:limit]
    return [AccountOut(account_id=account, account_name=name) for account, name in found]


@router.get("/accounts/{account_id}")
def about(account: ReadableAccount, user: SignedIn, service: Serving) -> AboutOut:
    """What is known of an account now."""
    names = {one.user_id: one.name for one in service.ledger.users()}
    return about_out(about_account(service, account), names)


@router.get("/accounts/{account_id}/timeline")
def what_happened(
    account: ReadableAccount, user: SignedIn, service: Serving, limit: Most = 200
) -> list[TimelineOut]:
    """Touchpoints of all colleagues that my role may read of, the latest first, plans among them."""
    roles = roles_seen(service, user, account)
    return [timeline_out(entry) for entry in touchpoints_of(service, account, roles, limit=limit)]
