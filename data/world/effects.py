"""What contacts do in the simulated world: the laws of nature that a learner has to find.

Effects are amounts of money added to an account's outcomes, never a change of what others do, so
that the truth is a sum (`data.world.truth`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from data.world.catalogue import Catalogue
from data.world.people import People
from data.world.settings import WorldSettings
from engine.records import DAY_MICROS, Floats, Micros

MEMORY_DAYS = 90.0
"""How long an earlier contact makes the same message fade."""
INTEREST_DAYS = 14.0
"""How long interest in a topic lasts after a visit of the website."""
UNDERPERFORMING = 0.125
"""What underperformers buy of what accounts like them do."""
EMAIL_FADE = 0.15
OPTOUT_BASE = 0.0015


@dataclass(frozen=True)
class Nature:
    """How this world's accounts are.

    Attributes:
        gross: What a contact causes in all, before recency and fading, in currency; shape (n, T), column
            "none" is 0.
        affinity: How fond an account is of a treatment relative to the average, about 1; shape (n, T).
        interest: Probability that a visit of the website is about a topic; shape (n, topics).
        known_interest: What colleagues can know of it: standardised; shape (n, topics).
        baseline_per_day: Worth of outcomes without any contact, in currency; shape (n,).
        tires: Fatigue of each account, the setting or 0; shape (n,).
    """

    gross: Floats
    affinity: Floats
    interest: Floats
    known_interest: Floats
    baseline_per_day: Floats
    tires: Floats


def draw_nature(settings: WorldSettings, people: People, catalogue: Catalogue) -> Nature:
    """Draw the laws of a world and apply them to its accounts."""
    rng = settings.generator("laws")
    channel_seen = _channel_scores(people, len(catalogue.channels), settings.linear, rng)
    topic_seen = _topic_scores(people, len(catalogue.topics), settings.linear, rng)
    seen, unseen = np.sqrt(1 - settings.hidden), np.sqrt(settings.hidden)
    channel = seen * channel_seen + unseen * people.channel_taste
    topic = seen * topic_seen + unseen * people.topic_taste
    score = 0.5 * people.potential_score[:, None] + np.sqrt(0.375) * (
        channel[:, catalogue.channel] + topic[:, catalogue.topic]
    )
    affinity = _relative(score, settings.personalisation, linear=settings.linear)
    affinity[:, 0] = 0.0
    message = np.exp(0.1 * rng.standard_normal(len(catalogue.ids)))
    average = catalogue.of_channel("caused") * message
    where = people.in_segment(settings.segment_code(settings.effect_segment))[:, None]
    suited = affinity - settings.harm * (np.arange(len(catalogue.ids)) > 0)
    return Nature(
        gross=settings.effect * average * suited * where,
        affinity=affinity,
        interest=_shares(0.8 * topic, catalogue.asked),
        known_interest=topic_seen,
        baseline_per_day=_baseline(settings, people),
        tires=np.where(
            people.in_segment(settings.segment_code(settings.fatigue_segment)), settings.fatigue, 0.0
        ),
    )


def _baseline(settings: WorldSettings, people: People) -> Floats:
    log = 0.7 * people.potential_score + 0.25 * people.frailty + 0.5 * settings.hidden * people.openness
    centre = 0.5 * (0.7**2 + 0.25**2 + (0.5 * settings.hidden) ** 2)
    usual = settings.business.yearly / 365 * np.exp(log - centre)
    return np.asarray(np.where(people.underperforms, UNDERPERFORMING * usual, usual))


def _relative(score: Floats, spread: float, *, linear: bool) -> Floats:
    """Relative size of an effect, on average 1: log-normal, or linear with a floor at 0."""
    if linear:
        return np.maximum(0.0, 1.0 + spread * score)
    return np.asarray(np.exp(spread * score - 0.5 * spread**2))


def _channel_scores(people: People, channels: int, linear: bool, rng: np.random.Generator) -> Floats:
    """How account traits speak for channels; standardised by channel, shape (n, channels)."""
    traits = np.column_stack(
        [_standard(column) for column in (people.group, np.log1p(people.online_hours), people.volume)]
        + [_standard(people.size == size) for size in range(1, people.sizes)]
    )
    straight = traits @ rng.standard_normal((traits.shape[1], channels))
    left, right = rng.integers(0, 3, channels), rng.integers(0, 3, channels)
    jointly = np.where(traits[:, left] > 0, 1.0, -1.0) * np.where(traits[:, right] > 0.3, 1.0, -0.5)
    return _standard(
        straight if linear else _standard(straight) + jointly * rng.choice([-1.0, 1.0], channels)
    )


def _topic_scores(people: People, topics: int, linear: bool, rng: np.random.Generator) -> Floats:
    """How account traits speak for topics; standardised by topic, shape (n, topics)."""
    by_industry = rng.standard_normal((people.industries, topics))
    by_both = rng.standard_normal((people.industries, people.sizes, topics))
    scores = by_industry[people.industry]
    return _standard(scores if linear else scores + 0.7 * by_both[people.industry, people.size])


def _standard(values: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> Floats:
    """Mean 0 and standard deviation 1 down the columns; constant columns become 0."""
    floats = np.asarray(values, dtype=np.float64)
    spread = floats.std(axis=0)
    return np.asarray((floats - floats.mean(axis=0)) / np.where(spread > 0, spread, 1.0))


def _shares(score: Floats, weights: Floats) -> Floats:
    """Rows that sum to 1, larger where the score is; what weighs nothing has none."""
    weight = np.exp(score - score.max(axis=1, keepdims=True)) * weights
    return np.asarray(weight / weight.sum(axis=1, keepdims=True))


def repetition_fade(settings: WorldSettings, same: Floats) -> Floats:
    """What is left of an effect after `same` contacts with the same message in the last 90 days."""
    return np.asarray(1.0 / (1.0 + settings.repetition * same))


def email_fade(tires: Floats, emails: Floats) -> Floats:
    """What is left of an e-mail's effect after `emails` e-mails in the last 90 days."""
    return np.asarray(1.0 / (1.0 + EMAIL_FADE * tires * emails))


def optout_probability(tires: Floats, emails: Floats) -> Floats:
    """Probability that one more e-mail makes the account opt out, after `emails` in the last 90 days."""
    return np.minimum(0.5, OPTOUT_BASE * tires * (1.0 + emails) ** 2)


def share_arrived(settings: WorldSettings, days: Floats) -> Floats:
    """Share of a contact's effect that has arrived so many days after its decision."""
    return np.asarray(
        -np.expm1(-np.maximum(days - settings.business.earliest_days, 0.0) / settings.delay_days)
    )


def interest_arrived(settings: WorldSettings, days: Floats) -> Floats:
    """Share of the outcomes behind a question of the account that has come so many days after it."""
    return np.asarray(-np.expm1(-np.maximum(days, 0.0) / settings.business.interest_delay_days))


def season(settings: WorldSettings, begin: Micros, days: Floats) -> Floats:
    """Integral of the season over a window, in days: outcomes are fewer in summer, more in winter."""
    rate = 2 * np.pi / 365.0
    phase = rate * (begin - settings.start_micros) / DAY_MICROS
    return np.asarray(days + settings.business.season / rate * (np.sin(phase + rate * days) - np.sin(phase)))


def mean_outcome(settings: WorldSettings) -> float:
    """Mean worth of one outcome, in currency."""
    return settings.business.amount * settings.noise
