"""Open Bandit: what one log says of the other policy holds what that policy earned; skipped without data."""

from __future__ import annotations

from pathlib import Path

import pytest

from data.datasets.obd import CAMPAIGNS, PLAYBOOK_FILE, convert
from data.playbooks import read_playbook
from tests.scenarios.public_data import SHARED, follow, needs, stored
from training.cases import Cases, build_cases
from training.other_policy import ESTIMATORS, value_other


@needs("obd")
@pytest.mark.slow
@pytest.mark.parametrize("campaign", CAMPAIGNS)
def test_the_log_of_the_random_policy_says_what_the_other_one_earns(campaign: str, tmp_path: Path) -> None:
    """Three campaigns, three estimators: every interval holds what was earned where the policy ran."""
    convert(SHARED / "obd", tmp_path / "in", campaign)
    playbook = read_playbook(str(tmp_path / "in" / PLAYBOOK_FILE))

    def log(policy: str) -> Cases:
        built = build_cases(stored(tmp_path / "in" / policy, tmp_path / policy), playbook)
        return built.take(built.matured)

    forth = value_other(log("random"), log("bts"), by=("position",), seed=0)
    back = value_other(log("bts"), log("random"), by=("position",), seed=0)

    assert forth.decisions > 9_990
    assert [name for name in ESTIMATORS if not forth.holds(name)] == []
    assert forth.effective > 2_000
    assert forth.verdict.level == "directional"
    # The other way round most items were hardly ever shown: no figure is vouched for.
    assert back.verdict.level == "outside scope"
    assert all(gap.low < 0.0 < gap.high for found in (forth, back) for gap in found.gap.values())


@needs("obd")
@pytest.mark.slow
def test_the_page_is_followed(tmp_path: Path) -> None:
    """From the publisher's files to the figures, by the commands of the page alone."""
    said = follow("openbandit.md", "obd", tmp_path)

    figures = list(said.values())[-1]
    assert figures.count("what it earned lies within") == len(ESTIMATORS)
    assert "Evidence: directional." in figures
