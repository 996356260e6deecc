"""What would change the first choice: the nearest change, made for real and decided again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import lightgbm
import numpy as np
import pytest

from engine.changes import CHANGE_KINDS, Change, Situation, Turning, what_would_change
from engine.explanation import change_words
from engine.features import FeatureSet
from engine.playbook import ContactLimit, Playbook, Suppression
from engine.scoring import LearnedScorer, Scorer, StartingScorer, learned_scorer
from engine.sentences import LANGUAGES
from engine.wording import Reader
from tests.engine.builders import (
    ATTRIBUTES,
    NOW,
    TREATMENTS,
    Row,
    account,
    at,
    history,
    permission,
    playbook,
    team,
    touchpoint,
)
from tests.engine.deciding import READY, FixedScorer, policy, weight
from tests.engine.random_histories import random_history
from tests.engine.releases import arrays, known_of, manifest, scorer

CALM = playbook(suppressions=(), contact_limits=(), optout_loss=0.0, attributes=())
WORTH = FixedScorer({"visit_safety": 300.0, "email_news": 200.0})


def situation(*rows: Row, rules: Playbook = CALM, by: Scorer = WORTH, **values: Any) -> Situation:
    features = FeatureSet.of(rules, ATTRIBUTES)
    return replace(Situation(history(*rows), "a", at(0.0), rules, features, by, 7), **values)


def of_kind(turning: Turning, code: str) -> Change | None:
    return next((change for change in turning.changes if change.code == code), None)


def test_a_pause_ends_by_itself_and_the_day_is_said() -> None:
    """The visit is paused for 14 days since the one 4 days ago: from day 10 on it is first."""
    pause = Suppression("s", "contacts", "treatment", 1, 30.0, 14.0)
    rules = replace(CALM, suppressions=(pause,))
    now = situation(*READY, touchpoint(-4.0, treatment="visit_safety"), rules=rules)

    turning = what_would_change(now)

    assert turning.first == "email_news"
    assert of_kind(turning, "change_days") == Change("change_days", {"days": 10}, 10.0, "visit_safety")


def test_one_contact_less_is_what_a_full_limit_wants() -> None:
    """Two e-mails in 7 days are one too many: the limit is what stands between."""
    rules = replace(CALM, contact_limits=(ContactLimit("v", "visit", "", 2, 60.0),))
    visits = (touchpoint(-1.0), touchpoint(-2.0))

    change = of_kind(what_would_change(situation(*READY, *visits, rules=rules)), "change_limit")

    assert change is not None
    assert (change.first, change.distance_days) == ("visit_safety", 30.0)
    assert change.facts == {"channel": "visit", "count": 2, "limit": 2, "days": 60.0}


def test_a_permission_opens_what_needs_one_and_an_opt_out_closes_it() -> None:
    """E-mail would be worth more than the visit, if only it were permitted."""
    by = FixedScorer({"email_news": 900.0, "visit_safety": 300.0})

    without = what_would_change(situation(team(), by=by))
    with_it = what_would_change(situation(*READY, by=by))

    assert without.first == "visit_safety"
    opened = of_kind(without, "change_permission")
    assert opened is not None
    assert (opened.first, opened.facts) == ("email_news", {"channel": "email", "purpose": "marketing"})
    closed = of_kind(with_it, "change_optout")
    assert closed is not None
    assert closed.first == "visit_safety"


def test_interest_in_a_topic_is_tried_through_a_channel_that_may_be_used() -> None:
    """Reading the page lifts what is about it; without permission to use web behaviour it lifts nothing."""
    lifted = weight("asked", "inbound_news_7d >= 1", 4.0, applies="topic = 'news'")
    rules = replace(CALM, context_weights=(lifted,))

    allowed = situation(*READY, permission(-9.0, purpose="web_behaviour"), rules=rules)

    change = of_kind(what_would_change(allowed), "change_interest")
    assert change is not None
    assert (change.first, change.facts) == ("email_news", {"topic": "news", "channel": "website"})
    other = of_kind(what_would_change(situation(*READY, rules=rules)), "change_interest")
    assert other is not None
    assert other.facts["channel"] == "visit"


def test_an_answer_to_the_last_contact_counts() -> None:
    """A policy wants an answer before the next visit."""
    rule = policy("answered", "responses_visit_365d >= 1", applies="treatment = 'visit_safety'")
    now = situation(*READY, touchpoint(-40.0), rules=replace(CALM, policies=(rule,)))

    change = of_kind(what_would_change(now), "change_response")

    assert change == Change("change_response", {"channel": "visit"}, 5.0, "visit_safety")


def test_somebody_in_the_role_and_a_renewed_approval_are_changes_too() -> None:
    """What no customer can change, a colleague can."""
    permissions = READY[1:]
    expired = tuple(
        replace(t, approval="P-1", approved_until=NOW - 1) if t.id == "visit_safety" else t
        for t in TREATMENTS
    )

    nobody = of_kind(what_would_change(situation(*permissions)), "change_executor")
    stale = of_kind(
        what_would_change(situation(*READY, rules=replace(CALM, treatments=expired))), "change_approval"
    )

    assert nobody == Change("change_executor", {"role": "rep"}, 20.0, "visit_safety")
    assert stale is not None
    assert (stale.first, stale.facts["approval"]) == ("visit_safety", "P-1")


def test_another_segment_and_a_number_beyond_a_limit_are_found_with_the_nearest_first() -> None:
    """The policy asks for a potential of 1,200 or segment B: 1,250 is the nearest stated step."""
    rule = policy("big", "potential_value > 1200 or segment = 'B'", applies="treatment = 'visit_safety'")
    rules = replace(CALM, policies=(rule,), attributes=ATTRIBUTES)

    change = of_kind(what_would_change(situation(*READY, rules=rules)), "change_attribute")

    assert change is not None
    assert change.facts == {"attribute": "potential_value", "value": 1250.0, "now": 1000.0}
    assert change.distance_days == pytest.approx(7.5)
    text = situation(*READY, account(potential_value=None), rules=rules)
    other = of_kind(what_would_change(text), "change_attribute")
    assert other is not None
    assert other.facts == {"attribute": "segment", "value": "B", "now": "A"}


def test_what_is_missing_to_the_first_place_is_said_to_the_cent() -> None:
    """200 against 300 x 0.5: a representative follows every second time."""
    by = FixedScorer({"visit_safety": 300.0, "email_news": 100.0}, followed=0.5)

    change = of_kind(what_would_change(situation(*READY, by=by)), "change_value")

    assert change is not None
    assert change.facts == {"treatment": "email_news", "amount": pytest.approx(6.01)}
    assert change.first == "email_news"
    less = replace(situation(*READY), scorer=replace(by, worth={"visit_safety": 300.0, "email_news": 105.99}))
    more = replace(less, scorer=replace(by, worth={"visit_safety": 300.0, "email_news": 106.02}))
    firsts = [s.decided().treatments[int(s.decided().ranking.greedy[0])] for s in (less, more)]
    assert firsts == ["visit_safety", "email_news"]


def test_a_treatment_can_be_asked_for() -> None:
    """Not any other, but this one."""
    turning = what_would_change(situation(*READY), among=frozenset({"visit_news"}))

    assert {change.first for change in turning.changes} == {"visit_news"}


def test_where_nothing_helps_that_is_said() -> None:
    """No single change opens what two rules forbid: silence would look like an error."""
    never = policy("never", "1 = 0")
    turning = what_would_change(situation(*READY, rules=replace(CALM, policies=(never,))))

    assert (turning.first, turning.changes) == ("none", ())
    assert turning.tried > 10
    assert change_words(turning, Reader("en", NOW, None, CALM)) == (
        f"Nothing within reach changes it: {turning.tried} single changes were tried, time up to 90 days "
        "ahead among them.",
    )


@pytest.mark.parametrize("learner", ["best_fixed", "s_learner", "t_learner"])
def test_every_change_that_is_told_is_true_of_a_release(learner: str) -> None:
    """Changes are read off the same decision that would be taken: as of that moment, on those facts."""
    rules = playbook()
    past = random_history(11)
    ids = past["accounts"]["account_id"].unique().sort().to_list()[:3]
    by = scorer(known_of(), learner)
    for id in ids:
        now = Situation(past, id, at(0.0), rules, FeatureSet.of(rules, ATTRIBUTES), by, 7)

        turning = what_would_change(now)

        assert all(change.first != turning.first for change in turning.changes)
        distances = [change.distance_days for change in turning.changes]
        assert distances == sorted(distances)
        days = of_kind(turning, "change_days")
        if days is not None:
            later = replace(now, as_of=now.as_of + int(days.facts["days"]) * 86_400_000_000).decided()
            assert later.treatments[int(later.ranking.greedy[0])] == days.first


def split_on_potential() -> LearnedScorer:
    known = known_of()
    rows = known.row_matrix(np.zeros(len(known.moments), dtype=np.int64))
    place = known.set.names.index("potential_value")
    rows[:, place] = np.random.default_rng(3).uniform(100.0, 900.0, len(rows))
    data = lightgbm.Dataset(rows, rows[:, place] ** 2, feature_name=list(known.set.names))
    parameters = {"verbosity": -1, "num_threads": 1, "min_data_in_leaf": 5}
    text = lightgbm.train(parameters, data, num_boost_round=3).model_to_string()
    return learned_scorer(manifest(known, "s_learner"), {"value.forest.txt": text}, arrays(), playbook())


def test_splits_of_a_release_are_tried_on_both_sides() -> None:
    """A forest turns where it splits: a value beyond the split is the nearest that can matter."""
    by = split_on_potential()
    splits = np.unique(by.splits("potential_value"))
    rules = playbook(suppressions=(), contact_limits=())
    value = float(np.floor(splits[len(splits) // 2]))
    now = situation(*READY, account(potential_value=value), rules=rules, by=by)

    trials = list(CHANGE_KINDS["change_attribute"](now, now.decided()))

    tried = [float(t.facts["value"]) for t in trials if t.facts["attribute"] == "potential_value"]
    beyond = splits[splits >= value][0]
    assert any(value < v and v > beyond for v in tried)
    assert any(v <= splits[splits < value][-1] < value for v in tried)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_kind_of_change_can_be_said(language: str) -> None:
    """A change without words would be a riddle."""
    facts = {"days": 3, "topic": "news", "channel": "visit", "purpose": "marketing", "count": 2, "limit": 2,
             "approval": "P-1", "treatment": "visit_news", "role": "rep", "attribute": "segment",
             "value": "B", "now": None, "amount": 12.5}  # fmt: skip
    changes = tuple(Change(code, facts, 1.0, "visit_news") for code in CHANGE_KINDS)

    said = change_words(Turning("none", changes, 9), Reader(language, NOW, None, CALM))

    assert len(set(said)) == len(CHANGE_KINDS)
    assert all(sentence and "{" not in sentence for sentence in said)


def test_starting_values_are_explained_alike() -> None:
    """Before the first release the question is the same."""
    turning = what_would_change(situation(*READY, by=StartingScorer(CALM)))

    assert turning.changes
