"""What a release, or the playbook's starting values, says of each account and treatment."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import lightgbm
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import numerics
from engine.facts import Attribute
from engine.features import Features
from engine.forest import parse_forest
from engine.readers import ERROR_FOREST
from engine.records import EngineError, Floats, Moments
from engine.scoring import LEARNERS, StartingScorer, learned_scorer, value_forest_of
from tests.engine.builders import account, features, history, moments, playbook
from tests.engine.random_histories import random_history, random_moments
from tests.engine.releases import arrays, grown, known_of, manifest, scorer, texts_of


def test_starting_values_are_those_of_the_playbook_for_every_account() -> None:
    """Before anything was learned: uplift x value caused, channel's fatigue, nothing without contact."""
    scores = StartingScorer(playbook()).score(features(history(), moments("a", "a")))

    assert scores.value.tolist() == [[0.0, 20.0, 20.0, 10.0, 20.0, 20.0]] * 2
    assert scores.response[0].tolist() == [0.0, 0.1, 0.1, 0.05, 0.1, 0.1]
    assert scores.optout[0].tolist() == [0.0, 0.01, 0.01, 0.0, 0.001, 0.001]
    assert scores.evidence.tolist() == [0] * 6


def test_whether_people_follow_starts_with_the_playbook_and_not_below_its_floor() -> None:
    """What the system dispatches happens; a person follows as often as the playbook says."""
    known = features(history())

    assert StartingScorer(playbook()).score(known).followed[0].tolist() == [1.0, 1.0, 1.0, 0.5, 0.5, 0.5]
    low = StartingScorer(playbook(followed={"rep": 0.1})).score(known)
    assert low.followed[0].tolist() == [1.0, 1.0, 1.0, 0.2, 0.2, 0.2]


def test_the_best_fixed_release_says_the_same_for_all() -> None:
    """What was learned where it was; a stop keeps its starting value."""
    scores = scorer(known_of()).score(known_of())

    assert scores.value.shape == (80, 6)
    assert scores.value[3, [0, 1, 3, 4]].tolist() == [10.0, 14.0, 20.0, 25.0]
    assert scores.uncertainty[3, [0, 1, 3, 4]].tolist() == [0.0, 1.0, 10.0, 5.0]
    assert scores.response[3].tolist() == [0.0, 0.2, 0.1, 0.05, 0.3, 0.1]
    assert scores.evidence.tolist() == [500, 80, 0, 0, 60, 0]


def test_a_new_message_is_worth_what_its_channel_is_and_says_how_uncertain_that_is() -> None:
    """An e-mail on a new topic: 5 with an error of 3 by its channel, 20 with 20 by the playbook: never 0."""
    scores = scorer(known_of()).score(known_of())

    share = 20.0**2 / (20.0**2 + 3.0**2)
    assert scores.value[0, 2] - scores.value[0, 0] == pytest.approx(5.0 * share + 20.0 * (1 - share))
    assert scores.uncertainty[0, 2] == pytest.approx(3.0 * share**0.5)
    assert scores.uncertainty[0, 2] > scores.uncertainty[0, 1]


def unsure(known: Features, **values: Any) -> Floats:
    """Of an S-learner's release that says how far single accounts may be from what is said."""
    texts = texts_of("s_learner", known) | {ERROR_FOREST: grown(known, seed=7)}
    own = arrays(account_error=[0.0, 2.0, 4.0], **values)
    said = manifest(known, "s_learner", estimand="doing")
    return learned_scorer(said, texts, own, playbook()).score(known).uncertainty


def test_an_account_is_told_with_the_error_of_the_mean_and_its_own() -> None:
    """In squares: the forest says what share of the usual account's, at least a tenth."""
    known = known_of()
    share = np.maximum(parse_forest(grown(known, seed=7)).predict_pairs(known, np.array([1, 2, 4])), 0.1)

    found = unsure(known)

    assert share[:, 0].std() > 0.0
    np.testing.assert_allclose(found[:, 1], np.hypot(1.0, 2.0 * share[:, 0]), rtol=1e-12)
    np.testing.assert_allclose(found[:, 4], np.hypot(5.0, 4.0 * share[:, 2]), rtol=1e-12)
    assert (found[:, [0]] == 0.0).all()
    assert (found[:, 3] == 10.0).all()  # a stop keeps its starting value


