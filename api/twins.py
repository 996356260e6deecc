"""An account's twins as somebody may see them: all numbers, but rows only of accounts that she serves.

Of an account that she does not serve there is nothing but its part in a count.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from data.ledger.ledger import Ledger
from data.ledger.types import TwinFinding, TwinsKnown
from data.live import history_of
from engine.approaches import purchases_at
from engine.playbook import Playbook
from engine.records import DAY_MICROS, History, known_rows

Serves = Callable[[str], bool]


@dataclass(frozen=True)
class SeenTwin:
    """A similar account whose name and rows the reader may see."""

    account_id: str
    name: str
    history: History


@dataclass(frozen=True)
class SeenTwins:
    """What is known of an account's twins, with the accounts behind it that the reader may see.

    Attributes:
        known: None = no night has looked for twins.
        accounts: Those that may be seen, by id.
    """

    known: TwinsKnown | None
    accounts: Mapping[str, SeenTwin]

    @property
    def finding(self) -> TwinFinding | None:
        """What is claimed."""
        return self.known.finding if self.known else None


def seen_twins(ledger: Ledger, account_id: str, serves: Serves) -> SeenTwins:
    """Read what is known of an account's twins, and the facts of those accounts that may be seen."""
    known = ledger.twins(account_id)
    if known is None or known.finding is None:
        return SeenTwins(known, {})
    accounts = {}
    for twin in sorted(_behind(known.finding.content)):
        if serves(twin):
            state = ledger.account_state(twin)
            accounts[twin] = SeenTwin(twin, state.name, history_of(state))
    return SeenTwins(known, accounts)


def tries(seen: SeenTwins, refs: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The rows behind a count of an approach, as far as they may be seen: account, contacts, purchase."""
    found = []
    for ref in refs:
        account = seen.accounts.get(ref["account_id"])
        if account is None or seen.known is None:
            continue
        contacts = _rows(account.history, "touchpoints", "touchpoint_id", ref["touchpoint_ids"], seen.known)
        bought = [ref["outcome_id"]] if "outcome_id" in ref else []
        purchase = _rows(account.history, "outcomes", "outcome_id", bought, seen.known)
        found.append(
            {
                "account_id": account.account_id,
                "account_name": account.name,
                "touchpoints": contacts,
                "purchase": purchase[0] if purchase else None,
            }
        )
    return found


def purchases(seen: SeenTwins, item: str, buyers: Sequence[str], playbook: Playbook) -> list[dict[str, Any]]:
    """The purchases of an item behind a count of buyers, as far as they may be seen, by account and time."""
    if seen.known is None or playbook.twins is None:
        return []
    as_of = seen.known.as_of
    since = as_of - round(playbook.twins.window_days * DAY_MICROS)
    found = []
    for account in (seen.accounts[buyer] for buyer in buyers if buyer in seen.accounts):
        bought = purchases_at(account.history, as_of, playbook, playbook.twins)
        rows = bought.filter((pl.col("item") == item) & (pl.col("time") >= since))
        found += [
            {"account_id": account.account_id, "account_name": account.name, "outcome_id": outcome,
             "at": time, "amount": amount}
            for outcome, time, amount in rows.select("outcome_id", "time", "amount").iter_rows()
        ]  # fmt: skip
    return found


def _behind(content: Mapping[str, Any]) -> set[str]:
    """All accounts that a number of the finding counts."""
    tried = [ref["account_id"] for a in content["approaches"] for ref in (*a["worked"], *a["failed"])]
    return {*content["similar"], *content["twins"], *tried}


def _rows(
    history: History, table: str, key: str, ids: Sequence[str], known: TwinsKnown
) -> list[dict[str, Any]]:
    """Facts by id as they were known when the accounts were compared, in the order given."""
    rows = known_rows(history[table], known.as_of).filter(pl.col(key).is_in(ids))
    by_id = {row[key]: row for row in rows.iter_rows(named=True)}
    return [by_id[one] for one in ids if one in by_id]
