"""Reasons are the parts of the priority: they add up to it, quote their facts, and change with them."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import lightgbm
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.amounts import amounts_of, explain_lists, weight_amounts
from engine.decide import Decisions
from engine.drivers import DRIVERS, GENERAL, columns_of
from engine.explanation import why, words
from engine.features import Features, FeatureSet
from engine.playbook import Playbook
from engine.reasons import Reason
from engine.records import DAY_MICROS, Floats
from engine.scoring import LEARNERS, LearnedScorer, StartingScorer, learned_scorer
from engine.wording import Reader
from tests.engine.builders import (
    ATTRIBUTES,
    NOW,
    account,
    history,
    permission,
    playbook,
    touchpoint,
)
from tests.engine.deciding import READY, FixedScorer, decided, index, weight
from tests.engine.random_histories import random_history, random_moments
from tests.engine.releases import arrays, grown, known_of, manifest, scorer, texts_of
from tests.engine.test_contributions import counted, expected_score

SEEDS = st.integers(0, 2**31 - 1)
WEIGHTS = (
    weight("asked", "inbound_safety_30d >= 1", 2.0, applies="topic = 'safety'"),
    weight("a_account", "segment = 'A'", 1.5),
    weight("rested", "days_since_any > 14", 0.5),
)
RULES = playbook(context_weights=WEIGHTS, levers={("issue", "product"): 30.0}, optout_loss=100.0,
                 suppressions=(), contact_limits=())  # fmt: skip


def rich(learner: str) -> LearnedScorer:
    """A release of the learner with forests for whatever it may have one, and a response forest."""
    known = known_of()
    texts = texts_of(learner, known) | {"response.forest.txt": grown(known, objective="binary", seed=9)}
    if learner == "t_learner":
        texts["value.visit_news.forest.txt"] = grown(known, seed=7)
    return learned_scorer(manifest(known, learner), texts, arrays(), RULES)


def told(decisions: Decisions, treatment: str, rules: Playbook = RULES, row: int = 0) -> dict[str, Reason]:
    return {r.code: r for r in why(decisions, row, index(decisions, treatment), rules)}


def together(reasons: tuple[Reason, ...]) -> float:
    return sum(reason.amount for reason in reasons if reason.amount is not None)


@pytest.mark.parametrize("formula", ["value", "leaders"])
@pytest.mark.parametrize("learner", sorted(LEARNERS))
def test_lists_are_explained_together_as_one_by_one(
    learner: str, formula: Literal["value", "leaders"], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each forest is asked once about all that stands on two lists, and says the same to the bit."""
    free = tuple(replace(treatment, cost=0.0) for treatment in RULES.treatments)
    rules = replace(RULES, priority=formula, treatments=free)
    own, asked = replace(rich(learner), playbook=rules), counted(monkeypatch)

    def lists() -> list[Decisions]:
        both = (random_moments(seed, 12) for seed in (1, 2))
        return [decided(random_history(1), moments, rules=rules, scorer=own) for moments in both]

    apart = [every_reason(each, rules) for each in lists()]
    one_by_one, together = len(asked), lists()
    explain_lists(together, rules)

    once = len(asked) - one_by_one
    assert [every_reason(each, rules) for each in together] == apart
    assert once == len(asked) - one_by_one <= len(own.parts.forests)
    assert once > 0 or (learner, formula) == ("best_fixed", "value")


def every_reason(decisions: Decisions, rules: Playbook) -> list[tuple[Reason, ...]]:
    """Of all that is placed."""
    places = decisions.ranking.places
    return [why(decisions, row, int(places[row, rank]), rules) for row, rank in np.argwhere(places > 0)]


@given(SEEDS, st.sampled_from([*sorted(LEARNERS), "starting"]), st.sampled_from(["value", "leaders"]))
@settings(max_examples=25, deadline=None)
def test_the_amounts_of_all_reasons_add_up_to_the_priority(seed: int, learner: str, formula: str) -> None:
    """Whatever is placed, by whatever learner and formula: nothing is left out and nothing is made up."""
    rules = replace(RULES, priority=formula)
    own = StartingScorer(rules) if learner == "starting" else replace(rich(learner), playbook=rules)
    result = decided(random_history(seed), random_moments(seed, 12), rules=rules, scorer=own)

    for row in range(12):
        for place in result.ranking.places[row]:
            if place > 0:
                priority = float(result.priority.priority[row, place])

                assert together(why(result, row, int(place), rules)) == pytest.approx(
                    priority, rel=1e-9, abs=1e-9
                )


