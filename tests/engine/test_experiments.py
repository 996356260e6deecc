"""Standing tests: who is in which arm, what each arm decides, and with which probability."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.decide import Decisions
from engine.experiments import (
    ARMS,
    CONTROL,
    ENGINE,
    OUTSIDE,
    RANDOM,
    Arm,
    Experiment,
    point,
    rebalanced,
)
from engine.playbook import Playbook, PlaybookError, parse_playbook
from engine.records import Moments
from engine.replay import FOLLOWING, compare, from_scores
from tests.engine.builders import NOW, TREATMENTS, account, history, permission, playbook, team
from tests.engine.deciding import READY, FixedScorer, decided, listed, policy
from tests.engine.example_playbook import TEXT
from tests.engine.random_histories import random_history, random_moments
from tests.properties.laws import SCORER, rules

WORTH = FixedScorer({"visit_news": 300.0, "visit_safety": 200.0, "email_news": 50.0, "email_safety": 0.5})


def standing(*arms: str, points: int = 10_000, **more) -> Experiment:
    given = {"unit": "account", "starts": NOW - 1, "salt": "salt"} | more
    return Experiment(arms=tuple(Arm(arm, points) for arm in arms), **given)


def in_arm(arm: str, **more) -> Playbook:
    """The small playbook with everybody in one arm."""
    return playbook(experiment=standing(arm, **more.pop("test", {})), **more)


def crowd(size: int, *extra) -> tuple[list, tuple[str, ...]]:
    names = tuple(f"a{number:04}" for number in range(size))
    rows = [row for name in names for row in (account(name), team(name), *_permitted(name))]
    return [*rows, *extra], names


def _permitted(name: str):
    return (permission(-9.0, channel="email", account_id=name),
            permission(-9.0, channel="email", purpose="service", account_id=name))  # fmt: skip


def crowd_decided(rules: Playbook, size: int, seed: int = 7) -> Decisions:
    rows, names = crowd(size)
    return decided(
        history(*rows, accounts=names), Moments.at(names, NOW), rules=rules, scorer=WORTH, seed=seed
    )


def test_shares_of_many_units_are_those_of_the_playbook() -> None:
    """A test planned with a tenth in control that has a twelfth finds less than it promised."""
    test = Experiment("account", (Arm("control", 1_000), Arm("random_eligible", 250)), 0, "salt")

    found = Counter(test.arm_of(f"account-{number}") for number in range(40_000))

    assert found[CONTROL] / 40_000 == pytest.approx(0.1, abs=0.006)
    assert found[RANDOM] / 40_000 == pytest.approx(0.025, abs=0.0035)
    assert set(found) == {ENGINE, CONTROL, RANDOM}
    assert [test.share(arm) for arm in (ENGINE, CONTROL, RANDOM)] == [0.875, 0.1, 0.025]


def test_the_point_of_a_unit_never_changes() -> None:
    """Ranges live for years: a new version that hashes otherwise would mix everybody up."""
    assert [point(unit, "salt") for unit in ("a", "b", "Dr. Ölçer")] == [5012, 3631, 4613]
    assert point("a", "salt") != point("a", "other")


@given(st.text(max_size=12), st.integers(1, 4_000), st.integers(1, 4_000))
def test_an_arm_added_at_the_end_moves_nobody_else(unit: str, first: int, added: int) -> None:
    """Whoever was held back stays so, and the new arm takes from the engine alone."""
    before = Experiment("account", (Arm("control", first),), 0, "salt")
    after = replace(before, arms=(*before.arms, Arm("no_levers", added)))

    old, new = before.arm_of(unit), after.arm_of(unit)

    assert new == old or (old == ENGINE and ARMS[new] == "no_levers")
    assert rebalanced(before, after) == ""


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"arms": (Arm("no_levers", 500), Arm("control", 1_000))}, "would move units"),
        ({"arms": (Arm("control", 2_000),)}, r"\[control:0.2\] would move .* by \[control:0.1\]"),
        ({"arms": (Arm("no_levers", 500),)}, "add arms at the end only"),
        ({"unit": "territory"}, "experiment.unit: got 'territory'"),
        ({"starts": 5}, "experiment.starts"),
        ({"weeks": 7}, "experiment.weeks: got 7, but the test runs with 12"),
    ],
)
def test_what_would_move_units_is_named(change: dict, said: str) -> None:
    """Whoever rebalances a running test compares groups that were chosen after the fact."""
    running = Experiment("account", (Arm("control", 1_000),), 0, "salt")

    found = rebalanced(running, replace(running, **change))

    assert "\n" not in found
    assert re.search(said, found)
    assert rebalanced(running, replace(running, **change, salt="next")) == ""
    assert rebalanced(running, None) == ""


def test_nobody_is_contacted_in_the_control_group() -> None:
    """Only against accounts that the engine leaves alone can its whole effect be seen."""
    result = crowd_decided(in_arm("control", exploration_share=0.4), 40)

    assert (result.ranking.places[:, 0] == 0).all()
    assert (result.ranking.places[:, 1:] == -1).all()
    assert result.ranking.probability.tolist() == [1.0] * 40
    assert not result.ranking.explored.any()
    assert set(result.record()["arm"]) == {"control"}
    removed = dict(result.funnel().select("rule", "removed").iter_rows())
    assert removed["held_back"] == 40 * (len(TREATMENTS) - 1)


def test_at_random_every_eligible_treatment_has_the_same_chance() -> None:
    """What the ranking adds is seen against chance, and chance must know its probabilities."""
    result = crowd_decided(in_arm("random_eligible"), 600)

    open_ = result.objections.eligible
    options = open_.sum(axis=1)
    assert (result.ranking.target == np.where(open_, (1.0 / options)[:, None], 0.0)).all()
    assert (result.ranking.probability == 1.0 / options).all()
    first = Counter(result.ranking.places[:, 0].tolist())
    assert sorted(first) == np.flatnonzero(open_.any(axis=0)).tolist()
    assert all(count == pytest.approx(600 / options[0], rel=0.35) for count in first.values())
    second = Counter(result.ranking.places[:, 1].tolist())
    assert len(second) > len(first) - 1  # the further places too are drawn


def test_at_random_nothing_is_placed_that_a_rule_removes() -> None:
    """Consent and caps hold in every arm."""
    rows, names = crowd(60)
    without = [row for row in rows if row[0] != "preferences"]

    result = decided(
        history(*without, accounts=names),
        Moments.at(names, NOW),
        rules=in_arm("random_eligible"),
        scorer=WORTH,
    )

    placed = {TREATMENTS[t].channel for t in result.ranking.places.ravel().tolist()
              if TREATMENTS[t].kind == "contact"}  # fmt: skip
    assert placed == {"visit"}


def test_without_levers_the_order_is_that_of_the_values() -> None:
    """A lever is a wish of the management; what it costs is seen without it."""
    levers = {("action", "email_news"): 900.0}

    usual, without = (
        decided(history(*READY), rules=in_arm(arm, levers=levers), scorer=WORTH)
        for arm in ("engine", "no_levers")
    )

    assert listed(usual)[0] == "email_news"
    assert listed(without)[0] == "visit_news"
    assert set(without.priority.lever.ravel()) == {1.0}


def test_by_propensity_alone_what_costs_much_is_not_spared() -> None:
    """The leaders' habit of ranking by P(response): value, cost and fatigue do not count."""
    scores = FixedScorer({"visit_news": 1.0, "email_news": 300.0})

    result = decided(history(*READY), rules=in_arm("propensity_only"), scorer=scores)

    response, priority = result.scores.response[0, 1:], result.priority.priority[0, 1:]
    contact = np.array([t.kind == "contact" for t in TREATMENTS[1:]])
    assert (
        np.argsort(-priority[contact], kind="stable") == np.argsort(-response[contact], kind="stable")
    ).all()
    assert result.priority.uncertainty.max() == 0.0


