"""Random histories in which everything happens: versions, tombstones, late facts, plans, ties on the hour.

Times stand on a grid of half days, so that facts meet each other, the moments asked about and the borders of
windows exactly; a property that holds here holds at the borders.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from engine.records import History, Moments
from tests.engine.builders import (
    TREATMENTS,
    Row,
    account,
    answer,
    at,
    history,
    outcome,
    permission,
    response,
    row,
    team,
    touchpoint,
)

ACCOUNTS = ("a", "b", "c", "d")
GRID = np.arange(-60.0, 12.5, 0.5)
CHANNELS = ("email", "visit", "website", "fax")
RESPONSES = ("viewed", "clicked", "replied", "rejected", "unsubscribed", "complained")


class _Dice:
    def __init__(self, seed: int) -> None:
        self.draw = np.random.default_rng(seed)

    def one(self, *options: Any) -> Any:
        return options[int(self.draw.integers(len(options)))]

    def chance(self, share: float) -> bool:
        return bool(self.draw.random() < share)

    def day(self) -> float:
        """Often a window's length before a round moment, so that borders are met."""
        if self.chance(0.3):
            return float(self.one(-7, -14, -30, -90, -365, -372) + self.one(0, 0, 5, -2))
        return float(self.one(*GRID))

    def stored(self, day: float) -> float | None:
        late = self.one(0.0, 0.0, 0.0, 0.5, 3.0, 20.0)
        return None if self.chance(0.05) else day + late


def random_history(seed: int) -> History:
    """Facts of the accounts ACCOUNTS; the same seed gives the same facts."""
    dice = _Dice(seed)
    rows = [row for owner in ACCOUNTS for row in (*_contacts(dice, owner), *_standing(dice, owner))]
    return history(*rows, accounts=())


def random_moments(seed: int, count: int = 12) -> Moments:
    """Moments of these accounts, several for each, on the same grid."""
    dice = _Dice(seed + 1)
    owners = tuple(dice.one(*ACCOUNTS) for _ in range(count))
    return Moments(owners, np.array([at(dice.one(*GRID[80:])) for _ in owners], dtype=np.int64))


def shuffled(past: History, seed: int) -> History:
    """The same rows of every table in another order, some of them twice."""
    mixed = {}
    for table, frame in past.frames.items():
        again = pl.concat([frame, frame.sample(fraction=0.3, seed=seed)])
        mixed[table] = again.sample(fraction=1.0, shuffle=True, seed=seed)
    return History(mixed)


def of_account(past: History, owner: str) -> History:
    """The facts of one account alone."""
    return History({table: f.filter(pl.col("account_id") == owner) for table, f in past.frames.items()})


def _versions(dice: _Dice, first: Row) -> list[Row]:
    """The row, sometimes with a later version or a tombstone."""
    found, (table, values) = [first], first
    while dice.chance(0.25):
        stored = None if values["stored_at"] is None else (values["stored_at"] - at(0)) / 86_400_000_000
        later = (dice.day() if stored is None else stored) + dice.one(0.0, 0.5, 4.0)
        content = {name: v for name, v in values.items() if name not in ("stored_at", "deleted")}
        found.append(row(table, later, dice.chance(0.4), **(content | _changed(dice, table))))
        values = found[-1][1]
    return found


def _changed(dice: _Dice, table: str) -> dict[str, Any]:
    if table == "touchpoints":
        return {
            "channel": dice.one(*CHANNELS),
            "status": dice.one("done", "cancelled"),
            "occurred_at": at(dice.day()),
        }
    if table == "outcomes":
        return {"value": float(dice.draw.normal(100.0, 30.0))}
    if table == "preferences":
        return {"status": dice.one("opt_in", "opt_out")}
    if table == "accounts":
        return {"segment": dice.one("A", "B", "Z", None), "potential_value": float(dice.draw.normal())}
    return {"until": at(dice.day())} if table == "feedback" else {}


def _contacts(dice: _Dice, owner: str) -> list[Row]:
    found: list[Row] = []
    for number in range(int(dice.draw.integers(0, 14))):
        day, id = dice.day(), f"{owner}{number:02}"
        values = {
            "direction": dice.one("inbound", "outbound", "outbound"), "channel": dice.one(*CHANNELS),
            "topic": dice.one("news", "safety", "else", None),
            "status": dice.one("done", "done", "done", "planned", "cancelled"),
            "treatment": dice.one(*(t.id for t in TREATMENTS), "gone", None),
            "contact_id": dice.one("p", "q", None),
        }  # fmt: skip
        found += _versions(dice, touchpoint(day, account_id=owner, id=id, stored=dice.stored(day), **values))
        for _ in range(int(dice.draw.integers(0, 3))):
            later = day + dice.one(-1.0, 0.0, 0.5, 2.0, 10.0)
            kind = dice.one(*RESPONSES)
            found += _versions(dice, response(id, later, kind, account_id=owner, stored=dice.stored(later)))
    for number in range(int(dice.draw.integers(0, 5))):
        day = dice.day()
        kind, value = dice.one("prescription", "order", "unheard_of"), float(dice.draw.normal(100.0, 30.0))
        id = f"{owner}o{number}"
        found += _versions(
            dice, outcome(day, value, account_id=owner, id=id, kind=kind, stored=dice.stored(day))
        )
    return found


def _standing(dice: _Dice, owner: str) -> list[Row]:
    first = account(
        owner,
        stored=dice.one(None, -50.0),
        segment=dice.one("A", "B", None),
        automated=dice.one(True, False, None),
        timezone=dice.one("Asia/Tehran", "Asia/Tehran", None),
        merged_into=dice.one(None, None, None, "another"),
    )
    found = _versions(dice, first)
    for role in ("rep", "system", "unheard_of"):
        if dice.chance(0.5):
            found += _versions(dice, team(owner, role, stored=dice.one(None, -20.0, -3.0)))
    for _ in range(int(dice.draw.integers(0, 7))):
        day = dice.one(-50.0, -20.0, -20.0, -5.0, -1.0, 0.0, 3.0)
        said = permission(
            day, dice.one("opt_in", "opt_out"), dice.one("email", "visit", "website", "*", "fax"),
            dice.one("marketing", "service", "web_behaviour"), account_id=owner, stored=dice.stored(day),
            contact_id=dice.one("p", "q", None), kind=dice.one("permission", "permission", "liking"),
        )  # fmt: skip
        found += _versions(dice, said)
    if dice.chance(0.7):
        found += [permission(-58.0, "opt_in", "*", "web_behaviour", account_id=owner)]
    for _ in range(int(dice.draw.integers(0, 5))):
        day, verb = dice.day(), dice.one("accept", "dismiss", "dismiss", "snooze", "complete")
        until = dice.one(None, day + 3.0, day + 20.0)
        about = dice.one("visit_safety", "email_news", "gone")
        found += _versions(
            dice, answer(day, verb, about, until=until, account_id=owner, stored=dice.stored(day))
        )
    return found
