"""Putting lists in place: which proposal is which suggestion, and what goes because it is no longer proposed.

While it lives, a suggestion is its account, treatment and role: the night that proposes it again finds it as
people left it (law 7).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import sqlalchemy as sa

from data.ledger import acts, contact_stops, hand_overs, runs
from data.ledger import schema as t
from data.ledger.changes import note_suggestions
from data.ledger.facts import append, join_appends, lock_accounts
from data.ledger.looks import Look
from data.ledger.statements import chunks, columns, insert_many, these, upsert
from data.ledger.types import ConflictError, LoggedDecision, OwnSuggestion, Proposal

Identity = tuple[str, str, str]
"""Account, treatment, role."""
_SAID = [name for name in t.PROPOSAL_COLUMNS if name != "decision_id"]


@dataclass(frozen=True)
class _Live:
    """A suggestion whose identity is taken; `listed` = on the lists on show, `is_new` as shown there."""

    suggestion_id: str
    account_id: str
    treatment: str
    role: str
    state: str
    snoozed_until: int | None
    expires_at: int
    listed: bool
    is_new: bool

    @cached_property
    def identity(self) -> Identity:
        return self.account_id, self.treatment, self.role

    def over(self, now: int) -> bool:
        """Whether its time has run out; what a person accepted has no end of its own."""
        return self.state != "accepted" and max(self.expires_at, self.snoozed_until or 0) <= now


@dataclass(frozen=True)
class _Wanted:
    """A proposal on its way to becoming a suggestion."""

    account_id: str
    decision_id: str
    proposal: Proposal

    @cached_property
    def identity(self) -> Identity:
        return self.account_id, self.proposal.treatment, self.proposal.role

    @cached_property
    def row(self) -> dict[str, Any]:
        """What a listing and a suggestion say of it."""
        said = {name: getattr(self.proposal, name) for name in _SAID}
        return {"account_id": self.account_id, "decision_id": self.decision_id, **said}


def post(
    connection: sa.Connection,
    decision: LoggedDecision,
    proposals: Sequence[Proposal],
    *,
    version: int,
    now: int,
) -> None:
    """Replace the account's list in the run on show and in those being staged. Raises ConflictError."""
    contact_stops.join(connection)
    run_on_show = runs.hold_shown(connection, alone=False)
    account = decision.account_id
    found = lock_accounts(connection, [account])[account].version
    if found != version:
        raise ConflictError(
            f"Account {account!r} has changed (version {found}, decided at {version}): decide again."
        )
    if contact_stops.overtaken(connection, [(decision, proposals)]):
        raise ConflictError(f"What account {account!r} is proposed has just been stopped: decide again.")
    staging = runs.being_staged(connection)
    live = _live(connection, [account])
    wanted = _wanted([(decision, proposals)])
    ids = _identify(connection, wanted, live, now=now)
    _withdraw(connection, [one for one in live.values() if one.suggestion_id not in ids.values()], now=now)
    _withdraw_answered(connection, [decision], live, now=now)
    # What is on show keeps its mark; only what was not on show is new.
    fresh = {key for key in ids if _is_new(live.get(key), posted_live=True)}
    for run_id in (run_on_show, *staging):
        _list(connection, run_id, [account], wanted=wanted, suggestion_ids=ids, fresh=fresh, before=live)
    _publish(connection, staging, [account])
    _log(connection, [decision])
    _tell(connection, ids, live, now=now, trigger=decision.trigger)
    hand_overs.ask_by_rule(connection, [decision], now=now)


def stage(
    connection: sa.Connection,
    run_id: str,
    accounts: Sequence[tuple[LoggedDecision, Sequence[Proposal], int]],
    *,
    now: int,
) -> list[str]:
    """Publish accounts to a run that is not complete; those that changed since, or are proposed what has been
    stopped since, are left out and returned."""
    contact_stops.join(connection)
    if runs.find(connection, run_id).state == "complete":
        raise ConflictError(f"Run {run_id!r} is complete; a new night is a new run.")
    found = lock_accounts(connection, (decision.account_id for decision, _, _ in accounts))
    unchanged = [(d, p) for d, p, version in accounts if found[d.account_id].version == version]
    stopped = contact_stops.overtaken(connection, unchanged)
    unchanged = [(decision, p) for decision, p in unchanged if decision.account_id not in stopped]
    ids = [decision.account_id for decision, _ in unchanged]
    live = _live(connection, ids)
    wanted = _wanted(unchanged)
    suggestion_ids = _identify(connection, wanted, live, now=now)
    _withdraw_answered(connection, [decision for decision, _ in unchanged], live, now=now)
    fresh = {key for key in suggestion_ids if _is_new(live.get(key), posted_live=False)}
    _list(connection, run_id, ids, wanted=wanted, suggestion_ids=suggestion_ids, fresh=fresh,
          before=live)  # fmt: skip
    _publish(connection, [run_id], ids)
    _log(connection, [decision for decision, _ in unchanged])
    hand_overs.ask_by_rule(connection, [decision for decision, _ in unchanged], now=now)
    staged = set(ids)
    return [decision.account_id for decision, _, _ in accounts if decision.account_id not in staged]


