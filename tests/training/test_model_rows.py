"""What is made some rows at a time is learned from as if it were all there; too much is said beforehand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.training.builders import SMALL, cases_of, stored
from training import boosting as grown
from training.boosting import Boosting, Columns, grow, raw_scores
from training.cases import Cases, build_cases
from training.errors import TooManyCasesError
from training.model_rows import ModelRows
from training.room import check_room, size_of

SIZE = Boosting(rounds=8, leaves=7, threads=1)


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Cases:
    return cases_of(tmp_path_factory.mktemp("cases"))


def test_rows_in_parts_are_those_of_the_matrix(cases: Cases) -> None:
    """Each occasion with its own treatment, all or some of them."""
    matrix, places = cases.features.row_matrix(cases.action), np.arange(5, len(cases), 3)

    rows = ModelRows.of(cases.features, cases.action, places)

    assert len(rows) == len(places)
    np.testing.assert_array_equal(rows[10:20], matrix[places[10:20]])
    np.testing.assert_array_equal(
        ModelRows.of(cases.features, 0)[:], cases.features.row_matrix(np.zeros_like(cases.action))
    )


def test_a_forest_does_not_depend_on_how_its_rows_came(cases: Cases, monkeypatch: pytest.MonkeyPatch) -> None:
    """A release must not change because there was less memory."""
    monkeypatch.setattr(grown, "AT_ONCE", 64)
    matrix, rows = cases.features.row_matrix(cases.action), ModelRows.of(cases.features, cases.action)

    whole = grow(matrix, cases.reward, cases.features.set, SIZE)
    parted = grow(rows, cases.reward, cases.features.set, SIZE)

    assert parted.model_to_string() == whole.model_to_string()
    np.testing.assert_array_equal(raw_scores(parted, rows), whole.predict(matrix, raw_score=True))


def test_forests_over_some_of_the_rows_do_not_either(cases: Cases) -> None:
    """Effects are learned from the same columns with one label after the other."""
    own, among = cases.features.set, np.arange(0, len(cases), 2)
    parameters = SIZE.parameters("regression", len(among))

    texts = [
        Columns(rows, own.names, own.levels).grow(among, cases.reward[among], parameters, 5).model_to_string()
        for rows in (cases.features.row_matrix(cases.action), ModelRows.of(cases.features, cases.action))
    ]

    assert texts[0] == texts[1]


def test_too_many_cases_are_one_line_before_memory_runs_out(cases: Cases) -> None:
    """A machine that swaps or a process that is killed tells nobody why."""
    held = size_of(cases.features)

    check_room(len(cases), held, 1.0, free=2 * held)
    with pytest.raises(
        TooManyCasesError, match=r"About 4,0\d\d cases would be .* GB are free\. Learn on a larger"
    ) as raised:
        check_room(1_010, 1_000_000, 0.25, free=10_000_000)

    assert raised.value.exit_code == 8


def test_building_cases_looks_for_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is seen after the first bucket, not after the last."""
    monkeypatch.setattr("training.room.free_bytes", lambda: 1)
    seen = []

    with pytest.raises(TooManyCasesError):
        build_cases(stored(tmp_path), SMALL, progress=lambda stage, done, of: seen.append(done))

    assert seen == [0]