def test_only_policies_of_eligibility_are_asked_in_their_arm() -> None:
    """What the other policies keep away is seen; consent, limits and what is always asked keep holding."""
    never = tuple(policy(stage, "1 = 0", applies="channel = 'visit'", stage=stage)
                  for stage in ("applicability", "suitability"))  # fmt: skip
    past = history(team(), permission(-9.0, "opt_out", "email"))

    usual, bare, careful = (
        decided(past, rules=in_arm(arm, policies=never, test=more), scorer=WORTH)
        for arm, more in (
            ("engine", {}),
            ("eligibility_only", {}),
            ("eligibility_only", {"always": ("suitability",)}),
        )
    )
    closed = decided(past, rules=in_arm("eligibility_only", policies=(
        policy("law", "1 = 0", stage="eligibility"),)), scorer=WORTH)  # fmt: skip

    assert listed(usual) == ["none"]
    assert listed(bare) == ["visit_news", "visit_safety"]
    assert listed(careful) == ["none"]
    assert listed(closed) == ["none"]


def test_accounts_of_one_person_or_territory_share_an_arm() -> None:
    """They share her hours: what is suggested for one takes time from another."""
    names = tuple(f"a{number:03}" for number in range(60))
    rows = [row for n, name in enumerate(names)
            for row in (account(name, territory=f"t{n % 6}"), team(name, user_id=f"u{n % 12}"))]  # fmt: skip
    past, asked = history(*rows, accounts=names), Moments.at(names, NOW)

    for unit, groups, role in (("person", 12, "rep"), ("territory", 6, "")):
        test = standing("control", points=5_000, unit=unit, role=role)
        arms = decided(past, asked, rules=playbook(experiment=test)).features.arm

        assert set(arms.tolist()) == {ENGINE, CONTROL}
        assert all(len(set(arms[start::groups].tolist())) == 1 for start in range(groups))


