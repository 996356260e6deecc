"""Linear effects: what is deducted first, which traits speak, which pairs, and that luck is not an effect."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.linalg import cholesky

from engine.records import Floats
from tests.training.builders import QUICK, LogSettings, cases_of
from training import effects, interactions, robust
from training.cases import Cases
from training.interactions import (
    FOLDS,
    _misfit,
    _normal_equations,
    _stepped,
    begin,
    error_unseen,
    improved,
    lower_factor,
)
from training.prognosis import Prognosis, without_later_luck

EMAIL, VISIT = 1, 4


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Cases:
    """Segments want opposite things; potential_value is known and does nothing."""
    return cases_of(tmp_path_factory.mktemp("log"), LogSettings(accounts=800))


def trait(cases: Cases, name: str) -> Floats:
    return cases.features.account[:, cases.features.set.account.index(name)]


def with_effect(cases: Cases, effect: Floats) -> Cases:
    """The same log if contacts had caused this instead."""
    noise = np.random.default_rng(1).normal(0.0, 10.0, len(cases))
    return replace(cases, reward=100.0 + effect * (cases.action > 0) + noise)


def found(cases: Cases):
    return effects._linear(cases, cases.probability, QUICK)


def width_of(fit: effects._Found, kind: str, name: str) -> float:
    """Of what a trait adds to all ("common") or by channel or topic."""
    problem = fit.problem
    place = problem.names.index(name)
    flags = [np.flatnonzero(getattr(problem.design, flag)) for flag in ("common", "by_channel", "by_topic")]
    before = 0
    for flag, columns in zip(("common", "by_channel", "by_topic"), flags, strict=True):
        firsts = np.unique(problem.design.basis.first[columns])
        if flag == kind:
            return float(fit.fit.widths[before + firsts.tolist().index(place)])
        before += len(firsts)
    raise AssertionError(kind)


def test_a_trait_that_does_not_matter_falls_silent(cases: Cases) -> None:
    """Each trait has a prior of its own: what separates the channels is heard, noise is not."""
    learned = found(cases)

    loud = width_of(learned, "by_channel", "segment")
    assert loud > 0.3
    assert width_of(learned, "by_channel", "potential_value") < 0.2 * loud
    assert not learned.problem.design.paired.any()


def test_a_pair_of_traits_is_found_where_only_together_they_matter(cases: Cases) -> None:
    """Worth 60 where segment and potential agree, -60 where not: no trait alone says anything."""
    agree = (trait(cases, "segment") > 0) == (trait(cases, "potential_value") > 500)
    log = with_effect(cases, np.where(agree, 60.0, -60.0))

    learned = found(log)

    assert learned.problem.design.paired.any()
    predicted = effects.learn_linear(log, log.probability, QUICK).predict(log.features)
    caused = predicted[:, VISIT] - predicted[:, 0]
    assert caused[agree].mean() > 40.0
    assert caused[~agree].mean() < -40.0


def test_effects_that_grow_by_factors_are_seen_as_such(cases: Cases) -> None:
    """Worth e^z, z from potential: a line would promise too little at the top and losses at the bottom."""
    size = (trait(cases, "potential_value") - 500.0) / 290.0
    steep = found(with_effect(cases, 40.0 * np.exp(1.5 * size)))
    straight = found(with_effect(cases, 60.0 - 20.0 * (trait(cases, "segment") > 0)))

    assert steep.fit.curved[1:].all()
    middle = np.abs(size[steep.problem.treated]) < 0.3
    assert steep.effect()[steep.problem.treated][middle].mean() == pytest.approx(40.0, abs=12.0)
    assert straight.effect()[straight.problem.treated].mean() == pytest.approx(50.0, abs=3.0)


def test_the_doubly_robust_learner_sees_effects_behind_what_would_have_come_anyway(cases: Cases) -> None:
    """Accounts differ by hundreds whatever is done, and by 30 in what a contact of their kind does."""
    right = ((cases.action == VISIT) & (trait(cases, "segment") == 0)) | (
        (cases.action == EMAIL) & (trait(cases, "segment") == 1)
    )
    log = with_effect(cases, np.where(right, 30.0, 0.0))
    log = replace(log, reward=log.reward + 0.5 * trait(cases, "potential_value"))

    predicted = robust.learn_robust(log, log.probability, QUICK).predict(log.features)

    best = np.where(trait(cases, "segment") == 0, VISIT, EMAIL)
    rows = np.arange(len(log))
    caused, other = predicted[rows, best] - predicted[:, 0], predicted[rows, VISIT + EMAIL - best]
    assert caused.mean() == pytest.approx(30.0, abs=12.0)
    assert (predicted[rows, best] > other).mean() > 0.95


def test_what_is_expected_of_an_account_has_not_seen_it(cases: Cases) -> None:
    """Or an account's own luck would be deducted from its outcome, and its effect with it."""
    prognosis = Prognosis.of(cases, QUICK)
    apart = prognosis.folds == 0
    other = np.where(apart, cases.reward + 1e6 * trait(cases, "segment"), cases.reward)

    np.testing.assert_array_equal(prognosis.expected(cases.reward)[apart], prognosis.expected(other)[apart])


