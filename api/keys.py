"""Keys of jobs: made, with what they may be used for."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

from api.capabilities import ALL, JOB_ROLE, may_do
from data.ledger.ledger import Ledger
from data.playbooks import read_playbook
from data.settings import Settings
from data.times import now_micros
from engine.records import DAY_MICROS, EngineError


class KeyScopeError(EngineError):
    """A key was asked for something that there is not, or that its role may not."""


def create_key(
    settings: Settings,
    user_id: str,
    scopes: Sequence[str],
    *,
    role: str = JOB_ROLE,
    days: float | None = None,
    now: int | None = None,
) -> tuple[str, str]:
    """A new key of a technical user, made where she is not there: (its id, the key).

    Args:
        role: Hers. One of the playbook reads and does what that role may for accounts in whose teams she is.
        days: How long it lasts; None = as tokens do by the settings.
        now: Microseconds UTC; None = now.

    Raises:
        KeyScopeError: A scope is unknown or not the role's.
        ConflictError: The id is a colleague's.
    """
    _check(scopes, role, settings)
    now = now_micros() if now is None else now
    expires_at = now + round((days or settings.token_days) * DAY_MICROS)
    ledger = Ledger.open(settings.as_home())
    try:
        return ledger.keys.create(user_id, scopes, role=role, now=now, expires_at=expires_at)
    finally:
        ledger.close()


def _check(scopes: Sequence[str], role: str, settings: Settings) -> None:
    if not scopes:
        raise KeyScopeError(f"A key needs a scope at least; there are {', '.join(ALL)}.")
    allowed = may_do(role, read_playbook(settings.playbook), leads=False)
    for scope in scopes:
        if scope not in ALL:
            close = get_close_matches(scope, ALL, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(ALL)}."
            raise KeyScopeError(f"Unknown scope {scope!r}, {hint}")
        if scope not in allowed:
            may = ", ".join(sorted(allowed)) or "nothing"
            raise KeyScopeError(f"The role {role!r} may not {scope!r}; it may {may}.")
