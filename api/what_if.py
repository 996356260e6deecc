"""What would be decided for an account if something had happened or were different; nothing is stored."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any

import numpy as np
import polars as pl

from api.decider import proposals_of
from api.events import EventError
from api.service import Service, after_all
from api.stops import standing_stops
from data.ledger.types import Proposal, TailRow
from data.live import current_team, tail_history
from engine.amounts import explain_lists
from engine.changes import Situation
from engine.records import History, Moments, known_rows

_ALWAYS_READ = ("timezone", "country")
"""Columns that decisions read whatever the store's attributes are."""


@dataclass(frozen=True)
class Supposed:
    """The lists of an account at one moment: as things stand, and as supposed; best first."""

    account_name: str
    decided_at: int
    as_it_is: Sequence[Proposal]
    as_supposed: Sequence[Proposal]


def what_if(
    service: Service, account_id: str, *, rows: Sequence[TailRow], facts: Mapping[str, Any], at: int,
    roles: Collection[str],
) -> Supposed:  # fmt: skip
    """Decide an account twice: on what is known, and on that with what is supposed.

    Args:
        rows: Events as if they had just come in, checked by the contract, in their order.
        facts: Columns of `accounts` -> value, as if they had always been known so.
        at: Microseconds UTC; decided is then, or right after all that is stored.
        roles: Whose suggestions are told.

    Raises:
        EventError: A column that the account does not have, or a value of another type.
        UnknownError: There is no such account.
    """
    decider, stops = service.decider(), standing_stops(service.ledger)
    state = service.ledger.account_state(account_id)
    history = decider.histories.of(state)
    stored = after_all(history, service.clock())
    supposed = history.append(
        tail_history([replace(row, stored_at=stored + place) for place, row in enumerate(rows)])
    )
    moment = max(at, stored + len(rows) + 1) + 1
    if facts:
        supposed = _with_facts(decider.situation(supposed, account_id, moment - 1, stops), facts)
    then = Moments((account_id,), np.array([moment], dtype=np.int64), stops)
    both = history, supposed
    decided = [decider.decide(known, then) for known in both]
    explain_lists(decided, decider.playbook, roles=roles)
    as_it_is, as_supposed = (
        proposals_of(decisions, 0, decider.playbook, _team(known, then), roles=roles)
        for decisions, known in zip(decided, both, strict=True)
    )
    return Supposed(state.name, moment, as_it_is, as_supposed)


def _team(history: History, then: Moments) -> Mapping[str, str]:
    return current_team(history, int(then.as_of[0])).get(then.account_ids[0], {})


def _with_facts(now: Situation, facts: Mapping[str, Any]) -> History:
    history, account_id, at = now.history, now.account_id, now.as_of
    rows = known_rows(history["accounts"], at).filter(pl.col("account_id") == account_id)
    known = rows.row(-1, named=True) if len(rows) else {}
    schema = history["accounts"].schema
    read = {attribute.name for attribute in now.features.attributes} | {*_ALWAYS_READ}
    names = [name for name in schema if name in read]
    for name, value in facts.items():
        _check(name, value, schema, names)
    content = {name: value for name, value in known.items() if name not in ("superseded_at", "stored_at")}
    return now.knowing("accounts", **{**content, **facts}).history


def _check(name: str, value: Any, schema: pl.Schema, names: Sequence[str]) -> None:
    if name not in names:
        close = get_close_matches(name, names, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(names)}."
        raise EventError(f"Decisions here read no column {name!r} of accounts, {hint}")
    kind = schema[name]
    if value is None:
        return
    if kind == pl.Boolean:
        fits, wanted = isinstance(value, bool), "true or false"
    elif kind.is_numeric():
        fits, wanted = isinstance(value, int | float) and not isinstance(value, bool), "a number"
    else:
        fits, wanted = isinstance(value, str), "text"
    if not fits:
        raise EventError(f"{name} must be {wanted}, got {value!r}.")
