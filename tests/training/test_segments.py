"""What works for whom: right in its mean, drawn towards all by as much as it is noise, none left out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.estimation import Interval
from tests.training.builders import QUICK, LogSettings, cases_of
from training.behaviour import assignment_of
from training.evaluate import Judged, evaluate, uncertainty_of
from training.learners import LEARNERS
from training.segments import SegmentEffect, segment_effects, shrink
from training.splits import held_out


def judged(folder: Path, persons: int = 0, **log) -> Judged:
    """Policies on held-out accounts, which so many persons serve; 0 = it is not known who."""
    cases = cases_of(folder, LogSettings(accounts=500, seed=1, **log))
    if persons:
        who = [f"u{int(account[1:]) // 2 % persons}" for account in cases.account_ids]
        cases = replace(cases, person=np.array(who, dtype=object))
    assignment, held = assignment_of(cases, QUICK, seed=0), held_out(cases.account_ids, 0.5, seed=0)
    fitted = {
        name: LEARNERS[name].learn(cases.take(~held), assignment.take(~held).probability, QUICK)
        for name in ("best_fixed", "s_learner")
    }
    return evaluate(cases.take(held), assignment.take(held), fitted, seed=0)


def effects_of(judged: Judged) -> tuple[SegmentEffect, ...]:
    return segment_effects(judged, "s_learner", uncertainty_of(judged.cases, seed=0))


def test_each_segment_has_its_own_effect_where_segments_differ(tmp_path: Path) -> None:
    """By construction a visit causes 40 in A and -10 in B, an e-mail -5 and 30."""
    found = {(each.treatment, each.level): each for each in effects_of(judged(tmp_path))}

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
    found = [e for e in effects_of(judged(tmp_path, personal=False)) if e.treatment == "visit_news"]

    apart = abs(found[0].shrunk.estimate - found[1].shrunk.estimate)
    assert apart <= 0.75 * abs(found[0].own[0] - found[1].own[0])
    assert all(abs(each.shrunk.estimate - 40.0) < 3.0 * each.shrunk.standard_error for each in found)


def test_a_category_in_which_hardly_anybody_was_visited_is_not_told(tmp_path: Path) -> None:
    """What a visit does to them is a guess of the model, and guesses differ less than outcomes do."""
    found = judged(tmp_path)
    segment = found.cases.features.account[:, found.cases.features.set.account.index("segment")]
    account = np.array([int(name[1:]) for name in found.cases.account_ids])
    hardly = (found.cases.action == 4) & (segment == 1.0) & (account > 20)
    action = np.where(hardly, 1, found.cases.action)

    told = effects_of(replace(found, cases=replace(found.cases, action=action)))

    assert {each.level for each in told if each.treatment == "visit_news"} == {"A"}
    assert {each.level for each in told if each.treatment == "email_news"} == {"A", "B"}


def test_what_four_persons_did_is_called_more_than_chance_nowhere(tmp_path: Path) -> None:
    """A visit that causes 40 stands far outside its interval by account, and may be one person's work."""
    few, nobody = effects_of(judged(tmp_path / "few", persons=4)), effects_of(judged(tmp_path / "nobody"))

    assert any(each.shrunk.low > 0.0 for each in few)
    assert not any(each.enough_persons or each.certain for each in few)
    assert any(each.certain for each in nobody)


def test_a_category_that_one_of_many_persons_serves_tells_nothing_of_chance(tmp_path: Path) -> None:
    """Seven persons, but all accounts of segment B are hers: her way and B cannot be told apart."""
    found = judged(tmp_path, persons=7)
    segment = found.cases.features.account[:, found.cases.features.set.account.index("segment")]
    person = np.where(segment == 1.0, "u0", found.cases.person)

    told = effects_of(replace(found, cases=replace(found.cases, person=person)))

    assert {each.level: each.enough_persons for each in told} == {"A": True, "B": False}


def test_what_five_persons_did_in_a_category_tells_nothing_of_chance(tmp_path: Path) -> None:
    """Twelve persons serve both segments; in B only five of them visit."""
    found = judged(tmp_path, persons=12)
    segment = found.cases.features.account[:, found.cases.features.set.account.index("segment")]
    others = ~np.isin(found.cases.person, [f"u{number}" for number in range(5)])
    action = np.where((found.cases.action == 4) & (segment == 1.0) & others, 1, found.cases.action)

    told = effects_of(replace(found, cases=replace(found.cases, action=action)))

    visits = {each.level: each.enough_persons for each in told if each.treatment == "visit_news"}
    assert visits == {"A": True, "B": False}