@pytest.mark.parametrize("learner", sorted(LEARNERS))
def test_every_treatment_can_be_explained_placed_or_not(learner: str) -> None:
    """A priority below zero is the sum of its parts as well."""
    result = decided(random_history(3), random_moments(3, 4), rules=RULES, scorer=rich(learner))

    for treatment in range(1, len(RULES.treatments)):
        parts = amounts_of(result, 2, treatment, RULES)

        whole = parts.general + parts.cost + parts.fatigue
        whole += sum(parts.drivers.values()) + sum(parts.weights.values())
        assert whole == pytest.approx(float(result.priority.priority[2, treatment]), rel=1e-9, abs=1e-9)


def test_explaining_a_list_together_equals_explaining_it_alone() -> None:
    """The night explains a bucket at once, a live decision one account."""
    past, asked, own = random_history(5), random_moments(5, 10), rich("s_learner")
    result = decided(past, asked, rules=RULES, scorer=own)

    for row in (0, 4, 9):
        one = decided(past, type(asked)((asked.account_ids[row],), asked.as_of[row : row + 1]),
                      rules=RULES, scorer=own)  # fmt: skip
        for place in result.ranking.places[row]:
            if place >= 0:
                assert why(result, row, int(place), RULES) == why(one, 0, int(place), RULES)


def test_what_a_forest_gives_the_contact_itself_is_not_said_of_any_account() -> None:
    """A forest shares with the treatment what it brings with some accounts only: the part differs from
    account to account, so nobody may read that every account would bring it."""
    result = decided(random_history(5), random_moments(5, 10), rules=RULES, scorer=rich("s_learner"))

    worth = [reason for row in range(10) for place in result.ranking.places[row] if place > 0
             for reason in why(result, row, int(place), RULES) if "general" in reason.facts]  # fmt: skip

    assert len({round(float(reason.facts["general"]), 6) for reason in worth}) > 1
    assert all("by the contact itself" in words(reason, Reader("en", NOW, None, RULES)) for reason in worth)


def test_what_cannot_be_judged_counts_nothing_and_says_so() -> None:
    """A draw may place it first all the same: its reasons then add up to a priority of zero."""
    own = FixedScorer({"visit_safety": 300.0}, adds={"segment": 9.0}, never_given=("visit_safety",))
    result = decided(history(*READY), rules=RULES, scorer=own)

    reasons = why(result, 0, index(result, "visit_safety"), RULES)

    assert float(result.priority.priority[0, index(result, "visit_safety")]) == 0.0
    assert together(reasons) == pytest.approx(0.0, abs=1e-9)
    assert next(r.amount for r in reasons if r.code == "held_at_zero") < -200.0


def test_what_nobody_looks_at_is_told_in_fewer_parts_that_add_up_too() -> None:
    """A night of a million e-mails need not ask every tree why."""
    result = decided(random_history(5), random_moments(5, 10), rules=RULES, scorer=rich("s_learner"))

    for row in range(10):
        for place in result.ranking.places[row]:
            if place > 0:
                reasons = why(result, row, int(place), RULES, in_parts=False)

                priority = float(result.priority.priority[row, place])
                assert together(reasons) == pytest.approx(priority, rel=1e-9, abs=1e-9)
                assert not any(r.code in DRIVER_CODES and r.amount is not None for r in reasons)
    assert not result.explained


def stumps() -> LearnedScorer:
    """A forest in which no two features meet, beside the same worth of no contact for all: what a feature
    adds does not depend on the others."""
    known = known_of()
    action = np.random.default_rng(4).integers(0, 6, size=len(known.moments))
    label = 40.0 * action + 9.0 * known.fact("outbound_any_365d").values[:, 0]
    label = label + np.nan_to_num(known.fact("potential_value").values[:, 0]) / 50.0
    texts = {
        f"value.{treatment}.forest.txt": _forest(known, label, least)
        for treatment, least in (("none", 1000), ("visit_news", 2))
    }
    return learned_scorer(manifest(known, "t_learner"), texts, arrays(), playbook())


