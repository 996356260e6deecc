"""A treatment without cases is worth to an account what similar ones are worth to it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.contributions import explain_together
from engine.inheriting import Additive
from engine.playbook import Treatment
from engine.records import Moments
from engine.scoring import LEARNERS, LearnedScorer, learned_scorer, value_forest_of
from tests.engine.builders import features, playbook, treatment
from tests.engine.random_histories import random_history, random_moments
from tests.engine.releases import arrays, grown, known_of, manifest, scorer, texts_of
from tests.engine.test_following import LEARNED

EMAIL_SAFETY, VISIT_SAFETY = 2, 5
TELLING_APART = sorted(name for name, reader in LEARNERS.items() if reader.reads != "nothing")


def release(learner: str, estimand: str = "doing") -> LearnedScorer:
    """It has learned an e-mail and a visit on the news, and nothing on safety."""
    straight = {} if learner == "linear" else {"effect_curved": [0.0, 0.0, 0.0]}
    known, values = known_of(), arrays(**LEARNED.arrays(), **straight)
    said = manifest(known, learner, followed=LEARNED.names(), estimand=estimand)
    texts = texts_of(learner, known)
    if learner == "t_learner":
        texts[value_forest_of("visit_news")] = grown(known, seed=7)
    return learned_scorer(said, texts, values, playbook())


def caused(own: LearnedScorer, treatment: int) -> np.ndarray:
    value = own.score(known_of()).value
    return value[:, treatment] - value[:, 0]


def test_it_is_worth_what_its_channel_is_and_what_the_account_adds_to_that() -> None:
    """By hand: the mean effect of the channel beside the starting value, and what the score says beyond the
    mean of a visit on the news that looks like this one, as far as the channel is believed."""
    known, own = known_of(), release("linear")
    effects = own.parts.effects
    assert effects is not None
    score = effects.linear.predict_pairs(known, np.array([VISIT_SAFETY]), np.array([2]))
    of_the_account = effects.worth(score, np.array([2]))[:, 0] - own.parts.uplift[2]
    usual = caused(scorer(known, "best_fixed"), VISIT_SAFETY)
    believed = 20.0**2 / (3.0**2 + 20.0**2)

    assert np.ptp(of_the_account) > 1.0
    np.testing.assert_allclose(caused(own, VISIT_SAFETY), usual + believed * of_the_account, rtol=1e-9)


@pytest.mark.parametrize("learner", TELLING_APART)
def test_accounts_are_told_apart_by_every_learner_that_does(learner: str) -> None:
    """Its own uncertainty is that of a treatment without cases, whoever it is asked for."""
    known, own = known_of(), release(learner)

    assert np.ptp(caused(own, VISIT_SAFETY)) > 1e-3
    unsure = own.score(known).uncertainty
    assert len(set(unsure[:, VISIT_SAFETY])) == 1
    assert unsure[0, VISIT_SAFETY] > 0.0


def test_who_gives_everybody_the_same_gives_everybody_the_same() -> None:
    """Not even the last bits differ between accounts."""
    assert len(set(caused(scorer(known_of(), "best_fixed"), VISIT_SAFETY))) == 1


def test_a_certain_starting_value_stands() -> None:
    """Whoever knows what a message brings has no use for what others do."""
    own = scorer(known_of(), "linear", rules=playbook(starting_uncertainty=0.0))

    value = own.score(known_of()).value

    np.testing.assert_array_equal(value[:, EMAIL_SAFETY], value[:, 0] + 20.0)


@pytest.mark.parametrize("estimand", ["doing", "suggesting"])
@pytest.mark.parametrize("learner", sorted(LEARNERS))
def test_reasons_add_up_to_what_was_ranked(learner: str, estimand: str) -> None:
    """What is inherited is told by the facts that it follows from."""
    known, own = known_of(), release(learner, estimand)
    asked = np.array([3, 40])

    found = own.contributions(known, asked, VISIT_SAFETY)

    together = found.constant + found.features.sum(axis=1)
    assert together == pytest.approx(caused(own, VISIT_SAFETY)[asked], rel=1e-9, abs=1e-9)
    assert found.features.any() == (learner in TELLING_APART)


@pytest.mark.parametrize("learner", sorted(LEARNERS))
def test_all_that_it_asks_forests_is_known_beforehand(learner: str) -> None:
    """A list is explained in one call of each forest, which finds the same to the bit."""
    own, asked = release(learner), np.array([3])
    alone, together = known_of(), known_of()

    explain_together(own.questions(together, 3, VISIT_SAFETY, of_response=False))

    found, before = (own.contributions(known, asked, VISIT_SAFETY) for known in (together, alone))
    assert found.features.tobytes() == before.features.tobytes()
    forests = {id(term.forest) for _, _, term in own.questions(alone, 3, VISIT_SAFETY, of_response=False)}
    assert len(vars(together).get("explained", {})) == len(forests)


@given(st.integers(0, 2**31 - 1), st.sampled_from(TELLING_APART))
@settings(max_examples=10, deadline=None)
def test_an_account_alone_inherits_as_in_a_batch(seed: int, learner: str) -> None:
    """The night and a live event read the same numbers."""
    past, asked = random_history(seed), random_moments(seed, 20)
    own = release(learner)
    together = own.score(features(past, asked)).value

    for i in (0, 19):
        one = features(past, Moments((asked.account_ids[i],), asked.as_of[i : i + 1]))

        assert own.score(one).value.tobytes() == together[i : i + 1].tobytes()


def test_sums_of_parts_are_found_again() -> None:
    """Visits add 10, e-mails 2; topic b adds 5 more than a: a visit about b was never made."""
    parts = Additive.of([one("visit", "a"), one("email", "a"), one("email", "b")])
    worth = np.array([10.0, 2.0, 7.0])

    assert parts.weights(one("visit", "b")) @ worth == pytest.approx(15.0, abs=1e-4)
    assert parts.weights(one("email", "a")) @ worth == pytest.approx(2.0, abs=1e-4)
    assert parts.weights(one("fax", "b")).sum() == pytest.approx(1.0, abs=1e-5)


def test_without_anything_in_common_all_count_alike() -> None:
    """A channel and a topic that nobody has had."""
    parts = Additive.of([one("visit", "a"), one("email", "b"), one("email", "c")])

    assert parts.weights(one("fax", "d")) == pytest.approx([1 / 3] * 3, abs=1e-6)


def test_only_one_of_its_channel_is_followed_in_what_the_channel_adds() -> None:
    """All on one topic: an e-mail on another one is an e-mail, whatever visits bring to whom."""
    parts = Additive.of([one("email", "news"), one("visit", "news")])

    assert parts.weights(one("email", "safety")).tolist() == [1.0, 0.0]


def one(channel: str, topic: str) -> Treatment:
    return treatment(f"{channel}_{topic}", channel, topic)
