"""P2's figures: where e-mails tire the engine stops them there, where they tire nobody hardly ever."""

from __future__ import annotations

import pytest

from benchmarks.stopping import MAILING, said_of
from data.world import WorldSettings
from training.boosting import Boosting

FORESTS = Boosting(seed=2001, threads=1)


@pytest.mark.slow
def test_stops_lie_where_e_mails_tire_and_what_they_are_said_to_save_holds_the_truth() -> None:
    """At least 80 % of the stops in the tired segment, and intervals that hold what the world would do.

    A thousand accounts show few stops, so e-mails tire faster than in the bench.
    """
    world = WorldSettings.named(**MAILING | {"accounts": 1_000, "seed": 2001, "fatigue": 5.0})

    said = said_of(world, "linear", FORESTS, draws=20)

    proven, listed = said.among(said.low > 0.0), said.among(said.listed)
    assert len(listed.worth) >= 5
    assert listed.tired.mean() >= 0.8
    assert min(each.covered.mean() for each in (said, proven, listed)) >= 0.8
    assert min(listed.truth.mean(), proven.truth.mean()) > 0.0


@pytest.mark.slow
def test_where_e_mails_tire_nobody_hardly_anybody_is_stopped() -> None:
    """At most 1 % of the accounts: the unluckiest of many must not be taken for tired."""
    world = WorldSettings.named(**MAILING | {"accounts": 500, "seed": 2001, "fatigue": 0.0})

    said = said_of(world, "linear", FORESTS, draws=1)

    assert said.share > 0.1
    assert said.among(said.listed).share <= 0.01
