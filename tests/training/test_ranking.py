"""A ranking is judged on later cases; area, slope and error say what they say they do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from data.home import Home
from data.ledger.ledger import Ledger
from tests.training.builders import QUICK, LogSettings, cases_of, stored, tables
from tests.training.test_run import run
from training.cases import Cases
from training.evaluate import time_split
from training.ranking import came_of, judged, rank_by_time
from training.ranking_again import _Foretold, bend, rank_again


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Cases:
    """An outcome comes mostly of accounts of segment A."""
    found = cases_of(tmp_path_factory.mktemp("log"), LogSettings(accounts=700, decisions=4))
    in_a = found.features.account[:, found.features.set.account.index("segment")] == 0
    draw = np.random.default_rng(1).random(len(found))
    came = draw < np.where(in_a, 0.6, 0.2)
    # The reward is more than that where issues have horizons of their own: it is not what is foretold.
    return replace(found, within=came.astype(np.float64)[:, None], reward=np.ones(len(found)))


def ids(n: int) -> tuple[str, ...]:
    return tuple(f"a{number:05}" for number in range(n))


def chances(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities, and outcomes that come as often as they say."""
    draw = np.random.default_rng(1)
    probability = draw.uniform(0.05, 0.6, n)
    return probability, draw.random(n) < probability


def test_what_the_earlier_cases_teach_is_seen_in_the_later_ones(cases: Cases) -> None:
    """With shares of 0.6 and 0.2 the best area there is is 0.7."""
    found = rank_by_time(cases, QUICK, seed=0)

    assert found is not None
    before, after = time_split(cases)
    assert (found.learned, found.judged) == (before.sum(), after.sum())
    assert found.area.low < 0.7 < found.area.high
    assert found.area.low > 0.6
    assert found.error.estimate < 0.15


def test_later_cases_teach_nothing(cases: Cases) -> None:
    """If what came later were turned round, the same ranking would be as wrong as it was right."""
    _, after = time_split(cases)
    turned = replace(cases, within=np.where(after[:, None], 1.0 - cases.within, cases.within))

    right, wrong = (rank_by_time(each, QUICK, seed=0) for each in (cases, turned))

    assert right is not None
    assert wrong is not None
    assert wrong.area.estimate == pytest.approx(1.0 - right.area.estimate)


def test_outcomes_of_contacts_that_came_late_are_not_known_before_they_come(cases: Cases) -> None:
    """A window of 35 days ends before the next occasion, 40 days on; of a landmark perhaps 7 days later."""
    decisions = replace(cases, windows=(35.0,))
    landmarks = replace(decisions, basis="landmarks")

    learned = []
    for each in (decisions, landmarks):
        found = rank_by_time(each, QUICK, seed=0)
        again = _Foretold(each, came_of(each), QUICK, np.full(len(each), np.nan))
        newest = np.flatnonzero(each.as_of == each.as_of.max())
        assert found is not None
        learned.append((found.learned, len(again.known_before(newest))))

    assert learned == [(1_400, 2_100), (700, 1_400)]


def test_the_area_is_the_share_of_pairs_in_the_right_order() -> None:
    """Ties count half: counted by hand over all pairs."""
    expected = np.array([0.1, 0.2, 0.2, 0.3, 0.4, 0.5, 0.5, 0.6, 0.7, 0.8])
    came = np.array([0, 0, 1, 0, 1, 0, 1, 0, 1, 1], dtype=np.bool_)
    pairs = [np.sign(high - low) / 2 + 0.5 for high in expected[came] for low in expected[~came]]

    found = judged(expected, came, ids(10), learned=came, seed=0)

    assert found.area.estimate == pytest.approx(np.mean(pairs))


def test_probabilities_that_are_true_have_slope_one_and_hardly_an_error() -> None:
    """Whoever exaggerates has a slope below 1, though his order is the same."""
    probability, came = chances(5_000)
    odds = np.log(probability / (1 - probability))
    exaggerated = 1 / (1 + np.exp(-2 * odds))

    true = judged(probability, came, ids(5_000), learned=came, seed=0)
    false = judged(exaggerated, came, ids(5_000), learned=came, seed=0)

    assert true.slope.low < 1.0 < true.slope.high
    assert true.error.estimate < 0.03
    assert false.slope.estimate == pytest.approx(true.slope.estimate / 2, abs=0.001)
    assert false.area == true.area
    assert false.error.low > true.error.high
    assert sum(tenth.cases for tenth in true.tenths) == 5_000