def test_the_luck_of_later_decisions_is_deducted_and_nothing_else(cases: Cases) -> None:
    """Half of what the next visit causes falls into this window: noise to whoever asks about this one."""
    log = replace(cases, windows=(60.0,))
    effect = 80.0 * (log.action == VISIT)
    order = np.lexsort((log.as_of, np.array(log.account_ids)))
    follows = np.zeros(len(log))
    same = np.array(log.account_ids)[order][1:] == np.array(log.account_ids)[order][:-1]
    follows[order[:-1][same]] = 0.5 * effect[order[1:][same]]
    log = replace(log, reward=effect + follows + np.random.default_rng(2).normal(0.0, 1.0, len(log)))

    outcome = without_later_luck(log, effect, log.reward - effect - follows.mean(), Prognosis.of(log, QUICK))

    before, after = log.reward - effect, outcome - effect
    assert after.var() < 0.35 * before.var()
    gap = [values[log.action == VISIT].mean() - values[log.action == 0].mean() for values in (before, after)]
    assert abs(gap[1]) < 3.0
    assert after.mean() == pytest.approx(before.mean(), abs=2.0)


def test_luck_that_hardly_ever_happened_is_left_alone(cases: Cases) -> None:
    """Decisions 40 days apart, a window of 30: nothing later falls into it, and nothing is deducted."""
    effect = 80.0 * (cases.action == VISIT)

    outcome = without_later_luck(cases, effect, cases.reward - effect, Prognosis.of(cases, QUICK))

    assert outcome is cases.reward


def test_columns_that_are_nearly_the_same_do_not_stop_the_fit() -> None:
    """Single precision may leave a matrix of products with an eigenvalue below 0; sound ones stay exact."""
    sound = np.array([[4.0, 1.0], [1.0, 3.0]])
    broken = np.array([[1e6, 1e6], [1e6, 1e6 - 0.5]])

    assert lower_factor(sound).tobytes() == np.asarray(cholesky(sound, lower=True)).tobytes()
    factor = lower_factor(broken)
    np.testing.assert_allclose(factor @ factor.T, broken, rtol=2e-6)


def test_a_step_that_goes_too_far_is_damped(cases: Cases, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a direction looks flatter than it is, each step goes farther beyond the best than the last."""
    learned = found(cases)
    problem, outcome = learned.problem, learned.outcome - learned.expected
    start = begin(problem, curved=False)
    folds = range(FOLDS)
    parts = _normal_equations(problem, start, outcome, folds)
    steep, axis = np.linalg.eigh(sum(part[0] for part in parts))
    flatter = parts[0][0] - 0.99 * steep[-1] * np.outer(axis[:, -1], axis[:, -1])
    wrong = [(flatter, parts[0][1]), *parts[1:]]
    monkeypatch.setattr(interactions, "_normal_equations", lambda *of: wrong)

    found_ = _stepped(problem, start, outcome, folds, share=1.0)

    assert not np.array_equal(found_.weights, start.weights)
    assert _misfit(problem, found_, outcome, folds) < _misfit(problem, start, outcome, folds)


@pytest.mark.parametrize("curved", [False, True])
def test_the_error_on_accounts_left_out_owes_nothing_to_having_seen_them(cases: Cases, curved: bool) -> None:
    """Whatever the fit has learned of them by heart, it is judged by weights that were found without them."""
    learned = found(cases)
    problem, outcome = learned.problem, learned.outcome - learned.expected
    start = begin(problem, curved=curved)
    by_heart = improved(problem, start, outcome, steps=2)

    assert error_unseen(problem, by_heart, outcome) == error_unseen(problem, start, outcome)


def test_columns_that_differ_by_a_hair_are_told_apart_by_many_cases(cases: Cases) -> None:
    """In single precision their difference drowns in the sums, and the fit along it runs away."""
    problem = found(cases).problem
    hair = np.random.default_rng(2).normal(0.0, 1e-3, len(cases)).astype(np.float32)
    twins = np.stack([np.ones(len(hair), dtype=np.float32), 1.0 + hair], axis=1)
    problem = replace(problem, nuisance=twins, noise=np.ones(len(hair)), memory={})
    parts = _normal_equations(problem, begin(problem, curved=False), np.zeros(len(hair)), range(FOLDS))

    curvature = sum(part[0] for part in parts)[problem.size :, problem.size :]

    exact = twins.astype(np.longdouble).T @ twins.astype(np.longdouble)
    difference = np.array([1.0, -1.0])
    assert difference @ curvature @ difference == pytest.approx(
        float(difference @ exact @ difference), rel=1e-6
    )
