"""How twins are looked for: section [twins] of a playbook as a type, checked."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Literal

from engine.conditions import near
from engine.playbook_text import PlaybookError, Tables


@dataclass(frozen=True)
class TwinSettings:
    """How similar accounts that buy more are looked for.

    Attributes:
        traits: Attributes of accounts that say who is alike; () = all of them.
        without: Attributes that are never used.
        outcomes: Kinds of outcomes that count as purchases; () = all that are worth something.
        neighbours: How many of the most similar accounts are looked at.
        alike: An account is similar when it is nearer than all but this share of random pairs; in (0, 1].
        upper_share: Share of the similar accounts, those that buy most, that are the twins; in (0, 1).
        much: How many times as much as the account its twins must surely buy.
        least_twins: With fewer twins nothing is claimed.
        window_days: Length of the period in which purchases are compared.
        minimum_value: Smaller differences are not claimed; currency a year.
        error_rate: Expected share of claims without any difference, at most; in (0, 1).
        steps: What the contacts of an approach are told apart by.
        sequence_days: Length of an approach from its first contact at most.
        success_days: After its last contact, within which a larger purchase makes it a success.
        lookback_days: How far back approaches are looked for.
        growth: A purchase is a larger one when it is worth so many times the largest of the year before.
        least_tries: An approach that was tried on fewer of the similar accounts is not told of.
    """

    traits: tuple[str, ...]
    without: tuple[str, ...]
    outcomes: tuple[str, ...]
    neighbours: int
    alike: float
    upper_share: float
    much: float
    least_twins: int
    window_days: float
    minimum_value: float
    error_rate: float
    steps: Literal["channel", "group"]
    sequence_days: float
    success_days: float
    lookback_days: float
    growth: float
    least_tries: int


def read_twins(tables: Tables) -> TwinSettings | None:
    """The section's settings; None = it is not there or switched off. Raises PlaybookError."""
    given: dict[str, Any] | None = next((dict(table) for table in tables.sections["twins"].values()), None)
    if given is None or not given.pop("on"):
        return None
    _check_known("traits", given["traits"], tables.top["attributes"], "attribute")
    _check_known("outcomes", given["outcomes"], tables.top["outcomes"], "kind of outcome")
    settings = TwinSettings(**given)
    if settings.upper_share * settings.neighbours < settings.least_twins:
        raise PlaybookError(
            f"twins.least_twins: got {settings.least_twins}, but {settings.upper_share:g} of "
            f"{settings.neighbours} neighbours are fewer; need more neighbours or fewer twins."
        )
    return settings


def step_ids(tables: Tables) -> tuple[str, ...]:
    """What a step of an approach may be called; () where no twins are looked for.

    What medical colleagues alone do is no step of a sales approach.
    """
    settings = read_twins(tables)
    if settings is None:
        return ()
    roles = tables.sections["roles"]
    own = [t for t in tables.sections["treatments"].values() if t["kind"] == "contact"]
    return tuple(sorted({t[settings.steps] for t in own if roles[t["role"]]["side"] != "medical"}))


def _check_known(name: str, given: Collection[str], known: Collection[str], what: str) -> None:
    for key in given:
        if key not in known:
            hint = near(key, known) or f"; known: {', '.join(known) or 'none'}."
            raise PlaybookError(f"twins.{name}: unknown {what} {key!r}{hint}")
