"""The probability of place 1 is exact: the ground of every off-policy estimate."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.records import DAY_MICROS, Moments
from tests.engine.builders import NOW, TREATMENTS, history, playbook, team
from tests.engine.deciding import FixedScorer, decided
from tests.engine.random_histories import random_history, random_moments
from tests.properties.laws import SCORER, rules, same_bits


@given(st.integers(0, 2**31 - 1), st.floats(0.0, 0.99), st.sampled_from(["uniform", "thompson"]))
@settings(max_examples=40, deadline=None)
def test_the_target_is_a_distribution_over_what_is_eligible(seed: int, share: float, how: str) -> None:
    """Rows sum to 1, nothing ineligible has a chance, and what was chosen had the chance that is logged."""
    explores = replace(rules(), exploration_share=share, exploration=how)
    scorer = replace(SCORER, uncertainty=30.0)

    result = decided(random_history(seed), random_moments(seed), rules=explores, scorer=scorer, seed=seed)

    ranking, rows = result.ranking, np.arange(len(result.moments))
    assert np.abs(ranking.target.sum(axis=1) - 1.0).max() <= 1e-12
    assert (ranking.target[~result.objections.eligible] == 0.0).all()
    assert (ranking.target[rows, ranking.places[:, 0]] == ranking.probability).all()
    assert ((ranking.probability > 0.0) & (ranking.probability <= 1.0 + 1e-12)).all()
    assert (ranking.places[~ranking.explored, 0] == ranking.greedy[~ranking.explored]).all()


def test_over_many_accounts_days_and_seeds_frequencies_agree_with_the_target() -> None:
    """None and two visits, share 0.6: by hand 0.2, 0.6, 0.2; 6,000 draws, each within 4 standard errors."""
    three = tuple(t for t in TREATMENTS if t.id in ("none", "visit_news", "visit_safety"))
    book = playbook(treatments=three, exploration_share=0.6, contact_limits=(), suppressions=())
    scorer = FixedScorer({"visit_news": 300.0, "visit_safety": 200.0})
    names = tuple(f"a{i}" for i in range(200))
    past = history(*(team(name) for name in names), accounts=names)

    counts, draws = np.zeros(3), 0
    for seed in range(5):
        for day in range(6):
            asked = Moments.at(names, NOW + day * DAY_MICROS)
            result = decided(past, asked, rules=book, scorer=scorer, seed=seed)
            counts += np.bincount(result.ranking.places[:, 0], minlength=3)
            draws += len(names)

    expected = np.array([0.2, 0.6, 0.2])
    assert np.abs(result.ranking.target - expected).max() < 1e-12
    assert (np.abs(counts / draws - expected) < 4 * np.sqrt(expected * (1 - expected) / draws)).all()


@given(st.integers(0, 2**31 - 1))
@settings(max_examples=15, deadline=None)
def test_a_draw_is_repeated_by_its_seed_and_changed_by_another(seed: int) -> None:
    """Replay needs the first, learning the second."""
    past, asked = random_history(seed), random_moments(seed)

    one, again, other = (
        decided(past, asked, rules=rules(), scorer=SCORER, seed=s) for s in (seed, seed, seed + 1)
    )

    assert same_bits(one, again) == []
    assert same_bits(one.ranking.target, other.ranking.target) == []
