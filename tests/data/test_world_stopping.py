"""What stopping e-mails is truly worth: the mean over ways to go on, held against what can be reckoned."""

from __future__ import annotations

import numpy as np
import pytest

from data.world import WorldError, WorldSettings
from data.world.course import continued, run_course
from data.world.scene import Scene
from data.world.stopping import StopTruth, value_of_stopping
from engine.records import DAY_MICROS

WORLD = {"accounts": 250, "every_days": 7, "days": 300}


def settings(**changes: object) -> WorldSettings:
    return WorldSettings.named(**WORLD | changes)


def truth(world: WorldSettings, *, loss: float = 300.0, draws: int = 6) -> StopTruth:
    at = world.until_micros - 80 * DAY_MICROS
    return value_of_stopping(world, since=at, days=60.0, loss=loss, draws=draws)


def test_where_e_mails_do_nothing_stopping_saves_their_cost_alone() -> None:
    """0.5 EUR an e-mail in the shipped playbook; nobody tires, nobody buys."""
    found = truth(settings(effect=0.0, fatigue=0.0))

    assert not found.risk.any()
    assert not found.tires.any()
    assert np.allclose(found.worth, found.emails * found.worth.sum() / found.emails.sum())
    assert found.worth.sum() > 0.0


def test_where_e_mails_tire_every_opt_out_is_charged_its_loss() -> None:
    """Twice the loss, twice the worth of avoiding it."""
    world = settings(fatigue=4.0, fatigue_segment="C")
    once, twice = truth(world), truth(world, loss=600.0)

    assert np.allclose(twice.worth - once.worth, 300.0 * once.risk)
    assert once.risk[once.tires].max() > 0.05
    assert not once.risk[~once.tires].any()


def test_until_the_moment_nothing_is_other_luck() -> None:
    """What has happened has happened; only the future is drawn again."""
    world = settings(fatigue=4.0)
    scene = Scene.draw(world)
    course, since = run_course(scene), world.until_micros - 80 * DAY_MICROS

    other = continued(course, scene, since, again=1)

    past = course.decided_at < since
    assert (other.choice[past] == course.choice[past]).all()
    assert (other.choice[~past] != course.choice[~past]).mean() > 0.3
    gone = course.optout_at < since
    assert (other.optout_at[gone] == course.optout_at[gone]).all()
    assert gone.any()


def test_the_mean_of_opt_outs_is_what_happens() -> None:
    """Probabilities that are added up must be those by which accounts leave."""
    world = settings(fatigue=4.0, accounts=900)
    scene, since = Scene.draw(world), world.until_micros - 80 * DAY_MICROS
    course, until = run_course(scene), world.until_micros - 20 * DAY_MICROS

    left = [
        ((way.optout_at >= since) & (way.optout_at < until)).mean()
        for way in (continued(course, scene, since, again=n) for n in range(6))
    ]

    # An e-mail of the last hours may be answered beyond the end, one from before within.
    assert abs(float(np.mean(left)) - float(truth(world, draws=6).risk.mean())) < 0.01


def test_a_future_that_the_world_does_not_have_is_refused() -> None:
    """The last rounds are missing near its end: their e-mails would be too."""
    world = settings()

    with pytest.raises(WorldError, match="its decisions go on until day 291 of 300"):
        value_of_stopping(world, since=world.until_micros - 61 * DAY_MICROS, days=60.0, loss=300.0)


def test_newsletters_that_nobody_decides_are_refused() -> None:
    """They have no place in the estimand, and so no value that could be held against it."""
    with pytest.raises(WorldError, match="emails_per_month = 0"):
        truth(settings(emails_per_month=2.0))
