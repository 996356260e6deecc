"""Who lives in the simulated world: accounts with traits that are seen and traits that are hidden."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from data.world.settings import WorldSettings
from engine.records import Bools, Floats, Ints

COUNTRIES: tuple[tuple[str, str, float, float, tuple[str, ...]], ...] = (
    ("DE", "Europe/Berlin", 51.0, 10.0, ("de", "de", "de", "en")),
    ("GB", "Europe/London", 52.5, -1.5, ("en",)),
    ("AE", "Asia/Dubai", 24.5, 55.0, ("ar", "ar", "en")),
    ("IR", "Asia/Tehran", 35.0, 51.5, ("fa",)),
)
"""Country, time zone, latitude, longitude, languages (one drawn per account)."""

_COUNTRY_ORDER: tuple[int, ...] = (0, 2, 1, 0, 3, 0, 2, 1, 0, 3)
WEB_OPT_IN, WEB_OPT_OUT, EMAIL_OPT_IN = 0.80, 0.05, 0.88


@dataclass(frozen=True)
class People:
    """Traits of n accounts; codes index the levels of the business and the countries of this module.

    Attributes:
        potential: What the account could be worth a year, in currency; shape (n,), like all that follow.
        potential_score: The same on a standardised log scale.
        segment, size, industry, group: Codes.
        online_hours: A week, as the account once said.
        volume: What the account's own business is counted in: patients a week, employees ...
        territory: Number of the territory.
        country, language: Code of the country and position within its languages.
        web_consent: 1 = use of web behaviour permitted, 0 = refused, -1 = never asked.
        email_consent: Whether e-mail was ever permitted (other channels that need it: the same).
        openness: Hidden: standardised; raises prescriptions where `hidden` > 0.
        channel_taste, topic_taste: Hidden, standardised; shapes (n, channels) and (n, topics).
        frailty: Hidden: how much more than its potential says an account buys; standardised.
        underperforms: Hidden: buys an eighth of what accounts like it do.
        extras: Further columns, by name: numbers, or codes into the levels of the business.
        sizes, industries: How many levels there are.
    """

    potential: Floats
    potential_score: Floats
    segment: Ints
    size: Ints
    industry: Ints
    group: Ints
    online_hours: Floats
    volume: Floats
    territory: Ints
    country: Ints
    language: Ints
    web_consent: Ints
    email_consent: Bools
    openness: Floats
    channel_taste: Floats
    topic_taste: Floats
    frailty: Floats
    underperforms: Bools
    extras: Mapping[str, Floats | Ints]
    sizes: int
    industries: int

    def __len__(self) -> int:
        return len(self.potential)

    @property
    def account_ids(self) -> list[str]:
        """Ids in order, of equal length, so that their order is the order of the accounts."""
        return [f"A{i:07d}" for i in range(1, len(self) + 1)]

    def in_segment(self, segment: int | None) -> Bools:
        """Which accounts are of a segment; None = all."""
        if segment is None:
            return np.ones(len(self), dtype=np.bool_)
        return np.asarray(self.segment == segment, dtype=np.bool_)

    def among(self, codes: tuple[int, ...], column: str) -> Bools:
        """Which accounts have one of some levels in a column: the segment, or a further one."""
        values = self.segment if column == "segment" else self.extras[column]
        return np.asarray(np.isin(values, codes), dtype=np.bool_)


def draw_people(settings: WorldSettings, channels: int, topics: int) -> People:
    """Draw the accounts of a world."""
    seen, hidden = settings.generator("traits seen"), settings.generator("traits hidden")
    n, kind = settings.accounts, settings.business
    traits = kind.traits
    score = np.round(seen.standard_normal(n), 2)
    territory = np.arange(n, dtype=np.int64) // kind.accounts_per_territory
    country = np.array(_COUNTRY_ORDER, dtype=np.int64)[territory % len(_COUNTRY_ORDER)]
    languages = np.array([len(entry[4]) for entry in COUNTRIES])[country]
    group = seen.integers(0, len(traits["group"].levels), n)
    return People(
        potential=_rounded(kind.potential * np.exp(0.6 * score), 0),
        potential_score=score,
        segment=np.digitize(-(score + 0.5 * seen.standard_normal(n)), list(kind.cuts)).astype(np.int64),
        size=seen.choice(3, n, p=[0.5, 0.3, 0.2]).astype(np.int64),
        industry=seen.integers(0, len(traits["industry"].levels), n),
        group=group,
        online_hours=_rounded(np.exp(1.6 - 0.25 * group + 0.5 * seen.standard_normal(n)), 1),
        volume=_rounded(np.exp(traits["volume"].log + 0.3 * score + 0.4 * seen.standard_normal(n)), 0),
        territory=territory,
        country=country,
        language=seen.integers(0, languages),
        web_consent=seen.choice(
            [1, 0, -1], n, p=[WEB_OPT_IN, WEB_OPT_OUT, 1 - WEB_OPT_IN - WEB_OPT_OUT]
        ).astype(np.int64),
        email_consent=seen.random(n) < EMAIL_OPT_IN,
        openness=hidden.standard_normal(n),
        channel_taste=hidden.standard_normal((n, channels)),
        topic_taste=hidden.standard_normal((n, topics)),
        frailty=hidden.standard_normal(n),
        underperforms=settings.generator("underperformers").random(n) < kind.underperformers,
        extras=_extras(settings, score),
        sizes=len(traits["size"].levels),
        industries=len(traits["industry"].levels),
    )


def _extras(settings: WorldSettings, score: Floats) -> dict[str, Floats | Ints]:
    rng = settings.generator("extras")
    columns: dict[str, Floats | Ints] = {}
    for name, extra in settings.business.extras.items():
        if extra.levels:
            columns[name] = rng.choice(len(extra.levels), len(score), p=extra.shares)
        else:
            noise = extra.spread * rng.standard_normal(len(score))
            columns[name] = _rounded(np.exp(extra.log + extra.slope * score + noise), 0)
    return columns


def _rounded(values: Floats, digits: int) -> Floats:
    return np.asarray(np.round(values, digits), dtype=np.float64)
