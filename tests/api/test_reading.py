"""Sentences age where the reader is."""

from __future__ import annotations

import polars as pl
import pytest

from api.reading import zone_of
from data.ledger.types import User
from data.playbooks import read_playbook
from tests.api.company import Company


def lives_in(company: Company, timezone: str | None) -> None:
    row = {"user_id": "am", "name": "X", "role": "account_manager", "timezone": timezone}
    with company.ledger() as ledger:
        ledger.put_users(pl.DataFrame([row], schema_overrides={"timezone": pl.String()}))


@pytest.mark.parametrize(
    ("timezone", "account", "said"),
    [("Asia/Tehran", "a1", "this morning"), ("America/New_York", "a2", "9 hours ago")],
)
def test_this_morning_is_that_of_the_reader(company: Company, timezone: str, account: str, said: str) -> None:
    """Nine hours after 09:30 in Tehran it is evening there; in New York it is still the morning."""
    lives_in(company, timezone)
    company.clock.now = company.clock.now // 86_400_000_000 * 86_400_000_000 + 6 * 3_600_000_000
    company.reads_page("side_effects", account)
    company.clock.pass_time(hours=9)

    first = company.suggestions(account)[0]

    assert said in first["headline"]
    assert said in first["reasons"][0]["text"]


def test_the_next_day_it_was_yesterday(company: Company) -> None:
    """Also where fewer than 24 hours have passed."""
    lives_in(company, "Europe/Berlin")
    company.reads_page("side_effects", "a3")
    company.clock.pass_time(hours=23)

    assert "yesterday" in company.suggestions("a3")[0]["headline"]


@pytest.mark.parametrize("name", ["Mars/Olympus", "../etc/passwd", "Europe", "", None])
def test_a_zone_that_there_is_not_is_that_of_the_playbook(name: str | None) -> None:
    """A typing error in a master file must not take anybody's list away."""
    playbook = read_playbook("pharma")

    zone = zone_of(User("u", "U", "account_manager", timezone=name), playbook)

    assert str(zone) == playbook.default_timezone
