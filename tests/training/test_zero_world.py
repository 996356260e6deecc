"""A whole company whose contacts cause nothing, through loading, cases, choice and held-out values."""

from __future__ import annotations

from pathlib import Path

import pytest

from data.home import Home
from data.ingest import ingest
from data.playbooks import read_playbook
from data.world import best_fixed, oracle, policy_value
from tests.data.worlds import world
from tests.training.builders import QUICK
from training.behaviour import assignment_of
from training.cases import build_cases
from training.evaluate import claim, evaluate
from training.learners import LEARNERS
from training.run import matured
from training.select import select
from training.splits import held_out


@pytest.mark.parametrize("assignment", ["targeted_logged", "randomised"])
def test_no_gain_is_claimed_in_a_world_where_contacts_cause_nothing(assignment: str, tmp_path: Path) -> None:
    """Good accounts are contacted more, so a naive model sees effects everywhere that are none."""
    given = world(accounts=400, effect=0.0, assignment=assignment)
    given.write(tmp_path / "world")
    loaded = ingest(tmp_path / "world", Home.at(tmp_path / "home"), loaded_at=given.settings.until_micros)
    cases = matured(build_cases(loaded.snapshot, read_playbook("pharma")))
    held, known = held_out(cases.account_ids, 0.3, seed=0), assignment_of(cases, QUICK, seed=0)
    mine, likely = cases.take(~held), known.take(~held)

    chosen = select(mine, likely, QUICK, seed=0).chosen
    fitted = {name: entry.learn(mine, likely.probability, QUICK) for name, entry in LEARNERS.items()}
    found = evaluate(cases.take(held), known.take(held), fitted, seed=0).evaluation

    assert (
        policy_value(given.truth, oracle(given.truth))
        == policy_value(given.truth, best_fixed(given.truth))
        == 0
    )
    assert "no gain by personalisation is claimed" in claim(found, chosen).lower()
    assert found.of(chosen).versus_nobody.low <= 0.0
