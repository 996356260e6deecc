"""What a simulated world is like: every knob, its default and its bounds."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import Any, Literal, get_args
from zlib import crc32

import numpy as np

from data.world.business import Business, WorldError, business
from engine.records import DAY_MICROS

Assignment = Literal["targeted", "targeted_logged", "randomised"]
BY_PLAYBOOK: Any = None
"""Default of settings whose usual value differs by playbook."""


@dataclass(frozen=True)
class WorldSettings:
    """Settings of a simulated world.

    Attributes:
        accounts: How many there are.
        seed: Everything random follows from it.
        days: Length of the history, in days.
        until: End of the history; what is planned for later is a plan.
        assignment: "targeted" = representatives choose whom they contact and nobody writes down with which
            probability; "targeted_logged" = the same, written down; "randomised" = no contact with
            probability `none_share`, else every eligible treatment alike, written down.
        effect: Scale of all treatment effects; 0 = contacts cause nothing.
        personalisation: How much effects differ between accounts: standard deviation of their logarithm
            (of their relative size where `linear`); 0 = the same for all.
        linear: Whether effects are linear in the traits (with a floor at 0), without interactions.
        hidden: Share in [0, 1] of the traits' part in effects that no column shows; it also makes accounts
            prescribe more and representatives choose them.
        confounding: How strongly representatives prefer accounts that prescribe much anyway.
        noise: Size of a single prescription relative to the default: fewer and larger ones are noisier.
        fatigue: How quickly e-mails tire: opt-outs and fading of e-mails; 0 = nobody ever opts out.
        fatigue_segment: The only segment that tires; "" = all.
        repetition: How quickly the same message fades when repeated within 90 days.
        recency: Added share of effect where the account has read the topic on the website within 14 days.
        effect_segment: The only segment in which contacts have an effect; "" = all.
        delay_days: Mean time, in days, from a contact's earliest effect to the prescription.
        inbound_per_year: Mean number of website visits of an account in a year.
        interest_value: Prescriptions, in currency, that follow the interest behind a visit of the website
            whether or not anybody calls.
        trigger: In [0, 1]: how often a visit of the website brings the next decision forward, and how
            strongly representatives react to it.
        new_treatment: A treatment that exists only since `new_treatment_days` before the end; "" = none.
        new_treatment_days: See `new_treatment`.
        every_days: Time from one decision on an account to the next.
        warmup_days: Days at the start without decisions.
        horizon_days: Within which outcomes count, after a decision.
        none_share: Probability of no contact where the log is randomised.
        followed: Share of the contacts decided for people that they carry out.
        corrected: Share of people's touchpoints that are first recorded wrongly.
        late: Share of records that are stored days after they occurred.
        playbook: Whose world it is.
        emails_per_month: Newsletters beside the decisions, to all who permit e-mail: they cause nothing, they
            tire.
        harm: By how much the average effect is lowered, as a share of it: contacts that suit an account badly
            do harm; what harm takes away is taken back as outcomes below 0.
        skill: How much the effect of people's contacts differs between colleagues: standard deviation of its
            logarithm.
    """

    accounts: int = 2_000
    seed: int = 1
    days: int = 365
    until: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    assignment: Assignment = "targeted_logged"
    effect: float = 1.0
    personalisation: float = 0.8
    linear: bool = False
    hidden: float = 0.1
    confounding: float = 1.0
    noise: float = 1.0
    fatigue: float = 1.0
    fatigue_segment: str = ""
    repetition: float = 0.5
    recency: float = 1.0
    effect_segment: str = ""
    delay_days: float = BY_PLAYBOOK
    inbound_per_year: float = BY_PLAYBOOK
    interest_value: float = BY_PLAYBOOK
    trigger: float = 0.5
    new_treatment: str = ""
    new_treatment_days: float = 90.0
    every_days: int = BY_PLAYBOOK
    warmup_days: int = BY_PLAYBOOK
    horizon_days: float = BY_PLAYBOOK
    none_share: float = 0.25
    followed: float = 1.0
    corrected: float = 0.01
    late: float = 0.03
    playbook: str = "pharma"
    emails_per_month: float = 0.0
    harm: float = 0.0
    skill: float = 0.0

    def __post_init__(self) -> None:
        for name, usual in self.business.settings.items():
            if getattr(self, name) is BY_PLAYBOOK:
                object.__setattr__(self, name, usual)
        for name, (low, high) in _BOUNDS.items():
            _within(name, getattr(self, name), low, high)
            if name in _WHOLE and not isinstance(getattr(self, name), int):
                raise WorldError(f"World setting {name}: got {getattr(self, name)}, need a whole number.")
        _one_of("assignment", self.assignment, get_args(Assignment))
        _one_of("fatigue_segment", self.fatigue_segment, ("", *self.business.segments))
        _one_of("effect_segment", self.effect_segment, ("", *self.business.segments))
        if self.linear not in (True, False):
            raise WorldError(f"World setting linear: got {self.linear}, need true or false.")
        if not isinstance(self.until, datetime) or self.until.tzinfo is None:
            raise WorldError(f"World setting until: got {self.until} without a time zone, give one (UTC).")
        if self.rounds < 1:
            raise WorldError(
                f"World setting days: got {self.days}, need at least warmup_days + every_days = "
                f"{self.warmup_days + self.every_days}, so that something is decided."
            )

    @classmethod
    def named(cls, **values: object) -> WorldSettings:
        """Settings by name, a misspelt name being an error that says what is near it."""
        known = [field.name for field in fields(cls)]
        for name in values:
            _one_of_names(name, known)
        return cls(**values)  # type: ignore[arg-type]

    @classmethod
    def written(cls, changes: Iterable[str], **values: object) -> WorldSettings:
        """Settings written as on a command line: "effect=0", "assignment=randomised", "linear=true".

        Raises WorldError: no "=", an unknown name, or a value that the setting cannot have.
        """
        for change in changes:
            name, equals, value = (part.strip() for part in change.partition("="))
            if not equals or not value:
                raise WorldError(f"Got the setting {change!r}, need NAME=VALUE, such as effect=0.")
            values[name] = _value(value)
        return cls.named(**values)

    @property
    def business(self) -> Business:
        """What is particular to the playbook's world. Raises WorldError: it has none."""
        return business(self.playbook)

    def segment_code(self, segment: str) -> int | None:
        """Position of a segment; None for "", which means all."""
        return self.business.segments.index(segment) if segment else None

    @property
    def until_micros(self) -> int:
        """End of the history, microseconds UTC."""
        return round(self.until.timestamp() * 1_000_000)

    @property
    def start_micros(self) -> int:
        """Begin of the history, microseconds UTC."""
        return self.until_micros - self.days * DAY_MICROS

    @property
    def rounds(self) -> int:
        """Decisions per account."""
        return (self.days - self.warmup_days) // self.every_days

    def generator(self, label: str) -> np.random.Generator:
        """A stream of random numbers of its own for each part of the world, so that parts do not shift."""
        return np.random.Generator(
            np.random.PCG64(np.random.SeedSequence([self.seed, crc32(label.encode())]))
        )


