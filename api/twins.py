"""An account's twins as somebody may see them: all numbers, but rows only of accounts that she serves.

Of an account that she does not serve there is nothing but its part in a count.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import polars as pl

from data.ledger.ledger import Ledger
from data.ledger.types import TwinFinding, TwinsKnown
from data.live import history_of
from engine.approaches import purchases_at
from engine.playbook import Playbook
from engine.records import DAY_MICROS, History, join, known_rows

Serves = Callable[[str], bool]
Row = dict[str, Any]


@dataclass(frozen=True)
class SeenTwins:
    """What is known of an account's twins, with the accounts behind it that the reader may see.

    Attributes:
        known: None = no night has looked for twins.
        names: Of the accounts that may be seen, by id.
        history: Their facts.
    """

    known: TwinsKnown | None
    playbook: Playbook
    names: Mapping[str, str] = field(default_factory=dict)
    history: History = field(default_factory=History)

    @property
    def finding(self) -> TwinFinding | None:
        """What is claimed."""
        return self.known.finding if self.known else None

    @cached_property
    def touchpoints(self) -> Mapping[str, Row]:
        """Contacts of accounts that may be seen, by id, as known when the accounts were compared."""
        return self._by_id("touchpoints", "touchpoint_id")

    @cached_property
    def outcomes(self) -> Mapping[str, Row]:
        """Their outcomes, in the same way."""
        return self._by_id("outcomes", "outcome_id")

    @cached_property
    def bought(self) -> pl.DataFrame:
        """What they bought in the window, as `purchases_at`."""
        settings = self.playbook.twins
        if self.known is None or settings is None:
            return pl.DataFrame(schema={"account_id": pl.String(), "item": pl.String()})
        since = self.known.as_of - round(settings.window_days * DAY_MICROS)
        found = purchases_at(self.history, self.known.as_of, self.playbook, settings)
        return found.filter(pl.col("time") >= since)

    def _by_id(self, table: str, key: str) -> Mapping[str, Row]:
        if self.known is None:
            return {}
        rows = known_rows(self.history[table], self.known.as_of)
        return {row[key]: row for row in rows.iter_rows(named=True)}


def seen_twins(ledger: Ledger, account_id: str, playbook: Playbook, serves: Serves) -> SeenTwins:
    """Read what is known of an account's twins, and the facts of those accounts that may be seen."""
    known = ledger.twins(account_id)
    if known is None or known.finding is None:
        return SeenTwins(known, playbook)
    behind = sorted(_behind(known.finding.content))
    states = [ledger.account_state(twin) for twin in behind if serves(twin)]
    names = {state.account_id: state.name for state in states}
    return SeenTwins(known, playbook, names, join(history_of(replace(state, twins=None)) for state in states))


def tries(seen: SeenTwins, refs: Iterable[Mapping[str, Any]]) -> list[Row]:
    """The rows behind a count of an approach, as far as they may be seen: account, contacts, purchase."""
    return [
        {
            "account_id": ref["account_id"],
            "account_name": seen.names[ref["account_id"]],
            "touchpoints": [seen.touchpoints[t] for t in ref["touchpoint_ids"] if t in seen.touchpoints],
            "purchase": seen.outcomes.get(ref.get("outcome_id", "")),
        }
        for ref in refs
        if ref["account_id"] in seen.names
    ]


def purchases(seen: SeenTwins, item: str, buyers: Sequence[str]) -> list[Row]:
    """The purchases of an item behind a count of buyers, as far as they may be seen, by account and time."""
    own = pl.col("account_id").is_in([buyer for buyer in buyers if buyer in seen.names])
    return [
        {"account_id": row["account_id"], "account_name": seen.names[row["account_id"]],
         "outcome_id": row["outcome_id"], "at": row["time"], "amount": row["amount"]}
        for row in seen.bought.filter(own & (pl.col("item") == item)).iter_rows(named=True)
    ]  # fmt: skip


def _behind(content: Mapping[str, Any]) -> set[str]:
    """All accounts that a number of the finding counts."""
    tried = [ref["account_id"] for a in content["approaches"] for ref in (*a["worked"], *a["failed"])]
    return {*content["similar"], *content["twins"], *tried}