def test_chance_is_no_error_of_probabilities_that_are_true() -> None:
    """In tenths of 100 cases shares differ from what was expected by chance alone: .03 in the mean, and that
    of a resample by more. The interval of its resamples never held 0, and often not even the error."""
    held, wrong = [], []
    for seed in range(40):
        draw = np.random.default_rng(seed)
        account, probability = np.repeat(np.arange(250), 4), draw.uniform(0.05, 0.4, 1_000)
        came, names = draw.random(1_000) < probability, tuple(f"a{number}" for number in account)
        true = judged(probability, came, names, learned=came, seed=seed).error
        false = judged(0.6 * probability, came, names, learned=came, seed=seed).error
        held.append(true.low <= 0.0 < true.estimate <= true.high)
        wrong.append(0.0 < false.low <= 0.4 * probability.mean() <= false.high)

    assert np.mean(held) >= 0.85
    assert np.mean(wrong) >= 0.85


def test_accounts_with_many_cases_are_drawn_whole() -> None:
    """Fifty cases of one account are not fifty witnesses."""
    probability, came = chances(1_000)
    groups = tuple(f"g{number // 50:02}" for number in range(1_000))
    apart = judged(probability, np.repeat(came[:20], 50), ids(1_000), learned=came, seed=0)
    together = judged(probability, np.repeat(came[:20], 50), groups, learned=came, seed=0)

    assert together.error.half_width > 2 * apart.error.half_width


def test_with_too_few_outcomes_nothing_is_said(cases: Cases) -> None:
    """An area of three outcomes is a number without a meaning."""
    few = replace(cases, within=np.where(np.arange(len(cases))[:, None] < 40, cases.within, 0.0))

    assert rank_by_time(few, QUICK, seed=0) is None
    assert rank_again(few, QUICK, seed=0) is None


def test_probabilities_follow_what_came_lately(cases: Cases) -> None:
    """The share grows fivefold: an old model is far off, one that is bent by the newest is not."""
    late = cases.as_of > np.quantile(cases.as_of, 0.45)
    luck = np.random.default_rng(2).random(len(cases))
    drifting = replace(cases, within=(luck < np.where(late, 0.5, 0.1)).astype(np.float64)[:, None])

    once = rank_by_time(drifting, QUICK, seed=0)
    again = rank_again(drifting, QUICK, seed=0)

    assert once is not None
    assert again is not None
    assert again.judged == once.judged
    assert again.learned > once.learned
    assert again.error.high < once.error.low


def test_no_part_is_foretold_by_what_came_in_it_or_after_it(cases: Cases) -> None:
    """Turned round from some moment on, everything foretold until then must stay as it was."""
    _, after = time_split(cases)
    newest = cases.as_of >= np.quantile(cases.as_of[after], 0.5)
    turned = replace(cases, within=np.where(newest[:, None], 1.0 - cases.within, cases.within))
    foretold = {}
    for name, each in (("as it was", cases), ("turned", turned)):
        found = _Foretold(each, came_of(each), QUICK, np.full(len(each), np.nan))
        blocks = np.array_split(np.flatnonzero(after)[np.argsort(each.as_of[after], kind="stable")], 4)
        assert all(found.foretell(block) for block in blocks[:3])
        foretold[name] = [*(found.odds[block] for block in blocks[:3]), found.bent(blocks[1], blocks[:1])]

    for mine, theirs in zip(*foretold.values(), strict=True):
        assert np.array_equal(mine, theirs)


def test_log_odds_are_bent_to_what_came() -> None:
    """Twice too sure and one too high: half the slope, and shifted back."""
    probability, came = chances(20_000)
    odds = np.log(probability / (1 - probability))

    shift, slope = bend(2.0 * (odds + 1.0), came)

    assert slope == pytest.approx(0.5, abs=0.04)
    assert shift == pytest.approx(-1.0, abs=0.06)


def test_a_few_outcomes_hardly_bend_anything() -> None:
    """Thirty cases know little of a slope."""
    probability, came = chances(30)

    _, slope = bend(3.0 * np.log(probability / (1 - probability)), came)

    assert 0.6 < slope < 1.2


def test_the_report_of_a_training_run_has_it(tmp_path: Path) -> None:
    """Where some buy and some do not, every run says how well it can be foretold who does."""
    rows = tables(LogSettings(accounts=500))
    bought = pl.col("outcome_id").hash(seed=0) % 2 == 0
    rows["outcomes"] = rows["outcomes"].with_columns(value=pl.when(bought).then("value").otherwise(0.0))
    home = Home.at(tmp_path / "home", models=tmp_path / "models")
    stored(home.root, rows)
    Ledger.create(home.ledger_url).close()

    outcome = run(home)

    told = outcome.release.manifest["ranking"]
    assert told["area"]["low"] < 0.5 < told["area"]["high"]
    assert f"seen in {told['judged']:,} later ones" in outcome.report.read_text(encoding="utf-8")
