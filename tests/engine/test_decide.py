"""The whole line from facts to a list, its funnel and its record."""

from __future__ import annotations

import io

import numpy as np
import polars as pl
import pytest

from engine.playbook import Playbook
from engine.records import EngineError, Moments
from tests.engine.builders import NOW, account, at, history, moments, playbook, team, touchpoint
from tests.engine.deciding import READY, FixedScorer, decided, index, listed, policy, weight

WORTH = FixedScorer({"visit_news": 300.0, "visit_safety": 200.0, "email_news": 50.0, "email_safety": 0.5})


def busy() -> Playbook:
    """A playbook in which every stage removes something from somebody."""
    return playbook(
        policies=(
            policy("segment", "segment = 'A'", stage="eligibility", applies="channel = 'visit'"),
            policy("not_twice", "coalesce(days_since_visit, 99) > 2", stage="suitability"),
        ),
        context_weights=(weight("w", "topic = 'safety'", 2.0),),
        exploration_share=0.4,
    )


def two_accounts():
    return history(
        *READY,
        touchpoint(-1.0, treatment="visit_news", topic="news"),
        account("b", segment="C"),
        team("b"),
        account("c"),
    )


def test_the_best_suggestion_comes_first_with_its_probability() -> None:
    """The product in one line: facts in, a ranked list out."""
    result = decided(history(*READY), scorer=WORTH)

    assert listed(result) == ["visit_news", "visit_safety", "email_news"]
    assert result.ranking.probability.tolist() == [1.0]
    assert (result.playbook, result.release, result.seed) == ("0" * 16, "fixed", 7)


def test_an_account_that_nothing_pays_for_is_left_alone() -> None:
    """No contact is a decision, not a failure."""
    assert listed(decided(history(*READY), scorer=FixedScorer())) == ["none"]


def test_an_unknown_account_is_named() -> None:
    """A decision on nothing would look like any other one."""
    with pytest.raises(EngineError, match=r"has no account 'x', 'y', 'z' and 1 more"):
        decided(history(), Moments.at(("a", "x", "y", "z", "zz"), NOW))


def test_no_accounts_give_no_decisions() -> None:
    """An empty bucket passes through the night."""
    result = decided(history(), Moments.at((), NOW))

    assert result.ranking.places.shape == (0, 3)
    assert result.record().height == 0
    assert result.funnel()["remaining"].to_list()[-1] == 0


def test_the_draw_is_the_same_all_day_and_another_one_tomorrow() -> None:
    """A live decision in the afternoon must not draw again what the night drew."""
    names = tuple(f"a{i}" for i in range(40))
    past, rules = history(accounts=names), playbook(exploration_share=0.5)

    explored = [
        decided(past, Moments.at(names, at(day)), rules=rules).ranking.explored.tolist()
        for day in (0.0, 0.9, 1.0)
    ]

    assert explored[0] == explored[1]
    assert explored[0] != explored[2]


def test_the_funnel_adds_up_to_the_last_candidate() -> None:
    """Where did they all go: candidates less what each rule removed first is what was placed."""
    result = decided(two_accounts(), moments("a", "b", "c"), rules=busy(), scorer=WORTH)

    funnel = result.funnel()

    candidates = 3 * len(result.treatments)
    assert funnel.row(0) == ("candidates", "", 0, candidates)
    assert (funnel["remaining"] == candidates - funnel["removed"].cum_sum()).all()
    assert funnel["remaining"][-1] == int((result.ranking.places >= 0).sum())
    eligible = funnel.filter(pl.col("stage") != "arbitration")["remaining"][-1]
    assert eligible == int(result.objections.eligible.sum())
    assert {"policy:segment", "policy:not_twice", "consent", "no_executor"} <= set(
        funnel.filter(pl.col("removed") > 0)["rule"]
    )