def test_intervals_of_segments_know_how_few_persons_there_are(tmp_path: Path) -> None:
    """Seven persons whose visits differ: drawn wholly to the mean, a segment is as unsure as the mean."""
    found = judged(tmp_path, persons=7, personal=False)
    skill = np.array([60.0 * np.cos(2.0 * int(name[1:])) for name in found.cases.person])
    theirs = replace(found.cases, reward=found.cases.reward + skill * (found.cases.action == 4))
    sure = uncertainty_of(theirs, seed=0)

    told = segment_effects(replace(found, cases=theirs), "s_learner", sure)

    visits = [each for each in told if each.treatment == "visit_news"]
    assert visits
    for each in visits:
        assert each.shrunk.half_width > 1.15 * 1.96 * each.shrunk.standard_error


def test_shrinking_by_hand() -> None:
    """Estimates 0 and 10 with errors 1: Q = 50, t = (50 - 1) / 1 = 49, each keeps 49 / 50 of its own.

    Each was drawn by 0.1, of which twice the square is not known; alike, by 0.5. Half widths are 2 errors,
    and 3 of the mean.
    """

    def of(estimate: float, error: float, half: float) -> Interval:
        return Interval(estimate, estimate - half, estimate + half, error)

    low, high = shrink([of(0.0, 1.0, 2.0), of(10.0, 1.0, 2.0)], of(5.0, 0.7, 3.0))

    assert (low.estimate, high.estimate) == pytest.approx((0.1, 9.9))
    assert low.standard_error == pytest.approx((0.98 + 0.02**2 * 0.49 + 2.0 * 0.01) ** 0.5)
    assert low.half_width == pytest.approx((0.98 * 4.0 + 0.02**2 * 9.0 + 2.0 * 0.04) ** 0.5)
    same = shrink([of(4.0, 1.0, 2.0), of(5.0, 1.0, 2.0)], of(4.5, 0.7, 3.0))
    assert [each.estimate for each in same] == [4.5, 4.5]
    assert same[0].standard_error == pytest.approx((0.49 + 2.0 * 0.25) ** 0.5)
    assert same[0].half_width == pytest.approx((9.0 + 2.0 * 1.0) ** 0.5)


@pytest.mark.parametrize("groups", [2, 3, 5, 8])
@pytest.mark.parametrize("apart", [0.0, 0.5, 1.0, 2.0])
def test_intervals_of_few_groups_know_that_how_far_groups_differ_is_a_guess(
    groups: int, apart: float
) -> None:
    """With the guess taken for the truth 85 to 92 % held their group where groups differ as much as noise."""
    rng, held = np.random.default_rng(0), []
    for _ in range(400):
        truth, errors = rng.normal(0.0, apart, groups), rng.uniform(0.7, 1.3, groups)
        seen, mean_error = rng.normal(truth, errors), float(np.sqrt((errors**2).sum())) / groups
        own = [Interval(at, at - 1.96 * e, at + 1.96 * e, e) for at, e in zip(seen, errors, strict=True)]
        mean, reach = float(seen.mean()), 1.96 * mean_error
        found = shrink(own, Interval(mean, mean - reach, mean + reach, mean_error))
        held += [each.low <= true <= each.high for each, true in zip(found, truth, strict=True)]

    assert np.mean(held) >= 0.9


def test_one_group_alone_is_drawn_to_the_mean_only_as_far_as_chance_may_part_them() -> None:
    """Its own figure 10 with error 1, beside 0 with error 2: t = 100 - 1 - 4 = 95, it keeps 95 / 96.

    Where one category only is large enough, there is no other to see how far categories differ, and what is
    five errors away from the mean must not be told as the mean.
    """
    (far,) = shrink([Interval(10.0, 8.0, 12.0, 1.0)], Interval(0.0, -4.0, 4.0, 2.0))
    (near,) = shrink([Interval(2.0, 0.0, 4.0, 1.0)], Interval(0.0, -4.0, 4.0, 2.0))

    assert far.estimate == pytest.approx(10.0 * 95.0 / 96.0)
    assert near.estimate == 0.0
