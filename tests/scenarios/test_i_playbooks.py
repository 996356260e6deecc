"""I: playbooks for different businesses. Each runs from a simulated year to the morning's lists."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from api.nightly import run_night
from data.ingest import ingest
from data.ledger.ledger import Ledger
from data.ledger.types import Suggestion
from data.playbooks import read_playbook
from data.settings import Settings
from data.world import WorldSettings, businesses, write_world
from engine.playbook import PlaybookError
from tests.api.company import NOW, Clock, load, settings_of, tables_of
from tests.data.files import UNTIL, user
from tests.scenarios.businesses import asks, house, named, rules, tables
from tests.scenarios.playbooks import shipped as shipped_text
from tests.training.builders import QUICK
from training import run

ACCOUNTS = 90
DAYS = {"ecommerce": 330}
"""Where something is decided every week; two years elsewhere, so that long horizons are over."""


def simulated(folder: Path, playbook: str, days: int = 330) -> Settings:
    """A simulated company of that business, loaded."""
    settings = settings_of(folder, playbook=playbook)
    world = WorldSettings(
        playbook=playbook, accounts=ACCOUNTS, seed=5, days=days, until=UNTIL, assignment="randomised"
    )
    write_world(world, folder / "world")
    ingest(folder / "world", settings.as_home(), loaded_at=NOW)
    return settings


def posted(settings: Settings) -> list[Suggestion]:
    ledger = Ledger.open(settings.as_home().ledger_url)
    try:
        ids = [f"A{number:07d}" for number in range(1, ACCOUNTS + 1)]
        return [found for id in ids for found in ledger.suggestions(id, now=NOW)]
    finally:
        ledger.close()


def added_up(summary: dict[str, Any]) -> bool:
    """Whether the funnel loses nothing: what is left of one step is what the next begins with."""
    return all(
        before["remaining"] - step["removed"] == step["remaining"]
        for before, step in pairwise(summary["funnel"])
    )


@pytest.mark.parametrize("playbook", businesses())
def test_i_each_business_runs_from_its_world_to_the_lists_of_the_morning(
    playbook: str, tmp_path: Path
) -> None:
    """World, load, night: chosen by one setting and nothing else."""
    settings, rules = simulated(tmp_path, playbook), read_playbook(playbook)

    night = run_night(settings, clock=Clock()).summary
    suggestions = posted(settings)

    assert night["playbook"] == f"{playbook} {rules.version}"
    assert (night["accounts"], night["suggestions"]) == (ACCOUNTS, len(suggestions))
    assert added_up(night)
    assert len({one.treatment for one in suggestions}) >= 3
    assert {one.treatment for one in suggestions} <= {t.id for t in rules.treatments}
    people = {role.id for role in rules.roles if not role.system}
    assert {one.role for one in suggestions} & people or not people
    assert all((one.user_id is not None) == (one.role in people) for one in suggestions)


@pytest.mark.slow
@pytest.mark.parametrize("playbook", businesses())
def test_i_each_business_can_be_learned_from(playbook: str, tmp_path: Path) -> None:
    """With a training between load and night; the night decides by what was learned if it passed the gate."""
    settings, rules = simulated(tmp_path, playbook, DAYS.get(playbook, 720)), read_playbook(playbook)

    wanted = run.Settings(made_at=NOW, boosting=QUICK)
    outcome = run.train(settings.as_home(), rules, wanted, progress=lambda *_: None)
    night = run_night(settings, clock=Clock()).summary

    assert outcome.report.is_file()
    assert outcome.release.manifest["playbook"] == rules.version
    assert night["release"] == (outcome.release.id if outcome.promoted else "starting-values")
    assert (night["accounts"], added_up(night)) == (ACCOUNTS, True)


# -- what a business cannot have -----------------------------------------------------------------------


REFUSED: dict[str, tuple[str, str, str]] = {
    "pharma": ('topic = "efficacy"', 'topic = "medical_question"', "medical"),
    "telecom": ('stops = ["email:marketing"]', 'stops = ["fax:marketing"]', "fax"),
    "b2b_software": ('role = "inside_sales"\nissue', 'role = "system"\nissue', "not automated"),
    "ecommerce": ('channel = "email"\nrole = "system"', 'channel = "email"\nrole = "seller"', "seller"),
    "clinic": (
        'channel = "medical_call"\nrole = "physician"',
        'channel = "call"\nrole = "coordinator"',
        "medical",
    ),
    "estate_agent": ("segment = 'owner'", "segment = 'patient'", "patient"),
    "small_company": ('role = "owner"', 'role = "marketer"', "marketer"),
}
"""What is exchanged in the playbook, and what the refusal speaks of."""


@pytest.mark.parametrize("playbook", businesses())
def test_i_each_playbook_refuses_what_its_business_cannot_have(playbook: str, tmp_path: Path) -> None:
    """One line before anything is decided: a night with half of the rules would be worse than none."""
    old, new, said = REFUSED[playbook]
    file = tmp_path / "own.toml"
    assert old in shipped_text(playbook)
    file.write_text(shipped_text(playbook).replace(old, new, 1), encoding="utf-8")
    rows = tables_of(["a1"])
    load(tmp_path / "home", rows)

    with pytest.raises(PlaybookError, match=said) as error:
        run_night(settings_of(tmp_path / "home", playbook=str(file)), clock=Clock())

    assert "\n" not in str(error.value)
    assert not (tmp_path / "home" / "nights").exists()


# -- one person, then two ------------------------------------------------------------------------------

SPLIT = [
    ('[roles.system]\n', '[roles.marketer]\nname = { en = "Marketing", ar = "التسويق", fa = "بازاریابی" }\n'
     'side = "commercial"\nsees = ["owner", "system"]\nfollowed = 0.7\n\n[roles.system]\n'),
    ('side = "commercial"\nsees = ["system"]', 'side = "commercial"\nsees = ["marketer", "system"]'),
    ('roles = ["owner", "system"]', 'roles = ["owner", "marketer", "system"]'),
    ('channel = "message"\nrole = "owner"\nissue = "sales"\ngroup = "personal"\naction = "show_products"',
     'channel = "message"\nrole = "marketer"\nissue = "sales"\ngroup = "personal"\naction = "show_products"'),
]  # fmt: skip
"""From one person to two: who shows new products is somebody else from now on."""


def test_i_in_a_small_company_one_person_has_everything_on_one_list(tmp_path: Path) -> None:
    """No team above another, nothing handed over, every stage hers."""
    accounts = named("s", 3, seed=0)
    with house(
        tmp_path, "small_company", tables("small_company", {a: {"segment": "business"} for a in accounts})
    ) as company:
        asks(company, accounts[0], "quote")
        asks(company, accounts[1], "repair")
        company.night(ignore_freshness=True)
        mine = company.get("/worklist", "ow")
        handed = company.get("/hand-overs", "ow")

    assert {task["account_id"] for task in mine} == set(accounts)
    assert {task["role"] for task in mine} == {"owner"}
    assert handed == []


def test_i_a_second_colleague_takes_over_one_hat_and_open_tasks_and_history_are_kept(tmp_path: Path) -> None:
    """Growing is a change of the playbook and two rows; what she had promised stays hers."""
    quoted, told, new = accounts = named("s", 3, seed=0)
    rows = tables("small_company", {a: {"segment": "business"} for a in accounts})
    alone = rules(tmp_path, "small_company")
    with house(tmp_path / "home", "small_company", rows, alone) as company:
        asks(company, quoted, "quote")
        company.night(ignore_freshness=True)
        quote = next(s for s in company.suggestions(quoted, "ow") if s["treatment"].endswith("_quote"))
        company.answers(quote, "accept", "ow")
        products = next(s for s in company.suggestions(told, "ow") if s["treatment"] == "message_products")
        company.answers(products, "accept", "ow")
        before = company.get(f"/accounts/{quoted}/timeline", "ow")
        clock = company.clock

    grown = [row | {"role": "marketer", "user_id": "mk"} for row in rows["account_team"]]
    second = user("mk", name="Second", role="marketer", manager_id="head")
    more = rows | {"users": [*rows["users"], second], "account_team": [*rows["account_team"], *grown]}
    (tmp_path / "two").mkdir()
    two = rules(tmp_path / "two", "small_company", *SPLIT)
    with house(tmp_path / "home", "small_company", more, two) as company:
        company.clock.now = clock.now
        company.clock.pass_time(days=1)
        company.night(ignore_freshness=True)
        open_tasks = {
            (t["account_id"], t["treatment"])
            for t in company.get("/worklist", "ow")
            if t["state"] == "accepted"
        }
        hers = {t["treatment"] for t in company.get("/worklist", "mk")}
        after = company.get(f"/accounts/{quoted}/timeline", "mk")
        again = company.suggestions(new, "mk")

    assert open_tasks == {(quoted, quote["treatment"]), (told, "message_products")}
    assert hers == {"message_products"}
    assert {s["role"] for s in again if s["treatment"] == "message_products"} == {"marketer"}
    assert len(after) >= len(before) > 0