def test_the_record_holds_every_pair_exactly() -> None:
    """What is stored of the night must recompute it: the same floats, ranks and rules."""
    result = decided(two_accounts(), moments("a", "b", "c"), rules=busy(), scorer=WORTH)

    record = result.record()

    assert record.columns == [
        "account_id", "decided_at", "treatment", "place", "probability", "explored", "stage", "rules",
        "comparable", "value", "response", "optout", "followed", "caused", "cost", "fatigue", "weight",
        "lever", "priority", "target", "uncertainty", "due", "charge", "room",
            "playbook", "release", "seed", "arm",
    ]  # fmt: skip
    shape = (3, len(result.treatments))
    assert (record["priority"].to_numpy().reshape(shape) == result.priority.priority).all()
    assert (record["value"].to_numpy().reshape(shape) == result.scores.value).all()
    assert record["treatment"].to_list() == list(result.treatments) * 3
    assert record["account_id"].to_list()[:: shape[1]] == ["a", "b", "c"]
    assert record["decided_at"].dt.timestamp("us").unique().to_list() == [NOW]
    placed = record.filter(pl.col("place").is_not_null()).sort("account_id", "place")
    assert placed.filter(pl.col("account_id") == "a")["treatment"].to_list() == listed(result)


def test_the_record_of_one_moment_says_what_its_rows_of_the_whole_record_say() -> None:
    """A live decision keeps lists and the night rows: explained and replayed they must be the same."""
    result = decided(two_accounts(), moments("a", "b", "c"), rules=busy(), scorer=WORTH)
    whole = result.record().with_columns(pl.col("decided_at").dt.timestamp("us"))

    each = [result.record_of(moment) for moment in range(3)]

    assert each == [whole.filter(pl.col("account_id") == name).to_dict(as_series=False) for name in "abc"]
    assert list(each[0]) == whole.columns


def test_the_record_names_all_rules_and_the_first_stage() -> None:
    """Why not is answered from the record as well."""
    result = decided(two_accounts(), moments("a", "b", "c"), rules=busy(), scorer=WORTH)

    rows = {(r["account_id"], r["treatment"]): r for r in result.record().iter_rows(named=True)}

    assert rows["a", "none"]["rules"] is None
    assert rows["a", "none"]["stage"] is None
    assert rows["a", "visit_news"]["rules"].startswith("policy:not_twice")
    assert rows["b", "visit_news"]["rules"] == "policy:segment"
    assert rows["c", "visit_news"]["rules"] == "no_executor"
    assert rows["c", "visit_news"]["stage"] == "availability"


def test_the_record_survives_parquet_to_the_bit() -> None:
    """It is kept as Parquet, and a replay compares bits."""
    record = decided(two_accounts(), moments("a", "b"), rules=busy(), scorer=WORTH).record()
    file = io.BytesIO()

    record.write_parquet(file)

    file.seek(0)
    assert pl.read_parquet(file).equals(record)


def test_the_probability_in_the_record_is_that_of_place_one() -> None:
    """Learning reads it: the probability belongs to the decision, not to a place further down."""
    names = tuple(f"a{i}" for i in range(30))
    past = history(*(row for name in names for row in (team(name),)), accounts=names)
    result = decided(past, Moments.at(names, NOW), rules=playbook(exploration_share=0.5), scorer=WORTH)

    first = result.record().filter(pl.col("place") == 1)

    assert first.height == 30
    assert (first["probability"] == first["target"]).all()
    assert np.isin(first["explored"].to_numpy(), [True, False]).all()
    assert first["explored"].any()
    assert index(result, "none") == 0


def test_the_record_tells_apart_more_rules_than_a_number_has_bits() -> None:
    """A large company has a hundred policies; a combination of rules must never be taken for another."""
    many = tuple(policy(f"p{i:03}", "1 = 0", applies=f"minutes <= {i % 50}") for i in range(130))
    result = decided(history(*READY), rules=playbook(policies=many), scorer=WORTH)

    for row in result.record().iter_rows(named=True):
        flags = result.objections.objects[0, index(result, row["treatment"])]
        rules = [rule.id for rule, flag in zip(result.objections.rules, flags, strict=True) if flag]
        assert (row["rules"] or "").split("|") == (rules or [""])