def _wanted(accounts: Iterable[tuple[LoggedDecision, Sequence[Proposal]]]) -> list[_Wanted]:
    """One per identity, the better place first."""
    wanted: dict[Identity, _Wanted] = {}
    for decision, proposals in accounts:
        for proposal in sorted(proposals, key=lambda p: p.rank):
            one = _Wanted(decision.account_id, decision.decision_id, proposal)
            wanted.setdefault(one.identity, one)
    return list(wanted.values())


def _live(connection: sa.Connection, account_ids: Sequence[str]) -> dict[Identity, _Live]:
    found = [
        _Live(*tuple(row)) for chunk in chunks(account_ids) for row in _LIVE.rows(connection, these=[*chunk])
    ]
    return {one.identity: one for one in found}


def _is_new(live: _Live | None, *, posted_live: bool) -> bool:
    if live is None or (live.state == "open" and not live.listed):
        return True
    return posted_live and live.is_new


def _identify(
    connection: sa.Connection, wanted: Sequence[_Wanted], live: dict[Identity, _Live], *, now: int
) -> dict[Identity, str]:
    """Identity -> suggestion_id; what is over leaves `live`, what is not there is made (open)."""
    over = [one for one in live.values() if one.over(now)]
    _end(connection, over, "expired", now=now)
    for one in over:
        del live[one.identity]
    missing = [one for one in wanted if one.identity not in live]
    earlier = _earlier(connection, {one.account_id for one in missing})
    made = {one.identity: _suggestion_id(one.identity, earlier.get(one.identity, 0)) for one in missing}
    rows = [
        {
            **one.row,
            "suggestion_id": made[one.identity],
            "treatment": one.proposal.treatment,
            "role": one.proposal.role,
            "state": "open",
            "posted_at": now,
        }
        for one in missing
    ]
    insert_many(connection, t.suggestions, rows)
    return {one.identity: made.get(one.identity) or live[one.identity].suggestion_id for one in wanted}


def _earlier(connection: sa.Connection, account_ids: set[str]) -> dict[Identity, int]:
    """How often each identity has been a suggestion before."""
    counts: dict[Identity, int] = {}
    for chunk in chunks(sorted(account_ids)):
        rows = _EARLIER.rows(connection, these=[*chunk])
        counts |= {(row[0], row[1], row[2]): row[3] for row in rows}
    return counts


def _suggestion_id(identity: Identity, earlier: int) -> str:
    """The n-th suggestion of an identity always has the same id: a night begun again ends the same.

    Those of an account begin alike, so that they lie side by side wherever they are looked up by it.
    """
    own = hashlib.blake2b(t.dumps([*identity, earlier]).encode(), digest_size=12).hexdigest()
    return hashlib.blake2b(identity[0].encode(), digest_size=4).hexdigest() + own


def suggest_own(
    connection: sa.Connection, own: OwnSuggestion, decision: LoggedDecision, *, version: int, now: int
) -> None:
    """Put what a colleague suggests herself on the list, accepted and planned. Raises ConflictError.

    Args:
        decision: What allowed it; not kept.
    """
    contact_stops.join(connection)
    join_appends(connection)
    account, proposal = own.account_id, own.proposal
    if lock_accounts(connection, [account])[account].version != version:
        raise ConflictError(f"Account {account!r} has changed: decide again.")
    if contact_stops.overtaken(connection, [(decision, [proposal])]):
        raise ConflictError(f"What account {account!r} is to be given has just been stopped.")
    wanted = _Wanted(account, "", proposal)
    live = _live(connection, [account]).get(wanted.identity)
    if live is not None and live.state == "accepted":
        raise ConflictError(f"{proposal.treatment!r} is planned already: {live.suggestion_id}.")
    if live is not None:
        _end(connection, [live], "withdrawn", now=now)
    connection.execute(
        sa.insert(t.suggestions).values(
            **wanted.row, suggestion_id=own.suggestion_id, treatment=proposal.treatment, role=proposal.role,
            state="accepted", posted_at=now, answered_by=own.user_id, source="person",
        )
    )  # fmt: skip
    facts = append(connection, [own.plan], now=now)
    acts.keep(connection, own.suggestion_id, "suggest", account_id=account, user_id=own.user_id, before=None,
              facts=facts, now=now)  # fmt: skip
    note_suggestions(connection, [own.suggestion_id], "posted", now=now)


def withdraw(connection: sa.Connection, account_ids: Sequence[str], *, now: int) -> None:
    """End everything that lives of these accounts, answered or not: they are closed."""
    lock_accounts(connection, account_ids)
    _end(connection, list(_live(connection, account_ids).values()), "withdrawn", now=now)