def test_a_message_without_cases_has_the_errors_of_accounts_that_its_channel_has() -> None:
    """As much of them as it inherits of the worth; none where everybody is told the same."""
    known = known_of()
    share = np.maximum(parse_forest(grown(known, seed=7)).predict_pairs(known, np.array([2]))[:, 0], 0.1)
    believed = 20.0**2 / (20.0**2 + 3.0**2)

    found = unsure(known)[:, 2]

    np.testing.assert_allclose(found, np.hypot(3.0 * believed**0.5, 2.0 * believed * share), rtol=1e-12)


def test_errors_of_accounts_without_their_sizes_are_a_damaged_release() -> None:
    """One clear line."""
    known = known_of()
    texts = texts_of("s_learner", known) | {ERROR_FOREST: grown(known)}

    with pytest.raises(EngineError, match="array 'account_error' has shape"):
        learned_scorer(manifest(known, "s_learner"), texts, arrays(), playbook())
    del texts[ERROR_FOREST]
    with pytest.raises(EngineError, match=r"has no 'error\.forest\.txt'"):
        learned_scorer(manifest(known, "s_learner"), texts, arrays(account_error=[0.0, 1.0, 1.0]), playbook())


def test_starting_values_are_uncertain_too() -> None:
    """As a share of the value; one of 0 is no surer than the others, and a certain one can be asked for."""
    rules = playbook(starting_uncertainty=0.5)

    assert StartingScorer(rules).score(features(history())).uncertainty[0].tolist() == [0, 10, 10, 5, 10, 10]
    own = scorer(known_of(), rules=playbook(starting_uncertainty=0.0)).score(known_of())
    assert own.value[0, 2] == own.value[0, 0] + 20.0
    assert own.uncertainty[0, 2] == 0.0


def test_an_s_learner_reads_one_forest_for_all_that_it_learned() -> None:
    """No contact is a row like any other."""
    known = known_of()
    own = scorer(known, "s_learner")
    pairs = own.parts.forests["value.forest.txt"].predict_pairs(known)

    scores = own.score(known)

    for treatment in (0, 1, 4):
        np.testing.assert_array_equal(scores.value[:, treatment], pairs[:, treatment])
    np.testing.assert_array_equal(scores.value[:, 3], pairs[:, 0] + 10.0)


def test_a_t_learner_reads_each_treatments_own_forest_or_its_constant_uplift() -> None:
    """Few cases: no forest of its own, but what it added on average."""
    known = known_of()
    texts = texts_of("t_learner", known) | {value_forest_of("visit_news"): grown(known, seed=7)}
    own = learned_scorer(manifest(known, "t_learner"), texts, arrays(), playbook())
    none = own.parts.forests[value_forest_of("none")].predict_pairs(known)[:, 0]
    visit = own.parts.forests[value_forest_of("visit_news")].predict_pairs(known)[:, 4]

    scores = own.score(known)

    np.testing.assert_array_equal(scores.value[:, 0], none)
    np.testing.assert_array_equal(scores.value[:, 1], none + 4.0)
    np.testing.assert_array_equal(scores.value[:, 4], visit)


def test_a_response_forest_gives_probabilities_and_no_contact_none() -> None:
    """The raw score goes through the engine's own sigmoid."""
    known = known_of()
    texts = {"response.forest.txt": grown(known, objective="binary")}
    own = learned_scorer(manifest(known), texts, arrays(), playbook())
    raw = own.parts.forests["response.forest.txt"].predict_pairs(known)

    scores = own.score(known)

    np.testing.assert_array_equal(scores.response[:, 4], numerics.sigmoid(raw)[:, 4])
    assert not scores.response[:, 0].any()
    assert scores.response[:, 2].tolist() == [0.1] * 80


@given(st.integers(0, 2**31 - 1), st.sampled_from(sorted(LEARNERS)))
@settings(max_examples=15, deadline=None)
def test_every_learner_scores_a_row_alone_as_in_a_batch(seed: int, learner: str) -> None:
    """Law 1, for whatever learner is added: the night and a live event read the same numbers."""
    past, asked = random_history(seed), random_moments(seed, 30)
    known = features(past, asked)
    own = scorer(known, learner)
    together = own.score(known).value

    for i in (0, 17, 29):
        one = features(past, Moments((asked.account_ids[i],), asked.as_of[i : i + 1]))

        assert own.score(one).value.tobytes() == together[i : i + 1].tobytes()


def test_codes_are_translated_to_those_of_the_release() -> None:
    """A new segment sorts before the others: every code shifts, and no score may."""
    past = history(account("a", segment="B"), account("b", segment="C"), account("c", segment="A"))
    asked = moments("a", "b", "c")
    before = features(past, asked, attributes=(Attribute("segment", ("A", "B", "C")),))
    after = features(past, asked, attributes=(Attribute("segment", ("0", "A", "B", "C", "D")),))
    forest = _one_split_on_segment(before)
    own = learned_scorer(manifest(before, "s_learner"), {"value.forest.txt": forest}, arrays(), playbook())

    np.testing.assert_array_equal(own.score(after).value, own.score(before).value)
    assert len(set(own.score(before).value[:, 0])) > 1


