"""What every learner of the registry must keep, whoever adds one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engine.scoring import learned_scorer
from tests.training.builders import QUICK, SMALL, LogSettings, cases_of
from training.cases import Cases
from training.learners import LEARNERS, learnable, load_installed
from training.release import Parts, manifest_of, moves_effects, parts_of

load_installed()
EVERY = pytest.mark.parametrize("name", sorted(LEARNERS))


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Cases:
    """A log with effects that differ by segment, and one arm too small for a forest of its own."""
    return cases_of(tmp_path_factory.mktemp("log"), LogSettings(accounts=500, decisions=3))


def fitted(name: str, cases: Cases):
    return LEARNERS[name].learn(cases, cases.probability, QUICK)


def released(learned, name: str, cases: Cases) -> tuple[dict, Parts]:
    parts = parts_of(learned, cases, QUICK)
    return manifest_of(name, learned, cases, "test", {}), parts


@EVERY
def test_refitting_gives_the_same_to_the_bit(name: str, cases: Cases) -> None:
    """The same data and seed must give the same release, with any number of threads."""
    first = released(fitted(name, cases), name, cases)[1]

    two = LEARNERS[name].learn(cases, cases.probability, replace(QUICK, threads=2))

    assert first.arrays.keys() == parts_of(two, cases, QUICK).arrays.keys()
    np.testing.assert_array_equal(fitted(name, cases).predict(cases.features), two.predict(cases.features))
    assert first.hash == released(fitted(name, cases), name, cases)[1].hash


@EVERY
def test_predicting_together_equals_predicting_in_pieces(name: str, cases: Cases) -> None:
    """A row's prediction depends on that row alone."""
    learned = fitted(name, cases)
    pieces = np.array_split(np.arange(len(cases)), 7)

    together = learned.predict(cases.features)

    apart = np.concatenate([learned.predict(cases.take(piece).features) for piece in pieces])
    np.testing.assert_array_equal(together, apart)


@EVERY
def test_the_written_release_scores_what_the_learner_predicts_to_the_bit(name: str, cases: Cases) -> None:
    """The engine reads forests by itself; what was evaluated must be what is served."""
    learned = fitted(name, cases)
    manifest, parts = released(learned, name, cases)
    manifest |= {"estimand": "doing"}  # as it was learned, not divided by P(followed)

    scores = learned_scorer(manifest, parts.texts, {"values": parts.arrays}, SMALL).score(cases.features)

    own = learnable(cases)
    np.testing.assert_array_equal(scores.value[:, own], learned.predict(cases.features)[:, own])
    assert scores.evidence[own].tolist() == cases.counts[own].tolist()


@EVERY
def test_the_written_release_explains_what_it_scores(name: str, cases: Cases) -> None:
    """Reasons come from the terms of the learner's reader: they must add up to what is ranked."""
    manifest, parts = released(fitted(name, cases), name, cases)
    scorer = learned_scorer(manifest, parts.texts, {"values": parts.arrays}, SMALL)
    value, asked = scorer.score(cases.features).value, np.arange(0, len(cases), 97)

    for treatment in range(value.shape[1]):
        found = scorer.contributions(cases.features, asked, treatment)

        together = found.constant + found.features.sum(axis=1)
        caused = (value[:, treatment] - value[:, 0])[asked]
        assert together == pytest.approx(caused, rel=1e-9, abs=1e-9)


@EVERY
def test_treatments_without_enough_cases_are_not_claimed(name: str, cases: Cases) -> None:
    """email_safety was never sent: NaN here, starting values in the release."""
    predicted = fitted(name, cases).predict(cases.features)

    assert np.isnan(predicted[:, SMALL.treatments.index(SMALL.treatment("email_safety"))]).all()
    assert np.isfinite(predicted[:, learnable(cases)]).all()


@EVERY
def test_the_best_arm_is_found_on_average(name: str, cases: Cases) -> None:
    """True means beyond none: e-mail 12.5, visit 15; each learner comes near on 1,500 cases."""
    predicted = fitted(name, cases).predict(cases.features)[:, learnable(cases)].mean(axis=0)

    caused = predicted[1:] - predicted[0]
    assert caused == pytest.approx([12.5, 15.0], abs=4.0)


@EVERY
def test_a_learner_is_named_and_ordered(name: str) -> None:
    """Ties go to the simpler one, so complexities must differ."""
    assert LEARNERS[name].name == name
    assert len({entry.complexity for entry in LEARNERS.values()}) == len(LEARNERS)


@EVERY
def test_where_nothing_is_known_and_nothing_comes_nobody_is_worth_a_contact(name: str, cases: Cases) -> None:
    """Features that never vary and outcomes that never come are no obstacle and teach nothing."""
    known = cases.features
    blocks = {
        part: np.zeros_like(getattr(known, part)) for part in ("account", "channel", "topic", "message")
    }
    empty = replace(cases, features=replace(known, **blocks), reward=np.zeros(len(cases)))

    values = fitted(name, empty).predict(empty.features)[:, learnable(empty)]

    assert np.abs(values).max() < 1e-6


@EVERY
def test_a_category_that_nobody_had_in_training_is_valued(name: str, cases: Cases) -> None:
    """Accounts of a segment that was never seen get a finite value of every treatment learned."""
    rich = cases.features.account[:, cases.features.set.account.index("segment")] == 0.0

    values = fitted(name, cases.take(~rich)).predict(cases.take(rich).features)

    assert np.isfinite(values[:, learnable(cases)]).all()


@EVERY
def test_what_moves_effects_is_not_what_foretells_outcomes(name: str, cases: Cases) -> None:
    """Only the segment decides what a contact causes, whatever an account is worth anyway.

    By it the effect of an e-mail is -5 or 30 and that of a visit 40 or -10: standard deviations 17.5 and 25.
    """
    anyway = cases.features.account[:, cases.features.set.account.index("potential_value")]
    unequal = replace(cases, reward=cases.reward + 0.2 * anyway)
    learned = fitted(name, unequal)

    moved = moves_effects(manifest_of(name, learned, unequal, "test", {}), learned, unequal)

    gain = learned.importance()
    if name == "best_fixed":
        assert moved == gain == {}
        return
    assert max(gain, key=lambda feature: gain[feature]) == "potential_value"
    assert max(moved, key=lambda feature: moved[feature]) == "segment"
    if name == "linear":
        assert moved["segment"] == pytest.approx(21.25, abs=2.0)
