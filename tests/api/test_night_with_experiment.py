"""A whole night while a standing test runs: everybody is decided in her arm, from the file to the page."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from api.cli import assemble
from api.replay import replay
from data.ingest import take_over
from data.ledger.types import LoggedDecision
from data.playbooks import playbook_text, read_playbook
from data.progress import quiet
from engine.experiments import ARMS, Experiment
from engine.records import NO_CONTACT
from tests.api.company import Company, load, served, tables_of
from tests.data.files import UNTIL, iso, outcome

ACCOUNTS = [f"e{n:02d}" for n in range(48)]
SECTION = f"""
[experiment]
starts = {iso(UNTIL - timedelta(days=1))}
arms = ["control:0.3", "random_eligible:0.3"]
weeks = 12
"""


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    """Two nights of 48 accounts, with something that happened on the day between."""
    folder = tmp_path_factory.mktemp("test")
    book = folder / "book.toml"
    book.write_text(playbook_text("pharma") + SECTION, encoding="utf-8")
    with served(folder / "home", tables_of(ACCOUNTS), playbook=str(book)) as company:
        company.night(ignore_freshness=True)
        company.clock.pass_time(hours=3)
        for account_id in ACCOUNTS[:6]:
            company.reads_page("side_effects", account_id)
        company.clock.pass_time(hours=21)
        company.night(ignore_freshness=True)
        yield company


def running(company: Company) -> Experiment:
    found = read_playbook(company.settings.playbook).experiment
    assert found is not None
    return found


def decided(company: Company) -> list[LoggedDecision]:
    with company.ledger() as ledger:
        return ledger.logged.every(after=(-1, ""), until=company.clock() + 1, limit=10_000)


def arm_of(company: Company, account_id: str) -> str:
    return ARMS[running(company).arm_of(account_id)]


def arm_in(decision: LoggedDecision) -> Any:
    """As it stands in the record, of a night or whole."""
    arm = decision.record["arm"]
    return arm if isinstance(arm, str) else arm[0]


def test_every_decision_of_night_and_day_is_taken_in_the_arm_of_its_account(company: Company) -> None:
    """Whoever changed arms in the middle would be evidence for neither."""
    found = decided(company)

    assert {decision.account_id for decision in found} == set(ACCOUNTS)
    assert len(found) == 2 * len(ACCOUNTS) + 6
    assert [arm_in(each) for each in found] == [arm_of(company, each.account_id) for each in found]
    counts = Counter(arm_of(company, account_id) for account_id in ACCOUNTS)
    assert min(counts[arm] for arm in ("engine", "control", "random_eligible")) >= 6


def test_control_is_suggested_nothing_and_the_others_are(company: Company) -> None:
    """On the page as in the ledger; no contact was certain, and so it is logged."""
    shown = Counter(arm_of(company, each) for each in ACCOUNTS if company.suggestions(each))

    assert shown["control"] == 0
    assert shown["engine"] == sum(arm_of(company, each) == "engine" for each in ACCOUNTS)
    assert shown["random_eligible"] > 0
    control = [each for each in decided(company) if arm_in(each) == "control"]
    assert {(each.treatment, each.probability) for each in control} == {(NO_CONTACT, 1.0)}


def test_what_was_drawn_at_random_has_the_chance_of_its_set(company: Company) -> None:
    """1 / m among m that were eligible, no contact among them: what learning rests on."""
    drawn = [
        each for each in decided(company) if arm_in(each) == "random_eligible" and "night" in each.record
    ]

    assert len({each.treatment for each in drawn}) > 2
    for each in drawn:
        could = each.record["eligible"].split("|")
        assert each.treatment in could
        assert each.probability == pytest.approx(1.0 / len(could), rel=1e-12)


def test_the_nights_are_replayed_to_the_bit(company: Company) -> None:
    """The arm is part of what decided, so a replay must find it again."""
    found = replay(company.settings, 0, company.clock() + 1)

    assert (found.nights, found.live) == (2 * len(ACCOUNTS), 6)
    assert not found.missing
    assert found.agrees


def test_the_report_reads_the_arms_that_the_nights_used(company: Company, tmp_path: Path) -> None:
    """From the first night to the comparison a board reads."""
    home, now = company.settings.as_home(), UNTIL + timedelta(days=20)
    rows = [
        outcome(f"o-{account_id}", account_id, occurred_at=iso(UNTIL + timedelta(days=5)),
                value=50.0 if arm_of(company, account_id) == "control" else 100.0 + place)
        for place, account_id in enumerate(ACCOUNTS)
    ]  # fmt: skip
    load(home.root, {"outcomes": rows}, loaded_at=company.clock(), playbook=company.settings.playbook)
    with company.ledger() as ledger:
        take_over(home, ledger, company.clock(), quiet)

    result = CliRunner().invoke(
        assemble(),
        ["experiment", "report", "--home", str(home.root), "--playbook", company.settings.playbook,
         "--as-of", iso(now), "--json"],
    )  # fmt: skip

    assert result.exit_code == 0, result.exception
    found = json.loads(result.stdout)
    counts = Counter(arm_of(company, account_id) for account_id in ACCOUNTS)
    assert {arm["arm"]: arm["accounts"] for arm in found["arms"]} == counts
    whole = next(each for each in found["comparisons"] if each["against"] == "control")
    assert whole["finding"] == "more"
    assert whole["method"] == "randomisation"
