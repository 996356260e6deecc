"""A whole company whose contacts cause nothing, through loading, cases, choice and held-out values."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from benchmarks.evidence import ZERO, found_effects, naive
from data.home import Home
from data.ingest import ingest
from data.playbooks import read_playbook
from data.world import World, best_fixed, oracle, policy_value
from engine.records import DAY_MICROS
from tests.data.worlds import world
from tests.engine.builders import NOW
from tests.training.builders import QUICK, SMALL, frame, stored
from training.behaviour import assignment_of
from training.cases import Cases, build_cases
from training.evaluate import Evaluation, claim, claims_gain, evaluate
from training.learners import LEARNERS
from training.maturing import matured
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


def called_after_buying(seed: int) -> dict[str, pl.DataFrame]:
    """Accounts buy for 100 at random; half of the purchases are followed by a visit after one to three days,
    and e-mails go out at random. Nothing causes anything."""
    draw = np.random.default_rng(seed)
    accounts, days = 500, 400.0
    ids = np.array([f"a{number:03}" for number in range(accounts)])
    bought = draw.uniform(0.0, days, accounts * 10), draw.integers(0, accounts, accounts * 10)
    followed = draw.random(accounts * 10) < 0.5
    after = (bought[0] + draw.uniform(1.0, 3.0, accounts * 10))[followed], bought[1][followed]
    mailed = draw.uniform(0.0, days, accounts * 6), draw.integers(0, accounts, accounts * 6)
    when = np.concatenate([after[0], mailed[0]])
    email = np.arange(len(when)) >= len(after[0])
    time = lambda moments: NOW - ((days - moments) * DAY_MICROS).astype(np.int64)  # noqa: E731
    columns = {
        "accounts": {
            "account_id": ids, "segment": np.array(["A", "B"])[np.arange(accounts) % 2],
            "potential_value": draw.uniform(0, 1000, accounts), "timezone": ["Europe/Berlin"] * accounts,
            "stored_at": np.zeros(accounts, int),
        },
        "touchpoints": {
            "touchpoint_id": np.char.add("t", np.arange(len(when)).astype(str)),
            "account_id": ids[np.concatenate([after[1], mailed[1]])], "occurred_at": time(when),
            "direction": ["outbound"] * len(when), "channel": np.where(email, "email", "visit"),
            "treatment": np.where(email, "email_news", "visit_news"), "status": ["done"] * len(when),
        },
        "outcomes": {
            "outcome_id": np.char.add("o", np.arange(len(bought[0])).astype(str)),
            "account_id": ids[bought[1]], "occurred_at": time(bought[0]),
            "kind": ["prescription"] * len(bought[0]), "value": np.full(len(bought[0]), 100.0),
        },
    }  # fmt: skip
    columns["account_team"] = {
        "account_id": ids, "role": ["rep"] * accounts, "user_id": ["u"] * accounts,
        "stored_at": np.zeros(accounts, int),
    }  # fmt: skip
    columns["preferences"] = {
        "account_id": ids, "channel": ["*"] * accounts, "purpose": ["marketing"] * accounts,
        "kind": ["permission"] * accounts, "status": ["opt_in"] * accounts,
        "since": np.zeros(accounts, int), "stored_at": np.zeros(accounts, int),
    }  # fmt: skip
    return {name: frame(name, table) for name, table in columns.items()}


def test_a_purchase_before_the_contact_that_followed_it_is_not_the_contacts_effect(tmp_path: Path) -> None:
    """Counted from the moment of the grid, the purchase that a visit answers would look like its effect: by
    far more than half of what was bought."""
    cases = matured(build_cases(stored(tmp_path, called_after_buying(1)), SMALL))

    effects, _ = found_effects(cases)

    visit = next(row for row in effects if row.treatment == "visit_news")
    assert cases.basis == "landmarks"
    assert visit.cases > 300
    assert visit.effect is not None
    assert visit.plain is not None
    assert visit.effect.low <= 0.0 <= visit.effect.high
    assert abs(visit.effect.estimate) < 15.0
    assert abs(visit.plain.estimate) < 15.0
