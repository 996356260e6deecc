"""What a colleague may know of an account: who it is, what it permits, what is offered, what happened."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from api.decider import decide_live
from api.service import Service
from api.stops import standing_stops
from api.timeline import Entry, timeline
from data.live import history_of, newest_stored
from engine.contract import TABLES, TIME
from engine.records import DAY_MICROS, History, known_rows
from engine.stage_rules import stage_at

OUTCOME_DAYS = 365.0
_APART = ("account_id", "merged_into", "stored_at", "superseded_at", "deleted")
"""Columns of accounts that say nothing to people."""


@dataclass(frozen=True)
class About:
    """What is known of one account now; rows as the contract has them.

    Attributes:
        stage: Of the journey; None = not known.
        facts: Columns of `accounts` that have a value.
        team: Role -> user_id.
        preferences: The latest by channel, purpose and kind.
        offers: Those that are open.
        outcomes: Of the last year, the latest first.
    """

    account_id: str
    name: str
    stage: str | None
    facts: Mapping[str, Any]
    team: Mapping[str, str]
    preferences: Sequence[Mapping[str, Any]]
    offers: Sequence[Mapping[str, Any]]
    outcomes: Sequence[Mapping[str, Any]]


def about_account(service: Service, account_id: str) -> About:
    """Everything but touchpoints, which depend on who reads. Raises UnknownError."""
    decider, now = service.decider(), service.clock()
    stops, state = standing_stops(service.ledger), service.ledger.account_state(account_id)
    live = decide_live(decider, [state], triggers={account_id: "read"}, not_before=now, stops=stops)[0]
    stage = stage_at(live.decisions.features, decider.playbook, live.row)
    history, known_at = live.history, max(now, newest_stored(live.history)) + 1
    return About(
        account_id=account_id,
        name=state.name,
        stage=stage.id if stage else None,
        facts=_facts(history, known_at),
        team=service.ledger.team(account_id),
        preferences=_preferences(history, known_at),
        offers=_open_offers(history, known_at),
        outcomes=_outcomes(history, known_at),
    )


def touchpoints_of(service: Service, account_id: str, roles: Collection[str], *, limit: int) -> list[Entry]:
    """The account's touchpoints by all colleagues that who sees these roles may read, the latest first."""
    told = service.ledger.told([account_id], after=0)
    history = history_of(service.ledger.account_state(account_id))
    # Stored times grow even while the clock stands.
    known_at = max(service.clock(), newest_stored(history)) + 1
    return timeline(history, told, roles, service.decider().playbook, known_at, limit=limit)


def matching(accounts: Sequence[tuple[str, str]], text: str) -> list[tuple[str, str]]:
    """Those (id, name) in which every word of a text begins a word of the name, or is the id."""
    wanted = _plain(text).split()
    return [
        (account, name)
        for account, name in accounts
        if text.strip() == account
        or all(any(part.startswith(word) for part in _plain(name).split()) for word in wanted)
    ]


_SAME_LETTERS = str.maketrans("يىكأإآة\u200c", "ییکاااه ")


def _plain(text: str) -> str:
    """Without case, accents, and the letters that Arabic and Persian keyboards write differently."""
    bare = unicodedata.normalize("NFKD", text.translate(_SAME_LETTERS))
    kept = "".join(c for c in bare if not unicodedata.combining(c)).casefold()
    return "".join(c if c.isalnum() else " " for c in kept)


def _facts(history: History, known_at: int) -> dict[str, Any]:
    rows = known_rows(history["accounts"], known_at).tail(1)
    personal = {column.name for column in TABLES["accounts"].columns if column.personal}
    row = next(rows.iter_rows(named=True), {})
    return {
        name: value
        for name, value in row.items()
        if value is not None and name not in _APART and name not in personal
        and isinstance(value, str | float | int)
    }  # fmt: skip


def _preferences(history: History, known_at: int) -> list[dict[str, Any]]:
    rows = known_rows(history["preferences"], known_at).sort("since", nulls_last=False)
    latest = {(row["channel"], row["purpose"], row["kind"]): row for row in rows.iter_rows(named=True)}
    names = ("channel", "purpose", "kind", "status", "since")
    return [{name: row[name] for name in names} for _, row in sorted(latest.items())]


def _open_offers(history: History, known_at: int) -> list[dict[str, Any]]:
    moment = pl.lit(known_at).cast(TIME)
    holds = pl.col("expires_at").is_null() | (pl.col("expires_at") > moment)
    rows = (
        known_rows(history["offers"], known_at)
        .filter(pl.col("closed_at").is_null() & holds)
        .sort("opened_at", "offer_id")
    )
    names = ("offer_id", "product", "topic", "price", "currency", "opened_at", "expires_at")
    return [{name: row[name] for name in names} for row in rows.iter_rows(named=True)]


def _outcomes(history: History, known_at: int) -> list[dict[str, Any]]:
    after = pl.lit(known_at - round(OUTCOME_DAYS * DAY_MICROS)).cast(TIME)
    rows = known_rows(history["outcomes"], known_at).filter(pl.col("occurred_at") > after)
    latest = rows.sort("occurred_at", "outcome_id", descending=True)
    return [
        {"at": row["occurred_at"], "kind": row["kind"], "product": row["product"], "value": row["value"]}
        for row in latest.iter_rows(named=True)
    ]
