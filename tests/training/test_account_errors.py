"""How far what is said of one account may be from the truth: wider where models differ, or less is known."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from data.home import Home
from engine.features import Features
from engine.readers import ERROR_FOREST, LEAST_SHARE
from engine.records import Floats
from engine.scoring import learned_scorer
from tests.training.builders import QUICK, SMALL, LogSettings, cases_of
from training.account_errors import AccountErrors, hiding, learn_account_errors
from training.boosting import each_pair
from training.cases import Cases
from training.learners import LEARNERS, Fitted
from training.release import manifest_of, parts_of, with_account_errors
from training.run import Outcome

EMAIL, VISIT = 1, 4
LEARNED = np.array([0, EMAIL, VISIT])
MOVES = np.array([-1.0, 0.0, 1.0])
"""Of three models: the jackknife's variance of what they say together is (K - 1) / K x the sum, 4 / 3."""


@dataclass(frozen=True)
class Model(Fitted):
    """Says that a visit is worth so much in segment A, in EUR, and e-mails little everywhere."""

    in_a: float = 0.0
    unlearned: tuple[int, ...] = ()

    def _learned_values(self, features: Features) -> Floats:
        segment = features.account[:, features.set.account.index("segment")]
        worth = np.where(np.isnan(segment), 0.0, np.where(segment == 0.0, self.in_a, -self.in_a))
        values = np.stack([np.zeros(len(worth)), 0.01 * worth, worth], axis=1)
        values[:, list(self.unlearned)] = np.nan
        return values


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Cases:
    return cases_of(tmp_path_factory.mktemp("log"), LogSettings(accounts=1_200))


@pytest.fixture(scope="module")
def constants(cases: Cases) -> Fitted:
    return LEARNERS["best_fixed"].learn(cases, cases.probability, QUICK)


def models(constants: Fitted, worth: Floats, unlearned: tuple[int, ...] = ()) -> list[Fitted]:
    known = replace(constants.constants, learned=LEARNED)
    return [Model(known, constants.treatments, in_a=float(each), unlearned=unlearned) for each in worth]


def error_of(found: AccountErrors, features: Features, treatment: int) -> Floats:
    """As serving works it out."""
    place = LEARNED.tolist().index(treatment)
    score = each_pair(found.booster, features, np.array([treatment]))[:, 0]
    return np.asarray(found.usual[place] * np.maximum(score, LEAST_SHARE))


def learn(cases: Cases, given: list[Fitted], share: float = 1.0) -> AccountErrors | None:
    return learn_account_errors(cases, given, LEARNED, QUICK, share=share, seed=0)


def test_it_is_as_wide_as_models_without_some_accounts_are_apart(cases: Cases, constants: Fitted) -> None:
    """Models that say 90, 100 and 110 of segment A: the square root of 2 / 3 x (100 + 0 + 100) beside the
    mean of all accounts; e-mails are a hundredth of that. Fewer accounts behind them: that much too wide."""
    given = models(constants, 100.0 + 10.0 * MOVES)

    found, of_fewer = learn(cases, given), learn(cases, given, share=0.5)

    assert found is not None
    assert of_fewer is not None
    wide = error_of(found, cases.features, VISIT)
    assert np.sqrt((wide**2).mean()) == pytest.approx(np.sqrt(4.0 / 3.0) * 10.0, rel=0.25)
    assert error_of(found, cases.features, EMAIL).mean() == pytest.approx(wide.mean() / 100.0, rel=0.3)
    assert error_of(of_fewer, cases.features, VISIT).mean() < 0.9 * wide.mean()
    assert found.usual[0] == 0.0


def test_an_account_of_which_nothing_is_known_is_told_with_a_wider_error(
    cases: Cases, constants: Fitted
) -> None:
    """Whether it is in segment A decides about 200 EUR: all models agree on that, and it is not known."""
    found = learn(cases, models(constants, 100.0 + 2.0 * MOVES))

    assert found is not None
    known = error_of(found, cases.features, VISIT)
    unknown = error_of(found, hiding(cases.features, np.True_), VISIT)
    assert unknown.mean() > 10.0 * known.mean()
    assert 60.0 < unknown.mean() < 120.0


def test_models_that_say_the_same_of_every_account_leave_the_error_of_the_mean(
    cases: Cases, constants: Fitted
) -> None:
    """The best fixed action tells no accounts apart; nothing is added."""
    assert learn(cases, [constants, constants, constants]) is None
    assert learn(cases, models(constants, np.zeros(3))) is None


def test_a_treatment_that_some_models_did_not_learn_is_not_taken_for_certain(
    cases: Cases, constants: Fitted
) -> None:
    """It is told with the error of its channel, or of all."""
    found = learn(cases, models(constants, 100.0 + 10.0 * MOVES, unlearned=(2,)))

    assert found is not None
    assert found.usual[2] == found.usual[1] > 0.0


def test_the_same_accounts_and_seed_give_the_same_bits(cases: Cases, constants: Fitted) -> None:
    """What is hidden is drawn from the seed."""
    given = models(constants, 100.0 + 10.0 * MOVES)

    first, second = learn(cases, given), learn(cases, given)

    assert first is not None
    assert second is not None
    assert first.text() == second.text()
    np.testing.assert_array_equal(first.usual, second.usual)


def test_serving_adds_it_to_the_error_of_the_mean(cases: Cases) -> None:
    """In squares; the mean's alone where a release has none."""
    learner = LEARNERS["s_learner"]
    fitted = learner.learn(cases, cases.probability, QUICK)
    learned, halves = fitted.constants.learned, np.arange(len(cases)) % 2 == 0
    given = [learner.learn(cases.take(own), cases.probability[own], QUICK) for own in (halves, ~halves)]
    errors = learn_account_errors(cases, given, learned, QUICK, share=1.0, seed=0)
    parts = parts_of(fitted, cases, QUICK)
    manifest = manifest_of("s_learner", fitted, cases, "test", {}) | {"estimand": "doing"}
    some = cases.take(np.arange(200)).features

    plain, told = (
        learned_scorer(manifest, each.texts, {"values": each.arrays}, SMALL).score(some).uncertainty
        for each in (parts, with_account_errors(parts, errors))
    )

    assert errors is not None
    own = errors.usual[1:] * np.maximum(each_pair(errors.booster, some, learned[1:]), LEAST_SHARE)
    np.testing.assert_array_equal(plain[:, learned], np.broadcast_to(fitted.constants.error, (200, 3)))
    np.testing.assert_allclose(told[:, learned[1:]], np.hypot(fitted.constants.error[1:], own), rtol=1e-12)
    assert (told[:, 0] == 0.0).all()
    assert told[:, VISIT].std() > 0.0


def test_a_training_run_writes_it_where_its_learner_tells_accounts_apart(
    trained: tuple[Home, Outcome],
) -> None:
    """And only there."""
    _, outcome = trained
    apart = outcome.release.manifest["learner"] != "best_fixed"

    assert (ERROR_FOREST in outcome.release.texts) == apart
    assert ("account_error" in outcome.release.arrays["values"]) == apart
