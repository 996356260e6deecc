"""A minimum without a price: the plan keeps it, or names whom it fails and what stands in the way."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from api.nightly import run_night
from data.ledger.ledger import Ledger
from data.playbooks import playbook_text
from tests.api.company import NOW, TEAM, Clock, load, settings_of, tables_of
from tests.bad_input.commands import runner
from tests.data.files import account, user

NAMES = [f"m{n:02}" for n in range(10)]
POOR, RICH = NAMES[:4], NAMES[4:]
"""Accounts that hardly buy and are due, and accounts that earn more and are not."""
SEEN = """
[minimums.seen]
applies = "channel = 'visit'"
when = "segment = 'C' and coalesce(days_since_visit, 999) > 80"
"""


@pytest.mark.parametrize(("minutes", "met"), [(60, 4), (30, 1)])
def test_whoever_is_due_is_seen_while_there_is_time_and_else_is_named(
    minutes: int, met: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two visits on each of two days are four accounts; one visit in all is one, and three wait."""
    book = tmp_path / "seen.toml"
    text = playbook_text("pharma").replace("exploration_share = 0.02", "exploration_share = 0")
    book.write_text(text + SEEN, encoding="utf-8")
    days = ("friday", "monday") if met > 1 else ("monday",)
    busy = {f"{day}_minutes": minutes for day in days}
    tables = tables_of(NAMES)
    tables["users"] = [
        user(user_id, name=user_id, role=role, **(busy if user_id == "am" else {}))
        for role, user_id in TEAM.items()
    ]
    tables["accounts"] = [
        account(name, name=name, segment="C" if name in POOR else "A", country="DE") for name in NAMES
    ]
    load(tmp_path, tables)
    settings = settings_of(tmp_path, playbook=str(book))

    run_night(settings, as_of=NOW, clock=Clock())
    told = json.loads(runner(tmp_path, capsys)("plan", "--json").out)["minimums"]["seen"]
    ledger = Ledger.open(settings.as_home().ledger_url)
    plan = ledger.plans.of_person("am")
    ledger.close()

    assert plan is not None
    visits = [item.account_id for item in plan.items if item.day is not None and item.due == "seen"]
    assert (told["due"], told["met"], len(told["unmet"])) == (4, met, 4 - met)
    assert len(visits) == met
    assert set(visits) <= set(POOR)
    assert {one["account_id"] for one in told["unmet"]} == set(POOR) - set(visits)
    assert {one["code"] for one in told["unmet"]} <= {"hours"}
    assert all(one["by"][0] in visits for one in told["unmet"])
