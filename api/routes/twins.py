"""Similar accounts that buy much more, and what was tried on them."""

from __future__ import annotations

from fastapi import APIRouter

from api.access import ReadableAccount, Serving, SignedIn, may
from api.problems import Problem
from api.twin_schemas import TwinsOut, twins_out
from api.twins import seen_twins

router = APIRouter(
    prefix="/v1",
    tags=["twins"],
    dependencies=[may("accounts")],
    responses={s: {"model": Problem} for s in (401, 403, 404, 422)},
)


@router.get("/accounts/{account_id}/twins")
def twins(account: ReadableAccount, user: SignedIn, service: Serving) -> TwinsOut:
    """What similar accounts buy more, and which approaches worked and failed on how many.

    Rows are opened of accounts that the reader serves; of all others there is nothing but the counts.
    """
    ledger, playbook = service.ledger, service.decider().playbook
    seen = seen_twins(ledger, account, playbook, lambda twin: ledger.serves(user.user_id, twin))
    return twins_out(account, seen)
