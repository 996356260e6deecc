"""Treatments without cases: what their channel and topic are worth, and what the playbook says of them."""

from __future__ import annotations

import numpy as np
import pytest

from engine.pooling import Pool, combined

INF = np.inf


def test_a_treatment_is_looked_up_by_its_channel_and_topic_or_stands_with_the_unknown_ones() -> None:
    """The last row and column are for what no case speaks of."""
    pool = Pool(
        ("email", "visit"), ("news",), np.arange(6.0).reshape(3, 2), np.arange(6.0, 12.0).reshape(3, 2)
    )

    effect, error = pool.of(["visit", "email", "fax"], ["news", "golf", "news"])

    assert effect.tolist() == [2.0, 1.0, 4.0]
    assert error.tolist() == [8.0, 7.0, 10.0]


@pytest.mark.parametrize(
    ("error", "other_error", "expected"),
    [
        (3.0, 4.0, (10.0 * 16 / 25 + 20.0 * 9 / 25, 12.0 / 5.0)),
        (INF, 4.0, (20.0, 4.0)),
        (3.0, INF, (10.0, 3.0)),
        (INF, INF, (20.0, INF)),
        (0.0, 4.0, (10.0, 0.0)),
        (3.0, 0.0, (20.0, 0.0)),
        (0.0, 0.0, (20.0, 0.0)),
        (INF, 0.0, (20.0, 0.0)),
    ],
)
def test_two_opinions_weigh_by_their_certainty(
    error: float, other_error: float, expected: tuple[float, float]
) -> None:
    """10 and 20: by hand the mean weighted by 1 / error squared; what says nothing does not count."""
    mean, left = combined(np.array([10.0]), np.array([error]), np.array([20.0]), np.array([other_error]))

    assert (mean[0], left[0]) == pytest.approx(expected)
