"""The tables of the ledger, as the statements of the package name them; data/migrations makes them.

Times are microseconds UTC. JSON is text with sorted keys, so that equal contents are equal bytes on both
databases. What says who somebody is stands in `personal` alone (law 3): deleting the rows of a subject key
erases a person, while the facts, which carry no name and no free text, remain.
"""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Dialect,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    text,
)

LIVE_STATES = ("open", "accepted", "snoozed")
"""States in which an identity (account, treatment, role) is taken: proposed again it is the same one."""


def dumps(value: Any) -> str:
    """JSON in one way only: keys sorted, no spaces."""
    return _ENCODER.encode(value)


_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)


class Written(str):
    """A JSON value that is text already, as `dumps` writes it: a night carries it, and nobody reads it on the
    way."""


class Json(TypeDecorator[Any]):
    """A JSON value as deterministic text."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        """To text."""
        if isinstance(value, Written):
            return str(value)
        return None if value is None else dumps(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        """From text."""
        return None if value is None else json.loads(value)


metadata = MetaData()
# SQLite counts by itself only in a column that is declared INTEGER.
counter = BigInteger().with_variant(Integer(), "sqlite")
_live = text("state IN ('open', 'accepted', 'snoozed')")


def of_account(**options: Any) -> Column[str]:
    """The column that says whose row it is."""
    return Column("account_id", Text, ForeignKey("accounts.account_id"), nullable=False, **options)


# -- facts -----------------------------------------------------------------------------------------
accounts = Table(
    "accounts",
    metadata,
    Column("account_id", Text, primary_key=True),
    Column("subject_key", Text, nullable=False, unique=True),
    Column("language", Text),
    Column("timezone", Text),
    Column("territory", Text),
    Column("version", BigInteger, nullable=False),
    Column("last_stored_at", BigInteger, nullable=False),
)

# Beside the accounts, not in them: an append changes a version, and must not rewrite a block for it.
blocks = Table(
    "blocks",
    metadata,
    of_account(primary_key=True),
    Column("block", LargeBinary, nullable=False),
    Column("watermark", BigInteger, nullable=False),
)

# Every live row ever accepted: an id stays known for good, also after history has taken its row over.
events = Table(
    "events",
    metadata,
    Column("seq", counter, primary_key=True, autoincrement=True),
    Column("event_id", Text, nullable=False, unique=True),
    of_account(),
    Column("tbl", Text, nullable=False),
    Column("content_hash", Text, nullable=False),
    Column("stored_at", BigInteger, nullable=False),
    sqlite_autoincrement=True,
)

tail = Table(
    "tail",
    metadata,
    Column("seq", BigInteger, ForeignKey("events.seq"), primary_key=True, autoincrement=False),
    of_account(index=True),
    Column("content", Json, nullable=False),
)

personal = Table(
    "personal",
    metadata,
    Column("subject_key", Text, ForeignKey("accounts.subject_key"), primary_key=True),
    Column("source", Text, primary_key=True),
    Column("row_key", Text, primary_key=True),
    Column("content", Json, nullable=False),
)

# -- people ----------------------------------------------------------------------------------------
users = Table(
    "users",
    metadata,
    Column("user_id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("manager_id", Text),
    Column("language", Text),
    Column("timezone", Text),
    Column("gender", Text),
    Column("calendar", Json, nullable=False),
)

team = Table(
    "team",
    metadata,
    of_account(primary_key=True),
    Column("role", Text, primary_key=True),
    Column("user_id", Text, nullable=False, index=True),
)

tokens = Table(
    "tokens",
    metadata,
    Column("token_hash", Text, primary_key=True),
    Column("user_id", Text, ForeignKey("users.user_id", ondelete="CASCADE"), nullable=False, index=True),
    Column("issued_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
)

# -- signing in ------------------------------------------------------------------------------------
passwords = Table(
    "passwords",
    metadata,
    Column("user_id", Text, ForeignKey("users.user_id", ondelete="CASCADE"), primary_key=True),
    Column("password_hash", Text, nullable=False),
    Column("changed_at", BigInteger, nullable=False),
)

# `said`: what the next page tells her about what she has just done.
sessions = Table(
    "sessions",
    metadata,
    Column("session_hash", Text, primary_key=True),
    Column("user_id", Text, ForeignKey("users.user_id", ondelete="CASCADE"), nullable=False, index=True),
    Column("csrf", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("seen_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("said", Json),
)

# An attempt to sign in counts against each of `who` (hashes of user and address) until it succeeds.
sign_in_attempts = Table(
    "sign_in_attempts",
    metadata,
    Column("attempt", Text, primary_key=True),
    Column("who", Text, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Index("ix_sign_in_attempts_who", "who", "at"),
)

# Apart from users, which every load writes anew.
chosen_languages = Table(
    "chosen_languages",
    metadata,
    Column("user_id", Text, ForeignKey("users.user_id", ondelete="CASCADE"), primary_key=True),
    Column("language", Text, nullable=False),
)

# -- releases and runs -----------------------------------------------------------------------------
promotions = Table(
    "promotions",
    metadata,
    Column("number", counter, primary_key=True, autoincrement=True),
    Column("release_id", Text, nullable=False),
    Column("manifest_hash", Text, nullable=False),
    Column("since", BigInteger, nullable=False),
    Column("promoted_by", Text, nullable=False),
    sqlite_autoincrement=True,
)

# The text of every playbook that decided or was learned under, once, so that its decisions can be replayed.
playbooks = Table(
    "playbooks",
    metadata,
    Column("version", Text, primary_key=True),
    Column("playbook", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("first_used_at", BigInteger, nullable=False),
)

runs = Table(
    "runs",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column("as_of", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("started_at", BigInteger, nullable=False),
    Column("completed_at", BigInteger),
    Column("summary", Json, nullable=False),
)

# One row: whose lists are shown ("live" before the first night). Changing it makes a night visible.
shown = Table(
    "shown",
    metadata,
    Column("only", Integer, primary_key=True, autoincrement=False),
    Column("run_id", Text, nullable=False),
)

# An account without any proposal is published too, so listings alone cannot say how far a run has come.
published = Table(
    "published",
    metadata,
    Column("run_id", Text, primary_key=True),
    of_account(primary_key=True),
)

# -- suggestions -----------------------------------------------------------------------------------
decisions = Table(
    "decisions",
    metadata,
    Column("decision_id", Text, primary_key=True),
    of_account(index=True),
    Column("decided_at", BigInteger, nullable=False),
    Column("treatment", Text, nullable=False),
    Column("probability", Double, nullable=False),
    Column("explored", Boolean, nullable=False),
    Column("playbook", Text, nullable=False),
    Column("release", Text, nullable=False),
    Column("seed", BigInteger, nullable=False),
    Column("trigger", Text, nullable=False),
    Column("record", Json, nullable=False),
    Index("ix_decisions_time", "decided_at", "decision_id"),
)


# A stop of contacts for all accounts; it stands until somebody resumes them.
contact_stops = Table(
    "contact_stops",
    metadata,
    Column("stop_id", counter, primary_key=True, autoincrement=True),
    Column("level", Text, nullable=False),
    Column("of", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("stopped_by", Text, nullable=False),
    Column("stopped_at", BigInteger, nullable=False),
    Column("treatments", Json, nullable=False),
    Column("spared", Json, nullable=False),
    Column("resumed_by", Text),
    Column("resumed_at", BigInteger),
    Column("resume_reason", Text),
    sqlite_autoincrement=True,
)


def _proposal_columns() -> list[Column[Any]]:
    """What a proposal says; a listing and a suggestion carry the same."""
    return [
        Column("user_id", Text),
        Column("channel", Text, nullable=False),
        Column("rank", Integer, nullable=False),
        Column("priority", Double, nullable=False),
        Column("expires_at", BigInteger, nullable=False),
        Column("decision_id", Text, nullable=False),
        Column("reasons", Json, nullable=False),
        Column("not_before", BigInteger),
    ]


PROPOSAL_COLUMNS: tuple[str, ...] = tuple(column.name for column in _proposal_columns())

# Identity, state and what the person answered to (of an open one: what it was first posted with).
suggestions = Table(
    "suggestions",
    metadata,
    Column("suggestion_id", Text, primary_key=True),
    of_account(index=True),
    Column("treatment", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("posted_at", BigInteger, nullable=False),
    Column("snoozed_until", BigInteger),
    Column("answered_by", Text),
    Column("closed_at", BigInteger),
    # Who came to think of it: the engine, or a person (then it follows no decision).
    Column("source", Text, nullable=False, server_default="engine"),
    *_proposal_columns(),
    Index("ix_suggestions_identity", "account_id", "treatment", "role", unique=True, sqlite_where=_live,
          postgresql_where=_live),
    Index("ix_suggestions_person", "user_id", "state"),
)  # fmt: skip

AS_FIRST_POSTED = Written("null")
"""Reasons of a listing that says what its suggestion says: those of what was first posted with it, which are
most of a ledger after its first night, and of all that is new later."""

# What a run shows of it: the lists of the next run grow beside those on show, and one pointer swaps them.
listings = Table(
    "listings",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column("suggestion_id", Text, ForeignKey("suggestions.suggestion_id"), primary_key=True),
    of_account(),
    Column("is_new", Boolean, nullable=False),
    *_proposal_columns(),
    Index("ix_listings_account", "account_id", "run_id"),
    Index("ix_listings_person", "run_id", "user_id"),
)

# What was dismissed and why, apart from the facts, so that it is counted without reading blocks; what asks
# for the account's data to be put right waits until `settled_at`.
dismissals = Table(
    "dismissals",
    metadata,
    Column("suggestion_id", Text, primary_key=True),
    of_account(),
    Column("treatment", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("user_id", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("dismissed_at", BigInteger, nullable=False),
    Column("correction", Boolean, nullable=False),
    Column("settled_by", Text),
    Column("settled_at", BigInteger),
    Index("ix_dismissals_treatment", "treatment", "dismissed_at"),
)

# What somebody did to a suggestion (or a contact that she recorded), so that it can be taken back: the
# suggestion as it was, the facts that the act left, what else it ended.
acts = Table(
    "acts",
    metadata,
    Column("act_id", counter, primary_key=True, autoincrement=True),
    of_account(),
    Column("user_id", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("verb", Text, nullable=False),
    Column("acted_at", BigInteger, nullable=False),
    Column("before", Json),
    Column("facts", Json, nullable=False),
    Column("ended", Json, nullable=False),
    Column("undone_at", BigInteger),
    Index("ix_acts_subject", "subject"),
    Index("ix_acts_account", "account_id"),
    sqlite_autoincrement=True,
)

# What was heard in the field, for counting; the words are details of the touchpoint.
field_notes = Table(
    "field_notes",
    metadata,
    Column("note_id", counter, primary_key=True, autoincrement=True),
    Column("touchpoint_id", Text, nullable=False),
    of_account(),
    Column("kind", Text, nullable=False),
    Column("topic", Text, nullable=False),
    Column("what", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("noted_at", BigInteger, nullable=False),
    Index("ix_field_notes_touchpoint", "touchpoint_id"),
    Index("ix_field_notes_account", "account_id", "noted_at"),
    Index("ix_field_notes_time", "noted_at"),
    sqlite_autoincrement=True,
)

# Requests that must not act twice; an answer that names an account stands in `personal` ("requests").
requests = Table(
    "requests",
    metadata,
    Column("user_id", Text, ForeignKey("users.user_id", ondelete="CASCADE"), primary_key=True),
    Column("request_key", Text, primary_key=True),
    Column("content_hash", Text, nullable=False),
    Column("asked_at", BigInteger, nullable=False),
    Column("status", Integer),
    Column("subject_key", Text),
    Column("body", Json),
)

# -- hand-overs ------------------------------------------------------------------------------------
# What people wrote to each other stands in `personal` under the source "hand_overs".
hand_overs = Table(
    "hand_overs",
    metadata,
    Column("hand_over_id", Text, primary_key=True),
    of_account(index=True),
    Column("kind", Text, nullable=False),
    Column("rule", Text),
    Column("suggestion_id", Text),
    Column("treatment", Text),
    Column("topic", Text),
    Column("touchpoint_id", Text),
    Column("by_role", Text, nullable=False),
    Column("by_user", Text),
    Column("to_role", Text, nullable=False),
    Column("to_user", Text),
    Column("stage", Text),
    Column("state", Text, nullable=False),
    Column("reason", Text),
    Column("asked_at", BigInteger, nullable=False),
    Column("due_at", BigInteger),
    Column("answered_by", Text),
    Column("answered_at", BigInteger),
    Column("closed_at", BigInteger),
    Column("escalated_at", BigInteger),
    Column("escalated_to", Text),
    Index("ix_hand_overs_receiver", "to_user", "state"),
    Index("ix_hand_overs_due", "state", "due_at"),
)

# Which touchpoints have details (form answers, questions), so that they are found without reading blocks.
told = Table(
    "told",
    metadata,
    Column("touchpoint_id", Text, primary_key=True),
    of_account(),
    Column("occurred_at", BigInteger, nullable=False),
    Column("direction", Text),
    Column("channel", Text),
    Column("topic", Text),
    Column("role", Text),
    Index("ix_told_account", "account_id", "occurred_at"),
)

# -- what changed ----------------------------------------------------------------------------------
# In the order (tx, seq); `tx` is the transaction on PostgreSQL and 0 on SQLite (see data.ledger.changes).
changes = Table(
    "changes",
    metadata,
    Column("seq", counter, primary_key=True, autoincrement=True),
    Column("tx", BigInteger, nullable=False),
    Column("at", BigInteger, nullable=False, index=True),
    Column("kind", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("account_id", Text),
    Column("role", Text),
    Column("trigger", Text),
    Index("ix_changes_order", "tx", "seq"),
    sqlite_autoincrement=True,
)

# -- twins -----------------------------------------------------------------------------------------
# Ids of other accounts stand in `content`; names do not.
twins = Table(
    "twins",
    metadata,
    Column("set_id", Text, primary_key=True),
    of_account(primary_key=True),
    Column("twins_found", Integer, nullable=False),
    Column("unrealised_value", Double, nullable=False),
    Column("unrealised_low", Double, nullable=False),
    Column("unrealised_high", Double, nullable=False),
    Column("approach", Text),
    Column("worked", Integer),
    Column("tried", Integer),
    Column("content", Json, nullable=False),
)

# One row: which night's set is on show.
twins_shown = Table(
    "twins_shown",
    metadata,
    Column("only", Integer, primary_key=True, autoincrement=False),
    Column("set_id", Text, nullable=False),
    Column("as_of", BigInteger, nullable=False),
    Column("stored_at", BigInteger, nullable=False),
)