def _forest(known: Features, label: Floats, least: int) -> str:
    action = np.zeros(len(label), dtype=np.int64)
    data = lightgbm.Dataset(known.row_matrix(action), label, feature_name=list(known.set.names))
    parameters = {"num_leaves": 2, "verbosity": -1, "num_threads": 1, "min_data_in_leaf": least}
    return lightgbm.train(parameters, data, num_boost_round=30).model_to_string()


def test_without_the_facts_of_the_top_reason_the_score_falls_as_stated() -> None:
    """The number beside a reason is what is missing without it: the forest's mean over those features."""
    rules = playbook(optout_loss=0.0, suppressions=(), contact_limits=())
    own = stumps()
    past = history(*READY, *(touchpoint(-9.0 * i, topic="news") for i in range(1, 9)))
    result = decided(past, rules=rules, scorer=own)
    visit = index(result, "visit_news")
    reasons = [reason for reason in why(result, 0, visit, rules) if reason.code in DRIVER_CODES]
    top = max(reasons, key=lambda reason: abs(reason.amount or 0.0))

    names = result.features.set.names
    code = f"profile:{top.facts['attribute']}" if top.code == "profile" else top.code
    kept = {i for i, column in enumerate(columns_of(result.features.set)) if column.driver != code}
    row = result.features.row_matrix(np.array([visit]))[0]
    forest = own.parts.forests["value.visit_news.forest.txt"]
    fall = expected_score(forest, row, set(range(len(names)))) - expected_score(forest, row, kept)

    assert abs(top.amount or 0.0) > 1.0
    assert top.amount == pytest.approx(fall * result.priority.followed[0, visit], rel=1e-9)


DRIVER_CODES = {driver.code for driver in DRIVERS} | {"profile"}


def test_a_reason_changes_with_its_fact() -> None:
    """What is quoted is what is known: another contact, another count and another date."""
    own = FixedScorer({"visit_safety": 300.0}, adds={"outbound_any_30d": 12.0, "days_since_any": 3.0})
    first = decided(history(*READY, touchpoint(-20.0)), rules=RULES, scorer=own)
    second = decided(history(*READY, touchpoint(-20.0), touchpoint(-6.0)), rules=RULES, scorer=own)

    before, after = told(first, "visit_safety")["contacts"], told(second, "visit_safety")["contacts"]

    assert before.facts == {"days": 30, "count": 1.0, "at": NOW - 20 * DAY_MICROS}
    assert after.facts == {"days": 30, "count": 2.0, "at": NOW - 6 * DAY_MICROS}
    assert before.amount == after.amount == pytest.approx(15.0 * 1.3)


def test_the_window_that_is_quoted_is_the_one_that_moves_the_score() -> None:
    """365 days of calm say nothing about a busy week."""
    own = FixedScorer({"visit_safety": 300.0}, adds={"outbound_any_7d": -30.0, "outbound_any_365d": 2.0})
    result = decided(history(*READY, touchpoint(-20.0), touchpoint(-6.0)), rules=RULES, scorer=own)

    assert told(result, "visit_safety")["contacts"].facts["days"] == 7
    assert told(result, "visit_safety")["contacts"].facts["count"] == 1.0


def test_a_fact_that_lowers_the_priority_is_said_to_be_against_it() -> None:
    """A reason for and a reason against must not read alike."""
    own = FixedScorer({"visit_safety": 300.0}, adds={"outbound_any_7d": -30.0, "segment": 20.0})
    result = decided(history(*READY, touchpoint(-6.0)), rules=RULES, scorer=own)
    reasons = told(result, "visit_safety")

    against, for_it = (
        words(reasons[code], Reader("en", NOW, None, RULES)) for code in ("contacts", "profile")
    )

    assert against == "Against it: Our contacts in the last 7 days, all channels: 1; the last: 6 days ago."
    assert for_it == "About the account: segment = A."


