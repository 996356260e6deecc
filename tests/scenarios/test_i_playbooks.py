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
from tests.api.company import NOW, Clock, settings_of
from tests.data.files import UNTIL
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
