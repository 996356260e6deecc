"""What it would truly be worth to stop e-mails at a moment: the mean over many ways in which a world goes on.

Estimand: what the e-mails of the coming days, as the world would send them, cost, less what they cause within
their horizon, and what opt-outs by them lose. What else would be done meanwhile is not counted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from data.progress import Progress, quiet
from data.world.business import WorldError
from data.world.course import Course, continued, run_course
from data.world.effects import share_arrived
from data.world.scene import Scene
from data.world.settings import WorldSettings
from engine.records import DAY_MICROS, Bools, Floats


@dataclass(frozen=True)
class StopTruth:
    """About n accounts at one moment.

    Attributes:
        account_ids: Whose.
        worth: Of stopping, in currency; shape (n,).
        error: Standard error of it, because the ways to go on were drawn; shape (n,).
        risk: P(opt-out by an e-mail of the coming days); shape (n,).
        emails: Expected e-mails; shape (n,).
        tires: Whether the account tires at all; shape (n,).
    """

    account_ids: tuple[str, ...]
    worth: Floats
    error: Floats
    risk: Floats
    emails: Floats
    tires: Bools


def value_of_stopping(
    settings: WorldSettings, *, since: int, days: float, loss: float, draws: int = 40,
    progress: Progress = quiet,
) -> StopTruth:  # fmt: skip
    """The truth of stopping e-mails, for all accounts of a world.

    Args:
        settings: Of the world; its history must reach to the end of the coming days.
        since: When, microseconds UTC.
        days: That are counted from then on.
        loss: What an opt-out loses, in currency.
        draws: Ways to go on.
        progress: Called with (stage, done, of).

    Raises:
        WorldError: The world's decisions end before the coming days do, or it has newsletters, which nobody
            decides.
    """
    until = since + round(days * DAY_MICROS)
    decided_days = settings.warmup_days + settings.every_days * (settings.rounds - 1)
    if not settings.start_micros <= since < until <= settings.start_micros + decided_days * DAY_MICROS:
        raise WorldError(
            f"The world does not decide during all of the {days:g} days asked about: its decisions go on "
            f"until day {decided_days} of {settings.days}."
        )
    if settings.emails_per_month:
        raise WorldError("The value of stopping is known of e-mails that are decided: emails_per_month = 0.")
    scene = Scene.draw(settings)
    course = run_course(scene)
    drawn = []
    for draw in range(draws):
        progress("ways to go on", draw, draws)
        drawn.append(_one_way(continued(course, scene, since, again=draw), scene, since, until, loss))
    progress("ways to go on", draws, draws)
    worth, risk, emails = (np.stack([way[part] for way in drawn]) for part in range(3))
    return StopTruth(
        tuple(scene.people.account_ids),
        worth.mean(axis=0),
        worth.std(axis=0) / np.sqrt(draws),
        risk.mean(axis=0),
        emails.mean(axis=0),
        scene.nature.tires > 0.0,
    )


def _one_way(course: Course, scene: Scene, since: int, until: int, loss: float) -> tuple[Floats, ...]:
    """Worth, opt-outs expected and e-mails of one way to go on; shapes (n,)."""
    coming = (course.decided_at >= since) & (course.decided_at < until)
    sent = coming & course.done & scene.catalogue.email[course.choice]
    caused = np.take_along_axis(course.caused, course.choice[:, :, None], axis=2)[:, :, 0]
    arrived = share_arrived(scene.settings, scene.horizons[course.choice])
    risk = (sent * course.optout).sum(axis=1)
    lost = (sent * (scene.catalogue.cost[course.choice] - caused * arrived)).sum(axis=1)
    return lost + loss * risk, risk, sent.sum(axis=1).astype(np.float64)
