"""Bearer tokens of users."""

from __future__ import annotations

from data.ledger.ledger import Ledger
from data.settings import Settings
from data.times import now_micros
from engine.records import DAY_MICROS


def issue(settings: Settings, user_id: str) -> str:
    """A new token of a user. Raises UnknownError for a user that the ledger does not have."""
    ledger = Ledger.open(settings.as_home())
    try:
        now = now_micros()
        return ledger.issue_token(user_id, now=now, expires_at=now + round(settings.token_days * DAY_MICROS))
    finally:
        ledger.close()
