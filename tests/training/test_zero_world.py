"""A whole company whose contacts cause nothing, through loading, cases, choice and held-out values."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.evidence import ZERO, naive
from data.home import Home
from data.ingest import ingest
from data.playbooks import read_playbook
from data.world import World, best_fixed, oracle, policy_value
from tests.data.worlds import world
from tests.training.builders import QUICK
from training.behaviour import assignment_of
from training.cases import Cases, build_cases
from training.evaluate import Evaluation, claim, claims_gain, evaluate
from training.learners import LEARNERS
from training.run import matured
from training.select import select
from training.splits import held_out
from training.support import learn_support


def cases_of(given: World, folder: Path) -> Cases:
    """The matured cases of a world, through loading and the one feature path."""
    given.write(folder / "world")
    loaded = ingest(folder / "world", Home.at(folder / "home"), loaded_at=given.settings.until_micros)
    return matured(build_cases(loaded.snapshot, read_playbook("pharma")))


def selected(cases: Cases) -> tuple[str, Evaluation]:
    """Which learner is chosen, and what all of them would have earned on accounts held out."""
    held, known = held_out(cases.account_ids, 0.3, seed=0), assignment_of(cases, QUICK, seed=0)
    mine, likely = cases.take(~held), known.take(~held)
    chosen = select(mine, likely, QUICK, seed=0).chosen
    fitted = {name: entry.learn(mine, likely.probability, QUICK) for name, entry in LEARNERS.items()}
    support = learn_support(mine, likely, QUICK, seed=0)
    judged = evaluate(cases.take(held), known.take(held), fitted, seed=0, support=support)
    return chosen, judged.evaluation


@pytest.mark.parametrize("assignment", ["targeted_logged", "randomised"])
def test_no_gain_is_claimed_in_a_world_where_contacts_cause_nothing(assignment: str, tmp_path: Path) -> None:
    """Good accounts are contacted more, so a naive model sees effects everywhere that are none."""
    given = world(accounts=400, effect=0.0, assignment=assignment)

    chosen, found = selected(cases_of(given, tmp_path))

    assert (
        policy_value(given.truth, oracle(given.truth))
        == policy_value(given.truth, best_fixed(given.truth))
        == 0
    )
    assert "no gain by personalisation is claimed" in claim(found, chosen).lower()
    assert found.of(chosen).versus_nobody.low <= 0.0


def test_no_gain_is_claimed_where_those_are_contacted_who_had_turned_to_us_and_would_have_bought_anyway(
    tmp_path: Path,
) -> None:
    """Every contact answers a visit to the website, nothing was logged, and nothing has an effect; contacted
    accounts buy for far more than others all the same."""
    given = world(accounts=400, **ZERO)
    cases = cases_of(given, tmp_path)

    chosen, found = selected(cases)

    assert cases.basis == "landmarks"
    assert naive(cases) > 30.0
    assert policy_value(given.truth, oracle(given.truth)) == 0
    assert not claims_gain(found, chosen)
    assert [name for name in LEARNERS if claims_gain(found, name)] == []
    assert found.of(chosen).versus_nobody.low <= 0.0
