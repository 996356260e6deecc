"""What differs between businesses in the simulated world: one description for each shipped playbook.

The laws are the same everywhere (`data.world.effects`); how large things are, who serves whom, what accounts
ask about and how they are described stands in `natures/<playbook>.toml`, read and checked here.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

from data.home import DataError

ANSWERS = ("viewed", "clicked", "attended", "accepted", "rejected", "unsubscribed", "replied")
"""Responses that occur in a world."""
WHO = ("physician", "person", "company")


class WorldError(DataError):
    """A setting of the world cannot be; nothing was written."""

    exit_code = 2


@dataclass(frozen=True)
class ChannelNature:
    """How a channel works in this world, for the average account.

    Attributes:
        caused: Worth that one contact causes, in currency.
        response: Probability of a positive response.
        positive: The positive response that its contacts get.
        viewed: Probability of being viewed, for messages; 0 = nothing to view.
        rejected: Probability of a rejection.
        popularity: How readily colleagues use it, on a log scale.
        good_accounts: How much more readily with accounts of high potential, on a log scale.
    """

    caused: float
    response: float
    positive: str
    viewed: float = 0.0
    rejected: float = 0.0
    popularity: float = 0.0
    good_accounts: float = 0.0

    def __post_init__(self) -> None:
        if self.positive not in ANSWERS:
            raise WorldError(f"positive: got {self.positive!r}, need one of {', '.join(ANSWERS)}.")


@dataclass(frozen=True)
class RoleNature:
    """How the colleagues of a role are spread.

    Attributes:
        prefix: Of their user ids.
        territories: How many one of them serves.
        minutes: Of customer time on a working day.
    """

    prefix: str
    territories: int
    minutes: float


@dataclass(frozen=True)
class Trait:
    """A column of accounts on which effects depend: levels, or a number.

    Attributes:
        name: Of the column; "" = the trait's own.
        levels: Of a text; empty = a number.
        log: Of a number: logarithm of its median.
    """

    name: str = ""
    levels: tuple[str, ...] = ()
    log: float = 0.0


@dataclass(frozen=True)
class Extra:
    """A column of accounts on which nothing depends but rules: levels drawn by share, or a number.

    Attributes:
        levels, shares: Of a text.
        log, slope, spread: Of a whole number: logarithm of the median, by how much it grows with the
            standardised potential, and its own standard deviation, all on the log scale.
    """

    levels: tuple[str, ...] = ()
    shares: tuple[float, ...] = ()
    log: float = 0.0
    slope: float = 0.0
    spread: float = 0.0


@dataclass(frozen=True)
class Inbound:
    """How accounts ask about a topic.

    Attributes:
        channel: Through which.
        weight: How often, relative to other topics.
        details: Questions of a form with the answers that occur; empty = nothing is filled in.
    """

    channel: str = "website"
    weight: float = 1.0
    details: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Only:
    """Who alone can be contacted with some treatments: what the company's own rules have always said.

    Attributes:
        by: Property of treatments: role, issue, channel or id.
        of: Its values concerned.
        column: Of accounts.
        levels: Those that can be contacted.
    """

    by: str
    of: tuple[str, ...]
    column: str
    levels: tuple[str, ...]


@dataclass(frozen=True)
class Phase:
    """A phase in the life of an account; what it asks about differs by phase.

    Attributes:
        name: Stage of the playbook's journey to which it belongs.
        days: Mean length; how long it lasts is exponential.
        visits: How often accounts ask, relative to the average.
        topics: Weight of each topic that is asked about; empty = as always.
        works: Factor on the effect of treatments, by issue; 1 for the others.
        next: Probability of each phase that can follow; the rest is the first phase.
    """

    name: str
    days: float
    visits: float = 1.0
    topics: Mapping[str, float] = field(default_factory=dict)
    works: Mapping[str, float] = field(default_factory=dict)
    next: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Offers:
    """Quotes that follow contacts.

    Attributes:
        channels: Whose contacts are followed by a quote.
        days: How long it is open.
        won: Share of quotes that are accepted.
        price: Where the treatment has none, in currency.
    """

    channels: tuple[str, ...]
    days: float
    won: float
    price: float


@dataclass(frozen=True)
class Business:
    """The nature of one playbook's world.

    Attributes:
        who: How accounts are called: physician, person or company.
        outcome: Kind of outcome.
        yearly: Worth of what an account does in a year without any contact, in currency.
        amount: Mean worth of one outcome, in currency.
        pack: Worth of one unit of it.
        season: Share by which outcomes are more in winter and fewer in summer.
        earliest_days: No outcome follows a decision sooner.
        interest_delay_days: Mean time from a question to the outcomes that its interest brings anyway.
        potential: Median potential of an account a year, in currency.
        accounts_per_territory: As it says.
        managers_of: How many colleagues of the first role have one manager; 0 = there are none.
        manager_prefix: Of their user ids.
        diary: Channel of the plans ahead; "" = nothing is planned.
        automated: Segments that no person serves.
        underperformers: Share of accounts that buy an eighth of what accounts like them do.
        settings: What settings of the world are unless told.
        segments: Levels of the segment, highest potential first.
        cuts: Between segments, on the scale of minus the standardised potential; increasing.
        traits: size, industry, group, hours, volume.
        roles, channels: By id of the playbook.
        extras: Further columns of accounts.
        inbound: Topics asked about; empty = those of all treatments, on the website.
        only: Who alone can be contacted.
        phases: In the life of an account; empty = every account is always alike.
        products: Share of outcomes by product; empty = products are not told apart.
        offers: Quotes; None = there are none.
    """

    who: str
    outcome: str
    yearly: float
    amount: float
    pack: float
    season: float
    earliest_days: float
    interest_delay_days: float
    potential: float
    accounts_per_territory: int
    settings: Mapping[str, float]
    segments: tuple[str, ...]
    cuts: tuple[float, ...]
    traits: Mapping[str, Trait]
    channels: Mapping[str, ChannelNature]
    roles: Mapping[str, RoleNature] = field(default_factory=dict)
    managers_of: int = 0
    manager_prefix: str = ""
    diary: str = ""
    automated: tuple[str, ...] = ()
    underperformers: float = 0.0
    extras: Mapping[str, Extra] = field(default_factory=dict)
    inbound: Mapping[str, Inbound] = field(default_factory=dict)
    only: tuple[Only, ...] = ()
    phases: tuple[Phase, ...] = ()
    products: Mapping[str, float] = field(default_factory=dict)
    offers: Offers | None = None

    def __post_init__(self) -> None:
        if self.who not in WHO:
            raise WorldError(f"who: got {self.who!r}, need one of {', '.join(WHO)}.")

    def column(self, trait: str) -> str:
        """Column that shows a trait."""
        return self.traits[trait].name or trait


def businesses() -> tuple[str, ...]:
    """Playbooks that have a world."""
    names = (Path(entry.name) for entry in (files("data.world") / "natures").iterdir())
    return tuple(sorted(name.stem for name in names if name.suffix == ".toml"))


@cache
def business(playbook: str) -> Business:
    """The nature of a playbook's world. Raises WorldError: it has none."""
    if playbook not in businesses():
        close = get_close_matches(playbook, businesses(), n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise WorldError(
            f"There is no world for the playbook {playbook!r}; there are {', '.join(businesses())}.{hint}"
        )
    text = (files("data.world") / "natures" / f"{playbook}.toml").read_text(encoding="utf-8")
    return parse_business(text, playbook)


def parse_business(text: str, name: str) -> Business:
    """A nature from its text. Raises WorldError: something in it cannot be."""
    try:
        table = tomllib.loads(text)
        segments = table.pop("segments")
        return _of(Business, table | {
            "segments": tuple(segments["names"]),
            "cuts": tuple(segments["cuts"]),
            "traits": _all(Trait, table["traits"]),
            "channels": _all(ChannelNature, table["channels"]),
            "roles": _all(RoleNature, table.get("roles", {})),
            "extras": _all(Extra, table.get("extras", {})),
            "inbound": _all(Inbound, table.get("inbound", {})),
            "only": tuple(_of(Only, one) for one in table.get("only", [])),
            "phases": tuple(_of(Phase, one) for one in table.get("phases", [])),
            "offers": _of(Offers, table["offers"]) if "offers" in table else None,
        })  # fmt: skip
    except tomllib.TOMLDecodeError as error:
        raise WorldError(f"The world of {name} is no TOML: {error}.") from None
    except KeyError as error:
        raise WorldError(f"The world of {name} does not say {error}.") from None
    except WorldError as error:
        raise WorldError(f"The world of {name}: {error}") from None


_T = TypeVar("_T")


def _all(cls: type[_T], tables: Mapping[str, Mapping[str, Any]]) -> dict[str, _T]:
    return {name: _of(cls, table) for name, table in tables.items()}


def _of(cls: type[_T], table: Mapping[str, Any]) -> _T:
    """A dataclass from a table; lists become tuples. Raises WorldError: an entry is unknown or missing."""
    known = {one.name: one for one in fields(cls)}  # type: ignore[arg-type]
    for key in table:
        if key not in known:
            raise WorldError(f"{cls.__name__} has no {key!r}; it has {', '.join(known)}.")
    for key, one in known.items():
        if key not in table and one.default is MISSING and one.default_factory is MISSING:
            raise WorldError(f"{cls.__name__} needs {key!r}.")
    return cls(**{key: tuple(value) if isinstance(value, list) else value for key, value in table.items()})
