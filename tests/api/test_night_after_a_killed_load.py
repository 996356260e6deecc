"""A load dies, nobody notices, and the night comes: the lists are those of a load that went well."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from api.nightly import run_night
from data.home import Home
from data.ledger.ledger import Ledger
from engine.records import DAY_MICROS
from tests.api.company import NOW, Clock, load, settings_of, tables_of
from tests.data.files import account, preference, team_member, touchpoint, write_csv
from tests.data.homes import killed

ACCOUNTS = ["k1", "k2", "k3", "k4"]
LATER = NOW + DAY_MICROS // 2


def news() -> dict[str, list[dict[str, Any]]]:
    """A contact with each account, a wish, another name, and an account that nobody knew."""
    known, new = ACCOUNTS[0], "k5"
    asked = '{"question": "Twice a day?"}'
    return {
        "accounts": [account(known, name="Dr Renamed"), account(new, name="Dr Fifth", potential_value=9_000)],
        "account_team": [team_member(new, role="account_manager", user_id="am")],
        "touchpoints": [
            touchpoint(f"n-{a}", a, channel="website", direction="inbound", topic="dosing", details=asked)
            for a in ACCOUNTS
        ],
        "preferences": [preference("k2", channel="*", purpose="marketing", status="opt_out")],
    }


def lists(home: Home, now: int) -> list[Any]:
    """What is on show, with names, and what accounts said."""
    ledger = Ledger.open(home)
    known = sorted(ledger.versions())
    found = [
        [(s.account_name, s.treatment, s.role, s.state, s.rank, s.priority, s.reasons)
         for s in ledger.suggestions(one, now=now)]
        for one in known
    ]  # fmt: skip
    told = ledger.told(known, after=0)
    ledger.close()
    return [known, found, told]


@pytest.mark.parametrize(
    ("stage", "count"),
    [
        ("data.history:HistoryStore._swap", 0), ("data.ledger.ledger:Ledger.put_accounts", 1),
        ("data.ledger.ledger:Ledger.replace_blocks", 1), ("data.ledger.ledger:Ledger.put_personal", 0),
    ],
)  # fmt: skip
def test_the_lists_are_those_of_a_load_that_went_well(
    tmp_path: Path, ledger_url: str, stage: str, count: int
) -> None:
    """Until then yesterday's lists are on show; nothing is lost, and nothing is there twice."""
    died, went_well = settings_of(tmp_path / "died", ledger_url=ledger_url), settings_of(tmp_path / "well")
    for settings in (died, went_well):
        load(settings.home, tables_of(ACCOUNTS), ledger_url=settings.ledger_url)
        run_night(settings, as_of=NOW, clock=Clock(NOW))
    yesterday = [found for found in lists(died.as_home(), NOW + 1)[1] if found]
    folder = write_csv(tmp_path / "news", news())
    load(went_well.home, news(), loaded_at=LATER)

    killed(died.as_home(), ["ingest", str(folder)], LATER, stage, count)

    between = [found for found in lists(died.as_home(), NOW + 1)[1] if found]
    for settings in (died, went_well):
        run_night(settings, clock=Clock(LATER + 10**6))
    assert [[one[1:] for one in found] for found in between] == [
        [one[1:] for one in found] for found in yesterday
    ]
    assert lists(died.as_home(), LATER + 10**7) == lists(went_well.as_home(), LATER + 10**7)