def _withdraw(connection: sa.Connection, unwanted: Sequence[_Live], *, now: int) -> None:
    """Open ones that are no longer proposed; one that nobody has seen yet just ends."""
    unanswered = [one for one in unwanted if one.state == "open"]
    _end(connection, [one for one in unanswered if one.listed], "withdrawn", now=now)
    _end(connection, [one for one in unanswered if not one.listed], "expired", now=now)


def _withdraw_answered(
    connection: sa.Connection,
    decisions: Sequence[LoggedDecision],
    live: Mapping[Identity, _Live],
    *,
    now: int,
) -> None:
    """What was accepted or put off stays whatever the lists say, but not against a withdrawn consent."""
    ended = {(decision.account_id, treatment) for decision in decisions for treatment in decision.ended}
    answered = [one for one in live.values() if one.state != "open"]
    over = [one for one in answered if (one.account_id, one.treatment) in ended]
    _end(connection, over, "withdrawn", now=now)


def _end(connection: sa.Connection, ended: Sequence[_Live], state: str, *, now: int) -> None:
    for chunk in chunks([one.suggestion_id for one in ended]):
        connection.execute(_CLOSE, {"as_state": state, "at": now, "these": chunk})
    seen = [one.suggestion_id for one in ended if one.listed or one.state != "open"]
    note_suggestions(connection, seen, "gone", now=now)


def _tell(
    connection: sa.Connection, ids: Mapping[Identity, str], live: Mapping[Identity, _Live], *, now: int,
    trigger: str,
) -> None:  # fmt: skip
    """Note what was not on show before, and what may say something else now."""
    shown = {key for key, one in live.items() if one.listed}
    posted = [ids[key] for key in ids if key not in shown]
    note_suggestions(connection, posted, "posted", now=now, trigger=trigger)
    note_suggestions(connection, [ids[key] for key in ids if key in shown], "changed", now=now)


def _list(
    connection: sa.Connection,
    run_id: str,
    account_ids: Sequence[str],
    *,
    wanted: Sequence[_Wanted],
    suggestion_ids: Mapping[Identity, str],
    fresh: set[Identity],
    before: Mapping[Identity, _Live],
) -> None:
    """The accounts' lists in one run, instead of those it had; what was no suggestion `before` says its
    reasons there."""
    for chunk in chunks(account_ids):
        connection.execute(_UNLIST, {"run": run_id, "these": chunk})
    rows = [
        {
            **one.row,
            **({} if one.identity in before else {"reasons": t.AS_FIRST_POSTED}),
            "run_id": run_id,
            "suggestion_id": suggestion_ids[one.identity],
            "is_new": one.identity in fresh,
        }
        for one in wanted
    ]
    insert_many(connection, t.listings, rows)


def _publish(connection: sa.Connection, run_ids: Sequence[str], account_ids: Sequence[str]) -> None:
    rows = [{"run_id": run_id, "account_id": account} for run_id in run_ids for account in account_ids]
    upsert(connection, t.published, rows, update=())


def _log(connection: sa.Connection, decisions: Sequence[LoggedDecision]) -> None:
    names = [column.name for column in t.decisions.columns]
    rows = [{name: getattr(decision, name) for name in names} for decision in decisions]
    upsert(connection, t.decisions, rows, update=())


# Built once: putting these together takes as long as running them.
def _live_of_accounts() -> sa.Select[Any]:
    listing, own = t.listings.c, t.suggestions.c
    on_show = sa.and_(listing.run_id == runs.SHOWN_RUN, listing.suggestion_id == own.suggestion_id)
    said = ("suggestion_id", "account_id", "treatment", "role", "state", "snoozed_until")
    return (
        sa.select(
            *columns(t.suggestions, *said),
            sa.func.coalesce(listing.expires_at, own.expires_at),
            listing.run_id.is_not(None),
            sa.func.coalesce(listing.is_new, sa.false()),
        )
        .select_from(t.suggestions.outerjoin(t.listings, on_show))
        .where(own.state.in_(t.LIVE_STATES), own.account_id.in_(these()))
    )


_LIVE = Look(_live_of_accounts())
_IDENTITY = columns(t.suggestions, "account_id", "treatment", "role")
_EARLIER = Look(
    sa.select(*_IDENTITY, sa.func.count()).where(t.suggestions.c.account_id.in_(these())).group_by(*_IDENTITY)
)
_UNLIST = sa.delete(t.listings).where(
    t.listings.c.run_id == sa.bindparam("run", type_=sa.Text), t.listings.c.account_id.in_(these())
)
_CLOSE = (
    sa.update(t.suggestions)
    .where(t.suggestions.c.suggestion_id.in_(these()))
    .values(state=sa.bindparam("as_state", type_=sa.Text), closed_at=sa.bindparam("at", type_=sa.BigInteger))
)