def test_what_adds_little_is_told_together() -> None:
    """A list of forty facts explains nothing."""
    adds = {"segment": 50.0, "potential_value": 40.0, "outcomes_90d": 30.0, "optouts_365d": 20.0,
            "inbound_any_30d": 10.0, "automated": 0.1}  # fmt: skip
    result = decided(
        history(*READY), rules=playbook(), scorer=FixedScorer({"visit_safety": 300.0}, adds=adds)
    )

    reasons = why(result, 0, index(result, "visit_safety"), playbook())

    assert sum(reason.code in DRIVER_CODES and reason.amount is not None for reason in reasons) == 4
    (rest,) = [reason for reason in reasons if reason.code == "other_facts"]
    assert (rest.facts["facts"], rest.amount) == (2, pytest.approx(10.1))
    assert together(reasons) == pytest.approx(float(result.priority.priority[0, 5]), rel=1e-12)


def test_a_context_weight_counts_what_it_adds_and_zero_takes_all() -> None:
    """Two weights of 2 and 3 make six times: their parts are in proportion to their logarithms."""
    two, three, none = (weight(str(w), "1 = 1", w) for w in (2.0, 3.0, 0.0))

    parts = weight_amounts(10.0, [two, three])

    assert parts["2.0"] + parts["3.0"] == pytest.approx(50.0)
    assert parts["3.0"] / parts["2.0"] == pytest.approx(np.log(3.0) / np.log(2.0))
    assert weight_amounts(10.0, [two, none]) == {"2.0": 0.0, "0.0": -10.0}
    half = weight_amounts(10.0, [two, weight("half", "1 = 1", 0.5)])
    assert half["2.0"] == pytest.approx(-half["half"]) == pytest.approx(10.0 * np.log(2.0))


def test_similar_accounts_are_counted_in_the_own_segment_and_by_channel_where_a_message_is_too_new() -> None:
    """Fourteen of twenty says more than a model; four of four says nothing."""
    messages = {"visit_news": {"A": [20, 14]}, "visit_safety": {"A": [4, 4]}}
    channels = {"visit": {"A": [30, 15], "B": [50, 1]}}
    counts = {"until": NOW - DAY_MICROS, "treatments": messages, "channels": channels}
    own = scorer(known_of(), peers=counts)

    of_a, of_b = (
        decided(history(*READY, account(segment=segment)), rules=RULES, scorer=own) for segment in "AB"
    )

    news, safety = told(of_a, "visit_news"), told(of_a, "visit_safety")
    assert words(news["similar_responded"], Reader("en", NOW, None, RULES)) == (
        "14 of 20 similar accounts responded to this message (Visit) within 365 days; counted 1 day ago."
    )
    assert news["similar_responded"].amount is None
    assert safety["similar_responded_channel"].facts["responded"] == 15
    assert told(of_b, "visit_news")["similar_responded_channel"].facts["contacted"] == 50
    assert not any(code.startswith("similar") for code in told(of_b, "email_news"))


def test_the_example_of_the_handbook_adds_up() -> None:
    """docs/reasons.md works it out by hand."""
    lifted = weight("read", "inbound_safety_7d >= 1", 2.0, applies="topic = 'safety'")
    rules = playbook(suppressions=(), context_weights=(lifted,))
    adds = {"days_since_same_channel": 60.0, "outcome_value_365d": 40.0, "segment": -10.0}
    own = FixedScorer({"visit_safety": 170.0}, followed=0.5, optout=0.01, adds=adds)
    read = touchpoint(-0.002, channel="website", direction="inbound", topic="safety")
    rows = (*READY, permission(-9.0, purpose="web_behaviour"), read, touchpoint(-47.0))

    reasons = told(decided(history(*rows), rules=rules, scorer=own), "visit_safety", rules)

    amounts = {code: reason.amount for code, reason in reasons.items() if reason.amount is not None}
    assert amounts == pytest.approx({"read_topic": 82.5, "expected_value_here": 37.5, "last_contact": 30.0,
                                     "purchases": 20.0, "profile": -5.0})  # fmt: skip
    assert reasons["expected_value_here"].facts["general"] == pytest.approx(170.0)


def test_every_feature_belongs_to_one_driver() -> None:
    """A new statistic without a driver would be explained by nothing."""
    features = FeatureSet.of(playbook(), ATTRIBUTES)

    columns = columns_of(features)

    assert len(columns) == len(features.names)
    known = {driver.code for driver in DRIVERS} | {GENERAL} | {f"profile:{a.name}" for a in ATTRIBUTES}
    assert {column.driver for column in columns} == known
