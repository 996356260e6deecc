"""A standing test from the command line: what it has shown, and what it could show."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from api.cli import assemble
from data.ingest import ingest
from data.ledger.ledger import Ledger
from data.playbook_versions import keep_playbook
from data.playbooks import playbook_text, read_playbook
from data.settings import Settings
from engine.contract import TABLES
from engine.experiments import CONTROL, Arm
from engine.playbook import PlaybookError, parse_playbook
from tests.data.files import UNTIL, account, iso, micros, outcome, team_member, user, write_csv

WEEKS, ACCOUNTS = 12, 240
STARTS = UNTIL - timedelta(weeks=WEEKS)
SECTION = f"""
[experiment]
starts = {iso(STARTS)}
arms = ["control:0.4"]
weeks = {WEEKS}
"""


def run(*arguments: str) -> Result:
    return CliRunner().invoke(assemble(), ["experiment", *arguments])


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A home and a playbook: in control two prescriptions in twelve weeks, with the engine three."""
    folder = tmp_path_factory.mktemp("test")
    book = folder / "book.toml"
    book.write_text(playbook_text("pharma") + SECTION, encoding="utf-8")
    test = read_playbook(str(book)).experiment
    rng, outcomes, names = np.random.default_rng(0), [], [f"a{n:03}" for n in range(ACCOUNTS)]
    for name in names:
        much = 2.0 if test.arm_of(name) == CONTROL else 3.0
        for week in range(-2 * WEEKS, WEEKS):
            rate = (2.0 if week < 0 else much) / WEEKS
            when = iso(STARTS + timedelta(weeks=week, hours=5))
            outcomes += [
                outcome(f"{name}-{week}-{n}", name, occurred_at=when) for n in range(rng.poisson(rate))
            ]
    tables = folder / "tables"
    write_csv(
        tables,
        {name: () for name, table in TABLES.items() if not table.optional}
        | {
            "accounts": [account(name, territory=f"t{i % 40}") for i, name in enumerate(names)],
            "users": [user()],
            "account_team": [team_member(name) for name in names],
            "outcomes": outcomes,
        },
    )
    ingest(tables, Settings(home=folder / "home").as_home(), loaded_at=micros(UNTIL), max_rejected=0.0)
    return folder / "home", book


def at(company: tuple[Path, Path], *more: str, day: float = 0.0) -> list[str]:
    home, book = company
    when = iso(UNTIL + timedelta(days=day, hours=1))
    return ["--home", str(home), "--playbook", str(book), "--as-of", when, *more]


def test_a_planted_effect_of_the_whole_programme_is_reported(company: tuple[Path, Path]) -> None:
    """The only figure for the whole: the engine beside accounts that it left alone."""
    result = run("report", *at(company, "--json"))

    found = json.loads(result.stdout)
    whole = found["comparisons"][0]
    assert (whole["against"], whole["programme"], whole["finding"]) == ("control", True, "more")
    assert whole["lift"]["low"] < 0.5 < whole["lift"]["high"]
    assert not found["provisional"]
    assert found["assignment"]["as_planned"]
    assert sum(arm["accounts"] for arm in found["arms"]) == ACCOUNTS


def test_who_looks_before_the_planned_end_is_warned(company: tuple[Path, Path]) -> None:
    """Looking every week and stopping at the first star finds effects that are none."""
    early, on_time = (run("report", *at(company, day=day)) for day in (-14.0, 1.0))

    assert "NOT THE END" in early.stdout
    assert "until then intervals are of 99.9%" in early.stdout
    assert "95 % interval" not in early.stdout
    assert "95 % interval" in on_time.stdout
    assert "NOT THE END" not in on_time.stdout
    assert "The whole programme against control: +" in on_time.stdout


