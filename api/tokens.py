"""Bearer tokens of users."""

from __future__ import annotations

import polars as pl

from api.access import JOB_ROLE
from data.ledger.ledger import Ledger
from data.settings import Settings
from data.times import now_micros
from engine.records import DAY_MICROS


def issue(settings: Settings, user_id: str, *, job: bool = False) -> str:
    """A new token of a user. `job` makes the user first: technical, sends events of every account.

    Raises UnknownError for a user that the ledger does not have.
    """
    ledger = Ledger.open(settings.as_home().ledger_url)
    try:
        if job:
            ledger.put_users(pl.DataFrame({"user_id": [user_id], "name": [user_id], "role": [JOB_ROLE]}))
        now = now_micros()
        return ledger.issue_token(user_id, now=now, expires_at=now + round(settings.token_days * DAY_MICROS))
    finally:
        ledger.close()