def test_a_level_that_the_release_never_saw_is_missing_to_it() -> None:
    """Not the code of another level by accident."""
    levels = (Attribute("segment", ("A", "B", "C")),)
    empty, other = (features(history(account(segment=s)), attributes=levels) for s in (None, "C"))
    seen = manifest(empty, "s_learner", levels={**empty.set.levels, "segment": ["A", "B"]})
    forest = _one_split_on_segment(features(history(account(segment="A")), attributes=levels))
    own = learned_scorer(seen, {"value.forest.txt": forest}, arrays(), playbook())

    np.testing.assert_array_equal(own.score(other).value, own.score(empty).value)


def _one_split_on_segment(known: Features) -> str:
    place = known.set.names.index("segment")
    rows = np.zeros((300, len(known.set.names)))
    rows[:, place] = np.arange(300) % 3
    data = lightgbm.Dataset(
        rows, (rows[:, place] == 1) * 5.0, feature_name=list(known.set.names), categorical_feature=["segment"]
    )
    parameters = {"objective": "regression", "verbosity": -1, "num_threads": 1, "min_data_per_group": 1,
                  "cat_smooth": 0.0}  # fmt: skip
    return lightgbm.train(parameters, data, num_boost_round=3).model_to_string()


def test_a_feature_that_is_gone_is_named() -> None:
    """The column left the export: the release cannot score and says which one it misses."""
    known = known_of()
    without = features(history(), attributes=(Attribute("potential_value"), Attribute("automated")))

    with pytest.raises(EngineError, match="reads feature 'segment', which is not known here"):
        scorer(known).score(without)


def test_a_feature_whose_type_changed_is_named() -> None:
    """Grades that became numbers are not codes."""
    known = known_of()
    changed = features(
        history(), attributes=(Attribute("segment"), Attribute("potential_value"), Attribute("automated"))
    )

    with pytest.raises(EngineError, match="'segment' is a text here and a number in the release"):
        scorer(known).score(changed)


def broken(values: Floats) -> dict[str, dict[str, Any]]:
    return arrays(uplift=values)


@pytest.mark.parametrize(
    ("changes", "constants", "message"),
    [
        ({"format": 1}, arrays(), "format 1, but format 2 is read; train a new one"),
        ({"learner": "t_lerner"}, arrays(), "'t_lerner', which is not known here. Did you mean 't_learner'"),
        ({"learner": "s_learner"}, arrays(), "has no 'value.forest.txt': it is incomplete"),
        ({"treatments": ["email_news", "visit_news", "x"]}, arrays(), "not learned no contact"),
        ({}, broken(np.zeros(2)), r"'uplift' has shape \(2,\), but needs 3 finite numbers"),
        ({}, broken(np.array([0.0, np.nan, 1.0])), "needs 3 finite numbers"),
        ({}, {}, r"pooled effects have shapes \(0,\)"),
        ({}, arrays(pool_error=np.full((3, 2), -1.0)), "pooled effects"),
    ],
)
def test_a_release_that_cannot_score_says_why_in_one_line(
    changes: dict[str, Any], constants: dict[str, dict[str, Any]], message: str
) -> None:
    """Refused at once and as a whole: the release before stays in use."""
    with pytest.raises(EngineError, match=message) as error:
        learned_scorer(manifest(known_of(), **changes), {}, constants, playbook())

    assert "\n" not in str(error.value)


@pytest.mark.parametrize("key", ["release", "learner", "treatments", "feature_names", "levels", "evidence"])
def test_a_manifest_without_a_key_is_damaged(key: str) -> None:
    """Nothing is guessed."""
    damaged = manifest(known_of())
    del damaged[key]

    with pytest.raises(EngineError, match=f"has no '{key}'"):
        learned_scorer(damaged, {}, arrays(), playbook())


def test_a_treatment_that_left_the_playbook_is_ignored() -> None:
    """A release may know more than today's playbook allows."""
    known = known_of()
    rules = playbook(treatments=tuple(t for t in playbook().treatments if t.id != "visit_news"))
    own = learned_scorer(manifest(known), {}, arrays(), rules)

    scores = own.score(replace(known, treatment=np.delete(known.treatment, 4, axis=0)))

    assert scores.value[0, [0, 1, 3]].tolist() == [10.0, 14.0, 20.0]
