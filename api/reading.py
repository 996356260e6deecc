"""How a person reads: in her language and her time zone, as far as they are known."""

from __future__ import annotations

from datetime import UTC, tzinfo
from zoneinfo import ZoneInfo

from api.service import Service
from data.ledger.types import User
from engine.playbook import Playbook
from engine.wording import Reader


def reader_of(user: User, service: Service) -> Reader:
    """She, as she reads now."""
    playbook = service.decider().playbook
    return Reader(language_of(user, playbook), service.clock(), zone_of(user, playbook), playbook)


def language_of(user: User, playbook: Playbook) -> str:
    """The user's language where the playbook has it, else the playbook's first."""
    return user.language if user.language in playbook.languages else playbook.languages[0]


def zone_of(user: User, playbook: Playbook) -> tzinfo:
    """The user's time zone, else the playbook's, else UTC; a name that no zone has counts as none."""
    for name in (user.timezone, playbook.default_timezone):
        try:
            return ZoneInfo(name or "")
        except (KeyError, ValueError, OSError):
            continue
    return UTC