def test_power_is_stated_in_weeks(company: tuple[Path, Path]) -> None:
    """Before anybody is held back, it is known whether it can show anything."""
    result = run("power", "--effect", "0.4", "--share", "0.5", *at(company))
    small = json.loads(run("power", "--effect", "0.4", "--share", "0.05", *at(company, "--json")).stdout)
    large = json.loads(run("power", "--effect", "0.4", "--share", "0.5", *at(company, "--json")).stdout)

    assert result.exit_code == 0
    assert "weeks to see +40.0%" in result.stdout
    assert large["weeks"] < (small["weeks"] or 999)
    assert sum(large["units"]) == ACCOUNTS


def test_power_is_of_the_units_that_the_salt_puts_into_the_arms(company: tuple[Path, Path]) -> None:
    """A third of 40 territories may be 9 or 17, and it is known beforehand which."""
    home, book = company
    sizes = set()
    for salt in ("one", "two", "three"):
        other = book.with_name(f"{salt}.toml")
        other.write_text(book.read_text("utf-8").replace("pharma-control-1", salt), encoding="utf-8")
        found = json.loads(run("power", "--effect", "0.4", "--share", "0.3", "--unit", "territory", "--json",
                               *at((home, other))).stdout)  # fmt: skip
        test = replace(read_playbook(str(other)).experiment, unit="territory", arms=(Arm("control", 3_000),))
        expected = sum(test.arm_of(f"t{place}") == CONTROL for place in range(40))
        assert found["units"] == [40 - expected, expected]
        sizes.add(expected)

    assert len(sizes) > 1


def test_units_that_hang_together_are_planned_as_such(company: tuple[Path, Path]) -> None:
    """Forty territories are forty units, however many accounts they have."""
    found = json.loads(run("power", "--effect", "0.4", "--share", "0.5", "--unit", "territory",
                           *at(company, "--json")).stdout)  # fmt: skip

    assert sum(found["units"]) == 40
    assert 1.0 <= found["design_effect"] < 1.6


def test_too_few_units_are_said_to_show_nothing(company: tuple[Path, Path]) -> None:
    """One territory against 39 shows nothing, however many weeks it takes."""
    result = run("power", "--effect", "0.4", "--share", "0.002", "--unit", "territory", *at(company))

    assert "with so few territories nothing can be seen" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("power", "--effect", "0.1", "--arm", "kontrol"), "Got --arm 'kontrol', need one of control"),
        (("power", "--effect", "0.1", "--unit", "person"), "--role ROLE"),
        (("power", "--effect", "0.1", "--arm", "no_levers"), "has no arm 'no_levers'"),
    ],
)
def test_a_mistake_is_one_line(company: tuple[Path, Path], arguments: tuple[str, ...], said: str) -> None:
    """What was given, and what would do."""
    result = run(*arguments, *at(company))

    assert result.exit_code != 0
    assert said in str(result.exception)
    assert "\n" not in str(result.exception)


def test_without_a_test_the_report_says_where_one_is_made(company: tuple[Path, Path]) -> None:
    """A shipped playbook holds nobody back."""
    result = run("report", "--home", str(company[0]), "--playbook", "pharma")

    assert "has no standing test" in str(result.exception)


def test_a_playbook_that_would_move_units_is_not_put_into_use(tmp_path: Path) -> None:
    """Once somebody was held back by a tenth, a fifth would compare other accounts than it seems to."""
    ledger = Ledger.create(f"sqlite:///{tmp_path / 'ledger.db'}")

    def use(section: str, salt: str = "pharma-control-1") -> None:
        path = tmp_path / "book.toml"
        text = playbook_text("pharma").replace("pharma-control-1", salt) + section
        path.write_text(text, encoding="utf-8")
        keep_playbook(ledger, str(path), parse_playbook(text), now=micros(UNTIL))

    use(SECTION)
    use(SECTION.replace('"control:0.4"', '"control:0.4", "no_levers:0.1"'))
    with pytest.raises(PlaybookError, match="would move units that the running test has assigned"):
        use(SECTION.replace("0.4", "0.2"))
    use(SECTION.replace("0.4", "0.2"), salt="another")
    ledger.close()
