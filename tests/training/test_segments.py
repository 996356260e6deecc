"""What works for whom: right in its mean, drawn towards all by as much as it is noise, none left out."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.training.builders import QUICK, LogSettings, cases_of
from training.behaviour import assignment_of
from training.evaluate import Judged, evaluate
from training.learners import LEARNERS
from training.segments import segment_effects, shrink
from training.splits import held_out


def judged(folder: Path, **log) -> Judged:
    cases = cases_of(folder, LogSettings(accounts=500, seed=1, **log))
    assignment, held = assignment_of(cases, QUICK, seed=0), held_out(cases.account_ids, 0.5, seed=0)
    fitted = {
        name: LEARNERS[name].learn(cases.take(~held), assignment.take(~held).probability, QUICK)
        for name in ("best_fixed", "s_learner")
    }
    return evaluate(cases.take(held), assignment.take(held), fitted, seed=0)


def test_each_segment_has_its_own_effect_where_segments_differ(tmp_path: Path) -> None:
    """By construction a visit causes 40 in A and -10 in B, an e-mail -5 and 30."""
    found = {(each.treatment, each.level): each for each in segment_effects(judged(tmp_path), "s_learner")}

    truth = {
        ("visit_news", "A"): 40,
        ("visit_news", "B"): -10,
        ("email_news", "A"): -5,
        ("email_news", "B"): 30,
    }
    assert set(found) == set(truth)
    for key, effect in truth.items():
        assert abs(found[key].shrunk.estimate - effect) < 3.0 * found[key].shrunk.standard_error
        assert found[key].shrunk.estimate == pytest.approx(found[key].own[0], abs=0.5)


def test_where_segments_do_not_differ_they_are_drawn_together(tmp_path: Path) -> None:
    """Two groups that differ by chance must not look like a finding."""
    found = [
        e
        for e in segment_effects(judged(tmp_path, personal=False), "s_learner")
        if e.treatment == "visit_news"
    ]

    apart = abs(found[0].shrunk.estimate - found[1].shrunk.estimate)
    assert apart <= 0.75 * abs(found[0].own[0] - found[1].own[0])
    assert all(abs(each.shrunk.estimate - 40.0) < 3.0 * each.shrunk.standard_error for each in found)


def test_shrinking_by_hand() -> None:
    """Estimates 0 and 10 with errors 1: Q = 50, t = (50 - 1) / 1 = 49, each keeps 49 / 50 of its own."""
    low, high = shrink([(0.0, 1.0), (10.0, 1.0)], (5.0, 0.7))

    assert (low.estimate, high.estimate) == pytest.approx((0.1, 9.9))
    assert low.standard_error == pytest.approx((0.98 + 0.02**2 * 0.49) ** 0.5)
    same = shrink([(4.0, 1.0), (5.0, 1.0)], (4.5, 0.7))
    assert [each.estimate for each in same] == [4.5, 4.5]
    assert same[0].standard_error == pytest.approx(0.7)