def _value(text: str) -> object:
    """A number or a truth value where the text is one, else the text."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


_BOUNDS: dict[str, tuple[float, float]] = {
    "accounts": (1, 10_000_000), "seed": (0, 2**63 - 1), "days": (2, 3_650), "effect": (0, 100),
    "personalisation": (0, 3), "hidden": (0, 1), "confounding": (0, 10), "noise": (0.05, 100),
    "fatigue": (0, 100), "repetition": (0, 100), "recency": (0, 100), "delay_days": (0.1, 1_000),
    "inbound_per_year": (0, 365), "interest_value": (0, 100_000), "trigger": (0, 1),
    "new_treatment_days": (0, 3_650), "every_days": (2, 365), "warmup_days": (0, 3_650),
    "horizon_days": (1, 90), "none_share": (0.01, 0.99), "followed": (0.01, 1), "corrected": (0, 1),
    "late": (0, 1), "emails_per_month": (0, 60), "harm": (0, 1), "skill": (0, 3),
}  # fmt: skip


_WHOLE = {field.name for field in fields(WorldSettings) if field.type == "int"}


def _within(name: str, value: float, low: float, high: float) -> None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not (is_number and math.isfinite(value) and low <= value <= high):
        raise WorldError(f"World setting {name}: got {value}, need a number from {low:g} to {high:g}.")


def _one_of(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        close = get_close_matches(value, known, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise WorldError(
            f"World setting {name}: got {value!r}, need one of {', '.join(map(repr, known))}.{hint}"
        )


def _one_of_names(name: str, known: list[str]) -> None:
    if name not in known:
        close = get_close_matches(name, known, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else f" Known are {', '.join(known)}."
        raise WorldError(f"There is no world setting {name!r}.{hint}")
