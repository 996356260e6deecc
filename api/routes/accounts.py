"""The accounts that I serve: found by name, what is known of one, and what happened with it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from api.access import PageSize, ReadableAccount, Serving, SignedIn, may, roles_seen
from api.account_schemas import AboutOut, AccountOut, about_out
from api.accounts import about_account, matching, touchpoints_of
from api.hand_over_schemas import TimelineOut, timeline_out
from api.paging import LINK, Pages
from api.problems import Problem
from api.service import Service
from data.ledger.types import User
from data.times import micros

router = APIRouter(
    prefix="/v1",
    tags=["accounts"],
    dependencies=[may("accounts")],
    responses={s: {"model": Problem} for s in (401, 403, 404, 422)},
)

_ALL = 100_000
"""More touchpoints than an account has."""

Sought = Annotated[str, Query(max_length=200, description="Beginnings of words of the name, or the id.")]


@router.get("/accounts", responses=LINK)
def find_accounts(
    user: SignedIn, service: Serving, pages: Pages, limit: PageSize, q: Sought = ""
) -> list[AccountOut]:
    """Accounts that I serve, or somebody below me, by name; 50 a page unless asked for more."""
    return pages.of(accounts_found(user, service, q), _by_name, limit or 50)


def accounts_found(user: User, service: Service, text: str) -> list[AccountOut]:
    """Those that match, by name."""
    found = matching(service.ledger.accounts_served(user.user_id), text)
    return sorted((AccountOut(account_id=a, account_name=name) for a, name in found), key=_by_name)


@router.get("/accounts/{account_id}")
def about(account: ReadableAccount, user: SignedIn, service: Serving) -> AboutOut:
    """What is known of an account now."""
    names = {one.user_id: one.name for one in service.ledger.users()}
    return about_out(about_account(service, account), names)


@router.get("/accounts/{account_id}/timeline", responses=LINK)
def what_happened(
    account: ReadableAccount, user: SignedIn, service: Serving, pages: Pages, limit: PageSize
) -> list[TimelineOut]:
    """Touchpoints of all colleagues that my role may read of, the latest first, plans among them; 100 a page
    unless asked for more."""
    return pages.of(timeline_of(account, user, service, limit=_ALL), _latest_first, limit or 100)


def timeline_of(account: str, user: User, service: Service, *, limit: int) -> list[TimelineOut]:
    """The latest touchpoints that she may read of."""
    roles = roles_seen(service, user, account)
    return [timeline_out(entry) for entry in touchpoints_of(service, account, roles, limit=limit)]


def _by_name(account: AccountOut) -> list[str | int]:
    return [account.account_name, account.account_id]


def _latest_first(entry: TimelineOut) -> list[str | int]:
    return [-micros(entry.at), entry.touchpoint_id]
