"""What is shown: the lists of the run on show, and what people accepted or snoozed.

A suggestion is an identity and a state; what it says (rank, priority, reasons, expiry) stands in the listing
of the run on show. Once answered it keeps what the person answered to.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from data.ledger import schema as t
from data.ledger.facts import HAS_NAME, name_of
from data.ledger.looks import Look, Reading
from data.ledger.runs import SHOWN_RUN
from data.ledger.standing_in import whose_tasks
from data.ledger.statements import columns, named, these
from data.ledger.types import LoggedDecision, Suggestion, UnknownError

_IDENTITY = ("suggestion_id", "account_id", "treatment", "role", "state", "posted_at", "snoozed_until",
             "source")  # fmt: skip
_LISTED_ON_SHOW = sa.and_(
    t.listings.c.run_id == SHOWN_RUN, t.listings.c.suggestion_id == t.suggestions.c.suggestion_id
)
_FIRST_POSTED = sa.type_coerce(t.listings.c.reasons, sa.Text) == str(t.AS_FIRST_POSTED)
_REASONS_LISTED = sa.case((_FIRST_POSTED, t.suggestions.c.reasons), else_=t.listings.c.reasons).label(
    "reasons"
)


def _listed() -> sa.Select[Any]:
    """On the lists on show and not ended: with what the listing says."""
    return _named(t.listings, t.listings.c.is_new).join(t.listings, _LISTED_ON_SHOW)


def _kept() -> sa.Select[Any]:
    """Not (or no longer) from a list: with what the suggestion itself says."""
    return _named(t.suggestions, sa.false().label("is_new"))


def _named(content: sa.Table, is_new: sa.ColumnElement[bool]) -> sa.Select[Any]:
    """One row per suggestion with the account's name."""
    said = [
        _REASONS_LISTED if one is t.listings.c.reasons else one
        for one in columns(content, *t.PROPOSAL_COLUMNS)
    ]
    parts = [*columns(t.suggestions, *_IDENTITY), *said, is_new]
    return (
        sa.select(*parts, t.personal.c.content.label("account_name"))
        .select_from(t.suggestions)
        .join(t.accounts, t.accounts.c.account_id == t.suggestions.c.account_id)
        .outerjoin(t.personal, HAS_NAME)
    )


def _shown(whose: str) -> sa.Subquery:
    """Everything on show `now` of the accounts or the users that are `whose`."""
    now, of_whom = sa.bindparam("now", type_=sa.BigInteger), these("whose")
    state = t.suggestions.c.state
    awake = sa.or_(state != "snoozed", t.suggestions.c.snoozed_until <= now)
    listed = _listed().where(state.in_(("open", "snoozed")), awake, t.listings.c.expires_at > now)
    unlisted = ~sa.exists().where(_LISTED_ON_SHOW).correlate(t.suggestions)
    snoozed = sa.and_(state == "snoozed", awake, t.suggestions.c.expires_at > now, unlisted)
    kept = _kept().where(sa.or_(state == "accepted", snoozed))
    return sa.union_all(
        listed.where(t.listings.c[whose].in_(of_whom)), kept.where(t.suggestions.c[whose].in_(of_whom))
    ).subquery()


def _best_first(on_show: sa.Subquery, *order: str) -> sa.Select[Any]:
    """What was accepted, then by these columns."""
    accepted_first = on_show.c.state != "accepted"
    by = [on_show.c[name].desc() if name == "priority" else on_show.c[name] for name in order]
    return sa.select(on_show).order_by(accepted_first, *by, on_show.c.suggestion_id)


_OF_ACCOUNT = Look(_best_first(_shown("account_id"), "rank", "priority"))
# Built once: putting it together takes as long as running it.
_OF_PEOPLE = _best_first(_shown("user_id"), "priority").limit(sa.bindparam("limit", type_=sa.Integer))


def of_account(
    reading: Reading, account_id: str, *, now: int, roles: Sequence[str] | None = None
) -> list[Suggestion]:
    """What is shown for an account, best first."""
    shown = [_suggestion(row) for row in _OF_ACCOUNT.rows(reading, now=now, whose=[account_id])]
    return [one for one in shown if roles is None or one.role in roles]


def of_people(
    connection: sa.Connection, user_ids: Sequence[str], *, now: int, limit: int
) -> list[Suggestion]:
    """What is for these people over all their accounts, and for whom they stand in."""
    whose = whose_tasks(connection, user_ids)
    found = connection.execute(_OF_PEOPLE, {"now": now, "whose": whose, "limit": limit})
    return [_suggestion(row) for row in found]


def find(connection: sa.Connection, suggestion_id: str) -> Suggestion:
    """One suggestion in whatever state, once it has been shown. Raises UnknownError."""
    this = t.suggestions.c.suggestion_id == suggestion_id
    waiting = t.suggestions.c.state.in_(("open", "snoozed"))
    row = connection.execute(_listed().where(this, waiting)).one_or_none()
    if row is None:
        row = connection.execute(_kept().where(this, t.suggestions.c.state != "open")).one_or_none()
    if row is None:
        raise UnknownError(f"There is no suggestion {suggestion_id!r}.")
    return _suggestion(row)


def find_own(connection: sa.Connection, suggestion_id: str) -> Suggestion | None:
    """What a colleague suggested herself."""
    own = t.suggestions.c
    row = connection.execute(
        _kept().where(own.suggestion_id == suggestion_id, own.source == "person")
    ).one_or_none()
    return None if row is None else _suggestion(row)


def withdrawn_since(connection: sa.Connection, account_id: str, *, after: int) -> list[Suggestion]:
    """Withdrawn after that moment, the latest first."""
    query = _kept().where(
        t.suggestions.c.account_id == account_id,
        t.suggestions.c.state == "withdrawn",
        t.suggestions.c.closed_at > after,
    )
    latest = query.order_by(t.suggestions.c.closed_at.desc(), t.suggestions.c.suggestion_id)
    return [_suggestion(row) for row in connection.execute(latest)]


def decision(connection: sa.Connection, decision_id: str) -> LoggedDecision:
    """What was decided. Raises UnknownError."""
    query = sa.select(t.decisions).where(t.decisions.c.decision_id == decision_id)
    row = connection.execute(query).one_or_none()
    if row is None:
        raise UnknownError(f"There is no decision {decision_id!r} in the ledger.")
    return LoggedDecision(**named(row))


def _suggestion(row: Sequence[Any]) -> Suggestion:
    *said, is_new, account_name = row
    fields = dict(zip((*_IDENTITY, *t.PROPOSAL_COLUMNS), said, strict=True))
    return Suggestion(**fields, account_name=name_of(account_name), new=bool(is_new))
