"""A contact decided at night is posted at once and says from when on it may go out."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.api.company import Company, served, tables_of
from tests.data.files import account


@pytest.fixture
def company(tmp_path: Path):
    tables = tables_of(["a1", "a2"])
    tables["accounts"] = [
        account("a1", potential_value=40_000, timezone="Europe/Berlin", country="DE"),
        account("a2", potential_value=40_000, timezone="Pacific/Auckland", country="NZ"),
    ]
    with served(tmp_path, tables) as company:
        yield company


def test_every_suggestion_says_from_when_on_it_may_be_carried_out(company: Company) -> None:
    """Live and by night alike: at 04:00 in Greenwich it is 05:00 in Berlin and working time in Auckland."""
    company.clock.now -= 2 * 3_600_000_000
    now = datetime.fromisoformat(company.clock.iso())
    automated = {"email", "podcast", "app"}

    for decide in (lambda: [company.reads_page(account_id=a) for a in ("a1", "a2")], company.night):
        decide()

        berlin, auckland = (company.suggestions(account_id) for account_id in ("a1", "a2"))
        assert len(berlin) > 1
        assert len(auckland) > 1
        for suggestion in berlin:
            hour = 6 if suggestion["channel"] in automated else 7
            assert datetime.fromisoformat(suggestion["not_before"]) == now.replace(hour=hour)
        for suggestion in auckland:
            assert datetime.fromisoformat(suggestion["not_before"]) - now < timedelta(seconds=1)