def test_who_has_no_known_unit_is_decided_as_ever_and_compared_with_nobody() -> None:
    """An account that nobody serves is in no person's group; before the start nobody is in any."""
    alone = in_arm("control", test={"unit": "person", "role": "rep"})
    later = in_arm("control", test={"starts": NOW + 1})

    assert decided(history(account()), rules=alone).features.arm.tolist() == [OUTSIDE]
    result = decided(history(*READY), rules=later, scorer=WORTH)
    assert result.features.arm.tolist() == [OUTSIDE]
    assert listed(result)[0] == "visit_news"
    assert result.record()["arm"].null_count() == len(TREATMENTS)


def mixed(**more) -> Playbook:
    arms = ("control", "random_eligible", "propensity_only", "no_levers", "eligibility_only")
    return replace(rules(), experiment=standing(*arms, points=1_800, starts=0), **more)


@given(st.integers(0, 2**31 - 1), st.sampled_from([{}, {"exploration": "thompson", "posterior_draws": 16}]),
       st.text(max_size=3))  # fmt: skip
@settings(max_examples=25, deadline=None)
def test_in_every_arm_together_equals_one_by_one_and_follows_from_the_scores(
    seed: int, more: dict, salt: str
) -> None:
    """The night, a live event and a replay agree, whichever arm an account is in."""
    own = mixed(**more)
    own = replace(own, experiment=replace(own.experiment, salt=salt))
    past, asked = random_history(seed), random_moments(seed)

    together = decided(past, asked, rules=own, scorer=SCORER)

    record, size = together.record(), len(TREATMENTS)
    for row in range(len(asked)):
        one = Moments(asked.account_ids[row : row + 1], asked.as_of[row : row + 1], asked.stops)
        alone = decided(past, one, rules=own, scorer=SCORER).record()
        assert alone.equals(record[row * size : (row + 1) * size])
    assert compare(record, from_scores(record, own), size, FOLLOWING).columns == ()
    assert np.allclose(together.ranking.target.sum(axis=1), 1.0, atol=1e-12)


SECTION = """
[experiment]
starts = 2027-01-01
arms = ["control:0.1", "random_eligible:0.02"]
"""


def test_a_test_is_read_from_the_playbook() -> None:
    """The marketer writes shares; the engine counts in ten-thousandths."""
    test = parse_playbook(TEXT + SECTION).experiment

    assert test is not None
    assert test.arms == (Arm("control", 1_000), Arm("random_eligible", 200))
    assert (test.unit, test.weeks) == ("account", 12)
    assert parse_playbook(TEXT + SECTION + "on = false\n").experiment is None


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"control:0.1"', '"controll:0.1"', "unknown arm 'controll'.*control"),
        ('"control:0.1"', '"control:10%"', "need arm:share"),
        ('"control:0.1"', '"control:0.00005"', "steps of 0.0001"),
        ('"control:0.1"', '"control:0.99"', "add up to 1.01, need at most 1"),
        ('"control:0.1"', '"random_eligible:0.1"', "stands there twice"),
        ("starts = 2027-01-01", "", "experiment.starts: missing"),
        ("starts = 2027-01-01", 'starts = 2027-01-01\nunit = "person"', "experiment.role: missing"),
        ("starts = 2027-01-01", 'starts = 2027-01-01\nalways = ["nothing"]', "unknown policy 'nothing'"),
        ('["control:0.1", "random_eligible:0.02"]', "[]", "at least one arm"),
    ],
)
def test_a_mistake_in_a_test_is_one_line(old: str, new: str, said: str) -> None:
    """A test that is not what was meant costs its twelve weeks."""
    with pytest.raises(PlaybookError, match=said) as error:
        parse_playbook(TEXT + SECTION.replace(old, new))

    assert "\n" not in str(error.value)
