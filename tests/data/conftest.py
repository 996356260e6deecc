"""A ledger with two accounts and the people who serve them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from data.ledger.ledger import Ledger
from tests.data.ledgers import accounts, team, users


@pytest.fixture
def ledger(ledger_url: str) -> Iterator[Ledger]:
    """Accounts a and b, served by u, who reports to boss."""
    opened = Ledger.create(ledger_url)
    opened.put_accounts(accounts("a", "b"))
    opened.put_users(users(u="boss", v=None, boss=None))
    opened.put_team(team(a="u", b="u"))
    yield opened
    opened.close()
