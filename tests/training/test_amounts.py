"""Outcomes that most accounts do not have and a few have a hundredfold."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.training.builders import QUICK, LogSettings, cases_of
from training.amounts import cut_of, steady
from training.cases import Cases
from training.learners import LEARNERS

EMAIL, VISIT = 1, 4


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Cases:
    """4,500 random decisions."""
    return cases_of(tmp_path_factory.mktemp("log"), LogSettings(accounts=1_500))


def segment_of(log: Cases) -> np.ndarray:
    return log.features.account[:, log.features.set.account.index("segment")]


def bought(log: Cases, spread: float, seed: int) -> Cases:
    """15 % buy, 35 % after a visit in A or an e-mail in B; amounts are lognormal with a mean of 100."""
    draw, segment = np.random.default_rng(seed), segment_of(log)
    right = ((log.action == VISIT) & (segment == 0)) | ((log.action == EMAIL) & (segment == 1))
    amount = 100.0 * np.exp(draw.normal(0.0, spread, len(log)) - spread**2 / 2)
    return replace(log, reward=amount * (draw.random(len(log)) < np.where(right, 0.35, 0.15)))


@pytest.mark.parametrize("spread", [1.2, 2.0])
def test_who_buys_rarely_and_for_wild_amounts_is_given_the_right_contact(log: Cases, spread: float) -> None:
    """Two parts, whether and how much: without a cap three wild logs of four are decided by one purchase."""
    right = []
    for seed in range(4):
        found = LEARNERS["linear"].learn(bought(log, spread, seed), log.probability, QUICK)
        values = found.predict(log.features)
        right.append(((values[:, VISIT] > values[:, EMAIL]) == (segment_of(log) == 0)).mean())

    assert np.mean(right) > 0.9


def test_only_wild_outcomes_are_cut_and_their_sum_stays(log: Cases) -> None:
    """Amounts that differ tenfold are left alone, and so is a purchase in a hundred of always the same."""
    rare = replace(log, reward=np.where(np.arange(len(log)) % 100 == 0, 500.0, 0.0))
    wild = bought(log, 2.0, 0)

    cut = cut_of(wild)

    assert steady(log) is log
    assert steady(rare) is rare
    assert cut is not None
    assert 0.0 < cut.above < 0.05
    assert steady(wild).reward.sum() == pytest.approx(wild.reward.sum())
    assert steady(wild).reward.max() == pytest.approx(cut.cap * cut.scale)
    assert wild.reward.max() > 5 * cut.cap


def test_the_cap_grows_with_the_cases(log: Cases) -> None:
    """With enough cases nothing is wild any more; what is cut now is not cut for ever."""
    wild = bought(log, 2.0, 0)
    many = wild.take(np.tile(np.arange(len(wild)), 20))

    assert cut_of(many).cap > 2.0 * cut_of(wild).cap


def test_losses_are_cut_like_gains(log: Cases) -> None:
    """Returned goods are as wild as bought ones."""
    wild = bought(log, 2.0, 0)

    lost = replace(wild, reward=-wild.reward)

    assert cut_of(lost).cap == cut_of(wild).cap
    assert steady(lost).reward.min() == -cut_of(lost).cap


def test_values_of_policies_count_what_came(tmp_path: Path) -> None:
    """What is cut for learning is not cut from what a policy is said to be worth."""
    from tests.training.test_learning import judged

    wild = bought(cases_of(tmp_path, LogSettings(accounts=500)), 2.0, 1)

    found = judged(wild)

    assert cut_of(wild) is not None
    assert found.evaluation.of("as logged").doubly_robust.estimate == pytest.approx(
        float((found.cases.reward - found.cases.cost[found.cases.action]).mean())
    )
